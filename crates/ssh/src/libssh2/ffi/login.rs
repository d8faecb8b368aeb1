//! Showing who one is.

use core::ffi::{c_int, c_uchar, c_uint, c_void};
use core::{ptr, slice};
use std::ffi::CString;
use std::task::Poll;

use libssh2_sys::{self as ffi, LIBSSH2_SESSION};
use zeroize::Zeroizing;

use super::{Failure, Session, Step, sys, text, wire};

/// What a server says to nobody in particular (RFC 4252 section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Allowed {
    /// Come in.
    Anybody,
    /// Whoever shows who he is in one of these ways, separated by commas.
    By(String),
}

/// A signature that is to be made by somebody who may take time.
#[derive(Debug, Default)]
pub(in super::super) struct Signing {
    /// What is to be signed: the session's number and the request (RFC 4252 section 7).
    pub(in super::super) data: Option<Vec<u8>>,
    /// The bare signature, without its algorithm's name, or that there is none.
    pub(in super::super) signature: Option<Option<Vec<u8>>>,
}

impl Session {
    /// Asks which ways are open, by trying none.
    pub(in super::super) fn allowed(&mut self, user: &str) -> Step<Allowed> {
        // SAFETY: the session is alive; the name has the length that is given.
        let (list, code, known) = unsafe {
            let list = ffi::libssh2_userauth_list(self.raw(), user.as_ptr().cast(), len(user));
            let list = (!list.is_null()).then(|| text(list));
            let code = ffi::libssh2_session_last_errno(self.raw());
            (list, code, ffi::libssh2_userauth_authenticated(self.raw()))
        };
        match list {
            Some(list) => Poll::Ready(Ok(Allowed::By(list))),
            None if known == 1 => Poll::Ready(Ok(Allowed::Anybody)),
            None if code == ffi::LIBSSH2_ERROR_EAGAIN => Poll::Pending,
            None => Poll::Ready(Err(self.failure(code))),
        }
    }

    /// What the server wants to be read by whoever logs in.
    pub(in super::super) fn banner(&mut self) -> Option<String> {
        let mut banner = ptr::null_mut();
        // SAFETY: the session is alive; the banner is a string of libssh2's that ends with zero.
        unsafe {
            let rc = ffi::libssh2_userauth_banner(self.raw(), &raw mut banner);
            (rc == 0 && !banner.is_null()).then(|| text(banner))
        }
    }

    /// Says the password.
    pub(in super::super) fn password(&mut self, user: &str, password: &str) -> Step<()> {
        // SAFETY: the session is alive; both texts have the lengths that are given.
        let rc = unsafe {
            ffi::libssh2_userauth_password_ex(
                self.raw(),
                user.as_ptr().cast(),
                len(user),
                password.as_ptr().cast(),
                len(password),
                None,
            )
        };
        self.step(rc).map_ok(drop)
    }

    /// Shows a key. When `signing` has data, the call waits for the signature in it.
    pub(in super::super) fn public_key(
        &mut self,
        user: &str,
        key: &[u8],
        signing: &mut Signing,
    ) -> Step<()> {
        let Ok(user) = CString::new(user) else {
            return Poll::Ready(Err(Failure {
                code: ffi::LIBSSH2_ERROR_INVAL,
                text: "the user's name has a zero byte".to_owned(),
            }));
        };
        // SAFETY: the session is alive, the name ends with zero, the key has the length that is given,
        // and `sign` gets its own context back, which nobody else uses until the call returns.
        let rc = unsafe {
            sys::libssh2_userauth_publickey(
                self.raw(),
                user.as_ptr(),
                key.as_ptr(),
                key.len(),
                Some(sign),
                ptr::from_mut(signing).cast(),
            )
        };
        self.step(rc).map_ok(drop)
    }
}

unsafe extern "C" fn sign(
    session: *mut LIBSSH2_SESSION,
    signature: *mut *mut c_uchar,
    signature_len: *mut usize,
    data: *const c_uchar,
    data_len: usize,
    context: *mut *mut c_void,
) -> c_int {
    // SAFETY: the context that `public_key` gave.
    let signing = unsafe { &mut *context.cast::<Signing>() };
    let made = match signing.signature.take() {
        Some(Some(made)) => Zeroizing::new(made),
        Some(None) => return ffi::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED,
        None => {
            // SAFETY: libssh2 gives `data_len` bytes.
            let data = unsafe { slice::from_raw_parts(data, data_len) };
            signing.data.get_or_insert_with(|| data.to_vec());
            return ffi::LIBSSH2_ERROR_EAGAIN;
        }
    };
    // SAFETY: the session is the one that called, and its context is its wire's address.
    let memory = wire::allocate(made.len(), unsafe {
        ffi::libssh2_session_abstract(session)
    });
    if memory.is_null() {
        return ffi::LIBSSH2_ERROR_ALLOC;
    }
    // SAFETY: the memory is as long as the signature; where it goes libssh2 gave, and it frees it.
    unsafe {
        ptr::copy_nonoverlapping(made.as_ptr(), memory.cast(), made.len());
        *signature = memory.cast();
        *signature_len = made.len();
    }
    0
}

pub(super) fn len(text: &str) -> c_uint {
    c_uint::try_from(text.len()).unwrap_or(c_uint::MAX)
}
