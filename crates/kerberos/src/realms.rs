//! Which realms there are, who serves them, and which host is in which: what of `krb5.conf`
//! a client needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use sockless_core::{Culprit, Fault, Kdc, Reason};

/// The largest text that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// KDCs that are asked for one realm.
const KDCS: usize = 16;

/// Name servers that are asked.
const NAME_SERVERS: usize = 4;

/// What clients know about realms. KDCs that only DNS knows (SRV records) are looked up at the
/// [name servers](Realms::name_server) that are given; there are none by default.
///
/// ```
/// use sockless_kerberos::Realms;
///
/// let realms = Realms::parse(
///     "[libdefaults]\n default_realm = EXAMPLE.COM\n\
///      [realms]\n EXAMPLE.COM = {\n  kdc = kdc1.example.com\n  kdc = kdc2.example.com:750\n }\n\
///      [domain_realm]\n .example.com = EXAMPLE.COM\n",
/// )
/// .unwrap();
/// assert_eq!(realms.default_realm(), Some("EXAMPLE.COM"));
/// assert_eq!(realms.kdcs("EXAMPLE.COM").unwrap().len(), 2);
/// assert_eq!(realms.of_host("www.example.com"), Some("EXAMPLE.COM"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Realms {
    default: Option<String>,
    kdcs: BTreeMap<String, Vec<Kdc>>,
    /// Hosts, and domains with a dot in front.
    domains: Vec<(String, String)>,
    stream_only: bool,
    name_servers: Vec<Kdc>,
    /// The text says that DNS is not to be asked.
    no_lookups: bool,
}

impl Realms {
    /// None at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the text of a `krb5.conf`: `default_realm`, `udp_preference_limit` (1: streams
    /// only), `dns_lookup_kdc`, each realm's `kdc`, and `domain_realm`. Includes are not followed.
    ///
    /// # Errors
    /// It is no such text, with the line at fault.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > LARGEST {
            return Err(bad(0, "it is larger than 1 MiB"));
        }
        let mut realms = Self::new();
        let mut section = String::new();
        let mut inside: Vec<String> = Vec::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) || line.starts_with("include") {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let name = rest.trim_end_matches('*').strip_suffix(']');
                section = name.ok_or_else(|| bad(at, "a section has no end"))?.into();
                inside.clear();
            } else if line.starts_with('}') {
                inside
                    .pop()
                    .ok_or_else(|| bad(at, "a brace closes nothing"))?;
            } else {
                let (key, value) = line
                    .split_once('=')
                    .ok_or_else(|| bad(at, "neither a section nor a setting"))?;
                let key = key.trim().trim_end_matches('*');
                let value = value.trim();
                if value == "{" {
                    inside.push(key.to_owned());
                } else {
                    let value = value.trim_matches('"');
                    realms
                        .setting(&section, &inside, key, value)
                        .map_err(|why| bad(at, why))?;
                }
            }
        }
        match inside.is_empty() {
            true => Ok(realms),
            false => Err(bad(text.lines().count(), "a brace is never closed")),
        }
    }

    fn setting(
        &mut self,
        section: &str,
        inside: &[String],
        key: &str,
        value: &str,
    ) -> Result<(), &'static str> {
        match (section, inside, key) {
            ("libdefaults", [], "default_realm") => {
                self.default.get_or_insert_with(|| value.to_owned());
            }
            ("libdefaults", [], "udp_preference_limit") => self.stream_only = value == "1",
            ("libdefaults", [], "dns_lookup_kdc") => {
                let no = ["false", "f", "no", "n", "0", "off", "nil"];
                self.no_lookups = no.contains(&value.to_ascii_lowercase().as_str());
            }
            ("realms", [realm], "kdc") => {
                let kdc = kdc(value, 88).ok_or("this is no KDC")?;
                let kdcs = self.kdcs.entry(realm.clone()).or_default();
                if kdcs.len() < KDCS {
                    kdcs.push(kdc);
                }
            }
            ("domain_realm", [], host) => {
                self.domains
                    .push((host.to_ascii_lowercase(), value.to_owned()));
            }
            _ => {}
        }
        Ok(())
    }

    /// Sets the realm of names that have none.
    #[must_use]
    pub fn default_to(mut self, realm: &str) -> Self {
        self.default = Some(realm.to_owned());
        self
    }

    /// Adds a KDC of a realm, behind those it has: `host`, `host:port`, `[address]:port`, `tcp/`
    /// in front for streams only, or the URL of a KDC proxy (`https://host/KdcProxy`).
    ///
    /// # Errors
    /// It is none.
    pub fn kdc(mut self, realm: &str, place: &str) -> Result<Self, Fault> {
        let kdc = kdc(place, 88).ok_or_else(|| {
            let what = format!("{place:?} is no KDC");
            Fault::new(Culprit::Misuse, Reason::BadRequest, what)
                .remedy("write it as host, host:port, tcp/host:port or https://host/KdcProxy")
        })?;
        self.kdcs.entry(realm.to_owned()).or_default().push(kdc);
        Ok(self)
    }

    /// Adds a name server, `address` or `address:port`, that is asked for the KDCs of realms that
    /// have none here: by datagrams, streams where they will not do, and the proxies to KDCs. At
    /// most four are; not at all if the text says `dns_lookup_kdc = false`. What they say nobody vouches for: a false
    /// KDC can deny tickets, and try passwords on the encrypted time of a login.
    ///
    /// # Errors
    /// It is none.
    pub fn name_server(mut self, place: &str) -> Result<Self, Fault> {
        match kdc(place, 53) {
            Some(server) if !matches!(server, Kdc::Proxy(_)) => {
                if self.name_servers.len() < NAME_SERVERS {
                    self.name_servers.push(server);
                }
                Ok(self)
            }
            _ => {
                let what = format!("{place:?} is no name server");
                Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what)
                    .remedy("write it as address, address:port or [address]:port"))
            }
        }
    }

    /// Whom to ask where KDCs are; `None`: nobody.
    pub(crate) fn name_servers(&self) -> Option<Arc<[Kdc]>> {
        let asked = !self.no_lookups && !self.name_servers.is_empty();
        asked.then(|| self.name_servers.as_slice().into())
    }

    /// Forgets the KDCs of a realm.
    #[must_use]
    pub fn without_kdcs(mut self, realm: &str) -> Self {
        self.kdcs.remove(realm);
        self
    }

    /// Puts a host, or with a dot in front all hosts below a domain, into a realm.
    #[must_use]
    pub fn domain(mut self, host: &str, realm: &str) -> Self {
        let mapping = (host.to_ascii_lowercase(), realm.to_owned());
        self.domains.insert(0, mapping);
        self
    }

    /// Asks by streams (TCP) only. Datagrams come first otherwise.
    #[must_use]
    pub fn stream_only(mut self) -> Self {
        self.stream_only = true;
        self
    }

    /// The realm of names that have none.
    pub fn default_realm(&self) -> Option<&str> {
        self.default.as_deref()
    }

    /// The realm that a host is known to be in.
    pub fn of_host(&self, host: &str) -> Option<&str> {
        let host = host.to_ascii_lowercase();
        let find = |name: &str| {
            let mut domains = self.domains.iter();
            domains.find(|(domain, _)| domain == name)
        };
        let parents = host.match_indices('.').map(|(at, _)| &host[at..]);
        let found = [host.as_str()].into_iter().chain(parents).find_map(find);
        found.map(|(_, realm)| realm.as_str())
    }

    /// Whom to ask for tickets of a realm, in this order.
    ///
    /// # Errors
    /// [`Reason::Resolve`]: nobody is known.
    pub fn kdcs(&self, realm: &str) -> Result<Arc<[Kdc]>, Fault> {
        let Some(kdcs) = self.kdcs.get(realm).filter(|kdcs| !kdcs.is_empty()) else {
            let what = format!("no KDC is known for the realm {realm}");
            return Err(Fault::new(Culprit::Misuse, Reason::Resolve, what).remedy(
                "name one, e.g. in krb5.conf under [realms], or a name server that knows them",
            ));
        };
        let streamed = kdcs.iter().map(|kdc| match kdc {
            Kdc::Any { host, port } if self.stream_only => Kdc::Stream {
                host: Arc::clone(host),
                port: *port,
            },
            other => other.clone(),
        });
        Ok(streamed.collect())
    }
}

/// One KDC as `krb5.conf` writes it.
fn kdc(text: &str, usual: u16) -> Option<Kdc> {
    if text.starts_with("https://") || text.starts_with("http://") {
        return Some(Kdc::Proxy(text.into()));
    }
    let (stream, text) = match text.split_once('/') {
        Some(("tcp", rest)) => (true, rest),
        Some(("udp", rest)) => (false, rest),
        Some(_) => return None,
        None => (false, text),
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, rest.strip_prefix(':'))
        }
        None if text.matches(':').count() > 1 => (text, None),
        None => text
            .split_once(':')
            .map_or((text, None), |(a, p)| (a, Some(p))),
    };
    let port = port.map_or(Some(usual), |port| port.parse().ok())?;
    if port == 0 || !is_place(host) {
        return None;
    }
    let host = host.into();
    Some(match stream {
        true => Kdc::Stream { host, port },
        false => Kdc::Any { host, port },
    })
}

/// Whether it may be a host's name or address, as people write them.
fn is_place(host: &str) -> bool {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@?#\\".contains(c);
    !host.is_empty() && host.len() <= 255 && !host.contains(odd)
}

/// The same as DNS has them.
pub(crate) fn is_host(host: &str) -> bool {
    host.is_ascii() && is_place(host)
}

fn bad(line: usize, why: &str) -> Fault {
    let what = format!("krb5.conf, line {}: {why}", line + 1);
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# a comment\n[libdefaults]\n default_realm = A.EXAMPLE\n\n\
        [realms]\n A.EXAMPLE = {\n  kdc = k1.a.example\n  kdc = [::1]:88\n  kdc = tcp/k3:1088\n\
        \x20 admin_server = k1\n  auth_to_local_names = {\n   kdc = not-one\n  }\n }\n\
        B = {\n kdc = https://gate.example/KdcProxy\n }\n\
        [domain_realm]\n .a.example = A.EXAMPLE\n b.a.example = B\n";

    #[test]
    fn a_file_says_who_serves_which_realm() {
        let realms = Realms::parse(TEXT).expect("a good file");
        let shown = |realm| {
            let kdcs = realms.kdcs(realm).expect("KDCs");
            kdcs.iter().map(Kdc::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            shown("A.EXAMPLE"),
            ["k1.a.example:88", "[::1]:88", "k3:1088"]
        );
        assert_eq!(shown("B"), ["https://gate.example/KdcProxy"]);
        assert_eq!(realms.of_host("www.x.A.example"), Some("A.EXAMPLE"));
        assert_eq!(realms.of_host("b.a.example"), Some("B"));
        assert_eq!(realms.of_host("a.example"), None);
        let fault = realms.kdcs("C").expect_err("nobody");
        assert_eq!(fault.reason, Reason::Resolve);
    }

    #[test]
    fn streams_only_leaves_no_datagrams() {
        for realms in [
            Realms::parse(&format!("{TEXT}[libdefaults]\nudp_preference_limit = 1\n")),
            Realms::parse(TEXT).map(Realms::stream_only),
        ] {
            let kdcs = realms.expect("a good file").kdcs("A.EXAMPLE");
            let kdcs = kdcs.expect("KDCs");
            assert!(kdcs.iter().all(|kdc| matches!(kdc, Kdc::Stream { .. })));
        }
    }

    #[test]
    fn name_servers_are_asked_unless_the_file_forbids_it() {
        let with = |text| {
            let realms = Realms::parse(text).expect("a good file");
            let realms = realms.name_server("192.0.2.1").expect("an address");
            realms.name_server("[::1]:5353").expect("an address")
        };
        let servers = with("").name_servers().expect("name servers");
        let shown: Vec<_> = servers.iter().map(Kdc::to_string).collect();
        assert_eq!(shown, ["192.0.2.1:53", "[::1]:5353"]);
        let forbidden = with("[libdefaults]\n dns_lookup_kdc = false\n");
        assert!(forbidden.name_servers().is_none());
        assert!(Realms::new().name_servers().is_none());
        assert!(Realms::new().name_server("https://a/b").is_err());
    }

    #[test]
    fn the_line_at_fault_is_named() {
        for (text, line) in [
            ("[libdefaults\n", "line 1"),
            ("[realms]\n}\n", "line 2"),
            ("[realms]\nR = {\n kdc = :88\n}\n", "line 3"),
            ("[realms]\nR = {\n kdc = host:0\n}\n", "line 3"),
            ("[realms]\nR = {\n", "line 3"),
            ("words\n", "line 1"),
        ] {
            let fault = Realms::parse(text).expect_err(text);
            assert!(fault.what.contains(line), "{}", fault.what);
        }
    }
}
