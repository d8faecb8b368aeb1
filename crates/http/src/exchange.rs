//! One request and its answer.

use std::time::Instant;

use sockless_core::{ChannelBinding, Cx, Exchange, Fault, Top, Turn};
use zeroize::Zeroizing;

use crate::receiver::{Found, Receiver};
use crate::sender::Sender;
use crate::{Http1Config, Request};

/// One HTTP/1.1 request and its answer on a connection.
///
/// Request and answer move independently. An answer from 300 up that comes before the
/// request is sent refuses the rest of it: the exchange ends with the answer, and the
/// connection is not used again. Below, the exchange ends when both are complete.
/// Status codes are no errors here; 417 after [`Request::expect_continue`] arrives like
/// any other.
pub struct Http1 {
    request: Request,
    config: Http1Config,
    sender: Sender,
    receiver: Receiver,
    complete: bool,
    prover: Option<Box<dyn Prover>>,
    /// The request with its proofs for this connection.
    proven: Option<Request>,
    /// The binding of the secure channel below, once it is known whether there is one.
    channel: Option<Option<Vec<u8>>>,
}

/// Names and values of fields that prove who we are; the values are wiped.
pub type Proofs = Vec<(&'static str, Zeroizing<Vec<u8>>)>;

/// Makes the fields that prove who we are when it is known which connection the request goes
/// over: a security context belongs to one connection, and may be tied to its channel.
pub trait Prover: Send {
    /// The fields. `channel`: the `tls-server-end-point` binding (RFC 5929).
    ///
    /// # Errors
    /// There is nothing to prove it with; the transfer ends with this.
    fn prove(&mut self, channel: Option<Vec<u8>>, cx: &mut Cx<'_>) -> Result<Proofs, Fault>;
}

impl Http1 {
    /// An exchange that has not begun.
    pub fn new(request: Request, config: Http1Config) -> Self {
        let (sender, receiver) = (Sender::new(), Receiver::new());
        Self {
            request,
            config,
            sender,
            receiver,
            complete: false,
            prover: None,
            proven: None,
            channel: None,
        }
    }

    /// Adds what `prover` gives to the request's fields, on each connection anew.
    #[must_use]
    pub fn proven_by(mut self, prover: Box<dyn Prover>) -> Self {
        self.prover = Some(prover);
        self
    }

    fn prove(&mut self, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let Some(prover) = self.prover.as_mut().filter(|_| self.proven.is_none()) else {
            return Ok(());
        };
        let mut request = self.request.clone();
        for (name, value) in prover.prove(self.channel.take().flatten(), cx)? {
            request = request.field(name, &*value)?;
        }
        self.proven = Some(request);
        Ok(())
    }

    /// The request.
    pub fn request(&self) -> &Request {
        &self.request
    }
}

impl Exchange for Http1 {
    fn layer(&self) -> &'static str {
        "http"
    }

    fn pump(&mut self, top: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        let Top {
            from_peer,
            to_peer,
            events,
            body,
        } = top;
        if !self.sender.has_begun() {
            self.prove(cx)?;
            let request = self.proven.as_ref().unwrap_or(&self.request);
            self.sender.pump(request, to_peer, body, cx)?;
        }
        while !self.complete {
            // First what the peer says: it may consent to the body, or refuse it.
            let to_head = self.request.is_head();
            match self
                .receiver
                .pump(&self.config, to_head, from_peer, events, cx)?
            {
                Found::Blocked => {
                    let request = self.proven.as_ref().unwrap_or(&self.request);
                    self.sender.pump(request, to_peer, body, cx)?;
                    return Ok(Turn::Blocked);
                }
                Found::Consent => self.sender.consent(),
                Found::Final(code) => self.sender.answered(code),
                Found::Complete => self.complete = true,
            }
        }
        if self.only_sends() {
            // The peer is content with what it has not seen all of: it gets the rest.
            self.sender.pump(&self.request, to_peer, body, cx)?;
            if !self.sender.is_done() || !to_peer.is_empty() {
                return Ok(Turn::Blocked);
            }
        }
        // Bytes after the answer belong to nothing we asked for (RFC 9112 section 9.3.2).
        let clean = from_peer.is_empty() && !from_peer.is_finished() && to_peer.is_empty();
        let persists = self.receiver.persists() && !self.request.closes();
        Ok(Turn::Finished {
            reusable: clean && persists && self.sender.is_done(),
        })
    }

    fn restart(&mut self, _reused: bool) -> bool {
        if self.receiver.has_emitted() || self.sender.has_taken_body() {
            return false;
        }
        (self.sender, self.receiver) = (Sender::new(), Receiver::new());
        (self.proven, self.channel) = (None, None);
        true
    }

    fn expects(&self) -> u64 {
        self.receiver.expects()
    }

    fn missing(&self) -> Option<Fault> {
        self.receiver.missing()
    }

    fn only_sends(&self) -> bool {
        self.complete && self.sender.has_body(&self.request)
    }

    fn awaits_answer(&self) -> bool {
        self.sender.is_done() && !self.receiver.has_begun()
    }

    fn deadline(&self) -> Option<Instant> {
        self.sender.deadline()
    }

    fn binds_to(&self) -> Option<ChannelBinding> {
        let asks = self.prover.is_some() && self.proven.is_none() && self.channel.is_none();
        asks.then_some(ChannelBinding::TlsServerEndPoint)
    }

    fn bind(&mut self, channel: Option<Vec<u8>>) {
        self.channel = Some(channel);
    }
}

/// Without the request's secrets.
impl core::fmt::Debug for Http1 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Http1")
            .field("request", &self.request)
            .field("sender", &self.sender)
            .field("receiver", &self.receiver)
            .finish_non_exhaustive()
    }
}
