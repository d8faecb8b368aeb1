//! Packets of version 3 of the protocol (draft-ietf-secsh-filexfer-02 sections 3 to 9).

use sockless_core::{Attributes, Culprit, Fault, FileSystem, Reason};

use crate::escape::Escaped;

pub(super) const INIT: u8 = 1;
pub(super) const VERSION: u8 = 2;
pub(super) const OPEN: u8 = 3;
pub(super) const CLOSE: u8 = 4;
pub(super) const READ: u8 = 5;
pub(super) const WRITE: u8 = 6;
pub(super) const LSTAT: u8 = 7;
pub(super) const SETSTAT: u8 = 9;
pub(super) const FSETSTAT: u8 = 10;
pub(super) const OPENDIR: u8 = 11;
pub(super) const READDIR: u8 = 12;
pub(super) const REMOVE: u8 = 13;
pub(super) const MKDIR: u8 = 14;
pub(super) const RMDIR: u8 = 15;
pub(super) const REALPATH: u8 = 16;
pub(super) const STAT: u8 = 17;
pub(super) const RENAME: u8 = 18;
pub(super) const READLINK: u8 = 19;
pub(super) const SYMLINK: u8 = 20;
pub(super) const STATUS: u8 = 101;
pub(super) const HANDLE: u8 = 102;
pub(super) const DATA: u8 = 103;
pub(super) const NAME: u8 = 104;
pub(super) const ATTRS: u8 = 105;
pub(super) const EXTENDED: u8 = 200;
pub(super) const EXTENDED_REPLY: u8 = 201;

/// Flags of `OPEN` (section 6.3).
pub(super) const FOR_READING: u32 = 1;
pub(super) const FOR_WRITING: u32 = 2;
pub(super) const CREATE: u32 = 8;
pub(super) const TRUNCATE: u32 = 16;

/// Flags of attributes (section 5).
const HAS_SIZE: u32 = 1;
const HAS_OWNER: u32 = 2;
const HAS_MODE: u32 = 4;
const HAS_TIMES: u32 = 8;
const HAS_EXTENDED: u32 = 0x8000_0000;

/// The largest packet taken, without its length; OpenSSH's own bound.
pub(super) const MAX_PACKET: usize = 256 * 1024;

/// The longest handle (section 6.3).
pub(super) const MAX_HANDLE: usize = 256;

/// A packet that is being written.
#[derive(Debug)]
pub(super) struct Packet {
    bytes: Vec<u8>,
}

impl Packet {
    /// A request; the id is filled in when it is sent.
    pub(super) fn new(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&[0, 0, 0, 0, kind, 0, 0, 0, 0]);
        Self { bytes }
    }

    /// An extension's request (section 8).
    pub(super) fn extended(name: &[u8]) -> Self {
        Self::new(EXTENDED).string(name)
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(super) fn string(self, bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).expect("names are bounded");
        let mut packet = self.u32(len);
        packet.bytes.extend_from_slice(bytes);
        packet
    }

    pub(super) fn attributes(self, have: &Attributes) -> Self {
        let flag = |has: bool, flag: u32| if has { flag } else { 0 };
        let mut packet = self.u32(
            flag(have.size.is_some(), HAS_SIZE)
                | flag(have.owner.is_some(), HAS_OWNER)
                | flag(have.mode.is_some(), HAS_MODE)
                | flag(have.times.is_some(), HAS_TIMES),
        );
        if let Some(size) = have.size {
            packet = packet.u64(size);
        }
        if let Some((user, group)) = have.owner {
            packet = packet.u32(user).u32(group);
        }
        if let Some(mode) = have.mode {
            packet = packet.u32(mode);
        }
        if let Some((read, written)) = have.times {
            packet = packet.u32(read).u32(written);
        }
        packet
    }

    /// The packet's bytes; `body` more follow.
    pub(super) fn finish(mut self, id: u32, body: usize) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len() - 4 + body).expect("packets are bounded");
        self.bytes[..4].copy_from_slice(&len.to_be_bytes());
        self.bytes[5..9].copy_from_slice(&id.to_be_bytes());
        self.bytes
    }
}

/// Reads what is in a packet.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or_else(short)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        let bytes = self.take(4)?.try_into().map_err(|_| short())?;
        Ok(u32::from_be_bytes(bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        let bytes = self.take(8)?.try_into().map_err(|_| short())?;
        Ok(u64::from_be_bytes(bytes))
    }

    pub(super) fn string(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    pub(super) fn attributes(&mut self) -> Result<Attributes, Fault> {
        let flags = self.u32()?;
        let has = |flag: u32| flags & flag != 0;
        let mut found = Attributes::default();
        if has(HAS_SIZE) {
            found.size = Some(self.u64()?);
        }
        if has(HAS_OWNER) {
            found.owner = Some((self.u32()?, self.u32()?));
        }
        if has(HAS_MODE) {
            found.mode = Some(self.u32()?);
        }
        if has(HAS_TIMES) {
            found.times = Some((self.u32()?, self.u32()?));
        }
        if has(HAS_EXTENDED) {
            for _ in 0..self.u32()? {
                let _kind = self.string()?;
                let _value = self.string()?;
            }
        }
        Ok(found)
    }

    /// The answer to `statvfs@openssh.com`.
    pub(super) fn file_system(&mut self) -> Result<FileSystem, Fault> {
        const READ_ONLY: u64 = 1;
        let block = self.u64()?;
        let fragment = self.u64()?;
        let [blocks, free, available] = [self.u64()?, self.u64()?, self.u64()?];
        let [files, _, files_free] = [self.u64()?, self.u64()?, self.u64()?];
        let [_, flags, name_max] = [self.u64()?, self.u64()?, self.u64()?];
        Ok(FileSystem {
            block: if fragment == 0 { block } else { fragment },
            blocks,
            free,
            available,
            files,
            files_free,
            name_max,
            read_only: flags & READ_ONLY != 0,
        })
    }
}

fn short() -> Fault {
    malformed("a packet ends in the middle of a field")
}

pub(super) fn malformed(what: impl Into<String>) -> Fault {
    Fault::misbehaved(Reason::Malformed, what)
}

/// What the server says about a request (section 7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u32,
    pub(super) text: Vec<u8>,
}

impl Status {
    pub(super) const OK: u32 = 0;
    pub(super) const EOF: u32 = 1;
    pub(super) const NO_SUCH_FILE: u32 = 2;
    pub(super) const FAILURE: u32 = 4;

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Fault> {
        let code = fields.u32()?;
        // Old servers leave the text out.
        let text = match fields.is_empty() {
            true => &[],
            false => fields.string()?,
        };
        Ok(Self {
            code,
            text: text[..text.len().min(MAX_TEXT)].to_vec(),
        })
    }

    pub(super) fn is_ok(&self) -> bool {
        self.code == Self::OK
    }

    pub(super) fn is_end(&self) -> bool {
        self.code == Self::EOF
    }

    /// The failure of what was tried: `doing` says what that was.
    pub(super) fn fault(&self, doing: &str) -> Fault {
        let (reason, words) = match self.code {
            Self::OK => (Reason::Malformed, "success where something else belongs"),
            Self::EOF => (Reason::RemoteFailure, "end of file"),
            Self::NO_SUCH_FILE => (Reason::NotFound, "no such file or directory"),
            3 => (Reason::PermissionDenied, "permission denied"),
            Self::FAILURE => (Reason::RemoteFailure, "it failed"),
            5 => (
                Reason::RemoteFailure,
                "the server calls the request malformed",
            ),
            6 | 7 => (Reason::Receive, "the server has lost its connection"),
            8 => (Reason::Unsupported, "the server does not support it"),
            _ => (Reason::RemoteFailure, "an unknown error"),
        };
        let said = match self.text.is_empty() {
            true => String::new(),
            false => format!(", \"{}\"", Escaped(&self.text)),
        };
        let what = format!("{doing}: {words} (status {}{said})", self.code);
        let fault = match reason {
            Reason::Malformed => return malformed(what),
            Reason::Unsupported => Fault::new(Culprit::PeerIncompatible, reason, what),
            _ => Fault::new(Culprit::PeerRefused, reason, what),
        };
        match self.code {
            Self::FAILURE => fault.remedy(FAILED),
            3 => fault.remedy("look at the owner and the mode of the path on the server"),
            _ => fault,
        }
    }
}

/// The longest text of a status that is kept.
const MAX_TEXT: usize = 1024;

/// Version 3 has no code for what it may have been.
const FAILED: &str = "the protocol has no better word for it: look for a full disk or quota, \
     for something in the way, and at the type of the path";
