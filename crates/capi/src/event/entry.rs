//! Files and directories at the peer, as C sees them.

use sockless::core::{Attributes, EntryKind as Kind};

use crate::poll::NEVER;
use crate::text::Text;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EntryKind {
    /// The peer has not said.
    Unknown = 0,
    /// A regular file.
    File = 1,
    /// A directory.
    Directory = 2,
    /// A symbolic link.
    Link = 3,
    /// A device, pipe or socket.
    Other = 4,
}

/// A file, directory or link at the peer. Numbers that the peer has not said are `SOCKLESS_NEVER`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Entry {
    /// Its name, as bytes of the peer's: escape it before it is shown.
    pub path: Text,
    /// The peer's own line about it, as `ls -l` prints one; empty: there is none.
    pub line: Text,
    /// What it is (`sockless_entry_kind`).
    pub kind: u32,
    /// Nothing.
    pub reserved: u32,
    /// Its length in bytes.
    pub size: u64,
    /// The number of its user.
    pub user: u64,
    /// The number of its group.
    pub group: u64,
    /// Its permissions and its type, as `st_mode` has them.
    pub mode: u64,
    /// When it was read last, in seconds since 1970.
    pub read: u64,
    /// When it was written last, in seconds since 1970.
    pub written: u64,
}

impl Entry {
    pub(super) fn of(entry: &sockless::core::Entry) -> Self {
        let Attributes {
            size,
            owner,
            mode,
            times,
        } = entry.attributes;
        let number = |number: Option<u32>| number.map_or(NEVER, u64::from);
        Self {
            path: Text::of(&entry.path),
            line: entry.line.as_deref().map_or(Text::NONE, Text::of),
            kind: match entry.kind {
                Kind::File => EntryKind::File,
                Kind::Directory => EntryKind::Directory,
                Kind::Link => EntryKind::Link,
                Kind::Other => EntryKind::Other,
                _ => EntryKind::Unknown,
            } as u32,
            reserved: 0,
            size: size.unwrap_or(NEVER),
            user: number(owner.map(|(user, _)| user)),
            group: number(owner.map(|(_, group)| group)),
            mode: number(mode),
            read: number(times.map(|(read, _)| read)),
            written: number(times.map(|(_, written)| written)),
        }
    }
}

/// The room on a file system of the peer's, as `statvfs` counts it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct FileSystem {
    /// Bytes in a block.
    pub block: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Free blocks that are there for this user.
    pub available: u64,
    /// Places for files in all.
    pub files: u64,
    /// Free ones.
    pub files_free: u64,
    /// The longest name, in bytes.
    pub name_max: u64,
    /// 1: it is mounted read-only.
    pub read_only: u64,
}

impl FileSystem {
    pub(super) fn of(from: &sockless::core::FileSystem) -> Self {
        Self {
            block: from.block,
            blocks: from.blocks,
            free: from.free,
            available: from.available,
            files: from.files,
            files_free: from.files_free,
            name_max: from.name_max,
            read_only: u64::from(from.read_only),
        }
    }
}

/// How a command at the peer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ExitKind {
    /// With a code.
    Code = 1,
    /// By a signal.
    Signal = 2,
    /// The peer did not say.
    Unknown = 3,
}
