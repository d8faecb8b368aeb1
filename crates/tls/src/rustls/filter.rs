//! The filter: records are opened inside the buffer that they were received in, and
//! sealed into the buffer that is sent.

use std::sync::Arc;

use rustls::crypto::Identity;
use rustls::crypto::cipher::OutboundPlain;
use rustls::enums::ProtocolVersion;
use rustls::pki_types::ServerName;
use rustls::{
    ClientConfig, ClientSide, Connection, HandshakeKind, KeyingMaterialExporter, SliceInput, Tcp,
};
use sockless_core::{Buf, ChannelBinding, Cx, Fault, Filter, Phase, Pipe, Seams, Status};

use super::clock;
use super::error::{Failure, is_no_record};
use super::settings::name;
use crate::binding;
use crate::record::{self, Broken, HEADER, record_at};
use crate::{LAYER, UNVERIFIED};

/// The longest record that is sent: rustls keeps ciphertext, not plaintext, within 16 KiB.
const MAX_SEALED: usize = HEADER + 16_384;
/// Most bytes kept for a handshake message whose end has not come. rustls allows
/// 64 KiB per message; headers, tags and a preceding message in the same record come on top.
const MAX_HELD: usize = 128 * 1024;
/// Records sealed in one step: what fits into the pool's largest buffer.
const MAX_RECORDS: usize = 16;
/// Pieces gathered in one step.
const MAX_PIECES: usize = 64;
/// A key update (RFC 8446 section 4.6.3) may be sealed in front of data and once more after it.
const KEY_UPDATES: usize = 2 * 32;

/// One connection's TLS.
///
/// ```text
/// pump ─> client hello ─> Handshake ─> Open ─┬─ their close_notify ─> app_in finished
///                             │         │    └─ app_out finished ──> our close_notify
///                             └─────────┴─> failed: an alert, then the same fault each time
/// ```
///
/// Invariant: rustls is shown whole records only, one at a time, at the front of one
/// piece. So all that it was shown is either consumed or `held`: the beginning of a
/// handshake message whose end has not come, which rustls refers to by offsets, and
/// which stays where it is until then.
pub(super) struct TlsFilter {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    connection: Option<Connection<ClientSide, Tcp>>,
    failure: Option<Failure>,
    /// Bytes at the front of `net_in` that rustls has processed and still refers to.
    held: usize,
    /// Plaintext in a full record; known with the cipher suite.
    record_plain: usize,
    /// The size of the last record on the wire, and whether the one before was as long.
    last_record: usize,
    steady: bool,
    /// The peer has sent at least one TLS record.
    heard: bool,
    /// Nobody checks who the peer is.
    unverified: bool,
    exporter: Option<KeyingMaterialExporter>,
    open: bool,
    peer_closed: bool,
    closed: bool,
}

impl TlsFilter {
    pub(super) fn new(
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        unverified: bool,
    ) -> Self {
        Self {
            config,
            name,
            connection: None,
            failure: None,
            held: 0,
            record_plain: MAX_SEALED - HEADER,
            last_record: 0,
            steady: false,
            heard: false,
            unverified,
            exporter: None,
            open: false,
            peer_closed: false,
            closed: false,
        }
    }
}

impl Filter for TlsFilter {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn pump(&mut self, mut io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        if self.failure.is_none() {
            let went = clock::at(cx.wall, || self.advance(&mut io, cx));
            self.failure = went.err();
        }
        match &self.failure {
            Some(failure) => Err(failure.fault()),
            None => Ok(Status::Stay),
        }
    }

    fn phase(&self) -> Phase {
        if self.open {
            Phase::Open
        } else {
            Phase::Handshake
        }
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        if self.peer_closed || self.failure.is_some() {
            return 1;
        }
        record::min(net_in, self.held, self.phase(), above)
    }

    fn channel_binding(&self, kind: ChannelBinding) -> Option<Vec<u8>> {
        if !self.open {
            return None;
        }
        match kind {
            ChannelBinding::TlsServerEndPoint => {
                let Identity::X509(chain) = self.connection.as_ref()?.peer_identity()?.identity()
                else {
                    return None;
                };
                binding::server_end_point(&chain.end_entity)
            }
            ChannelBinding::TlsExporter => {
                let exporter = self.exporter.as_ref()?;
                let secret = exporter.derive(binding::LABEL, Some(b""), [0; binding::LENGTH]);
                secret.ok().map(Vec::from)
            }
            _ => None,
        }
    }

    fn unit(&self) -> Option<usize> {
        (self.steady && self.open).then_some(self.last_record)
    }
}

impl TlsFilter {
    fn advance(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<(), Failure> {
        if self.connection.is_none() {
            self.start(io)?;
        }
        self.open_records(io, cx)?;
        if self.open {
            self.seal(io, cx)?;
            self.close(io)?;
        }
        Ok(())
    }

    /// Sends the client hello.
    fn start(&mut self, io: &mut Seams<'_>) -> Result<(), Failure> {
        let mut hello = Vec::new();
        let builder = self.config.connect(self.name.clone());
        let connection = builder
            .build(&mut hello)
            .map_err(|error| self.failed(error))?;
        self.connection = Some(connection);
        send(io.net_out, hello);
        Ok(())
    }

    fn open_records(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<(), Failure> {
        while !self.peer_closed {
            // What a record holds is known when it is open, and then it must be placed.
            if self.open && io.app_in.room() == 0 {
                return Ok(());
            }
            let Some(total) = self.next_record(io, cx)? else {
                return self.starved(io.net_in);
            };
            self.open_record(io, total)?;
            if !self.open {
                self.check_open(cx);
            }
        }
        // RFC 8446 section 6.1: what comes after close_notify is ignored.
        io.net_in.clear();
        Ok(())
    }

    /// Makes the next record lie in one piece; returns its end from the front of that piece.
    fn next_record(&self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Option<usize>, Failure> {
        let Some(record) = record_at(io.net_in, self.held) else {
            return Ok(None);
        };
        let end = if record.is_plausible() {
            self.held + record.total()
        } else {
            // rustls refuses it by its header: there is nothing to wait for.
            self.held + HEADER
        };
        if end > MAX_HELD {
            return Err(Failure::TooLong);
        }
        if end > io.net_in.len() {
            return Ok(None);
        }
        let copied = io.net_in.join(end, |n| cx.buf(n));
        *cx.copied += copied as u64;
        Ok(Some(end))
    }

    /// Opens the record that ends `end` bytes into the front piece and hands its plaintext up.
    fn open_record(&mut self, io: &mut Seams<'_>, end: usize) -> Result<(), Failure> {
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let Some(front) = io.net_in.front_mut() else {
            return Ok(());
        };
        let base = front.as_ptr().addr();
        let mut input = SliceInput::new(&mut front[..end]);
        // Allocates only when there is something to say: not for application data.
        let mut words = Vec::new();
        let mut handler = connection.read_tls(&mut input, &mut words);
        let opened = match handler.next_payload() {
            Some(Ok(payload)) => place(payload.bytes(), base, end),
            Some(Err(error)) => Err(error),
            None => Ok((0, 0)),
        };
        self.peer_closed = handler.state().peer_has_closed();
        let used = input.into_used();
        send(io.net_out, words);
        let (offset, len) = match opened {
            Ok(plain) => plain,
            Err(error) if !self.heard && is_no_record(&error) => {
                return Err(Broken::not_tls(io.net_in).into());
            }
            Err(error) => return Err(self.failed(error)),
        };
        self.heard = true;
        self.steady = self.last_record == end;
        self.last_record = end;
        self.held = end - used;
        if len > 0 {
            io.net_in.consume(offset);
            io.app_in.push(io.net_in.split(len));
        }
        io.net_in.consume(used - offset - len);
        if self.peer_closed {
            io.app_in.finish();
        }
        Ok(())
    }

    /// No whole record is left: is there an end instead?
    fn starved(&self, net_in: &Pipe) -> Result<(), Failure> {
        if !net_in.is_finished() {
            return Ok(());
        }
        Err(Broken::by_end(net_in, self.heard, self.phase()).into())
    }

    fn check_open(&mut self, cx: &mut Cx<'_>) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        self.open = !connection.is_handshaking();
        if self.open {
            self.record_plain = MAX_SEALED - HEADER - record_overhead(connection);
            // RFC 9266 section 4.2: below TLS 1.3 only with an extended master secret.
            let is_unique = connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
                || connection.extended_main_secret() == Some(true);
            if is_unique {
                self.exporter = connection.exporter().ok();
            }
            cx.note(LAYER, || agreement(connection));
            if self.unverified {
                cx.note(LAYER, || UNVERIFIED.to_owned());
            }
        }
    }

    fn seal(&mut self, io: &mut Seams<'_>, cx: &Cx<'_>) -> Result<(), Failure> {
        while !io.app_out.is_empty() && io.net_out.room() > 0 {
            let Some(connection) = &mut self.connection else {
                return Ok(());
            };
            let records = (io.net_out.room() / MAX_SEALED).clamp(1, MAX_RECORDS);
            let mut left = io.app_out.len().min(records * self.record_plain);
            if left > self.record_plain {
                // Whole records; the tail gets a buffer of its own size in the next round.
                left -= left % self.record_plain;
            }
            let mut pieces: [&[u8]; MAX_PIECES] = [&[]; MAX_PIECES];
            let (mut count, mut taken) = (0, 0);
            for (slot, piece) in pieces.iter_mut().zip(io.app_out.iter()) {
                if left == 0 {
                    break;
                }
                *slot = &piece[..left.min(piece.len())];
                (count, taken, left) = (count + 1, taken + slot.len(), left - slot.len());
            }
            // As rustls reserves it, so that the buffer is never outgrown.
            let record = taken.min(self.record_plain) + MAX_SEALED - self.record_plain;
            let sealed = taken.div_ceil(self.record_plain) * record;
            let mut buf = cx.buf(sealed + KEY_UPDATES);
            let plain = OutboundPlain::new(&pieces[..count]);
            let written = buf.append_with(|tls| connection.write(plain, tls));
            io.app_out.consume(taken);
            io.net_out.push(buf);
            written.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Says close_notify once the application has said its end.
    fn close(&mut self, io: &mut Seams<'_>) -> Result<(), Failure> {
        if self.closed || !io.app_out.at_end() {
            return Ok(());
        }
        let Some(connection) = &mut self.connection else {
            return Ok(());
        };
        let mut words = Vec::new();
        let said = connection.send_close_notify(&mut words);
        send(io.net_out, words);
        said.map_err(|error| self.failed(error))?;
        io.net_out.finish();
        self.closed = true;
        Ok(())
    }

    fn failed(&self, error: rustls::Error) -> Failure {
        Failure::Rustls(error, self.phase())
    }
}

/// Offset and length of plaintext that was opened in place, in a record at address
/// `base` with its end `end` bytes further; (0, 0) if it is empty.
fn place(plain: &[u8], base: usize, end: usize) -> Result<(usize, usize), rustls::Error> {
    let offset = plain.as_ptr().addr().wrapping_sub(base);
    match plain.len() {
        0 => Ok((0, 0)),
        len if offset <= end && len <= end - offset => Ok((offset, len)),
        _ => Err(rustls::Error::Unreachable(
            "plaintext that was not opened in place",
        )),
    }
}

/// Sends what rustls has to say, as the buffer that it is in, unless our direction has ended.
fn send(net_out: &mut Pipe, words: Vec<u8>) {
    if !words.is_empty() && !net_out.is_finished() {
        net_out.push(Buf::from(words));
    }
}

/// What sealing adds to a record's payload, in bytes: the tag, and the inner type of
/// TLS 1.3 or the explicit nonce of TLS 1.2's AES-GCM (RFC 5288 section 3).
fn record_overhead(connection: &Connection<ClientSide, Tcp>) -> usize {
    const TAG: usize = 16;
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| format!("{:?}", suite.suite()));
    match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => TAG + 1,
        _ if suite.is_some_and(|suite| suite.contains("CHACHA20")) => TAG,
        _ => TAG + 8,
    }
}

/// What both sides agreed on, e.g. `TLS 1.3, TLS_AES_256_GCM_SHA384, X25519, ALPN http/1.1, full`.
fn agreement(connection: &Connection<ClientSide, Tcp>) -> String {
    let mut parts = Vec::new();
    parts.push(match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3".to_owned(),
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2".to_owned(),
        other => format!("{other:?}"),
    });
    if let Some(suite) = connection.negotiated_cipher_suite() {
        parts.push(name(suite.suite()));
    }
    if let Some(group) = connection.negotiated_key_exchange_group() {
        parts.push(format!("{:?}", group.name()));
    }
    if let Some(protocol) = connection.alpn_protocol() {
        parts.push(format!("ALPN {}", protocol.as_ref().escape_ascii()));
    }
    let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
    parts.push(if resumed { "resumed" } else { "full" }.to_owned());
    parts.join(", ")
}
