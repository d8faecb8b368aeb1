//! A hand-written blocking loop on MIT Kerberos: a SOCKS5 proxy by GSS-API (RFC 1961), all messages
//! confidential, and nothing but `gss_unwrap` for each that comes.

use std::ffi::c_void;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ptr;

use super::receiving::Answer;
use super::{Task, unknown};
use crate::measure::{self, Figures};

/// As large as the library's own receive buffers for bulk.
const BUFFER: usize = 280 * 1024;
/// 1.2.840.113554.1.2.2: Kerberos.
const MECHANISM: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";
/// The proxy's service, as [`Task::proxy`] is always on this machine.
const SERVICE: &[u8] = b"rcmd@localhost";
/// MUTUAL, REPLAY, SEQUENCE, CONF and INTEG (RFC 2744 section 5.19).
const FLAGS: u32 = 2 | 4 | 8 | 16 | 32;
/// The calling and routine errors of a major status.
const ERRORS: u32 = 0xffff_0000;
const CONTINUE_NEEDED: u32 = 1;

/// The kinds of messages (RFC 1961 sections 3.3, 4.2 and 5).
const AUTHENTICATION: u8 = 1;
const PROTECTION: u8 = 2;
const DATA: u8 = 3;
/// Integrity and confidentiality.
const CONFIDENTIAL: u8 = 2;

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    if work != "download" {
        return Err(unknown(work));
    }
    let mut unwrapping = 0.0;
    let mut figures = measure::timed(|| {
        let mut one = Loop::new(task)?;
        one.exchange(task)?;
        unwrapping = one.unwrapping;
        Ok(())
    })?;
    figures.insert("unwrap".to_owned(), unwrapping);
    Ok(figures)
}

/// One connection.
struct Loop {
    stream: TcpStream,
    context: *mut c_void,
    buffer: Vec<u8>,
    /// What of the buffer has not been taken.
    left: std::ops::Range<usize>,
    /// CPU seconds inside of `gss_unwrap`.
    unwrapping: f64,
}

impl Loop {
    /// As far as the tunnel's beginning.
    fn new(task: &Task) -> io::Result<Self> {
        let (_, proxy) = task.proxy.split_once("://").unwrap_or_default();
        let stream = TcpStream::connect(proxy)?;
        stream.set_nodelay(true)?;
        let mut one = Self {
            stream,
            context: ptr::null_mut(),
            buffer: vec![0; BUFFER],
            left: 0..0,
            unwrapping: 0.0,
        };
        one.authenticate()?;
        one.send(PROTECTION, &[CONFIDENTIAL], false)?;
        if one.message(PROTECTION, <[u8]>::to_vec)? != [CONFIDENTIAL] {
            return Err(io::Error::other("the proxy wants another protection"));
        }
        let SocketAddr::V4(to) = task.address()? else {
            return Err(io::Error::other("an address of another family"));
        };
        // RFC 1928 section 4: CONNECT to an IPv4 address.
        let mut words = vec![5, 1, 0, 1];
        words.extend(to.ip().octets());
        words.extend(to.port().to_be_bytes());
        one.send(DATA, &words, true)?;
        match one.message(DATA, <[u8]>::to_vec)?.get(..2) {
            Some([5, 0]) => Ok(one),
            _ => Err(io::Error::other("the proxy does not connect")),
        }
    }

    fn authenticate(&mut self) -> io::Result<()> {
        self.stream.write_all(&[5, 1, 1])?;
        if self.take(2)? != [5, 1] {
            return Err(io::Error::other("the proxy wants no GSS-API"));
        }
        let name = import(SERVICE)?;
        let mut from_peer = Vec::new();
        loop {
            let (token, more) = self.step(name, &from_peer)?;
            if !token.is_empty() {
                self.send_frame(AUTHENTICATION, &token)?;
            }
            if !more {
                return Ok(());
            }
            from_peer = self.frame(AUTHENTICATION)?.to_vec();
        }
    }

    fn step(&mut self, name: *mut c_void, from_peer: &[u8]) -> io::Result<(Vec<u8>, bool)> {
        let mut mechanism = Oid {
            length: MECHANISM.len() as u32,
            elements: MECHANISM.as_ptr().cast(),
        };
        let (mut minor, mut input, mut output) = (0, shared(from_peer), NOTHING);
        // SAFETY: the name is the library's, the context is its own of before or null; what is
        // pointed to lives until the call ends.
        let major = unsafe {
            gss_init_sec_context(
                &raw mut minor,
                ptr::null_mut(),
                &raw mut self.context,
                name,
                &raw mut mechanism,
                FLAGS,
                0,
                ptr::null_mut(),
                &raw mut input,
                ptr::null_mut(),
                &raw mut output,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        good(major, minor, "gss_init_sec_context")?;
        // SAFETY: the library has filled it.
        let token = unsafe { bytes(&output) }.to_vec();
        release(&mut output);
        Ok((token, major & CONTINUE_NEEDED != 0))
    }

    /// Sends the request and receives its answer.
    fn exchange(&mut self, task: &Task) -> io::Result<()> {
        self.send(DATA, &task.request(false), true)?;
        let mut answer = Answer::default();
        while !answer.is_complete() {
            self.message(DATA, |plain| answer.take(plain))??;
        }
        Ok(())
    }

    fn send(&mut self, kind: u8, plain: &[u8], confidential: bool) -> io::Result<()> {
        let (mut minor, mut input, mut output) = (0, shared(plain), NOTHING);
        // SAFETY: the context is established, and the library only reads the input.
        let major = unsafe {
            gss_wrap(
                &raw mut minor,
                self.context,
                confidential.into(),
                0,
                &raw mut input,
                ptr::null_mut(),
                &raw mut output,
            )
        };
        good(major, minor, "gss_wrap")?;
        // SAFETY: the library has filled it.
        let sent = self.send_frame(kind, unsafe { bytes(&output) });
        release(&mut output);
        sent
    }

    fn send_frame(&mut self, kind: u8, token: &[u8]) -> io::Result<()> {
        let length = u16::try_from(token.len()).map_err(io::Error::other)?;
        let head = [&[1, kind][..], &length.to_be_bytes()].concat();
        self.stream.write_all(&[&head, token].concat())
    }

    /// The next message, opened.
    fn message<T>(&mut self, kind: u8, use_it: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        let context = self.context;
        let mut input = shared(self.frame(kind)?);
        let (mut minor, mut output) = (0, NOTHING);
        let before = measure::cpu_time();
        // SAFETY: the context is established, and the library only reads the input.
        let major = unsafe {
            gss_unwrap(
                &raw mut minor,
                context,
                &raw mut input,
                &raw mut output,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        self.unwrapping += measure::cpu_time() - before;
        good(major, minor, "gss_unwrap")?;
        // SAFETY: the library has filled it.
        let result = use_it(unsafe { bytes(&output) });
        let before = measure::cpu_time();
        release(&mut output);
        self.unwrapping += measure::cpu_time() - before;
        Ok(result)
    }

    /// The next message's token.
    fn frame(&mut self, kind: u8) -> io::Result<&[u8]> {
        let head = self.take(4)?;
        if head[..2] != [1, kind] {
            return Err(io::Error::other("a message of another kind"));
        }
        let length = u16::from_be_bytes([head[2], head[3]]);
        self.take(length.into())
    }

    /// That many bytes, received as far as they are not there.
    fn take(&mut self, length: usize) -> io::Result<&[u8]> {
        if self.left.len() < length && self.left.start + length > self.buffer.len() {
            self.buffer.copy_within(self.left.clone(), 0);
            self.left = 0..self.left.len();
        }
        if self.left.is_empty() {
            self.left = 0..0;
        }
        while self.left.len() < length {
            match self.stream.read(&mut self.buffer[self.left.end..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.left.end += n,
            }
        }
        let start = self.left.start;
        self.left.start += length;
        Ok(&self.buffer[start..start + length])
    }
}

fn import(service: &[u8]) -> io::Result<*mut c_void> {
    let (mut minor, mut input, mut name) = (0, shared(service), ptr::null_mut());
    // SAFETY: the library only reads the input and the kind, which is its own.
    let major = unsafe {
        gss_import_name(
            &raw mut minor,
            &raw mut input,
            GSS_C_NT_HOSTBASED_SERVICE,
            &raw mut name,
        )
    };
    good(major, minor, "gss_import_name").map(|()| name)
}

fn good(major: u32, minor: u32, call: &str) -> io::Result<()> {
    if major & ERRORS == 0 {
        return Ok(());
    }
    let what = format!("{call}: major status {major:#x}, minor {}", minor as i32);
    Err(io::Error::other(what))
}

/// # Safety
/// The library has filled it, and it has not been released.
unsafe fn bytes(buffer: &Buffer) -> &[u8] {
    match buffer.value.is_null() {
        true => &[],
        // SAFETY: the caller's promise.
        false => unsafe { std::slice::from_raw_parts(buffer.value.cast(), buffer.length) },
    }
}

fn release(buffer: &mut Buffer) {
    let mut minor = 0;
    // SAFETY: it is empty, or the library's own, and empty afterwards.
    unsafe { gss_release_buffer(&raw mut minor, buffer) };
}

/// Bytes that the library only reads, whatever its declarations say.
fn shared(bytes: &[u8]) -> Buffer {
    Buffer {
        length: bytes.len(),
        value: bytes.as_ptr().cast_mut().cast(),
    }
}

const NOTHING: Buffer = Buffer {
    length: 0,
    value: ptr::null_mut(),
};

#[repr(C)]
struct Buffer {
    length: usize,
    value: *mut c_void,
}

#[repr(C)]
struct Oid {
    length: u32,
    elements: *const c_void,
}

// What is used of `gssapi/gssapi.h`.
#[link(name = "gssapi_krb5")]
unsafe extern "C" {
    static GSS_C_NT_HOSTBASED_SERVICE: *mut Oid;
    fn gss_import_name(
        minor: *mut u32,
        name: *mut Buffer,
        kind: *mut Oid,
        output: *mut *mut c_void,
    ) -> u32;
    fn gss_init_sec_context(
        minor: *mut u32,
        cred: *mut c_void,
        context: *mut *mut c_void,
        name: *mut c_void,
        mechanism: *mut Oid,
        flags: u32,
        time: u32,
        bindings: *mut c_void,
        input: *mut Buffer,
        actual: *mut *mut Oid,
        output: *mut Buffer,
        granted: *mut u32,
        lifetime: *mut u32,
    ) -> u32;
    fn gss_wrap(
        minor: *mut u32,
        context: *mut c_void,
        confidential: i32,
        quality: u32,
        input: *mut Buffer,
        state: *mut i32,
        output: *mut Buffer,
    ) -> u32;
    fn gss_unwrap(
        minor: *mut u32,
        context: *mut c_void,
        input: *mut Buffer,
        output: *mut Buffer,
        state: *mut i32,
        quality: *mut u32,
    ) -> u32;
    fn gss_release_buffer(minor: *mut u32, buffer: *mut Buffer) -> u32;
}
