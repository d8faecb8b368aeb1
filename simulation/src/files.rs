//! Files on a server, and sftp (draft-ietf-secsh-filexfer-02) to read and write them. How
//! much a read brings and which answer is first, the seed decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

/// What a server has, by path. All connections to it see the same.
#[derive(Clone, Default)]
pub struct Files(Arc<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Files {
    /// All of them, for as long as the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Packets of the protocol, section 3.
mod packet {
    pub(super) const INIT: u8 = 1;
    pub(super) const VERSION: u8 = 2;
    pub(super) const OPEN: u8 = 3;
    pub(super) const CLOSE: u8 = 4;
    pub(super) const READ: u8 = 5;
    pub(super) const WRITE: u8 = 6;
    pub(super) const STAT: u8 = 17;
    pub(super) const STATUS: u8 = 101;
    pub(super) const HANDLE: u8 = 102;
    pub(super) const DATA: u8 = 103;
    pub(super) const ATTRS: u8 = 105;
    pub(super) const EXTENDED: u8 = 200;
    pub(super) const EXTENDED_REPLY: u8 = 201;
}

/// What a status says, section 7.
#[derive(Clone, Copy)]
enum Code {
    Ok = 0,
    Eof = 1,
    NoSuchFile = 2,
    Failure = 4,
    BadMessage = 5,
    Unsupported = 8,
}

/// Bits of an `OPEN`, section 6.3.
const CREATE: u32 = 8;
const TRUNCATE: u32 = 16;

const LIMITS: &[u8] = b"limits@openssh.com";

/// An answer: its kind, and what comes behind the request's id.
type Answer = (u8, Vec<u8>);

/// The server's end of one channel.
pub struct Sftp {
    files: Files,
    rng: Rng,
    /// Reads are whole, answers come in order.
    plain: bool,
    /// The most that it reads or writes at once, if it says so.
    longest: Option<u64>,
    handles: BTreeMap<Vec<u8>, Vec<u8>>,
    opened: u32,
    heard: Vec<u8>,
}

impl Sftp {
    /// A session on these files, with choices that follow from `seed`; `plain`: it makes none.
    pub fn new(files: Files, seed: u64, plain: bool) -> Self {
        let mut rng = Rng::with_seed(seed);
        let says = !plain && rng.bool();
        Self {
            files,
            longest: says.then(|| rng.u64(700..40_000)),
            rng,
            plain,
            handles: BTreeMap::new(),
            opened: 0,
            heard: Vec::new(),
        }
    }

    /// Takes bytes of the channel, and gives the answers to all requests that are complete.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.heard.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while let Some(len) = self.heard.first_chunk::<4>() {
            let end = 4 + u32::from_be_bytes(*len) as usize;
            if self.heard.len() < end {
                break;
            }
            let packet: Vec<u8> = self.heard.drain(..end).skip(4).collect();
            answers.extend(self.request(&packet));
        }
        if !self.plain {
            self.rng.shuffle(&mut answers);
        }
        answers
    }

    /// A request's answer; none for one that has no kind or no id.
    fn request(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let (kind, rest) = packet.split_first()?;
        if *kind == packet::INIT {
            return Some(framed(packet::VERSION, &[], &self.version()));
        }
        let (id, rest) = rest.split_first_chunk::<4>()?;
        let answer = self.carry_out(*kind, &mut Fields(rest));
        let (kind, body) = answer.unwrap_or_else(|| status(Code::BadMessage));
        Some(framed(kind, id, &body))
    }

    fn version(&self) -> Vec<u8> {
        let mut body = 3_u32.to_be_bytes().to_vec();
        if self.longest.is_some() {
            string(&mut body, LIMITS);
            string(&mut body, b"1");
        }
        body
    }

    /// `None`: the request ends too early.
    fn carry_out(&mut self, kind: u8, fields: &mut Fields<'_>) -> Option<Answer> {
        Some(match kind {
            packet::OPEN => self.open(fields.string()?, fields.u32()?),
            packet::CLOSE => match self.handles.remove(fields.string()?) {
                Some(_) => status(Code::Ok),
                None => status(Code::Failure),
            },
            packet::READ => {
                let (handle, offset, len) = (fields.string()?, fields.u64()?, fields.u32()?);
                self.read(handle, offset as usize, len as usize)
            }
            packet::WRITE => {
                let (handle, offset) = (fields.string()?, fields.u64()?);
                self.write(handle, offset as usize, fields.string()?)
            }
            packet::STAT => match self.files.lock().get(fields.string()?) {
                None => status(Code::NoSuchFile),
                // Size and permissions.
                Some(content) => {
                    let size = (content.len() as u64).to_be_bytes();
                    let (which, mode) = (5_u32.to_be_bytes(), 0o100_644_u32.to_be_bytes());
                    (packet::ATTRS, [&which[..], &size, &mode].concat())
                }
            },
            packet::EXTENDED => match (fields.string()?, self.longest) {
                (LIMITS, Some(longest)) => {
                    let limits = [longest + 1024, longest, longest, 0];
                    let limits = limits.map(u64::to_be_bytes).concat();
                    (packet::EXTENDED_REPLY, limits)
                }
                _ => status(Code::Unsupported),
            },
            _ => status(Code::Unsupported),
        })
    }

    fn open(&mut self, path: &[u8], flags: u32) -> Answer {
        let mut files = self.files.lock();
        match files.get_mut(path) {
            Some(content) if flags & TRUNCATE != 0 => content.clear(),
            Some(_) => {}
            None if flags & CREATE != 0 => {
                files.insert(path.to_vec(), Vec::new());
            }
            None => return status(Code::NoSuchFile),
        }
        self.opened += 1;
        let handle = self.opened.to_be_bytes().to_vec();
        let mut body = Vec::new();
        string(&mut body, &handle);
        self.handles.insert(handle, path.to_vec());
        (packet::HANDLE, body)
    }

    fn read(&mut self, handle: &[u8], offset: usize, len: usize) -> Answer {
        let files = self.files.lock();
        let Some(content) = self.handles.get(handle).and_then(|path| files.get(path)) else {
            return status(Code::Failure);
        };
        let rest = content.get(offset..).unwrap_or_default();
        let mut len = len.min(rest.len());
        if len == 0 {
            return status(Code::Eof);
        }
        if !self.plain && self.rng.u8(0..4) == 0 {
            len = self.rng.usize(1..=len);
        }
        let mut body = Vec::new();
        string(&mut body, &rest[..len]);
        (packet::DATA, body)
    }

    fn write(&mut self, handle: &[u8], offset: usize, data: &[u8]) -> Answer {
        let mut files = self.files.lock();
        let path = self.handles.get(handle);
        let Some(content) = path.and_then(|path| files.get_mut(path)) else {
            return status(Code::Failure);
        };
        let end = offset + data.len();
        content.resize(content.len().max(end), 0);
        content[offset..end].copy_from_slice(data);
        status(Code::Ok)
    }
}

fn status(code: Code) -> Answer {
    let mut body = (code as u32).to_be_bytes().to_vec();
    string(&mut body, b"so it is");
    string(&mut body, b"en");
    (packet::STATUS, body)
}

fn framed(kind: u8, id: &[u8], body: &[u8]) -> Vec<u8> {
    let len = (1 + id.len() + body.len()) as u32;
    [&len.to_be_bytes()[..], &[kind], id, body].concat()
}

fn string(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// What is left of a request.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}
