//! sftp, version 3 (draft-ietf-secsh-filexfer-02), with OpenSSH's extensions.

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
