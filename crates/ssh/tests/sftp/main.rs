//! sftp against a server in memory: any order, any pieces, and what must not be believed.

mod lies;
mod model;
mod noise;
mod orders;
mod sessions;
#[path = "../stand/mod.rs"]
mod stand;
