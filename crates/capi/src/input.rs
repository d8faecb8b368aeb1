//! What comes from C, looked at before it is believed.

use core::ffi::c_void;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::Status;

/// The most bytes of a text; certificates come in bundles.
pub(crate) const MAX_TEXT: usize = 16 * 1024 * 1024;

/// `length` bytes at `data`, which is NULL only for none.
///
/// # Safety
/// If it is not NULL, `data` is valid for reads of `length` bytes while the slice is used.
pub(crate) unsafe fn bytes<'a>(data: *const c_void, length: usize) -> Result<&'a [u8], Status> {
    if length == 0 {
        return Ok(&[]);
    }
    if data.is_null() {
        return Err(Status::Null);
    }
    if length > isize::MAX as usize {
        return Err(Status::TooLong);
    }
    // SAFETY: not NULL, and the caller vouches for the rest.
    Ok(unsafe { core::slice::from_raw_parts(data.cast(), length) })
}

/// The same, bounded.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn data<'a>(data: *const c_void, length: usize) -> Result<&'a [u8], Status> {
    if length > MAX_TEXT {
        return Err(Status::TooLong);
    }
    // SAFETY: passed on.
    unsafe { bytes(data, length) }
}

/// The same as bounded text without a NUL.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn text<'a>(data: *const c_void, length: usize) -> Result<&'a str, Status> {
    // SAFETY: passed on.
    let bytes = unsafe { self::data(data, length) }?;
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(Status::Text),
    }
}

/// Where a result goes.
///
/// # Safety
/// If it is not NULL, `place` is valid for writes while the reference is used.
pub(crate) unsafe fn place<'a, T>(place: *mut T) -> Result<Place<'a, T>, Status> {
    if place.is_null() || !place.is_aligned() {
        return Err(Status::Null);
    }
    Ok(Place(place, core::marker::PhantomData))
}

/// Memory of the program's that is only written: it may hold anything.
pub(crate) struct Place<'a, T>(*mut T, core::marker::PhantomData<&'a mut T>);

impl<T> Place<'_, T> {
    pub(crate) fn put(self, value: T) {
        // SAFETY: `place` was promised to be valid for writes, and is aligned.
        unsafe { self.0.write(value) };
    }
}

/// The address in a `struct sockaddr_in` or `sockaddr_in6`.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn address(data: *const c_void, length: u32) -> Result<IpAddr, Status> {
    // SAFETY: passed on.
    unsafe { socket_address(data, length) }.map(|address| address.ip())
}

/// Address and port in a `struct sockaddr_in` or `sockaddr_in6`.
///
/// # Safety
/// As [`bytes`].
pub(crate) unsafe fn socket_address(
    data: *const c_void,
    length: u32,
) -> Result<SocketAddr, Status> {
    // SAFETY: passed on.
    let bytes = unsafe { bytes(data, length as usize) }?;
    if bytes.is_empty() {
        return Err(Status::Null);
    }
    let at = |offset: usize, size: usize| bytes.get(offset..offset + size);
    let family = core::mem::offset_of!(libc::sockaddr, sa_family);
    let family = at(family, size_of::<libc::sa_family_t>());
    // At the same place in both.
    let port = at(core::mem::offset_of!(libc::sockaddr_in, sin_port), 2);
    let port = port.and_then(|port| Some(u16::from_be_bytes(port.try_into().ok()?)));
    let v4 = core::mem::offset_of!(libc::sockaddr_in, sin_addr);
    let v6 = core::mem::offset_of!(libc::sockaddr_in6, sin6_addr);
    let family = family.and_then(|bytes| bytes.try_into().ok());
    let ip: Option<IpAddr> = match family.map(libc::sa_family_t::from_ne_bytes) {
        Some(family) if i32::from(family) == libc::AF_INET => {
            let octets: Option<[u8; 4]> = at(v4, 4).and_then(|octets| octets.try_into().ok());
            octets.map(|octets| Ipv4Addr::from(octets).into())
        }
        Some(family) if i32::from(family) == libc::AF_INET6 => {
            let octets: Option<[u8; 16]> = at(v6, 16).and_then(|octets| octets.try_into().ok());
            octets.map(|octets| Ipv6Addr::from(octets).into())
        }
        _ => None,
    };
    let address = ip.zip(port).map(SocketAddr::from);
    address.ok_or(Status::Range)
}
