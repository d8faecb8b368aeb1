//! Addresses as the system's calls want them.

use core::ffi::{c_int, c_void};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sockless::Endpoint;

/// A `struct sockaddr` of any family, or none.
pub(super) struct Address {
    storage: libc::sockaddr_storage,
    length: usize,
    socket_type: c_int,
}

impl Address {
    pub(super) fn none() -> Self {
        Self {
            // SAFETY: plain numbers, for which zero is a value.
            storage: unsafe { core::mem::zeroed() },
            length: 0,
            socket_type: 0,
        }
    }

    /// # Errors
    /// The endpoint is of a kind that no `sockaddr` has, or its path is too long for one.
    pub(super) fn of(endpoint: &Endpoint) -> io::Result<Self> {
        let mut address = Self::none();
        address.socket_type = libc::SOCK_STREAM;
        match endpoint {
            Endpoint::Tcp(to) => address.internet(to),
            Endpoint::Udp(to) => {
                address.internet(to);
                address.socket_type = libc::SOCK_DGRAM;
            }
            Endpoint::Unix(path) => address.unix(path)?,
            _ => return Err(io::ErrorKind::Unsupported.into()),
        }
        Ok(address)
    }

    fn internet(&mut self, to: &core::net::SocketAddr) {
        match to {
            core::net::SocketAddr::V4(to) => {
                // SAFETY: as in `none`.
                let mut name: libc::sockaddr_in = unsafe { core::mem::zeroed() };
                name.sin_family = libc::AF_INET as libc::sa_family_t;
                name.sin_port = to.port().to_be();
                name.sin_addr.s_addr = u32::from_ne_bytes(to.ip().octets());
                self.store(name, size_of::<libc::sockaddr_in>());
            }
            core::net::SocketAddr::V6(to) => {
                // SAFETY: as in `none`.
                let mut name: libc::sockaddr_in6 = unsafe { core::mem::zeroed() };
                name.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                name.sin6_port = to.port().to_be();
                name.sin6_flowinfo = to.flowinfo();
                name.sin6_scope_id = to.scope_id();
                name.sin6_addr.s6_addr = to.ip().octets();
                self.store(name, size_of::<libc::sockaddr_in6>());
            }
        }
    }

    fn unix(&mut self, path: &Path) -> io::Result<()> {
        // SAFETY: as in `none`.
        let mut name: libc::sockaddr_un = unsafe { core::mem::zeroed() };
        let path = path.as_os_str().as_bytes();
        // One NUL has to follow.
        if path.len() >= name.sun_path.len() {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        name.sun_family = libc::AF_UNIX as libc::sa_family_t;
        for (place, byte) in name.sun_path.iter_mut().zip(path) {
            *place = *byte as libc::c_char;
        }
        let length = core::mem::offset_of!(libc::sockaddr_un, sun_path) + path.len() + 1;
        self.store(name, length);
        Ok(())
    }

    fn store<T>(&mut self, name: T, length: usize) {
        const { assert!(size_of::<T>() <= size_of::<libc::sockaddr_storage>()) };
        const { assert!(align_of::<T>() <= align_of::<libc::sockaddr_storage>()) };
        // SAFETY: sockaddr_storage is large and aligned enough for every address.
        unsafe { (&raw mut self.storage).cast::<T>().write(name) };
        self.length = length;
    }

    /// NULL if there is none.
    pub(super) fn as_ptr(&self) -> *const c_void {
        match self.length {
            0 => core::ptr::null(),
            _ => (&raw const self.storage).cast(),
        }
    }

    pub(super) fn length(&self) -> u32 {
        self.length as u32
    }

    pub(super) fn family(&self) -> c_int {
        c_int::from(self.storage.ss_family)
    }

    pub(super) fn socket_type(&self) -> c_int {
        self.socket_type
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(address: &Address) -> &[u8] {
        // SAFETY: it points to that many bytes of the value that is borrowed.
        unsafe { core::slice::from_raw_parts(address.as_ptr().cast(), address.length) }
    }

    #[test]
    fn addresses_are_what_the_system_calls_them() {
        let v4 = Address::of(&Endpoint::Tcp(([192, 0, 2, 1], 443).into())).expect("one");
        assert_eq!(
            (v4.family(), v4.socket_type()),
            (libc::AF_INET, libc::SOCK_STREAM)
        );
        assert_eq!(bytes(&v4)[2..8], [1, 187, 192, 0, 2, 1]);
        let v6 = "[fe80::1%3]:53".parse().expect("an address");
        let v6 = Address::of(&Endpoint::Udp(v6)).expect("one");
        assert_eq!(
            (v6.family(), v6.socket_type()),
            (libc::AF_INET6, libc::SOCK_DGRAM)
        );
        assert_eq!((bytes(&v6)[8], bytes(&v6)[23]), (0xfe, 1));
        let unix = Address::of(&Endpoint::Unix("/run/s".into())).expect("one");
        assert_eq!(
            (unix.family(), &bytes(&unix)[2..]),
            (libc::AF_UNIX, &b"/run/s\0"[..])
        );
    }

    #[test]
    fn a_path_that_is_too_long_is_an_error() {
        let long = Endpoint::Unix("/".repeat(108).into());
        assert!(Address::of(&long).is_err());
        assert!(Address::none().as_ptr().is_null());
    }
}
