//! KDCs: what answers for a realm on one host, by datagrams and streams, honest or not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use sockless_sim::{Correspondent, Peer, Wire};

use super::clock::{Clock, Wall};
use super::ledger::{Ledger, Shared};
use super::realm::{self, Realm, Request};

/// In front of each message on a stream: its length, big-endian.
const HEADER: usize = 4;

/// What is wrong with a KDC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temper {
    /// Nothing.
    Honest,
    /// Nobody listens there.
    Closed,
    /// It takes everything and says nothing.
    Silent,
    /// It thinks for that long.
    Late(Duration),
    /// It answers each datagram twice.
    Doubling,
    /// What it says is no Kerberos.
    Babbling,
    /// What it says ends in the middle.
    Cutting,
    /// It announces four gigabytes.
    Endless,
    /// It cannot answer now (KDC_ERR_SVC_UNAVAILABLE).
    Busy,
    /// It gives the answer to an earlier question.
    Replaying,
    /// It answers a question with another nonce.
    Renumbering,
    /// It answers for another realm.
    Misplaced,
    /// Some bit of what it says is wrong.
    Tampering,
    /// It refuses with that code.
    Refusing(i64),
    /// It wants passwords to be hashed four billion times.
    Grinding,
}

impl Temper {
    /// One that `rng` gives; half of all are honest.
    pub fn draw(rng: &mut Rng) -> Self {
        if rng.bool() {
            return Self::Honest;
        }
        match rng.u8(0..14) {
            0 => Self::Closed,
            1 => Self::Silent,
            2 => Self::Late(Duration::from_millis(rng.u64(100..20_000))),
            3 => Self::Doubling,
            4 => Self::Babbling,
            5 => Self::Cutting,
            6 => Self::Endless,
            7 => Self::Busy,
            8 => Self::Replaying,
            9 => Self::Renumbering,
            10 => Self::Misplaced,
            11 => Self::Tampering,
            // Unknown, revoked, expired, or nothing that anybody could explain.
            12 => {
                Self::Refusing([realm::UNKNOWN_CLIENT, 12, 18, 23, 37, 60, 4711][rng.usize(0..7)])
            }
            _ => Self::Grinding,
        }
    }

    /// Whether a realm with this KDC alone gives its tickets in time.
    pub fn serves(self) -> bool {
        match self {
            Self::Honest | Self::Doubling => true,
            Self::Late(by) => by < Duration::from_secs(5),
            _ => false,
        }
    }

    /// Whether nobody gets anything of it that could be taken for a ticket.
    pub fn bars(self) -> bool {
        match self {
            Self::Honest | Self::Doubling | Self::Late(_) => false,
            // Earlier tickets are tickets, and not every bit is one that counts.
            Self::Replaying | Self::Tampering => false,
            _ => true,
        }
    }

    /// What it does that nobody can put right by asking another KDC.
    fn lie(self) -> Option<&'static str> {
        match self {
            Self::Replaying => Some("a KDC has replayed an answer"),
            Self::Renumbering => Some("a KDC has answered with another nonce"),
            Self::Misplaced => Some("a KDC has answered for another realm"),
            Self::Tampering => Some("a KDC's answer was changed"),
            Self::Refusing(_) => Some("a KDC has refused"),
            Self::Grinding => Some("a KDC wants too much work"),
            _ => None,
        }
    }
}

/// One host's KDC, for all who ask it.
#[derive(Clone)]
pub struct Desk {
    realm: Shared<Realm>,
    ledger: Shared<Ledger>,
    clock: Clock,
    temper: Temper,
    /// One of so many answers is as the temper has it.
    one_in: u8,
    /// Who need its tickets.
    services: &'static [&'static str],
    /// Answers that are longer go by streams.
    datagram: usize,
    state: Shared<State>,
}

struct State {
    rng: Rng,
    /// The first answers with tickets, by their tags.
    earlier: BTreeMap<u8, Vec<u8>>,
}

/// What is said, and after how long.
struct Said {
    after: Duration,
    bytes: Vec<u8>,
    /// As the temper has it, and not as it should be.
    odd: bool,
}

impl Desk {
    /// A KDC of `realm`, whose tickets these services want. One in so many of its answers is as
    /// its temper has it; answers of more than so many bytes go by streams.
    pub fn new(
        realm: &Shared<Realm>,
        ledger: &Shared<Ledger>,
        clock: Clock,
        (temper, services): (Temper, &'static [&'static str]),
        (one_in, datagram): (u8, usize),
        rng: Rng,
    ) -> Self {
        let earlier = BTreeMap::new();
        let state = State { rng, earlier };
        Self {
            realm: realm.clone(),
            ledger: ledger.clone(),
            clock,
            temper,
            one_in,
            services,
            datagram,
            state: super::shared(state),
        }
    }

    /// What is wrong with it.
    pub fn temper(&self) -> Temper {
        self.temper
    }

    fn answer(&self, message: &[u8], now: Instant) -> Option<Said> {
        let wall = self.clock.at(now);
        let Some(request) = Request::read(message) else {
            let what = format!("a KDC cannot read {} bytes", message.len());
            self.ledger.borrow_mut().broken.get_or_insert(what);
            return None;
        };
        self.note(&request, message);
        let mut state = self.state.borrow_mut();
        let odd = self.temper != Temper::Honest && state.rng.u8(0..self.one_in) == 0;
        let bytes = match odd {
            true => self.odd_answer(request, wall, &mut state)?,
            false => self.realm.borrow_mut().answer(&request, wall),
        };
        let after = match self.temper {
            Temper::Late(by) if odd => by,
            _ => Duration::ZERO,
        };
        Some(Said { after, bytes, odd })
    }

    fn note(&self, request: &Request, message: &[u8]) {
        let mut ledger = self.ledger.borrow_mut();
        if request.is_login() {
            ledger.logins.insert(message.to_vec());
        } else if request.is_for_ticket() {
            let whence = format!("{}@{}", request.service, self.realm.borrow().name());
            let asked = ledger.tickets.entry(whence).or_default();
            asked.insert(message.to_vec());
        }
    }

    /// `None`: nothing is said.
    fn odd_answer(&self, mut request: Request, wall: Wall, state: &mut State) -> Option<Vec<u8>> {
        let mut realm = self.realm.borrow_mut();
        if self.temper == Temper::Renumbering {
            request.nonce ^= 1;
        }
        let honest = realm.answer(&request, wall);
        let said = match self.temper {
            Temper::Silent | Temper::Closed => return None,
            Temper::Babbling => b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Temper::Busy => realm.refuse(&request, (realm::UNAVAILABLE, None), wall),
            Temper::Refusing(code) => realm.refuse(&request, (code, None), wall),
            Temper::Replaying => match state.earlier.get(&honest[0]) {
                Some(earlier) => earlier.clone(),
                None if Realm::has_granted(&honest) => {
                    state.earlier.insert(honest[0], honest.clone());
                    return Some(honest);
                }
                None => return Some(honest),
            },
            Temper::Misplaced => misplaced(honest, realm.name()),
            Temper::Tampering => {
                let mut bytes = honest;
                let at = state.rng.usize(0..bytes.len());
                bytes[at] ^= 1 << state.rng.u8(0..8);
                bytes
            }
            Temper::Grinding => realm.grinding(&request, wall),
            _ => honest,
        };
        if let Some(lie) = self.temper.lie() {
            self.ledger.borrow_mut().lie(self.services, lie);
        }
        Some(said)
    }

    fn error(&self, message: &[u8], code: i64, now: Instant) -> Option<Vec<u8>> {
        let request = Request::read(message)?;
        let wall = self.clock.at(now);
        Some(self.realm.borrow().refuse(&request, (code, None), wall))
    }
}

/// The same with another realm's name where it stands first.
fn misplaced(mut answer: Vec<u8>, realm: &str) -> Vec<u8> {
    let mut windows = answer.windows(realm.len());
    if let Some(at) = windows.position(|window| window == realm.as_bytes()) {
        answer[at] ^= 1;
    }
    answer
}

impl Correspondent for Desk {
    fn answer(&mut self, datagram: &[u8], now: Instant) -> Vec<(Duration, Vec<u8>)> {
        let Some(mut said) = Self::answer(self, datagram, now) else {
            return Vec::new();
        };
        self.ledger.borrow_mut().by_datagram += 1;
        if said.bytes.len() > self.datagram
            && let Some(error) = self.error(datagram, realm::TOO_BIG, now)
        {
            said.bytes = error;
        }
        match self.temper {
            Temper::Doubling if said.odd => {
                let again = said.after + Duration::from_millis(10);
                return vec![(said.after, said.bytes.clone()), (again, said.bytes)];
            }
            Temper::Cutting if said.odd => said.bytes.truncate(said.bytes.len() / 2),
            Temper::Endless if said.odd => said.bytes.resize(60_000, 0),
            _ => {}
        }
        vec![(said.after, said.bytes)]
    }
}

/// The KDC's end of one stream.
pub struct KdcStream {
    desk: Desk,
    /// What it will say, when, and whether it ends then.
    next: Option<(Instant, Vec<u8>, bool)>,
}

impl KdcStream {
    /// Somebody has connected.
    pub fn new(desk: &Desk) -> Self {
        Self {
            desk: desk.clone(),
            next: None,
        }
    }

    /// Takes a message, if it is there in full.
    fn hear(&mut self, wire: &mut Wire, now: Instant) -> bool {
        let Some(header) = wire.input.first_chunk() else {
            return false;
        };
        let whole = HEADER + u32::from_be_bytes(*header) as usize;
        if wire.input.len() < whole {
            return false;
        }
        let message: Vec<u8> = wire.input.drain(..whole).skip(HEADER).collect();
        let Some(said) = self.desk.answer(&message, now) else {
            return true;
        };
        self.desk.ledger.borrow_mut().by_stream += 1;
        let mut bytes = (said.bytes.len() as u32).to_be_bytes().to_vec();
        bytes.extend_from_slice(&said.bytes);
        let mut ends = false;
        match self.desk.temper {
            Temper::Cutting if said.odd => {
                bytes.truncate(bytes.len() / 2);
                ends = true;
            }
            Temper::Endless if said.odd => bytes[..HEADER].fill(0xff),
            Temper::Babbling if said.odd => {
                bytes.drain(..HEADER);
            }
            _ => {}
        }
        self.next = Some((now + said.after, bytes, ends));
        true
    }
}

impl Peer for KdcStream {
    fn pump(&mut self, wire: &mut Wire, now: Instant) {
        loop {
            if let Some((_, bytes, ends)) = self.next.take_if(|(at, ..)| *at <= now) {
                wire.output.extend(bytes);
                wire.finish |= ends;
            }
            if self.next.is_some() || !self.hear(wire, now) {
                break;
            }
        }
        wire.finish |= wire.input_finished && self.next.is_none();
    }

    fn deadline(&self) -> Option<Instant> {
        self.next.as_ref().map(|(at, ..)| *at)
    }
}
