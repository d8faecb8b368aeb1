//! A filter between four pipes, without a stack.

use std::time::{Instant, SystemTime};

use sockless_core::{
    Buf, Culprit, Cx, Fault, Filter, Note, Phase, Pipe, Pool, Reason, Seams, Status,
};
use sockless_tunnels::{Destination, Socks5, UserPassword};

pub(crate) const PROXY: &str = "dante.example:1080";

pub(crate) struct Wire {
    pub(crate) filter: Box<dyn Filter>,
    pub(crate) net_in: Pipe,
    pub(crate) net_out: Pipe,
    pub(crate) app_in: Pipe,
    pub(crate) app_out: Pipe,
    pub(crate) notes: Vec<String>,
    pool: Pool,
}

impl Wire {
    pub(crate) fn new(filter: impl Filter + 'static) -> Self {
        let pipe = || Pipe::new(64 * 1024);
        Self {
            filter: Box::new(filter),
            net_in: pipe(),
            net_out: pipe(),
            app_in: pipe(),
            app_out: pipe(),
            notes: Vec::new(),
            pool: Pool::default(),
        }
    }

    pub(crate) fn pump(&mut self) -> Result<Status, Fault> {
        let (mut copied, mut notes) = (0, Vec::new());
        let (now, wall) = (Instant::now(), SystemTime::UNIX_EPOCH);
        let mut cx = Cx::new(now, wall, &self.pool, &mut copied, Some(&mut notes));
        let seams = Seams {
            net_in: &mut self.net_in,
            net_out: &mut self.net_out,
            app_in: &mut self.app_in,
            app_out: &mut self.app_out,
        };
        let status = self.filter.pump(seams, &mut cx);
        self.notes.extend(notes.into_iter().map(|note| match note {
            Note::Info { layer, text } => format!("{layer}: {text}"),
            other => format!("{other:?}"),
        }));
        status
    }

    /// Lets bytes arrive, and pumps: it goes on.
    pub(crate) fn goes_on(&mut self, bytes: &[u8]) {
        self.net_in.push(Buf::from(bytes));
        assert_eq!(self.pump().expect("sound"), Status::Stay);
        assert_eq!(self.filter.phase(), Phase::Handshake);
    }

    /// Lets bytes arrive, and pumps: it leaves.
    pub(crate) fn leaves(&mut self, bytes: &[u8]) {
        self.net_in.push(Buf::from(bytes));
        assert_eq!(self.pump().expect("sound"), Status::Leave);
    }

    /// Lets bytes arrive, and pumps: it fails, and again in the same way.
    pub(crate) fn fails(&mut self, bytes: &[u8]) -> Fault {
        self.net_in.push(Buf::from(bytes));
        self.refuses()
    }

    /// The same for the proxy's end.
    pub(crate) fn fails_at_end(&mut self) -> Fault {
        self.net_in.finish();
        self.refuses()
    }

    fn refuses(&mut self) -> Fault {
        let fault = self.pump().expect_err("it fails");
        let again = self.pump().expect_err("for good");
        assert_eq!((&fault.what, fault.reason), (&again.what, again.reason));
        assert!(fault.what.contains(PROXY), "{}", fault.what);
        assert!(self.app_in.is_empty(), "bytes for the layer above");
        fault
    }

    pub(crate) fn sent(&mut self) -> Vec<u8> {
        bytes(&mut self.net_out)
    }
}

pub(crate) fn bytes(pipe: &mut Pipe) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(piece) = pipe.pop() {
        all.extend_from_slice(&piece);
    }
    all
}

#[track_caller]
pub(crate) fn assert_fault(fault: &Fault, culprit: Culprit, reason: Reason, says: &str) {
    assert!(fault.what.contains(says), "{}", fault.what);
    assert_eq!((fault.culprit, fault.reason), (culprit, reason));
    assert!(!fault.what.contains('\n'));
}

pub(crate) fn name() -> Destination {
    Destination::new("example.com", 443)
}

pub(crate) fn login() -> UserPassword {
    UserPassword::new("alice", "secret").expect("usable")
}

pub(crate) fn socks5(to: Destination) -> Socks5 {
    Socks5::new(PROXY, to, None).expect("usable")
}

/// A SOCKS5 filter whose request is out.
pub(crate) fn requested(to: Destination) -> Wire {
    let mut wire = Wire::new(socks5(to));
    wire.goes_on(b"");
    wire.goes_on(&[5, 0]);
    wire.sent();
    wire
}

/// A favourable reply with an IPv4 address in it.
pub(crate) const GRANTED: [u8; 10] = [5, 0, 0, 1, 192, 0, 2, 1, 4, 56];
