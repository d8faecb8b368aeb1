//! What makes one connection different from another: the one place that decides who may
//! share.

use core::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::secure::{Ssh, Tls};
use crate::{Auth, Proxy, ProxyHeader, Request, TunnelTo};

/// Everything about a transfer that its connection depends on. Transfers with equal ones, and
/// only they, may share connections.
///
/// It is made by taking a request apart exhaustively: an option that is added later does not
/// compile until somebody has decided here whether it matters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Way<'a> {
    /// Where the connection leads in the end; `None`: to a proxy that is handed requests for
    /// any host.
    pub(crate) to: Option<Destination<'a>>,
    /// The settings of its TLS, for a destination that has it.
    pub(crate) tls: Option<&'a Tls>,
    pub(crate) unix: Option<&'a Path>,
    pub(crate) local: Option<IpAddr>,
    pub(crate) proxies: &'a [Proxy],
    pub(crate) header: Option<&'a ProxyHeader>,
    /// Whose connection it becomes by authentication that binds it (Negotiate).
    pub(crate) bound_to: Option<&'a Auth>,
    /// How the SSH layer at its end logs in, for a destination that has one.
    pub(crate) ssh: Option<&'a Ssh>,
    /// What it carries: requests, a byte stream, or channels.
    pub(crate) protocol: &'static str,
}

/// A host, and whether TLS verifies that it is that host.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Destination<'a> {
    pub(crate) secure: bool,
    pub(crate) host: &'a str,
    pub(crate) port: u16,
}

impl<'a> Way<'a> {
    /// The way of a request, with the session's TLS settings where it has none of its own.
    pub(crate) fn of(request: &'a Request, default: Option<&'a Tls>) -> Self {
        let Request {
            url,
            unix,
            local,
            proxies,
            header,
            tls,
            auth,
            // Said in each request, and nothing of it stays with the connection.
            method: _,
            fields: _,
            body: _,
            rewindable: _,
            redirects: _,
            http: _,
            expect_continue: _,
            // How this transfer is treated, not what it goes over.
            options: _,
        } = request;
        let secure = url.scheme() == "https";
        let to = Destination {
            secure,
            host: bare(url.host_str().unwrap_or_default()),
            port: url.port_or_known_default().unwrap_or(80),
        };
        // The socket leads somewhere else then, and there is no proxy on the way to it.
        let proxies = match unix {
            Some(_) => &[],
            None => proxies.chain(secure, to.host, to.port),
        };
        let forwarded = !secure && proxies.last().is_some_and(Proxy::forwards);
        Self {
            to: (!forwarded).then_some(to),
            tls: if secure {
                tls.as_ref().or(default)
            } else {
                None
            },
            unix: unix.as_deref(),
            local: *local,
            proxies,
            header: header.as_ref().filter(|_| !forwarded),
            bound_to: auth.as_ref().filter(|auth| auth.may_bind()),
            ssh: None,
            protocol: "http/1.1",
        }
    }

    /// The way of a tunnel.
    pub(crate) fn of_tunnel(tunnel: &'a TunnelTo, default: Option<&'a Tls>) -> Self {
        let TunnelTo {
            host,
            port,
            secure,
            tls,
            local,
            proxies,
            header,
            // How this transfer is treated, not what it goes over.
            options: _,
        } = tunnel;
        Self {
            to: Some(Destination {
                secure: *secure,
                host,
                port: *port,
            }),
            tls: if *secure {
                tls.as_ref().or(default)
            } else {
                None
            },
            unix: None,
            local: *local,
            proxies,
            header: header.as_ref(),
            bound_to: None,
            ssh: None,
            protocol: "raw",
        }
    }

    /// The way to an SSH server, for channels.
    #[cfg(feature = "ssh")]
    pub(crate) fn of_ssh(to: &'a TunnelTo, settings: &'a Ssh) -> Self {
        Self {
            ssh: Some(settings),
            protocol: "ssh",
            ..Self::of_tunnel(to, None)
        }
    }

    pub(crate) fn to_owned(self) -> OwnedWay {
        let Self {
            to,
            tls,
            unix,
            local,
            proxies,
            header,
            bound_to,
            ssh,
            protocol,
        } = self;
        OwnedWay {
            to: to.map(|to| (to.secure, to.host.into(), to.port)),
            tls: tls.cloned(),
            unix: unix.map(Path::to_owned),
            local,
            proxies: proxies.to_vec(),
            header: header.cloned(),
            bound_to: bound_to.cloned(),
            ssh: ssh.cloned(),
            protocol,
        }
    }
}

/// A [`Way`] that is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct OwnedWay {
    to: Option<(bool, Arc<str>, u16)>,
    tls: Option<Tls>,
    unix: Option<PathBuf>,
    local: Option<IpAddr>,
    proxies: Vec<Proxy>,
    header: Option<ProxyHeader>,
    bound_to: Option<Auth>,
    ssh: Option<Ssh>,
    protocol: &'static str,
}

impl OwnedWay {
    pub(crate) fn as_way(&self) -> Way<'_> {
        let to = self.to.as_ref();
        Way {
            to: to.map(|(secure, host, port)| Destination {
                secure: *secure,
                host,
                port: *port,
            }),
            tls: self.tls.as_ref(),
            unix: self.unix.as_deref(),
            local: self.local,
            proxies: &self.proxies,
            header: self.header.as_ref(),
            bound_to: self.bound_to.as_ref(),
            ssh: self.ssh.as_ref(),
            protocol: self.protocol,
        }
    }
}

/// A URL's host without brackets.
pub(crate) fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(all(test, feature = "tls-rustls"))]
mod tests;
