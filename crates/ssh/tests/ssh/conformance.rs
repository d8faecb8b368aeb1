//! The filter's manners, in both modes.

use std::time::{Instant, SystemTime};

use sockless_core::conformance::{self, Peer, Subject, Traits};
use sockless_core::{Buf, Cx, Fault, Filter, Phase, Pipe, Seams, Status};
use sockless_ssh::message::{self, Kind, Reader};
use sockless_ssh::{Algorithms, Ssh, Tuning};

use crate::server::{Manner, Server};
use crate::world::{alice, config};

/// The simplest key exchange, for many conversations.
fn filter(tunnel: bool) -> Ssh {
    let mut algorithms = Algorithms::default();
    algorithms.set(sockless_ssh::Kind::Kex, "curve25519-sha256");
    let client = config(alice())
        .algorithms(algorithms)
        .tuning(Tuning {
            packet: 16 * 1024,
            ..Tuning::default()
        })
        .build()
        .expect("good settings");
    match tunnel {
        true => client.tunnel("host", 22, ("beyond", 80)),
        false => client.channels("host", 22),
    }
    .expect("a filter")
}

struct Tunnel;

impl Subject for Tunnel {
    fn filter(&self) -> Box<dyn Filter> {
        Box::new(filter(true))
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(Other::new())
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        clocks()
    }

    fn traits(&self) -> Traits {
        traits()
    }
}

struct Channels;

impl Subject for Channels {
    fn filter(&self) -> Box<dyn Filter> {
        Box::new(Streamed::new(filter(false)))
    }

    fn peer(&self) -> Box<dyn Peer> {
        Box::new(Other::new())
    }

    fn clocks(&self) -> (Instant, SystemTime) {
        clocks()
    }

    fn traits(&self) -> Traits {
        traits()
    }
}

fn clocks() -> (Instant, SystemTime) {
    #[allow(clippy::disallowed_methods, reason = "tests begin at some time")]
    let now = Instant::now();
    (now, SystemTime::UNIX_EPOCH)
}

fn traits() -> Traits {
    let mut traits = Traits::default();
    // The connection goes on for the other direction's sake: window adjustments are ours to send.
    traits.half_close = false;
    // The library ends a session that has failed without a word.
    traits.last_words = false;
    traits.unit = 34 * 1024;
    traits.stride = 97;
    traits
}

/// The server's side of the one stream.
struct Other {
    server: Server,
    heard: usize,
    kept: Vec<u8>,
    finished: bool,
    ended: bool,
}

impl Other {
    fn new() -> Self {
        Self {
            server: Server::new(Manner::default()),
            heard: 0,
            kept: Vec::new(),
            finished: false,
            ended: false,
        }
    }

    fn flush(&mut self) {
        let open = self.server.seen.lock().expect("no panic").tunnel.is_some();
        if !open {
            return;
        }
        let kept = core::mem::take(&mut self.kept);
        if !kept.is_empty() {
            self.server.tell(&kept);
        }
        if core::mem::take(&mut self.finished) {
            self.server.tell_eof();
        }
    }
}

impl Peer for Other {
    fn hear(&mut self, wire: &[u8]) {
        self.server.hear(wire);
        self.flush();
    }

    fn speak(&mut self) -> Vec<u8> {
        self.flush();
        let (bytes, end) = self.server.speak();
        self.ended |= end;
        bytes
    }

    fn send(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
    }

    fn received(&mut self) -> Vec<u8> {
        let seen = self.server.seen.lock().expect("no panic");
        let fresh = seen.received[self.heard..].to_vec();
        self.heard = seen.received.len();
        fresh
    }

    fn finish(&mut self) {
        self.finished = true;
    }

    fn is_finished(&self) -> bool {
        self.ended
    }
}

/// One command's streams as a byte stream: what an exchange would do.
struct Streamed {
    filter: Ssh,
    up: Pipe,
    down: Pipe,
    reader: Reader,
    asked: bool,
    open: bool,
    eof: bool,
    closed: bool,
}

impl Streamed {
    fn new(filter: Ssh) -> Self {
        Self {
            filter,
            up: Pipe::new(16 * 1024),
            down: Pipe::new(16 * 1024),
            reader: Reader::new(),
            asked: false,
            open: false,
            eof: false,
            closed: false,
        }
    }

    fn say(&mut self, app_out: &mut Pipe, cx: &Cx<'_>) {
        if !core::mem::replace(&mut self.asked, true) {
            message::put(&mut self.down, cx, 1, Kind::Exec, Buf::from(&b"tunnel"[..]));
        }
        while self.open
            && self.down.room() > 0
            && let Some(piece) = app_out.pop_max(self.down.room())
        {
            message::put(&mut self.down, cx, 1, Kind::Data, piece);
        }
        if app_out.at_end() && !core::mem::replace(&mut self.eof, true) {
            message::put(&mut self.down, cx, 1, Kind::Eof, Buf::with_capacity(0));
        }
        if self.eof && self.closed {
            self.down.finish();
        }
    }

    fn hear(&mut self, app_in: &mut Pipe, cx: &mut Cx<'_>) {
        while app_in.room() > 0 {
            let Some(message) = self.reader.next(&mut self.up, app_in.room(), cx) else {
                break;
            };
            match message.kind {
                Kind::Opened => self.open = true,
                Kind::Data => app_in.push(message.payload),
                Kind::Eof => {
                    app_in.finish();
                    self.closed = true;
                }
                _ => {}
            }
        }
    }
}

impl Filter for Streamed {
    fn layer(&self) -> &'static str {
        "ssh"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        loop {
            let before = [&self.up, &self.down].map(Pipe::moved);
            self.say(io.app_out, cx);
            let seams = Seams {
                net_in: io.net_in,
                net_out: io.net_out,
                app_in: &mut self.up,
                app_out: &mut self.down,
            };
            let result = self.filter.pump(seams, cx);
            self.hear(io.app_in, cx);
            // Whoever has all of an answer does not care how the connection ends.
            if !io.app_in.is_finished() {
                result?;
            }
            if [&self.up, &self.down].map(Pipe::moved) == before {
                return Ok(Status::Stay);
            }
        }
    }

    fn phase(&self) -> Phase {
        match self.open {
            true => Phase::Open,
            false => Phase::Handshake,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.filter.deadline()
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        self.filter.min(net_in, above)
    }
}

macro_rules! cases {
    ($module:ident, $subject:expr) => {
        mod $module {
            use super::*;

            #[test]
            fn whole() {
                conformance::whole(&$subject);
            }
            #[test]
            fn byte_at_a_time() {
                conformance::byte_at_a_time(&$subject);
            }
            #[test]
            fn splits() {
                conformance::splits(&$subject);
            }
            #[test]
            fn partial_in_flight() {
                conformance::partial_in_flight(&$subject);
            }
            #[test]
            fn small_room() {
                conformance::small_room(&$subject);
            }
            #[test]
            fn directions() {
                conformance::directions(&$subject);
            }
            #[test]
            fn idle() {
                conformance::idle(&$subject);
            }
            #[test]
            fn min() {
                conformance::min(&$subject);
            }
            #[test]
            fn deadline() {
                conformance::deadline(&$subject);
            }
            #[test]
            fn fin() {
                conformance::fin(&$subject);
            }
            #[test]
            fn garbage() {
                conformance::garbage(&$subject);
            }
        }
    };
}

cases!(tunnel, Tunnel);
cases!(channels, Channels);
