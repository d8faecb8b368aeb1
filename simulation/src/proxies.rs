//! Proxies as peers: each talks to its client first, and what is behind it speaks then.

use std::time::Instant;

use fastrand::Rng;
use sockless_sim::{Peer, Wire};

/// A SOCKS5 proxy that resolves names, with or without a password, in front of `inner`.
pub struct Socks5<P> {
    inner: P,
    /// Host and port that it must be asked for.
    to: (&'static str, u16),
    password: Option<(&'static str, &'static str)>,
    stage: Stage,
}

enum Stage {
    Greeting,
    Password,
    Request,
    Open,
}

impl<P: Peer> Socks5<P> {
    /// It leads to `to`, and nowhere else.
    pub fn new(
        inner: P,
        to: (&'static str, u16),
        password: Option<(&'static str, &'static str)>,
    ) -> Self {
        let stage = Stage::Greeting;
        Self {
            inner,
            to,
            password,
            stage,
        }
    }

    /// Takes a message, if it is there in full; `false`: it is not.
    fn step(&mut self, wire: &mut Wire) -> bool {
        let input = &wire.input;
        let byte = |at: usize| input.get(at).map(|byte| usize::from(*byte));
        match self.stage {
            Stage::Greeting => {
                let Some(end) = byte(1).map(|n| 2 + n).filter(|end| *end <= input.len()) else {
                    return false;
                };
                let method = if self.password.is_some() { 2 } else { 0 };
                let offered = input[2..end].contains(&method);
                wire.output.extend([5, if offered { method } else { 0xff }]);
                wire.finish |= !offered;
                wire.input.drain(..end);
                self.stage = match method {
                    2 => Stage::Password,
                    _ => Stage::Request,
                };
            }
            Stage::Password => {
                let password = byte(1).and_then(|n| byte(2 + n).map(|m| (2 + n, 3 + n + m)));
                let Some((user, end)) = password.filter(|(_, end)| *end <= input.len()) else {
                    return false;
                };
                let said = (&input[2..user], &input[user + 1..end]);
                let right = self
                    .password
                    .is_some_and(|(user, word)| said == (user.as_bytes(), word.as_bytes()));
                wire.output.extend([1, u8::from(!right)]);
                wire.finish |= !right;
                wire.input.drain(..end);
                self.stage = Stage::Request;
            }
            Stage::Request => {
                let Some(end) = byte(4).map(|n| 7 + n).filter(|end| *end <= input.len()) else {
                    return false;
                };
                let port = u16::from_be_bytes([input[end - 2], input[end - 1]]);
                let named = input[..4] == [5, 1, 0, 3];
                let right =
                    named && (&input[5..end - 2], port) == (self.to.0.as_bytes(), self.to.1);
                let answer = [5, if right { 0 } else { 4 }, 0, 1, 0, 0, 0, 0, 0, 0];
                wire.output.extend(answer);
                wire.finish |= !right;
                wire.input.drain(..end);
                self.stage = Stage::Open;
            }
            Stage::Open => return false,
        }
        true
    }
}

impl<P: Peer> Peer for Socks5<P> {
    fn pump(&mut self, wire: &mut Wire, now: Instant) {
        while self.step(wire) {}
        if matches!(self.stage, Stage::Open) && !wire.finish {
            self.inner.pump(wire, now);
        } else {
            wire.finish |= wire.input_finished;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.inner.deadline()
    }
}

/// An HTTP proxy in front of `inner` that demands Basic credentials, and hangs up after its
/// challenge now and then.
pub struct Connect<P> {
    inner: P,
    rng: Rng,
    /// `host:port` that it must be asked for.
    to: &'static str,
    /// What it must be told, in base64.
    credentials: Option<&'static str>,
    open: bool,
}

impl<P: Peer> Connect<P> {
    /// It leads to `to`, and nowhere else.
    pub fn new(inner: P, to: &'static str, credentials: Option<&'static str>, seed: u64) -> Self {
        Self {
            inner,
            rng: Rng::with_seed(seed),
            to,
            credentials,
            open: false,
        }
    }

    fn step(&mut self, wire: &mut Wire) -> bool {
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(n)) = request.parse(&wire.input) else {
            return false;
        };
        let proof = request
            .headers
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case("proxy-authorization"))
            .and_then(|field| core::str::from_utf8(field.value).ok());
        let known = self
            .credentials
            .is_none_or(|wanted| proof.and_then(|one| one.strip_prefix("Basic ")) == Some(wanted));
        let right = request.method == Some("CONNECT") && request.path == Some(self.to);
        wire.input.drain(..n);
        if !right {
            wire.output
                .extend(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
            wire.finish = true;
        } else if known {
            wire.output
                .extend(b"HTTP/1.1 200 Connection established\r\nVia: sim\r\n\r\n");
            self.open = true;
        } else {
            let close = self.rng.bool();
            let field = if close { "Connection: close\r\n" } else { "" };
            let answer = format!(
                "HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"sim\"\r\n{field}\
                 Content-Length: 5\r\n\r\nwho?\n"
            );
            wire.output.extend(answer.as_bytes());
            wire.finish = close;
        }
        !self.open && !wire.finish
    }
}

impl<P: Peer> Peer for Connect<P> {
    fn pump(&mut self, wire: &mut Wire, now: Instant) {
        while !self.open && !wire.finish && self.step(wire) {}
        if self.open {
            self.inner.pump(wire, now);
        } else {
            wire.finish |= wire.input_finished;
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.inner.deadline()
    }
}
