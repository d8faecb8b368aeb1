//! Security contexts by GSS-API (RFC 2743, RFC 2744).

use core::ffi::{CStr, c_void};
use core::{ptr, slice};
use std::sync::Arc;

use sockless_core::{ChannelBinding, Culprit, Cx, Fault, Reason, SecurityContext, Step};

use super::ffi::{self, gss_OID_desc, gss_buffer_desc};
use super::library::Cred;
use crate::binding::application_data;
use crate::{Principal, code};

/// 1.2.840.113554.1.2.2
const KRB5: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
/// 1.2.840.113554.1.2.2.1: a name in the form of Kerberos.
const KRB5_NAME: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01";

/// MUTUAL, REPLAY, SEQUENCE, CONF and INTEG (RFC 2744 section 5.19).
const FLAGS: u32 = 2 | 4 | 8 | 16 | 32;
const MUTUAL: u32 = 2;

/// The calling and routine errors of a major status; what is below only informs.
const ERRORS: u32 = 0xffff_0000;
const CONTINUE_NEEDED: u32 = 1;
const DEFECTIVE_TOKEN: u32 = 9 << 16;
const BAD_SIG: u32 = 6 << 16;

/// The numbers of protocol errors begin here in MIT's minor codes.
const BASE: u32 = (-1_765_328_384_i32).cast_unsigned();

/// One context, as its initiator.
pub(super) struct Context {
    context: ffi::gss_ctx_id_t,
    target: ffi::gss_name_t,
    cred: Arc<Cred>,
    negotiated: bool,
    binding: Option<Vec<u8>>,
    established: bool,
    begun: bool,
}

// SAFETY: a GSS-API context may be used by any thread, one at a time, and nothing here is used
// without `&mut`, but for `wrap_limit`, which only reads.
unsafe impl Send for Context {}

impl Context {
    pub(super) fn new(
        cred: Arc<Cred>,
        service: &Principal,
        negotiated: bool,
    ) -> Result<Self, Fault> {
        let mut text = service.to_string().into_bytes();
        let (mut minor, mut target) = (0, ptr::null_mut());
        // A name in Kerberos' own form, realm included: a host-based one would be looked up in DNS.
        let kind = oid(KRB5_NAME);
        // SAFETY: text and kind live until the call ends; `target` is written only.
        let major =
            unsafe { ffi::gss_import_name(&mut minor, &mut buffer(&mut text), &kind, &mut target) };
        check(major, minor, "the service's name cannot be used")?;
        Ok(Self {
            context: ptr::null_mut(),
            target,
            cred,
            negotiated,
            binding: None,
            established: false,
            begun: false,
        })
    }

    fn established(&self) -> Result<(), Fault> {
        match self.established {
            true => Ok(()),
            false => {
                let what = "the security context is not established";
                Err(Fault::new(Culprit::Misuse, Reason::Misuse, what))
            }
        }
    }
}

impl SecurityContext for Context {
    fn mechanism(&self) -> &'static str {
        "Kerberos"
    }

    fn bind(&mut self, kind: ChannelBinding, channel: &[u8]) {
        if let Some(bound) = application_data(kind, channel) {
            self.binding = Some(bound);
        }
    }

    fn step(&mut self, from_peer: Option<&[u8]>, _cx: &mut Cx<'_>) -> Result<Step, Fault> {
        if self.established || self.begun != from_peer.is_some() {
            let what = "a token that does not belong here: the security context is complete, \
                        or has not begun";
            return Err(Fault::misbehaved(Reason::Authentication, what));
        }
        self.begun = true;
        let mut binding = self.binding.clone().unwrap_or_default();
        let mut bindings = ffi::gss_channel_bindings_struct {
            initiator_addrtype: 0,
            initiator_address: nothing(),
            acceptor_addrtype: 0,
            acceptor_address: nothing(),
            application_data: buffer(&mut binding),
        };
        let bindings = match self.binding {
            Some(_) => &raw mut bindings,
            None => ptr::null_mut(),
        };
        let mut token = from_peer.unwrap_or_default().to_vec();
        let mut input = buffer(&mut token);
        let mechanism = match self.negotiated {
            true => spnego_oid(),
            false => krb5_oid(),
        };
        let (mut minor, mut granted, mut output) = (0, 0, Output(nothing()));
        // SAFETY: cred and target are valid, the context is null or this call's own of before;
        // all buffers live until the call ends.
        let major = unsafe {
            ffi::gss_init_sec_context(
                &mut minor,
                self.cred.0,
                &mut self.context,
                self.target,
                &mechanism,
                FLAGS,
                0,
                bindings,
                &mut input,
                ptr::null_mut(),
                &mut output.0,
                &mut granted,
                ptr::null_mut(),
            )
        };
        check(major, minor, "the security context fails")?;
        let token = output.bytes().to_vec();
        if major & CONTINUE_NEEDED != 0 {
            return Ok(Step::Continue(token));
        }
        if granted & MUTUAL == 0 {
            let what = "the peer has not proven who it is (KRB_AP_ERR_MUT_FAIL, 46)";
            return Err(Fault::misbehaved(Reason::Authentication, what));
        }
        self.established = true;
        Ok(Step::Done((!token.is_empty()).then_some(token)))
    }

    fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.established()?;
        let (mut minor, mut protected, mut output) = (0, 0, Output(nothing()));
        let mut input = shared(plain);
        // SAFETY: the context is established; the library only reads the input.
        let major = unsafe {
            ffi::gss_wrap(
                &mut minor,
                self.context,
                confidential.into(),
                0,
                &mut input,
                &mut protected,
                &mut output.0,
            )
        };
        check(major, minor, "a message cannot be protected")?;
        if confidential && protected == 0 {
            let what = "the security context cannot keep messages confidential";
            return Err(Fault::new(
                Culprit::PeerIncompatible,
                Reason::Unsupported,
                what,
            ));
        }
        out.extend_from_slice(output.bytes());
        Ok(())
    }

    fn unwrap(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
        self.established()?;
        let (mut minor, mut confidential, mut output) = (0, 0, Output(nothing()));
        let mut input = shared(sealed);
        // SAFETY: the context is established; the library only reads the input.
        let major = unsafe {
            ffi::gss_unwrap(
                &mut minor,
                self.context,
                &mut input,
                &mut output.0,
                &mut confidential,
                ptr::null_mut(),
            )
        };
        check(major, minor, "a protected message is refused")?;
        // Replayed or out of order: it only informs, but on a stream it never happens by chance.
        if major != 0 {
            let what = "a protected message came twice or out of order (KRB_AP_ERR_BADORDER, 42)";
            return Err(Fault::misbehaved(Reason::Malformed, what));
        }
        out.extend_from_slice(output.bytes());
        Ok(confidential != 0)
    }

    fn wrap_limit(&self, sealed: usize, confidential: bool) -> usize {
        if !self.established {
            return 0;
        }
        let sealed = u32::try_from(sealed).unwrap_or(u32::MAX);
        let (mut minor, mut plain) = (0, 0);
        // SAFETY: the context is established; only `minor` and `plain` are written.
        let major = unsafe {
            ffi::gss_wrap_size_limit(
                &mut minor,
                self.context,
                confidential.into(),
                0,
                sealed,
                &mut plain,
            )
        };
        match major & ERRORS {
            0 => plain as usize,
            _ => 0,
        }
    }

    fn mic(&mut self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        self.established()?;
        let (mut minor, mut output) = (0, Output(nothing()));
        let mut input = shared(message);
        // SAFETY: the context is established; the library only reads the message.
        let major =
            unsafe { ffi::gss_get_mic(&mut minor, self.context, 0, &mut input, &mut output.0) };
        check(major, minor, "a message cannot be signed")?;
        Ok(output.bytes().to_vec())
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: both came from the library, and are released once; null ones are passed over.
        unsafe {
            ffi::gss_delete_sec_context(&mut minor, &mut self.context, ptr::null_mut());
            ffi::gss_release_name(&mut minor, &mut self.target);
        }
    }
}

/// A buffer that the library has filled.
struct Output(gss_buffer_desc);

impl Output {
    fn bytes(&self) -> &[u8] {
        match self.0.value.is_null() {
            true => &[],
            // SAFETY: the library has put as many bytes there as it says.
            false => unsafe { slice::from_raw_parts(self.0.value.cast::<u8>(), self.0.length) },
        }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: it is empty, or the library's own, and released once.
        unsafe { ffi::gss_release_buffer(&mut minor, &mut self.0) };
    }
}

pub(super) fn krb5_oid() -> gss_OID_desc {
    oid(KRB5)
}

pub(super) fn spnego_oid() -> gss_OID_desc {
    oid(SPNEGO)
}

fn oid(der: &'static [u8]) -> gss_OID_desc {
    gss_OID_desc {
        length: der.len() as u32,
        elements: der.as_ptr().cast::<c_void>(),
    }
}

fn nothing() -> gss_buffer_desc {
    gss_buffer_desc {
        length: 0,
        value: ptr::null_mut(),
    }
}

/// Bytes as the library takes them; they must outlive what is returned.
fn buffer(bytes: &mut [u8]) -> gss_buffer_desc {
    gss_buffer_desc {
        length: bytes.len(),
        value: bytes.as_mut_ptr().cast::<c_void>(),
    }
}

/// The same for bytes that the library only reads, whatever its declarations say.
fn shared(bytes: &[u8]) -> gss_buffer_desc {
    gss_buffer_desc {
        length: bytes.len(),
        value: bytes.as_ptr().cast_mut().cast::<c_void>(),
    }
}

/// An error of GSS-API's, with what Kerberos says about it.
pub(super) fn check(major: u32, minor: u32, doing: &str) -> Result<(), Fault> {
    if major & ERRORS == 0 {
        return Ok(());
    }
    let of_mechanism = (minor != 0).then(|| display(minor, 2)).flatten();
    let of_mechanism = of_mechanism.filter(|text| !text.starts_with("Unknown"));
    let number = match minor.wrapping_sub(BASE) {
        number @ 0..128 => Some(number),
        _ => of_mechanism.as_deref().and_then(number_of),
    };
    let said = of_mechanism.or_else(|| display(major & ERRORS, 1));
    let said = format!("{doing}: {}", said.unwrap_or_default());
    if let Some(number) = number {
        let mut fault = code::fault(number, &said);
        if number == 31 {
            // It is the peer's message that does not hold: no password of ours is in it.
            fault.culprit = Culprit::PeerMisbehaved;
            fault.remedy = Some("somebody in between may have changed or replayed it");
        }
        return Err(fault);
    }
    let culprit = match major & 0x00ff_0000 {
        DEFECTIVE_TOKEN | BAD_SIG => Culprit::PeerMisbehaved,
        _ => Culprit::PeerIncompatible,
    };
    let what = format!("{said} (GSS {major:#x}, {minor})");
    Err(Fault::new(culprit, Reason::Authentication, what)
        .remedy("see the server's log, and check the service's name"))
}

/// The protocol's number for a text of the library's. Inside SPNEGO the numbers of mechanisms are replaced by
/// others, and the text is all that is left of them.
fn number_of(said: &str) -> Option<u32> {
    (0..128).find(|number| {
        let code = BASE.wrapping_add(*number).cast_signed();
        // SAFETY: without a context the text is a C string of the library's own, which is not freed.
        let text = unsafe { CStr::from_ptr(ffi::krb5_get_error_message(ptr::null_mut(), code)) };
        code::name(*number).is_some() && text.to_bytes() == said.as_bytes()
    })
}

/// The library's text for a status; `kind` 1: GSS-API's, 2: the mechanism's.
fn display(status: u32, kind: i32) -> Option<String> {
    let mechanism = krb5_oid();
    let (mut minor, mut more, mut text) = (0, 0, Output(nothing()));
    // SAFETY: everything is written only, but for the mechanism, which lives until the call ends.
    let major = unsafe {
        ffi::gss_display_status(&mut minor, status, kind, &mechanism, &mut more, &mut text.0)
    };
    (major & ERRORS == 0).then(|| String::from_utf8_lossy(text.bytes()).into_owned())
}
