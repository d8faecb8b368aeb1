//! The top of a stack: one transfer's protocol, from request to answer.

use std::collections::VecDeque;
use std::time::Instant;

use crate::entry::weight;
use crate::pipe::{gather, should_gather};
use crate::{Buf, ChannelBinding, Cx, Event, Fault, Pipe};

/// One transfer's protocol state on top of a connection's stack, e.g. an HTTP request.
///
/// It is a filter without a layer above: instead of `app_in` and `app_out` it has
/// the transfer's events and its request body.
pub trait Exchange: Send {
    /// Its name in errors and notes, e.g. `http`.
    fn layer(&self) -> &'static str;

    /// Goes as far as input and room allow.
    ///
    /// # Errors
    /// The transfer has failed; its connection is closed.
    fn pump(&mut self, top: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault>;

    /// The connection is (again) at its beginning: nothing was sent or received on it.
    ///
    /// Called before the first pump on each connection. `false`: it cannot start
    /// over, because body bytes or events of the first attempt are gone.
    fn restart(&mut self, reused: bool) -> bool;

    /// Bytes that are sure to come from the peer before this can end; 0: unknown.
    fn expects(&self) -> u64 {
        0
    }

    /// The stream has ended without its layer's proper end (TLS: close_notify): what of the
    /// answer is missing then. `None`: nothing that is known of, and the layer's word counts.
    fn missing(&self) -> Option<Fault> {
        None
    }

    /// Whether the answer is complete and the peer still gets the rest of the request: the
    /// transfer is over when that is sent, and fails when it cannot be.
    fn only_sends(&self) -> bool {
        false
    }

    /// Whether the request is out and the answer has not begun: the first-byte timeout runs.
    fn awaits_answer(&self) -> bool {
        false
    }

    /// Whether everything is heard, and written: the transfer is complete as soon as all of it
    /// is sent, its end included. For a protocol in which no answer confirms that; others
    /// return [`Turn::Finished`].
    fn is_said(&self) -> bool {
        false
    }

    /// When it wants to be pumped without any input (e.g. `Expect: 100-continue`).
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// Whether it wants to know the binding of the secure channel below it: then
    /// [`Exchange::bind`] comes before the next pump.
    fn binds_to(&self) -> Option<ChannelBinding> {
        None
    }

    /// The binding that was asked for; `None`: there is no secure channel below.
    fn bind(&mut self, _channel: Option<Vec<u8>>) {}
}

/// What an exchange says after a pump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// More input, room or request body is needed.
    Blocked,
    /// The transfer is complete.
    Finished {
        /// Whether the connection is clean and may serve another transfer.
        reusable: bool,
    },
}

/// What an exchange works on.
#[derive(Debug)]
pub struct Top<'a> {
    /// From the peer, all security layers opened.
    pub from_peer: &'a mut Pipe,
    /// To the peer.
    pub to_peer: &'a mut Pipe,
    /// To the application.
    pub events: &'a mut Events,
    /// The request body from the application.
    pub body: &'a mut Body,
}

/// Events on their way to the application; bounded by [`Events::room`], towards which data and
/// entries count.
#[derive(Debug, Default)]
pub struct Events {
    queue: VecDeque<Event>,
    data: usize,
    limit: usize,
    paused: bool,
    received: u64,
    head_seen: bool,
}

impl Events {
    /// A queue that wants to hold at most `limit` bytes of data.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Bytes of body that may be emitted now; 0 while the application has paused.
    pub fn room(&self) -> usize {
        if self.paused {
            0
        } else {
            self.limit.saturating_sub(self.data)
        }
    }

    /// Whether so much waits that there is no point in making more yet.
    pub(crate) fn is_holding(&self) -> bool {
        self.data > self.limit / 2
    }

    /// Emits an event. Body goes through [`Events::data`].
    pub fn emit(&mut self, event: Event) {
        self.head_seen |= matches!(event, Event::Head(_) | Event::Interim(_));
        self.data += weight(&event);
        self.queue.push_back(event);
    }

    /// Emits a piece of body.
    pub fn data(&mut self, piece: Buf) {
        if !piece.is_empty() {
            self.data += piece.len();
            self.received += piece.len() as u64;
            if should_gather(self.queue.len(), piece.len()) {
                let last = match self.queue.back_mut() {
                    Some(Event::Data(last)) => Some(last),
                    _ => None,
                };
                let fresh = gather(last, &piece);
                self.queue.extend(fresh.map(Event::Data));
            } else {
                self.queue.push_back(Event::Data(piece));
            }
        }
    }

    /// Takes the next event unless the application has paused.
    pub fn pop(&mut self) -> Option<Event> {
        let at = self.next()?;
        let event = match at {
            0 => self.queue.pop_front()?,
            _ => self.queue.remove(at)?,
        };
        self.data -= weight(&event);
        Some(event)
    }

    /// Forgets what the application has not taken.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.data = 0;
    }

    /// Puts notes in front of what was emitted since the queue had `at` events.
    pub(crate) fn insert_notes(&mut self, at: usize, notes: impl Iterator<Item = Event>) {
        for (offset, note) in notes.enumerate() {
            self.queue.insert((at + offset).min(self.queue.len()), note);
        }
    }

    /// Number of events that wait.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether [`Events::pop`] would give something.
    pub fn is_ready(&self) -> bool {
        self.next().is_some()
    }

    /// Where the next event is that may be delivered. Questions, that for request body
    /// among them, pass a pause, and so do notes: holding the answer back must not hold the
    /// request up, nor may what is told about it pile up.
    fn next(&self) -> Option<usize> {
        match self.queue.front()? {
            event if passes(event) => Some(0),
            _ if !self.paused => Some(0),
            _ => self.queue.iter().position(passes),
        }
    }

    /// Takes the end back, if it is known already.
    pub(crate) fn take_end(&mut self) -> Option<Event> {
        match self.queue.back()? {
            Event::Done { .. } => self.queue.pop_back(),
            _ => None,
        }
    }

    /// Bytes of body emitted so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Whether an answer has begun.
    pub fn head_seen(&self) -> bool {
        self.head_seen
    }

    /// Holds everything but notes back, or lets it flow again.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Whether the application has paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }
}

/// Whether a pause does not hold it back.
fn passes(event: &Event) -> bool {
    matches!(
        event,
        Event::WantBody { .. } | Event::Note(_) | Event::Asked(_)
    )
}

/// The request body between application and exchange.
#[derive(Debug)]
pub struct Body {
    /// What the application has given; finished when it said so.
    pub pipe: Pipe,
    wanted: bool,
    asked: bool,
    /// Somebody waits for the answer.
    owed: bool,
}

impl Body {
    /// An empty body pipe with that bound, in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            pipe: Pipe::new(limit),
            wanted: false,
            asked: false,
            owed: false,
        }
    }

    /// The exchange can use body bytes and has none: the application will be asked once.
    pub fn want(&mut self) {
        (self.wanted, self.owed) = (true, true);
    }

    /// As [`Body::want`], but nobody waits for an answer: the idle timeout goes on.
    pub fn offer(&mut self) {
        self.wanted = true;
    }

    /// Takes the question to put to the application, if it is due: not while it could not
    /// give anything.
    pub fn ask(&mut self) -> Option<usize> {
        let room = self.pipe.room();
        if !self.wanted || self.asked || self.pipe.is_finished() || room == 0 {
            return None;
        }
        self.asked = true;
        Some(room)
    }

    /// Whether the application owes an answer: then nothing moving is not the peer's fault.
    pub fn is_owed(&self) -> bool {
        self.asked && self.owed
    }

    /// Whether a question has been put to the application.
    pub fn is_asked(&self) -> bool {
        self.asked
    }

    /// The application has answered: the next want asks again.
    pub fn answered(&mut self) {
        (self.wanted, self.asked, self.owed) = (false, false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_asked_for_once_there_is_room() {
        let mut body = Body::new(4);
        body.want();
        assert_eq!(body.ask(), Some(4));
        body.pipe.push(Buf::from(&b"full"[..]));
        body.answered();

        body.want();
        assert_eq!(body.ask(), None, "nothing could be given");
        assert!(!body.is_owed());

        body.pipe.pop();
        assert_eq!(body.ask(), Some(4), "it is still wanted");
        assert_eq!(body.ask(), None, "it was asked for");
    }
}
