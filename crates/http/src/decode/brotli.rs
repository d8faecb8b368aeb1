//! The coding `br` (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{Coding, Step};

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// One Brotli stream; its window is at most 16 MiB, as large windows are not `br`.
pub(super) struct Brotli {
    state: Box<State>,
    ended: bool,
}

impl Brotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self {
            state: Box::new(State::new_strict(alloc(), alloc(), alloc())),
            ended: false,
        }
    }
}

impl Coding for Brotli {
    fn name(&self) -> &'static str {
        "br"
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        if self.ended {
            return if input.is_empty() {
                Ok(Step::default())
            } else {
                Err("there are bytes after its end".to_owned())
            };
        }
        let (mut input_left, mut output_left) = (input.len(), output.len());
        let (mut read, mut wrote, mut total) = (0, 0, 0);
        let result = BrotliDecompressStream(
            &mut input_left,
            &mut read,
            input,
            &mut output_left,
            &mut wrote,
            output,
            &mut total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultFailure => return Err("it is not valid Brotli data".to_owned()),
            BrotliResult::ResultSuccess => self.ended = true,
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        Ok(Step { read, wrote })
    }

    fn may_end(&self) -> bool {
        self.ended
    }
}
