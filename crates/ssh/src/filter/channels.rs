//! Channels under the numbers of the protocol above, and those that are kept for the next one.
//!
//! ```text
//!   Exec, Subsystem -> opening -> open <-> parked
//!                         |        |         |
//!                      Refused   Closed   (closed in silence)
//! ```

use std::collections::BTreeMap;

use sockless_core::{Buf, Cx, Pipe};

use super::gather::gather;
use crate::backend::{Backend, Event, Open};
use crate::message::{self, Channel, Kind, Message, Reader};

/// Bytes that may wait for windows in all channels together: what is behind them in the seam
/// waits too.
const WAITING: usize = 256 * 1024;

/// Channels of subsystems that are kept.
const PARKED: usize = 8;

#[derive(Default)]
pub(super) struct Channels {
    reader: Reader,
    /// By the backend's number, which is ours to choose.
    lines: BTreeMap<Channel, Line>,
    last: Channel,
    parked: Vec<Parked>,
    /// What is put into the seam before anything else, when there is room.
    answers: Vec<(Channel, Kind, Buf)>,
    waiting: usize,
}

struct Line {
    /// The number above.
    above: Channel,
    /// The subsystem's name.
    subsystem: Option<String>,
    open: bool,
    /// What waits for the peer's window.
    down: Pipe,
    eof: End,
    close: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Far,
    Wanted,
    Said,
}

struct Parked {
    number: Channel,
    subsystem: String,
    payload: Buf,
}

impl Channels {
    /// Nothing more is to be said, and all of it is on its way.
    pub(super) fn is_over(&self, app_out: &Pipe) -> bool {
        app_out.at_end() && self.waiting == 0
    }

    pub(super) fn down(
        &mut self,
        app_out: &mut Pipe,
        app_in: &mut Pipe,
        mut budget: usize,
        backend: &mut dyn Backend,
        cx: &mut Cx<'_>,
    ) {
        loop {
            loop {
                let most = budget.min(WAITING).saturating_sub(self.waiting);
                let Some(message) = self.reader.next(app_out, most, cx) else {
                    break;
                };
                self.asked(message, backend);
            }
            let waiting = self.waiting;
            self.send(&mut budget, backend, cx);
            if self.waiting == waiting {
                break;
            }
        }
        for (channel, kind, payload) in core::mem::take(&mut self.answers) {
            message::put(app_in, cx, channel, kind, payload);
        }
    }

    fn asked(&mut self, message: Message, backend: &mut dyn Backend) {
        let Message {
            channel,
            kind,
            payload,
        } = message;
        match kind {
            Kind::Exec => self.open(channel, None, Open::Exec(payload.to_vec()), backend),
            Kind::Subsystem => {
                let name = String::from_utf8_lossy(&payload).into_owned();
                let parked = self.parked.iter().position(|it| it.subsystem == name);
                match parked.map(|at| self.parked.remove(at)) {
                    Some(parked) => self.unpark(channel, parked),
                    None => self.open(channel, Some(name.clone()), Open::Subsystem(name), backend),
                }
            }
            _ => {
                let line = self
                    .lines
                    .iter_mut()
                    .find(|(_, line)| line.above == channel);
                let Some((&number, line)) = line else {
                    return;
                };
                match kind {
                    Kind::Data if line.eof == End::Far => {
                        self.waiting += payload.len();
                        line.down.push(payload);
                    }
                    Kind::Eof if line.eof == End::Far => line.eof = End::Wanted,
                    Kind::Closed if line.close == End::Far => line.close = End::Wanted,
                    Kind::Park => self.park(number, payload, backend),
                    _ => {}
                }
            }
        }
    }

    fn open(
        &mut self,
        above: Channel,
        subsystem: Option<String>,
        kind: Open,
        backend: &mut dyn Backend,
    ) {
        self.last = self.last.wrapping_add(1);
        let line = Line {
            above,
            subsystem,
            open: false,
            down: Pipe::new(WAITING),
            eof: End::Far,
            close: End::Far,
        };
        self.lines.insert(self.last, line);
        backend.open(self.last, kind);
    }

    fn park(&mut self, number: Channel, payload: Buf, backend: &mut dyn Backend) {
        let Some(line) = self.lines.remove(&number) else {
            return;
        };
        self.waiting -= line.down.len();
        let clean = line.open && line.down.is_empty() && line.eof == End::Far;
        match line.subsystem {
            Some(subsystem) if clean && self.parked.len() < PARKED => {
                self.parked.push(Parked {
                    number,
                    subsystem,
                    payload,
                });
            }
            _ => backend.close(number),
        }
    }

    fn unpark(&mut self, above: Channel, parked: Parked) {
        let line = Line {
            above,
            subsystem: Some(parked.subsystem),
            open: true,
            down: Pipe::new(WAITING),
            eof: End::Far,
            close: End::Far,
        };
        self.lines.insert(parked.number, line);
        self.answers.push((above, Kind::Opened, parked.payload));
    }

    /// Sends what windows and budget allow, and the ends behind it.
    fn send(&mut self, budget: &mut usize, backend: &mut dyn Backend, cx: &Cx<'_>) {
        for (&number, line) in &mut self.lines {
            if !line.open {
                continue;
            }
            while let Some(piece) = gather(&mut line.down, backend.room(number).min(*budget), cx) {
                *budget -= piece.len();
                self.waiting -= piece.len();
                backend.send(number, piece);
            }
            if !line.down.is_empty() {
                continue;
            }
            if line.eof == End::Wanted {
                line.eof = End::Said;
                backend.eof(number);
            }
            if line.close == End::Wanted {
                line.close = End::Said;
                backend.close(number);
            }
        }
    }

    pub(super) fn up(
        &mut self,
        event: Event,
        app_in: &mut Pipe,
        backend: &mut dyn Backend,
        cx: &Cx<'_>,
    ) {
        let (number, kind, payload) = match event {
            Event::Opened(number) => (number, Kind::Opened, Buf::with_capacity(0)),
            Event::Refused(number, why) => (number, Kind::Refused, Buf::from(why.as_bytes())),
            Event::Data(number, bytes) => (number, Kind::Data, bytes),
            Event::Stderr(number, bytes) => (number, Kind::Stderr, bytes),
            Event::Eof(number) => (number, Kind::Eof, Buf::with_capacity(0)),
            Event::ExitStatus(number, code) => {
                (number, Kind::ExitStatus, Buf::from(&code.to_be_bytes()[..]))
            }
            Event::ExitSignal(number, name) => {
                (number, Kind::ExitSignal, Buf::from(name.as_bytes()))
            }
            Event::Closed(number) => (number, Kind::Closed, Buf::with_capacity(0)),
            _ => return,
        };
        let Some(line) = self.lines.get_mut(&number) else {
            return self.unasked(number, kind, backend);
        };
        let above = line.above;
        match kind {
            Kind::Opened => {
                line.open = true;
                // It was closed before it was open: that is all there is to say.
                if line.close != End::Far {
                    return;
                }
            }
            Kind::Refused | Kind::Closed => {
                self.waiting -= line.down.len();
                self.lines.remove(&number);
            }
            _ => {}
        }
        if !app_in.is_finished() {
            message::put(app_in, cx, above, kind, payload);
        }
    }

    /// On a parked channel nothing may happen but its end.
    fn unasked(&mut self, number: Channel, kind: Kind, backend: &mut dyn Backend) {
        let Some(at) = self.parked.iter().position(|it| it.number == number) else {
            return;
        };
        self.parked.remove(at);
        if kind != Kind::Closed {
            backend.close(number);
        }
    }
}
