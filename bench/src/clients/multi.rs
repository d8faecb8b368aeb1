//! libcurl by a program in C, `multi.c`: what [`curl`](super::curl) does, without what crate curl adds.

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;

use super::{Task, unknown};
use crate::measure::{self, Figures};

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    if !matches!(work, "download" | "small") {
        return Err(unknown(work));
    }
    let text = |text: String| CString::new(text).map_err(io::Error::other);
    let url = text(task.url.clone())?;
    let ca = text(match task.is_tls() {
        true => task.ca.display().to_string(),
        false => String::new(),
    })?;
    let in_c = InC {
        url: url.as_ptr(),
        ca: ca.as_ptr(),
        count: task.count.max(1),
        connections: task.connections.max(1),
        buffer: task.buffer,
    };
    measure::timed(|| {
        // SAFETY: all of the task lives until the call ends.
        let code = unsafe { bench_multi(&raw const in_c) };
        if code == 0 {
            return Ok(());
        }
        // SAFETY: libcurl has a text for every number, which stays where it is.
        let said = unsafe { CStr::from_ptr(curl_sys::curl_easy_strerror(code as _)) };
        Err(io::Error::other(said.to_string_lossy().into_owned()))
    })
}

/// `struct task` in C.
#[repr(C)]
struct InC {
    url: *const c_char,
    ca: *const c_char,
    count: usize,
    connections: usize,
    buffer: usize,
}

unsafe extern "C" {
    fn bench_multi(task: *const InC) -> c_int;
}
