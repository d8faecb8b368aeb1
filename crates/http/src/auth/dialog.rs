//! One request's way through authentication.

use core::fmt;

use sockless_core::SecurityContext;

use super::digest;

/// What one request has sent so far, and the multi-step context of its connection.
///
/// There is one for each request, and it is kept while the request is sent again after
/// challenges. When that goes over another connection ([`Cx::connection`](sockless_core::Cx)), its context
/// does not go there: [`Dialog::reconnected`].
#[derive(Default)]
pub struct Dialog {
    pub(super) sent: Option<Sent>,
    pub(super) context: Option<Box<dyn SecurityContext>>,
    /// The peer's token for the next step.
    pub(super) token: Option<Vec<u8>>,
    pub(super) established: bool,
    /// Challenges so far.
    pub(super) rounds: usize,
    /// The binding of the secure channel below.
    pub(super) channel: Option<Vec<u8>>,
    /// The number of the connection that the last request went over.
    connection: Option<u64>,
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

    /// The `tls-server-end-point` binding (RFC 5929) of the connection that the next request
    /// goes over; a context that begins is tied to it.
    pub fn bind(&mut self, channel: Option<Vec<u8>>) {
        self.channel = channel;
    }

    /// The next request goes over that connection.
    pub(super) fn is_on(&mut self, connection: u64) {
        let before = self.connection.replace(connection);
        if before.is_some_and(|before| before != connection) {
            self.reconnected();
        }
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
