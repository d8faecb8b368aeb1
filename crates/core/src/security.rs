//! Multi-step security contexts (GSS-API, RFC 2743): where HTTP Negotiate, the GSS method
//! of SOCKS5 and SSH meet whatever makes the tokens.

use std::sync::Arc;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::{ChannelBinding, Culprit, Cx, Fault, Reason};

/// What a context says after a step.
#[derive(Debug)]
#[non_exhaustive]
pub enum Step {
    /// Give this token to the peer, and its answer to the next step.
    Continue(Vec<u8>),
    /// The context is established, the peer is who it should be. A last token may have to be sent.
    Done(Option<Vec<u8>>),
}

/// One side of one security context; bound to one connection.
pub trait SecurityContext: Send {
    /// The mechanism, as errors and notes name it, e.g. `Kerberos`.
    fn mechanism(&self) -> &'static str;

    /// Ties the context to the channel below it (RFC 5056); only before the first step. A
    /// mechanism that cannot do that takes no notice: the peer decides whether it insists.
    fn bind(&mut self, _kind: ChannelBinding, _channel: &[u8]) {}

    /// Takes the peer's token (`None` in the first step) and gives the next one.
    ///
    /// # Errors
    /// The peer is not who it should be, or credentials are missing; the context is over.
    fn step(&mut self, from_peer: Option<&[u8]>, cx: &mut Cx<'_>) -> Result<Step, Fault>;

    /// Protects `plain` and appends the result to `out`; with `confidential` nobody else can read it.
    ///
    /// # Errors
    /// The context is not established, or cannot give that protection.
    fn wrap(&mut self, plain: &[u8], confidential: bool, out: &mut Vec<u8>) -> Result<(), Fault>;

    /// Undoes the peer's wrap, appends the plain bytes to `out`, and says whether they
    /// were confidential.
    ///
    /// # Errors
    /// The bytes are not what the peer wrapped, or not in order.
    fn unwrap(&mut self, sealed: &[u8], out: &mut Vec<u8>) -> Result<bool, Fault>;

    /// The most bytes that one wrap may take for its result to have at most `sealed` bytes.
    fn wrap_limit(&self, sealed: usize, confidential: bool) -> usize;

    /// Proof that `message` comes from us, apart from it (RFC 2743 section 2.3.1).
    ///
    /// # Errors
    /// The context is not established, or has no such proof.
    fn mic(&mut self, _message: &[u8]) -> Result<Vec<u8>, Fault> {
        let what = format!("{} cannot sign a message", self.mechanism());
        Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what))
    }
}

/// Makes contexts towards a service: credentials, and how to use them.
pub trait SecurityProvider: Send + Sync {
    /// A fresh context towards `service` (e.g. `HTTP`, `rcmd`, `host`) on `host`.
    ///
    /// # Errors
    /// No credentials, or a name that cannot be one.
    fn context(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault>;

    /// The same inside SPNEGO (RFC 4178), which lets the peer say which mechanism it is:
    /// what HTTP Negotiate wants.
    ///
    /// # Errors
    /// As [`SecurityProvider::context`].
    fn negotiated(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        self.context(service, host)
    }

    /// The mechanisms of the contexts that [`SecurityProvider::context`] makes, as DER-encoded object
    /// identifiers, for protocols in which they are named (SSH, RFC 4462 section 3.2). Default:
    /// none, and such a protocol does without.
    fn mechanisms(&self) -> &'static [&'static [u8]] {
        &[]
    }

    /// What a context towards that service lacks at that time, e.g. a ticket: the name of an
    /// [`Errand`] that brings it. `None`: nothing that an errand could bring.
    fn lacks(&self, _service: &str, _host: &str, _wall: SystemTime) -> Option<Arc<str>> {
        None
    }

    /// The errand that brings what [`SecurityProvider::lacks`] has named. Errands with the same
    /// name and the same provider are one: whoever runs them runs the first, and all wait for it.
    ///
    /// # Errors
    /// It is known already that it cannot succeed.
    fn errand(
        &self,
        service: &str,
        host: &str,
        wall: SystemTime,
    ) -> Result<Option<Box<dyn Errand>>, Fault> {
        let _ = (service, host, wall);
        Ok(None)
    }

    /// What tells these credentials from others, for keys of connections: equal only for the same ones.
    fn identity(&self) -> Arc<str>;
}

/// A conversation with third parties (Kerberos' key distribution centers, KDCs) that has to
/// come before a context. It does no I/O: it says what is to be asked, and takes the answer.
///
/// What it brings stays with the provider that made it; so does a failure, for
/// [`SecurityProvider::context`] to tell.
pub trait Errand: Send {
    /// The next question, after the `answer` to the one before (`None` in the first step).
    ///
    /// # Errors
    /// The errand has failed.
    fn step(
        &mut self,
        answer: Option<Result<&[u8], Fault>>,
        wall: SystemTime,
    ) -> Result<Need, Fault>;
}

/// What an errand needs.
#[derive(Debug)]
#[non_exhaustive]
pub enum Need {
    /// Ask this.
    Ask(Inquiry),
    /// Nothing more: it has brought what it was for.
    Nothing,
}

/// A question to the KDCs of one realm, or about them.
pub struct Inquiry {
    /// The realm, for messages.
    pub realm: Arc<str>,
    /// What the message is written in.
    pub protocol: Protocol,
    /// The message, without any framing.
    pub message: Zeroizing<Vec<u8>>,
    /// Whom to ask, in order of preference.
    pub kdcs: Arc<[Kdc]>,
    /// Datagrams will not do: the answer is too large for them.
    pub stream: bool,
}

/// Without the message, which may be made from secrets.
impl core::fmt::Debug for Inquiry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { realm, message, .. } = self;
        write!(f, "Inquiry({} bytes to {realm})", message.len())
    }
}

/// What is spoken with those that an [`Inquiry`] is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// Kerberos (RFC 4120), with KDCs. On a stream each message has its length in four bytes in front.
    Kerberos,
    /// DNS (RFC 1035), with name servers that may know where KDCs are; the length has two bytes.
    Dns,
}

/// Where a key distribution center is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kdc {
    /// By datagrams, and by a stream where they will not do.
    Any {
        /// Name or literal address, without brackets.
        host: Arc<str>,
        /// Usually 88.
        port: u16,
    },
    /// By a stream alone.
    Stream {
        /// Name or literal address, without brackets.
        host: Arc<str>,
        /// Usually 88.
        port: u16,
    },
    /// Through a KDC proxy (MS-KKDCP), by POST to this URL.
    Proxy(Arc<str>),
}

impl core::fmt::Display for Kdc {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Any { host, port } | Self::Stream { host, port } if host.contains(':') => {
                write!(f, "[{host}]:{port}")
            }
            Self::Any { host, port } | Self::Stream { host, port } => write!(f, "{host}:{port}"),
            Self::Proxy(url) => f.write_str(url),
        }
    }
}
