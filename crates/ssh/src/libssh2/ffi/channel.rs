//! Channels.

use core::ffi::{c_int, c_uint};
use core::ptr::{self, NonNull};
use std::task::Poll;

use libssh2_sys::{self as ffi, LIBSSH2_CHANNEL};

use super::{Session, Step, sys, text};

/// A channel of a session; its number may be given again once it is freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super) struct ChannelId(usize);

/// A channel's streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Stream {
    /// What a command writes to its standard output, and all of a tunnel.
    Data = 0,
    /// What it writes to its standard error.
    Stderr = 1,
}

/// A stream that RFC 4254 does not have.
const NO_STREAM: c_int = 2;

impl Session {
    /// Opens a channel of the kind, with what its kind has to say (RFC 4254 section 5.1).
    /// One at a time: libssh2 keeps the state of opening for the session, not for the channel.
    pub(in super::super) fn open(
        &mut self,
        kind: &str,
        (window, packet): (u32, u32),
        message: &[u8],
    ) -> Step<ChannelId> {
        // SAFETY: the session is alive; kind and message have the lengths that are given, and the
        // message stays: the caller repeats the call with the same one.
        let (channel, code) = unsafe {
            let channel = ffi::libssh2_channel_open_ex(
                self.raw(),
                kind.as_ptr().cast(),
                super::login::len(kind),
                window,
                packet,
                message.as_ptr().cast(),
                c_uint::try_from(message.len()).unwrap_or(c_uint::MAX),
            );
            (channel, ffi::libssh2_session_last_errno(self.raw()))
        };
        match NonNull::new(channel) {
            Some(channel) => Poll::Ready(Ok(self.keep(channel))),
            None if code == ffi::LIBSSH2_ERROR_EAGAIN => Poll::Pending,
            None => Poll::Ready(Err(self.failure(code))),
        }
    }

    /// Asks for something to be run on it: `exec` or `subsystem`, and what. One at a time: an answer
    /// to another channel's request would be taken for a failure of this one's.
    pub(in super::super) fn start(
        &mut self,
        at: ChannelId,
        request: &str,
        what: &[u8],
    ) -> Step<()> {
        let channel = self.channel(at);
        // SAFETY: the channel is alive; both texts have the lengths that are given.
        let rc = unsafe {
            ffi::libssh2_channel_process_startup(
                channel,
                request.as_ptr().cast(),
                super::login::len(request),
                what.as_ptr().cast(),
                c_uint::try_from(what.len()).unwrap_or(c_uint::MAX),
            )
        };
        self.step(rc).map_ok(drop)
    }

    /// Opens everything that has come, whatever it is, and reads nothing of it.
    pub(in super::super) fn listen(&mut self, at: ChannelId) -> Step<()> {
        let (channel, mut nothing) = (self.channel(at), 0_u8);
        // SAFETY: the channel is alive, and there is room for one byte. There is no call that
        // only opens what has come: reading a stream without data does.
        let n = unsafe {
            ffi::libssh2_channel_read_ex(channel, NO_STREAM, (&raw mut nothing).cast(), 1)
        };
        self.step(c_int::try_from(n).unwrap_or(c_int::MAX))
            .map_ok(drop)
    }

    /// How many bytes can be read, on all streams.
    pub(in super::super) fn readable(&self, at: ChannelId) -> usize {
        let mut waiting = 0;
        // SAFETY: the channel is alive, and the number goes where it may.
        unsafe {
            ffi::libssh2_channel_window_read_ex(
                self.channel(at),
                &raw mut waiting,
                ptr::null_mut(),
            );
        }
        usize::try_from(waiting).unwrap_or(usize::MAX)
    }

    /// How many bytes the peer takes.
    pub(in super::super) fn window(&self, at: ChannelId) -> usize {
        // SAFETY: the channel is alive.
        let window =
            unsafe { ffi::libssh2_channel_window_write_ex(self.channel(at), ptr::null_mut()) };
        usize::try_from(window).unwrap_or(usize::MAX)
    }

    /// Reads what has come on a stream. The peer may send as much again.
    pub(in super::super) fn read(
        &mut self,
        at: ChannelId,
        stream: Stream,
        into: &mut [u8],
    ) -> Step<usize> {
        let channel = self.channel(at);
        // SAFETY: the channel is alive, and the buffer has the length that is given.
        let n = unsafe {
            ffi::libssh2_channel_read_ex(
                channel,
                stream as c_int,
                into.as_mut_ptr().cast(),
                into.len(),
            )
        };
        self.step(c_int::try_from(n).unwrap_or(c_int::MAX))
    }

    /// Sends the beginning of `bytes`, as much as a packet and the peer's window take.
    pub(in super::super) fn write(&mut self, at: ChannelId, bytes: &[u8]) -> Step<usize> {
        let channel = self.channel(at);
        // SAFETY: the channel is alive, and the bytes have the length that is given.
        let n = unsafe {
            ffi::libssh2_channel_write_ex(channel, 0, bytes.as_ptr().cast(), bytes.len())
        };
        self.step(c_int::try_from(n).unwrap_or(c_int::MAX))
    }

    /// Says that no more is written.
    pub(in super::super) fn finish(&mut self, at: ChannelId) -> Step<()> {
        let channel = self.channel(at);
        // SAFETY: the channel is alive.
        let rc = unsafe { ffi::libssh2_channel_send_eof(channel) };
        self.step(rc).map_ok(drop)
    }

    /// Whether the peer writes no more, and all of it has been read.
    pub(in super::super) fn at_end(&mut self, at: ChannelId) -> bool {
        // SAFETY: the channel is alive.
        unsafe { ffi::libssh2_channel_eof(self.channel(at)) == 1 }
    }

    /// Whether the peer has closed it, and all of it has been read.
    pub(in super::super) fn is_closed(&mut self, at: ChannelId) -> Step<()> {
        if !self.at_end(at) {
            return Poll::Pending;
        }
        // SAFETY: the channel is alive.
        let rc = unsafe { ffi::libssh2_channel_wait_closed(self.channel(at)) };
        self.step(rc).map_ok(drop)
    }

    /// The code that the command has ended with.
    pub(in super::super) fn exit_status(&mut self, at: ChannelId) -> Option<u32> {
        let channel = self.channel(at);
        // SAFETY: the channel is alive.
        unsafe {
            (sys::libssh2_channel_has_exit_status(channel) == 1)
                .then(|| ffi::libssh2_channel_get_exit_status(channel).cast_unsigned())
        }
    }

    /// The signal that has ended the command, without `SIG`.
    pub(in super::super) fn exit_signal(&mut self, at: ChannelId) -> Option<String> {
        let (channel, mut name) = (self.channel(at), ptr::null_mut());
        // SAFETY: the channel is alive; the name is null, or a copy that ends with zero and is ours to
        // free.
        unsafe {
            ffi::libssh2_channel_get_exit_signal(
                channel,
                &raw mut name,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
            (!name.is_null()).then(|| {
                let found = text(name);
                ffi::libssh2_free(self.raw(), name.cast());
                found
            })
        }
    }

    /// Closes it, waits for the peer to do so, and forgets it. Ready: its number is free.
    pub(in super::super) fn close(&mut self, at: ChannelId) -> Step<()> {
        let channel = self.channel(at);
        // SAFETY: the channel is alive; when libssh2 has freed it, its number is forgotten below.
        let rc = unsafe { ffi::libssh2_channel_free(channel) };
        if rc != ffi::LIBSSH2_ERROR_EAGAIN {
            self.channels[at.0] = None;
        }
        self.step(rc).map_ok(drop)
    }

    fn keep(&mut self, channel: NonNull<LIBSSH2_CHANNEL>) -> ChannelId {
        let free = self.channels.iter().position(Option::is_none);
        let at = free.unwrap_or_else(|| {
            self.channels.push(None);
            self.channels.len() - 1
        });
        self.channels[at] = Some(channel);
        ChannelId(at)
    }

    fn channel(&self, at: ChannelId) -> *mut LIBSSH2_CHANNEL {
        let channel = self.channels[at.0].expect("a channel is used until it is closed");
        channel.as_ptr()
    }
}
