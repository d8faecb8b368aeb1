//! HAProxy's PROXY protocol: tells the server whose connection this is
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).

use core::net::SocketAddr;

use sockless_core::{Buf, Culprit, Cx, Fault, Filter, Phase, Pipe, Reason, Seams, Status};

/// How the header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Version {
    /// A line of text (section 2.1).
    V1,
    /// Binary (section 2.2).
    V2,
}

/// Whose connection it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// The sender's own, e.g. a health check: `UNKNOWN` in version 1, `LOCAL` in version 2.
    Own,
    /// That of a client whom the sender relays, over TCP.
    Relayed {
        /// The client's address.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
}

/// The header in front of everything; it leaves at once.
#[derive(Debug)]
pub struct ProxyProtocol {
    header: Vec<u8>,
}

impl ProxyProtocol {
    /// A header of that version.
    ///
    /// # Errors
    /// Source and destination are not of one family.
    pub fn new(version: Version, addresses: Addresses) -> Result<Self, Fault> {
        if let Addresses::Relayed {
            source,
            destination,
        } = addresses
            && source.is_ipv4() != destination.is_ipv4()
        {
            let what = format!("{source} and {destination} are not of one address family");
            return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what)
                .remedy("give both as IPv4 or both as IPv6 addresses"));
        }
        let header = match version {
            Version::V1 => line(addresses),
            Version::V2 => binary(addresses),
        };
        Ok(Self { header })
    }
}

impl Filter for ProxyProtocol {
    fn layer(&self) -> &'static str {
        "proxy-protocol"
    }

    fn pump(&mut self, io: Seams<'_>, _: &mut Cx<'_>) -> Result<Status, Fault> {
        if io.net_out.room() == 0 {
            return Ok(Status::Stay);
        }
        io.net_out
            .push(Buf::from(core::mem::take(&mut self.header)));
        Ok(Status::Leave)
    }

    fn phase(&self) -> Phase {
        Phase::Handshake
    }

    fn min(&self, _: &Pipe, _above: usize) -> usize {
        1
    }
}

fn line(addresses: Addresses) -> Vec<u8> {
    let Addresses::Relayed {
        source,
        destination,
    } = addresses
    else {
        return b"PROXY UNKNOWN\r\n".to_vec();
    };
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    let ports = format!("{} {}", source.port(), destination.port());
    format!("PROXY {family} {from} {to} {ports}\r\n").into_bytes()
}

fn binary(addresses: Addresses) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    // Version 2 and command, family and transport, length of what follows.
    match addresses {
        Addresses::Own => header.extend_from_slice(&[0x20, 0x00, 0, 0]),
        Addresses::Relayed {
            source: SocketAddr::V4(source),
            destination: SocketAddr::V4(destination),
        } => {
            header.extend_from_slice(&[0x21, 0x11, 0, 12]);
            header.extend_from_slice(&source.ip().octets());
            header.extend_from_slice(&destination.ip().octets());
            ports(&mut header, source.port(), destination.port());
        }
        Addresses::Relayed {
            source,
            destination,
        } => {
            header.extend_from_slice(&[0x21, 0x21, 0, 36]);
            for address in [source, destination] {
                let ip = match address {
                    SocketAddr::V4(v4) => v4.ip().to_ipv6_mapped(),
                    SocketAddr::V6(v6) => *v6.ip(),
                };
                header.extend_from_slice(&ip.octets());
            }
            ports(&mut header, source.port(), destination.port());
        }
    }
    header
}

fn ports(header: &mut Vec<u8>, source: u16, destination: u16) {
    header.extend_from_slice(&source.to_be_bytes());
    header.extend_from_slice(&destination.to_be_bytes());
}
