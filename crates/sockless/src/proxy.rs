//! Proxies: what they speak, who we are to them, and what a URL says of it.

use core::fmt;
use std::sync::Arc;

use sockless_core::{Culprit, Error, Fault, Reason, Target};
use sockless_tunnels::Protection;
use url::Url;

use crate::Auth;
use crate::request::{decoded, masked};
use crate::secure::{Ssh, Tls};

/// What a proxy speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProxyKind {
    /// HTTP in the clear: requests for `http:` are handed to it, everything else goes
    /// through a tunnel by CONNECT.
    Http,
    /// The same inside TLS.
    Https,
    /// SOCKS4; we resolve the destination, which must have an IPv4 address.
    Socks4,
    /// SOCKS4a; the proxy resolves the destination.
    Socks4a,
    /// SOCKS5 (RFC 1928); we resolve the destination.
    Socks5,
    /// SOCKS5; the proxy resolves the destination.
    Socks5h,
    /// An SSH server that connects on for us (`direct-tcpip`, RFC 4254 section 7.2): a jump host.
    /// [`Proxy::ssh`] makes one.
    Ssh,
}

/// One proxy on the way. Several make a chain: the first is connected to, and each is
/// asked for the next one.
///
/// ```
/// # fn main() -> Result<(), sockless::Error> {
/// use sockless::{Proxy, Request};
///
/// let request = Request::get("https://example.com/")?
///     .proxy(Proxy::parse("socks5h://localhost:1080")?)
///     .proxy(Proxy::parse("https://user:secret@proxy.example:3129")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proxy {
    pub(crate) kind: ProxyKind,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) auth: Option<Auth>,
    pub(crate) tls: Option<Tls>,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) http10: bool,
    pub(crate) tunnel: bool,
    pub(crate) ssh: Option<Ssh>,
    pub(crate) protection: Protection,
    pub(crate) levels_in_the_clear: bool,
}

impl Proxy {
    /// A proxy of that kind.
    ///
    /// # Errors
    /// The host is none.
    pub fn new(kind: ProxyKind, host: &str, port: u16) -> Result<Self, Error> {
        let bracketed = match host.contains(':') {
            true => format!("http://[{host}]/"),
            false => format!("http://{host}/"),
        };
        let url = Url::parse(&bracketed).ok();
        let clean = url
            .as_ref()
            .filter(|url| url.path() == "/" && url.query().is_none() && url.username().is_empty());
        let Some(name) = clean.and_then(Url::host_str) else {
            return Err(bad(format!("{:?} is no host for a proxy", masked(host))));
        };
        Ok(Self {
            kind,
            host: name.trim_matches(['[', ']']).into(),
            port,
            auth: None,
            tls: None,
            fields: Vec::new(),
            http10: false,
            tunnel: false,
            ssh: None,
            protection: Protection::None,
            levels_in_the_clear: false,
        })
    }

    /// An SSH server that connects on for us, with how we log in there.
    ///
    /// # Errors
    /// The host is none.
    #[cfg(feature = "ssh")]
    pub fn ssh(host: &str, port: u16, client: Arc<sockless_ssh::Client>) -> Result<Self, Error> {
        let mut proxy = Self::new(ProxyKind::Ssh, host, port)?;
        proxy.ssh = Some(Ssh(client));
        Ok(proxy)
    }

    /// A proxy as curl writes it: `[scheme://][user[:password]@]host[:port]`, with the schemes
    /// `http` (the default), `https`, `socks4`, `socks4a`, `socks5` and `socks5h`. The default
    /// port is 1080, with `https` 443.
    ///
    /// # Errors
    /// It is none, or of another scheme.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "http" => ProxyKind::Http,
            "https" => ProxyKind::Https,
            "socks4" => ProxyKind::Socks4,
            "socks4a" => ProxyKind::Socks4a,
            "socks" | "socks5" => ProxyKind::Socks5,
            "socks5h" => ProxyKind::Socks5h,
            other => {
                let what = format!("no proxy speaks {other:?}");
                let fault = Fault::new(Culprit::Misuse, Reason::Unsupported, what);
                let remedy = "use http, https, socks4, socks4a, socks5 or socks5h";
                return Err(fault.remedy(remedy).at("proxy"));
            }
        };
        // A scheme without a default port of its own: the URL says which one it has.
        let url = Url::parse(&format!("proxy://{rest}"));
        let url = url.map_err(|error| bad(format!("{:?} is no proxy: {error}", masked(text))))?;
        let default = if kind == ProxyKind::Https { 443 } else { 1080 };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let mut proxy = Self::new(kind, host, url.port().unwrap_or(default))?;
        if !url.username().is_empty() || url.password().is_some() {
            let password = decoded(url.password().unwrap_or_default());
            proxy.auth = Some(Auth::password(&decoded(url.username()), &password));
        }
        Ok(proxy)
    }

    /// Who we are to it. A SOCKS proxy takes user and password, or a provider's context.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Whether a user, or anything else, was given.
    pub fn has_auth(&self) -> bool {
        self.auth.is_some()
    }

    /// Changes the credentials that it has, if it has any: those of its URL, say, to
    /// [`Auth::digest`].
    #[must_use]
    pub fn map_auth(mut self, change: impl FnOnce(Auth) -> Auth) -> Self {
        self.auth = self.auth.map(change);
        self
    }

    /// Its host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What it speaks.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// TLS settings for the connection to it; by default the session's.
    #[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
    #[must_use]
    pub fn tls(mut self, client: Arc<sockless_tls::Client>) -> Self {
        self.tls = Some(Tls(client));
        self
    }

    /// Adds a header field for this proxy alone.
    ///
    /// # Errors
    /// Name or value cannot be sent (RFC 9110 section 5).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let value = value.as_ref();
        sockless_http::Tunnel::new("proxy", "host", 1)
            .and_then(|probe| probe.field(name, value))
            .map_err(|fault| fault.at("proxy"))?;
        self.fields.push((name.to_owned(), value.to_vec()));
        Ok(self)
    }

    /// Asks for tunnels in HTTP/1.0.
    #[must_use]
    pub fn http10(mut self) -> Self {
        self.http10 = true;
        self
    }

    /// Goes through a tunnel for `http:` as well.
    #[must_use]
    pub fn tunnel(mut self) -> Self {
        self.tunnel = true;
        self
    }

    /// Protects everything up to a SOCKS5 proxy at least that well, by the context that it is
    /// authenticated with (RFC 1961). Default: not at all.
    #[must_use]
    pub fn protection(mut self, at_least: Protection) -> Self {
        self.protection = at_least;
        self
    }

    /// Agrees with a SOCKS5 proxy on the level of protection in the clear, as NEC's reference
    /// implementation does, against RFC 1961 section 4.3. Somebody in between can then change which
    /// level is taken; less than [`Proxy::protection`] requires is refused all the same.
    #[must_use]
    pub fn levels_in_the_clear(mut self) -> Self {
        self.levels_in_the_clear = true;
        self
    }

    /// Whether requests for `http:` are handed to it as they are.
    pub(crate) fn forwards(&self) -> bool {
        matches!(self.kind, ProxyKind::Http | ProxyKind::Https) && !self.tunnel
    }

    /// Host and port, as messages name it.
    pub(crate) fn name(&self) -> String {
        let (host, port) = (Arc::clone(&self.host), self.port);
        Target::Host { host, port }.to_string()
    }
}

/// No secrets.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({:?} {}", self.kind, self.name())?;
        match &self.auth {
            Some(auth) => write!(f, ", {auth:?})"),
            None => f.write_str(")"),
        }
    }
}

fn bad(what: String) -> Error {
    Fault::new(Culprit::Misuse, Reason::BadUrl, what)
        .remedy("write it as http://host:port or socks5h://host:port")
        .at("proxy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_written_as_curl_writes_them() {
        let shown = |text| format!("{:?}", Proxy::parse(text).expect(text));
        assert_eq!(shown("squid"), "Proxy(Http squid:1080)");
        assert_eq!(shown("squid:3128"), "Proxy(Http squid:3128)");
        assert_eq!(shown("https://squid"), "Proxy(Https squid:443)");
        assert_eq!(shown("socks5h://[::1]:9"), "Proxy(Socks5h [::1]:9)");
        assert_eq!(shown("SOCKS4A://h"), "Proxy(Socks4a h:1080)");
        let with_user = shown("http://me:p%40ss@h:1");
        assert_eq!(with_user, "Proxy(Http h:1, Auth(Basic, at once))");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_its_password() {
        for text in [
            "ftp://h",
            "http://me:topsecret@:1",
            "http://me:topsecret@h:99999999",
            "",
        ] {
            let error = Proxy::parse(text).expect_err(text);
            assert_eq!(error.layer(), "proxy");
            assert!(!error.to_string().contains("topsecret"), "{error}");
        }
    }

    #[test]
    fn each_setting_makes_it_another_one() {
        let base = || Proxy::parse("http://h:1").expect("a proxy");
        let others = [
            Proxy::parse("https://h:1").expect("a proxy"),
            Proxy::parse("http://g:1").expect("a proxy"),
            Proxy::parse("http://h:2").expect("a proxy"),
            base().auth(Auth::password("a", "b")),
            base().auth(Auth::password("a", "c")),
            base().auth(Auth::password("a", "b").any()),
            base().auth(Auth::password("a", "b")).map_auth(Auth::digest),
            base().auth(Auth::bearer("b")),
            base().header("X", "y").expect("a field"),
            base().http10(),
            base().tunnel(),
            base().protection(Protection::Integrity),
            base().levels_in_the_clear(),
        ];
        for (at, one) in others.iter().enumerate() {
            assert_ne!(*one, base());
            assert!(others[at + 1..].iter().all(|other| other != one), "{one:?}");
        }
        assert_eq!(base(), base());
    }
}
