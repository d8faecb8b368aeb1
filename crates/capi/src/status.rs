//! What each function returns.

use core::ffi::c_char;

/// What a function returns: 0 is success, negative is a refusal that changed nothing, unless
/// the function says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// `sockless_engine_close` only: it is closed, and keeps the memory of operations and data
    /// that the program still has to bring back.
    InFlight = 1,
    /// A pointer or a handle is NULL or 0 that must not be.
    Null = -1,
    /// The engine is not open: never opened, closed already, or a copy of one that is.
    Closed = -2,
    /// The engine is in another call: of another thread, or of one that an allocator interrupts.
    Busy = -3,
    /// An earlier call met a bug of sockless. Complete what is in flight, and close the engine.
    Poisoned = -4,
    /// This call met a bug of sockless; the engine is poisoned now.
    Panic = -5,
    /// The handle is none of this engine's.
    Foreign = -6,
    /// The handle names another kind of thing.
    Kind = -7,
    /// The handle was used up: completed, ended, freed.
    Stale = -8,
    /// There is no such option, or it does not take such a value.
    Option = -9,
    /// The value is out of its range.
    Range = -10,
    /// The text is not UTF-8, or has a NUL inside.
    Text = -11,
    /// The text is longer than can be meant.
    TooLong = -12,
    /// It is too late, or too early, for that: `sockless_engine_error` says why.
    Order = -13,
    /// The result cannot be that operation's: more bytes than there is room, or no error code.
    Result = -14,
    /// There is no such thing at that index.
    Index = -15,
    /// The engine has as many of these as it can have.
    Full = -16,
    /// sockless refuses it: `sockless_engine_error` says why, with layer, culprit and reason.
    Refused = -17,
}

impl Status {
    /// All of them, with what they say.
    const ALL: [(Self, &core::ffi::CStr); 19] = [
        (Self::Ok, c"done"),
        (
            Self::InFlight,
            c"closed, with operations or data still to be brought back",
        ),
        (Self::Null, c"a pointer or handle is missing"),
        (Self::Closed, c"the engine is not open"),
        (Self::Busy, c"the engine is in another call"),
        (
            Self::Poisoned,
            c"the engine is poisoned by an earlier bug of sockless",
        ),
        (
            Self::Panic,
            c"a bug of sockless; the engine is poisoned now",
        ),
        (Self::Foreign, c"the handle is none of this engine's"),
        (Self::Kind, c"the handle names another kind of thing"),
        (Self::Stale, c"the handle is used up"),
        (Self::Option, c"no such option, or not with such a value"),
        (Self::Range, c"the value is out of its range"),
        (Self::Text, c"the text is not UTF-8, or has a NUL inside"),
        (Self::TooLong, c"the text is too long"),
        (Self::Order, c"too late or too early for that"),
        (Self::Result, c"the result cannot be that operation's"),
        (Self::Index, c"no such thing at that index"),
        (
            Self::Full,
            c"the engine has as many of these as it can have",
        ),
        (Self::Refused, c"refused; sockless_engine_error says why"),
    ];
}

/// What a status says, as a text with a NUL at its end that is valid for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockless_status_text(status: i32) -> *const c_char {
    let found = Status::ALL.iter().find(|(have, _)| *have as i32 == status);
    found
        .map_or(c"no status of sockless", |(_, text)| text)
        .as_ptr()
}

/// The version of the library, e.g. `0.1.0`, valid for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn sockless_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}
