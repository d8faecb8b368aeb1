//! An engine in storage of the test's, and short names for what it is asked.

use core::ffi::c_void;
use std::mem::MaybeUninit;

use sockless_capi::engine::{Engine, sockless_engine_close, sockless_engine_open};
use sockless_capi::error::{Error, sockless_engine_error};
use sockless_capi::operation::{Operation, sockless_engine_complete};
use sockless_capi::poll::{Output, OutputKind, sockless_engine_poll};
use sockless_capi::request::{
    RequestText, sockless_request_new, sockless_request_set_text, sockless_request_start,
};

/// One engine; it is closed, and gets everything back, when it goes.
pub(crate) struct Rig {
    pub(crate) storage: Box<Engine>,
    pub(crate) now: u64,
    pub(crate) output: Output,
    /// Operations that were handed out and are not back.
    flying: Vec<u64>,
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Self {
        let mut storage = Box::new(Engine { opaque: [0; 8] });
        // SAFETY: zeroed storage that stays where it is.
        let status = unsafe { sockless_engine_open(&raw mut *storage, 1000, 1_700_000_000, seed) };
        assert_eq!(status, 0);
        // SAFETY: numbers and pointers, for which zero is a value.
        let output = unsafe { MaybeUninit::zeroed().assume_init() };
        Self {
            storage,
            now: 1000,
            output,
            flying: Vec::new(),
        }
    }

    pub(crate) fn engine(&mut self) -> *mut Engine {
        &raw mut *self.storage
    }

    /// A request for that URL, or with that text of another kind.
    pub(crate) fn request(&mut self, option: RequestText, text: &str) -> u64 {
        let mut request = 0;
        // SAFETY: storage and texts of this function's.
        unsafe {
            assert_eq!(sockless_request_new(self.engine(), &raw mut request), 0);
            let status = sockless_request_set_text(
                self.engine(),
                request,
                option as u32,
                text.as_ptr().cast(),
                text.len(),
            );
            assert_eq!(status, 0, "{:?}", self.why());
        }
        request
    }

    pub(crate) fn start(&mut self, request: u64) -> u64 {
        let (status, transfer) = self.try_start(request);
        assert_eq!(status, 0, "{:?}", self.why());
        transfer
    }

    pub(crate) fn try_start(&mut self, request: u64) -> (i32, u64) {
        let mut transfer = 0;
        let user = core::ptr::null_mut();
        // SAFETY: storage of this function's.
        let status = unsafe {
            sockless_request_start(self.engine(), self.now, request, user, &raw mut transfer)
        };
        (status, transfer)
    }

    pub(crate) fn poll(&mut self) -> i32 {
        let (engine, output) = (self.engine(), &raw mut self.output);
        // SAFETY: storage of the rig's.
        let status = unsafe { sockless_engine_poll(engine, self.now, output) };
        if status == 0 && self.output.kind == OutputKind::Submit as u32 {
            self.flying.push(self.output.operation.id);
        }
        status
    }

    /// Polls up to the next operation.
    pub(crate) fn operation(&mut self) -> Operation {
        loop {
            assert_eq!(self.poll(), 0);
            match self.output.kind {
                kind if kind == OutputKind::Submit as u32 => return self.output.operation,
                kind if kind == OutputKind::Wait as u32 => panic!("nothing to do"),
                _ => {}
            }
        }
    }

    pub(crate) fn complete(&mut self, operation: u64, result: i64) -> i32 {
        // SAFETY: storage of the rig's.
        let status = unsafe { sockless_engine_complete(self.engine(), operation, result) };
        if status == 0 {
            self.flying.retain(|id| *id != operation);
        }
        status
    }

    /// Closes the engine, and brings back what is in flight.
    pub(crate) fn end(&mut self) {
        let in_flight = self.close();
        assert_eq!(in_flight, i32::from(!self.flying.is_empty()));
        for operation in core::mem::take(&mut self.flying) {
            assert_eq!(self.complete(operation, -125), 0);
        }
        assert_eq!(self.close(), sockless_capi::Status::Closed as i32);
    }

    /// Puts bytes where a receive wants them, and completes it.
    pub(crate) fn receive(&mut self, operation: &Operation, bytes: &[u8]) {
        assert_eq!(operation.buffer_count, 1);
        // SAFETY: the operation's own buffer, which it keeps until it is completed.
        unsafe {
            let room = *operation.buffers;
            assert!(room.length >= bytes.len());
            room.data
                .cast::<u8>()
                .copy_from(bytes.as_ptr(), bytes.len());
        }
        assert_eq!(self.complete(operation.id, bytes.len() as i64), 0);
    }

    /// What a send wants to say.
    pub(crate) fn said(operation: &Operation) -> Vec<u8> {
        // SAFETY: the operation's own buffers, which it keeps until it is completed.
        unsafe {
            let pieces = core::slice::from_raw_parts(operation.buffers, operation.buffer_count);
            let bytes = |at: *mut c_void, length| {
                core::slice::from_raw_parts(at.cast::<u8>(), length).to_vec()
            };
            pieces
                .iter()
                .flat_map(|piece| bytes(piece.data, piece.length))
                .collect()
        }
    }

    /// The last failure: reason, layer and text.
    pub(crate) fn why(&mut self) -> Option<(u32, u32, String)> {
        let mut error = MaybeUninit::<Error>::uninit();
        // SAFETY: storage of this function's; texts are read before the next call.
        unsafe {
            if sockless_engine_error(self.engine(), error.as_mut_ptr()) != 0 {
                return None;
            }
            let error = error.assume_init();
            let text = core::ffi::CStr::from_ptr(error.text);
            Some((
                error.reason,
                error.layer,
                text.to_string_lossy().into_owned(),
            ))
        }
    }

    pub(crate) fn close(&mut self) -> i32 {
        // SAFETY: storage of the rig's.
        unsafe { sockless_engine_close(self.engine()) }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.close();
        for operation in core::mem::take(&mut self.flying) {
            self.complete(operation, -125);
        }
    }
}
