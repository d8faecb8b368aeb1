//! Tunnels through HTTP proxies: CONNECT (RFC 9110 section 9.3.6).

mod drain;
mod filter;
mod refusal;

use core::fmt;
use core::net::Ipv6Addr;
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use sockless_core::{Fault, Filter, LayerKey};

use crate::auth::{Authenticator, leading_u64};
use crate::request::{REDACTED, bad, check_field, is_secret, write_field};
use crate::{Http1Config, Party};

/// The layer's name in errors and notes.
const LAYER: &str = "connect";

/// The longest name of a host in DNS; what is longer leads nowhere.
const MAX_HOST: usize = 255;

/// A tunnel through a proxy, and the maker of the filters that open it.
///
/// One filter opens the tunnel on one connection to the proxy, and leaves the stack then:
/// the layers above it talk to the target. It sends nothing of theirs before the proxy has
/// agreed, and nothing that the proxy says before reaches them.
///
/// ```
/// # use sockless_http::Tunnel;
/// let tunnel = Tunnel::new("squid:3128", "example.com", 443).unwrap();
/// let tunnel = tunnel.field("User-Agent", "sockless").unwrap();
/// assert_eq!(tunnel.filter().layer(), "connect");
/// assert!(Tunnel::new("squid:3128", "example.com\r\nEvil: yes", 443).is_err());
/// ```
#[derive(Clone)]
pub struct Tunnel {
    settings: Arc<Settings>,
}

#[derive(Clone)]
struct Settings {
    /// How messages name the proxy.
    proxy: String,
    /// `host:port`, a literal IPv6 address in brackets.
    authority: String,
    http10: bool,
    /// Fields of the caller's, each with its line end.
    fields: Vec<u8>,
    /// The same without secrets.
    shown: Vec<u8>,
    /// The caller's own Proxy-Authorization, instead of an authenticator's.
    own_authorization: bool,
    authenticator: Option<Arc<Mutex<Authenticator>>>,
    config: Http1Config,
}

impl Tunnel {
    /// A tunnel to `host`, a name or literal address without brackets, at `port`.
    ///
    /// `proxy` is how errors and notes name the proxy, e.g. `squid:3128`.
    ///
    /// # Errors
    /// [`Reason::BadRequest`](sockless_core::Reason::BadRequest): a host or port that can be
    /// none, or a control character in the proxy's name.
    pub fn new(proxy: &str, host: &str, port: u16) -> Result<Self, Fault> {
        if proxy.chars().any(char::is_control) {
            return Err(bad("the proxy's name has a control character".to_owned()));
        }
        let settings = Settings {
            proxy: proxy.to_owned(),
            authority: authority(host, port)?,
            http10: false,
            fields: Vec::new(),
            shown: Vec::new(),
            own_authorization: false,
            authenticator: None,
            config: Http1Config::default(),
        };
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    /// Asks in HTTP/1.0, for proxies that know nothing later.
    #[must_use]
    pub fn http10(mut self) -> Self {
        self.change().http10 = true;
        self
    }

    /// Adds a field for the proxy, e.g. `User-Agent`. With a `Proxy-Authorization` of the
    /// caller's, the authenticator is not asked.
    ///
    /// # Errors
    /// [`Reason::BadRequest`](sockless_core::Reason::BadRequest): a name that is no token, a
    /// control character in the value, or a field that CONNECT has of its own.
    pub fn field(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Fault> {
        let value = check_field(name, value.as_ref()).map_err(|fault| Fault {
            // It speaks of requests.
            remedy: None,
            ..fault
        })?;
        let settings = self.change();
        settings.own_authorization |= name.eq_ignore_ascii_case(Party::Proxy.request_field());
        let secret = is_secret(name.as_bytes());
        write_field(&mut settings.fields, name.as_bytes(), value);
        let shown = if secret { REDACTED } else { value };
        write_field(&mut settings.shown, name.as_bytes(), shown);
        Ok(self)
    }

    /// Answers the proxy's challenges; the authenticator is that of all connections to this proxy.
    #[must_use]
    pub fn authenticator(mut self, authenticator: Arc<Mutex<Authenticator>>) -> Self {
        self.change().authenticator = Some(authenticator);
        self
    }

    /// Bounds of the proxy's answer: `max_head_bytes`, `max_fields` and `max_interim`.
    #[must_use]
    pub fn config(mut self, config: Http1Config) -> Self {
        self.change().config = config;
        self
    }

    /// The filter for a new connection to the proxy.
    pub fn filter(&self) -> Box<dyn Filter> {
        Box::new(filter::Connect::new(Arc::clone(&self.settings)))
    }

    /// The tunnel's part of a connection's key: the target, and a number for the fields, the
    /// credentials and how they are sent.
    pub fn layer_key(&self) -> LayerKey {
        let settings = &*self.settings;
        let authenticator = settings.authenticator.as_ref().map(filter::lock);
        let credentials = authenticator.map_or(0, |one| one.fingerprint());
        let mut hash = Sha256::new();
        hash.update([
            u8::from(settings.http10),
            u8::from(settings.authenticator.is_some()),
        ]);
        hash.update(credentials.to_be_bytes());
        hash.update(&settings.fields);
        LayerKey {
            layer: LAYER,
            settings: leading_u64(&hash.finalize()),
            verified_name: settings.authority.to_ascii_lowercase().into(),
        }
    }

    fn change(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.settings)
    }
}

/// Without secrets.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings {
            proxy,
            authority,
            shown,
            ..
        } = &*self.settings;
        write!(
            f,
            "Tunnel({authority} through {proxy}, {})",
            shown.escape_ascii()
        )
    }
}

/// `uri-host ":" port` (RFC 9112 section 3.2.3).
fn authority(host: &str, port: u16) -> Result<String, Fault> {
    let refuse = |why: &str| {
        let what = format!("a tunnel to \"{}\" port {port}: {why}", host.escape_debug());
        Err(bad(what).remedy("give an ASCII (punycode) host name or an address, without brackets"))
    };
    if port == 0 {
        return refuse("there is no port 0");
    }
    if host.contains(':') {
        return match host.parse::<Ipv6Addr>() {
            Ok(_) => Ok(format!("[{host}]:{port}")),
            Err(_) => refuse("this is no IPv6 address"),
        };
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    if host.is_empty() || host.len() > MAX_HOST || !host.bytes().all(allowed) {
        return refuse("no host has such a name");
    }
    Ok(format!("{host}:{port}"))
}
