//! Our buffers and sockets as compio's operations want them.

use core::mem::MaybeUninit;

use compio_buf::{IoBuf, IoBufMut, IoVectoredBuf, SetLen};
use compio_driver::{AsFd, BorrowedFd};
use sockless_core::Buf;

use crate::socket::RawHandle;

/// The spare room of a buffer, as a buffer of its own that is still empty.
pub(super) struct Room(pub(super) Buf);

impl IoBuf for Room {
    fn as_init(&self) -> &[u8] {
        &[]
    }
}

impl IoBufMut for Room {
    fn as_uninit(&mut self) -> &mut [MaybeUninit<u8>] {
        let room = self.0.spare_mut();
        // SAFETY: the same bytes, borrowed as long; the proactor only has the system write to them.
        unsafe { core::slice::from_raw_parts_mut(room.as_mut_ptr().cast(), room.len()) }
    }
}

impl SetLen for Room {
    /// The engine grows it, by the result.
    unsafe fn set_len(&mut self, _: usize) {}
}

/// What a send sends.
pub(super) struct Pieces(pub(super) Vec<Buf>);

impl IoVectoredBuf for Pieces {
    fn iter_slice(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|buf| &**buf)
    }
}

/// A socket that stays open until the operation is back: the driver closes none before.
pub(super) struct Fd(pub(super) RawHandle);

#[cfg(unix)]
impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: as the type says.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

#[cfg(windows)]
impl AsFd for Fd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: as the type says.
        unsafe { std::os::windows::io::BorrowedSocket::borrow_raw(self.0) }.into()
    }
}
