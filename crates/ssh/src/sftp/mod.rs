//! sftp, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions.
//!
//! [`Sftp`] is an [`Exchange`](sockless_core::Exchange): a session with one job in it, and with
//! commands before and after that. It talks to the SSH layer in [`message`](crate::message)s.
//!
//! ```text
//!   subsystem -> Opened -> INIT, VERSION -> before -> job -> after -> parked
//!                  |                          ^
//!                  +-- was parked before -----+
//!
//!   a get:   OPEN, STAT -> READ READ READ ... -> CLOSE
//!            the window opens by one with each answer that it was full for
//!   a put:   [STAT ->] OPEN -> WRITE WRITE ... -> FSETSTAT, fsync, CLOSE [-> posix-rename]
//! ```
//! Answers are taken in any order. Of a `DATA` answer only the head is looked at; its bytes go up as
//! the pieces of the received buffer that they are. What comes before its turn is held, within
//! [`Window::bytes`]; what is short is asked for again. A `WRITE` is a head in a small buffer, and
//! behind it the application's own buffers. When the application does not take events, answers stay in the pipe, and SSH's
//! window closes.
//!
//! | to do | job | events |
//! |---|---|---|
//! | a file, a part of it, the rest of it | [`Get`] | `Entry`, `Data` |
//! | a file put, resumed, appended to | [`Put`] | `ResumeAt`, `WantBody` |
//! | a directory listed | [`List`] | `Data` or `Entry` |
//! | all below a directory | [`GetTree`] | for each file `Entry`, `Data`, `EntryDone` |
//! | many files put | [`PutTree`] | `WantBody`, for each file `EntryDone` |
//! | anything else | [`Command`] | `Entry`, `FileSystem` |
//!
//! Paths, names and handles are bytes and stay what they are; in messages they are escaped. In a
//! tree, a name with `/` in it, `..` and their like end the transfer. A status of the server's
//! is a [`Fault`](sockless_core::Fault) with the culprit
//! [`PeerRefused`](sockless_core::Culprit::PeerRefused); version 3 has no word for a full disk, so
//! that is [`RemoteFailure`](sockless_core::Reason::RemoteFailure) with a remedy.
//!
//! ```
//! use sockless_ssh::sftp::{Get, Quote, Sftp};
//!
//! // From byte 1000 on, and then the file is removed.
//! let (_, remove) = Quote::parse(b"-rm /var/spool/report")?;
//! let exchange = Sftp::get(Get::new("/var/spool/report").from(1000)).after([remove]);
//! # let _ = exchange;
//! # Ok::<(), sockless_core::Fault>(())
//! ```

mod command;
mod commanding;
mod desk;
mod exchange;
mod get;
mod get_tree;
mod job;
mod list;
mod put;
mod put_tree;
mod quote;
mod reading;
mod replies;
mod server;
mod tree;
mod window;
mod wire;

pub use command::{Change, Command};
pub use exchange::Sftp;
pub use get::Get;
pub use get_tree::GetTree;
pub use list::{Form, List};
pub use put::Put;
pub use put_tree::PutTree;
pub use quote::{Quote, When, home};
pub use window::Window;
