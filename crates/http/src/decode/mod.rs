//! Content codings taken off a body (RFC 9110 section 8.4), in bounded steps.

#[cfg(feature = "brotli")]
mod brotli;
#[cfg(feature = "gzip")]
mod deflate;
#[cfg(feature = "gzip")]
mod gzip;

use sockless_core::{Buf, Culprit, Cx, Fault, Fields, Reason};

/// The value for `Accept-Encoding` that matches what can be decoded in this build.
pub fn accept_encoding() -> &'static str {
    match (cfg!(feature = "gzip"), cfg!(feature = "brotli")) {
        (true, true) => "gzip, deflate, br",
        (true, false) => "gzip, deflate",
        (false, true) => "br",
        (false, false) => "identity",
    }
}

/// Codings on top of each other that are taken off.
const MAX_CODINGS: usize = 3;

/// The size of a decoded piece.
const PIECE: usize = 16 * 1024;

/// Output up to this is never called a bomb, in bytes.
const RATIO_FREE: u64 = 1 << 20;

/// One coding's state.
trait Coding: Send {
    /// Its name in errors.
    fn name(&self) -> &'static str;

    /// Decodes some of `input` into `output`, which is not empty. A step that
    /// neither reads nor writes needs more input.
    ///
    /// # Errors
    /// Why the input is broken; bytes after the end are.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String>;

    /// Whether the input may end here.
    fn may_end(&self) -> bool;
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    read: usize,
    wrote: usize,
}

/// All codings of a body, the one to take off first in front.
pub(crate) struct Decoder {
    stages: Vec<Stage>,
    pushed: u64,
    max_ratio: u32,
    starved: bool,
}

struct Stage {
    coding: Box<dyn Coding>,
    input: Option<Buf>,
    output: u64,
}

impl Decoder {
    /// A decoder for the head's `Content-Encoding`; `None`: there is nothing to take off.
    ///
    /// # Errors
    /// [`Reason::ContentCoding`]: an unknown coding, or too many.
    pub(crate) fn new(fields: &Fields, max_ratio: u32) -> Result<Option<Self>, Fault> {
        let mut stages = Vec::new();
        let names = fields
            .all("Content-Encoding")
            .flat_map(|value| value.split(|b| *b == b','));
        for name in names.map(<[u8]>::trim_ascii) {
            if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
                continue;
            }
            if stages.len() == MAX_CODINGS {
                let what = format!("more than {MAX_CODINGS} content codings");
                return Err(Fault::new(Culprit::Limit, Reason::ContentCoding, what));
            }
            let coding = coding(name).ok_or_else(|| unknown(name))?;
            stages.push(Stage {
                coding,
                input: None,
                output: 0,
            });
        }
        // They are listed in the order in which they were put on.
        stages.reverse();
        let starved = true;
        Ok((!stages.is_empty()).then_some(Self {
            stages,
            pushed: 0,
            max_ratio,
            starved,
        }))
    }

    /// Whether everything that was pushed has been decoded and taken.
    pub(crate) fn is_starved(&self) -> bool {
        self.starved
    }

    /// Takes a piece of the encoded body; only when starved.
    pub(crate) fn push(&mut self, piece: Buf) {
        self.pushed += piece.len() as u64;
        self.stages[0].input = Some(piece);
        self.starved = false;
    }

    /// At most `max` decoded bytes (more than none); `None`: starved now.
    pub(crate) fn pull(&mut self, max: usize, cx: &Cx<'_>) -> Result<Option<Buf>, Fault> {
        let bound = u64::from(self.max_ratio)
            .saturating_mul(self.pushed)
            .max(RATIO_FREE);
        let piece = pull(&mut self.stages, max, bound, cx)?;
        self.starved = piece.is_none();
        Ok(piece)
    }

    /// The encoded body is complete.
    ///
    /// # Errors
    /// [`Reason::ContentCoding`]: it ends too early. An empty one is none at all,
    /// as many servers send it with an error or a redirect.
    pub(crate) fn finish(self) -> Result<(), Fault> {
        match self.stages.iter().find(|stage| !stage.coding.may_end()) {
            Some(stage) if self.pushed > 0 => Err(broken(&*stage.coding, "it ends too early")),
            _ => Ok(()),
        }
    }
}

impl core::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_list()
            .entries(self.stages.iter().map(|stage| stage.coding.name()))
            .finish()
    }
}

/// At most `max` bytes from the last stage, which takes what it needs from those before it.
fn pull(stages: &mut [Stage], max: usize, bound: u64, cx: &Cx<'_>) -> Result<Option<Buf>, Fault> {
    let Some((last, before)) = stages.split_last_mut() else {
        return Ok(None);
    };
    let mut output = cx.buf(max.min(PIECE));
    output.limit_spare(max);
    while output.spare() > 0 {
        let input = last.input.as_deref().unwrap_or_default();
        let step = last
            .coding
            .step(input, output.spare_mut())
            .map_err(|why| broken(&*last.coding, &why))?;
        output.grow(step.wrote);
        if let Some(input) = &mut last.input {
            input.advance(step.read);
        }
        if step.read > 0 || step.wrote > 0 {
            continue;
        }
        if last.input.as_ref().is_some_and(|input| !input.is_empty()) {
            return Err(broken(&*last.coding, "it cannot be decoded any further"));
        }
        last.input = pull(before, PIECE, bound, cx)?;
        if last.input.is_none() {
            break;
        }
    }
    last.output += output.len() as u64;
    if last.output > bound {
        return Err(bomb(&*last.coding, last.output));
    }
    Ok((!output.is_empty()).then_some(output))
}

fn coding(name: &[u8]) -> Option<Box<dyn Coding>> {
    match &*name.to_ascii_lowercase() {
        #[cfg(feature = "gzip")]
        b"gzip" | b"x-gzip" => Some(Box::new(gzip::Gzip::new())),
        #[cfg(feature = "gzip")]
        b"deflate" => Some(Box::new(deflate::Deflate::new())),
        #[cfg(feature = "brotli")]
        b"br" => Some(Box::new(brotli::Brotli::new())),
        _ => None,
    }
}

fn unknown(name: &[u8]) -> Fault {
    let shown = name[..name.len().min(32)].escape_ascii();
    let what = format!("the content coding \"{shown}\" is unknown in this build");
    Fault::new(Culprit::PeerIncompatible, Reason::ContentCoding, what)
        .remedy("send Accept-Encoding as accept_encoding() says, or turn decode off")
}

fn broken(coding: &dyn Coding, why: &str) -> Fault {
    let what = format!("the {} body is broken: {why}", coding.name());
    Fault::misbehaved(Reason::ContentCoding, what)
}

fn bomb(coding: &dyn Coding, output: u64) -> Fault {
    let what = format!(
        "the {} body grows beyond all measure: {output} bytes so far",
        coding.name()
    );
    Fault::new(Culprit::Limit, Reason::BodyTooLarge, what)
        .remedy("raise max_decode_ratio, with max_body as the bound")
}
