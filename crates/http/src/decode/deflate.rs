//! The coding `deflate`: zlib (RFC 1950), or bare deflate data as some servers send it.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Coding, Step};

/// Tells zlib from bare data by the first byte.
pub(super) struct Deflate {
    inflate: Option<Inflate>,
}

impl Deflate {
    pub(super) fn new() -> Self {
        Self { inflate: None }
    }
}

impl Coding for Deflate {
    fn name(&self) -> &'static str {
        "deflate"
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        let inflate = match (&mut self.inflate, input.first()) {
            (Some(inflate), _) => inflate,
            (None, None) => return Ok(Step::default()),
            (None, Some(first)) => self.inflate.insert(Inflate::new(is_zlib(*first))),
        };
        if inflate.ended {
            return if input.is_empty() {
                Ok(Step::default())
            } else {
                Err("there are bytes after its end".to_owned())
            };
        }
        inflate.step(input, output)
    }

    fn may_end(&self) -> bool {
        self.inflate.as_ref().is_some_and(|inflate| inflate.ended)
    }
}

/// Method 8 and a window of at most 32 KiB. Bare data with these bits would be a
/// stored block with set padding, which no encoder writes.
fn is_zlib(first: u8) -> bool {
    first & 0x0f == 8 && first >> 4 <= 7
}

/// One deflate stream.
pub(super) struct Inflate {
    state: Decompress,
    pub(super) ended: bool,
}

impl Inflate {
    pub(super) fn new(zlib: bool) -> Self {
        Self {
            state: Decompress::new(zlib),
            ended: false,
        }
    }

    /// Begins another bare stream in the same memory.
    pub(super) fn restart(&mut self) {
        self.state.reset(false);
        self.ended = false;
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        let (read, wrote) = (self.state.total_in(), self.state.total_out());
        let status = self
            .state
            .decompress(input, output, FlushDecompress::None)
            .map_err(|error| error.to_string())?;
        self.ended = status == Status::StreamEnd;
        Ok(Step {
            read: (self.state.total_in() - read) as usize,
            wrote: (self.state.total_out() - wrote) as usize,
        })
    }
}
