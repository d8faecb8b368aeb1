//! Requests: what a transfer is asked for with. One can be started any number of times.

use core::ffi::c_void;

use sockless::TransferId;

use crate::engine::{Engine, enter};
use crate::inner::{Inner, Refusal, Transfer};
use crate::{input, tls};

mod build;
mod draft;
mod options;
#[cfg(feature = "ssh")]
mod remote;
mod ways;

pub(crate) use draft::Draft;
pub use options::{RequestNumber, RequestText};
pub use ways::{
    sockless_request_add_ssh_proxy, sockless_request_set_kerberos,
    sockless_request_set_proxy_header, sockless_request_set_proxy_kerberos,
    sockless_request_set_ssh,
};

use build::Built;
#[cfg(feature = "ssh")]
use remote::jumps;

/// Nobody has SSH settings.
#[cfg(not(feature = "ssh"))]
#[allow(
    clippy::needless_pass_by_ref_mut,
    reason = "as where there are SSH settings"
)]
fn jumps(
    _list: &str,
    settings: &mut crate::ssh::Settings,
) -> Result<Vec<sockless::Proxy>, Refusal> {
    match *settings {}
}

/// Makes a request, which needs a URL or a tunnel's destination. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `request` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_new(engine: *mut Engine, request: *mut u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(request)?;
            let made = inner.requests.insert(Box::default());
            place.put(made.map_err(|(status, _)| status)?);
            Ok(())
        })
    }
}

/// Frees a request; the transfers that were started with it go on. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_free(engine: *mut Engine, request: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            drop(inner.requests.take(request)?);
            Ok(())
        })
    }
}

/// Sets a text of a request (`sockless_request_text`). The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_text(
    engine: *mut Engine,
    request: u64,
    option: u32,
    text: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let text = input::text(text, length)?;
            let draft = inner.requests.find(request)?.change();
            options::set_text(draft, option, text)
        })
    }
}

/// Sets a number of a request (`sockless_request_number`). The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_number(
    engine: *mut Engine,
    request: u64,
    option: u32,
    value: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let draft = inner.requests.find(request)?.change();
            options::set_number(draft, option, value)
        })
    }
}

/// Sets the body from memory, which is copied. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_body(
    engine: *mut Engine,
    request: u64,
    data: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let data = input::bytes(data, length)?;
            let draft = inner.requests.find(request)?.change();
            draft.body = sockless::Body::Bytes(data.into());
            Ok(())
        })
    }
}

/// Adds a header field. `Host` replaces the URL's; `User-Agent` and `Accept` replace the defaults,
/// and with an empty value remove them. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_add_field(
    engine: *mut Engine,
    request: u64,
    name: *const c_void,
    name_length: usize,
    value: *const c_void,
    value_length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let name = input::text(name, name_length)?;
            let value = input::bytes(value, value_length)?;
            let draft = inner.requests.find(request)?.change();
            draft.add_field(name, value)
        })
    }
}

/// Adds a proxy at the far end of the chain, as curl writes it:
/// `[scheme://][user[:password]@]host[:port]`, with the schemes http, https, socks4, socks4a, socks5
/// and socks5h. Options of proxies are the last one's that was added. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `proxy` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_add_proxy(
    engine: *mut Engine,
    request: u64,
    proxy: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let text = input::text(proxy, length)?;
            let draft = inner.requests.find(request)?.change();
            draft.proxies.push(sockless::Proxy::parse(text)?);
            Ok(())
        })
    }
}

/// Adds a header field for the last proxy alone. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_add_proxy_field(
    engine: *mut Engine,
    request: u64,
    name: *const c_void,
    name_length: usize,
    value: *const c_void,
    value_length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let name = input::text(name, name_length)?;
            let value = input::bytes(value, value_length)?;
            let draft = inner.requests.find(request)?.change();
            draft.change_proxy(|proxy| Ok(proxy.header(name, value)?))
        })
    }
}

/// Sets TLS settings instead of the engine's; a tunnel gets TLS on top by them. The thread that uses
/// the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_tls(
    engine: *mut Engine,
    request: u64,
    tls: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            inner.requests.find(request)?;
            let client = inner.tls.find(tls)?.client()?;
            inner.requests.find(request)?.change().tls = Some(client);
            Ok(())
        })
    }
}

/// Sets TLS settings for the connection to the last proxy, an https one, instead of the engine's. The
/// thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_set_proxy_tls(
    engine: *mut Engine,
    request: u64,
    tls: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let kind = inner.requests.find(request)?.proxy_kind();
            let tls = inner.tls.find(tls)?;
            // Settings are in use only when there is a use for them.
            if kind? != sockless::ProxyKind::Https {
                return Err(tls::needless("tls", "TLS settings are for https proxies").into());
            }
            let client = tls.client()?;
            let draft = inner.requests.find(request)?.change();
            draft.change_proxy(|proxy| Ok(proxy.tls(client)))
        })
    }
}

/// Starts a transfer, or opens a tunnel. The request can be started again, changed or freed. The thread
/// that uses the engine.
///
/// `user` comes with each event. `now` as in `sockless_engine_poll`, which has to be called next.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `transfer` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_request_start(
    engine: *mut Engine,
    now: u64,
    request: u64,
    user: *mut c_void,
    transfer: *mut u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(transfer)?;
            let body = inner.requests.find(request)?.own_body();
            let id = start(inner, now, request)?;
            match inner.transfers.insert(Transfer::new(id, user, body)) {
                Ok(handle) => place.put(handle),
                Err(status) => {
                    inner.session()?.cancel(id);
                    return Err(status.into());
                }
            }
            Ok(())
        })
    }
}

fn start(inner: &mut Inner, now: u64, request: u64) -> Result<TransferId, Refusal> {
    let now = inner.clock.instant(now);
    let draft = inner.requests.find(request)?;
    match draft.built()? {
        Built::Request(request) => Ok(inner.session()?.start(now, *request)?),
        Built::Tunnel(to) => Ok(inner.session()?.tunnel(*to)?),
        #[cfg(feature = "ssh")]
        Built::Remote(errand) => {
            let exchange = errand.exchange()?;
            let remote::Errand { to, client, .. } = *errand;
            Ok(inner.session()?.ssh(to, client, exchange)?)
        }
    }
}
