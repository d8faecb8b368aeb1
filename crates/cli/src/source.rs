//! Where request bodies come from.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sockless::{Buf, Pool};

use crate::report::{Failure, code};

/// Bytes read at once; what the pool keeps as its largest size.
const PIECE: usize = 256 * 1024;

/// A body that is read while it is sent.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file, or standard input.
    File {
        /// What it is called.
        path: PathBuf,
        /// Where the next piece comes from.
        file: File,
        /// Bytes left, where the length was known.
        left: Option<u64>,
        /// Where the body begins, and its length; nothing of the kind in a pipe.
        whole: Option<(u64, u64)>,
    },
    /// A folder with all that is in it.
    #[cfg(feature = "ssh")]
    Tree(crate::ssh::Walk),
    /// Bytes that are sent in chunks although they lie in memory.
    Memory {
        /// All of them.
        bytes: Arc<[u8]>,
        /// Bytes given already.
        at: usize,
    },
}

impl Source {
    /// Opens a file for upload, from `offset` on; `-` and `.` are standard input.
    ///
    /// # Errors
    /// Exit code 26.
    pub(crate) fn open(path: &Path, offset: u64) -> Result<Self, Failure> {
        let opened = if is_stdin(path) {
            stdin()
        } else {
            File::open(path)
        };
        let prepared = opened.and_then(|mut file| {
            let metadata = file.metadata()?;
            if metadata.is_dir() {
                return Err(io::Error::from(io::ErrorKind::IsADirectory));
            }
            let known = metadata.is_file() && !is_stdin(path);
            if known && offset > 0 {
                file.seek(SeekFrom::Start(offset))?;
            }
            let left = known.then(|| metadata.len().saturating_sub(offset));
            Ok(Self::File {
                path: path.to_owned(),
                file,
                left,
                whole: left.map(|length| (offset, length)),
            })
        });
        prepared.map_err(|error| Failure::read(code::READ, path, &error))
    }

    /// How long it is, where that is known beforehand.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Self::File { left, .. } => *left,
            Self::Memory { .. } => None,
            #[cfg(feature = "ssh")]
            Self::Tree(_) => None,
        }
    }

    /// Whether it can be read once more.
    pub(crate) fn is_rewindable(&self) -> bool {
        match self {
            Self::File { whole, .. } => whole.is_some(),
            Self::Memory { .. } => true,
            #[cfg(feature = "ssh")]
            Self::Tree(_) => false,
        }
    }

    /// Goes back to the beginning.
    ///
    /// # Errors
    /// Exit code 26.
    pub(crate) fn rewind(&mut self) -> Result<(), Failure> {
        match self {
            Self::Memory { at, .. } => *at = 0,
            #[cfg(feature = "ssh")]
            Self::Tree(_) => {}
            Self::File {
                path,
                file,
                left,
                whole,
            } => {
                let Some((start, length)) = *whole else {
                    return Ok(());
                };
                file.seek(SeekFrom::Start(start))
                    .map_err(|error| Failure::read(code::READ, path, &error))?;
                *left = Some(length);
            }
        }
        Ok(())
    }

    /// Leaves out the first bytes: the other side has them.
    ///
    /// # Errors
    /// Exit code 26; a pipe cannot be continued, and a file may be shorter.
    pub(crate) fn skip(&mut self, bytes: u64) -> Result<(), Failure> {
        if bytes == 0 {
            return Ok(());
        }
        match self {
            Self::File {
                path,
                file,
                left: Some(left),
                ..
            } => {
                let Some(rest) = left.checked_sub(bytes) else {
                    let what = format!(
                        "input: {} has {left} bytes, and the server has {bytes} already; \
                         upload it without -C",
                        path.display()
                    );
                    return Err(Failure::new(code::RESUME, what));
                };
                *left = rest;
                let moved = i64::try_from(bytes).map_err(io::Error::other);
                let moved = moved.and_then(|bytes| file.seek(SeekFrom::Current(bytes)));
                moved
                    .map(drop)
                    .map_err(|error| Failure::read(code::READ, path, &error))
            }
            _ => Err(Failure::new(
                code::RESUME,
                "input: only a file can be continued; upload it without -C",
            )),
        }
    }

    /// The next piece; `None` at the end.
    ///
    /// A read of standard input waits for it, and so does everything else: a pipe that is
    /// slower than the network holds other transfers up.
    ///
    /// # Errors
    /// Exit code 26.
    pub(crate) fn next(&mut self, pool: &Pool) -> Result<Option<Buf>, Failure> {
        #[cfg(feature = "ssh")]
        if let Self::Tree(walk) = self {
            return walk.next(pool);
        }
        let mut piece = pool.take(PIECE);
        match self {
            #[cfg(feature = "ssh")]
            Self::Tree(_) => {}
            Self::Memory { bytes, at } => {
                *at += piece.fill_from(&bytes[*at..]);
            }
            Self::File {
                path, file, left, ..
            } => {
                let wanted = left.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE));
                let room = piece.spare().min(wanted).min(PIECE);
                let read = read_retrying(file, &mut piece.spare_mut()[..room]);
                let n = read.map_err(|error| Failure::read(code::READ, path, &error))?;
                piece.grow(n);
                if let Some(left) = left {
                    *left -= n as u64;
                }
            }
        }
        Ok((!piece.is_empty()).then_some(piece))
    }
}

/// Whether `-T` means standard input.
pub(crate) fn is_stdin(path: &Path) -> bool {
    path == Path::new("-") || path == Path::new(".")
}

pub(crate) fn stdin() -> io::Result<File> {
    io::stdin().as_fd().try_clone_to_owned().map(File::from)
}

pub(crate) fn read_retrying(file: &mut File, room: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}
