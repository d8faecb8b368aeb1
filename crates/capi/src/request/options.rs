//! The options of requests, by number.

use core::net::IpAddr;
use std::time::Duration;

use sockless::{Auth, Body, NoProxy, Protection, Redirects, Request, Timeouts, TunnelTo};
use zeroize::Zeroizing;

use super::build::by;
use super::draft::{Draft, Listing, Placing, Scheme, TIMEOUTS, Target};
use crate::Status;
use crate::convert;
use crate::inner::Refusal;
use crate::poll::NEVER;

/// Texts of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum RequestText {
    /// `http://` or `https://`, or with SSH settings `sftp://`, `scp://` (a file, or with a slash at its end a
    /// directory), or `ssh://` (a host that is to run a command); takes the place of a tunnel's destination.
    Url = 1,
    /// A tunnel's destination, `host:port`; takes the place of a URL.
    Tunnel = 2,
    /// The method. Default GET.
    Method = 3,
    /// The user at the server; over SSH where the URL names none, and before the settings'.
    User = 4,
    /// The user's password; over SSH the same.
    Password = 5,
    /// A bearer token. With a URL of SSH's, starting is `SOCKLESS_STATUS_ORDER`.
    Bearer = 6,
    /// The user at the last proxy, before its password.
    ProxyUser = 7,
    /// The password at the last proxy.
    ProxyPassword = 8,
    /// Hosts that are reached without a proxy, as in the variable `no_proxy`; jump hosts stay on the way.
    NoProxy = 9,
    /// The path of a unix socket to connect to instead of the URL's host. With a URL of SSH's, starting is
    /// `SOCKLESS_STATUS_ORDER`.
    UnixSocket = 10,
    /// A local address to bind to.
    LocalAddress = 11,
    /// SSH: what the host of an `ssh://` URL runs. The request's body is its standard input; without one that
    /// is at its end from the beginning.
    Command = 12,
    /// sftp: a command as curl's `-Q` has it (`rename`, `rm`, `mkdir`, `chmod`, `pwd`, `statvfs` and others) before the
    /// transfer, with `-` in front after it, and with `*` allowed to fail; several add up.
    Quote = 13,
    /// sftp: a put writes a file with this suffix, which gets its name when it is complete.
    Suffix = 14,
    /// Kerberos: the service that contexts are made for. Default `HTTP`.
    Service = 15,
    /// Kerberos: the host that contexts are made for, instead of the URL's.
    ServiceHost = 16,
    /// The service at the last proxy, after its Kerberos settings. Default `HTTP`, of SOCKS5 `rcmd`.
    ProxyService = 17,
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
    /// Neither a byte received nor one sent. Default 300 s, of tunnels and over SSH never.
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
    /// The most bytes of body, decoded; `SOCKLESS_NEVER`: no bound. Default that. Of an `ssh://` command its
    /// standard error counts as well; a directory that is got, or listed by lines, cannot have a bound: starting
    /// that is `SOCKLESS_STATUS_ORDER`.
    MaxBody = 22,
    /// The most bytes of a head. Default 256 KiB.
    MaxHead = 23,
    /// How user and password are proven: 0 Basic, 1 Digest, 2 the strongest that is offered, Negotiate
    /// included where there are Kerberos settings; otherwise these take the place of user and password.
    AuthScheme = 24,
    /// The same for the last proxy, after its user and password.
    ProxyAuthScheme = 25,
    /// Go through a tunnel of the last proxy for `http:` as well.
    ProxyTunnel = 26,
    /// Ask the last proxy for tunnels in HTTP/1.0.
    ProxyHttp10 = 27,
    /// TLS on top of a tunnel, by the engine's settings. With a URL of SSH's, starting is
    /// `SOCKLESS_STATUS_ORDER`.
    Secured = 28,
    /// sftp: the first byte that is got, or the place where a put begins; 0 is the first.
    Offset = 29,
    /// sftp: the last byte that is got.
    LastByte = 30,
    /// sftp: only that many bytes at a file's end are got.
    Tail = 31,
    /// sftp: where a put goes: 0 in the place of what is there, 1 behind what of it is there (a ResumeAt
    /// event), 2 behind what is there.
    Placing = 32,
    /// SSH: the permissions of a file that is made. Default 0644.
    FileMode = 33,
    /// sftp: makes the directories that are missing on a put's way.
    MakeDirectories = 34,
    /// sftp: a put does not end before the file is on the server's disk.
    Sync = 35,
    /// SSH: all that is in a directory. A body is made by `sockless_transfer_send_item`.
    Recursive = 36,
    /// sftp: how a directory is listed: 0 by Entry events, 1 by the server's lines, 2 by a line for each
    /// name.
    Listing = 37,
    /// sftp: no file is transferred; an Entry event tells about it, and quoted commands are carried out.
    NoFile = 38,
    /// Kerberos: Negotiate is sent without waiting for a challenge.
    Unasked = 39,
    /// Kerberos: answers of a server are taken that does not prove who it is.
    Unproven = 40,
    /// How well everything up to the last proxy is protected, a SOCKS5 one with Kerberos settings: 0 not at
    /// all, 1 nobody can change it, 2 nobody can read it either.
    ProxyProtection = 41,
}

pub(super) fn set_text(draft: &mut Draft, option: u32, text: &str) -> Result<(), Refusal> {
    use RequestText as Of;
    let secret = || Zeroizing::new(text.to_owned());
    match option {
        at if at == Of::Url as u32 => draft.target = target(text)?,
        at if at == Of::Tunnel as u32 => {
            TunnelTo::parse(text)?;
            draft.target = Target::Tunnel(text.to_owned());
        }
        at if at == Of::Method as u32 => draft.method = Some(text.to_owned()),
        at if at == Of::User as u32 => draft.login.user = Some(secret()),
        at if at == Of::Password as u32 => draft.login.password = Some(secret()),
        at if at == Of::Bearer as u32 => draft.login.bearer = Some(secret()),
        at if at == Of::ProxyUser as u32 => draft.proxy_user = secret(),
        at if at == Of::ProxyPassword as u32 => {
            draft.proxy_kind()?;
            let user = core::mem::take(&mut draft.proxy_user);
            draft.change_proxy(|proxy| Ok(proxy.auth(Auth::password(&user, text))))?;
        }
        at if at == Of::NoProxy as u32 => draft.no_proxy = NoProxy::parse(text),
        at if at == Of::UnixSocket as u32 => draft.unix = Some(text.into()),
        at if at == Of::LocalAddress as u32 => {
            let address: IpAddr = text.parse().map_err(|_| Status::Range)?;
            draft.local = Some(address);
        }
        _ => return set_text_of_ways(draft, option, text),
    }
    Ok(())
}

/// SSH and Kerberos.
fn set_text_of_ways(draft: &mut Draft, option: u32, text: &str) -> Result<(), Refusal> {
    use RequestText as Of;
    let bytes = || text.as_bytes().to_vec();
    match option {
        at if at == Of::Command as u32 => draft.files.command = Some(bytes()),
        at if at == Of::Quote as u32 => draft.files.quotes.push(bytes()),
        at if at == Of::Suffix as u32 => draft.files.suffix = Some(bytes()),
        at if at == Of::Service as u32 => draft.login.service = Some(text.to_owned()),
        at if at == Of::ServiceHost as u32 => draft.login.host = Some(text.to_owned()),
        at if at == Of::ProxyService as u32 => {
            draft.change_proxy(|proxy| Ok(proxy.map_auth(|auth| auth.service(text))))?;
        }
        _ => return Err(Status::Option.into()),
    }
    Ok(())
}

fn target(url: &str) -> Result<Target, Refusal> {
    let text = Zeroizing::new(url.to_owned());
    #[cfg(feature = "ssh")]
    if ["sftp:", "scp:", "ssh:"].iter().any(|scheme| {
        url.get(..scheme.len())
            .is_some_and(|have| have.eq_ignore_ascii_case(scheme))
    }) {
        sockless::RemoteUrl::parse(url)?;
        return Ok(Target::Remote(text));
    }
    Request::get(url)?;
    Ok(Target::Url(text))
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
    if option >= Of::Offset as u32 {
        return set_number_of_ways(draft, option, value);
    }
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

/// SSH and Kerberos.
fn set_number_of_ways(draft: &mut Draft, option: u32, value: u64) -> Result<(), Refusal> {
    use RequestNumber as Of;
    let files = &mut draft.files;
    let on = || convert::flag(value);
    match option {
        at if at == Of::Offset as u32 => files.offset = Some(value),
        at if at == Of::LastByte as u32 => files.last = Some(value),
        at if at == Of::Tail as u32 => files.tail = Some(value),
        at if at == Of::Placing as u32 => {
            files.placing = match value {
                0 => Placing::Over,
                1 => Placing::Resume,
                2 => Placing::Append,
                _ => return Err(Status::Range.into()),
            };
        }
        at if at == Of::FileMode as u32 => {
            let mode = u32::try_from(value).ok().filter(|mode| *mode <= 0o7777);
            files.mode = Some(mode.ok_or(Status::Range)?);
        }
        at if at == Of::MakeDirectories as u32 => files.directories = on()?,
        at if at == Of::Sync as u32 => files.sync = on()?,
        at if at == Of::Recursive as u32 => files.recursive = on()?,
        at if at == Of::Listing as u32 => {
            files.listing = match value {
                0 => Listing::Entries,
                1 => Listing::Long,
                2 => Listing::Names,
                _ => return Err(Status::Range.into()),
            };
        }
        at if at == Of::NoFile as u32 => files.no_file = on()?,
        at if at == Of::Unasked as u32 => draft.login.unasked = on()?,
        at if at == Of::Unproven as u32 => draft.login.unproven = on()?,
        at if at == Of::ProxyProtection as u32 => {
            let level = match value {
                0 => Protection::None,
                1 => Protection::Integrity,
                2 => Protection::Confidentiality,
                _ => return Err(Status::Range.into()),
            };
            draft.change_proxy(|proxy| Ok(proxy.protection(level)))?;
        }
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
