//! The filter: OpenSSL over the two pipes, one record at a time.

use std::sync::Arc;
use std::time::SystemTime;

use openssl::error::ErrorStack;
use openssl::pkey::Id;
use openssl::ssl::{ErrorCode, SslRef, SslStream, SslVersion};
use rustls_pki_types::ServerName;
use sockless_core::{Buf, ChannelBinding, Cx, Fault, Filter, Phase, Pipe, Seams, Status};

use super::error::Failure;
use super::settings::Shared;
use super::verify::Judge;
use super::wire::Wire;
use crate::record::{self, Broken, HEADER, RecordHeader, record_at};
use crate::{LAYER, UNVERIFIED, binding};

/// Most plaintext in a record (RFC 8446 section 5.1).
const MAX_PLAIN: usize = 16_384;
/// What sealing adds to a record, at most: header, explicit IV, MAC or tag, padding.
const MAX_ADDED: usize = HEADER + 256;
/// Records sealed in one step: what fits into the pool's largest buffer.
const MAX_RECORDS: usize = 16;
/// Plaintext that is opened into one buffer.
const BATCH: usize = 64 * 1024;
/// The least that sealing adds to a payload: the tag.
const TAG: usize = 16;

/// One connection's TLS.
///
/// ```text
/// pump ─> client hello ─> Handshake ─> Open ─┬─ their close_notify ─> app_in finished
///                             │         │    └─ app_out finished ──> our close_notify
///                             └─────────┴─> failed: an alert, then the same fault each time
/// ```
pub(super) struct TlsFilter {
    shared: Arc<Shared>,
    name: ServerName<'static>,
    stream: Option<(SslStream<Wire>, Arc<Judge>)>,
    failure: Option<Failure>,
    state: State,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// The peer has sent at least one TLS record.
    heard: bool,
    open: bool,
    peer_closed: bool,
    closed: bool,
}

impl TlsFilter {
    pub(super) fn new(shared: Arc<Shared>, name: ServerName<'static>) -> Self {
        Self {
            shared,
            name,
            stream: None,
            failure: None,
            state: State::default(),
        }
    }
}

impl Filter for TlsFilter {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn pump(&mut self, mut io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        if self.failure.is_none() {
            self.failure = self.advance(&mut io, cx).err();
        }
        match &self.failure {
            Some(failure) => Err(failure.fault()),
            None => Ok(Status::Stay),
        }
    }

    fn phase(&self) -> Phase {
        self.state.phase()
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        if self.state.peer_closed || self.failure.is_some() {
            return 1;
        }
        record::min(net_in, 0, self.phase(), above)
    }

    fn channel_binding(&self, kind: ChannelBinding) -> Option<Vec<u8>> {
        let (stream, _) = self.stream.as_ref().filter(|_| self.state.open)?;
        let ssl = stream.ssl();
        match kind {
            ChannelBinding::TlsServerEndPoint => {
                let certificate = ssl.peer_certificate()?.to_der().ok()?;
                binding::server_end_point(&certificate)
            }
            ChannelBinding::TlsExporter => {
                // RFC 9266 section 4.2: below TLS 1.3 only with an extended master secret.
                let is_unique =
                    ssl.version2() == Some(SslVersion::TLS1_3) || ssl.extms_support() == Some(true);
                let label = str::from_utf8(binding::LABEL).ok().filter(|_| is_unique)?;
                let mut secret = vec![0; binding::LENGTH];
                let done = ssl.export_keying_material(&mut secret, label, Some(b""));
                done.is_ok().then_some(secret)
            }
            _ => None,
        }
    }
}

impl TlsFilter {
    fn advance(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<(), Failure> {
        // What other users of OpenSSL left on this thread is not ours.
        drop(ErrorStack::get());
        let (stream, judge) = match &mut self.stream {
            Some(made) => made,
            none => none.insert(self.shared.connect(&self.name, cx.wall, cx.pool)?),
        };
        stream.get_mut().swap(io.net_in, io.net_out);
        let mut connection = Connection {
            stream,
            judge,
            shared: &self.shared,
            state: &mut self.state,
        };
        let went = connection.advance(io, cx);
        if went.is_err() && !self.state.open {
            self.shared.forget(judge);
        }
        stream.get_mut().swap(io.net_in, io.net_out);
        went
    }
}

impl State {
    fn phase(self) -> Phase {
        match self.open {
            true => Phase::Open,
            false => Phase::Handshake,
        }
    }
}

/// A filter's connection while it has the pipes.
struct Connection<'a> {
    stream: &'a mut SslStream<Wire>,
    judge: &'a Judge,
    shared: &'a Shared,
    state: &'a mut State,
}

impl Connection<'_> {
    fn advance(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<(), Failure> {
        if !self.state.open {
            // The client hello; later on there is nothing to read yet.
            self.shake_hands(cx)?;
        }
        let mut opened = None;
        let went = self.open_records(io.app_in, &mut opened, cx);
        hand_up(&mut opened, io.app_in);
        went?;
        if self.state.peer_closed {
            io.app_in.finish();
            // RFC 8446 section 6.1: what comes after close_notify is ignored.
            self.net_in().clear();
        }
        if self.state.open {
            self.seal(io.app_out, cx)?;
            self.close(io.app_out)?;
        }
        Ok(())
    }

    fn net_in(&mut self) -> &mut Pipe {
        self.stream.get_mut().net_in()
    }

    /// Opens record after record into `opened`, which it hands up when it is full.
    fn open_records(
        &mut self,
        app_in: &mut Pipe,
        opened: &mut Option<Buf>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Failure> {
        while !self.state.peer_closed {
            // What a record holds is known when it is open, and then it must be placed.
            if self.state.open && app_in.room() <= opened.as_ref().map_or(0, |buf| buf.len()) {
                return Ok(());
            }
            let Some(record) = self.next_record()? else {
                return self.starved();
            };
            if self.state.open {
                self.open_record(&record, app_in, opened, cx)?;
            } else {
                self.shake_hands(cx)?;
            }
            if !record.is_plausible() {
                // OpenSSL would wait for the rest of it.
                return Err(Failure::BadRecord(self.state.phase()));
            }
        }
        Ok(())
    }

    /// Lets OpenSSL see the next record, if it is whole; of one that cannot be right only
    /// the header, which it refuses.
    fn next_record(&mut self) -> Result<Option<RecordHeader>, Failure> {
        let heard = self.state.heard;
        let net_in = self.net_in();
        let Some(record) = record_at(net_in, 0) else {
            return Ok(None);
        };
        if !record.is_plausible() {
            if !heard {
                return Err(Broken::not_tls(net_in).into());
            }
            self.stream.get_mut().allow(HEADER);
            return Ok(Some(record));
        }
        if record.total() > net_in.len() {
            return Ok(None);
        }
        self.stream.get_mut().allow(record.total());
        self.state.heard = true;
        Ok(Some(record))
    }

    /// No whole record is left: is there an end instead?
    fn starved(&mut self) -> Result<(), Failure> {
        let state = *self.state;
        let net_in = self.net_in();
        if !net_in.is_finished() {
            return Ok(());
        }
        Err(Broken::by_end(net_in, state.heard, state.phase()).into())
    }

    fn shake_hands(&mut self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        match self.stream.connect() {
            Ok(()) => {}
            Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(()),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                return Err(Broken::ClosedInHandshake.into());
            }
            Err(error) => return Err(self.failed(&error)),
        }
        let ssl = self.stream.ssl();
        self.shared.check(ssl, self.judge)?;
        self.state.open = true;
        cx.note(LAYER, || agreement(ssl));
        if self.shared.is_unverified() {
            cx.note(LAYER, || UNVERIFIED.to_owned());
        }
        Ok(())
    }

    fn open_record(
        &mut self,
        record: &RecordHeader,
        app_in: &mut Pipe,
        opened: &mut Option<Buf>,
        cx: &Cx<'_>,
    ) -> Result<(), Failure> {
        let plain = record.payload().saturating_sub(TAG).min(MAX_PLAIN);
        if opened.as_ref().is_none_or(|buf| buf.spare() < plain) {
            hand_up(opened, app_in);
            let coming = self.net_in().len().min(app_in.room());
            *opened = Some(cx.buf(coming.max(plain).min(BATCH)));
        }
        loop {
            let buf = opened.get_or_insert_with(|| cx.buf(MAX_PLAIN));
            match self.stream.ssl_read(buf.spare_mut()) {
                Ok(n) => buf.grow(n),
                Err(error) if error.code() == ErrorCode::WANT_READ => return Ok(()),
                Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                    self.state.peer_closed = true;
                    return Ok(());
                }
                Err(error) => return Err(self.failed(&error)),
            }
            if self.stream.ssl().pending() == 0 && self.stream.get_ref().left() == 0 {
                return Ok(());
            }
            if buf.spare() == 0 {
                hand_up(opened, app_in);
            }
        }
    }

    fn seal(&mut self, app_out: &mut Pipe, cx: &mut Cx<'_>) -> Result<(), Failure> {
        while !app_out.is_empty() && self.stream.get_mut().net_out().room() > 0 {
            let room = self.stream.get_mut().net_out().room();
            let records = (room / (MAX_PLAIN + MAX_ADDED)).clamp(1, MAX_RECORDS);
            // OpenSSL takes one stretch at a time: a full record, where there is that much.
            let copied = app_out.join(MAX_PLAIN, |n| cx.buf(n));
            *cx.copied += copied as u64;
            let Some(front) = app_out.front() else {
                return Ok(());
            };
            let mut taken = front.len().min(records * MAX_PLAIN);
            if taken > MAX_PLAIN {
                // Whole records; the tail is joined with what follows it in the next round.
                taken -= taken % MAX_PLAIN;
            }
            let sealed = taken + taken.div_ceil(MAX_PLAIN) * MAX_ADDED;
            self.stream.get_mut().expect(sealed);
            let written = self.stream.ssl_write(&front[..taken]);
            app_out.consume(written.map_err(|error| self.failed(&error))?);
        }
        Ok(())
    }

    /// Says close_notify once the application has said its end.
    fn close(&mut self, app_out: &Pipe) -> Result<(), Failure> {
        if self.state.closed || !app_out.at_end() {
            return Ok(());
        }
        let said = self.stream.shutdown();
        said.map_err(|error| self.failed(&error))?;
        self.stream.get_mut().net_out().finish();
        self.state.closed = true;
        Ok(())
    }

    fn failed(&self, error: &openssl::ssl::Error) -> Failure {
        Failure::new(error, self.judge.verdict(), self.state.phase())
    }
}

fn hand_up(opened: &mut Option<Buf>, app_in: &mut Pipe) {
    if let Some(opened) = opened.take_if(|opened| !opened.is_empty()) {
        app_in.push(opened);
    }
}

impl Shared {
    /// A connection that has said nothing yet.
    fn connect(
        self: &Arc<Self>,
        name: &ServerName<'static>,
        wall: SystemTime,
        pool: &sockless_core::Pool,
    ) -> Result<(SslStream<Wire>, Arc<Judge>), Failure> {
        let now = wall.duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_err(|_| Failure::Clock)?;
        let (ssl, judge) = self.ssl(name, now).map_err(Failure::setup)?;
        let stream = SslStream::new(ssl, Wire::new(pool.clone())).map_err(Failure::setup)?;
        Ok((stream, judge))
    }
}

/// What both sides agreed on, e.g. `TLS 1.3, TLS_AES_256_GCM_SHA384, X25519, ALPN http/1.1, full`.
fn agreement(ssl: &SslRef) -> String {
    let mut parts = vec![ssl.version_str().replacen("TLSv", "TLS ", 1)];
    if let Some(cipher) = ssl.current_cipher() {
        let name = cipher.standard_name().unwrap_or_else(|| cipher.name());
        parts.push(name.to_owned());
    }
    if let Ok(key) = ssl.peer_tmp_key() {
        let curve = key.ec_key().ok();
        let curve = curve.and_then(|key| key.group().curve_name()?.short_name().ok());
        let group = match key.id() {
            Id::X25519 => Some("X25519"),
            Id::X448 => Some("X448"),
            _ => curve.map(crate::suites::group),
        };
        parts.extend(group.map(str::to_owned));
    }
    if let Some(protocol) = ssl.selected_alpn_protocol() {
        parts.push(format!("ALPN {}", protocol.escape_ascii()));
    }
    let kind = if ssl.session_reused() {
        "resumed"
    } else {
        "full"
    };
    parts.push(kind.to_owned());
    parts.join(", ")
}
