//! What the application asks for.

use core::fmt;
use core::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sockless_core::{Culprit, Error, Fault, Options, Reason, Timeouts};
use sockless_http::Http1Config;
use url::Url;

use crate::secure::Tls;
use crate::{Auth, Proxies, Proxy, ProxyHeader};

/// One transfer: a URL, what to send, and how to treat it.
///
/// ```
/// # fn main() -> Result<(), sockless::Error> {
/// let request = sockless::Request::new("PUT", "https://example.com/file")?
///     .header("Content-Type", "text/plain")?
///     .body(sockless::Body::Bytes(b"hello".to_vec().into()))
///     .redirects(sockless::Redirects::follow(5));
/// assert_eq!(request.url(), "https://example.com/file");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Request {
    pub(crate) url: Url,
    pub(crate) method: String,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) body: Body,
    pub(crate) rewindable: bool,
    pub(crate) redirects: Redirects,
    pub(crate) auth: Option<Auth>,
    pub(crate) proxies: Proxies,
    pub(crate) header: Option<ProxyHeader>,
    pub(crate) tls: Option<Tls>,
    pub(crate) options: Options,
    pub(crate) http: Http1Config,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) local: Option<IpAddr>,
    pub(crate) expect_continue: Option<Duration>,
}

/// The request's body.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Body {
    /// None.
    #[default]
    Empty,
    /// From memory; sent again after a redirect that keeps the method.
    Bytes(Arc<[u8]>),
    /// This many bytes, asked for by [`Event::WantBody`](sockless_core::Event::WantBody).
    Sized(u64),
    /// Asked for by `WantBody`, as chunks; the end is whenever the application says so.
    Chunked,
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().into())
    }
}

/// None.
impl From<()> for Body {
    fn from((): ()) -> Self {
        Self::Empty
    }
}

/// What to do with redirects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirects {
    /// How many to follow; `None`: they are answers like any other (the default).
    pub follow: Option<u32>,
    /// Send credentials to other hosts, too. Default no.
    pub trust_all_hosts: bool,
    /// Keep the method where a POST would become a GET; its body is dropped all the
    /// same. Default no.
    pub keep_method: bool,
}

impl Redirects {
    /// Follow at most `max` of them.
    pub fn follow(max: u32) -> Self {
        Self {
            follow: Some(max),
            ..Self::none()
        }
    }

    /// Follow none.
    pub fn none() -> Self {
        Self {
            follow: None,
            trust_all_hosts: false,
            keep_method: false,
        }
    }
}

impl Request {
    /// A request with that method; `http` and `https` URLs. Credentials in the URL
    /// become [`Request::basic`].
    ///
    /// # Errors
    /// The URL is none, has no host, or another scheme.
    pub fn new(method: &str, url: &str) -> Result<Self, Error> {
        let mut url = parse(url)?;
        let auth = (!url.username().is_empty() || url.password().is_some()).then(|| {
            Auth::password(
                &decoded(url.username()),
                &decoded(url.password().unwrap_or_default()),
            )
        });
        // Neither can fail: the URL has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        Ok(Self {
            url,
            method: method.to_owned(),
            fields: Vec::new(),
            body: Body::Empty,
            rewindable: false,
            redirects: Redirects::none(),
            auth,
            proxies: Proxies::default(),
            header: None,
            tls: None,
            options: Options::default(),
            http: Http1Config::default(),
            unix: None,
            local: None,
            expect_continue: None,
        })
    }

    /// A GET.
    ///
    /// # Errors
    /// As [`Request::new`].
    pub fn get(url: &str) -> Result<Self, Error> {
        Self::new("GET", url)
    }

    /// The URL, without credentials and fragment.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Adds a header field. `Host` replaces the URL's; `User-Agent` and `Accept`
    /// replace the defaults, and with an empty value remove them.
    ///
    /// # Errors
    /// Name or value cannot be sent (RFC 9110 section 5).
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let value = value.as_ref();
        // Checked here, where the caller can see it, by what will write it.
        let is_host = name.eq_ignore_ascii_case("host");
        let host = if is_host {
            String::from_utf8_lossy(value)
        } else {
            "host".into()
        };
        sockless_http::Request::new("GET", "/", &host)
            .and_then(|probe| match value {
                value if is_host || value.is_empty() => Ok(probe),
                value => probe.field(name, value),
            })
            .map_err(|fault| fault.at("http"))?;
        self.fields.push((name.to_owned(), value.to_vec()));
        Ok(self)
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// The application can give a [`Body::Sized`] or [`Body::Chunked`] once more, from its
    /// beginning: it takes [`Event::RewindBody`](sockless_core::Event::RewindBody) for an
    /// answer to a redirect that keeps the method (307, 308), or to a kept connection that
    /// turned out to be dead. Otherwise these are failures.
    #[must_use]
    pub fn rewindable_body(mut self) -> Self {
        self.rewindable = true;
        self
    }

    /// Sets what happens with redirects.
    #[must_use]
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sends Basic credentials to this host (RFC 7617), not to hosts that it redirects to.
    #[must_use]
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.auth(Auth::password(user, password))
    }

    /// Who the user is to this host, and to no host that it redirects to.
    #[must_use]
    pub fn auth(mut self, auth: Auth) -> Self {
        self.auth = Some(auth);
        self
    }

    /// Changes the credentials that it has, if it has any: those of the URL, say, to
    /// [`Auth::digest`].
    #[must_use]
    pub fn map_auth(mut self, change: impl FnOnce(Auth) -> Auth) -> Self {
        self.auth = self.auth.map(change);
        self
    }

    /// Adds a proxy at the far end of the chain: the first one is connected to.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxies.http.push(proxy.clone());
        self.proxies.https.push(proxy);
        self
    }

    /// Sets the proxies by scheme, for this URL and those that it redirects to.
    #[must_use]
    pub fn proxies(mut self, proxies: Proxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Begins the connection with the PROXY protocol's header, behind all proxies and in front
    /// of TLS. It is not sent to a proxy that is handed the request as it is.
    #[must_use]
    pub fn proxy_header(mut self, header: ProxyHeader) -> Self {
        self.header = Some(header);
        self
    }

    /// TLS settings for this transfer instead of the session's.
    #[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
    #[must_use]
    pub fn tls(mut self, client: Arc<sockless_tls::Client>) -> Self {
        self.tls = Some(Tls(client));
        self
    }

    /// Whether the application is asked for the body.
    pub(crate) fn is_asked_for_body(&self) -> bool {
        matches!(self.body, Body::Sized(_) | Body::Chunked)
    }

    /// Asks for a compressed answer, and decodes it.
    #[must_use]
    pub fn compressed(mut self) -> Self {
        self.http.decode = true;
        self
    }

    /// The bounds of the HTTP layer.
    #[must_use]
    pub fn http(mut self, configure: impl FnOnce(&mut Http1Config)) -> Self {
        configure(&mut self.http);
        self
    }

    /// Sends `Expect: 100-continue` with a body, and waits this long for the answer.
    #[must_use]
    pub fn expect_continue(mut self, wait: Duration) -> Self {
        self.expect_continue = Some(wait);
        self
    }

    /// Sets the timeouts.
    #[must_use]
    pub fn timeouts(mut self, configure: impl FnOnce(&mut Timeouts)) -> Self {
        configure(&mut self.options.timeouts);
        self
    }

    /// Sets priority, notes and reuse.
    #[must_use]
    pub fn options(mut self, configure: impl FnOnce(&mut Options)) -> Self {
        configure(&mut self.options);
        self
    }

    /// Connects to a unix socket instead of the URL's host.
    #[must_use]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix = Some(path.into());
        self
    }

    /// Binds the connection to a local address.
    #[must_use]
    pub fn local_address(mut self, local: IpAddr) -> Self {
        self.local = Some(local);
        self
    }
}

/// Shows no header values, credentials, queries or bodies.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut url = self.url.clone();
        url.set_query(None);
        write!(
            f,
            "Request({} {url}, {} fields)",
            self.method,
            self.fields.len()
        )
    }
}

pub(crate) fn parse(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| {
        Fault::new(
            Culprit::Misuse,
            Reason::BadUrl,
            format!("{:?} is no URL: {error}", masked(text)),
        )
        .remedy("write it as https://host/path")
        .source(error)
        .at("url")
    })?;
    check_scheme(&url)?;
    Ok(url)
}

/// A URL, or what was meant to be one, for messages: without user and password.
///
/// What cannot be parsed may have them anywhere, so everything up to the last `@` goes,
/// but for the scheme.
///
/// ```
/// let shown = sockless::masked("http://me:secret@host:99999999/");
/// assert_eq!(shown, "http://***@host:99999999/");
/// ```
pub fn masked(text: &str) -> String {
    let Some((secret, rest)) = text.rsplit_once('@') else {
        return text.to_owned();
    };
    let scheme = secret.split_once("://").map(|(scheme, _)| scheme);
    let is_scheme = |scheme: &&str| scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match scheme.filter(is_scheme) {
        Some(scheme) => format!("{scheme}://***@{rest}"),
        None => format!("***@{rest}"),
    }
}

/// Schemes that this build can carry.
pub(crate) fn check_scheme(url: &Url) -> Result<(), Error> {
    let tls = cfg!(any(
        feature = "tls-rustls",
        feature = "tls-ring",
        feature = "tls-openssl"
    ));
    match url.scheme() {
        "http" => Ok(()),
        "https" if tls => Ok(()),
        other => {
            let what = format!("the scheme {other}: is not built in");
            Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what)
                .remedy("use http or https, or build with the feature for it")
                .at("url"))
        }
    }
}

/// Undoes percent encoding, as credentials in URLs want it.
pub(crate) fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&decoded_bytes(text)).into_owned()
}

/// The same as bytes, which need not be text.
pub(crate) fn decoded_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|two| core::str::from_utf8(two).ok());
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_show_no_password() {
        for bad in [
            "http://me:topsecret@host:99999999/",
            "http://me:topse/cret@host/",
            "http:\\\\me:topsecret@ho st/",
            "me:topsecret@host:port/",
            "http://me:topsecret@host:port/@",
        ] {
            let error = Request::get(bad).expect_err("no URL");
            for shown in [error.to_string(), format!("{error:?}"), masked(bad)] {
                assert!(!shown.contains("cret"), "{shown}");
            }
        }
        assert_eq!(
            masked("http://me:topse/cret@host:99999999/"),
            "http://***@host:99999999/"
        );
        assert_eq!(masked("http://host/path"), "http://host/path");
    }

    #[test]
    fn host_can_be_replaced_by_a_host_only() {
        let request = |host: &str| {
            Request::get("http://a.example/").and_then(|request| request.header("Host", host))
        };
        assert!(request("b.example:8080").is_ok());
        for bad in ["b.example\r\nEvil: yes", "b example", "b/c"] {
            assert!(request(bad).is_err(), "{bad:?}");
        }
    }
}
