//! One direction of one seam between two layers: bounded, with the end in band.

use std::collections::VecDeque;

use crate::Buf;

/// The places that a queue begins with.
const FEW: usize = 4;

/// Pieces beyond which small ones are copied together: each may keep a whole receive
/// buffer alive, and a peer that sends single bytes must not cost megabytes.
const CROWDED: usize = 64;

/// What counts as small then, in bytes, and the size of what they are gathered in.
const SMALL: usize = 1024;
const GATHER: usize = 4096;

/// Whether a queue of `pieces` should copy one of `len` bytes instead of keeping it.
pub(crate) fn should_gather(pieces: usize, len: usize) -> bool {
    pieces >= CROWDED && len <= SMALL
}

/// Copies `piece` behind `last`, or gives a buffer with it that has room for more.
pub(crate) fn gather(last: Option<&mut Buf>, piece: &[u8]) -> Option<Buf> {
    if let Some(last) = last.filter(|last| last.spare() >= piece.len()) {
        last.extend_from_slice(piece);
        return None;
    }
    let mut fresh = Buf::with_capacity(GATHER);
    fresh.extend_from_slice(piece);
    Some(fresh)
}

/// Bytes on their way from one layer to its neighbour, as owned pieces.
///
/// The bound is a promise of the writer, checked with [`Pipe::room`] before it
/// makes data. A piece that is already there is never refused, so the bound can be
/// passed by what one step produces (at most one TLS record or one message).
#[derive(Debug)]
pub struct Pipe {
    pieces: VecDeque<Buf>,
    len: usize,
    limit: usize,
    finished: bool,
    moved: u64,
}

impl Pipe {
    /// A pipe that wants to hold at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            pieces: VecDeque::new(),
            len: 0,
            limit,
            finished: false,
            moved: 0,
        }
    }

    /// Bytes in the pipe.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no bytes are in the pipe; more may come unless [`Pipe::at_end`].
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that may still be put in.
    #[inline]
    pub fn room(&self) -> usize {
        if self.finished {
            0
        } else {
            self.limit.saturating_sub(self.len)
        }
    }

    /// The bound, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Changes the bound; what is in stays in.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Appends a piece without a copy. Empty pieces vanish; a crowd of tiny ones is
    /// copied together, since each may keep a large block alive.
    ///
    /// # Panics
    /// If the pipe is finished: the writer said that nothing more comes.
    pub fn push(&mut self, piece: Buf) {
        assert!(!self.finished, "Pipe::push after finish");
        if piece.is_empty() {
            return;
        }
        self.len += piece.len();
        self.moved += piece.len() as u64;
        if should_gather(self.pieces.len(), piece.len()) {
            let fresh = gather(self.pieces.back_mut(), &piece);
            self.pieces.extend(fresh);
        } else {
            self.pieces.push_back(piece);
        }
    }

    /// Puts a piece back in front of everything; for a reader that took too much.
    pub fn unread(&mut self, piece: Buf) {
        if !piece.is_empty() {
            self.len += piece.len();
            self.pieces.push_front(piece);
        }
    }

    /// Says that nothing more will be pushed (FIN, close_notify, EOF).
    pub fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.moved += 1;
        }
    }

    /// Whether the writer has finished; bytes may still be in the pipe.
    #[inline]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the writer has finished and everything was read.
    #[inline]
    pub fn at_end(&self) -> bool {
        self.finished && self.len == 0
    }

    /// The first piece, to look at or to work on in place.
    #[inline]
    pub fn front(&self) -> Option<&Buf> {
        self.pieces.front()
    }

    /// The first piece's bytes for in-place work; take them off with [`Pipe::split`] or [`Pipe::consume`].
    #[inline]
    pub fn front_mut(&mut self) -> Option<&mut [u8]> {
        self.pieces.front_mut().map(|piece| &mut **piece)
    }

    /// Number of pieces.
    pub fn pieces(&self) -> usize {
        self.pieces.len()
    }

    /// All pieces, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &Buf> {
        self.pieces.iter()
    }

    /// Takes the whole first piece.
    #[inline]
    pub fn pop(&mut self) -> Option<Buf> {
        let piece = self.pieces.pop_front()?;
        self.took(piece.len());
        Some(piece)
    }

    /// Takes the first piece, or its first `max` bytes when it is longer; never copies.
    pub fn pop_max(&mut self, max: usize) -> Option<Buf> {
        let front = self.pieces.front_mut()?;
        if front.len() <= max {
            return self.pop();
        }
        if max == 0 {
            return None;
        }
        let piece = front.split_to(max);
        self.took(max);
        Some(piece)
    }

    /// Takes `n` bytes off the first piece.
    ///
    /// # Panics
    /// If the first piece is shorter.
    pub fn split(&mut self, n: usize) -> Buf {
        let front = self
            .pieces
            .front_mut()
            .expect("Pipe::split of an empty pipe");
        let piece = front.split_to(n);
        if front.is_empty() {
            self.pieces.pop_front();
        }
        self.took(n);
        piece
    }

    /// Drops the first `n` bytes.
    ///
    /// # Panics
    /// If there are fewer.
    pub fn consume(&mut self, mut n: usize) {
        assert!(n <= self.len, "Pipe::consume beyond its bytes");
        self.took(n);
        while n > 0 {
            let front = self
                .pieces
                .front_mut()
                .expect("len counts what the pieces hold");
            let step = n.min(front.len());
            front.advance(step);
            n -= step;
            if front.is_empty() {
                self.pieces.pop_front();
            }
        }
        while self.pieces.front().is_some_and(|piece| piece.is_empty()) {
            self.pieces.pop_front();
        }
    }

    /// Makes at least the first `n` bytes lie in one piece, where that many are there.
    ///
    /// Copies the fewer bytes it can, into the first piece's spare room or a buffer
    /// of `make(n)`, and returns how many it copied. This is the one place where a
    /// unit that straddles two buffers costs a copy.
    pub fn join(&mut self, n: usize, make: impl FnOnce(usize) -> Buf) -> usize {
        let n = n.min(self.len);
        let have = self.pieces.front().map_or(0, |piece| piece.len());
        if have >= n {
            return 0;
        }
        let mut copied = 0;
        let fits = self
            .pieces
            .front()
            .is_some_and(|front| front.spare() >= n - have);
        if !fits {
            let mut joined = make(n);
            if let Some(front) = self.pieces.pop_front() {
                joined.extend_from_slice(&front);
                copied += front.len();
            }
            self.pieces.push_front(joined);
        }
        while self.pieces[0].len() < n {
            let missing = n - self.pieces[0].len();
            let mut next = self
                .pieces
                .remove(1)
                .expect("len counts what the pieces hold");
            let step = missing.min(next.len());
            self.pieces[0].extend_from_slice(&next[..step]);
            next.advance(step);
            copied += step;
            if !next.is_empty() {
                self.pieces.insert(1, next);
            }
        }
        copied
    }

    /// Copies bytes in: into the last piece's spare room, then into buffers of `make(len)`.
    ///
    /// For small things (headers, chunk sizes); bodies travel by [`Pipe::push`].
    ///
    /// # Panics
    /// If the pipe is finished.
    pub fn write(&mut self, mut bytes: &[u8], make: impl FnOnce(usize) -> Buf) {
        assert!(!self.finished, "Pipe::write after finish");
        self.len += bytes.len();
        self.moved += bytes.len() as u64;
        if let Some(last) = self.pieces.back_mut() {
            let n = last.fill_from(bytes);
            bytes = &bytes[n..];
        }
        if !bytes.is_empty() {
            let mut piece = make(bytes.len());
            piece.extend_from_slice(bytes);
            self.pieces.push_back(piece);
        }
    }

    /// Moves everything, and the end, to the back of `to`.
    pub fn drain_into(&mut self, to: &mut Self) {
        while let Some(piece) = self.pop() {
            to.push(piece);
        }
        if self.finished {
            to.finish();
        }
    }

    /// Drops everything in the pipe.
    pub fn clear(&mut self) {
        self.took(self.len);
        self.pieces.clear();
    }

    /// Gives back the memory of the queue itself while nothing is in it, unless it is
    /// as small as it begins: the next request would only allocate it again.
    pub fn shrink(&mut self) {
        if self.pieces.is_empty() && self.pieces.capacity() > FEW {
            self.pieces = VecDeque::new();
        }
    }

    /// Grows with every byte or end that goes in or out: how a stack sees progress.
    #[inline]
    pub fn moved(&self) -> u64 {
        self.moved
    }

    #[inline]
    fn took(&mut self, n: usize) {
        self.len -= n;
        self.moved += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe(pieces: &[&[u8]]) -> Pipe {
        let mut pipe = Pipe::new(100);
        pieces.iter().for_each(|piece| pipe.push(Buf::from(*piece)));
        pipe
    }

    fn rest(pipe: &mut Pipe) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = pipe.pop() {
            all.extend_from_slice(&piece);
        }
        all
    }

    #[test]
    fn join_copies_only_what_straddles() {
        let mut pipe = pipe(&[b"abc", b"defgh", b"ij"]);
        assert_eq!(pipe.join(3, Buf::with_capacity), 0);
        assert_eq!(pipe.join(5, Buf::with_capacity), 5);
        assert_eq!(pipe.front().map(|b| b.to_vec()), Some(b"abcde".to_vec()));
        assert_eq!(rest(&mut pipe), b"abcdefghij");
    }

    #[test]
    fn the_end_is_in_band() {
        let mut pipe = pipe(&[b"x"]);
        pipe.finish();
        assert!(!pipe.at_end());
        assert_eq!(pipe.room(), 0);
        pipe.consume(1);
        assert!(pipe.at_end());
    }

    #[test]
    fn consume_and_split_cross_pieces_in_order() {
        let mut pipe = pipe(&[b"ab", b"cdef"]);
        pipe.consume(3);
        assert_eq!(&*pipe.split(2), b"de");
        assert_eq!(pipe.len(), 1);
        assert_eq!(rest(&mut pipe), b"f");
    }

    #[test]
    fn write_fills_spare_room_before_it_takes_a_new_buffer() {
        let mut pipe = Pipe::new(100);
        pipe.write(b"one", |_| Buf::with_capacity(8));
        pipe.write(b" two six", Buf::with_capacity);
        assert_eq!(pipe.pieces(), 2);
        assert_eq!(rest(&mut pipe), b"one two six");
    }

    #[test]
    fn a_crowd_of_tiny_pieces_keeps_no_large_blocks_alive() {
        let pool = crate::Pool::new(usize::MAX);
        let mut pipe = Pipe::new(100_000);
        for n in 0..10_000u32 {
            let mut block = pool.take(16_000);
            block.extend_from_slice(&[n as u8]);
            pipe.push(block.split_to(1));
        }
        assert!(pool.stats().allocated < 100, "{:?}", pool.stats());
        assert_eq!(pipe.len(), 10_000);
        let all = rest(&mut pipe);
        assert!(
            all.iter()
                .zip(0..)
                .all(|(have, n): (_, u32)| *have == n as u8)
        );
    }

    #[test]
    #[should_panic(expected = "after finish")]
    fn nothing_comes_after_the_end() {
        let mut pipe = Pipe::new(1);
        pipe.finish();
        pipe.push(Buf::from(&b"x"[..]));
    }
}
