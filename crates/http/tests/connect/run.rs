//! Drives one filter with pipes of its own.

use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime};

use sockless_core::{Buf, Cx, Fault, Filter, Note, Phase, Pipe, Pool, Seams, Status};
use sockless_http::{Authenticator, Credentials, Party, Tunnel};

pub(crate) struct Run {
    filter: Box<dyn Filter>,
    pub(crate) net_in: Pipe,
    pub(crate) net_out: Pipe,
    pub(crate) app_in: Pipe,
    pub(crate) app_out: Pipe,
    pub(crate) notes: Vec<Note>,
}

pub(crate) fn tunnel() -> Tunnel {
    Tunnel::new("squid:3128", "example.com", 443).expect("a good target")
}

pub(crate) const CONNECT: &str =
    "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n";

pub(crate) fn shared(authenticator: Authenticator) -> Arc<Mutex<Authenticator>> {
    Arc::new(Mutex::new(authenticator))
}

pub(crate) fn mufasa() -> Authenticator {
    let credentials = Credentials::password("Mufasa", "Circle of Life").expect("good credentials");
    Authenticator::new(Party::Proxy, "squid", credentials).seed(7)
}

impl Run {
    /// The layer above has already put something into its pipe.
    pub(crate) fn new(tunnel: &Tunnel) -> Self {
        let wide = || Pipe::new(64 * 1024);
        let mut run = Self {
            filter: tunnel.filter(),
            net_in: wide(),
            net_out: wide(),
            app_in: wide(),
            app_out: wide(),
            notes: Vec::new(),
        };
        run.app_out.push(Buf::from(&b"hello"[..]));
        run
    }

    /// After the first request.
    pub(crate) fn begun(tunnel: &Tunnel) -> Self {
        let mut run = Self::new(tunnel);
        assert_eq!(
            run.pump().expect("sending a request cannot fail"),
            Status::Stay
        );
        run
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "time is counted from some point; none is special"
    )]
    pub(crate) fn pump(&mut self) -> Result<Status, Fault> {
        let (pool, mut copied) = (Pool::default(), 0);
        let wall = SystemTime::UNIX_EPOCH;
        let mut cx = Cx::new(
            Instant::now(),
            wall,
            &pool,
            &mut copied,
            Some(&mut self.notes),
        );
        let seams = Seams {
            net_in: &mut self.net_in,
            net_out: &mut self.net_out,
            app_in: &mut self.app_in,
            app_out: &mut self.app_out,
        };
        let status = self.filter.pump(seams, &mut cx);
        assert_eq!(self.filter.phase(), Phase::Handshake);
        assert!(
            self.app_in.is_empty() && !self.app_in.is_finished(),
            "something went up"
        );
        assert_eq!(
            self.app_out.len(),
            5,
            "something of the layer above was taken"
        );
        status
    }

    /// What comes of these bytes of the proxy's.
    pub(crate) fn hear(&mut self, bytes: impl AsRef<[u8]>) -> Result<Status, Fault> {
        self.net_in.push(Buf::from(bytes.as_ref()));
        self.pump()
    }

    /// They are no end.
    pub(crate) fn hear_some(&mut self, bytes: impl AsRef<[u8]>) {
        assert_eq!(self.hear(bytes).expect("no failure"), Status::Stay);
    }

    /// What comes of the proxy's end.
    pub(crate) fn end(&mut self) -> Fault {
        self.net_in.finish();
        self.pump().expect_err("an end is no tunnel")
    }

    /// Takes what went to the proxy.
    pub(crate) fn sent(&mut self) -> String {
        take(&mut self.net_out)
    }

    /// Takes what is left for the layer above.
    pub(crate) fn left(&mut self) -> String {
        take(&mut self.net_in)
    }
}

/// The failure that an answer leads to.
pub(crate) fn fault(tunnel: &Tunnel, answer: impl AsRef<[u8]>) -> Fault {
    Run::begun(tunnel)
        .hear(answer)
        .expect_err("the answer must be refused")
}

fn take(pipe: &mut Pipe) -> String {
    let mut all = Vec::new();
    while let Some(piece) = pipe.pop() {
        all.extend_from_slice(&piece);
    }
    String::from_utf8(all).expect("text")
}
