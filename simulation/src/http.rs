//! A small HTTP/1.1 server as a peer: `GET /N` gives N bytes of the pattern, `PUT` says
//! what has come. How answers are framed, the seed decides.

use std::time::Instant;

use fastrand::Rng;
use sockless_sim::{Peer, Wire};

use crate::pattern::{self, Sum};

/// A chunk's size, in hexadecimal, and two line ends.
const CHUNK_FRAME: usize = 16;

/// What surely fits into one TLS record, with something behind it.
const ONE_RECORD: usize = 15_000;

/// Who decides what a request gets.
pub trait Gate {
    /// Looks at a request's `Authorization`.
    fn judge(&mut self, authorization: Option<&str>, now: Instant) -> Ruling;
}

/// What a request gets.
#[derive(Debug)]
pub struct Ruling {
    code: u16,
    fields: String,
    is_false: bool,
}

impl Ruling {
    /// An answer with that code and these fields, each with its line end.
    pub fn new(code: u16, fields: String) -> Self {
        Self {
            code,
            fields,
            is_false: false,
        }
    }

    /// The same from somebody who is not who he should be: wrong bytes, and a field that says so
    /// with `how`.
    #[must_use]
    pub fn by_liar(mut self, how: &str) -> Self {
        self.is_false = true;
        self.fields.push_str(&format!("{FALSE}: {how}\r\n"));
        self
    }
}

/// The field of answers that nobody must take for true.
pub const FALSE: &str = "X-False";

/// Where the bytes of such answers are in the pattern.
pub const ELSEWHERE: u64 = 1 << 40 | 12_345;

/// What comes with a refusal.
pub const DENIED: &[u8] = b"denied\n";

/// The server's end of one connection.
pub struct Server {
    rng: Rng,
    state: State,
    /// It will not take another request.
    last: bool,
    /// Always Content-Length, and connections are kept.
    plain: bool,
    babbles: bool,
    gate: Option<Box<dyn Gate>>,
    ruling: Ruling,
}

enum State {
    Head,
    /// A body comes in: how it ends, and what it was so far.
    Body(Framing, Sum),
    /// An answer goes out.
    Answer(Answer),
}

#[derive(Clone, Copy)]
enum Framing {
    Length(u64),
    /// Bytes left in the chunk; `None`: a size comes.
    Chunked(Option<u64>),
    Close,
}

struct Answer {
    framing: Framing,
    body: Vec<u8>,
    /// Pattern bytes after `body`, from where to where.
    pattern: (u64, u64),
}

impl Server {
    /// A server whose choices follow from `seed`; `plain`: it makes none, and keeps connections.
    pub fn new(seed: u64, plain: bool) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            state: State::Head,
            last: false,
            plain,
            babbles: false,
            gate: None,
            ruling: Ruling::new(200, String::new()),
        }
    }

    /// What requests get is decided there.
    #[must_use]
    pub fn behind(mut self, gate: Box<dyn Gate>) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Now and then it says something more behind an answer, in the same TLS record.
    #[must_use]
    pub fn babbling(mut self) -> Self {
        self.babbles = !self.plain;
        self
    }

    /// Takes a step; `false`: nothing can be done now.
    fn step(&mut self, wire: &mut Wire, now: Instant) -> bool {
        match core::mem::replace(&mut self.state, State::Head) {
            State::Head => self.head(wire, now),
            State::Body(framing, sum) => self.body(wire, framing, sum),
            State::Answer(answer) => self.answer(wire, answer),
        }
    }

    fn head(&mut self, wire: &mut Wire, now: Instant) -> bool {
        if self.last {
            wire.finish = true;
            return false;
        }
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        let n = match request.parse(&wire.input) {
            Ok(httparse::Status::Complete(n)) => n,
            Ok(httparse::Status::Partial) => return false,
            Err(_) => {
                wire.finish = true;
                wire.input.clear();
                return false;
            }
        };
        let field = |name: &str| {
            let found = request
                .headers
                .iter()
                .find(|field| field.name.eq_ignore_ascii_case(name));
            found.and_then(|field| core::str::from_utf8(field.value).ok())
        };
        let is_get = request.method == Some("GET");
        let size = request.path.and_then(|path| path[1..].parse().ok());
        let length = field("content-length").and_then(|value| value.parse().ok());
        let chunked = field("transfer-encoding").is_some();
        if let Some(gate) = &mut self.gate {
            self.ruling = gate.judge(field("authorization"), now);
        }
        if field("expect").is_some() && self.rng.bool() {
            wire.output
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        wire.input.drain(..n);
        self.state = if is_get {
            self.respond(wire, Vec::new(), size.unwrap_or(0))
        } else if chunked {
            State::Body(Framing::Chunked(None), Sum::default())
        } else {
            State::Body(Framing::Length(length.unwrap_or(0)), Sum::default())
        };
        true
    }

    /// Says something that nobody asked for right behind an answer. Whoever takes it for the
    /// answer to the next request has kept a connection that was not clean. In the clear it might
    /// come after that request, and nobody could tell.
    fn babble(&mut self, wire: &mut Wire) {
        let one_record = (1..ONE_RECORD).contains(&wire.output.len());
        if self.babbles && !self.last && one_record && self.rng.u8(0..6) == 0 {
            wire.output
                .extend_from_slice(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
        }
    }

    fn body(&mut self, wire: &mut Wire, framing: Framing, mut sum: Sum) -> bool {
        let framing = match framing {
            Framing::Length(0) => {
                let said = sum.to_string().into_bytes();
                self.state = self.respond(wire, said, 0);
                return true;
            }
            Framing::Length(left) => Framing::Length(left - take(wire, left, &mut sum)),
            Framing::Chunked(Some(0)) => {
                // The line end after a chunk.
                if wire.input.len() < 2 {
                    self.state = State::Body(framing, sum);
                    return false;
                }
                wire.input.drain(..2);
                Framing::Chunked(None)
            }
            Framing::Chunked(Some(left)) => {
                Framing::Chunked(Some(left - take(wire, left, &mut sum)))
            }
            Framing::Chunked(None) => match chunk_size(wire) {
                Some(0) => Framing::Length(0),
                Some(size) => Framing::Chunked(Some(size)),
                None => {
                    self.state = State::Body(framing, sum);
                    return false;
                }
            },
            Framing::Close => framing,
        };
        let stuck = wire.input.is_empty() && !matches!(framing, Framing::Length(0));
        self.state = State::Body(framing, sum);
        !stuck
    }

    fn respond(&mut self, wire: &mut Wire, mut body: Vec<u8>, mut size: u64) -> State {
        let code = self.ruling.code;
        if code != 200 {
            (body, size) = (DENIED.to_vec(), 0);
        }
        let length = body.len() as u64 + size;
        let kind = if self.plain { 0 } else { self.rng.u8(0..4) };
        let framing = match kind {
            0 | 1 => Framing::Length(length),
            2 => Framing::Chunked(None),
            _ => Framing::Close,
        };
        self.last = matches!(framing, Framing::Close) || (!self.plain && self.rng.u8(0..5) == 0);
        let close = if self.last {
            "Connection: close\r\n"
        } else {
            ""
        };
        let framed = match framing {
            Framing::Length(length) => format!("Content-Length: {length}\r\n"),
            Framing::Chunked(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::Close => String::new(),
        };
        let (reason, fields) = (if code == 200 { "OK" } else { "No" }, &self.ruling.fields);
        let head = format!("HTTP/1.1 {code} {reason}\r\n{framed}{close}{fields}\r\n");
        wire.output.extend_from_slice(head.as_bytes());
        let from = if self.ruling.is_false { ELSEWHERE } else { 0 };
        State::Answer(Answer {
            framing,
            body,
            pattern: (from, from + size),
        })
    }

    fn answer(&mut self, wire: &mut Wire, mut answer: Answer) -> bool {
        let room = wire.room.saturating_sub(wire.output.len());
        let left = answer.pattern.1 - answer.pattern.0;
        if answer.body.is_empty() && left == 0 {
            if matches!(answer.framing, Framing::Chunked(_)) {
                wire.output.extend_from_slice(b"0\r\n\r\n");
            }
            self.babble(wire);
            return true;
        }
        let chunked = matches!(answer.framing, Framing::Chunked(_));
        let n = room.saturating_sub(if chunked { CHUNK_FRAME } else { 0 });
        if n == 0 {
            self.state = State::Answer(answer);
            return false;
        }
        let mut piece = core::mem::take(&mut answer.body);
        let n = if chunked {
            self.rng.usize(1..=n.min(9_000))
        } else {
            n
        };
        let n = (n as u64).min(left);
        pattern::append(&mut piece, answer.pattern.0, n);
        answer.pattern.0 += n;
        if chunked {
            let size = format!("{:x}\r\n", piece.len());
            wire.output.extend_from_slice(size.as_bytes());
            piece.extend_from_slice(b"\r\n");
        }
        wire.output.extend_from_slice(&piece);
        self.state = State::Answer(answer);
        true
    }
}

impl Peer for Server {
    fn pump(&mut self, wire: &mut Wire, now: Instant) {
        while self.step(wire, now) {}
        let idle = matches!(self.state, State::Head | State::Body(..));
        wire.finish |= wire.input_finished && idle;
    }
}

fn take(wire: &mut Wire, left: u64, sum: &mut Sum) -> u64 {
    let n = (wire.input.len() as u64).min(left);
    sum.add(&wire.input[..n as usize]);
    wire.input.drain(..n as usize);
    n
}

/// The size of the next chunk, and of the last one with its empty trailer section.
fn chunk_size(wire: &mut Wire) -> Option<u64> {
    let end = wire.input.iter().position(|byte| *byte == b'\n')?;
    let line = core::str::from_utf8(&wire.input[..end]).ok()?;
    let size = u64::from_str_radix(line.trim(), 16).ok()?;
    let taken = if size == 0 { end + 3 } else { end + 1 };
    if wire.input.len() < taken {
        return None;
    }
    wire.input.drain(..taken);
    Some(size)
}
