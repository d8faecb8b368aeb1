//! From a way to a route: which layers stand in which order, and how each connection gets
//! its own.

use core::net::{IpAddr, SocketAddr};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use sockless_core::{
    Culprit, Error, Fault, Filter, Key, LayerKey, Reason, Recipe, Route, SecurityProvider, Target,
};
use sockless_http::{Party, Tunnel};
use sockless_tunnels::{Destination, Protection, Socks4, Socks5, UserPassword};

use crate::plan::USER_AGENT;
use crate::proxy::{Proxy, ProxyKind};
use crate::secure::{self, Ssh, Tls};
use crate::tunnel::ProxyHeader;
use crate::way::Way;

/// The name that SOCKS5 servers have as a service of a security mechanism, as curl has it.
pub(crate) const SOCKS_SERVICE: &str = "rcmd";

/// What the session knows and a way does not say.
pub(crate) struct Surroundings<'a> {
    /// Addresses that are known already.
    pub(crate) resolve: &'a HashMap<(String, u16), Vec<IpAddr>>,
    /// TLS settings for whoever has none of its own.
    pub(crate) tls: Option<&'a Tls>,
    /// For client nonces.
    pub(crate) seed: u64,
    /// Tells this way from all others of the session.
    pub(crate) number: u64,
}

/// The route of a way.
///
/// # Errors
/// A setting that cannot work: a name, a credential, TLS that is not built in.
pub(crate) fn route(way: &Way<'_>, around: &Surroundings<'_>) -> Result<Arc<Route>, Error> {
    let mut chain = Chain {
        layers: Vec::new(),
        names: Vec::new(),
    };
    for (at, proxy) in way.proxies.iter().enumerate() {
        let next = way.proxies.get(at + 1);
        let next = next.map(|proxy| (&*proxy.host, proxy.port));
        let next = next.or(way.to.map(|to| (to.host, to.port)));
        chain.add(proxy, next, around)?;
    }
    if let Some(header) = way.header {
        header
            .filter()
            .map_err(|fault| fault.at("proxy-protocol"))?;
        chain.layers.push(Layer::Header(*header));
    }
    if let Some(to) = way.to.filter(|to| to.secure) {
        let tls = way.tls.cloned().ok_or_else(secure::missing)?;
        chain.layers.push(Layer::Tls(tls, to.host.into()));
    }
    if let (Some(settings), Some(to)) = (way.ssh, way.to) {
        let at = (to.host.into(), to.port);
        chain.layers.push(Layer::Ssh(settings.clone(), at, None));
    }
    // Equal ways have the same number, and only they: nothing is left to a hash.
    let layer_key = |verified_name| LayerKey {
        layer: "way",
        settings: around.number,
        verified_name,
    };
    let names = chain.layers.iter().filter_map(Layer::verified_name);
    let key = Key {
        target: target(way, around),
        local: way.local,
        protocol: way.protocol,
        layers: names.chain(["".into()]).map(layer_key).collect(),
    };
    let recipe = Box::new(chain);
    Ok(Arc::new(Route { key, recipe }))
}

/// Where the socket leads: to the first proxy, or to the destination itself.
fn target(way: &Way<'_>, around: &Surroundings<'_>) -> Target {
    if let Some(path) = way.unix {
        return Target::Unix(path.to_owned());
    }
    let first = way.proxies.first().map(|proxy| (&*proxy.host, proxy.port));
    let to = first.or(way.to.map(|to| (to.host, to.port)));
    let (host, port) = to.unwrap_or_default();
    match around.resolve.get(&(host.to_owned(), port)) {
        Some(known) => {
            let addresses = known.iter().map(|ip| SocketAddr::new(*ip, port));
            Target::Addresses(addresses.collect())
        }
        None => Target::Host {
            host: host.into(),
            port,
        },
    }
}

/// The layers of a way's connections, and the names that they need addresses for.
struct Chain {
    layers: Vec<Layer>,
    names: Vec<(Arc<str>, u16)>,
}

/// How one layer is made for each new connection.
enum Layer {
    Tls(Tls, Arc<str>),
    Connect(Tunnel),
    Socks {
        kind: ProxyKind,
        proxy: String,
        to: Place,
        user: String,
        login: Option<UserPassword>,
        security: Option<Security>,
    },
    Header(ProxyHeader),
    /// With where it stands, and where its tunnel leads.
    Ssh(Ssh, Port, Option<Port>),
}

/// A host and a port of it.
type Port = (Arc<str>, u16);

/// Contexts for a SOCKS proxy.
struct Security {
    provider: Arc<dyn SecurityProvider>,
    service: String,
    host: String,
    at_least: Protection,
    in_the_clear: bool,
}

/// A destination that the proxy is told, or that we look up first.
enum Place {
    Known(Destination),
    /// The index into the names, and the port.
    LookedUp(usize, u16),
}

impl Chain {
    /// The layers that lead through a proxy to `next`; none: it is handed requests as they are.
    fn add(
        &mut self,
        proxy: &Proxy,
        next: Option<(&str, u16)>,
        around: &Surroundings<'_>,
    ) -> Result<(), Error> {
        if proxy.kind == ProxyKind::Https {
            let tls = proxy.tls.as_ref().or(around.tls).cloned();
            let tls = tls.ok_or_else(secure::missing)?;
            self.layers.push(Layer::Tls(tls, Arc::clone(&proxy.host)));
        }
        let Some((host, port)) = next else {
            return Ok(());
        };
        let layer = match proxy.kind {
            ProxyKind::Http | ProxyKind::Https => connect(proxy, host, port, around)?,
            ProxyKind::Ssh => {
                let settings = proxy.ssh.clone().ok_or_else(no_login)?;
                let at = (Arc::clone(&proxy.host), proxy.port);
                Layer::Ssh(settings, at, Some((host.into(), port)))
            }
            kind => {
                let by_us = matches!(kind, ProxyKind::Socks4 | ProxyKind::Socks5);
                let to = self.place(kind, host, port, by_us, around)?;
                socks(proxy, to)?
            }
        };
        self.layers.push(layer);
        Ok(())
    }

    fn place(
        &mut self,
        kind: ProxyKind,
        host: &str,
        port: u16,
        by_us: bool,
        around: &Surroundings<'_>,
    ) -> Result<Place, Error> {
        let named = Destination::new(host, port);
        if !by_us || matches!(named, Destination::Address(_)) {
            return Ok(Place::Known(named));
        }
        if let Some(known) = around.resolve.get(&(host.to_owned(), port)) {
            let ip = choose(kind, known).map_err(|fault| fault.at("resolve"))?;
            return Ok(Place::Known(SocketAddr::new(ip, port).into()));
        }
        self.names.push((host.into(), port));
        Ok(Place::LookedUp(self.names.len() - 1, port))
    }
}

fn connect(
    proxy: &Proxy,
    host: &str,
    port: u16,
    around: &Surroundings<'_>,
) -> Result<Layer, Error> {
    let build = || {
        let mut tunnel = Tunnel::new(&proxy.name(), host, port)?;
        let named = |wanted: &str| {
            let mut names = proxy.fields.iter().map(|(name, _)| name);
            names.any(|name| name.eq_ignore_ascii_case(wanted))
        };
        if !named("user-agent") {
            tunnel = tunnel.field("User-Agent", USER_AGENT)?;
        }
        for (name, value) in &proxy.fields {
            tunnel = tunnel.field(name, value)?;
        }
        Ok(if proxy.http10 {
            tunnel.http10()
        } else {
            tunnel
        })
    };
    let mut tunnel = build().map_err(|fault: Fault| fault.at("connect"))?;
    if let Some(auth) = &proxy.auth {
        let authenticator = auth.authenticator(Party::Proxy, &proxy.host, around.seed)?;
        tunnel = tunnel.authenticator(Arc::new(Mutex::new(authenticator)));
    }
    Ok(Layer::Connect(tunnel))
}

fn socks(proxy: &Proxy, to: Place) -> Result<Layer, Error> {
    let socks4 = matches!(proxy.kind, ProxyKind::Socks4 | ProxyKind::Socks4a);
    let login = proxy.auth.as_ref().and_then(|auth| auth.login());
    let user = login.filter(|_| socks4);
    let user = user.map_or_else(String::new, |login| login.user.as_str().to_owned());
    let login = match login.filter(|_| !socks4) {
        Some(login) => {
            let both = UserPassword::new(login.user.as_str(), login.password.as_str());
            Some(both.map_err(|fault| fault.at("socks5"))?)
        }
        None => None,
    };
    let contexts = proxy.auth.as_ref().filter(|_| !socks4);
    let contexts = contexts.and_then(|auth| auth.contexts(SOCKS_SERVICE, &proxy.host));
    let security = contexts.map(|(provider, service, host)| Security {
        provider: Arc::clone(provider),
        service: service.to_owned(),
        host: host.to_owned(),
        at_least: proxy.protection,
        in_the_clear: proxy.levels_in_the_clear,
    });
    if security.is_none() && proxy.protection != Protection::None {
        let what = "protection up to a proxy takes SOCKS5, and credentials that make contexts";
        let fault = Fault::new(Culprit::Misuse, Reason::Misuse, what);
        return Err(fault
            .remedy("use Auth::negotiate for the proxy")
            .at("proxy"));
    }
    let layer = Layer::Socks {
        kind: proxy.kind,
        proxy: proxy.name(),
        to,
        user,
        login,
        security,
    };
    // What the filter refuses is said now, not by every connection. A context is not made for
    // that: there may be no ticket yet.
    if !matches!(
        &layer,
        Layer::Socks {
            to: Place::LookedUp(..),
            ..
        } | Layer::Socks {
            security: Some(_),
            ..
        }
    ) {
        let name = if socks4 { "socks4" } else { "socks5" };
        layer.filter(&[]).map_err(|fault| fault.at(name))?;
    }
    Ok(layer)
}

/// A jump host by name alone.
fn no_login() -> Error {
    let what = "nothing says how to log in to the SSH server that is to connect on";
    Fault::new(Culprit::Misuse, Reason::Misuse, what)
        .remedy("make it with Proxy::ssh")
        .at("ssh")
}

/// The address of a destination for a proxy that is told addresses.
fn choose(kind: ProxyKind, found: &[IpAddr]) -> Result<IpAddr, Fault> {
    let usable = |ip: &&IpAddr| kind != ProxyKind::Socks4 || ip.is_ipv4();
    found.iter().find(usable).copied().ok_or_else(|| {
        let what = "the destination has no IPv4 address, and SOCKS4 knows no other";
        Fault::new(Culprit::PeerIncompatible, Reason::Resolve, what)
            .remedy("use socks4a or socks5, or another proxy")
    })
}

impl Layer {
    fn filter(&self, found: &[Vec<IpAddr>]) -> Result<Box<dyn Filter>, Fault> {
        match self {
            Self::Tls(tls, name) => tls.filter(name),
            Self::Connect(tunnel) => Ok(tunnel.filter()),
            Self::Header(header) => Ok(Box::new(header.filter()?)),
            Self::Ssh(settings, (host, port), on) => {
                let on = on.as_ref().map(|(host, port)| (&**host, *port));
                settings.filter((host, *port), on)
            }
            Self::Socks {
                kind,
                proxy,
                to,
                user,
                login,
                security,
            } => {
                let to = match to {
                    Place::Known(to) => to.clone(),
                    Place::LookedUp(at, port) => {
                        let found = found.get(*at).map_or(&[][..], Vec::as_slice);
                        SocketAddr::new(choose(*kind, found)?, *port).into()
                    }
                };
                if matches!(kind, ProxyKind::Socks4 | ProxyKind::Socks4a) {
                    return Ok(Box::new(Socks4::new(proxy, to, user)?));
                }
                let mut socks = Socks5::new(proxy, to, login.clone())?;
                if let Some(security) = security {
                    let Security { service, host, .. } = security;
                    let context = security.provider.context(service, host)?;
                    socks = socks.security(context, security.at_least);
                    if security.in_the_clear {
                        socks = socks.levels_in_the_clear();
                    }
                }
                Ok(Box::new(socks))
            }
        }
    }

    fn verified_name(&self) -> Option<Arc<str>> {
        match self {
            Self::Tls(_, name) | Self::Ssh(_, (name, _), _) => Some(Arc::clone(name)),
            _ => None,
        }
    }
}

impl Recipe for Chain {
    fn names(&self) -> &[(Arc<str>, u16)] {
        &self.names
    }

    fn filters(&self, found: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        self.layers
            .iter()
            .map(|layer| layer.filter(found))
            .collect()
    }
}
