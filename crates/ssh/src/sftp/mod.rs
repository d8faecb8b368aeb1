//! sftp, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions.

mod desk;
mod exchange;
mod get;
mod job;
mod list;
mod put;
mod reading;
mod replies;
mod server;
mod window;
mod wire;

pub use exchange::Sftp;
pub use get::Get;
pub use list::{Form, List};
pub use put::Put;
pub use window::Window;
