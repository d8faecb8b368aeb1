//! libssh2 behind safe functions. All `unsafe` of this backend is in this folder.
//!
//! What makes it sound:
//! - libssh2's state is one [`Session`], which nobody else has a pointer to. It is used by one
//!   thread at a time (`&mut`), and moves between threads: libssh2 keeps nothing in a thread's
//!   own storage.
//! - Channels are numbers here. Their pointers stay in the session and end with it.
//! - Callbacks get the address of a [`Wire`], which is as old as the session and lives longer. No
//!   function here holds a reference to it while libssh2 runs.
//! - Library-wide initialisation is done once, by crate libssh2-sys.

mod channel;
mod dialogue;
mod login;
mod sys;
mod wire;

use core::ffi::{CStr, c_char, c_int, c_long};
use core::ptr::{self, NonNull};
use std::ffi::CString;
use std::task::Poll;

use libssh2_sys::{self as ffi, LIBSSH2_CHANNEL, LIBSSH2_SESSION};
use sockless_core::{Pipe, Pool};

pub(super) use channel::{ChannelId, Stream};
use dialogue::Dialogue;
pub(super) use dialogue::Turn;
pub(super) use login::{Allowed, Signing};
use sys::{CALLBACK_DISCONNECT, CALLBACK_RECV, CALLBACK_SEND, Callback};
use wire::Wire;

/// No socket has this number; libssh2 only asks the kernel for its flags, and is told that there is
/// none. -1 it refuses.
const NO_SOCKET: c_int = c_int::MAX;

/// Ten years: libssh2's own clock never ends a wait before the engine does.
const PATIENCE: c_long = 10 * 365 * 86_400;

/// How often freeing a session is tried, although nothing can be waited for any more.
const FREE_TRIES: usize = 64;

/// What libssh2 says went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// `LIBSSH2_ERROR_...`.
    pub(super) code: i32,
    /// Its sentence; may be empty.
    pub(super) text: String,
}

impl Failure {
    /// The stream is at its end.
    pub(super) fn ended() -> Self {
        Self {
            code: ffi::LIBSSH2_ERROR_SOCKET_RECV,
            text: String::new(),
        }
    }

    /// The peer says no to one request; everything else goes on.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self.code,
            ffi::LIBSSH2_ERROR_CHANNEL_FAILURE | ffi::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED
        )
    }

    /// The channel was written to after its end.
    pub(super) fn is_closed(&self) -> bool {
        matches!(
            self.code,
            ffi::LIBSSH2_ERROR_CHANNEL_CLOSED | ffi::LIBSSH2_ERROR_CHANNEL_EOF_SENT
        )
    }

    /// A way to log in was not enough, or libssh2 says so: it does even if the connection is lost.
    pub(super) fn is_denial(&self) -> bool {
        matches!(
            self.code,
            ffi::LIBSSH2_ERROR_AUTHENTICATION_FAILED
                | ffi::LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED
                | ffi::LIBSSH2_ERROR_PASSWORD_EXPIRED
        )
    }

    /// The peer has said that it does not know the key.
    pub(super) fn is_unknown(&self) -> bool {
        self.code == ffi::LIBSSH2_ERROR_AUTHENTICATION_FAILED
    }

    /// The peer takes no signature that the key can make; it was not asked.
    pub(super) fn is_unasked(&self) -> bool {
        self.code == ffi::LIBSSH2_ERROR_METHOD_NONE
    }

    /// A packet says that it is longer than libssh2 takes.
    pub(super) fn is_too_long(&self) -> bool {
        self.code == ffi::LIBSSH2_ERROR_OUT_OF_BOUNDARY
    }

    /// There is nothing more to read, or the peer has said farewell.
    pub(super) fn is_lost(&self) -> bool {
        matches!(
            self.code,
            ffi::LIBSSH2_ERROR_SOCKET_RECV
                | ffi::LIBSSH2_ERROR_SOCKET_SEND
                | ffi::LIBSSH2_ERROR_SOCKET_DISCONNECT
        )
    }
}

/// The outcome of a call. Pending: it needs more from the peer, and is to be made again with
/// the same arguments.
pub(super) type Step<T> = Poll<Result<T, Failure>>;

/// What is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Kex = ffi::LIBSSH2_METHOD_KEX as isize,
    HostKey = ffi::LIBSSH2_METHOD_HOSTKEY as isize,
    CipherOut = ffi::LIBSSH2_METHOD_CRYPT_CS as isize,
    CipherIn = ffi::LIBSSH2_METHOD_CRYPT_SC as isize,
    MacOut = ffi::LIBSSH2_METHOD_MAC_CS as isize,
    MacIn = ffi::LIBSSH2_METHOD_MAC_SC as isize,
    CompressionOut = ffi::LIBSSH2_METHOD_COMP_CS as isize,
    CompressionIn = ffi::LIBSSH2_METHOD_COMP_SC as isize,
    Signature = ffi::LIBSSH2_METHOD_SIGN_ALGO as isize,
}

/// One connection's SSH state.
pub(super) struct Session {
    raw: NonNull<LIBSSH2_SESSION>,
    wire: NonNull<Wire>,
    channels: Vec<Option<NonNull<LIBSSH2_CHANNEL>>>,
    dialogue: Option<Dialogue>,
}

// SAFETY: libssh2 allows a session to be used by any thread, by one at a time. All that the
// pointers lead to belongs to the session alone. A suspended dialogue's stack holds libssh2's
// frames and ours, and nothing on them is tied to a thread.
unsafe impl Send for Session {}

impl Session {
    /// A session that may use `memory` bytes. `None`: not even its beginning fits.
    pub(super) fn new(memory: usize) -> Option<Self> {
        ffi::init();
        let wire = NonNull::from(Box::leak(Box::new(Wire::new(memory))));
        // SAFETY: the callbacks have the types that libssh2 wants, and the wire outlives the
        // session: it is freed in `drop`, after it.
        let raw = unsafe {
            ffi::libssh2_session_init_ex(
                Some(wire::allocate),
                Some(wire::release),
                Some(wire::resize),
                wire.as_ptr().cast(),
            )
        };
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: it came from a box, and nobody else has it.
            drop(unsafe { Box::from_raw(wire.as_ptr()) });
            return None;
        };
        // SAFETY: the session is fresh; each callback has the type that its kind is called with,
        // and is turned to the general one as libssh2 asks for.
        unsafe {
            let send: Callback = core::mem::transmute(wire::send as *const ());
            let recv: Callback = core::mem::transmute(wire::recv as *const ());
            let end: Callback = core::mem::transmute(wire::disconnected as *const ());
            sys::libssh2_session_callback_set2(raw.as_ptr(), CALLBACK_SEND, Some(send));
            sys::libssh2_session_callback_set2(raw.as_ptr(), CALLBACK_RECV, Some(recv));
            sys::libssh2_session_callback_set2(raw.as_ptr(), CALLBACK_DISCONNECT, Some(end));
            sys::libssh2_session_set_read_timeout(raw.as_ptr(), PATIENCE);
            ffi::libssh2_session_set_blocking(raw.as_ptr(), 0);
        }
        Some(Self {
            raw,
            wire,
            channels: Vec::new(),
            dialogue: None,
        })
    }

    /// Takes buffers for what is sent from there.
    pub(super) fn use_pool(&mut self, pool: &Pool) {
        self.wire().use_pool(pool);
    }

    /// Lets libssh2 use so much memory, in bytes.
    pub(super) fn allow_memory(&mut self, most: usize) {
        self.wire().allow_memory(most);
    }

    /// What is to be read.
    pub(super) fn input(&mut self) -> &mut Pipe {
        &mut self.wire().input
    }

    /// How many bytes of the input libssh2 has not asked for.
    pub(super) fn waiting(&self) -> usize {
        // SAFETY: it lives as long as the session, and nothing changes it while the reference is alive.
        unsafe { self.wire.as_ref() }.input.len()
    }

    /// Nothing comes after what is in the input.
    pub(super) fn end_input(&mut self) {
        self.wire().ended = true;
    }

    /// Sends nothing any more.
    pub(super) fn mute(&mut self) {
        self.wire().mute = true;
    }

    /// What is to be sent.
    pub(super) fn output(&mut self) -> &mut Pipe {
        &mut self.wire().output
    }

    /// What the peer said when it disconnected: its reason's number, and text.
    pub(super) fn disconnect_of_peer(&mut self) -> Option<(u32, String)> {
        self.wire().disconnect.clone()
    }

    /// Bytes of memory that libssh2 has for this session.
    pub(super) fn memory(&mut self) -> usize {
        self.wire().memory()
    }

    /// Sets what is offered, the best first, separated by commas.
    pub(super) fn prefer(&mut self, method: Method, names: &str) -> Result<(), Failure> {
        let Ok(names) = CString::new(names) else {
            return Err(Failure {
                code: ffi::LIBSSH2_ERROR_INVAL,
                text: "a name has a zero byte".to_owned(),
            });
        };
        // SAFETY: the session is alive; the string ends with zero and is copied.
        let rc = unsafe {
            ffi::libssh2_session_method_pref(self.raw(), method as c_int, names.as_ptr())
        };
        match rc {
            0 => Ok(()),
            _ => Err(self.failure(rc)),
        }
    }

    /// What this build of libssh2 can do.
    pub(super) fn supported(&mut self, method: Method) -> Vec<String> {
        let mut names: *mut *const c_char = ptr::null_mut();
        // SAFETY: the session is alive, and `names` takes the list's address.
        let n = unsafe {
            ffi::libssh2_session_supported_algs(self.raw(), method as c_int, &raw mut names)
        };
        let Ok(n) = usize::try_from(n) else {
            return Vec::new();
        };
        // SAFETY: libssh2 made a list of `n` strings that end with zero; the list is ours to free.
        unsafe {
            let found = (0..n).map(|at| text(*names.add(at))).collect();
            ffi::libssh2_free(self.raw(), names.cast());
            found
        }
    }

    /// What was agreed on.
    pub(super) fn agreed(&mut self, method: Method) -> Option<String> {
        // SAFETY: the session is alive; the answer is null or a string of libssh2's.
        unsafe {
            let name = ffi::libssh2_session_methods(self.raw(), method as c_int);
            (!name.is_null()).then(|| text(name))
        }
    }

    /// Whether compression is offered.
    pub(super) fn compress(&mut self, yes: bool) {
        // SAFETY: the session is alive.
        unsafe {
            ffi::libssh2_session_flag(self.raw(), ffi::LIBSSH2_FLAG_COMPRESS, c_int::from(yes));
        }
    }

    /// Versions and keys are exchanged.
    pub(super) fn handshake(&mut self) -> Step<()> {
        // SAFETY: the session is alive, and its callbacks stand for the socket.
        let rc = unsafe { ffi::libssh2_session_handshake(self.raw(), NO_SOCKET) };
        self.step(rc).map_ok(drop)
    }

    /// The server's key, as it is on the wire.
    pub(super) fn host_key(&mut self) -> Vec<u8> {
        let (mut len, mut kind) = (0, 0);
        // SAFETY: the session is alive; the answer is null or `len` bytes of libssh2's.
        unsafe {
            let key = ffi::libssh2_session_hostkey(self.raw(), &raw mut len, &raw mut kind);
            match key.is_null() {
                true => Vec::new(),
                false => core::slice::from_raw_parts(key.cast::<u8>(), len).to_vec(),
            }
        }
    }

    /// Asks for a sign of life; its answer is of no interest but that it comes.
    /// libssh2 leaves it out within two seconds of the one before, by a clock of its own.
    pub(super) fn keep_alive(&mut self) -> Result<(), Failure> {
        // SAFETY: the session is alive.
        let rc = unsafe {
            ffi::libssh2_keepalive_config(self.raw(), 1, 1);
            ffi::libssh2_keepalive_send(self.raw(), ptr::null_mut())
        };
        match rc {
            0 => Ok(()),
            _ => Err(self.failure(rc)),
        }
    }

    /// Tells the peer that this is the end. Nothing else may be asked of the session after it.
    pub(super) fn disconnect(&mut self, reason: i32, text: &str) {
        if self.dialogue.is_some() {
            // A call is under way, and nothing may be sent before its answer.
            return;
        }
        let text = CString::new(text).unwrap_or_default();
        // SAFETY: the session is alive; the strings end with zero.
        unsafe {
            ffi::libssh2_session_disconnect_ex(self.raw(), reason, text.as_ptr(), c"".as_ptr());
        }
    }

    fn raw(&self) -> *mut LIBSSH2_SESSION {
        self.raw.as_ptr()
    }

    fn wire(&mut self) -> &mut Wire {
        // SAFETY: it lives as long as the session, and libssh2, whose callbacks use it too, does
        // not run while the reference is alive.
        unsafe { self.wire.as_mut() }
    }

    fn step(&mut self, rc: c_int) -> Step<usize> {
        match usize::try_from(rc) {
            Ok(n) => Poll::Ready(Ok(n)),
            Err(_) if rc == ffi::LIBSSH2_ERROR_EAGAIN => Poll::Pending,
            Err(_) => Poll::Ready(Err(self.failure(rc))),
        }
    }

    fn failure(&mut self, code: c_int) -> Failure {
        let mut message: *mut c_char = ptr::null_mut();
        // SAFETY: the session is alive; the message is null or a string of libssh2's, copied before
        // anything else is asked of it.
        let text = unsafe {
            ffi::libssh2_session_last_error(self.raw(), &raw mut message, ptr::null_mut(), 0);
            match message.is_null() {
                true => String::new(),
                false => text(message),
            }
        };
        Failure { code, text }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let wire = self.wire();
        wire.input.clear();
        wire.ended = true;
        wire.mute = true;
        self.end_dialogue();
        // With no more input to come, nothing can be waited for; so this is done at once.
        // SAFETY: nobody uses the session after this. If libssh2 does not let go of it, it is leaked,
        // and the wire, which it may still point to, with it.
        let freed = (0..FREE_TRIES).any(|_| unsafe { ffi::libssh2_session_free(self.raw()) } == 0);
        if freed {
            // SAFETY: it came from a box, and the session that had its address is gone.
            drop(unsafe { Box::from_raw(self.wire.as_ptr()) });
        }
    }
}

/// A string of libssh2's.
///
/// # Safety
/// `raw` ends with a zero byte.
unsafe fn text(raw: *const c_char) -> String {
    // SAFETY: as above.
    unsafe { CStr::from_ptr(raw) }
        .to_string_lossy()
        .into_owned()
}
