//! One request and its answer.

use std::time::Instant;

use sockless_core::{Cx, Exchange, Fault, Top, Turn};

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
        }
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
            self.sender.pump(&self.request, to_peer, body, cx)?;
        }
        while !self.complete {
            // First what the peer says: it may consent to the body, or refuse it.
            let to_head = self.request.is_head();
            match self
                .receiver
                .pump(&self.config, to_head, from_peer, events, cx)?
            {
                Found::Blocked => {
                    self.sender.pump(&self.request, to_peer, body, cx)?;
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
