//! SOCKS4, and SOCKS4a where the proxy resolves the name.
//!
//! ```text
//!   -> 4, 1 (CONNECT), port, address, user id, 0 [, name, 0]     address 0.0.0.1: a name follows (4a)
//!   <- 0, 90 (granted), port, address                            both meaningless
//! ```

use core::net::{Ipv4Addr, SocketAddr};

use sockless_core::{Buf, Culprit, Cx, Fault, Filter, Phase, Pipe, Reason, Seams, Status};

use crate::Destination;
use crate::credentials::check;
use crate::proxy::{Broken, Proxy, front};

/// Length of the only answer, in bytes.
const ANSWER: usize = 8;

/// A handshake with a SOCKS4 proxy.
#[derive(Debug)]
pub struct Socks4 {
    proxy: Proxy,
    to: Destination,
    /// The request, until it is out.
    request: Option<Vec<u8>>,
    broken: Broken,
}

impl Socks4 {
    /// A tunnel through `proxy` (host and port, as errors will name it). `user` is the user id, which
    /// proves nothing, and is empty where the proxy does not care.
    ///
    /// # Errors
    /// An IPv6 address, which SOCKS4 cannot express; a name or a user id that cannot be sent.
    pub fn new(proxy: &str, to: Destination, user: &str) -> Result<Self, Fault> {
        let proxy = Proxy::new(proxy, "SOCKS4")?;
        check("user id", user.as_bytes())?;
        let to = to.checked()?;
        let mut request = vec![4, 1];
        let (port, address, name) = match &to {
            Destination::Name(name, port) => (*port, Ipv4Addr::new(0, 0, 0, 1), Some(name)),
            Destination::Address(SocketAddr::V4(to)) => (to.port(), *to.ip(), None),
            Destination::Address(SocketAddr::V6(_)) => {
                return Err(unknown(&proxy, &to, "SOCKS4 knows no IPv6"));
            }
        };
        if name.is_none() && address.octets()[..3] == [0, 0, 0] {
            return Err(unknown(&proxy, &to, "SOCKS4 takes this for a name to come"));
        }
        request.extend_from_slice(&port.to_be_bytes());
        request.extend_from_slice(&address.octets());
        request.extend_from_slice(user.as_bytes());
        request.push(0);
        if let Some(name) = name {
            request.extend_from_slice(name.as_bytes());
            request.push(0);
        }
        Ok(Self {
            proxy,
            to,
            request: Some(request),
            broken: Broken::default(),
        })
    }
}

impl Filter for Socks4 {
    fn layer(&self) -> &'static str {
        "socks4"
    }

    fn pump(&mut self, mut io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        let Self {
            proxy,
            to,
            request,
            broken,
        } = self;
        broken.guard(|| advance(proxy, to, request, &mut io, cx))
    }

    fn phase(&self) -> Phase {
        Phase::Handshake
    }

    fn min(&self, _: &Pipe, _above: usize) -> usize {
        // A refusal may be shorter than the rules say.
        1
    }
}

fn advance(
    proxy: &Proxy,
    to: &Destination,
    request: &mut Option<Vec<u8>>,
    io: &mut Seams<'_>,
    cx: &mut Cx<'_>,
) -> Result<Status, Fault> {
    if request.is_some() && io.net_out.room() == 0 {
        return Ok(Status::Stay);
    }
    if let Some(request) = request.take() {
        io.net_out.push(Buf::from(request));
    }
    let waits = || Ok(proxy.wait(io.net_in, "answering")?.unwrap_or(Status::Stay));
    if !proxy.version(io.net_in, &[0])? {
        return waits();
    }
    let answer = front(io.net_in, ANSWER);
    match answer.get(1) {
        None => return waits(),
        Some(90) => {}
        Some(code) => return Err(refusal(proxy, to, *code)),
    }
    if answer.len() < ANSWER {
        return waits();
    }
    io.net_in.consume(ANSWER);
    cx.note("socks4", || format!("the proxy has connected to {to}"));
    Ok(Status::Leave)
}

fn refusal(proxy: &Proxy, to: &Destination, code: u8) -> Fault {
    let (culprit, reason, why, remedy) = match code {
        91 => (
            Culprit::Transport,
            Reason::Proxy,
            "request rejected or failed",
            "SOCKS4 gives no reason: see the proxy's log, or try SOCKS5",
        ),
        92 => (
            Culprit::Policy,
            Reason::Authentication,
            "the proxy asks identd on this machine, and there is none",
            "run identd, or use another proxy",
        ),
        93 => (
            Culprit::Policy,
            Reason::Authentication,
            "identd on this machine names another user",
            "give the user id that identd names",
        ),
        _ => {
            let what = format!("it answers with the unknown code {code}");
            return proxy.broke(what);
        }
    };
    let what = format!("cannot connect to {to}: {why}");
    proxy.fault(culprit, reason, &what).remedy(remedy)
}

fn unknown(proxy: &Proxy, to: &Destination, why: &str) -> Fault {
    let what = format!("cannot ask for {to}: {why}");
    proxy
        .fault(Culprit::PeerIncompatible, Reason::Proxy, &what)
        .remedy("use SOCKS5, or an IPv4 address of the destination")
}
