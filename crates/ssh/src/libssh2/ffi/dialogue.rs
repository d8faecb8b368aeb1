//! Keyboard-interactive (RFC 4256).
//!
//! libssh2 asks for the answers in a callback, and sends what it returns. A person takes a while, and
//! nothing here waits. So the whole call runs on a stack of its own, and the callback leaves that stack
//! with the prompts; the next turn enters it again with the answers. It is the caller's thread
//! throughout, and the stack exists while a dialogue runs, no longer.

use core::ffi::{c_char, c_int, c_void};
use core::{ptr, slice};
use std::io;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use libssh2_sys::{
    self as ffi, LIBSSH2_SESSION, LIBSSH2_USERAUTH_KBDINT_PROMPT, LIBSSH2_USERAUTH_KBDINT_RESPONSE,
};
use sockless_core::{Prompt, Prompts};
use zeroize::Zeroizing;

use super::{Failure, Session, wire};

/// Bytes of stack. A key exchange may happen in the middle, with a crypto library's frames.
const STACK: usize = 256 * 1024;

/// What the callback comes back with; none where there are no answers and never will be.
type Answers = Option<Vec<Zeroizing<String>>>;

/// Why the stack was left.
enum Left {
    /// More is needed from the peer.
    Waits,
    /// Somebody has to answer.
    Asks(Prompts),
}

/// A stack with a call of libssh2's on it.
pub(super) struct Dialogue(Coroutine<Answers, Left, c_int>);

/// How far a dialogue has come.
#[derive(Debug)]
pub(in super::super) enum Turn {
    /// It needs more from the peer.
    Waits,
    /// It needs answers: to be called again with them.
    Asks(Prompts),
    /// It has ended.
    Ended(Result<(), Failure>),
}

/// The session, on its way into the stack.
struct Raw(*mut LIBSSH2_SESSION);

impl Session {
    /// Begins a dialogue, or goes on with it, with the answers that it asked for.
    pub(in super::super) fn interact(&mut self, user: &str, answers: Answers) -> Turn {
        if self.dialogue.is_none() {
            match self.begin(user) {
                Ok(dialogue) => self.dialogue = Some(dialogue),
                Err(error) => {
                    return Turn::Ended(Err(Failure {
                        code: ffi::LIBSSH2_ERROR_ALLOC,
                        text: format!("no stack for keyboard-interactive: {error}"),
                    }));
                }
            }
        }
        let Some(Dialogue(coroutine)) = &mut self.dialogue else {
            return Turn::Waits;
        };
        match coroutine.resume(answers) {
            CoroutineResult::Yield(Left::Waits) => Turn::Waits,
            CoroutineResult::Yield(Left::Asks(prompts)) => Turn::Asks(prompts),
            CoroutineResult::Return(rc) => {
                self.dialogue = None;
                Turn::Ended(match rc {
                    0 => Ok(()),
                    _ => Err(self.failure(rc)),
                })
            }
        }
    }

    /// Lets a dialogue that nobody will answer come to its end. Its session is of no use after that.
    pub(super) fn end_dialogue(&mut self) {
        let Some(Dialogue(mut coroutine)) = self.dialogue.take() else {
            return;
        };
        let wire = self.wire();
        wire.ended = true;
        wire.mute = true;
        wire.input.clear();
        // The callback returns without answers, they are not sent, and nothing more can be read.
        while let CoroutineResult::Yield(_) = coroutine.resume(None) {}
    }

    fn begin(&self, user: &str) -> io::Result<Dialogue> {
        let stack = DefaultStack::new(STACK)?;
        let (raw, user) = (Raw(self.raw()), user.to_owned());
        let talk = move |yielder: &Yielder<Answers, Left>, _: Answers| {
            let raw = raw.0;
            loop {
                // SAFETY: the session outlives its dialogue, which `drop` brings to an end. The
                // yielder's address is used by the callback only, within this call.
                let rc = unsafe {
                    let context = ffi::libssh2_session_abstract(raw);
                    wire::of(context).yielder = ptr::from_ref(yielder).cast();
                    ffi::libssh2_userauth_keyboard_interactive_ex(
                        raw,
                        user.as_ptr().cast(),
                        super::login::len(&user),
                        Some(ask),
                    )
                };
                if rc != ffi::LIBSSH2_ERROR_EAGAIN {
                    return rc;
                }
                yielder.suspend(Left::Waits);
            }
        };
        Ok(Dialogue(Coroutine::with_stack(stack, talk)))
    }
}

extern "C" fn ask(
    name: *const c_char,
    name_len: c_int,
    instruction: *const c_char,
    instruction_len: c_int,
    count: c_int,
    prompts: *const LIBSSH2_USERAUTH_KBDINT_PROMPT,
    responses: *mut LIBSSH2_USERAUTH_KBDINT_RESPONSE,
    context: *mut *mut c_void,
) {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: libssh2 gives texts with their lengths, and as many prompts as it says.
    let asked = unsafe {
        Prompts {
            user: String::new(),
            name: lossy(name.cast(), usize::try_from(name_len).unwrap_or(0)),
            instruction: lossy(
                instruction.cast(),
                usize::try_from(instruction_len).unwrap_or(0),
            ),
            prompts: list(prompts, count)
                .iter()
                .map(|prompt| Prompt {
                    text: lossy(prompt.text, prompt.length),
                    echo: prompt.echo != 0,
                })
                .collect(),
        }
    };
    // SAFETY: `begin` put the address there, of the yielder of the stack that this runs on. The
    // reference to the wire ends before the stack is left.
    let yielder = unsafe { &*wire::of(context).yielder.cast::<Yielder<Answers, Left>>() };
    let answers = yielder.suspend(Left::Asks(asked)).unwrap_or_default();
    for (at, answer) in answers.iter().take(count).enumerate() {
        let memory = wire::allocate(answer.len(), context);
        if memory.is_null() {
            return;
        }
        // SAFETY: there are `count` responses, all empty; the memory is as long as the answer, and
        // libssh2 frees it.
        unsafe {
            ptr::copy_nonoverlapping(answer.as_ptr(), memory.cast(), answer.len());
            let response = &mut *responses.add(at);
            response.text = memory.cast();
            response.length = super::login::len(answer);
        }
    }
}

/// # Safety
/// `text` is null or `len` bytes.
unsafe fn lossy(text: *const u8, len: usize) -> String {
    // SAFETY: as above.
    String::from_utf8_lossy(unsafe { list(text, len) }).into_owned()
}

/// # Safety
/// `first` is null or the first of `len`, which stay for as long as the answer is used.
unsafe fn list<'a, T>(first: *const T, len: usize) -> &'a [T] {
    match first.is_null() {
        true => &[],
        // SAFETY: as above.
        false => unsafe { slice::from_raw_parts(first, len) },
    }
}
