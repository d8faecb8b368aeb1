//! What OpenSSL has for a socket: the two pipes, lent to it for the length of a pump.

use core::mem;
use std::io::{self, ErrorKind, Read, Write};

use sockless_core::{Buf, Pipe, Pool};

/// The network's side of a connection.
///
/// Invariant: OpenSSL reads no further than one whole record at a time, so between pumps
/// it holds no input, and what is incomplete stays in `net_in`.
pub(super) struct Wire {
    net_in: Pipe,
    net_out: Pipe,
    /// Bytes of `net_in` that may be read now.
    readable: usize,
    /// What is being written, before it is a piece of `net_out`.
    out: Option<Buf>,
    /// How much is about to be written: the size of the buffer for it.
    expected: usize,
    pool: Pool,
}

impl Wire {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            net_in: Pipe::new(0),
            net_out: Pipe::new(0),
            readable: 0,
            out: None,
            expected: 0,
            pool,
        }
    }

    /// Swaps the pipes in, and after the pump out again.
    pub(super) fn swap(&mut self, net_in: &mut Pipe, net_out: &mut Pipe) {
        self.flush_out();
        mem::swap(&mut self.net_in, net_in);
        mem::swap(&mut self.net_out, net_out);
    }

    pub(super) fn net_in(&mut self) -> &mut Pipe {
        &mut self.net_in
    }

    /// Lets OpenSSL read that many bytes.
    pub(super) fn allow(&mut self, bytes: usize) {
        self.readable = bytes.min(self.net_in.len());
    }

    /// Bytes that it was allowed to read and did not.
    pub(super) fn left(&self) -> usize {
        self.readable
    }

    /// Says how much is about to be written, in bytes.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected = bytes;
    }

    /// What was written so far becomes a piece of `net_out`, which it returns.
    pub(super) fn net_out(&mut self) -> &mut Pipe {
        self.flush_out();
        &mut self.net_out
    }

    fn flush_out(&mut self) {
        if let Some(out) = self.out.take() {
            self.net_out.push(out);
        }
        self.expected = 0;
    }
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let want = buf.len().min(self.readable);
        if want == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut done = 0;
        while done < want
            && let Some(front) = self.net_in.front()
        {
            let n = front.len().min(want - done);
            buf[done..done + n].copy_from_slice(&front[..n]);
            self.net_in.consume(n);
            done += n;
        }
        self.readable -= done;
        Ok(done)
    }
}

impl Write for Wire {
    /// Takes everything; our own end is final, what comes after it is dropped.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.net_out.is_finished() {
            return Ok(bytes.len());
        }
        let filled = self.out.as_mut().map_or(0, |out| out.fill_from(bytes));
        let rest = &bytes[filled..];
        if !rest.is_empty() {
            let full = self.out.take();
            full.into_iter().for_each(|full| self.net_out.push(full));
            let mut out = self.pool.take(rest.len().max(self.expected));
            out.extend_from_slice(rest);
            self.out = Some(out);
        }
        self.expected = self.expected.saturating_sub(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
