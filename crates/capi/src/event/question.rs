//! Questions of layers, and their answers.

use core::ffi::{c_char, c_void};

use sockless::{Answer, Ask, Prompts, QuestionId, TransferId};
use zeroize::Zeroizing;

use crate::Status;
use crate::engine::{Engine, enter};
use crate::inner::{Inner, Refusal};
use crate::text::Text;
use crate::{convert, input};

/// What a layer wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum QuestionKind {
    /// Whether `key` is the peer's: `sockless_question_confirm`.
    PeerKey = 1,
    /// What a person would type, a line for each of `prompts`: `sockless_question_answer`. Without any
    /// prompt, the texts are only to be shown, and the answer is none.
    Prompts = 2,
}

/// A question of a layer's. Its texts come from the peer: escape them before they are shown. What does not
/// belong to `kind` is empty.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Question {
    /// The handle to answer it with; void after that, and when the transfer ends.
    pub id: u64,
    /// What it is about (`sockless_question_kind`).
    pub kind: u32,
    /// Peer key: its port.
    pub port: u32,
    /// Peer key: the host, as it was asked for.
    pub host: Text,
    /// Peer key: the key's algorithm, e.g. `ssh-ed25519`.
    pub algorithm: Text,
    /// Peer key: the key as the protocol has it on the wire.
    pub key: Text,
    /// Peer key: its SHA-256 fingerprint, `SHA256:...`.
    pub sha256: Text,
    /// Peer key: its MD5 fingerprint, in hexadecimal with colons.
    pub md5: Text,
    /// Prompts: who is asked, the user at the peer.
    pub user: Text,
    /// Prompts: a heading.
    pub name: Text,
    /// Prompts: what to do.
    pub instruction: Text,
    /// Prompts: what stands in front of each line that is to be typed.
    pub prompts: *const Prompt,
    /// How many there are.
    pub prompt_count: usize,
}

/// One line that is to be typed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Prompt {
    /// The text in front.
    pub text: Text,
    /// 1: what is typed may be seen.
    pub echo: u64,
}

/// A question as it is shown, and what it points to.
#[derive(Default)]
pub(super) struct Shown {
    question: Option<Box<Question>>,
    prompts: Vec<Prompt>,
}

impl Shown {
    /// Shows what lives in `ask`; `None`: C cannot answer it.
    pub(super) fn show(&mut self, id: u64, ask: &Ask) -> Option<*const Question> {
        let mut shown = Question {
            id,
            kind: 0,
            port: 0,
            host: Text::NONE,
            algorithm: Text::NONE,
            key: Text::NONE,
            sha256: Text::NONE,
            md5: Text::NONE,
            user: Text::NONE,
            name: Text::NONE,
            instruction: Text::NONE,
            prompts: core::ptr::null(),
            prompt_count: 0,
        };
        match ask {
            Ask::PeerKey(peer) => {
                (shown.kind, shown.port) = (QuestionKind::PeerKey as u32, peer.port.into());
                shown.host = Text::of(peer.host.as_bytes());
                shown.algorithm = Text::of(peer.algorithm.as_bytes());
                shown.key = Text::of(&peer.key);
                shown.sha256 = Text::of(peer.sha256.as_bytes());
                shown.md5 = Text::of(peer.md5.as_bytes());
            }
            Ask::Prompts(wanted) => {
                shown.kind = QuestionKind::Prompts as u32;
                self.show_prompts(&mut shown, wanted);
            }
            _ => return None,
        }
        Some(&raw const **self.question.insert(Box::new(shown)))
    }

    fn show_prompts(&mut self, shown: &mut Question, wanted: &Prompts) {
        shown.user = Text::of(wanted.user.as_bytes());
        shown.name = Text::of(wanted.name.as_bytes());
        shown.instruction = Text::of(wanted.instruction.as_bytes());
        let prompts = wanted.prompts.iter().map(|prompt| Prompt {
            text: Text::of(prompt.text.as_bytes()),
            echo: u64::from(prompt.echo),
        });
        self.prompts = prompts.collect();
        (shown.prompts, shown.prompt_count) = (self.prompts.as_ptr(), self.prompts.len());
    }

    pub(super) fn clear(&mut self) {
        self.question = None;
        self.prompts.clear();
    }
}

/// A question that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    transfer: TransferId,
    question: QuestionId,
    wants: Wants,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Consent,
    Lines(usize),
}

impl Open {
    /// `None`: C cannot answer it.
    pub(crate) fn of(transfer: TransferId, question: &sockless::Question) -> Option<Self> {
        Some(Self {
            transfer,
            question: question.id,
            wants: match &question.ask {
                Ask::PeerKey(_) => Wants::Consent,
                Ask::Prompts(prompts) => Wants::Lines(prompts.prompts.len()),
                _ => return None,
            },
        })
    }
}

/// Says whether a key is the peer's (`yes` 1), or that nobody believes so (0). The thread that uses the
/// engine.
///
/// `SOCKLESS_STATUS_ORDER`: the question wants lines. `SOCKLESS_STATUS_REFUSED`: nobody waits for
/// the answer any more.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_question_confirm(
    engine: *mut Engine,
    question: u64,
    yes: u32,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let open = *inner.questions.find(question)?;
            let yes = convert::flag(u64::from(yes))?;
            if open.wants != Wants::Consent {
                return Err(Refusal::Order("the question wants lines, not a yes"));
            }
            answer(inner, question, if yes { Answer::Yes } else { Answer::No })
        })
    }
}

/// Gives a line for each prompt; they are copied, and wiped after use. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: the question wants a yes or no. `SOCKLESS_STATUS_RANGE`: the number of lines is not
/// that of the prompts. `SOCKLESS_STATUS_REFUSED`: nobody waits for the answer any more.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `lines` is NULL, or `count` texts can be read there
/// and what each of them points to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_question_answer(
    engine: *mut Engine,
    question: u64,
    lines: *const Text,
    count: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let open = *inner.questions.find(question)?;
            let Wants::Lines(wanted) = open.wants else {
                return Err(Refusal::Order("the question wants a yes or no, not lines"));
            };
            if count != wanted {
                return Err(Status::Range.into());
            }
            if count > 0 && (lines.is_null() || !lines.is_aligned()) {
                return Err(Status::Null.into());
            }
            let mut texts = Vec::with_capacity(count);
            for at in 0..count {
                let Text { data, length } = lines.add(at).read();
                let line = input::text(data.cast::<c_void>(), length)?;
                texts.push(Zeroizing::new(line.to_owned()));
            }
            answer(inner, question, Answer::Texts(texts))
        })
    }
}

/// Says that there is no answer, and why; the layer tries something else, or fails. The thread that uses the
/// engine.
///
/// `SOCKLESS_STATUS_REFUSED`: nobody waits for the answer any more.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `why` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_question_decline(
    engine: *mut Engine,
    question: u64,
    why: *const c_char,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let why = input::text(why.cast::<c_void>(), length)?.to_owned();
            inner.questions.find(question)?;
            answer(inner, question, Answer::None(why))
        })
    }
}

fn answer(inner: &mut Inner, handle: u64, answer: Answer) -> Result<(), Refusal> {
    let open = inner.questions.take(handle)?;
    inner.transfers.answered(open.transfer, handle);
    Ok(inner
        .session()?
        .answer(open.transfer, open.question, answer)?)
}

#[cfg(test)]
mod tests {
    use sockless::{PeerKey, Prompt as Wanted};

    use super::*;
    use crate::engine::{sockless_engine_close, sockless_engine_open};
    use crate::request::{sockless_request_new, sockless_request_set_text, sockless_request_start};
    use crate::transfer::sockless_transfer_cancel;

    /// An engine with a transfer, which layers ask.
    struct Asker {
        engine: Box<Engine>,
        transfer: u64,
    }

    impl Asker {
        fn new() -> Self {
            let mut engine = Box::new(Engine { opaque: [0; 8] });
            let at = &raw mut *engine;
            let (mut request, mut transfer, url) = (0, 0, "http://127.0.0.1:9/");
            // SAFETY: storage and texts of this function's.
            unsafe {
                assert_eq!(sockless_engine_open(at, 0, 0, 1), 0);
                assert_eq!(sockless_request_new(at, &raw mut request), 0);
                let text = (url.as_ptr().cast(), url.len());
                assert_eq!(sockless_request_set_text(at, request, 1, text.0, text.1), 0);
                let user = core::ptr::null_mut();
                let started = sockless_request_start(at, 0, request, user, &raw mut transfer);
                assert_eq!(started, 0);
            }
            Self { engine, transfer }
        }

        fn at(&mut self) -> *mut Engine {
            &raw mut *self.engine
        }

        fn ask(&mut self, ask: Ask) -> u64 {
            let (transfer, mut handle) = (self.transfer, 0);
            let question = sockless::Question {
                id: QuestionId::from_u64(7),
                layer: "ssh",
                ask,
            };
            // SAFETY: storage of this value's.
            let status = unsafe {
                enter(self.at(), |inner| {
                    let id = inner.transfers.table.find(transfer)?.id;
                    handle = inner.asked(id, &question).unwrap_or_default();
                    let event = inner.current.show(sockless::Event::Asked(question), handle);
                    assert_eq!(event.is_some(), handle != 0);
                    if let Some(event) = event {
                        assert_eq!((*event.asked).id, handle);
                    }
                    Ok(())
                })
            };
            assert_eq!(status, 0);
            handle
        }
    }

    impl Drop for Asker {
        fn drop(&mut self) {
            // SAFETY: storage of this value's.
            unsafe { sockless_engine_close(self.at()) };
        }
    }

    fn key() -> Ask {
        let prints = ["SHA256:x".to_owned(), "00".to_owned()];
        Ask::PeerKey(Box::new(PeerKey::new(
            ("host".into(), 22),
            "ssh-ed25519",
            vec![1, 2],
            prints,
        )))
    }

    fn prompts(count: usize) -> Ask {
        let prompt = Wanted {
            text: "Password: ".to_owned(),
            echo: false,
        };
        Ask::Prompts(Box::new(Prompts {
            prompts: vec![prompt; count],
            ..Prompts::default()
        }))
    }

    #[test]
    fn each_question_takes_its_own_answer_once() {
        let mut asker = Asker::new();
        let (yes, lines) = (asker.ask(key()), asker.ask(prompts(2)));
        let line = Text::of(b"x");
        let both = [line, line];
        let at = asker.at();
        // SAFETY: storage of the asker's, texts of this function's.
        unsafe {
            let answer =
                |question, count| sockless_question_answer(at, question, both.as_ptr(), count);
            assert_eq!(answer(yes, 1), Status::Order as i32);
            assert_eq!(
                sockless_question_confirm(at, lines, 1),
                Status::Order as i32
            );
            assert_eq!(sockless_question_confirm(at, yes, 2), Status::Range as i32);
            assert_eq!(answer(lines, 1), Status::Range as i32);
            let none = sockless_question_answer(at, lines, core::ptr::null(), 2);
            assert_eq!(none, Status::Null as i32);
            // No layer has asked really: nobody waits, and the questions are used up all the same.
            assert_eq!(
                sockless_question_confirm(at, yes, 1),
                Status::Refused as i32
            );
            assert_eq!(sockless_question_confirm(at, yes, 1), Status::Stale as i32);
            assert_eq!(answer(lines, 2), Status::Refused as i32);
            let again = sockless_question_decline(at, lines, core::ptr::null(), 0);
            assert_eq!(again, Status::Stale as i32);
        }
    }

    #[test]
    fn what_a_program_cannot_answer_is_not_asked() {
        let mut asker = Asker::new();
        let relay = Ask::Relay {
            to: sockless::Endpoint::Unix("agent".into()),
            request: Zeroizing::default(),
        };
        assert_eq!(asker.ask(relay), 0);
    }

    #[test]
    fn the_questions_of_a_transfer_end_with_it() {
        let mut asker = Asker::new();
        let question = asker.ask(prompts(0));
        let (at, transfer) = (asker.at(), asker.transfer);
        // SAFETY: storage of the asker's; a zeroed output is one.
        unsafe {
            assert_eq!(sockless_transfer_cancel(at, transfer), 0);
            let mut output: crate::poll::Output = core::mem::zeroed();
            while output.kind != crate::poll::OutputKind::Wait as u32 {
                assert_eq!(crate::poll::sockless_engine_poll(at, 1, &raw mut output), 0);
            }
            let late = sockless_question_answer(at, question, core::ptr::null(), 0);
            assert_eq!(late, Status::Stale as i32);
        }
    }
}
