//! Errors in C: a code, a layer, a culprit, and a text.

use core::ffi::{CStr, c_char};
use std::ffi::CString;

use sockless::Reason as From;

use crate::Status;
use crate::engine::{Engine, enter};
use crate::inner::Refusal;
use crate::input;

/// What exactly happened, for programs to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// Nothing happened, or something that this version has no code for.
    None = 0,
    /// The host name has no address.
    Resolve = 1,
    /// No address could be connected to.
    Connect = 2,
    /// Connecting took too long.
    ConnectTimeout = 3,
    /// The security handshake took too long.
    HandshakeTimeout = 4,
    /// The request was sent and no answer began in time.
    FirstByteTimeout = 5,
    /// Nothing moved for too long.
    IdleTimeout = 6,
    /// The transfer as a whole took too long.
    TotalTimeout = 7,
    /// It was slower than the low-speed limit for too long.
    LowSpeed = 8,
    /// The security handshake failed.
    Handshake = 9,
    /// The peer's certificate is not trusted.
    Certificate = 10,
    /// The peer's public key is not one of those that were pinned.
    PinMismatch = 11,
    /// A proxy will not open the tunnel, or breaks its protocol's rules.
    Proxy = 12,
    /// Credentials are missing or were refused, or no scheme is common.
    Authentication = 13,
    /// A layer's peer wanted the same again on a new connection too often.
    Reopen = 14,
    /// The stream ended without its layer's proper end.
    Truncated = 15,
    /// The peer closed before it said anything.
    EmptyReply = 16,
    /// The body is shorter than announced.
    PartialBody = 17,
    /// The bytes are not what the protocol allows.
    Malformed = 18,
    /// The peer speaks something else.
    WrongProtocol = 19,
    /// Both Content-Length and Transfer-Encoding, or several lengths.
    ConflictingLength = 20,
    /// A chunk size that is no number or too big.
    BadChunk = 21,
    /// A folded header line.
    ObsoleteFold = 22,
    /// A CR or LF where none may be.
    BareLineEnd = 23,
    /// White space between field name and colon.
    SpaceBeforeColon = 24,
    /// The head is larger than allowed.
    HeadTooLarge = 25,
    /// Too many header fields.
    TooManyFields = 26,
    /// The body is larger than allowed.
    BodyTooLarge = 27,
    /// The content coding is unknown or broken.
    ContentCoding = 28,
    /// Receiving failed.
    Receive = 29,
    /// Sending failed.
    Send = 30,
    /// Too many redirects.
    TooManyRedirects = 31,
    /// The redirect leads nowhere we go.
    BadRedirect = 32,
    /// The URL cannot be used.
    BadUrl = 33,
    /// The option or the header field cannot be used.
    BadRequest = 34,
    /// The scheme or feature is not built in.
    Unsupported = 35,
    /// The request body ended early or cannot be sent again.
    Upload = 36,
    /// The application cancelled.
    Cancelled = 37,
    /// The engine was used wrongly.
    Misuse = 38,
    /// The peer's host key is unknown, has changed, or is revoked.
    HostKey = 39,
    /// There is no such file or directory at the peer.
    NotFound = 40,
    /// The peer does not allow it to this user.
    PermissionDenied = 41,
    /// The peer could not do it, and says no more.
    RemoteFailure = 42,
    /// A transfer cannot go on from there.
    BadResume = 43,
    /// A command before or after the transfer failed.
    Quote = 44,
    /// Some of many files failed.
    Incomplete = 45,
}

/// Who caused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Culprit {
    /// Nobody.
    None = 0,
    /// The peer broke a protocol's rules.
    PeerMisbehaved = 1,
    /// The peer and we have nothing in common.
    PeerIncompatible = 2,
    /// Our own rules refuse it.
    Policy = 3,
    /// The way there: resolver, network, operating system.
    Transport = 4,
    /// A limit or timeout of ours was reached.
    Limit = 5,
    /// The application called in a way that cannot work.
    Misuse = 6,
    /// The application cancelled it.
    Cancelled = 7,
    /// The peer understands, and will not or cannot.
    PeerRefused = 8,
}

/// The layer that failed. New layers get new numbers; `sockless_error.layer_name` names all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Layer {
    /// A layer that this version has no number for.
    Other = 0,
    /// This interface.
    Capi = 1,
    /// The engine itself.
    Engine = 2,
    /// Name resolution.
    Resolve = 3,
    /// The application's socket.
    Socket = 4,
    /// The URL.
    Url = 5,
    /// A proxy's settings.
    Proxy = 6,
    /// A CONNECT tunnel.
    Connect = 7,
    /// A SOCKS4 proxy.
    Socks4 = 8,
    /// A SOCKS5 proxy.
    Socks5 = 9,
    /// The PROXY protocol's header.
    ProxyProtocol = 10,
    /// A tunnel's destination.
    Tunnel = 11,
    /// TLS.
    Tls = 12,
    /// Authentication.
    Auth = 13,
    /// HTTP.
    Http = 14,
    /// A byte stream.
    Raw = 15,
    /// The stack of layers.
    Stack = 16,
    /// SSH.
    Ssh = 17,
    /// Files over SSH.
    Sftp = 18,
    /// Copies over SSH.
    Scp = 19,
    /// A command over SSH.
    Exec = 20,
}

/// An error. All texts end with a NUL; what they are valid for says where the error is from.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Error {
    /// The status of the call that failed (`sockless_status`); of a transfer that failed
    /// `SOCKLESS_STATUS_REFUSED`.
    pub status: i32,
    /// What happened (`sockless_reason`).
    pub reason: u32,
    /// Who caused it (`sockless_culprit`).
    pub culprit: u32,
    /// The layer (`sockless_layer`).
    pub layer: u32,
    /// The layer's name.
    pub layer_name: *const c_char,
    /// For people: layer, peer, what happened, culprit and remedy, in one line without secrets.
    pub text: *const c_char,
}

/// An error with its texts; it may move, the texts stay where they are.
pub(crate) struct Held {
    view: Error,
    /// Owns what `view` points to.
    _texts: (CString, CString),
}

impl Held {
    pub(crate) fn new(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Sockless(error) => Self::of(error),
            Refusal::Status(status) => Self::plain(*status, text_of(*status)),
            Refusal::Order(text) => Self::plain(Status::Order, (*text).to_owned()),
        }
    }

    /// A transfer's, or a refused call's.
    pub(crate) fn of(error: &sockless::Error) -> Self {
        let (reason, culprit) = (reason(error.reason()), culprit(error.culprit()));
        Self::make(
            Status::Refused,
            reason,
            culprit,
            error.layer(),
            error.to_string(),
        )
    }

    fn plain(status: Status, text: String) -> Self {
        let bug = matches!(status, Status::Panic | Status::Poisoned);
        let culprit = if bug { Culprit::None } else { Culprit::Misuse };
        Self::make(status, Reason::Misuse, culprit, "capi", text)
    }

    fn make(status: Status, reason: Reason, culprit: Culprit, layer: &str, text: String) -> Self {
        let texts = (c_string(layer.to_owned()), c_string(text));
        let view = Error {
            status: status as i32,
            reason: reason as u32,
            culprit: culprit as u32,
            layer: self::layer(layer) as u32,
            layer_name: texts.0.as_ptr(),
            text: texts.1.as_ptr(),
        };
        Self {
            view,
            _texts: texts,
        }
    }

    pub(crate) fn view(&self) -> Error {
        self.view
    }

    pub(crate) fn as_ptr(&self) -> *const Error {
        &raw const self.view
    }
}

/// Without the NULs that a peer may have put into it.
fn c_string(text: String) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}

fn text_of(status: Status) -> String {
    // SAFETY: always a text with a NUL at its end that lives for ever.
    let text = unsafe { CStr::from_ptr(crate::status::sockless_status_text(status as i32)) };
    text.to_string_lossy().into_owned()
}

fn reason(reason: From) -> Reason {
    match reason {
        From::Resolve => Reason::Resolve,
        From::Connect => Reason::Connect,
        From::ConnectTimeout => Reason::ConnectTimeout,
        From::HandshakeTimeout => Reason::HandshakeTimeout,
        From::FirstByteTimeout => Reason::FirstByteTimeout,
        From::IdleTimeout => Reason::IdleTimeout,
        From::TotalTimeout => Reason::TotalTimeout,
        From::LowSpeed => Reason::LowSpeed,
        From::Handshake => Reason::Handshake,
        From::Certificate => Reason::Certificate,
        From::PinMismatch => Reason::PinMismatch,
        From::Proxy => Reason::Proxy,
        From::Authentication => Reason::Authentication,
        From::Reopen => Reason::Reopen,
        From::Truncated => Reason::Truncated,
        From::EmptyReply => Reason::EmptyReply,
        From::PartialBody => Reason::PartialBody,
        From::Malformed => Reason::Malformed,
        From::WrongProtocol => Reason::WrongProtocol,
        From::ConflictingLength => Reason::ConflictingLength,
        From::BadChunk => Reason::BadChunk,
        From::ObsoleteFold => Reason::ObsoleteFold,
        From::BareLineEnd => Reason::BareLineEnd,
        From::SpaceBeforeColon => Reason::SpaceBeforeColon,
        From::HeadTooLarge => Reason::HeadTooLarge,
        From::TooManyFields => Reason::TooManyFields,
        From::BodyTooLarge => Reason::BodyTooLarge,
        From::ContentCoding => Reason::ContentCoding,
        From::Receive => Reason::Receive,
        From::Send => Reason::Send,
        From::TooManyRedirects => Reason::TooManyRedirects,
        From::BadRedirect => Reason::BadRedirect,
        From::BadUrl => Reason::BadUrl,
        From::BadRequest => Reason::BadRequest,
        From::Unsupported => Reason::Unsupported,
        From::Upload => Reason::Upload,
        From::Cancelled => Reason::Cancelled,
        From::Misuse => Reason::Misuse,
        From::HostKey => Reason::HostKey,
        From::NotFound => Reason::NotFound,
        From::PermissionDenied => Reason::PermissionDenied,
        From::RemoteFailure => Reason::RemoteFailure,
        From::BadResume => Reason::BadResume,
        From::Quote => Reason::Quote,
        From::Incomplete => Reason::Incomplete,
        // A test sees to it that none is missing.
        _ => Reason::None,
    }
}

fn culprit(culprit: sockless::Culprit) -> Culprit {
    use sockless::Culprit as From;
    match culprit {
        From::PeerMisbehaved => Culprit::PeerMisbehaved,
        From::PeerIncompatible => Culprit::PeerIncompatible,
        From::Policy => Culprit::Policy,
        From::Transport => Culprit::Transport,
        From::Limit => Culprit::Limit,
        From::Misuse => Culprit::Misuse,
        From::Cancelled => Culprit::Cancelled,
        From::PeerRefused => Culprit::PeerRefused,
        _ => Culprit::None,
    }
}

/// Layers by the names that errors have.
const LAYERS: &[(&str, Layer)] = &[
    ("capi", Layer::Capi),
    ("engine", Layer::Engine),
    ("resolve", Layer::Resolve),
    ("socket", Layer::Socket),
    ("url", Layer::Url),
    ("proxy", Layer::Proxy),
    ("connect", Layer::Connect),
    ("socks4", Layer::Socks4),
    ("socks5", Layer::Socks5),
    ("proxy-protocol", Layer::ProxyProtocol),
    ("tunnel", Layer::Tunnel),
    ("tls", Layer::Tls),
    ("auth", Layer::Auth),
    ("http", Layer::Http),
    ("raw", Layer::Raw),
    ("stack", Layer::Stack),
    ("ssh", Layer::Ssh),
    ("sftp", Layer::Sftp),
    ("scp", Layer::Scp),
    ("exec", Layer::Exec),
];

fn layer(name: &str) -> Layer {
    let found = LAYERS.iter().find(|(have, _)| *have == name);
    found.map_or(Layer::Other, |(_, layer)| *layer)
}

/// Why the last call that failed did so. Its texts are valid until the next call that fails.
/// The thread that uses the engine.
///
/// Calls that fail because there is no open engine leave nothing to ask for: then the
/// status says it all. `SOCKLESS_STATUS_ORDER`: nothing has failed.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `error` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_error(engine: *mut Engine, error: *mut Error) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(error)?;
            let last = inner.last.as_ref();
            place.put(last.ok_or(Refusal::Order("nothing has failed"))?.view());
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    /// The enum is another crate's and may grow: then its source shows it.
    #[test]
    fn each_reason_of_the_engine_has_a_code() {
        let source = include_str!("../../core/src/error.rs");
        let from = source.split_once("pub enum Reason {").expect("the enum").1;
        let body = from.split_once("\n}").expect("its end").0;
        let theirs: Vec<&str> = body
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .collect();
        let ours = include_str!("error.rs");
        for name in &theirs {
            let line = format!("        From::{name} => Reason::{name},\n");
            assert!(ours.contains(&line), "{name} has no code");
        }
        assert!(theirs.len() > 30, "{theirs:?}");
    }
}
