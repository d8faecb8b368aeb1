//! What libssh2 has and crate libssh2-sys does not declare.

use libssh2_sys::{LIBSSH2_CHANNEL, LIBSSH2_SESSION};

use core::ffi::{c_char, c_int, c_long, c_uchar, c_void};

/// Kinds of callbacks for [`libssh2_session_callback_set2`].
pub(super) const CALLBACK_DISCONNECT: c_int = 2;
pub(super) const CALLBACK_SEND: c_int = 5;
pub(super) const CALLBACK_RECV: c_int = 6;

/// A function of whatever type the kind of callback has.
pub(super) type Callback = unsafe extern "C" fn();

/// `session, &signature, &length, data, length, abstract`; 0, or an error's number.
pub(super) type Sign = unsafe extern "C" fn(
    *mut LIBSSH2_SESSION,
    *mut *mut c_uchar,
    *mut usize,
    *const c_uchar,
    usize,
    *mut *mut c_void,
) -> c_int;

unsafe extern "C" {
    pub(super) fn libssh2_session_callback_set2(
        session: *mut LIBSSH2_SESSION,
        kind: c_int,
        callback: Option<Callback>,
    ) -> Option<Callback>;
    pub(super) fn libssh2_session_set_read_timeout(session: *mut LIBSSH2_SESSION, seconds: c_long);
    pub(super) fn libssh2_userauth_publickey(
        session: *mut LIBSSH2_SESSION,
        user: *const c_char,
        key: *const c_uchar,
        key_len: usize,
        sign: Option<Sign>,
        context: *mut *mut c_void,
    ) -> c_int;
    pub(super) fn libssh2_channel_has_exit_status(channel: *mut LIBSSH2_CHANNEL) -> c_int;
}
