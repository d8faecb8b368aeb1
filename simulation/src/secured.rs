//! A peer behind TLS: rustls' own server, in memory.

use std::sync::Arc;
use std::time::Instant;

use rustls::crypto::cipher::OutboundPlain;
use rustls::{Connection, ServerConfig, ServerSide, SliceInput, Tcp};
use sockless_sim::{Peer, Wire};

/// What TLS adds to a record, at most.
const OVERHEAD: usize = 64;

/// A full record of rustls' in TLS 1.3, and what it holds. Servers write whole ones while they
/// have enough to say.
const RECORD: usize = 16_389;
const RECORD_PLAIN: usize = 16_367;

/// Speaks TLS towards the network, and for `inner` in the clear.
pub struct Secured<P> {
    inner: P,
    tls: Option<Connection<ServerSide, Tcp>>,
    plain: Wire,
    /// From the network, not opened yet.
    unread: Vec<u8>,
    finished: bool,
    /// The most room that there ever was: with enough of it, nothing short is written.
    widest: usize,
}

impl<P: Peer> Secured<P> {
    /// `inner` behind TLS with these settings.
    pub fn new(inner: P, config: &Arc<ServerConfig>) -> Self {
        Self {
            inner,
            tls: Connection::<ServerSide, Tcp>::new(Arc::clone(config)).ok(),
            plain: Wire::default(),
            unread: Vec::new(),
            finished: false,
            widest: 0,
        }
    }
}

impl<P: Peer> Peer for Secured<P> {
    fn pump(&mut self, wire: &mut Wire, now: Instant) {
        let Some(tls) = &mut self.tls else {
            wire.finish = true;
            return;
        };
        // Part of a record is the server's to keep: a window may be smaller than a record.
        self.unread.append(&mut wire.input);
        let mut input = SliceInput::new(&mut self.unread);
        let opened = tls
            .read_tls(&mut input, &mut wire.output)
            .handle_all(&mut self.plain.input);
        let used = input.into_used();
        self.unread.drain(..used);
        match opened {
            Ok(state) => self.plain.input_finished |= state.peer_has_closed(),
            Err(_) => {
                // The alert is in the output already.
                self.tls = None;
                wire.finish = true;
                return;
            }
        }
        if wire.input_finished {
            self.plain.input_finished = true;
        }
        if tls.is_handshaking() {
            wire.finish |= wire.input_finished;
            return;
        }
        let room = wire.room.saturating_sub(wire.output.len() + OVERHEAD);
        self.widest = self.widest.max(room);
        self.plain.room = match room / RECORD {
            0 if self.widest >= 4 * RECORD => 0,
            0 => room,
            records => records * RECORD_PLAIN,
        };
        self.inner.pump(&mut self.plain, now);
        let said = core::mem::take(&mut self.plain.output);
        if !said.is_empty() {
            // It fails when a key is used up, which no run is long enough for.
            let _ = tls.write(OutboundPlain::Single(&said), &mut wire.output);
        }
        if self.plain.finish && !core::mem::replace(&mut self.finished, true) {
            let _ = tls.send_close_notify(&mut wire.output);
            wire.finish = true;
        }
        wire.reset |= self.plain.reset;
    }

    fn deadline(&self) -> Option<Instant> {
        self.inner.deadline()
    }
}
