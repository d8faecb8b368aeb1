//! The options of requests, by number.

use core::net::IpAddr;
use std::time::Duration;

use sockless::{Auth, Body, NoProxy, Redirects, Request, Timeouts, TunnelTo};
use zeroize::Zeroizing;

use super::build::by;
use super::draft::{Draft, Scheme, TIMEOUTS, Target};
use crate::Status;
use crate::convert;
use crate::inner::Refusal;
use crate::poll::NEVER;

/// Texts of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RequestText {
    /// `http://` or `https://`; takes the place of a tunnel's destination.
    Url = 1,
    /// A tunnel's destination, `host:port`; takes the place of a URL.
    Tunnel = 2,
    /// The method. Default GET.
    Method = 3,
    /// The user at the server.
    User = 4,
    /// The user's password.
    Password = 5,
    /// A bearer token.
    Bearer = 6,
    /// The user at the last proxy, before its password.
    ProxyUser = 7,
    /// The password at the last proxy.
    ProxyPassword = 8,
    /// Hosts that are reached without a proxy, as in the variable `no_proxy`.
    NoProxy = 9,
    /// The path of a unix socket to connect to instead of the URL's host.
    UnixSocket = 10,
    /// A local address to bind to.
    LocalAddress = 11,
}

/// Numbers of a request. Times in nanoseconds, `SOCKLESS_NEVER` is never or no bound; what is on or off
/// is 1 or 0, and off by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RequestNumber {
    /// Resolving and connecting. Default 30 s.
    ConnectTimeout = 1,
    /// All security handshakes together. Default 30 s.
    HandshakeTimeout = 2,
    /// Both of these together. Default never.
    SetupTimeout = 3,
    /// From the request's last byte to the answer's first. Default never.
    FirstByteTimeout = 4,
    /// Neither a byte received nor one sent. Default 300 s, of tunnels never.
    IdleTimeout = 5,
    /// From start to end. Default never.
    TotalTimeout = 6,
    /// Head start of one connection attempt before the next. Default 250 ms.
    AttemptDelay = 7,
    /// Fewer bytes per second than this, for as long as the next one says, is a failure.
    LowSpeed = 8,
    /// See above.
    LowSpeedTime = 9,
    /// 0 to 7, 7 before all others. Default 3.
    Priority = 10,
    /// Whether Note events are wanted.
    Notes = 11,
    /// Never use a kept connection.
    FreshConnection = 12,
    /// Close the connection afterwards.
    ForbidReuse = 13,
    /// How many redirects to follow; `SOCKLESS_NEVER`: none is followed. Default that.
    Redirects = 14,
    /// Send credentials to other hosts, too, after a redirect.
    TrustAllHosts = 15,
    /// Keep the method where a POST would become a GET.
    KeepMethod = 16,
    /// The body's length; its bytes are asked for by WantBody events.
    BodyLength = 17,
    /// The body's bytes are asked for, and its end is whenever the program says so.
    BodyChunked = 18,
    /// The program can give the body once more: it takes RewindBody events.
    Rewindable = 19,
    /// How long a body waits for the server's consent (`Expect: 100-continue`).
    ExpectContinue = 20,
    /// Ask for a compressed answer, and decode it.
    Compressed = 21,
    /// The most bytes of body, decoded; `SOCKLESS_NEVER`: no bound. Default that.
    MaxBody = 22,
    /// The most bytes of a head. Default 256 KiB.
    MaxHead = 23,
    /// How user and password are proven: 0 Basic, 1 Digest, 2 the strongest that is offered.
    AuthScheme = 24,
    /// The same for the last proxy, after its user and password.
    ProxyAuthScheme = 25,
    /// Go through a tunnel of the last proxy for `http:` as well.
    ProxyTunnel = 26,
    /// Ask the last proxy for tunnels in HTTP/1.0.
    ProxyHttp10 = 27,
    /// TLS on top of a tunnel, by the engine's settings.
    Secured = 28,
}

pub(super) fn set_text(draft: &mut Draft, option: u32, text: &str) -> Result<(), Refusal> {
    use RequestText as Of;
    let secret = || Zeroizing::new(text.to_owned());
    match option {
        at if at == Of::Url as u32 => {
            Request::get(text)?;
            draft.target = Target::Url(secret());
        }
        at if at == Of::Tunnel as u32 => {
            TunnelTo::parse(text)?;
            draft.target = Target::Tunnel(text.to_owned());
        }
        at if at == Of::Method as u32 => draft.method = Some(text.to_owned()),
        at if at == Of::User as u32 => draft.login.user = Some(secret()),
        at if at == Of::Password as u32 => draft.login.password = secret(),
        at if at == Of::Bearer as u32 => draft.login.bearer = Some(secret()),
        at if at == Of::ProxyUser as u32 => draft.proxy_user = secret(),
        at if at == Of::ProxyPassword as u32 => {
            let user = core::mem::take(&mut draft.proxy_user);
            draft.change_proxy(|proxy| Ok(proxy.auth(Auth::password(&user, text))))?;
        }
        at if at == Of::NoProxy as u32 => draft.no_proxy = NoProxy::parse(text),
        at if at == Of::UnixSocket as u32 => draft.unix = Some(text.into()),
        at if at == Of::LocalAddress as u32 => {
            let address: IpAddr = text.parse().map_err(|_| Status::Range)?;
            draft.local = Some(address);
        }
        _ => return Err(Status::Option.into()),
    }
    Ok(())
}

pub(super) fn set_number(draft: &mut Draft, option: u32, value: u64) -> Result<(), Refusal> {
    use RequestNumber as Of;
    if let Some(place @ 1..) = usize::try_from(option).ok().filter(|at| *at < TIMEOUTS) {
        draft.treatment.times[place] = Some(convert::timeout(value));
        return Ok(());
    }
    let on = || convert::flag(value);
    let treatment = &mut draft.treatment;
    match option {
        at if at == Of::LowSpeed as u32 => treatment.low_speed.0 = value,
        at if at == Of::LowSpeedTime as u32 => {
            treatment.low_speed.1 = Duration::from_nanos(value);
        }
        at if at == Of::Priority as u32 => {
            let priority = u8::try_from(value).ok().filter(|level| *level <= 7);
            treatment.priority = Some(priority.ok_or(Status::Range)?);
        }
        at if at == Of::Notes as u32 => treatment.notes = on()?,
        at if at == Of::FreshConnection as u32 => treatment.fresh = on()?,
        at if at == Of::ForbidReuse as u32 => treatment.no_reuse = on()?,
        at if at == Of::ExpectContinue as u32 => treatment.expect = convert::timeout(value),
        at if at == Of::Compressed as u32 => treatment.compressed = on()?,
        at if at == Of::MaxBody as u32 => treatment.max_body = (value != NEVER).then_some(value),
        at if at == Of::MaxHead as u32 => {
            treatment.max_head = Some(convert::buffer_size(value)?);
        }
        at if at == Of::AuthScheme as u32 => draft.login.scheme = scheme(value)?,
        at if at == Of::Secured as u32 => draft.secured = on()?,
        at if at == Of::BodyLength as u32 => draft.body = Body::Sized(value),
        at if at == Of::BodyChunked as u32 => {
            draft.body = if on()? { Body::Chunked } else { Body::Empty };
        }
        at if at == Of::Rewindable as u32 => draft.rewindable = on()?,
        _ => return set_other(draft, option, value),
    }
    Ok(())
}

/// Redirects and proxies.
fn set_other(draft: &mut Draft, option: u32, value: u64) -> Result<(), Refusal> {
    use RequestNumber as Of;
    let redirects = draft.redirects.get_or_insert_with(Redirects::none);
    match option {
        at if at == Of::Redirects as u32 => {
            let most = u32::try_from(value).map_err(|_| Status::Range);
            redirects.follow = if value == NEVER { None } else { Some(most?) };
        }
        at if at == Of::TrustAllHosts as u32 => redirects.trust_all_hosts = convert::flag(value)?,
        at if at == Of::KeepMethod as u32 => redirects.keep_method = convert::flag(value)?,
        at if at == Of::ProxyAuthScheme as u32 => {
            let scheme = scheme(value)?;
            draft.change_proxy(|proxy| Ok(proxy.map_auth(|auth| by(auth, scheme))))?;
        }
        at if at == Of::ProxyTunnel as u32 && convert::flag(value)? => {
            draft.change_proxy(|proxy| Ok(proxy.tunnel()))?;
        }
        at if at == Of::ProxyHttp10 as u32 && convert::flag(value)? => {
            draft.change_proxy(|proxy| Ok(proxy.http10()))?;
        }
        // Off is what they are to begin with.
        at if at == Of::ProxyTunnel as u32 || at == Of::ProxyHttp10 as u32 => {}
        _ => return Err(Status::Option.into()),
    }
    Ok(())
}

/// Sets what was said of timeouts; the others stay as they are.
pub(super) fn time(timeouts: &mut Timeouts, times: &[Option<Option<Duration>>; TIMEOUTS]) {
    use RequestNumber as Of;
    let set = |option: Of, place: &mut Option<Duration>| {
        *place = times[option as usize].unwrap_or(*place);
    };
    set(Of::ConnectTimeout, &mut timeouts.connect);
    set(Of::HandshakeTimeout, &mut timeouts.handshake);
    set(Of::SetupTimeout, &mut timeouts.setup);
    set(Of::FirstByteTimeout, &mut timeouts.first_byte);
    set(Of::IdleTimeout, &mut timeouts.idle);
    set(Of::TotalTimeout, &mut timeouts.total);
    if let Some(delay) = times[Of::AttemptDelay as usize] {
        timeouts.attempt_delay = delay.unwrap_or(Duration::MAX);
    }
}

fn scheme(value: u64) -> Result<Scheme, Status> {
    match value {
        0 => Ok(Scheme::Basic),
        1 => Ok(Scheme::Digest),
        2 => Ok(Scheme::Any),
        _ => Err(Status::Range),
    }
}
