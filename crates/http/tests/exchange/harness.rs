//! Drives one exchange with pipes, events and a clock of its own.

use std::time::{Duration, Instant, SystemTime};

use sockless_core::{
    Body, Buf, Culprit, Cx, Event, Events, Exchange, Fault, Note, Pipe, Pool, Reason, Top, Turn,
};
use sockless_http::{Http1, Http1Config, Request};

pub(crate) struct Run {
    pub(crate) http: Http1,
    pub(crate) from_peer: Pipe,
    pub(crate) to_peer: Pipe,
    pub(crate) events: Events,
    pub(crate) body: Body,
    pub(crate) now: Instant,
    pub(crate) seen: Vec<Seen>,
    pub(crate) pool: Pool,
    pub(crate) notes: Vec<Note>,
    /// Data pieces, which `seen` merges.
    pub(crate) pieces: Vec<usize>,
}

/// An event in a form that can be compared; neighbouring data is merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Interim(u16),
    Head {
        code: u16,
        version: &'static str,
        reason: String,
        fields: Vec<(String, String)>,
        length: Option<u64>,
    },
    Data(Vec<u8>),
    Trailers(Vec<(String, String)>),
}

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Blocked,
    Finished { reusable: bool },
    Failed(Culprit, Reason),
}

pub(crate) fn get() -> Request {
    request("GET")
}

pub(crate) fn request(method: &str) -> Request {
    Request::new(method, "/", "example.com").expect("a valid request")
}

impl Run {
    pub(crate) fn new(request: Request, config: Http1Config) -> Self {
        Self::with(request, config, 64 * 1024, 64 * 1024)
    }

    /// With that room for events and towards the peer.
    pub(crate) fn with(
        request: Request,
        config: Http1Config,
        events: usize,
        to_peer: usize,
    ) -> Self {
        let mut http = Http1::new(request, config);
        assert!(http.restart(false));
        Self {
            http,
            from_peer: Pipe::new(64 * 1024),
            to_peer: Pipe::new(to_peer),
            events: Events::new(events),
            body: Body::new(64 * 1024),
            now: start(),
            seen: Vec::new(),
            pool: Pool::default(),
            notes: Vec::new(),
            pieces: Vec::new(),
        }
    }

    /// One pump, without anybody taking events.
    pub(crate) fn pump(&mut self) -> Result<Turn, Fault> {
        let Self {
            http,
            from_peer,
            to_peer,
            events,
            body,
            pool,
            notes,
            ..
        } = self;
        let room = events.room();
        let before = events.received();
        let mut copied = 0;
        let mut cx = Cx::new(
            self.now,
            SystemTime::UNIX_EPOCH,
            pool,
            &mut copied,
            Some(&mut *notes),
        );
        let turn = http.pump(
            Top {
                from_peer,
                to_peer,
                events,
                body,
            },
            &mut cx,
        );
        assert!(
            events.received() - before <= room as u64,
            "more data than there was room"
        );
        assert_eq!(copied, 0);
        turn
    }

    /// Pumps and takes events until nothing moves.
    pub(crate) fn settle(&mut self) -> Result<Turn, Fault> {
        self.take_events();
        loop {
            let before = (
                self.from_peer.moved(),
                self.to_peer.moved(),
                self.events.received(),
            );
            let turn = self.pump();
            self.take_events();
            let after = (
                self.from_peer.moved(),
                self.to_peer.moved(),
                self.events.received(),
            );
            if before == after || !matches!(turn, Ok(Turn::Blocked)) {
                return turn;
            }
        }
    }

    /// The same, in a form that can be compared.
    pub(crate) fn end(&mut self) -> End {
        end(self.settle())
    }

    fn take_events(&mut self) {
        while let Some(event) = self.events.pop() {
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) {
        let seen = match event {
            Event::Interim(head) => Seen::Interim(head.code),
            Event::Head(head) => Seen::Head {
                code: head.code,
                version: head.version,
                reason: text(head.reason()),
                fields: pairs(head.fields.iter()),
                length: head.body_length,
            },
            Event::Data(piece) => {
                self.pieces.push(piece.len());
                if let Some(Seen::Data(all)) = self.seen.last_mut() {
                    all.extend_from_slice(&piece);
                    return;
                }
                Seen::Data(piece.to_vec())
            }
            Event::Trailers(fields) => Seen::Trailers(pairs(fields.iter())),
            other => panic!("an exchange does not emit {other:?}"),
        };
        self.seen.push(seen);
    }

    pub(crate) fn arrive(&mut self, bytes: impl AsRef<[u8]>) {
        self.from_peer.push(Buf::from(bytes.as_ref()));
    }

    pub(crate) fn give(&mut self, bytes: impl AsRef<[u8]>) {
        self.body.answered();
        self.body.pipe.push(Buf::from(bytes.as_ref()));
    }

    pub(crate) fn give_last(&mut self, bytes: impl AsRef<[u8]>) {
        self.give(bytes);
        self.body.pipe.finish();
    }

    /// Takes what went to the peer.
    pub(crate) fn sent(&mut self) -> String {
        let mut all = Vec::new();
        while let Some(piece) = self.to_peer.pop() {
            all.extend_from_slice(&piece);
        }
        text(&all)
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// The whole body so far.
    pub(crate) fn data(&self) -> Vec<u8> {
        self.seen
            .iter()
            .filter_map(|seen| {
                if let Seen::Data(all) = seen {
                    Some(all)
                } else {
                    None
                }
            })
            .flatten()
            .copied()
            .collect()
    }
}

/// A whole answer at once, and then the peer's end if `fin`.
pub(crate) fn answer(request: Request, config: Http1Config, bytes: &[u8], fin: bool) -> (End, Run) {
    answer_in(request, config, &[bytes], fin, 64 * 1024)
}

/// An answer in pieces.
pub(crate) fn answer_in(
    request: Request,
    config: Http1Config,
    pieces: &[&[u8]],
    fin: bool,
    room: usize,
) -> (End, Run) {
    let mut run = Run::with(request, config, room, 64 * 1024);
    run.settle().expect("sending a request cannot fail");
    run.sent();
    let mut turn = Ok(Turn::Blocked);
    for (i, piece) in pieces.iter().enumerate() {
        run.arrive(piece);
        if fin && i + 1 == pieces.len() {
            run.from_peer.finish();
        }
        turn = run.settle();
        if !matches!(turn, Ok(Turn::Blocked)) {
            break;
        }
    }
    if pieces.is_empty() && fin {
        run.from_peer.finish();
        turn = run.settle();
    }
    (end(turn), run)
}

fn end(turn: Result<Turn, Fault>) -> End {
    match turn {
        Ok(Turn::Blocked) => End::Blocked,
        Ok(Turn::Finished { reusable }) => End::Finished { reusable },
        Err(fault) => End::Failed(fault.culprit, fault.reason),
    }
}

pub(crate) fn fault(request: Request, config: Http1Config, bytes: &[u8], fin: bool) -> Fault {
    let mut run = Run::new(request, config);
    run.settle().expect("sending a request cannot fail");
    run.arrive(bytes);
    if fin {
        run.from_peer.finish();
    }
    run.settle().expect_err("the answer must be refused")
}

pub(crate) fn config() -> Http1Config {
    Http1Config::default()
}

fn pairs<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Vec<(String, String)> {
    fields
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[expect(
    clippy::disallowed_methods,
    reason = "time is counted from some point; none is special"
)]
fn start() -> Instant {
    Instant::now()
}
