//! Where answers go: standard output, or files, which may be continued.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use crate::report::{Failure, code};

/// One transfer's output. Nothing is opened before there is something to write.
#[derive(Debug)]
pub(crate) struct Output {
    place: Place,
    file: Option<File>,
    /// Bytes that were there before, when it continues.
    kept: u64,
    written: u64,
    make_dirs: bool,
}

/// What `-o` and `-O` have come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Standard output because nothing else was said: no binary there if it is a terminal.
    Unsaid,
    /// `-o -`.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Place {
    /// What `-o` says.
    pub(crate) fn named(name: &Path) -> Self {
        if name == Path::new("-") {
            Self::Stdout
        } else {
            Self::File(name.to_owned())
        }
    }
}

impl Output {
    pub(crate) fn new(place: Place, make_dirs: bool) -> Self {
        Self {
            place,
            file: None,
            kept: 0,
            written: 0,
            make_dirs,
        }
    }

    /// Continues after `kept` bytes of what is there.
    pub(crate) fn keep(&mut self, kept: u64) {
        self.kept = kept;
    }

    /// Opens it; makes the file, or empties it, unless it continues.
    ///
    /// # Errors
    /// Exit code 23, with the file's name.
    pub(crate) fn open(&mut self) -> Result<(), Failure> {
        if self.file.is_some() {
            return Ok(());
        }
        let opened = match &self.place {
            Place::Unsaid | Place::Stdout => stdout(),
            Place::File(path) => open_file(path, self.kept, self.make_dirs),
        };
        self.file = Some(opened.map_err(|error| Failure::write(&self.name(), &error))?);
        Ok(())
    }

    /// Writes one piece straight to the file: pieces are large, a buffer would only copy.
    ///
    /// # Errors
    /// Exit code 23: the disk is full, the reader has left, or it is no text for a terminal.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.place == Place::Unsaid
            && self.written == 0
            && bytes.contains(&0)
            && io::stdout().is_terminal()
        {
            let what =
                "output: binary data is not written to a terminal; use -o FILE, or -o - to insist";
            return Err(Failure::new(code::WRITE, what));
        }
        self.open()?;
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        // Not write_all: what went in before it failed is in the file, and is counted.
        let mut rest = bytes;
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(0) => {
                    return Err(Failure::write(
                        &self.name(),
                        &io::ErrorKind::WriteZero.into(),
                    ));
                }
                Ok(n) => {
                    self.written += n as u64;
                    rest = &rest[n..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::write(&self.name(), &error)),
            }
        }
        Ok(())
    }

    /// Forgets what was written, for another attempt. What went to standard output stays.
    ///
    /// # Errors
    /// The file cannot be shortened.
    pub(crate) fn rewind(&mut self) -> Result<(), Failure> {
        self.written = 0;
        let Place::File(_) = &self.place else {
            return Ok(());
        };
        if let Some(file) = &mut self.file
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            let rewound = file
                .set_len(self.kept)
                .and_then(|()| file.seek(SeekFrom::Start(self.kept)));
            rewound.map_err(|error| Failure::write(&self.name(), &error))?;
        }
        Ok(())
    }

    /// What is left after a failure, in words; nothing if nothing was written to a file.
    pub(crate) fn remains(&self) -> Option<String> {
        let Place::File(path) = &self.place else {
            return None;
        };
        let file = self.file.as_ref()?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        (regular && self.written > 0).then(|| {
            format!(
                "partial file kept: {} ({} bytes)",
                path.display(),
                self.kept + self.written
            )
        })
    }

    /// Removes the file of a failed transfer.
    pub(crate) fn remove(&mut self) {
        if let (Place::File(path), Some(file)) = (&self.place, self.file.take())
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
        {
            // Where that fails, the file stays: the transfer's own failure says more.
            let _ = std::fs::remove_file(path);
        }
    }

    /// The file's path, where it is one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Unsaid | Place::Stdout => None,
        }
    }

    fn name(&self) -> String {
        self.path().map_or_else(
            || "standard output".to_owned(),
            |path| path.display().to_string(),
        )
    }
}

/// Standard output without the line buffer around it.
pub(crate) fn stdout() -> io::Result<File> {
    io::stdout().as_fd().try_clone_to_owned().map(File::from)
}

fn open_file(path: &Path, kept: u64, make_dirs: bool) -> io::Result<File> {
    if make_dirs && let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    if kept == 0 {
        return File::create(path);
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.seek(SeekFrom::Start(kept))?;
    Ok(file)
}

/// Files for heads (`-D`), each opened once and shared by all transfers.
#[derive(Debug, Default)]
pub(crate) struct Dumps {
    open: Vec<(PathBuf, File)>,
}

impl Dumps {
    /// Appends to the dump of that name; the first write of a run empties it.
    ///
    /// # Errors
    /// Exit code 23.
    pub(crate) fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::write(&path.display().to_string(), &error);
        let at = match self.open.iter().position(|(have, _)| have == path) {
            Some(at) => at,
            None => {
                let file = if path == Path::new("-") {
                    stdout()
                } else {
                    File::create(path)
                };
                self.open.push((path.to_owned(), file.map_err(failed)?));
                self.open.len() - 1
            }
        };
        self.open[at].1.write_all(bytes).map_err(failed)
    }
}
