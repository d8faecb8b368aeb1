//! Multi-step security contexts (GSS-API, RFC 2743): where HTTP Negotiate, the GSS method
//! of SOCKS5 and SSH meet whatever makes the tokens.

use std::sync::Arc;

use crate::{Cx, Fault};

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
}

/// Makes contexts towards a service: credentials, and how to use them.
pub trait SecurityProvider: Send + Sync {
    /// A fresh context towards `service` (e.g. `HTTP`, `rcmd`, `host`) on `host`.
    ///
    /// # Errors
    /// No credentials, or a name that cannot be one.
    fn context(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault>;

    /// What tells these credentials from others, for keys of connections: equal only for the same ones.
    fn identity(&self) -> Arc<str>;
}
