//! What the server said about itself, and how that is kept while the channel is parked.

use sockless_core::Fault;

use super::wire::{Fields, malformed};

/// The extensions that are used (OpenSSH's PROTOCOL, sections 4.2 to 4.10); all in their first version
/// but those whose name has another one beside it.
const EXTENSIONS: [(&[u8], &[u8]); 8] = [
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"lsetstat@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
    (b"copy-data", b"1"),
];

/// An extension, as its place in the list above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Extension {
    PosixRename,
    FileSystem,
    HardLink,
    Sync,
    SetLink,
    Limits,
    ExpandPath,
    CopyData,
}

impl Extension {
    pub(super) fn name(self) -> &'static [u8] {
        EXTENSIONS[self as usize].0
    }
}

/// The first byte of a greeting: another form gets another number.
const FORM: u8 = 1;

/// What is known of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    extensions: u16,
    /// Its answer to `limits@openssh.com`; 0: it has not said.
    pub(super) longest_read: u64,
    pub(super) longest_write: u64,
    pub(super) handles: u64,
}

impl Server {
    /// Reads what follows the version (draft section 4).
    pub(super) fn greeted(version: u32, body: &[u8]) -> Result<Self, Fault> {
        if version < 3 {
            return Err(Fault::new(
                sockless_core::Culprit::PeerIncompatible,
                sockless_core::Reason::WrongProtocol,
                format!("the server speaks version {version} of sftp, this is version 3"),
            ));
        }
        let mut fields = Fields::new(body);
        let mut server = Self::default();
        while !fields.is_empty() {
            let (name, version) = (fields.string()?, fields.string()?);
            let known = EXTENSIONS
                .iter()
                .position(|known| *known == (name, version));
            server.extensions |= known.map_or(0, |at| 1 << at);
        }
        Ok(server)
    }

    pub(super) fn has(&self, extension: Extension) -> bool {
        self.extensions & (1 << extension as u8) != 0
    }

    /// The answer to `limits@openssh.com`.
    pub(super) fn limited(&mut self, fields: &mut Fields<'_>) -> Result<(), Fault> {
        let _packet = fields.u64()?;
        self.longest_read = fields.u64()?;
        self.longest_write = fields.u64()?;
        self.handles = fields.u64()?;
        Ok(())
    }

    /// What a later transfer has to know.
    pub(super) fn greeting(&self) -> Vec<u8> {
        let mut greeting = vec![FORM];
        greeting.extend_from_slice(&self.extensions.to_be_bytes());
        for limit in [self.longest_read, self.longest_write, self.handles] {
            greeting.extend_from_slice(&limit.to_be_bytes());
        }
        greeting
    }

    /// From such a greeting.
    pub(super) fn remembered(greeting: &[u8]) -> Result<Self, Fault> {
        let other = || malformed("the channel was parked by somebody else");
        let (head, rest) = greeting.split_at_checked(3).ok_or_else(other)?;
        if head[0] != FORM {
            return Err(other());
        }
        let mut fields = Fields::new(rest);
        Ok(Self {
            extensions: u16::from_be_bytes([head[1], head[2]]),
            longest_read: fields.u64()?,
            longest_write: fields.u64()?,
            handles: fields.u64()?,
        })
    }
}
