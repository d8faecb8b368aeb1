//! Many files in one request body: what a tree is put from.
//!
//! The application supplies [`Item`]s in order, a directory before what is in it: each as
//! [`Item::encode`] gives it, and behind a file's exactly as many bytes as the item says.

use sockless_core::{Buf, Culprit, Cx, EntryKind, Fault, Pipe, Reason};

use crate::escape::Escaped;
use crate::name;

/// A file or directory to put.
///
/// ```
/// use sockless_ssh::feed::Item;
///
/// // What goes into the request's body for a directory with one file in it:
/// let mut body = Vec::new();
/// body.extend_from_slice(&Item::directory("notes").encode());
/// body.extend_from_slice(&Item::file("notes/today", 5).mode(0o600).encode());
/// body.extend_from_slice(b"hello");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub(crate) path: Vec<u8>,
    pub(crate) size: Option<u64>,
    pub(crate) mode: Option<u32>,
    pub(crate) times: Option<(u32, u32)>,
}

impl Item {
    /// A directory, by its path below the target.
    pub fn directory(path: impl Into<Vec<u8>>) -> Self {
        Self {
            path: path.into(),
            size: None,
            mode: None,
            times: None,
        }
    }

    /// A file of that many bytes, by its path below the target.
    pub fn file(path: impl Into<Vec<u8>>, size: u64) -> Self {
        Self {
            size: Some(size),
            ..Self::directory(path)
        }
    }

    /// Its permissions.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = Some(mode & 0o7777);
        self
    }

    /// When it was read and written last, in seconds since 1970.
    #[must_use]
    pub fn times(mut self, read: u32, written: u32) -> Self {
        self.times = Some((read, written));
        self
    }

    /// What it is.
    pub fn kind(&self) -> EntryKind {
        match self.size {
            Some(_) => EntryKind::File,
            None => EntryKind::Directory,
        }
    }

    /// The bytes that say so in the request's body.
    pub fn encode(&self) -> Buf {
        let mut head = [0; HEAD];
        let flag = |has: bool, flag: u8| if has { flag } else { 0 };
        head[0] = flag(self.size.is_some(), FILE)
            | flag(self.mode.is_some(), HAS_MODE)
            | flag(self.times.is_some(), HAS_TIMES);
        let (read, written) = self.times.unwrap_or_default();
        head[1..5].copy_from_slice(&self.mode.unwrap_or(0).to_be_bytes());
        head[5..9].copy_from_slice(&read.to_be_bytes());
        head[9..13].copy_from_slice(&written.to_be_bytes());
        head[13..21].copy_from_slice(&self.size.unwrap_or(0).to_be_bytes());
        // Longer ones than that are refused when they are read.
        let len = u32::try_from(self.path.len()).unwrap_or(u32::MAX);
        head[21..].copy_from_slice(&len.to_be_bytes());
        Buf::from([&head[..], &self.path].concat())
    }
}

/// Flags, mode, both times, size, and the path's length.
const HEAD: usize = 1 + 4 + 4 + 4 + 8 + 4;

const FILE: u8 = 1;
const HAS_MODE: u8 = 2;
const HAS_TIMES: u8 = 4;

/// The longest path.
const MAX_PATH: usize = 64 * 1024;

/// An item is taken whole, so the pipe has to be able to hold it; none is there yet.
fn widen(pipe: &mut Pipe, len: usize) -> Option<Item> {
    pipe.set_limit(pipe.limit().max(len));
    None
}

/// The next item, and what is in it behind it; `None`: it is not there yet, or the end is.
pub(crate) fn next(pipe: &mut Pipe, cx: &Cx<'_>) -> Result<Option<Item>, Fault> {
    if pipe.at_end() {
        return Ok(None);
    }
    let early = || Err(wrong("it ends in the middle of an item".to_owned()));
    if pipe.len() < HEAD {
        return match pipe.is_finished() {
            true => early(),
            false => Ok(widen(pipe, HEAD)),
        };
    }
    pipe.join(HEAD, |n| cx.buf(n));
    let Some(head) = pipe.front().and_then(|front| front.first_chunk::<HEAD>()) else {
        return Ok(None);
    };
    let word = |at: usize| u32::from_be_bytes([0, 1, 2, 3].map(|n| head[at + n]));
    let (flags, len) = (head[0], word(21) as usize);
    if flags & !(FILE | HAS_MODE | HAS_TIMES) != 0 || len > MAX_PATH {
        return Err(wrong("here is no item".to_owned()));
    }
    let mut item = Item {
        path: Vec::new(),
        size: (flags & FILE != 0).then(|| u64::from(word(13)) << 32 | u64::from(word(17))),
        mode: (flags & HAS_MODE != 0).then(|| word(1)),
        times: (flags & HAS_TIMES != 0).then(|| (word(5), word(9))),
    };
    if pipe.len() < HEAD + len {
        return match pipe.is_finished() {
            true => early(),
            false => Ok(widen(pipe, HEAD + len)),
        };
    }
    pipe.consume(HEAD);
    pipe.join(len, |n| cx.buf(n));
    item.path = pipe.front().map_or(&[][..], |front| &front[..len]).to_vec();
    pipe.consume(len);
    if !item.path.split(|byte| *byte == b'/').all(name::is_plain) {
        let path = Escaped(&item.path);
        return Err(wrong(format!("{path} is no path below the target")));
    }
    Ok(Some(item))
}

/// The application's body is not what it has to be.
pub(crate) fn wrong(what: String) -> Fault {
    let what = format!("the body of a tree of files: {what}");
    Fault::new(Culprit::Misuse, Reason::Upload, what)
        .remedy("supply Item::encode and behind it as many bytes as the item says")
}
