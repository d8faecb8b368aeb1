//! Files and directories at the peer, and what is known of them.

use crate::Event;

/// A file, directory or link at the peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as bytes of the peer's: any but NUL may be in it. Escape it before it is shown.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: EntryKind,
    /// What is known of it.
    pub attributes: Attributes,
    /// The peer's own line about it, as `ls -l` prints one, where there is one.
    pub line: Option<Vec<u8>>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryKind {
    /// The peer has not said.
    #[default]
    Unknown,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, pipe or socket.
    Other,
}

/// What is known of an entry; `None`: not said, or not to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Its length in bytes.
    pub size: Option<u64>,
    /// The numbers of its user and its group.
    pub owner: Option<(u32, u32)>,
    /// Its permissions, and its type, as `st_mode` of POSIX has them.
    pub mode: Option<u32>,
    /// When it was read last and when it was written last, in seconds since 1970.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    /// What the mode says that it is.
    pub fn kind(&self) -> EntryKind {
        match self.mode.map(|mode| mode & 0o170_000) {
            None | Some(0) => EntryKind::Unknown,
            Some(0o100_000) => EntryKind::File,
            Some(0o040_000) => EntryKind::Directory,
            Some(0o120_000) => EntryKind::Link,
            Some(_) => EntryKind::Other,
        }
    }
}

/// The room on a file system of the peer's, as `statvfs` of POSIX counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    /// Whether it is mounted read-only.
    pub read_only: bool,
}

/// How a command at the peer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this code; 0 is success.
    Code(u32),
    /// By this signal: its name without `SIG`, as the peer wrote it.
    Signal(Vec<u8>),
    /// The peer did not say.
    Unknown,
}

/// How much an event counts towards the bound of what waits for the application.
pub(crate) fn weight(event: &Event) -> usize {
    /// An entry's own memory.
    const ENTRY: usize = 128;
    match event {
        Event::Data(piece) | Event::Stderr(piece) => piece.len(),
        Event::Entry(entry) => ENTRY + entry.path.len() + entry.line.as_ref().map_or(0, Vec::len),
        _ => 0,
    }
}
