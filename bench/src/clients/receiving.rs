//! What the bare loops share: a socket with a low-water mark, and an answer that is counted.

use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

use super::Task;

/// As large as the library's own receive buffers for bulk.
const BUFFER: usize = 280 * 1024;
/// Without marks: as large as what the library has before it knows of a body.
const BUFFER_SMALL: usize = 17 * 1024;

/// The most that a record takes on the wire (RFC 8446 section 5.2).
const RECORD: usize = 5 + 16_384 + 256;

/// A connected socket and the buffer that it is received into.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    pub(super) buffer: Vec<u8>,
    /// What of the buffer is filled.
    pub(super) filled: usize,
    pub(super) receives: usize,
    low_water: usize,
}

impl Socket {
    pub(super) fn connect(task: &Task) -> io::Result<Self> {
        let stream = TcpStream::connect(task.address()?)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; if task.min > 0 { BUFFER } else { BUFFER_SMALL }],
            filled: 0,
            receives: 0,
            low_water: 1,
        })
    }

    /// One receive of at least `min` bytes behind what is there.
    pub(super) fn receive(&mut self, min: usize) -> io::Result<()> {
        let room = self.buffer.len() - self.filled;
        self.want(min.min(room))?;
        self.await_bytes(min)?;
        let n = self.take_bytes(min)?;
        self.receives += 1;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += n;
        Ok(())
    }

    /// Drops the first bytes of what is there.
    pub(super) fn consume(&mut self, used: usize) {
        self.buffer.copy_within(used..self.filled, 0);
        self.filled -= used;
    }

    /// With a mark, without waiting: what is there when poll returns is enough, and a
    /// blocking receive would take it and then wait for the mark again.
    fn take_bytes(&mut self, min: usize) -> io::Result<usize> {
        let room = &mut self.buffer[self.filled..];
        if min <= 1 {
            return self.stream.read(room);
        }
        // SAFETY: pointer and length describe room that we hold mutably.
        let n = unsafe {
            let start = room.as_mut_ptr().cast();
            libc::recv(
                self.stream.as_raw_fd(),
                start,
                room.len(),
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    fn await_bytes(&self, min: usize) -> io::Result<()> {
        if min <= 1 {
            return Ok(());
        }
        let mut poll = libc::pollfd {
            fd: self.stream.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one live pollfd.
        if unsafe { libc::poll(&raw mut poll, 1, -1) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    fn want(&mut self, bytes: usize) -> io::Result<()> {
        if self.low_water == bytes {
            return Ok(());
        }
        self.low_water = bytes;
        self.set_mark(bytes)
    }

    fn set_mark(&self, bytes: usize) -> io::Result<()> {
        let value = bytes as libc::c_int;
        // SAFETY: pointer and length describe a live integer.
        let set = unsafe {
            libc::setsockopt(
                self.stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVLOWAT,
                (&raw const value).cast(),
                size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if set == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// An answer's head, until it is complete; then body bytes that are still to come.
#[derive(Default)]
pub(super) struct Answer {
    head: Vec<u8>,
    left: Option<u64>,
}

impl Answer {
    pub(super) fn is_complete(&self) -> bool {
        self.left == Some(0)
    }

    /// The low-water mark for what is still to come: none in the head, and less near the end.
    ///
    /// Part of a record may have come already, and a mark above what is left on the wire
    /// waits until the server hangs up.
    pub(super) fn min(&self, task: &Task) -> usize {
        let left = usize::try_from(self.left.unwrap_or(0)).unwrap_or(usize::MAX);
        left.saturating_sub(RECORD).min(task.min).max(1)
    }

    /// Counts the answer's body; its head has a length, or it is none of ours.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(bytes.len() as u64);
            return Ok(());
        }
        let head = &mut self.head;
        head.extend_from_slice(bytes);
        let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&head[..end]).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: Option<u64> = length.and_then(|length| length.trim().parse().ok());
        let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
        self.left = Some(length.saturating_sub((head.len() - end - 4) as u64));
        Ok(())
    }
}
