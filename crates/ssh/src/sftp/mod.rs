//! sftp, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions.

mod command;
mod commanding;
mod desk;
mod exchange;
mod get;
mod job;
mod list;
mod put;
mod quote;
mod reading;
mod replies;
mod server;
mod window;
mod wire;

pub use command::{Change, Command};
pub use exchange::Sftp;
pub use get::Get;
pub use list::{Form, List};
pub use put::Put;
pub use quote::{Quote, When, home};
pub use window::Window;
