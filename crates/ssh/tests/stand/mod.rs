//! An exchange on a far end of the test's: the SSH layer between them carries messages, no more.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime};

use sockless_core::{Body, Buf, Cx, Event, Events, Exchange, Fault, Pipe, Pool, Top, Turn};
use sockless_ssh::message::{Kind, Reader, put_bytes};

/// What is at the other end of the channel.
pub(crate) trait Far {
    /// A command or a subsystem is asked for.
    fn begin(&mut self, kind: Kind, payload: &[u8]);
    /// Bytes of the stream.
    fn hear(&mut self, bytes: &[u8]);
    /// No more of them.
    fn finish(&mut self) {}
    /// Bytes that it is sure to say if it hears nothing more, where it keeps its word.
    fn sure(&self) -> Option<u64> {
        None
    }
    /// The next message up; `None`: it has nothing to say before it hears more.
    fn say(&mut self) -> Option<(Kind, Vec<u8>)>;
}

/// What the application was told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// All events but data and standard error, in order.
    pub(crate) events: Vec<Event>,
    /// All data.
    pub(crate) data: Vec<u8>,
    /// Where in the data each event came.
    pub(crate) at: Vec<usize>,
    pub(crate) stderr: Vec<u8>,
    /// What the channel was parked with, if it was.
    pub(crate) parked: Option<Vec<u8>>,
    /// The most data that waited for the application.
    pub(crate) waited: usize,
}

impl Told {
    /// The data between entries, with the entry's path.
    pub(crate) fn files(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut files = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            if let Event::Entry(entry) = event {
                let end = self.at.get(index + 1).copied().unwrap_or(self.data.len());
                files.push((entry.path.clone(), self.data[self.at[index]..end].to_vec()));
            }
        }
        files
    }
}

/// How the application behaves.
pub(crate) struct Manner {
    /// The request's body, from the byte that [`Event::ResumeAt`] names.
    pub(crate) body: Vec<u8>,
    /// In pieces of that many bytes.
    pub(crate) piece: usize,
    /// Bytes that each pipe holds.
    pub(crate) pipe: usize,
    /// Bytes from the far end that come at once.
    pub(crate) burst: usize,
    /// Events that are taken after each pump.
    pub(crate) takes: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            body: Vec::new(),
            piece: 100_000,
            pipe: 64 * 1024,
            burst: usize::MAX,
            takes: usize::MAX,
        }
    }
}

/// Runs an exchange to its end.
pub(crate) fn run(
    exchange: impl Exchange,
    far: &mut dyn Far,
    manner: Manner,
) -> (Told, Result<(), Fault>) {
    let mut stand = Stand::new(exchange, manner);
    let outcome = stand.run(far);
    (stand.told, outcome)
}

struct Stand<E> {
    exchange: E,
    manner: Manner,
    given: usize,
    from_peer: Pipe,
    to_peer: Pipe,
    events: Events,
    body: Body,
    down: Reader,
    told: Told,
    coming: VecDeque<(Kind, Vec<u8>)>,
}

impl<E: Exchange> Stand<E> {
    fn new(mut exchange: E, manner: Manner) -> Self {
        assert!(exchange.restart(false), "it has not begun");
        Self {
            exchange,
            given: 0,
            from_peer: Pipe::new(manner.pipe),
            to_peer: Pipe::new(manner.pipe),
            events: Events::new(256 * 1024),
            body: Body::new(manner.pipe),
            down: Reader::new(),
            told: Told::default(),
            coming: VecDeque::new(),
            manner,
        }
    }

    fn run(&mut self, far: &mut dyn Far) -> Result<(), Fault> {
        let pool = Pool::new(1 << 22);
        let mut copied = 0;
        loop {
            #[allow(
                clippy::disallowed_methods,
                reason = "a test's time has to begin somewhere"
            )]
            let now = Instant::now();
            let mut cx = Cx::new(now, SystemTime::UNIX_EPOCH, &pool, &mut copied, None);
            let top = Top {
                from_peer: &mut self.from_peer,
                to_peer: &mut self.to_peer,
                events: &mut self.events,
                body: &mut self.body,
            };
            let turn = self.exchange.pump(top, &mut cx);
            let mut moved = self.hand_down(far, &mut cx);
            moved |= self.tell();
            match turn {
                Err(fault) => return Err(fault),
                Ok(Turn::Finished { .. }) => {
                    while self.tell() {}
                    return Ok(());
                }
                Ok(Turn::Blocked) => {}
            }
            moved |= self.feed();
            if !moved {
                self.hand_up(far, &cx);
            }
        }
    }

    /// From the exchange to the far end.
    fn hand_down(&mut self, far: &mut dyn Far, cx: &mut Cx<'_>) -> bool {
        let mut moved = false;
        while let Some(message) = self.down.next(&mut self.to_peer, usize::MAX, cx) {
            moved = true;
            match message.kind {
                Kind::Exec | Kind::Subsystem => far.begin(message.kind, &message.payload),
                Kind::Data => far.hear(&message.payload),
                Kind::Eof => far.finish(),
                Kind::Park => self.told.parked = Some(message.payload.to_vec()),
                Kind::Closed => self.coming.push_back((Kind::Closed, Vec::new())),
                other => panic!("{other:?} does not go down"),
            }
        }
        moved
    }

    /// From the far end to the exchange: a burst, as one message or a part of one.
    fn hand_up(&mut self, far: &mut dyn Far, cx: &Cx<'_>) {
        if let Some(sure) = far.sure() {
            let coming: usize = self.coming.iter().map(|(_, payload)| payload.len()).sum();
            let there = self.from_peer.len() as u64 + coming as u64;
            let expects = self.exchange.expects();
            assert!(
                expects <= sure + there,
                "{expects} promised, {sure} and {there} to come"
            );
        }
        let next = self.coming.pop_front().or_else(|| far.say());
        let Some((kind, mut payload)) = next else {
            panic!("both wait for each other: {:?}", self.told.events);
        };
        if payload.len() > self.manner.burst {
            let rest = payload.split_off(self.manner.burst);
            self.coming.push_front((kind, rest));
        }
        put_bytes(&mut self.from_peer, cx, 0, kind, &payload);
    }

    fn tell(&mut self) -> bool {
        let waits: usize = self.events.room();
        self.told.waited = self
            .told
            .waited
            .max((256 * 1024_usize).saturating_sub(waits));
        let mut moved = false;
        for _ in 0..self.manner.takes {
            let Some(event) = self.events.pop() else {
                break;
            };
            moved = true;
            match event {
                Event::Data(piece) => self.told.data.extend_from_slice(&piece),
                Event::Stderr(piece) => self.told.stderr.extend_from_slice(&piece),
                event => {
                    if let Event::ResumeAt(offset) = event {
                        self.given = offset as usize;
                    }
                    self.told.at.push(self.told.data.len());
                    self.told.events.push(event);
                }
            }
        }
        moved
    }

    /// The application answers when it is asked for more of the body.
    fn feed(&mut self) -> bool {
        if self.body.ask().is_none() {
            return false;
        }
        let rest = self.manner.body.get(self.given..).unwrap_or_default();
        let piece = &rest[..rest.len().min(self.manner.piece)];
        self.given += piece.len();
        match piece.is_empty() {
            true => self.body.pipe.finish(),
            false => self.body.pipe.push(Buf::from(piece)),
        }
        self.body.answered();
        true
    }
}
