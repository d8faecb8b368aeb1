//! A protocol small enough to script: `G`, answer length, body length (both four bytes,
//! big endian), body; the answer is `H` and that many bytes of a known pattern.

use std::time::Instant;

use sockless_core::{Cx, Event, Exchange, Fault, Fields, Head, Reason, Top, Turn};

pub(crate) struct Toy {
    pub(crate) answer: usize,
    pub(crate) body: usize,
    pub(crate) reusable: bool,
    /// The answer is not the end before the body is sent.
    pub(crate) insists: bool,
    /// A deadline that it never moves: the engine must not run in circles for it.
    pub(crate) deadline: Option<Instant>,
    wrote: bool,
    body_sent: usize,
    head: bool,
    got: usize,
}

/// The toy request on the wire, without its body.
pub(crate) fn request(answer: usize, body: usize) -> Vec<u8> {
    let mut wire = vec![b'G'];
    wire.extend_from_slice(&(answer as u32).to_be_bytes());
    wire.extend_from_slice(&(body as u32).to_be_bytes());
    wire
}

/// The answer on the wire.
pub(crate) fn answer(n: usize) -> Vec<u8> {
    core::iter::once(b'H').chain(pattern(0, n)).collect()
}

/// Body bytes `from..to`.
pub(crate) fn pattern(from: usize, to: usize) -> Vec<u8> {
    (from..to).map(|at| (at % 251) as u8).collect()
}

impl Toy {
    pub(crate) fn get(answer: usize) -> Self {
        Self {
            answer,
            body: 0,
            reusable: true,
            insists: false,
            deadline: None,
            wrote: false,
            body_sent: 0,
            head: false,
            got: 0,
        }
    }

    pub(crate) fn put(body: usize) -> Self {
        Self {
            body,
            ..Self::get(5)
        }
    }

    fn ask(&mut self, io: &mut Top<'_>, cx: &Cx<'_>) -> Result<(), Fault> {
        if !self.wrote {
            let wire = request(self.answer, self.body);
            io.to_peer.write(&wire, |n| cx.buf(n));
            self.wrote = true;
        }
        while self.body_sent < self.body && io.to_peer.room() > 0 {
            match io.body.pipe.pop_max(io.to_peer.room()) {
                Some(piece) => {
                    self.body_sent += piece.len();
                    io.to_peer.push(piece);
                }
                None if io.body.pipe.at_end() => {
                    return Err(Fault::misbehaved(Reason::Upload, "the body ended early"));
                }
                None => {
                    io.body.want();
                    break;
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, io: &mut Top<'_>) -> Result<(), Fault> {
        if !self.head
            && let Some(first) = io.from_peer.front().map(|piece| piece[0])
        {
            if first != b'H' {
                return Err(Fault::misbehaved(Reason::WrongProtocol, "no H"));
            }
            io.from_peer.consume(1);
            self.head = true;
            io.events.emit(Event::Head(Head {
                code: 200,
                version: "toy",
                reason: 0..0,
                fields: Fields::new(sockless_core::Buf::with_capacity(0), Vec::new()),
                body_length: Some(self.answer as u64),
            }));
        }
        while self.head && self.got < self.answer && io.events.room() > 0 {
            let most = io.events.room().min(self.answer - self.got);
            let Some(piece) = io.from_peer.pop_max(most) else {
                break;
            };
            self.got += piece.len();
            io.events.data(piece);
        }
        Ok(())
    }
}

impl Exchange for Toy {
    fn layer(&self) -> &'static str {
        "toy"
    }

    fn pump(&mut self, mut io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        self.ask(&mut io, cx)?;
        self.hear(&mut io)?;
        if self.head && self.got == self.answer {
            let sent = self.body_sent == self.body && io.to_peer.is_empty();
            if self.insists && !sent {
                return Ok(Turn::Blocked);
            }
            let reusable = self.reusable && self.body_sent == self.body;
            return Ok(Turn::Finished { reusable });
        }
        match io.from_peer.at_end() {
            true if self.head => Err(Fault::misbehaved(Reason::PartialBody, "cut short")),
            true => Err(Fault::misbehaved(Reason::EmptyReply, "nothing came")),
            false => Ok(Turn::Blocked),
        }
    }

    fn restart(&mut self, _reused: bool) -> bool {
        self.wrote = false;
        !self.head && self.body_sent == 0
    }

    fn expects(&self) -> u64 {
        if self.head {
            (self.answer - self.got) as u64
        } else {
            0
        }
    }

    fn only_sends(&self) -> bool {
        self.insists && self.head && self.got == self.answer
    }

    fn awaits_answer(&self) -> bool {
        self.wrote && !self.head && self.body_sent == self.body
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}
