//! Folders with all that is in them, from and to this side's disk.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sockless::core::{Entry, EntryKind};
use sockless::ssh::feed::Item;
use sockless::{Buf, Pool};

use crate::report::{Failure, code};
use crate::source::read_retrying;

/// Bytes read at once.
const PIECE: usize = 256 * 1024;

/// A folder that is uploaded: what is in it, item by item, and each file's bytes behind it.
#[derive(Debug)]
pub(crate) struct Walk {
    folder: PathBuf,
    /// Paths below the folder that are still to come, the next one last.
    ahead: Vec<PathBuf>,
    /// The file that is being read, and what is left of it.
    file: Option<(PathBuf, File, u64)>,
}

impl Walk {
    /// # Errors
    /// Exit code 26: it is no folder that can be read.
    pub(super) fn new(folder: &Path) -> Result<Self, Failure> {
        let mut walk = Self {
            folder: folder.to_owned(),
            ahead: Vec::new(),
            file: None,
        };
        walk.enter(Path::new(""))?;
        Ok(walk)
    }

    fn enter(&mut self, below: &Path) -> Result<(), Failure> {
        let folder = self.folder.join(below);
        let listed = fs::read_dir(&folder).and_then(|entries| {
            let names = entries.map(|entry| Ok(below.join(entry?.file_name())));
            names.collect::<io::Result<Vec<_>>>()
        });
        let mut paths = listed.map_err(|error| Failure::read(code::READ, &folder, &error))?;
        paths.sort_by(|one, other| other.cmp(one));
        self.ahead.append(&mut paths);
        Ok(())
    }

    /// The next piece of the body; `None` at the end.
    ///
    /// # Errors
    /// Exit code 26: something cannot be read, or has become shorter meanwhile.
    pub(crate) fn next(&mut self, pool: &Pool) -> Result<Option<Buf>, Failure> {
        if let Some(piece) = self.read(pool)? {
            return Ok(Some(piece));
        }
        while let Some(below) = self.ahead.pop() {
            let path = self.folder.join(&below);
            let bad = |error: io::Error| Failure::read(code::READ, &path, &error);
            let is_link = fs::symlink_metadata(&path).map_err(bad)?.is_symlink();
            let Ok(about) = fs::metadata(&path) else {
                // A link that leads nowhere.
                continue;
            };
            let name = below.clone().into_os_string().into_vec();
            let mode = about.mode() & 0o7777;
            if about.is_dir() && !is_link {
                self.enter(&below)?;
                return Ok(Some(Item::directory(name).mode(mode).encode()));
            }
            if about.is_file() {
                let file = File::open(&path).map_err(bad)?;
                self.file = Some((path, file, about.len()));
                return Ok(Some(Item::file(name, about.len()).mode(mode).encode()));
            }
        }
        Ok(None)
    }

    fn read(&mut self, pool: &Pool) -> Result<Option<Buf>, Failure> {
        let Some((path, file, left)) = &mut self.file else {
            return Ok(None);
        };
        let wanted = usize::try_from(*left).unwrap_or(PIECE).min(PIECE);
        if wanted == 0 {
            self.file = None;
            return Ok(None);
        }
        let mut piece = pool.take(wanted);
        let read = read_retrying(file, &mut piece.spare_mut()[..wanted]);
        let n = read.and_then(|n| match n {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            n => Ok(n),
        });
        let n = n.map_err(|error| Failure::read(code::READ, path, &error))?;
        piece.grow(n);
        *left -= n as u64;
        Ok(Some(piece))
    }
}

/// A folder that is downloaded into.
#[derive(Debug)]
pub(crate) struct Planting {
    folder: PathBuf,
    file: Option<(PathBuf, File)>,
}

impl Planting {
    /// Nothing is made before something comes.
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            file: None,
        }
    }

    /// A file or folder begins. The library has seen to it that its path stays inside.
    ///
    /// # Errors
    /// Exit code 23.
    pub(crate) fn entry(&mut self, entry: &Entry) -> Result<(), Failure> {
        let path = self.folder.join(OsStr::from_bytes(&entry.path));
        let bad = |error: io::Error| Failure::write(&path.display().to_string(), &error);
        self.file = None;
        match entry.kind {
            EntryKind::Directory => fs::create_dir_all(&path).map_err(bad),
            EntryKind::File | EntryKind::Unknown => {
                path.parent()
                    .map_or(Ok(()), fs::create_dir_all)
                    .map_err(bad)?;
                let file = File::create(&path).map_err(bad)?;
                self.file = Some((path, file));
                Ok(())
            }
            // Links, devices and the like are left out, as curl and scp would follow them.
            _ => Ok(()),
        }
    }

    /// Bytes of the file that began last.
    ///
    /// # Errors
    /// Exit code 23.
    pub(crate) fn data(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let Some((path, file)) = &mut self.file else {
            return Ok(());
        };
        let written = file.write_all(piece);
        written.map_err(|error| Failure::write(&path.display().to_string(), &error))
    }
}
