//! Bytes with their length.

use core::ffi::c_char;

/// Text, or bytes, and how many; no NUL need follow, and none is sure to.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Text {
    /// Where it begins; NULL only if it is empty.
    pub data: *const c_char,
    /// Its bytes.
    pub length: usize,
}

impl Text {
    /// Shows what lives elsewhere.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self {
            data: bytes.as_ptr().cast(),
            length: bytes.len(),
        }
    }

    pub(crate) const NONE: Self = Self {
        data: core::ptr::null(),
        length: 0,
    };
}
