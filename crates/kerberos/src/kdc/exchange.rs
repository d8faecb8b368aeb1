//! One question to one KDC (RFC 4120 section 7.2), as an exchange on a connection.

use sockless_core::{Buf, Culprit, Cx, Exchange, Fault, Protocol, Reason, Top, Turn};
use zeroize::Zeroizing;

use super::LARGEST;

/// In front of each message on a stream: its length, big-endian, in so many bytes.
const HEADER: usize = 4;
const HEADER_OF_DNS: usize = 2;

/// Sends one message and gives the answer as one [`Event::Data`](sockless_core::Event::Data).
pub struct KdcExchange {
    message: Zeroizing<Vec<u8>>,
    /// Bytes of the length in front; none: datagrams have none.
    header: Option<usize>,
    sent: bool,
    /// From a stream, so far.
    heard: Vec<u8>,
}

impl KdcExchange {
    /// For a datagram: the message as it is, and one datagram back.
    pub fn datagram(message: Zeroizing<Vec<u8>>) -> Self {
        Self {
            message,
            header: None,
            sent: false,
            heard: Vec::new(),
        }
    }

    /// For a stream: the length in front, both ways.
    pub fn stream(message: Zeroizing<Vec<u8>>, protocol: Protocol) -> Self {
        let header = match protocol {
            Protocol::Dns => HEADER_OF_DNS,
            _ => HEADER,
        };
        Self {
            message,
            header: Some(header),
            sent: false,
            heard: Vec::new(),
        }
    }

    fn send(&self, io: &mut Top<'_>, cx: &Cx<'_>) {
        let mut wire = cx.buf(self.message.len() + HEADER);
        if let Some(header) = self.header {
            let length = (self.message.len() as u32).to_be_bytes();
            wire.extend_from_slice(&length[HEADER - header..]);
        }
        wire.extend_from_slice(&self.message);
        io.to_peer.push(wire);
    }

    /// The answer, once all of it is there.
    fn receive(&mut self, io: &mut Top<'_>) -> Result<Option<Buf>, Fault> {
        let Some(header) = self.header else {
            return match io.from_peer.pop() {
                None if io.from_peer.is_finished() => Err(ended()),
                datagram => Ok(datagram),
            };
        };
        while let Some(piece) = io.from_peer.pop() {
            // The length comes first: nothing is kept that will be refused.
            self.heard.extend_from_slice(&piece);
            if let Some(length) = self.announced(header)? {
                let whole = header + length;
                if self.heard.len() >= whole {
                    return Ok(Some(Buf::from(&self.heard[header..whole])));
                }
            }
        }
        match io.from_peer.is_finished() {
            true => Err(ended()),
            false => Ok(None),
        }
    }

    fn announced(&self, header: usize) -> Result<Option<usize>, Fault> {
        let Some(digits) = self.heard.get(..header) else {
            return Ok(None);
        };
        let length = digits
            .iter()
            .fold(0, |n, digit| n << 8 | usize::from(*digit));
        if length > LARGEST {
            let what = format!("the KDC announces {length} bytes, more than {LARGEST}");
            return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what)
                .remedy("check that it is a KDC, and that its port is right"));
        }
        Ok(Some(length))
    }
}

impl Exchange for KdcExchange {
    fn layer(&self) -> &'static str {
        "kdc"
    }

    fn pump(&mut self, mut io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        if !core::mem::replace(&mut self.sent, true) {
            self.send(&mut io, cx);
        }
        match self.receive(&mut io)? {
            None => Ok(Turn::Blocked),
            Some(answer) => {
                io.events.data(answer);
                Ok(Turn::Finished { reusable: false })
            }
        }
    }

    fn restart(&mut self, _reused: bool) -> bool {
        self.sent = false;
        self.heard.clear();
        true
    }

    fn awaits_answer(&self) -> bool {
        self.sent
    }
}

/// No message.
impl core::fmt::Debug for KdcExchange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("KdcExchange")
            .field("stream", &self.header.is_some())
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

fn ended() -> Fault {
    let what = "the KDC ended the connection before its answer was complete";
    Fault::misbehaved(Reason::Truncated, what)
}
