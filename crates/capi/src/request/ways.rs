//! What a request goes through, and who we are there: SSH, Kerberos, the PROXY protocol.

use core::ffi::c_void;

use sockless::{Auth, ProxyHeader, ProxyKind};

use crate::Status;
use crate::engine::{Engine, enter};
use crate::input;
use crate::tls::needless;

/// Sets the SSH settings of a request with an `sftp://`, `scp://` or `ssh://` URL. Requests with the same
/// settings share connections. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_REFUSED`: the settings cannot be used. With an encrypted key this takes as long as
/// its encryption is meant to.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_ssh(
    engine: *mut Engine,
    request: u64,
    ssh: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            inner.requests.find(request)?;
            let logins = inner.ssh.find(ssh)?.logins()?;
            inner.requests.find(request)?.change().ssh = Some(logins);
            Ok(())
        })
    }
}

/// Adds SSH servers that connect on for us at the far end of the chain of proxies, as OpenSSH's `-J` has them:
/// `[user@]host[:port]`, several with commas between them, an IPv6 address in brackets. The thread that
/// uses the engine.
///
/// The settings' password is not used there: it is the server's. Keys, the agent, tickets and
/// questions are.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `jumps` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_add_ssh_proxy(
    engine: *mut Engine,
    request: u64,
    jumps: *const c_void,
    length: usize,
    ssh: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let jumps = input::text(jumps, length)?;
            inner.requests.find(request)?;
            let proxies = super::jumps(jumps, inner.ssh.find(ssh)?)?;
            inner
                .requests
                .find(request)?
                .change()
                .proxies
                .extend(proxies);
            Ok(())
        })
    }
}

/// Proves to the server who we are by Kerberos, after its challenge (Negotiate, RFC 4559). Tickets are fetched
/// by transfers of the engine's own. It is for HTTP: with a URL of SSH's, starting is `SOCKLESS_STATUS_ORDER`, and
/// `sockless_ssh_set_kerberos` is for that. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_REFUSED`: the settings cannot be used, or Kerberos is not built in.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_kerberos(
    engine: *mut Engine,
    request: u64,
    kerberos: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            inner.requests.find(request)?;
            let provider = inner.kerberos.find(kerberos)?.provider()?;
            let draft = inner.requests.find(request)?.change();
            draft.login.provider = Some(provider);
            Ok(())
        })
    }
}

/// Proves to the last proxy who we are by Kerberos: Negotiate to an HTTP proxy, GSS-API (RFC 1961) to a SOCKS5
/// one. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: there is no proxy yet. `SOCKLESS_STATUS_REFUSED`: it is of another kind, or
/// as above.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_proxy_kerberos(
    engine: *mut Engine,
    request: u64,
    kerberos: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let kind = inner.requests.find(request)?.proxy_kind();
            let kerberos = inner.kerberos.find(kerberos)?;
            // Settings are in use only when there is a use for them.
            match kind? {
                ProxyKind::Http | ProxyKind::Https | ProxyKind::Socks5 | ProxyKind::Socks5h => {}
                _ => {
                    let what = "Kerberos is for HTTP and SOCKS5 proxies";
                    return Err(needless("proxy", what).into());
                }
            }
            let provider = kerberos.provider()?;
            let draft = inner.requests.find(request)?.change();
            draft.change_proxy(|proxy| Ok(proxy.auth(Auth::negotiate(provider))))
        })
    }
}

/// Begins the connection with the PROXY protocol's header, of `version` 1 (text) or 2 (binary), behind all
/// proxies. The thread that uses the engine.
///
/// `source` and `destination`: whose connection it is, a `struct sockaddr_in` or `sockaddr_in6` each; both
/// NULL: our own. `SOCKLESS_STATUS_RANGE`: another version, or addresses of two families.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_proxy_header(
    engine: *mut Engine,
    request: u64,
    version: u32,
    source: *const c_void,
    source_length: u32,
    destination: *const c_void,
    destination_length: u32,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let draft = inner.requests.find(request)?;
            let addresses = match source.is_null() && destination.is_null() {
                true => None,
                false => {
                    let source = input::socket_address(source, source_length)?;
                    let destination = input::socket_address(destination, destination_length)?;
                    if source.is_ipv4() != destination.is_ipv4() {
                        return Err(Status::Range.into());
                    }
                    Some((source, destination))
                }
            };
            draft.change().header = Some(match (version, addresses) {
                (1, None) => ProxyHeader::Own,
                (2, None) => ProxyHeader::OwnV2,
                (1, Some((source, destination))) => ProxyHeader::Relayed {
                    source,
                    destination,
                },
                (2, Some((source, destination))) => ProxyHeader::RelayedV2 {
                    source,
                    destination,
                },
                _ => return Err(Status::Range.into()),
            });
            Ok(())
        })
    }
}
