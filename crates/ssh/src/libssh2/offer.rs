//! What is offered to the server, of what this build of libssh2 has.

use sockless_core::{Culprit, Fault, Reason};

use super::ffi::{Method, Session};
use crate::algorithms::{Algorithms, Kind, unknown};

const KINDS: [(Kind, &[Method]); 5] = [
    (Kind::Kex, &[Method::Kex]),
    (Kind::HostKey, &[Method::HostKey]),
    (Kind::Cipher, &[Method::CipherOut, Method::CipherIn]),
    (Kind::Mac, &[Method::MacOut, Method::MacIn]),
    (
        Kind::Compression,
        &[Method::CompressionOut, Method::CompressionIn],
    ),
];

/// Sets what is offered, and says what that is: of the defaults, what libssh2 has.
///
/// # Errors
/// One that is none of the defaults is not there, or nothing is left.
pub(super) fn make(session: &mut Session, wanted: &Algorithms) -> Result<Algorithms, Fault> {
    let defaults = Algorithms::default();
    let mut offered = wanted.clone();
    let none = |name: &String| name == "none";
    session.compress(!wanted.of(Kind::Compression).iter().all(none));
    for (kind, methods) in KINDS {
        let has = session.supported(methods[0]);
        let mut names = Vec::new();
        for name in wanted.of(kind) {
            if has.contains(name) {
                names.push(name.clone());
            } else if !defaults.of(kind).contains(name) {
                return Err(unknown(kind, name, has));
            }
        }
        let Some(first) = wanted.of(kind).first() else {
            continue;
        };
        if names.is_empty() {
            return Err(unknown(kind, first, has));
        }
        let list = names.join(",");
        offered.set(kind, &list);
        for method in methods {
            session
                .prefer(*method, &list)
                .map_err(|failure| refused(kind, &failure.text))?;
        }
    }
    Ok(offered)
}

/// Whether a cipher needs no MAC beside it.
pub(super) fn is_aead(cipher: &str) -> bool {
    cipher.contains("-gcm@") || cipher.contains("poly1305")
}

/// libssh2 does not even begin.
pub(super) fn no_memory() -> Fault {
    let what = "libssh2 could not make a session: there is no memory";
    Fault::new(Culprit::Limit, Reason::Handshake, what)
}

fn refused(kind: Kind, text: &str) -> Fault {
    let what = format!(
        "libssh2 does not take the {} algorithms: {text}",
        kind.name()
    );
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}
