//! Adapters onto real engines: what carries [`sockless_core::Op`]s out.
//!
//! | type | engine | for |
//! |---|---|---|
//! | [`Uring`] | io_uring, Linux 5.6 and later | programs that own their thread; the fast one |
//! | [`Blocking`] | non-blocking sockets and poll(2), every unix | everywhere else |
//! | `Aio` (feature `aio`) | POSIX AIO and poll(2) | programs that have to use AIO |
//! | `Compio` (feature `compio`) | compio's proactor: io_uring, IOCP, epoll, kqueue | one driver for all systems |
//! | `Tokio`, `TokioAlone` (feature `tokio`) | tokio's reactor | programs on tokio; the second brings a runtime |
//! | [`Threaded`] | one of the above on a thread of its own | programs on another async runtime |
//!
//! All of them follow the same rules, which one test suite checks for each:
//!
//! - An operation comes back exactly once, also a cancelled one. One that ended early
//!   because of the cancel carries the error [`cancelled`](sockless_core::cancelled).
//! - A receive reports its number of bytes in [`Completion::result`](sockless_core::Completion)
//!   and leaves [`Buf::grow`](sockless_core::Buf::grow) to the engine, whether the buffer came
//!   with the operation or was the driver's choice: the bytes are the first of the spare room.
//! - A receive with `buf: None` holds no memory while nothing has arrived.
//! - An operation on a connection that does not exist completes with
//!   [`NotConnected`](std::io::ErrorKind::NotConnected); nothing an engine submits makes a
//!   driver panic.
//! - `Close` ends what is in flight on its connection: the peer sees the end, and all of it comes back.
//! - A connection whose `Connect` failed has no socket any more; its `Close` succeeds all the same.
//!
//! This crate is where sockets, threads and the clock live, so it lifts the workspace's
//! bans on them.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "drivers are the crate that owns sockets, threads and the clock"
)]

#[cfg(all(unix, feature = "aio"))]
mod aio;
#[cfg(all(unix, any(feature = "uring", feature = "blocking", feature = "aio")))]
mod bell;
#[cfg(all(unix, feature = "blocking"))]
mod blocking;
#[cfg(any(
    feature = "compio",
    all(unix, any(feature = "uring", feature = "tokio"))
))]
#[cfg(feature = "compio")]
mod compio;
#[cfg(any(
    feature = "compio",
    all(unix, any(feature = "blocking", feature = "aio", feature = "tokio"))
))]
mod config;
#[cfg(all(unix, any(feature = "blocking", feature = "aio", feature = "tokio")))]
mod plain;
#[cfg(all(unix, any(feature = "blocking", feature = "aio")))]
mod polling;
#[cfg(any(
    feature = "compio",
    all(
        unix,
        any(
            feature = "uring",
            feature = "blocking",
            feature = "aio",
            feature = "tokio"
        )
    )
))]
mod resolver;
#[cfg(all(
    unix,
    any(
        feature = "uring",
        feature = "blocking",
        feature = "tokio",
        feature = "aio",
        feature = "compio"
    )
))]
#[cfg_attr(
    not(any(
        feature = "uring",
        feature = "blocking",
        feature = "tokio",
        feature = "aio"
    )),
    allow(dead_code, reason = "compio makes most calls itself")
)]
mod socket;
#[cfg(all(windows, feature = "compio"))]
#[path = "socket_windows.rs"]
mod socket;
#[cfg(any(
    feature = "compio",
    all(
        unix,
        any(
            feature = "uring",
            feature = "blocking",
            feature = "aio",
            feature = "tokio"
        )
    )
))]
mod sockets;
#[cfg(feature = "threaded")]
mod threaded;
#[cfg(all(unix, feature = "tokio"))]
mod tokio;
#[cfg(all(target_os = "linux", feature = "uring"))]
mod uring;
mod waker;

#[cfg(all(unix, feature = "tokio"))]
pub use self::tokio::{Tokio, TokioAlone};
#[cfg(all(unix, feature = "aio"))]
pub use aio::Aio;
#[cfg(all(unix, feature = "blocking"))]
pub use blocking::Blocking;
#[cfg(feature = "compio")]
pub use compio::Compio;
#[cfg(any(
    feature = "compio",
    all(unix, any(feature = "blocking", feature = "aio", feature = "tokio"))
))]
pub use config::DriverConfig;
#[cfg(any(
    feature = "compio",
    all(
        unix,
        any(
            feature = "uring",
            feature = "blocking",
            feature = "aio",
            feature = "tokio"
        )
    )
))]
pub use resolver::Lookup;
#[cfg(feature = "threaded")]
pub use threaded::Threaded;
#[cfg(all(target_os = "linux", feature = "uring"))]
pub use uring::{Uring, UringConfig};
pub use waker::{Wakeable, Waker};
