//! A layer small enough to be read at once, with everything that a real one has.
//!
//! Both sides begin with `ROT1` and a key byte. Then records: a type (`D`ata,
//! `E`nd, `A`lert), the payload's length (two bytes, big endian), four bytes of check
//! sum over type and plain text, and the payload, each byte xored with the sender's key.

use std::time::{Duration, Instant};

use sockless_core::conformance::Peer;
use sockless_core::{Buf, Cx, Fault, Filter, Phase, Pipe, Reason, Seams, Status};

const HELLO: usize = 5;
const HEADER: usize = 7;
const MAX_PAYLOAD: usize = 1000;

/// What is wrong with a filter, one thing at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    /// Forgets what lies behind the first record of an arrival.
    DropsLeftover,
    PanicsOnGarbage,
    /// Waits for ever after the network's end.
    IgnoresFin,
    /// Takes the network's end for a farewell.
    FinForFarewell,
    OverfillsAppIn,
    OverfillsNetOut,
    NoLastWords,
    LastWordsTwice,
    ErrorOnlyOnce,
    /// Drops what it has opened when an error follows in the same arrival.
    DropsOpenedOnError,
    /// Does not open while `net_out` is full.
    OpensOnlyAfterSending,
    /// Does not seal while `app_in` is full.
    SealsOnlyAfterReading,
    /// Trusts that the half record it has seen is still in `net_in`.
    TrustsNetIn,
    PromisesTooMuch,
    Chatters,
    NoFarewell,
    FarewellEndsBoth,
    NoCheck,
    DeadlineStays,
}

pub(crate) struct Rot {
    flaw: Flaw,
    key: u8,
    peer_key: Option<u8>,
    greeted: bool,
    goodbye: bool,
    ended: bool,
    fault: Option<(Reason, &'static str)>,
    /// Bytes of an incomplete record seen last ([`Flaw::TrustsNetIn`]).
    seen: usize,
    pumps: u8,
    deadline: Option<Instant>,
}

impl Rot {
    pub(crate) fn new(key: u8, flaw: Flaw) -> Self {
        Self {
            flaw,
            key,
            peer_key: None,
            greeted: false,
            goodbye: false,
            ended: false,
            fault: None,
            seen: 0,
            pumps: 0,
            deadline: None,
        }
    }

    fn open(&mut self, io: &mut Seams<'_>, cx: &Cx<'_>) -> Result<(), (Reason, &'static str)> {
        if self.peer_key.is_none() {
            if io.net_in.len() < HELLO {
                let start = io.net_in.iter().flat_map(|piece| piece.iter());
                if start.zip(b"ROT1").any(|(have, want)| have != want) {
                    return Err((Reason::WrongProtocol, "this is not rot"));
                }
                return self.starved(io);
            }
            io.net_in.join(HELLO, |n| cx.buf(n));
            let hello = io.net_in.split(HELLO);
            if !hello.starts_with(b"ROT1") {
                return Err((Reason::WrongProtocol, "this is not rot"));
            }
            self.peer_key = Some(hello[4]);
        }
        self.records(io, cx)
    }

    fn records(&mut self, io: &mut Seams<'_>, cx: &Cx<'_>) -> Result<(), (Reason, &'static str)> {
        let key = self.peer_key.unwrap_or_default();
        while !self.ended {
            let room = io.app_in.room() > 0 || self.flaw == Flaw::OverfillsAppIn;
            if !room || (self.flaw == Flaw::OpensOnlyAfterSending && io.net_out.room() == 0) {
                return Ok(());
            }
            let Some(length) = record(io.net_in, cx) else {
                return self.starved(io);
            };
            if self.flaw == Flaw::PanicsOnGarbage {
                assert!(length <= HEADER + MAX_PAYLOAD);
            }
            if length > HEADER + MAX_PAYLOAD {
                return Err((Reason::Malformed, "a record longer than allowed"));
            }
            if io.net_in.len() < length {
                return self.starved(io);
            }
            io.net_in.join(length, |n| cx.buf(n));
            let mut record = io.net_in.split(length);
            if self.flaw == Flaw::DropsLeftover {
                io.net_in.clear();
            }
            let mut head = record.split_to(HEADER);
            record.iter_mut().for_each(|byte| *byte ^= key);
            if head[3..] != check(head[0], &record) && self.flaw != Flaw::NoCheck {
                return Err((Reason::Malformed, "a record's check sum is wrong"));
            }
            match head[0] {
                b'D' => io.app_in.push(record),
                b'E' => {
                    self.ended = true;
                    io.app_in.finish();
                }
                _ => return Err((Reason::Malformed, "the peer alerts")),
            }
            head.truncate(0);
        }
        Ok(())
    }

    /// No whole unit is there: right, unless nothing more will come.
    fn starved(&mut self, io: &mut Seams<'_>) -> Result<(), (Reason, &'static str)> {
        if self.flaw == Flaw::TrustsNetIn {
            if io.net_in.len() < self.seen {
                return Err((Reason::Malformed, "where did it go?"));
            }
            self.seen = io.net_in.len();
        }
        if !io.net_in.is_finished() || self.flaw == Flaw::IgnoresFin {
            return Ok(());
        }
        if self.flaw == Flaw::FinForFarewell {
            io.app_in.finish();
            return Ok(());
        }
        Err((Reason::Truncated, "the end came without a farewell"))
    }

    fn seal(&mut self, io: &mut Seams<'_>, cx: &Cx<'_>) {
        if !core::mem::replace(&mut self.greeted, true) {
            io.net_out.write(&hello(self.key), |n| cx.buf(n));
        }
        if self.peer_key.is_none() || self.goodbye {
            return;
        }
        if self.flaw == Flaw::SealsOnlyAfterReading && io.app_in.len() >= io.app_in.limit() {
            return;
        }
        while io.net_out.room() > 0 || self.flaw == Flaw::OverfillsNetOut {
            let Some(piece) = io.app_out.pop_max(MAX_PAYLOAD) else {
                break;
            };
            write_record(io.net_out, b'D', &piece, self.key, cx);
        }
        let end = io.app_out.at_end() || (self.flaw == Flaw::FarewellEndsBoth && self.ended);
        if end && (io.net_out.room() > 0) {
            self.goodbye = true;
            if self.flaw != Flaw::NoFarewell {
                write_record(io.net_out, b'E', b"", self.key, cx);
            }
            io.net_out.finish();
        }
    }

    fn fail(&mut self, io: &mut Seams<'_>, cx: &Cx<'_>, fault: (Reason, &'static str)) {
        self.fault = Some(fault);
        if self.flaw == Flaw::DropsOpenedOnError {
            io.app_in.clear();
        }
        if !self.goodbye && self.flaw != Flaw::NoLastWords {
            write_record(io.net_out, b'A', b"?", self.key, cx);
        }
    }
}

impl Filter for Rot {
    fn layer(&self) -> &'static str {
        "rot"
    }

    fn pump(&mut self, mut io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        if let Some((reason, what)) = self.fault {
            if self.flaw == Flaw::ErrorOnlyOnce {
                return Ok(Status::Stay);
            }
            if self.flaw == Flaw::LastWordsTwice && self.pumps < 9 {
                self.pumps += 1;
                write_record(io.net_out, b'A', b"!", self.key, cx);
            }
            return Err(Fault::misbehaved(reason, what));
        }
        let first = !self.greeted;
        if first {
            self.deadline = cx.after(Duration::from_secs(9));
        } else if self.peer_key.is_some() && self.flaw != Flaw::DeadlineStays {
            self.deadline = None;
        }
        let opened = self.open(&mut io, cx);
        let late = self.deadline.is_some_and(|at| at <= cx.now);
        let opened = match late && self.peer_key.is_none() && self.flaw != Flaw::DeadlineStays {
            true => opened.and(Err((Reason::HandshakeTimeout, "no hello in time"))),
            false => opened,
        };
        self.seal(&mut io, cx);
        if self.flaw == Flaw::Chatters && self.peer_key.is_some() && !self.goodbye {
            write_record(io.net_out, b'D', b"", self.key, cx);
        }
        match opened {
            Ok(()) => Ok(Status::Stay),
            Err((reason, what)) => {
                self.fail(&mut io, cx, (reason, what));
                Err(Fault::misbehaved(reason, what))
            }
        }
    }

    fn phase(&self) -> Phase {
        match self.peer_key {
            None => Phase::Handshake,
            Some(_) => Phase::Open,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.deadline.filter(|_| self.fault.is_none())
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        if self.flaw == Flaw::PromisesTooMuch {
            return above + 100;
        }
        let front: Vec<u8> = net_in
            .iter()
            .flat_map(|p| p.iter().copied())
            .take(3)
            .collect();
        match (self.peer_key, front.as_slice()) {
            (None, _) => HELLO.saturating_sub(net_in.len()),
            (_, [_, high, low]) => {
                let rest = HEADER + usize::from(*high) * 256 + usize::from(*low);
                rest.saturating_sub(net_in.len()).max(1)
            }
            _ => (HEADER + above).saturating_sub(net_in.len()),
        }
        .max(1)
    }
}

fn hello(key: u8) -> [u8; HELLO] {
    [b'R', b'O', b'T', b'1', key]
}

/// The whole length of the first record, as soon as its header is there.
fn record(net_in: &mut Pipe, cx: &Cx<'_>) -> Option<usize> {
    if net_in.len() < HEADER {
        return None;
    }
    net_in.join(HEADER, |n| cx.buf(n));
    let front = net_in.front()?;
    Some(HEADER + usize::from(u16::from_be_bytes([front[1], front[2]])))
}

fn check(kind: u8, plain: &[u8]) -> [u8; 4] {
    let seed = 0x811c_9dc5_u32 ^ u32::from(kind);
    let mix = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    plain.iter().fold(seed, mix).to_be_bytes()
}

fn sealed(kind: u8, plain: &[u8], key: u8) -> Vec<u8> {
    let mut wire = vec![kind];
    wire.extend_from_slice(&(plain.len() as u16).to_be_bytes());
    wire.extend_from_slice(&check(kind, plain));
    wire.extend(plain.iter().map(|byte| byte ^ key));
    wire
}

fn write_record(net_out: &mut Pipe, kind: u8, plain: &[u8], key: u8, cx: &Cx<'_>) {
    net_out.write(&sealed(kind, plain, key), |n| cx.buf(n));
}

/// The other side, by hand and on vectors.
pub(crate) struct RotPeer {
    key: u8,
    peer_key: Option<u8>,
    heard: Vec<u8>,
    says: Vec<u8>,
    opened: Vec<u8>,
    finished: bool,
}

impl RotPeer {
    pub(crate) fn new(key: u8) -> Self {
        Self {
            key,
            peer_key: None,
            heard: Vec::new(),
            says: hello(key).to_vec(),
            opened: Vec::new(),
            finished: false,
        }
    }
}

impl Peer for RotPeer {
    fn hear(&mut self, wire: &[u8]) {
        self.heard.extend_from_slice(wire);
        if self.peer_key.is_none() && self.heard.len() >= HELLO {
            let hello: Vec<u8> = self.heard.drain(..HELLO).collect();
            assert!(hello.starts_with(b"ROT1"));
            self.peer_key = Some(hello[4]);
        }
        let Some(key) = self.peer_key else { return };
        while self.heard.len() >= HEADER {
            let length = usize::from(u16::from_be_bytes([self.heard[1], self.heard[2]]));
            if self.heard.len() < HEADER + length {
                return;
            }
            let record: Vec<u8> = self.heard.drain(..HEADER + length).collect();
            let plain: Vec<u8> = record[HEADER..].iter().map(|byte| byte ^ key).collect();
            assert_eq!(record[3..HEADER], check(record[0], &plain));
            assert!(!self.finished, "after the farewell");
            match record[0] {
                b'D' => self.opened.extend(plain),
                b'E' => self.finished = true,
                _ => {}
            }
        }
    }

    fn speak(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.says)
    }

    fn send(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(150) {
            self.says.extend(sealed(b'D', part, self.key));
        }
    }

    fn received(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.opened)
    }

    fn finish(&mut self) {
        self.says.extend(sealed(b'E', b"", self.key));
    }

    fn is_finished(&self) -> bool {
        self.finished
    }
}

/// Leaves after a line of greeting from the peer, as a proxy's CONNECT does.
pub(crate) struct Line {
    greeted: bool,
    /// Takes what lies behind the line along when it leaves.
    pub(crate) drops: bool,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self {
            greeted: false,
            drops: false,
        }
    }
}

impl Filter for Line {
    fn layer(&self) -> &'static str {
        "line"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        if !core::mem::replace(&mut self.greeted, true) {
            io.net_out.write(b"hi\n", |n| cx.buf(n));
        }
        let end = io
            .net_in
            .iter()
            .flat_map(|piece| piece.iter())
            .position(|byte| *byte == b'\n');
        match end {
            Some(at) => {
                io.net_in.consume(at + 1);
                if self.drops {
                    io.net_in.clear();
                }
                Ok(Status::Leave)
            }
            None if io.net_in.is_finished() => {
                Err(Fault::misbehaved(Reason::Truncated, "no whole line"))
            }
            None if io.net_in.len() > 100 => {
                Err(Fault::misbehaved(Reason::Malformed, "no line at all"))
            }
            None => Ok(Status::Stay),
        }
    }

    fn phase(&self) -> Phase {
        Phase::Handshake
    }

    fn min(&self, _: &Pipe, _: usize) -> usize {
        1
    }
}

/// The other side of [`Line`].
pub(crate) struct LinePeer {
    heard: Vec<u8>,
    greeted: bool,
    says: Vec<u8>,
}

impl LinePeer {
    pub(crate) fn new() -> Self {
        Self {
            heard: Vec::new(),
            greeted: false,
            says: b"hello yourself\n".to_vec(),
        }
    }
}

impl Peer for LinePeer {
    fn hear(&mut self, wire: &[u8]) {
        self.heard.extend_from_slice(wire);
        if !self.greeted && self.heard.len() >= 3 {
            assert_eq!(self.heard.drain(..3).collect::<Vec<_>>(), b"hi\n");
            self.greeted = true;
        }
    }

    fn speak(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.says)
    }

    fn send(&mut self, bytes: &[u8]) {
        self.says.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        match self.greeted {
            true => core::mem::take(&mut self.heard),
            false => Vec::new(),
        }
    }

    fn finish(&mut self) {}

    fn is_finished(&self) -> bool {
        false
    }
}

/// A buffer, for tests that push pieces.
pub(crate) fn piece(bytes: &[u8]) -> Buf {
    Buf::from(bytes)
}
