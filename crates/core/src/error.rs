//! Errors: who is to blame, in which layer, and what helps.

use core::fmt;
use std::error::Error as StdError;
use std::io;

/// Who caused a failure; orthogonal to the layer that saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Culprit {
    /// The peer broke a protocol's rules.
    PeerMisbehaved,
    /// The peer and we have nothing in common: no version, no cipher, no method.
    PeerIncompatible,
    /// The peer understands, and will not or cannot: no such file, no permission, no space.
    PeerRefused,
    /// Our own rules refuse it: certificate, host key, redirect limit.
    Policy,
    /// The way there: resolver, network, operating system.
    Transport,
    /// A limit or timeout of ours was reached.
    Limit,
    /// The application called in a way that cannot work.
    Misuse,
    /// The application cancelled it.
    Cancelled,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PeerMisbehaved => "peer misbehaved",
            Self::PeerIncompatible => "peer incompatible",
            Self::PeerRefused => "refused by the peer",
            Self::Policy => "refused by policy",
            Self::Transport => "transport",
            Self::Limit => "limit",
            Self::Misuse => "misuse",
            Self::Cancelled => "cancelled",
        })
    }
}

/// What exactly happened, for programs to decide on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The host name has no address.
    Resolve,
    /// No address could be connected to.
    Connect,
    /// Connecting took too long.
    ConnectTimeout,
    /// The security handshake took too long.
    HandshakeTimeout,
    /// The request was sent and no answer began in time.
    FirstByteTimeout,
    /// Nothing moved for too long.
    IdleTimeout,
    /// The transfer as a whole took too long.
    TotalTimeout,
    /// It was slower than the low-speed limit for too long.
    LowSpeed,
    /// The security handshake failed.
    Handshake,
    /// The peer's certificate is not trusted.
    Certificate,
    /// The peer's public key is not one of those that were pinned.
    PinMismatch,
    /// The peer's host key is unknown, has changed, or is revoked.
    HostKey,
    /// A proxy will not open the tunnel, or breaks its protocol's rules while it should.
    Proxy,
    /// Credentials are missing or were refused, or no scheme is common.
    Authentication,
    /// The layer's peer wants the same again on a new connection (a proxy that closes after
    /// its challenge): the engine starts over, a bounded number of times, before it fails.
    Reopen,
    /// The stream ended without its layer's proper end.
    Truncated,
    /// The peer closed before it said anything.
    EmptyReply,
    /// The body is shorter than announced.
    PartialBody,
    /// The bytes are not what the protocol allows.
    Malformed,
    /// The peer speaks something else.
    WrongProtocol,
    /// Both Content-Length and Transfer-Encoding, or several lengths (RFC 9112 6.3).
    ConflictingLength,
    /// A chunk size that is no number or too big (RFC 9112 7.1).
    BadChunk,
    /// A folded header line (RFC 9112 5.2).
    ObsoleteFold,
    /// A CR or LF where none may be (RFC 9112 2.2).
    BareLineEnd,
    /// White space between field name and colon (RFC 9112 5.1).
    SpaceBeforeColon,
    /// The head is larger than allowed.
    HeadTooLarge,
    /// Too many header fields.
    TooManyFields,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The content coding is unknown or broken.
    ContentCoding,
    /// Receiving failed.
    Receive,
    /// Sending failed.
    Send,
    /// Too many redirects.
    TooManyRedirects,
    /// The redirect leads nowhere we go.
    BadRedirect,
    /// The URL cannot be used.
    BadUrl,
    /// The option or the header field cannot be used.
    BadRequest,
    /// The scheme or feature is not built in.
    Unsupported,
    /// The request body ended early or cannot be sent again.
    Upload,
    /// There is no such file or directory at the peer.
    NotFound,
    /// The peer does not allow it to this user.
    PermissionDenied,
    /// The peer could not do it, and says no more: no space, a file in the way, a bad name.
    RemoteFailure,
    /// A transfer cannot go on from there.
    BadResume,
    /// A command before or after the transfer failed; the source says why.
    Quote,
    /// Some of many files failed.
    Incomplete,
    /// The application cancelled.
    Cancelled,
    /// The engine was used wrongly.
    Misuse,
}

/// What a layer reports; the stack adds where it came from and makes an [`Error`] of it.
#[derive(Debug)]
pub struct Fault {
    /// Who caused it.
    pub culprit: Culprit,
    /// What happened, for programs.
    pub reason: Reason,
    /// What happened, for people; no secrets, no line ends.
    pub what: String,
    /// What the reader can do about it.
    pub remedy: Option<&'static str>,
    /// The error underneath.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Fault {
    /// A fault without remedy and source.
    pub fn new(culprit: Culprit, reason: Reason, what: impl Into<String>) -> Self {
        Self {
            culprit,
            reason,
            what: what.into(),
            remedy: None,
            source: None,
        }
    }

    /// The peer broke a rule.
    pub fn misbehaved(reason: Reason, what: impl Into<String>) -> Self {
        Self::new(Culprit::PeerMisbehaved, reason, what)
    }

    /// Adds what the reader can do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: &'static str) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// A failed operation.
    pub fn io(reason: Reason, what: &str, error: io::Error) -> Self {
        Self::new(Culprit::Transport, reason, format!("{what}: {error}")).source(error)
    }

    /// Stamps the fault with the layer it came from.
    pub fn at(self, layer: &'static str) -> Error {
        Error(Box::new(Inner {
            fault: self,
            layer,
            peer: None,
        }))
    }
}

/// A transfer's failure: layer, culprit, what happened, and the remedy.
pub struct Error(Box<Inner>);

struct Inner {
    fault: Fault,
    layer: &'static str,
    peer: Option<String>,
}

impl Error {
    /// The layer that failed, e.g. `tls`.
    pub fn layer(&self) -> &'static str {
        self.0.layer
    }

    /// Who caused it.
    pub fn culprit(&self) -> Culprit {
        self.0.fault.culprit
    }

    /// What happened, for programs.
    pub fn reason(&self) -> Reason {
        self.0.fault.reason
    }

    /// What happened, for people, without layer and remedy.
    pub fn what(&self) -> &str {
        &self.0.fault.what
    }

    /// What the reader can do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        self.0.fault.remedy
    }

    /// The peer it happened with: host and port, or a path.
    pub fn peer(&self) -> Option<&str> {
        self.0.peer.as_deref()
    }

    /// Names the peer.
    #[must_use]
    pub fn with_peer(mut self, peer: impl Into<String>) -> Self {
        self.0.peer.get_or_insert_with(|| peer.into());
        self
    }
}

/// `layer (peer): what [culprit]; remedy`.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.layer)?;
        if let Some(peer) = &self.0.peer {
            write!(f, " ({peer})")?;
        }
        write!(f, ": {} [{}]", self.0.fault.what, self.0.fault.culprit)?;
        match self.0.fault.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self} {:?})", self.0.fault.reason)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0
            .fault
            .source
            .as_deref()
            .map(|source| source as &(dyn StdError + 'static))
    }
}
