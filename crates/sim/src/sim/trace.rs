//! What happened in a run: a digest always, lines for people when asked.

use std::io;
use std::time::Duration;

use sockless_core::{Op, OpId, OpKind};

/// The record of a run. Equal digests: the same operations with the same bytes at the same times.
#[derive(Debug)]
pub struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
}

impl Default for Trace {
    fn default() -> Self {
        // FNV-1a's offset basis.
        Self {
            digest: 0xcbf2_9ce4_8422_2325,
            lines: None,
        }
    }
}

impl Trace {
    /// A number for everything that happened.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The lines, where they were asked for.
    pub fn lines(&mut self) -> Vec<String> {
        self.lines.take().unwrap_or_default()
    }

    /// Notes something that the application saw or did.
    pub fn note(&mut self, at: Duration, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{at:>14?}  {}", text()));
        }
    }

    pub(super) fn keep(&mut self) {
        self.lines = Some(Vec::new());
    }

    pub(super) fn submitted(&mut self, at: Duration, op: &Op) {
        self.head(at, op.id);
        if let OpKind::Send { bufs } = &op.kind {
            bufs.iter().for_each(|buf| self.absorb(buf));
        }
        self.note(at, || {
            format!("-> {:?} {:?} {}", op.conn, op.id, shown(&op.kind))
        });
    }

    pub(super) fn received(&mut self, bytes: &[u8]) {
        self.absorb(bytes);
    }

    pub(super) fn cancelled(&mut self, at: Duration, id: OpId) {
        self.head(at, id);
        self.note(at, || format!("-> cancel {id:?}"));
    }

    pub(super) fn returned(&mut self, at: Duration, op: &Op, result: &io::Result<usize>) {
        self.head(at, op.id);
        let number = result.as_ref().map_or(u64::MAX, |n| *n as u64);
        self.absorb(&number.to_be_bytes());
        self.note(at, || {
            format!(
                "<- {:?} {:?} {}: {result:?}",
                op.conn,
                op.id,
                shown(&op.kind)
            )
        });
    }

    fn head(&mut self, at: Duration, id: OpId) {
        self.absorb(&(at.as_nanos() as u64).to_be_bytes());
        self.absorb(&id.as_u64().to_be_bytes());
    }

    fn absorb(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.digest = (self.digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn shown(kind: &OpKind) -> String {
    match kind {
        OpKind::Resolve { host, .. } => format!("resolve {host}"),
        OpKind::Connect { to, .. } => format!("connect {to}"),
        OpKind::Recv { buf, min } => {
            let room = buf.as_ref().map(sockless_core::Buf::spare);
            format!("recv room {room:?} min {min}")
        }
        OpKind::Send { bufs } => {
            let bytes: usize = bufs.iter().map(|buf| buf.len()).sum();
            format!("send {bytes} bytes in {}", bufs.len())
        }
        OpKind::Shutdown => "shutdown".to_owned(),
        OpKind::Close => "close".to_owned(),
        other => format!("{other:?}"),
    }
}
