//! Messages through a KDC proxy (MS-KKDCP section 2.2.2), the body of a POST and of its answer.

use sockless_core::{Fault, Reason};
use zeroize::Zeroizing;

use super::LARGEST;
use crate::der::{GENERAL_STRING, OCTETS, SEQUENCE, context, element, find, wrap};

/// `KDC-PROXY-MESSAGE`: a message for a realm, in its frame.
pub fn proxied(message: &[u8], realm: &str) -> Zeroizing<Vec<u8>> {
    let mut framed = Zeroizing::new(Vec::with_capacity(message.len() + 4));
    framed.extend_from_slice(&(message.len() as u32).to_be_bytes());
    framed.extend_from_slice(message);
    let octets = Zeroizing::new(wrap(OCTETS, &framed));
    let mut fields = Zeroizing::new(wrap(context(0), &octets));
    fields.extend(wrap(context(1), &wrap(GENERAL_STRING, realm.as_bytes())));
    Zeroizing::new(wrap(SEQUENCE, &fields))
}

/// The message in a KDC proxy's answer.
///
/// # Errors
/// [`Reason::Malformed`]: there is none in it.
pub fn unproxied(answer: &[u8]) -> Result<&[u8], Fault> {
    let message = || {
        let (SEQUENCE, fields, []) = element(answer)? else {
            return None;
        };
        let (OCTETS, framed, []) = element(find(fields, context(0))?)? else {
            return None;
        };
        let (length, message) = framed.split_at_checked(4)?;
        let length = u32::from_be_bytes(length.try_into().ok()?);
        (length as usize == message.len() && message.len() <= LARGEST).then_some(message)
    };
    message().ok_or_else(|| {
        let what = "the KDC proxy's answer is no Kerberos message in its frame";
        Fault::misbehaved(Reason::Malformed, what).remedy("check the KDC proxy's URL")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_frame_is_that_of_the_specification() {
        let wire = proxied(b"abc", "R");
        let frame = b"\x30\x10\xa0\x09\x04\x07\0\0\0\x03abc\xa1\x03\x1b\x01R";
        assert_eq!(&wire[..], frame);
        assert_eq!(unproxied(&wire).expect("a frame"), b"abc");
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let long = wrap(
            SEQUENCE,
            &wrap(context(0), &wrap(OCTETS, b"\xff\xff\xff\xffabc")),
        );
        for bytes in [&b""[..], b"<html>", b"\x30\x00", &long] {
            let fault = unproxied(bytes).expect_err("no frame");
            assert_eq!(fault.reason, Reason::Malformed);
        }
    }

    proptest! {
        #[test]
        fn any_message_comes_back(message in proptest::collection::vec(any::<u8>(), 0..600)) {
            let wire = proxied(&message, "EXAMPLE.COM");
            prop_assert_eq!(unproxied(&wire).expect("a frame"), &message[..]);
            prop_assert!(unproxied(&wire[..wire.len() - 1]).is_err());
        }
    }
}
