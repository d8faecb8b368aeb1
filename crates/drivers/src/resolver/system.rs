//! `getaddrinfo`, with its own words for what went wrong.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr;
use std::ffi::{CStr, CString};
use std::io;

/// All addresses of `host` in the order of the system's preference (RFC 6724).
///
/// # Errors
/// `NotFound` with the resolver's text; the port plays no part.
pub(super) fn look_up(host: &str, _port: u16) -> io::Result<Vec<IpAddr>> {
    let name = CString::new(host).map_err(|_| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "a host name cannot hold a NUL byte",
        )
    })?;
    // SAFETY: addrinfo is plain data for which all zeroes is the documented "no hints".
    let mut hints: libc::addrinfo = unsafe { core::mem::zeroed() };
    // Otherwise each address comes once per socket type.
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: a NUL-terminated name, no service, and pointers to live objects.
    let code =
        unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code != 0 {
        return Err(failure(host, code));
    }
    let answer = Answer { list };
    Ok(answer.addresses())
}

fn failure(host: &str, code: libc::c_int) -> io::Error {
    let text = if code == libc::EAI_SYSTEM {
        io::Error::last_os_error().to_string()
    } else {
        // SAFETY: gai_strerror returns a static NUL-terminated string for every code.
        unsafe { CStr::from_ptr(libc::gai_strerror(code)) }
            .to_string_lossy()
            .into_owned()
    };
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("cannot resolve {host}: {text}"),
    )
}

/// Owns the list that the resolver allocated.
struct Answer {
    list: *mut libc::addrinfo,
}

impl Answer {
    fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        let mut next = self.list;
        // SAFETY: each element of getaddrinfo's list is valid until freeaddrinfo, which
        // only our Drop calls; the last one's `ai_next` is null.
        while let Some(info) = unsafe { next.as_ref() } {
            next = info.ai_next;
            addresses.extend(address(info));
        }
        addresses
    }
}

fn address(info: &libc::addrinfo) -> Option<IpAddr> {
    match info.ai_family {
        libc::AF_INET => {
            // SAFETY: the family says that `ai_addr` points to a sockaddr_in; read_unaligned
            // because nothing promises that type's alignment.
            let inet = unsafe { info.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from_bits(u32::from_be(inet.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above, with sockaddr_in6.
            let inet6 = unsafe { info.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(inet6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: the list came from a successful getaddrinfo and is freed once.
        unsafe { libc::freeaddrinfo(self.list) };
    }
}
