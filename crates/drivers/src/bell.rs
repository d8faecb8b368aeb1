//! A pipe that a driver polls beside its sockets, so that other threads can end its wait.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::Waker;

/// Readable while rung. At most one byte is ever in the pipe, so that ringing never blocks.
#[derive(Debug)]
pub(crate) struct Bell {
    reader: PipeReader,
    writer: PipeWriter,
    rung: AtomicBool,
    /// Whether the application asked for an early end, not just a thread of the driver's.
    asked: AtomicBool,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let (reader, writer) = io::pipe()?;
        let (rung, asked) = (AtomicBool::new(false), AtomicBool::new(false));
        Ok(Arc::new(Self {
            reader,
            writer,
            rung,
            asked,
        }))
    }

    /// Makes the bell readable. What it announces must be published before.
    pub(crate) fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // The pipe is empty, so this neither blocks nor fails while the reader,
            // which is in the same object, lives.
            let _ = (&self.writer).write(&[1]);
        }
    }

    /// Empties the bell after a poll found it readable; then look at what it announced.
    ///
    /// The byte goes before the flag: the other way round, a ring in between would
    /// leave the flag set with nothing in the pipe, and every later one would be lost.
    pub(crate) fn hush(&self) {
        let mut byte = [0];
        let _ = (&self.reader).read(&mut byte);
        self.rung.swap(false, Ordering::AcqRel);
    }

    /// Whether the application asked for an early end since the last call.
    pub(crate) fn take_asked(&self) -> bool {
        self.asked.swap(false, Ordering::AcqRel)
    }

    /// What to poll for readability.
    pub(crate) fn raw_fd(&self) -> RawFd {
        self.reader.as_raw_fd()
    }

    /// A handle that just rings.
    pub(crate) fn ringer(self: &Arc<Self>) -> Waker {
        let bell = Arc::clone(self);
        Waker::new(move || bell.ring())
    }

    /// The application's handle.
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        let bell = Arc::clone(self);
        Waker::new(move || {
            bell.asked.store(true, Ordering::Release);
            bell.ring();
        })
    }
}
