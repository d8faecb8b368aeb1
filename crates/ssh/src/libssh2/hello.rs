//! What the server says in the clear: its version, and what it offers (RFC 4253 sections 4.2, 7.1).
//!
//! libssh2 tells neither what the other side offers when nothing is common, nor whether both sides
//! keep strict order. Both stand in the first bytes of the connection, which are listened to here on
//! their way to it.

/// Bytes from the version to the end of the first offer.
const MOST: usize = 64 * 1024;

/// Lines that may come before the version.
const MOST_LINES: usize = 20;

/// The name with which a server says that it keeps strict order (CVE-2023-48795).
const STRICT: &str = "kex-strict-s-v00@openssh.com";

const KEXINIT: u8 = 20;

/// A listener at the beginning of a connection.
#[derive(Debug)]
pub(super) struct Hello {
    /// Bytes of text that may come before the version.
    most_text: usize,
    state: State,
}

/// What has been heard.
#[derive(Debug)]
pub(super) enum State {
    /// The offer is not complete; these bytes have come.
    Hears(Vec<u8>),
    /// It is.
    Heard(Offer),
    /// The server speaks another version, this one.
    OtherVersion(String),
    /// Lines come and come, and no version.
    NoVersion,
    /// There is no offer to be understood. libssh2 will say why.
    Deaf,
}

/// What a side offers, in the order of RFC 4253 section 7.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    /// Key exchange.
    pub(super) kex: Vec<String>,
    /// Host key algorithms.
    pub(super) host_key: Vec<String>,
    /// Ciphers: to the server, from the server.
    pub(super) cipher: [Vec<String>; 2],
    /// MACs: to the server, from the server.
    pub(super) mac: [Vec<String>; 2],
    /// Compression: to the server, from the server.
    pub(super) compression: [Vec<String>; 2],
}

impl Hello {
    pub(super) fn new(most_text: usize) -> Self {
        Self {
            most_text,
            state: State::Hears(Vec::new()),
        }
    }

    /// Listens to bytes that go to libssh2.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        let State::Hears(heard) = &mut self.state else {
            return;
        };
        let most = self.most_text + MOST;
        let room = most - heard.len();
        heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if let Some(next) = understand(heard) {
            self.state = next;
        } else if version(heard).is_none()
            && (heard.len() > self.most_text || lines_of(heard) > MOST_LINES)
        {
            self.state = State::NoVersion;
        } else if heard.len() == most {
            self.state = State::Deaf;
        }
    }

    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The server's offer.
    pub(super) fn offer(&self) -> Option<&Offer> {
        match &self.state {
            State::Heard(offer) => Some(offer),
            _ => None,
        }
    }

    /// Whether the server has said nothing, or nothing of SSH.
    pub(super) fn has_no_version(&self) -> bool {
        matches!(&self.state, State::Hears(heard) if version(heard).is_none())
    }
}

impl Offer {
    /// Whether the server keeps strict order.
    pub(super) fn is_strict(&self) -> bool {
        self.kex.iter().any(|name| name == STRICT)
    }
}

fn lines_of(heard: &[u8]) -> usize {
    heard.iter().filter(|byte| **byte == b'\n').count()
}

/// The line with the version, and what follows it.
fn version(heard: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut rest = heard;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, behind) = rest.split_at(end + 1);
        if line.starts_with(b"SSH-") {
            return Some((line.trim_ascii_end(), behind));
        }
        rest = behind;
    }
}

/// `None`: more is needed.
fn understand(heard: &[u8]) -> Option<State> {
    let (version, mut rest) = version(heard)?;
    if !version.starts_with(b"SSH-2.0-") && !version.starts_with(b"SSH-1.99-") {
        let shown = version.escape_ascii().to_string();
        return Some(State::OtherVersion(shown));
    }
    // Unencrypted packets: length, length of padding, payload, padding (RFC 4253 section 6).
    loop {
        let len = usize::try_from(u32::from_be_bytes(*rest.first_chunk()?)).ok()?;
        if len == 0 || len > MOST {
            return Some(State::Deaf);
        }
        let packet = rest.get(4..4 + len)?;
        if packet.get(1) == Some(&KEXINIT) {
            return Some(lists(packet).map_or(State::Deaf, State::Heard));
        }
        rest = &rest[4 + len..];
    }
}

fn lists(packet: &[u8]) -> Option<Offer> {
    // Length of padding, message, cookie.
    let mut rest = packet.get(2 + 16..)?;
    let mut next = || {
        let (len, behind) = rest.split_first_chunk()?;
        let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
        let list = String::from_utf8_lossy(behind.get(..len)?);
        let names = list.split(',').filter(|name| !name.is_empty());
        let names = names.map(str::to_owned).collect();
        rest = &behind[len..];
        Some(names)
    };
    Some(Offer {
        kex: next()?,
        host_key: next()?,
        cipher: [next()?, next()?],
        mac: [next()?, next()?],
        compression: [next()?, next()?],
    })
}
