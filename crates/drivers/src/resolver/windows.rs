//! The system's resolver, as the standard library calls it.

use core::net::IpAddr;
use std::io;
use std::net::ToSocketAddrs;

/// All addresses of `host` in the order of the system's preference (RFC 6724).
///
/// # Errors
/// `NotFound` with the resolver's text.
pub(super) fn look_up(host: &str, port: u16) -> io::Result<Vec<IpAddr>> {
    let found = (host, port).to_socket_addrs().map_err(|error| {
        let what = format!("cannot resolve {host}: {error}");
        io::Error::new(io::ErrorKind::NotFound, what)
    })?;
    Ok(found.map(|addr| addr.ip()).collect())
}
