//! A connection's layers, and the pipes between them.

use std::time::Instant;

use crate::exchange::{Body, Events, Exchange, Top, Turn};
use crate::filter::{Cx, Filter, Phase, Seams, Status};
use crate::{ChannelBinding, Error, Fault, Pipe, Reason};

/// Filters from the socket upward, driven up and then down.
///
/// ```text
///   exchange (http)        from_peer ^   | to_peer
///   --------------- seam 1 ----------+---+---------
///   filter (tls)             net_in  ^   | net_out
///   --------------- seam 0 ----------+---+---------
///   Recv completion -----------------+   +--> Send operation
/// ```
pub struct Stack {
    filters: Vec<Box<dyn Filter>>,
    seams: Vec<Seam>,
    /// The first failure. Layers above the broken one may still use what they have.
    fault: Option<Error>,
    broken: Option<usize>,
    /// The usual bound of each pipe.
    pipe: usize,
    /// Movement on pipes that went away with their filters.
    gone: u64,
}

/// The largest unit (message, packet, head) that a layer may need whole.
pub(crate) const MAX_UNIT: usize = 1024 * 1024;

#[derive(Debug)]
struct Seam {
    up: Pipe,
    down: Pipe,
}

/// How far a pump came.
#[derive(Debug)]
pub enum Pumped {
    /// Nothing more can be done without input, room, time or the application.
    Blocked,
    /// The turn is used up; there is more to do.
    Again,
    /// The exchange is complete.
    Finished {
        /// Whether the connection is clean.
        reusable: bool,
    },
    /// A layer is broken, and all that could be used before that was used.
    Failed(Error),
}

/// The transfer on top of the stack during one pump.
pub struct Driven<'a> {
    /// Its protocol.
    pub exchange: &'a mut dyn Exchange,
    /// Its events.
    pub events: &'a mut Events,
    /// Its request body.
    pub body: &'a mut Body,
}

impl Stack {
    /// A stack of these filters, bottom first, with pipes of `pipe` bytes.
    pub fn new(filters: Vec<Box<dyn Filter>>, pipe: usize) -> Self {
        let seam = || Seam {
            up: Pipe::new(pipe),
            down: Pipe::new(pipe),
        };
        let seams = (0..=filters.len()).map(|_| seam()).collect();
        Self {
            filters,
            seams,
            fault: None,
            broken: None,
            pipe,
            gone: 0,
        }
    }

    /// What arrives from the socket.
    pub fn net_in(&mut self) -> &mut Pipe {
        &mut self.seams[0].up
    }

    /// What goes to the socket.
    pub fn net_out(&mut self) -> &mut Pipe {
        &mut self.seams[0].down
    }

    /// Both pipes at the top: from the peer, to the peer.
    pub fn top(&mut self) -> (&mut Pipe, &mut Pipe) {
        let seam = self
            .seams
            .last_mut()
            .expect("a stack has at least one seam");
        (&mut seam.up, &mut seam.down)
    }

    /// Grows with every byte that comes up to the top or is taken there.
    pub(crate) fn heard(&self) -> u64 {
        let up = self.seams.last().map(|seam| &seam.up);
        up.map_or(0, |up| up.moved() - u64::from(up.is_finished()))
    }

    /// The layers' names, bottom first.
    pub fn layers(&self) -> impl Iterator<Item = &'static str> {
        self.filters.iter().map(|filter| filter.layer())
    }

    /// Handshake as long as any layer is in one.
    pub fn phase(&self) -> Phase {
        match self.handshaking() {
            Some(_) => Phase::Handshake,
            None => Phase::Open,
        }
    }

    /// The lowest layer that is still in its handshake.
    pub fn handshaking(&self) -> Option<&'static str> {
        let mut filters = self.filters.iter();
        let filter = filters.find(|filter| filter.phase() == Phase::Handshake)?;
        Some(filter.layer())
    }

    /// The earliest deadline of any layer.
    pub fn deadline(&self) -> Option<Instant> {
        self.filters
            .iter()
            .filter_map(|filter| filter.deadline())
            .min()
    }

    /// The transport failed: layers may use what they have, then the transfer fails with this.
    pub fn cut(&mut self, error: Error) {
        self.fault.get_or_insert(error);
    }

    /// Whether something has failed already.
    pub fn is_cut(&self) -> bool {
        self.fault.is_some()
    }

    /// Whether more input is what the stack waits for, rather than room above.
    pub fn is_starved(&self, events: Option<&Events>) -> bool {
        match self.seams.get(1) {
            Some(above) => above.up.room() > 0,
            None => events.is_none_or(|events| events.room() > 0),
        }
    }

    /// How many bytes from the socket make waking up worth it, given that the
    /// exchange is sure to get `expects` more; at least 1, at most `most`.
    pub fn min(&self, expects: u64, most: usize) -> usize {
        let queued = self.seams.last().map_or(0, |seam| seam.up.len());
        let expects = usize::try_from(expects).unwrap_or(usize::MAX);
        let above = expects.saturating_sub(queued).max(1);
        let layers = self.filters.iter().zip(&self.seams).rev();
        let wire = layers.fold(above, |above, (filter, seam)| {
            // Nothing is sure to come to those above a layer in its handshake.
            let above = match filter.phase() {
                Phase::Handshake => 1,
                Phase::Open => above,
            };
            filter.min(&seam.up, above).max(1)
        });
        wire.clamp(1, most.max(1))
    }

    /// Whether no layer has more to say once `sent` bytes are out: nothing waits on its way
    /// down, and none of them had to wait for room below.
    pub(crate) fn has_said_all(&self, sent: usize) -> bool {
        let quiet = |seam: &Seam| seam.down.is_empty() && !seam.down.is_finished();
        sent < self.seams[0].down.limit()
            && self.seams.iter().all(quiet)
            && self.handshaking().is_none()
    }

    /// The lowest layer's [`Filter::unit`].
    pub(crate) fn unit(&self) -> Option<usize> {
        self.filters.first()?.unit()
    }

    /// Drives all layers until nothing moves, at most `rounds` times.
    pub fn pump(&mut self, mut top: Option<Driven<'_>>, cx: &mut Cx<'_>, rounds: usize) -> Pumped {
        for _ in 0..rounds.max(1) {
            let before = self.moved();
            // An exchange goes as far as it can at once; only layers below give it more.
            let alone = self.filters.is_empty();
            self.sweep_up(cx);
            // A request begins when it can be sent: its own clocks start with it.
            let begins = self.phase() == Phase::Open || !self.top().0.is_empty();
            if let Some(driven) = top.as_mut().filter(|_| begins) {
                match self.drive(driven, cx) {
                    Ok(Turn::Blocked) => {}
                    Ok(Turn::Finished { reusable }) => {
                        self.sweep_down(cx);
                        return Pumped::Finished {
                            reusable: reusable && self.fault.is_none(),
                        };
                    }
                    Err(error) => {
                        self.sweep_down(cx);
                        return Pumped::Failed(self.fault.take().unwrap_or(error));
                    }
                }
            }
            self.sweep_down(cx);
            if alone || self.moved() == before {
                let room = top.as_ref().map(|driven| driven.events.room());
                if self.widen(room.unwrap_or(0)) {
                    continue;
                }
                if room == Some(0) {
                    // The application has not taken what came before the failure.
                    return Pumped::Blocked;
                }
                let fault = self.fault.take().map(|error| unfinished(&top, error));
                return fault.map_or(Pumped::Blocked, Pumped::Failed);
            }
        }
        Pumped::Again
    }

    /// A layer that has room above it and takes nothing from a full pipe waits for the
    /// rest of a unit larger than that: the pipe grows, up to [`MAX_UNIT`].
    fn widen(&mut self, events: usize) -> bool {
        for at in 1..self.seams.len() {
            let above = self.seams.get(at + 1).map_or(events, |seam| seam.up.room());
            let up = &mut self.seams[at].up;
            let waits = above > 0 && up.room() == 0 && !up.is_finished();
            if !waits || self.broken == Some(at) {
                continue;
            }
            if up.limit() < MAX_UNIT {
                up.set_limit((up.limit() * 2).clamp(1, MAX_UNIT));
                return true;
            }
            let what = format!("{} bytes and no complete message in them", up.len());
            let fault = Fault::misbehaved(Reason::Malformed, what);
            self.fault.get_or_insert_with(|| fault.at("stack"));
        }
        false
    }

    fn drive(&mut self, driven: &mut Driven<'_>, cx: &mut Cx<'_>) -> Result<Turn, Error> {
        let seam = self
            .seams
            .last_mut()
            .expect("a stack has at least one seam");
        let top = Top {
            from_peer: &mut seam.up,
            to_peer: &mut seam.down,
            events: driven.events,
            body: driven.body,
        };
        let layer = driven.exchange.layer();
        if let Some(kind) = driven.exchange.binds_to() {
            driven.exchange.bind(binding(&self.filters, kind));
        }
        driven
            .exchange
            .pump(top, cx)
            .map_err(|fault| fault.at(layer))
    }

    fn sweep_up(&mut self, cx: &mut Cx<'_>) {
        let mut at = 0;
        while at < self.filters.len() {
            if !self.pump_at(at, cx) {
                at += 1;
            }
        }
    }

    fn sweep_down(&mut self, cx: &mut Cx<'_>) {
        for at in (0..self.filters.len()).rev() {
            self.pump_at(at, cx);
        }
    }

    /// Pumps one filter; says whether it left, so that another one stands in its place.
    fn pump_at(&mut self, at: usize, cx: &mut Cx<'_>) -> bool {
        if self.broken == Some(at) {
            return false;
        }
        let (below, above) = self.seams.split_at_mut(at + 1);
        let (below, above) = (&mut below[at], &mut above[0]);
        let seams = Seams {
            net_in: &mut below.up,
            net_out: &mut below.down,
            app_in: &mut above.up,
            app_out: &mut above.down,
        };
        let (lower, upper) = self.filters.split_at_mut(at);
        let filter = &mut upper[0];
        if let Some(kind) = filter.binds_to() {
            // Until those below are open, there is no channel to be tied to.
            if lower.iter().any(|layer| layer.phase() == Phase::Handshake) && self.fault.is_none() {
                return false;
            }
            filter.bind(binding(lower, kind));
        }
        match filter.pump(seams, cx) {
            Ok(Status::Stay) => false,
            Ok(Status::Leave) => {
                self.take_out(at);
                true
            }
            Err(fault) => {
                self.fault.get_or_insert_with(|| fault.at(filter.layer()));
                self.broken.get_or_insert(at);
                false
            }
        }
    }

    /// Removes a filter whose work is done. What lies on its seams keeps its order:
    /// opened bytes come before those that are still below it.
    fn take_out(&mut self, at: usize) {
        drop(self.filters.remove(at));
        self.broken = self.broken.map(|broken| broken - usize::from(broken > at));
        let mut above = self.seams.remove(at + 1);
        let below = &mut self.seams[at];
        let movement = [&above.up, &above.down, &below.up].map(Pipe::moved);
        // Its leaving is a move, whatever else moved.
        self.gone += movement.iter().sum::<u64>() + 2;
        let mut up = Pipe::new(below.up.limit());
        while let Some(piece) = above.up.pop() {
            up.push(piece);
        }
        below.up.drain_into(&mut up);
        below.up = up;
        above.down.drain_into(&mut below.down);
    }

    /// Gives back queue memory of empty pipes: an idle connection holds next to nothing.
    pub fn shrink(&mut self) {
        for seam in &mut self.seams {
            seam.up.set_limit(self.pipe);
            seam.up.shrink();
            seam.down.shrink();
        }
    }

    fn moved(&self) -> u64 {
        let seams = self
            .seams
            .iter()
            .map(|seam| seam.up.moved().wrapping_add(seam.down.moved()));
        seams.fold(self.gone, u64::wrapping_add)
    }
}

/// The binding of the highest secure channel among these layers.
fn binding(layers: &[Box<dyn Filter>], kind: ChannelBinding) -> Option<Vec<u8>> {
    let mut layers = layers.iter().rev();
    layers.find_map(|layer| layer.channel_binding(kind))
}

/// A stream that was cut is worth telling as what the protocol misses by it.
fn unfinished(top: &Option<Driven<'_>>, error: Error) -> Error {
    let exchange = top.as_ref().map(|driven| &*driven.exchange);
    let cut = exchange.filter(|_| error.reason() == Reason::Truncated);
    let Some((mut fault, exchange)) = cut.and_then(|it| it.missing().map(|fault| (fault, it)))
    else {
        return error;
    };
    fault.what = format!("{} ({}: {})", fault.what, error.layer(), error.what());
    fault.source(error).at(exchange.layer())
}

impl core::fmt::Debug for Stack {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stack")
            .field("layers", &self.layers().collect::<Vec<_>>())
            .finish()
    }
}
