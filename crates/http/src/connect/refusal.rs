//! What is said when there is no tunnel. Each message names the proxy.

use sockless_core::{Culprit, Fault, Head, Reason};

use super::Settings;

/// Bytes of the reason phrase that a message shows.
const SHOWN: usize = 64;

/// The proxy's final answer is no tunnel.
pub(super) fn status(settings: &Settings, head: &Head) -> Fault {
    let phrase = head.reason();
    let phrase = phrase[..phrase.len().min(SHOWN)].escape_ascii().to_string();
    let code = head.code;
    let what = format!(
        "proxy {} answered CONNECT {} with {}",
        settings.proxy,
        settings.authority,
        format!("{code} {phrase}").trim_end()
    );
    let (culprit, remedy) = match code {
        407 => {
            let remedy = "give the proxy's credentials";
            return Fault::new(Culprit::PeerIncompatible, Reason::Authentication, what)
                .remedy(remedy);
        }
        400 | 405 | 426 | 501 | 505 => (
            Culprit::PeerIncompatible,
            "it may not do CONNECT: check that it is a proxy",
        ),
        403 => (
            Culprit::Transport,
            "the proxy's rules forbid this host or port",
        ),
        500..=599 => (
            Culprit::Transport,
            "the proxy cannot reach the target: check host and port",
        ),
        _ => (Culprit::Transport, "ask those who run the proxy"),
    };
    Fault::new(culprit, Reason::Proxy, what).remedy(remedy)
}

/// Whatever went wrong, it did with the proxy. Limits and credentials keep their reason.
pub(super) fn named(settings: &Settings, fault: Fault) -> Fault {
    let broken = matches!(
        fault.culprit,
        Culprit::PeerMisbehaved | Culprit::PeerIncompatible
    ) && fault.reason != Reason::Authentication;
    Fault {
        reason: if broken { Reason::Proxy } else { fault.reason },
        what: format!("proxy {}: {}", settings.proxy, fault.what),
        remedy: match fault.reason {
            Reason::WrongProtocol => Some("check the proxy's host, port and scheme"),
            _ => fault.remedy,
        },
        ..fault
    }
}

/// The connection ended before there was an answer.
pub(super) fn closed(settings: &Settings, begun: bool) -> Fault {
    let Settings {
        proxy, authority, ..
    } = settings;
    let when = if begun {
        "in the middle of its answer to"
    } else {
        "without an answer to"
    };
    let what = format!("proxy {proxy} closed the connection {when} CONNECT {authority}");
    Fault::misbehaved(Reason::Proxy, what)
}

/// The proxy goes on on another connection only.
pub(super) fn reopen(settings: &Settings) -> Fault {
    let proxy = &settings.proxy;
    let what = format!("proxy {proxy} closes the connection after asking for credentials");
    Fault::new(Culprit::Transport, Reason::Reopen, what)
}

/// The same, where another connection cannot help.
pub(super) fn broken_off(settings: &Settings) -> Fault {
    let proxy = &settings.proxy;
    let what = format!("proxy {proxy} closes the connection between two steps of Negotiate");
    Fault::misbehaved(Reason::Authentication, what)
        .remedy("the proxy has to keep connections open for this scheme")
}
