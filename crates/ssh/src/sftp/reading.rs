//! One open file that is read with many requests at once.

use std::collections::VecDeque;

use sockless_core::{Buf, Fault};

use super::wire::{Packet, READ, malformed};

/// A file between `OPEN` and `CLOSE`: what is asked for, what came, and what was passed on.
///
/// Answers may come in any order and may be shorter than asked for; what comes too early is
/// held, what is missing is asked for again. What a request brings is passed on in order.
#[derive(Debug)]
pub(super) struct Reading {
    handle: Vec<u8>,
    /// The first byte that nobody has asked for.
    next: u64,
    /// Behind the last byte that is wanted.
    end: u64,
    /// The file's length, as far as it is known.
    known: Option<u64>,
    chunks: VecDeque<Chunk>,
    /// The number of the first chunk.
    first: u64,
    /// The first byte that was not passed on.
    at: u64,
    /// The file's end was seen, or nothing is there any more.
    over: bool,
    /// The server gives less than it is asked for: nothing is sure to come.
    pub(super) falls_short: bool,
}

#[derive(Debug)]
struct Chunk {
    offset: u64,
    len: usize,
    got: usize,
    answered: bool,
    held: VecDeque<Buf>,
}

impl Reading {
    /// Reads from `from` to `end`, or to where the file ends.
    pub(super) fn new(handle: Vec<u8>, from: u64, end: u64, known: Option<u64>) -> Self {
        Self {
            handle,
            next: from,
            end,
            known,
            chunks: VecDeque::new(),
            first: 0,
            at: from,
            over: from >= end,
            falls_short: false,
        }
    }

    pub(super) fn handle(&self) -> &[u8] {
        &self.handle
    }

    /// The first byte that was not passed on.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes asked for and not passed on.
    pub(super) fn ahead(&self) -> u64 {
        self.next.saturating_sub(self.at)
    }

    /// Whether asking for more makes sense. Behind the known end, one request at a time looks
    /// whether there is more.
    pub(super) fn wants_more(&self) -> bool {
        let beyond = self.next >= self.known.unwrap_or(0);
        let looks = beyond
            && self
                .chunks
                .back()
                .is_some_and(|last| last.offset >= self.known.unwrap_or(0));
        !self.over && self.next < self.end && !looks
    }

    /// The next request, of at most `most` bytes, and its number.
    pub(super) fn request(&mut self, most: usize) -> (Packet, u64) {
        let left = usize::try_from(self.end - self.next).unwrap_or(usize::MAX);
        let (offset, len) = (self.next, most.min(left));
        self.next += len as u64;
        self.chunks.push_back(Chunk {
            offset,
            len,
            got: 0,
            answered: false,
            held: VecDeque::new(),
        });
        let number = self.first + self.chunks.len() as u64 - 1;
        (self.read(offset, len), number)
    }

    fn read(&self, offset: u64, len: usize) -> Packet {
        let packet = Packet::new(READ).string(&self.handle).u64(offset);
        packet.u32(u32::try_from(len).expect("chunks are bounded"))
    }

    fn chunk(&mut self, number: u64) -> Option<&mut Chunk> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.chunks.get_mut(at)
    }

    /// An answer of `len` bytes begins.
    pub(super) fn begins(&mut self, number: u64, len: usize) -> Result<(), Fault> {
        // One that the file's end has made useless.
        let Some(chunk) = self.chunk(number) else {
            return Ok(());
        };
        let asked = chunk.len - chunk.got;
        if len == 0 || len > asked {
            let what = format!("{len} bytes in answer to a request for {asked}");
            return Err(malformed(what));
        }
        Ok(())
    }

    /// Whether a chunk is the first one that is not passed on.
    pub(super) fn is_first(&self, number: u64) -> bool {
        number == self.first
    }

    /// Whether a chunk's bytes are the next ones to be passed on.
    fn is_next(&self, number: u64) -> bool {
        let held = self
            .chunks
            .front()
            .is_some_and(|chunk| !chunk.held.is_empty());
        number == self.first && !held
    }

    /// Takes a piece: gives it back where it is its turn and `now` says that it may pass.
    pub(super) fn data(&mut self, number: u64, piece: Buf, now: bool) -> Option<Buf> {
        let passes = now && self.is_next(number);
        let len = piece.len();
        let chunk = self.chunk(number)?;
        chunk.got += len;
        if passes {
            self.at += len as u64;
            return Some(piece);
        }
        chunk.held.push_back(piece);
        None
    }

    /// An answer is complete; the request for what it left out, if it was short.
    pub(super) fn ends(&mut self, number: u64) -> Option<Packet> {
        let chunk = self.chunk(number)?;
        if chunk.got == chunk.len {
            chunk.answered = true;
            self.forget();
            return None;
        }
        let (offset, len) = (chunk.offset + chunk.got as u64, chunk.len - chunk.got);
        self.falls_short = true;
        Some(self.read(offset, len))
    }

    /// The file ends where this request begins.
    pub(super) fn file_ends(&mut self, number: u64) {
        let Some(at) = number
            .checked_sub(self.first)
            .and_then(|at| usize::try_from(at).ok())
        else {
            return;
        };
        if at < self.chunks.len() {
            self.chunks.truncate(at + 1);
            let chunk = &mut self.chunks[at];
            (chunk.len, chunk.answered) = (chunk.got, true);
            self.over = true;
            self.forget();
        }
    }

    /// The next piece that was held and may pass now, of at most `most` bytes.
    pub(super) fn pass(&mut self, most: usize) -> Option<Buf> {
        self.forget();
        let front = self.chunks.front_mut()?;
        let mut piece = front.held.pop_front()?;
        if piece.len() > most {
            let passing = piece.split_to(most);
            front.held.push_front(piece);
            piece = passing;
        }
        self.at += piece.len() as u64;
        (!piece.is_empty()).then_some(piece)
    }

    fn forget(&mut self) {
        while self
            .chunks
            .front()
            .is_some_and(|chunk| chunk.answered && chunk.held.is_empty())
        {
            self.chunks.pop_front();
            self.first += 1;
        }
    }

    /// Whether all that is wanted, or there, was passed on.
    pub(super) fn is_complete(&self) -> bool {
        self.chunks.is_empty() && (self.over || self.next >= self.end)
    }

    /// Bytes that are sure to come, if the file is as long as it is known to be.
    pub(super) fn expects(&self) -> u64 {
        if self.over || self.falls_short {
            return 0;
        }
        let known = self.known.unwrap_or(0);
        let sure = |chunk: &Chunk| !chunk.answered && chunk.offset + chunk.len as u64 <= known;
        let chunks = self.chunks.iter().take(MAX_SURE);
        let bytes = chunks
            .filter(|chunk| sure(chunk))
            .map(|chunk| chunk.len - chunk.got);
        // Half of it: the requests that follow have to go out before all is there.
        bytes.sum::<usize>() as u64 / 2
    }
}

/// Requests that are looked at for what is sure to come; more would promise no more.
const MAX_SURE: usize = 16;
