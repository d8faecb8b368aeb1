//! Why a connection failed, in words that help.

use libssh2_sys as code;
use sockless_core::{Culprit, Fault, Reason};

use super::ffi::Failure;
use super::hello::{Hello, Offer, State};
use super::offer::is_aead;
use crate::algorithms::{Algorithms, Kind, nothing_in_common};

/// The connection is over because libssh2 says so.
pub(super) fn of(failure: &Failure, hello: &Hello, ours: &Algorithms) -> Fault {
    let said = said(failure);
    match failure.code {
        code::LIBSSH2_ERROR_KEX_FAILURE | code::LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE => hello
            .offer()
            .and_then(|theirs| uncommon(ours, theirs))
            .unwrap_or_else(|| {
                Fault::misbehaved(
                    Reason::Handshake,
                    format!("the key exchange failed: {said}"),
                )
            }),
        code::LIBSSH2_ERROR_HOSTKEY_INIT | code::LIBSSH2_ERROR_HOSTKEY_SIGN => Fault::misbehaved(
            Reason::Handshake,
            format!("the server did not prove that the host key is its own: {said}"),
        ),
        code::LIBSSH2_ERROR_INVALID_MAC | code::LIBSSH2_ERROR_DECRYPT => Fault::misbehaved(
            Reason::Malformed,
            format!("a packet's authentication code is wrong: it was altered on its way: {said}"),
        ),
        code::LIBSSH2_ERROR_ALLOC => Fault::new(
            Culprit::Limit,
            Reason::Malformed,
            format!("the server sent more than may be kept: {said}"),
        ),
        code::LIBSSH2_ERROR_BANNER_RECV | code::LIBSSH2_ERROR_BANNER_SEND => Fault::misbehaved(
            Reason::WrongProtocol,
            format!("the server has no proper SSH version: {said}"),
        )
        .remedy("check host and port"),
        _ => Fault::misbehaved(Reason::Malformed, said),
    }
}

/// Why a channel, or what was to run on it, is refused.
pub(super) fn refusal(failure: &Failure) -> String {
    if failure.code == code::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED {
        return "the peer does not do that".to_owned();
    }
    let Some(reason) = failure.text.strip_prefix("Channel open failure") else {
        return failure.text.clone();
    };
    match reason.trim_matches([' ', '(', ')']) {
        "administratively prohibited" => "it is forbidden",
        "connect failed" => "the peer could not connect",
        "unknown channel type" => "the peer knows no such channel",
        "resource shortage" => "the peer has no room for it",
        "" => "no reason given",
        other => other,
    }
    .to_owned()
}

/// A packet before the login is done, with a banner mostly, that libssh2 does not take.
pub(super) fn too_long() -> Fault {
    let what =
        "a packet of the login says that it is longer than 40,000 bytes, the most libssh2 takes";
    Fault::new(Culprit::Limit, Reason::HeadTooLarge, what)
}

/// The server's texts for the user are longer than they may be.
pub(super) fn banner() -> Fault {
    let what = "the peer's banners are longer than the limit";
    Fault::new(Culprit::Limit, Reason::HeadTooLarge, what)
}

/// The stream ended and the server had not said farewell.
pub(super) fn truncated(hello: &Hello) -> Fault {
    if hello.has_no_version() {
        let what = "the server closed before it said its SSH version";
        return Fault::new(Culprit::Transport, Reason::Truncated, what)
            .remedy("check host and port; a server that is too busy closes like this as well");
    }
    let what = "the connection ended without a farewell";
    Fault::new(Culprit::Transport, Reason::Truncated, what)
}

/// What the first bytes say about the server, if it is no use going on.
pub(super) fn of_hello(hello: &Hello) -> Option<Fault> {
    let what = match hello.state() {
        State::OtherVersion(version) => format!("the server speaks {version}, not SSH 2"),
        State::NoVersion => "text came and came, and no SSH version".to_owned(),
        _ => return None,
    };
    Some(Fault::misbehaved(Reason::WrongProtocol, what).remedy("check host and port"))
}

/// The first list that has nothing in common with the other side's.
fn uncommon(ours: &Algorithms, theirs: &Offer) -> Option<Fault> {
    let lists = [
        (Kind::Kex, &theirs.kex),
        (Kind::HostKey, &theirs.host_key),
        (Kind::Cipher, &theirs.cipher[0]),
        (Kind::Cipher, &theirs.cipher[1]),
        (Kind::Mac, &theirs.mac[0]),
        (Kind::Mac, &theirs.mac[1]),
        (Kind::Compression, &theirs.compression[0]),
        (Kind::Compression, &theirs.compression[1]),
    ];
    let mut lists = lists.into_iter();
    let (kind, theirs) = lists.find(|(kind, theirs)| {
        let ours_has = |name: &String| ours.of(*kind).contains(name);
        let is_needed =
            *kind != Kind::Mac || !ours.of(Kind::Cipher).iter().all(|name| is_aead(name));
        is_needed && !theirs.iter().any(ours_has)
    })?;
    Some(nothing_in_common(kind.name(), ours.of(kind), theirs))
}

/// libssh2's sentence and number.
fn said(failure: &Failure) -> String {
    let text = match failure.text.as_str() {
        "" => "no reason given",
        text => text,
    };
    let shown = text.escape_debug();
    format!("{shown} (libssh2 {})", failure.code)
}
