//! The wire format's outermost shape, which both backends see before their library does.

use sockless_core::{Culprit, Fault, Phase, Pipe, Reason};

/// Type, version and length in front of each record (RFC 8446 section 5.1).
pub(crate) const HEADER: usize = 5;
/// The longest record that is accepted, exclusive, header not counted (RFC 5246 section 6.2.3).
const MAX_PAYLOAD: usize = 16_384 + 2_048;

/// A record's header.
pub(crate) struct RecordHeader([u8; HEADER]);

impl RecordHeader {
    /// Header and payload, in bytes.
    pub(crate) fn total(&self) -> usize {
        HEADER + self.payload()
    }

    pub(crate) fn payload(&self) -> usize {
        usize::from(u16::from_be_bytes([self.0[3], self.0[4]]))
    }

    /// Whether a library would wait for the payload instead of refusing the header.
    pub(crate) fn is_plausible(&self) -> bool {
        is_record_type(self.0[0]) && self.0[1] == 3 && self.payload() < MAX_PAYLOAD
    }
}

/// Change cipher spec to heartbeat (RFC 8446 appendix B.1).
fn is_record_type(byte: u8) -> bool {
    matches!(byte, 20..=24)
}

/// The record header `offset` bytes into the pipe, if it is there in full.
pub(crate) fn record_at(pipe: &Pipe, mut offset: usize) -> Option<RecordHeader> {
    let mut header = [0; HEADER];
    let mut filled = 0;
    for piece in pipe.iter() {
        let skip = offset.min(piece.len());
        offset -= skip;
        let n = (piece.len() - skip).min(HEADER - filled);
        header[filled..filled + n].copy_from_slice(&piece[skip..skip + n]);
        filled += n;
        if filled == HEADER {
            return Some(RecordHeader(header));
        }
    }
    None
}

/// How many bytes are sure to come: the rest of the current record, `held` bytes into the
/// pipe. When open, `above` bytes of plaintext need at least as many bytes of ciphertext,
/// of which some may be here. Nothing is promised during a handshake, where `above` means
/// nothing yet.
pub(crate) fn min(net_in: &Pipe, held: usize, phase: Phase, above: usize) -> usize {
    let unopened = net_in.len().saturating_sub(held);
    let record = match record_at(net_in, held) {
        Some(record) if record.is_plausible() => record.total().saturating_sub(unopened),
        Some(_) => 1,
        None if unopened > 0 => HEADER - unopened,
        None => 1,
    };
    let body = match phase {
        Phase::Open => above.saturating_sub(net_in.len()),
        Phase::Handshake => 0,
    };
    record.max(body).max(1)
}

/// How a connection broke that no record has to do with; the same with each library.
#[derive(Clone, Debug)]
pub(crate) enum Broken {
    /// The very first bytes are no TLS; they look like this.
    NotTls(String),
    /// The stream ended during the handshake.
    ClosedInHandshake,
    /// The stream ended without close_notify (RFC 8446 section 6.1).
    Truncated,
}

impl Broken {
    /// What a peer's end means that comes with that much unread; `heard` is whether
    /// one record was.
    pub(crate) fn by_end(net_in: &Pipe, heard: bool, phase: Phase) -> Self {
        if phase == Phase::Open {
            return Self::Truncated;
        }
        let first = net_in.iter().find_map(|piece| piece.first());
        match first {
            Some(first) if !heard && !is_record_type(*first) => Self::not_tls(net_in),
            _ => Self::ClosedInHandshake,
        }
    }

    pub(crate) fn not_tls(net_in: &Pipe) -> Self {
        Self::NotTls(excerpt(net_in))
    }

    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::NotTls(answer) => Fault::misbehaved(
                Reason::WrongProtocol,
                format!("the peer does not speak TLS: it answered \"{answer}\""),
            )
            .remedy("check that scheme and port belong together"),
            Self::ClosedInHandshake => Fault::new(
                Culprit::Transport,
                Reason::Handshake,
                "the peer closed the connection during the TLS handshake",
            )
            .remedy("check that the port speaks TLS and that nothing on the way refuses it"),
            Self::Truncated => Fault::misbehaved(
                Reason::Truncated,
                "the connection ended without a TLS close_notify: bytes may be missing",
            )
            .remedy("try again; do not take what has come for the whole"),
        }
    }
}

/// The first line of what is in the pipe, harmless to print.
fn excerpt(pipe: &Pipe) -> String {
    const SHOWN: usize = 48;
    let bytes = pipe
        .iter()
        .flat_map(|piece| piece.iter().copied())
        .take(SHOWN);
    let line: Vec<u8> = bytes
        .take_while(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect();
    line.escape_ascii().to_string()
}
