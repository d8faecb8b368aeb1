//! The answer to a request (RFC 1928 section 6).

use sockless_core::{Culprit, Fault, Pipe, Reason};

use crate::Destination;
use crate::proxy::{Proxy, front};

/// The longest reply: an address that is a name of 255 bytes.
const LONGEST: usize = 4 + 1 + 255 + 2;

/// Takes a whole, favourable reply; `false` as long as it is not all there.
pub(super) fn read(proxy: &Proxy, to: &Destination, answers: &mut Pipe) -> Result<bool, Fault> {
    if !proxy.version(answers, &[5])? {
        return Ok(false);
    }
    let reply = front(answers, LONGEST);
    // At once: what follows a refusal is of no use, and some proxies leave it out.
    if let Some(code @ 1..) = reply.get(1) {
        return Err(refusal(proxy, to, *code));
    }
    // The address that the proxy is bound to is of no use either, but has to be passed over.
    let length = match (reply.get(3), reply.get(4)) {
        (Some(1), _) => 4 + 4 + 2,
        (Some(4), _) => 4 + 16 + 2,
        (Some(3), Some(name)) => 4 + 1 + usize::from(*name) + 2,
        (Some(3), None) | (None, _) => return Ok(false),
        (Some(kind), _) => {
            let what = format!("its reply has an address of the unknown type {kind}");
            return Err(proxy.broke(what));
        }
    };
    if reply.len() < length {
        return Ok(false);
    }
    answers.consume(length);
    Ok(true)
}

fn refusal(proxy: &Proxy, to: &Destination, code: u8) -> Fault {
    let (culprit, why, remedy) = match code {
        1 => (
            Culprit::Transport,
            "general failure",
            "see the proxy's log: it may be unable to resolve the name",
        ),
        2 => (
            Culprit::Policy,
            "the proxy's rules do not allow it",
            "ask who runs the proxy, or use another one",
        ),
        3 => (
            Culprit::Transport,
            "the network is unreachable from the proxy",
            "check the destination, and the proxy's routes",
        ),
        4 => (
            Culprit::Transport,
            "the host is unreachable from the proxy",
            "check the destination's name or address",
        ),
        5 => (
            Culprit::Transport,
            "connection refused by the target",
            "check that the server runs and that its port is right",
        ),
        6 => (
            Culprit::Transport,
            "time to live expired on the way from the proxy",
            "check the proxy's routes",
        ),
        7 => (
            Culprit::PeerIncompatible,
            "the proxy does not know the command CONNECT",
            "use another proxy",
        ),
        8 => (
            Culprit::PeerIncompatible,
            "the proxy does not know this type of address",
            "let the proxy resolve the name, or resolve it to an IPv4 address",
        ),
        _ => return proxy.broke(format!("its reply has the unknown code {code}")),
    };
    let what = format!("cannot connect to {to}: {why}");
    proxy.fault(culprit, Reason::Proxy, &what).remedy(remedy)
}
