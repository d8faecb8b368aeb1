//! A security context by script, and a SOCKS5 proxy that has its other end.
//!
//! A wrapped message is a byte that says whether it is confidential, a counter, a check sum
//! (four bytes each), and the payload, xored if it is confidential.

use sockless_core::conformance::Peer;
use sockless_core::{Culprit, Cx, Fault, Reason, SecurityContext, Step};

use crate::wire::GRANTED;

const OVERHEAD: usize = 9;

/// What a context does; both sides are given the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Script {
    /// Tokens that we send before the context is established.
    pub(crate) rounds: u32,
    /// Another one follows when it is.
    pub(crate) last: bool,
    /// The length of each of our tokens.
    pub(crate) token: usize,
    /// What is said to be confidential is not.
    pub(crate) leaks: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            rounds: 2,
            last: false,
            token: 7,
            leaks: false,
        }
    }
}

/// One end of the context.
pub(crate) struct Seal {
    script: Script,
    step: u32,
    wrapped: u32,
    unwrapped: u32,
}

impl Seal {
    pub(crate) fn new(script: Script) -> Self {
        Self {
            script,
            step: 0,
            wrapped: 0,
            unwrapped: 0,
        }
    }

    /// Our side's token of that number, and the proxy's answer to it.
    pub(crate) fn token(&self, number: u32) -> Vec<u8> {
        vec![b'a' + number as u8; self.script.token]
    }

    pub(crate) fn answer(number: u32) -> Vec<u8> {
        format!("answer {number}").into_bytes()
    }

    pub(crate) fn sealed(&mut self, plain: &[u8], confidential: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let confidential = confidential && !self.script.leaks;
        out.push(u8::from(confidential));
        out.extend_from_slice(&self.wrapped.to_be_bytes());
        out.extend_from_slice(&sum(self.wrapped, plain).to_be_bytes());
        let key = if confidential { 0x5a } else { 0 };
        out.extend(plain.iter().map(|byte| byte ^ key));
        self.wrapped += 1;
        out
    }
}

fn sum(counter: u32, plain: &[u8]) -> u32 {
    let mix = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    plain.iter().fold(0x811c_9dc5 ^ counter, mix)
}

impl SecurityContext for Seal {
    fn mechanism(&self) -> &'static str {
        "Seal"
    }

    fn step(&mut self, from_peer: Option<&[u8]>, _: &mut Cx<'_>) -> Result<Step, Fault> {
        let number = self.step;
        self.step += 1;
        let expected = number.checked_sub(1).map(Self::answer);
        if from_peer != expected.as_deref() {
            let what = "this is not the service";
            return Err(Fault::misbehaved(Reason::Authentication, what).remedy("call it"));
        }
        Ok(match number {
            number if number < self.script.rounds => Step::Continue(self.token(number)),
            number => Step::Done(self.script.last.then(|| self.token(number))),
        })
    }

    fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) -> Result<(), Fault> {
        out.extend(self.sealed(plain, confidential));
        Ok(())
    }

    fn unwrap(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault> {
        let bad = || Fault::new(Culprit::PeerMisbehaved, Reason::Malformed, "a broken seal");
        let (head, payload) = sealed.split_at_checked(OVERHEAD).ok_or_else(bad)?;
        let key = match head[0] {
            0 => 0,
            1 => 0x5a,
            _ => return Err(bad()),
        };
        let plain: Vec<u8> = payload.iter().map(|byte| byte ^ key).collect();
        let counter = self.unwrapped;
        self.unwrapped += 1;
        let expected = [counter.to_be_bytes(), sum(counter, &plain).to_be_bytes()].concat();
        if head[1..] != expected {
            return Err(bad());
        }
        out.extend(plain);
        Ok(head[0] == 1)
    }

    fn wrap_limit(&self, sealed: usize, _confidential: bool) -> usize {
        sealed - OVERHEAD
    }
}

/// A message of RFC 1961.
pub(crate) fn frame(kind: u8, token: &[u8]) -> Vec<u8> {
    let mut wire = vec![1, kind];
    wire.extend_from_slice(&(token.len() as u16).to_be_bytes());
    wire.extend_from_slice(token);
    wire
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Tokens(u32),
    Level,
    Request,
    Through,
}

/// The proxy, with the destination behind it.
pub(crate) struct Proxy {
    script: Script,
    pub(crate) seal: Seal,
    stage: Stage,
    /// What the filter has to ask for.
    level: u8,
    heard: Vec<u8>,
    says: Vec<u8>,
    waiting: Vec<u8>,
    opened: Vec<u8>,
}

impl Proxy {
    pub(crate) fn new(script: Script, level: u8) -> Self {
        Self {
            script,
            seal: Seal::new(script),
            stage: Stage::Greeting,
            level,
            heard: Vec::new(),
            says: Vec::new(),
            waiting: Vec::new(),
            opened: Vec::new(),
        }
    }

    pub(crate) fn wrapped(&mut self, plain: &[u8]) -> Vec<u8> {
        let token = self.seal.sealed(plain, self.level == 2);
        frame(3, &token)
    }

    fn take(&mut self, kind: u8) -> Option<Vec<u8>> {
        let length = 4 + usize::from(u16::from_be_bytes([
            *self.heard.get(2)?,
            *self.heard.get(3)?,
        ]));
        if self.heard.len() < length {
            return None;
        }
        assert_eq!(self.heard[..2], [1, kind]);
        let frame: Vec<u8> = self.heard.drain(..length).collect();
        Some(frame[4..].to_vec())
    }

    fn unwrap(&mut self, kind: u8, confidential: bool) -> Option<Vec<u8>> {
        let token = self.take(kind)?;
        let mut plain = Vec::new();
        let was = self.seal.unwrap(&token, &mut plain).expect("sound");
        assert_eq!(was, confidential);
        Some(plain)
    }

    /// Goes one stage on; `None` without enough bytes.
    fn step(&mut self) -> Option<Stage> {
        match self.stage {
            Stage::Greeting => {
                let methods = 2 + usize::from(*self.heard.get(1)?);
                if self.heard.len() < methods {
                    return None;
                }
                let greeting: Vec<u8> = self.heard.drain(..methods).collect();
                assert_eq!(greeting, [5, 1, 1], "nothing that protects less");
                self.says.extend([5, 1]);
                Some(Stage::Tokens(0))
            }
            Stage::Tokens(number) if number == self.script.rounds && !self.script.last => {
                Some(Stage::Level)
            }
            Stage::Tokens(number) => {
                let token = self.take(1)?;
                assert_eq!(token, self.seal.token(number));
                if number == self.script.rounds {
                    return Some(Stage::Level);
                }
                self.says.extend(frame(1, &Seal::answer(number)));
                Some(Stage::Tokens(number + 1))
            }
            Stage::Level => {
                let level = self.unwrap(2, false)?;
                assert_eq!(level, [self.level]);
                let token = self.seal.sealed(&level, false);
                self.says.extend(frame(2, &token));
                Some(Stage::Request)
            }
            Stage::Request => {
                let request = self.unwrap(3, self.level == 2)?;
                assert_eq!(request, b"\x05\x01\0\x03\x0bexample.com\x01\xbb");
                let reply = self.wrapped(&GRANTED);
                self.says.extend(reply);
                Some(Stage::Through)
            }
            Stage::Through => {
                let plain = self.unwrap(3, self.level == 2)?;
                self.opened.extend(plain);
                Some(Stage::Through)
            }
        }
    }
}

impl Peer for Proxy {
    fn hear(&mut self, wire: &[u8]) {
        self.heard.extend_from_slice(wire);
        while let Some(stage) = self.step() {
            self.stage = stage;
        }
    }

    fn speak(&mut self) -> Vec<u8> {
        if self.stage == Stage::Through {
            let waiting = std::mem::take(&mut self.waiting);
            for part in waiting.chunks(1000) {
                let wrapped = self.wrapped(part);
                self.says.extend(wrapped);
            }
        }
        std::mem::take(&mut self.says)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.opened)
    }

    fn finish(&mut self) {}

    fn is_finished(&self) -> bool {
        false
    }
}
