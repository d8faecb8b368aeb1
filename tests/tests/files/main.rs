//! sftp, scp and commands against OpenSSH's own programs, which speak these protocols on
//! their standard input and output.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own processes, threads and files"
)]

mod commands;
mod exec;
mod folder;
mod process;
mod scp;
mod sftp;
#[path = "../../../crates/ssh/tests/stand/mod.rs"]
mod stand;
mod trees;
