//! The SSH layer: a login below, channels or a tunnel above, a library in between.
//!
//! ```text
//!            channels: messages            tunnel: a byte stream
//!                 ^  |                           ^  |
//!   app_in -------+  +---- app_out    app_in ----+  +---- app_out
//!                 channels.rs                   tunnel.rs
//!                        \                         /
//!                     login, then events and commands
//!                                  |
//!                         dyn Backend (russh, ...)
//!   net_in ----------------------->+-----------------------> net_out
//! ```
//! What arrives is always taken and told to the library, up to one window of data that the layer
//! above does not take: so a window adjustment is never stuck behind data, and nothing grows without
//! bound. What goes down is taken as far as the peer's window and `net_out` have room.

mod channels;
mod clocks;
mod gather;
mod tunnel;

use std::time::Instant;

use sockless_core::{Culprit, Cx, Fault, Filter, Phase, Pipe, Reason, Seams, Status};

use self::channels::Channels;
use self::clocks::Clocks;
use self::tunnel::Tunnel;
use crate::LAYER;
use crate::backend::{Backend, Event, Farewell};
use crate::client::Tuning;
use crate::login::Login;

/// What stands above.
pub(crate) enum Mode {
    /// A protocol that speaks [`message`](crate::message)s.
    Channels,
    /// Anything: the stream leads to that host.
    Tunnel { host: String, port: u16 },
}

/// The filter; made by a [`Client`](crate::Client).
///
/// With [`Client::channels`](crate::Client::channels) what is above it speaks
/// [`message`](crate::message)s; with [`Client::tunnel`](crate::Client::tunnel) it is a byte
/// stream, and any layer can stand on it, TLS or another SSH.
pub struct Ssh {
    backend: Box<dyn Backend>,
    login: Login,
    above: Above,
    clocks: Clocks,
    ended: Option<Ended>,
}

/// One of the two, for as long as the connection lives.
enum Above {
    Channels(Channels),
    Tunnel(Tunnel),
}

/// How it ended.
enum Ended {
    /// Both sides have said what they had to.
    Well,
    Badly {
        culprit: Culprit,
        reason: Reason,
        what: String,
        remedy: Option<&'static str>,
    },
}

/// What is left to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Going {
    On,
    /// Nothing more is to be said or heard: say farewell.
    Over,
}

impl Ssh {
    pub(crate) fn new(backend: Box<dyn Backend>, login: Login, mode: Mode, tuning: Tuning) -> Self {
        let above = match mode {
            Mode::Channels => Above::Channels(Channels::default()),
            Mode::Tunnel { host, port } => Above::Tunnel(Tunnel::new(host, port)),
        };
        Self {
            backend,
            login,
            above,
            clocks: Clocks::new(tuning),
            ended: None,
        }
    }

    fn drive(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Going, Fault> {
        let heard = io.net_in.moved();
        loop {
            if self.login.is_done() {
                let budget = io.net_out.room();
                let backend = &mut *self.backend;
                match &mut self.above {
                    Above::Channels(it) => it.down(io.app_out, io.app_in, budget, backend, cx),
                    Above::Tunnel(it) => it.down(io.app_out, budget, backend, cx),
                }
            }
            let before = io.net_in.moved();
            self.backend.pump(io.net_in, io.net_out, cx);
            let mut moved = io.net_in.moved() != before;
            moved |= self.login.go_on(&mut *self.backend, cx)?;
            moved |= self.events(io, cx)?;
            let going = self.going(io);
            if going == Going::Over || !moved {
                let heard = io.net_in.moved() != heard;
                self.clocks
                    .tick(heard, self.login.is_done(), &mut *self.backend, cx)?;
                // What the last steps and the clocks asked for.
                self.backend.pump(&mut Pipe::new(0), io.net_out, cx);
                return Ok(going);
            }
        }
    }

    /// Hands on what has happened, as far as there is room; says whether there was anything.
    fn events(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<bool, Fault> {
        let mut any = false;
        while !self.login.is_done() || io.app_in.room() > 0 {
            let Some(event) = self.backend.next(io.app_in.room(), cx) else {
                break;
            };
            any = true;
            let backend = &mut *self.backend;
            if !self.login.is_done() {
                self.login.take(event, backend, cx)?;
                continue;
            }
            match event {
                Event::Failed(fault) => return self.above.failed(fault, io.app_in).map(|()| any),
                Event::Disconnected { code, text } => {
                    return self.above.left(code, &text, io.app_in).map(|()| any);
                }
                Event::Banner(_) | Event::HostKey { .. } => {}
                event => match &mut self.above {
                    Above::Channels(it) => it.up(event, io.app_in, backend, cx),
                    Above::Tunnel(it) => it.up(event, io.app_in, cx)?,
                },
            }
        }
        Ok(any)
    }

    fn going(&self, io: &Seams<'_>) -> Going {
        let over = match &self.above {
            _ if !self.login.is_done() => io.app_out.at_end(),
            Above::Channels(it) => it.is_over(io.app_out) || io.app_in.is_finished(),
            Above::Tunnel(it) => it.is_over(io.app_in),
        };
        match over {
            true => Going::Over,
            false => Going::On,
        }
    }

    /// Says farewell, if nobody has, and nothing after it.
    fn end(&mut self, why: Farewell, io: &mut Seams<'_>, cx: &mut Cx<'_>) {
        self.backend.disconnect(why, "");
        self.backend.pump(&mut Pipe::new(0), io.net_out, cx);
        io.net_out.finish();
    }
}

impl Above {
    /// The connection has broken. A tunnel whose other end has said all does not mind.
    fn failed(&self, fault: Fault, app_in: &Pipe) -> Result<(), Fault> {
        match self {
            Self::Tunnel(_) if app_in.is_finished() => Ok(()),
            _ => Err(fault),
        }
    }

    /// The peer has said farewell.
    fn left(&self, code: u32, text: &str, app_in: &mut Pipe) -> Result<(), Fault> {
        if code == Farewell::ByApplication as u32 || app_in.is_finished() {
            app_in.finish();
            return Ok(());
        }
        let what = format!(
            "the peer ended the connection: \"{}\" (code {code})",
            text.escape_debug()
        );
        Err(Fault::new(Culprit::PeerMisbehaved, Reason::Receive, what))
    }
}

impl Filter for Ssh {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn pump(&mut self, mut io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        match &self.ended {
            Some(Ended::Well) => {
                io.net_in.clear();
                return Ok(Status::Stay);
            }
            Some(Ended::Badly { .. }) => return Err(self.again()),
            None => {}
        }
        match self.drive(&mut io, cx) {
            Ok(Going::On) => Ok(Status::Stay),
            Ok(Going::Over) => {
                self.end(Farewell::ByApplication, &mut io, cx);
                io.app_in.finish();
                io.net_in.clear();
                self.ended = Some(Ended::Well);
                Ok(Status::Stay)
            }
            Err(fault) => {
                self.end(Farewell::ProtocolError, &mut io, cx);
                self.ended = Some(Ended::Badly {
                    culprit: fault.culprit,
                    reason: fault.reason,
                    what: fault.what.clone(),
                    remedy: fault.remedy,
                });
                Err(fault)
            }
        }
    }

    fn phase(&self) -> Phase {
        let open = match &self.above {
            Above::Channels(_) => self.login.is_done(),
            Above::Tunnel(tunnel) => tunnel.is_open(),
        };
        match open || self.ended.is_some() {
            true => Phase::Open,
            false => Phase::Handshake,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self.ended {
            Some(_) => None,
            None => [self.clocks.deadline(), self.backend.deadline()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        match self.backend.held() {
            Some(held) => above.saturating_sub(net_in.len() + held).max(1),
            None => 1,
        }
    }
}

impl Ssh {
    fn again(&self) -> Fault {
        match &self.ended {
            Some(Ended::Badly {
                culprit,
                reason,
                what,
                remedy,
            }) => {
                let mut fault = Fault::new(*culprit, *reason, what.clone());
                fault.remedy = *remedy;
                fault
            }
            _ => Fault::new(Culprit::Misuse, Reason::Misuse, "the connection has ended"),
        }
    }
}

impl core::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Ssh")
            .field(
                "mode",
                &match self.above {
                    Above::Channels(_) => "channels",
                    Above::Tunnel(_) => "tunnel",
                },
            )
            .field("library", &self.backend.name())
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}
