//! One request's way through authentication.

use core::fmt;

use sockless_core::SecurityContext;

use super::digest;

/// What one request has sent so far, and the multi-step context of its connection.
///
/// There is one for each request, and it is kept while the request is sent again after
/// challenges; [`Dialog::reconnected`] tells it when that goes over another connection.
#[derive(Default)]
pub struct Dialog {
    pub(super) sent: Option<Sent>,
    pub(super) context: Option<Box<dyn SecurityContext>>,
    /// The peer's token for the next step.
    pub(super) token: Option<Vec<u8>>,
    pub(super) established: bool,
    /// Challenges so far.
    pub(super) rounds: usize,
}

/// What the request in flight carries.
pub(super) enum Sent {
    Negotiate,
    Digest(Box<digest::Sent>),
    Bearer,
    Basic,
}

impl Dialog {
    /// For a request on a connection that nobody has authenticated.
    pub fn new() -> Self {
        Self::default()
    }

    /// For a request on a connection that the same [`Authenticator`](super::Authenticator) has
    /// authenticated before ([`Dialog::is_established`]): it begins no context of its own
    /// before it is asked to.
    pub fn on_established() -> Self {
        Self {
            established: true,
            ..Self::default()
        }
    }

    /// The request is sent again over another connection: a context does not move there.
    pub fn reconnected(&mut self) {
        (self.context, self.token, self.established) = (None, None, false);
    }

    /// Whether the connection itself is authenticated now (Negotiate): whoever uses it acts
    /// with these credentials.
    pub fn is_established(&self) -> bool {
        self.established
    }

    /// Whether the next step belongs to this very connection.
    pub fn is_midway(&self) -> bool {
        self.token.is_some()
    }
}

/// Nothing of what was sent.
impl fmt::Debug for Dialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialog")
            .field("rounds", &self.rounds)
            .field("established", &self.established)
            .finish_non_exhaustive()
    }
}
