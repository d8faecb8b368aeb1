//! The coding `gzip` (RFC 1952): members of header, deflate data and checksum.

use flate2::Crc;

use super::deflate::Inflate;
use super::{Coding, Step};

/// Takes gzip members apart, one or several (RFC 1952 section 2.2).
pub(super) struct Gzip {
    part: Part,
    flags: u8,
    header: Crc,
    data: Crc,
    inflate: Inflate,
    members: u64,
}

/// Where in a member the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Byte of the fixed header.
    Fixed(usize),
    ExtraLength(usize, u16),
    Extra(u16),
    Name,
    Comment,
    HeaderSum(usize, u16),
    Data,
    /// Byte of checksum and length, and those before it.
    Trailer(usize, u64),
}

const FHCRC: u8 = 1 << 1;
const FEXTRA: u8 = 1 << 2;
const FNAME: u8 = 1 << 3;
const FCOMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

impl Gzip {
    pub(super) fn new() -> Self {
        Self {
            part: Part::Fixed(0),
            flags: 0,
            header: Crc::new(),
            data: Crc::new(),
            inflate: Inflate::new(false),
            members: 0,
        }
    }

    /// Takes one byte around the data.
    fn take(&mut self, byte: u8) -> Result<(), String> {
        if !matches!(self.part, Part::HeaderSum(..) | Part::Trailer(..)) {
            self.header.update(&[byte]);
        }
        self.part = match self.part {
            Part::Fixed(at) => self.fixed(at, byte)?,
            Part::ExtraLength(0, _) => Part::ExtraLength(1, u16::from(byte)),
            Part::ExtraLength(_, low) => match low | u16::from(byte) << 8 {
                0 => self.optional(FEXTRA << 1),
                length => Part::Extra(length),
            },
            Part::Extra(1) => self.optional(FEXTRA << 1),
            Part::Extra(left) => Part::Extra(left - 1),
            Part::Name if byte == 0 => self.optional(FNAME << 1),
            Part::Comment if byte == 0 => self.optional(FCOMMENT << 1),
            Part::Name | Part::Comment | Part::Data => self.part,
            Part::HeaderSum(0, _) => Part::HeaderSum(1, u16::from(byte)),
            Part::HeaderSum(_, low) => {
                if low | u16::from(byte) << 8 != self.header.sum() as u16 {
                    return Err("its header's checksum is wrong".to_owned());
                }
                Part::Data
            }
            Part::Trailer(at, so_far) => self.trailer(at, so_far | u64::from(byte) << (8 * at))?,
        };
        Ok(())
    }

    fn fixed(&mut self, at: usize, byte: u8) -> Result<Part, String> {
        match (at, byte) {
            (0, 0x1f) | (1, 0x8b) | (2, 8) => Ok(Part::Fixed(at + 1)),
            (0..=1, _) if self.members > 0 => Err("there are bytes after its end".to_owned()),
            (0..=1, _) => Err("it is not gzip at all".to_owned()),
            (2, _) => Err("its compression method is unknown".to_owned()),
            (3, flags) if flags & RESERVED != 0 => Err("it has reserved flags".to_owned()),
            (3, flags) => {
                self.flags = flags;
                Ok(Part::Fixed(4))
            }
            (9, _) => Ok(self.optional(FEXTRA)),
            _ => Ok(Part::Fixed(at + 1)),
        }
    }

    /// The first optional part of the header from `flag` on, or the data.
    fn optional(&self, flag: u8) -> Part {
        let has = |this: u8| flag <= this && self.flags & this != 0;
        if has(FEXTRA) {
            Part::ExtraLength(0, 0)
        } else if has(FNAME) {
            Part::Name
        } else if has(FCOMMENT) {
            Part::Comment
        } else if self.flags & FHCRC != 0 {
            Part::HeaderSum(0, 0)
        } else {
            Part::Data
        }
    }

    fn trailer(&mut self, at: usize, so_far: u64) -> Result<Part, String> {
        if at < 7 {
            return Ok(Part::Trailer(at + 1, so_far));
        }
        if so_far as u32 != self.data.sum() || (so_far >> 32) as u32 != self.data.amount() {
            return Err("its checksum or length is wrong".to_owned());
        }
        self.header.reset();
        self.data.reset();
        self.inflate.restart();
        self.members += 1;
        Ok(Part::Fixed(0))
    }
}

impl Coding for Gzip {
    fn name(&self) -> &'static str {
        "gzip"
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, String> {
        if self.part != Part::Data {
            let mut read = 0;
            while self.part != Part::Data && read < input.len() {
                self.take(input[read])?;
                read += 1;
            }
            return Ok(Step { read, wrote: 0 });
        }
        let step = self.inflate.step(input, output)?;
        self.data.update(&output[..step.wrote]);
        if self.inflate.ended {
            self.part = Part::Trailer(0, 0);
        }
        Ok(step)
    }

    fn may_end(&self) -> bool {
        self.part == Part::Fixed(0) && self.members > 0
    }
}
