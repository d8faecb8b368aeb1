//! One channel as a byte stream.

use sockless_core::{Buf, Culprit, Cx, Fault, Pipe, Reason};

use super::gather::gather;
use crate::LAYER;
use crate::backend::{Backend, Event, Open};
use crate::message::Channel;

/// There is only one.
const CHANNEL: Channel = 0;

pub(super) struct Tunnel {
    host: String,
    port: u16,
    stage: Stage,
    /// We have said that nothing more follows.
    eof: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Closed,
    Opening,
    Open,
}

impl Tunnel {
    pub(super) fn new(host: String, port: u16) -> Self {
        Self {
            host,
            port,
            stage: Stage::Closed,
            eof: false,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Both directions have ended.
    pub(super) fn is_over(&self, app_in: &Pipe) -> bool {
        self.eof && app_in.is_finished()
    }

    pub(super) fn down(
        &mut self,
        app_out: &mut Pipe,
        mut budget: usize,
        backend: &mut dyn Backend,
        cx: &Cx<'_>,
    ) {
        match self.stage {
            Stage::Closed => {
                let (host, port) = (self.host.clone(), self.port);
                backend.open(CHANNEL, Open::DirectTcpip { host, port });
                self.stage = Stage::Opening;
            }
            Stage::Opening => {}
            Stage::Open => {
                while let Some(piece) = gather(app_out, backend.room(CHANNEL).min(budget), cx) {
                    budget -= piece.len();
                    backend.send(CHANNEL, piece);
                }
                if app_out.at_end() && !self.eof {
                    self.eof = true;
                    backend.eof(CHANNEL);
                }
            }
        }
    }

    pub(super) fn up(
        &mut self,
        event: Event,
        app_in: &mut Pipe,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        match event {
            Event::Opened(_) => {
                cx.note(LAYER, || format!("a way to {}", self.destination()));
                self.stage = Stage::Open;
            }
            Event::Refused(_, why) => return Err(self.refused(&why)),
            Event::Data(_, bytes) => put(app_in, bytes),
            Event::Eof(_) => app_in.finish(),
            Event::Closed(_) => {
                app_in.finish();
                // Nobody would hear what is left.
                self.eof = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn destination(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    fn refused(&self, why: &str) -> Fault {
        let what = format!("the peer opens no way to {}: {why}", self.destination());
        Fault::new(Culprit::Policy, Reason::Proxy, what)
            .remedy("is the address right as seen from there, and forwarding allowed?")
    }
}

/// A peer may not send after its EOF; one that does is not heard.
fn put(app_in: &mut Pipe, bytes: Buf) {
    if !app_in.is_finished() {
        app_in.push(bytes);
    }
}
