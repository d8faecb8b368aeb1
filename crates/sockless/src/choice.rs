//! Which proxies a URL goes through.

use core::net::IpAddr;

use crate::Proxy;

/// Proxies by scheme, and the hosts that are reached without them.
///
/// ```
/// # fn main() -> Result<(), sockless::Error> {
/// use sockless::{NoProxy, Proxies, Proxy};
///
/// let mut proxies = Proxies::default();
/// proxies.https.push(Proxy::parse("http://proxy.example:3128")?);
/// proxies.except = NoProxy::parse("localhost, .internal.example, 10.0.0.0/8");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// For `http:`, the one that is connected to first.
    pub http: Vec<Proxy>,
    /// For `https:`.
    pub https: Vec<Proxy>,
    /// Hosts that are reached without.
    pub except: NoProxy,
    /// What these are reached through all the same: jump hosts, say, without which there is no way.
    pub jumps: Vec<Proxy>,
}

impl Proxies {
    /// The chain to a host.
    pub(crate) fn chain(&self, secure: bool, host: &str, port: u16) -> &[Proxy] {
        match secure {
            _ if self.except.matches(host, port) => &self.jumps,
            true => &self.https,
            false => &self.http,
        }
    }
}

/// A list of hosts as in the environment variable `no_proxy`, and as curl reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    all: bool,
    entries: Vec<(Pattern, Option<u16>)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// A name, and all names below it.
    Name(String),
    /// A network, by address and length of its prefix in bits.
    Network(IpAddr, u8),
}

impl NoProxy {
    /// Names (with all names below them, with or without a dot in front), addresses, networks
    /// (`10.0.0.0/8`), each with or without a port (`name:8080`), separated by commas or white
    /// space; `*` is every host. What is none of these matches nothing.
    pub fn parse(text: &str) -> Self {
        let words = text.split(|c: char| c == ',' || c.is_whitespace());
        let words = words.filter(|word| !word.is_empty());
        let (mut all, mut entries) = (false, Vec::new());
        for word in words {
            all |= word == "*";
            entries.extend(entry(word));
        }
        Self { all, entries }
    }

    /// Whether that host is reached without a proxy.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        if self.all {
            return true;
        }
        if self.entries.is_empty() {
            return false;
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        let ip = host.parse::<IpAddr>().ok();
        self.entries.iter().any(|(pattern, only)| {
            let is_it = match (pattern, ip) {
                (Pattern::Network(network, prefix), Some(ip)) => within(ip, *network, *prefix),
                (Pattern::Name(name), None) => is_below(host, name),
                _ => false,
            };
            is_it && only.is_none_or(|only| only == port)
        })
    }
}

fn entry(word: &str) -> Option<(Pattern, Option<u16>)> {
    if let Some(network) = network(word) {
        return Some((network, None));
    }
    let (host, port) = match word.rsplit_once(':') {
        Some((host, port)) => (host, Some(port.parse().ok()?)),
        None => (word, None),
    };
    if let Some(network) = network(host) {
        return Some((network, port));
    }
    let name = host.trim_start_matches('.').trim_end_matches('.');
    (!name.is_empty() && name != "*").then(|| (Pattern::Name(name.to_ascii_lowercase()), port))
}

fn network(word: &str) -> Option<Pattern> {
    let (address, prefix) = word
        .split_once('/')
        .map_or((word, None), |(a, p)| (a, Some(p)));
    let ip: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix.parse().ok().filter(|bits| *bits <= most)?,
        None => most,
    };
    Some(Pattern::Network(ip, prefix))
}

fn within(ip: IpAddr, network: IpAddr, prefix: u8) -> bool {
    let same = |a: u128, b: u128, bits: u8| {
        let rest = u32::from(bits - prefix);
        a.checked_shr(rest).unwrap_or(0) == b.checked_shr(rest).unwrap_or(0)
    };
    match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            same(u32::from(ip).into(), u32::from(network).into(), 32)
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => same(ip.into(), network.into(), 128),
        _ => false,
    }
}

fn is_below(host: &str, name: &str) -> bool {
    let at = host.len().checked_sub(name.len());
    at.is_some_and(|at| {
        let (front, tail) = (host.get(..at), host.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(name))
            && front.is_some_and(|front| front.is_empty() || front.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_themselves_and_what_is_below() {
        let list = NoProxy::parse("example.com, .Local  host:8080");
        for (host, port, matches) in [
            ("example.com", 1, true),
            ("EXAMPLE.com.", 1, true),
            ("www.example.com", 1, true),
            ("notexample.com", 1, false),
            ("com", 1, false),
            ("a.local", 1, true),
            ("local", 1, true),
            ("host", 8080, true),
            ("host", 80, false),
        ] {
            assert_eq!(list.matches(host, port), matches, "{host}:{port}");
        }
    }

    #[test]
    fn addresses_match_networks() {
        let list = NoProxy::parse("10.0.0.0/8,192.168.1.7,2001:db8::/32,[::1]:443,0.0.0.0/0x");
        for (host, port, matches) in [
            ("10.255.0.1", 1, true),
            ("11.0.0.1", 1, false),
            ("192.168.1.7", 1, true),
            ("192.168.1.8", 1, false),
            ("2001:db8:1::1", 1, true),
            ("2001:db9::1", 1, false),
            ("::1", 443, true),
            ("::1", 80, false),
            ("ten.example", 1, false),
        ] {
            assert_eq!(list.matches(host, port), matches, "{host}:{port}");
        }
        assert!(NoProxy::parse("0.0.0.0/0").matches("1.2.3.4", 1));
    }

    #[test]
    fn a_star_is_everybody_and_nothing_is_nobody() {
        assert!(NoProxy::parse(" * ").matches("any.example", 1));
        assert!(!NoProxy::parse("").matches("any.example", 1));
        assert!(!NoProxy::parse("..., /, :1, a:b").matches("a", 1));
    }
}
