//! As much of sftp (draft-ietf-secsh-filexfer-02) as one get and one put need.

use std::sync::PoisonError;

use super::pattern::Pattern;
use super::sshd::Written;

/// Packets, section 3.
mod packet {
    pub(super) const INIT: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const OPEN: u8 = 3;
    pub(super) const CLOSE: u8 = 4;
    pub(super) const READ: u8 = 5;
    pub(super) const WRITE: u8 = 6;
    pub(super) const STAT: u8 = 17;
    pub(super) const STATUS: u8 = 101;
    pub(super) const HANDLE: u8 = 102;
    pub(super) const DATA: u8 = 103;
    pub(super) const ATTRS: u8 = 105;
}

/// Codes of a status, section 7.
mod code {
    pub(super) const OK: u32 = 0;
    pub(super) const EOF: u32 = 1;
    pub(super) const UNSUPPORTED: u32 = 8;
}

/// The server's end of one channel.
pub(super) struct Files {
    pattern: Pattern,
    written: Written,
    hasher: crc32fast::Hasher,
    /// The length of the file that is open.
    size: u64,
    heard: Vec<u8>,
}

impl Files {
    pub(super) fn new(written: Written) -> Self {
        Self {
            pattern: Pattern::new(),
            written,
            hasher: crc32fast::Hasher::new(),
            size: 0,
            heard: Vec::new(),
        }
    }

    /// Takes bytes of the channel, and gives the answers to all requests that are complete.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.heard.extend_from_slice(bytes);
        let heard = core::mem::take(&mut self.heard);
        let (mut rest, mut answers) = (&heard[..], Vec::new());
        while let Some((len, behind)) = rest.split_first_chunk::<4>()
            && let Some((packet, behind)) =
                behind.split_at_checked(u32::from_be_bytes(*len) as usize)
        {
            answers.extend(self.request(packet));
            rest = behind;
        }
        self.heard = rest.to_vec();
        answers
    }

    /// A request's answer; none for one that has no kind or no id.
    fn request(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let (kind, rest) = packet.split_first()?;
        if *kind == packet::INIT {
            return Some(framed(packet::VERSION, &[&3_u32.to_be_bytes()]));
        }
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let (name, rest) = string(rest)?;
        Some(match *kind {
            packet::OPEN => {
                self.size = size(name);
                self.hasher = crc32fast::Hasher::new();
                framed(packet::HANDLE, &[id, &1_u32.to_be_bytes(), b"h"])
            }
            packet::STAT => {
                let size = size(name).to_be_bytes();
                let (which, mode) = (5_u32.to_be_bytes(), 0o100_644_u32.to_be_bytes());
                framed(packet::ATTRS, &[id, &which, &size, &mode])
            }
            packet::READ => self.read(id, rest)?,
            packet::WRITE => {
                let (data, _) = string(rest.get(8..)?)?;
                self.hasher.update(data);
                status(id, code::OK)
            }
            packet::CLOSE => {
                let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
                *written = self.hasher.clone().finalize();
                status(id, code::OK)
            }
            _ => status(id, code::UNSUPPORTED),
        })
    }

    fn read(&self, id: &[u8; 4], rest: &[u8]) -> Option<Vec<u8>> {
        let (offset, rest) = rest.split_first_chunk()?;
        let (offset, len) = (u64::from_be_bytes(*offset), rest.first_chunk()?);
        let left = self.size.saturating_sub(offset);
        let at = (offset % self.pattern.period() as u64) as usize;
        let here = &self.pattern.bytes()[at..];
        let len = u64::from(u32::from_be_bytes(*len)).min(left) as usize;
        let data = &here[..len.min(here.len())];
        Some(match data.is_empty() {
            true => status(id, code::EOF),
            false => framed(
                packet::DATA,
                &[id, &(data.len() as u32).to_be_bytes(), data],
            ),
        })
    }
}

fn size(name: &[u8]) -> u64 {
    core::str::from_utf8(name)
        .ok()
        .and_then(|name| name.parse().ok())
        .unwrap_or(0)
}

fn status(id: &[u8; 4], code: u32) -> Vec<u8> {
    // Neither words nor their language.
    framed(packet::STATUS, &[id, &code.to_be_bytes(), &[0; 8]])
}

fn framed(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let head = (len as u32).to_be_bytes();
    [&head[..], &[kind], &parts.concat()].concat()
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_be_bytes(*len) as usize)
}
