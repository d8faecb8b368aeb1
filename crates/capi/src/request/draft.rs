//! A request that is being made.

use core::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sockless::core::SecurityProvider;
use sockless::tls::Client;
use sockless::{Body, NoProxy, Proxy, ProxyHeader, ProxyKind, Redirects};
use zeroize::Zeroizing;

use super::build::Built;
use crate::inner::Refusal;
use crate::ssh::Logins;

const NO_PROXY: Refusal = Refusal::Order("options of proxies come after the proxy");

/// Everything that was set of a request.
#[derive(Default)]
pub(crate) struct Draft {
    pub(super) target: Target,
    pub(super) method: Option<String>,
    pub(super) fields: Vec<(String, Zeroizing<Vec<u8>>)>,
    pub(crate) body: Body,
    pub(super) rewindable: bool,
    pub(super) redirects: Option<Redirects>,
    pub(super) login: Login,
    pub(crate) proxies: Vec<Proxy>,
    /// The last proxy's, until its password is known.
    pub(super) proxy_user: Zeroizing<String>,
    pub(super) no_proxy: NoProxy,
    pub(crate) header: Option<ProxyHeader>,
    pub(crate) tls: Option<Arc<Client>>,
    pub(crate) ssh: Option<Arc<Logins>>,
    pub(super) files: Files,
    pub(super) secured: bool,
    pub(super) unix: Option<PathBuf>,
    pub(super) local: Option<IpAddr>,
    pub(super) treatment: Treatment,
    /// The same as a request that can be started.
    built: Option<Built>,
}

/// Where it goes.
#[derive(Default)]
pub(super) enum Target {
    #[default]
    Nowhere,
    Url(Zeroizing<String>),
    Tunnel(String),
    /// A URL of an SSH server's.
    #[cfg(feature = "ssh")]
    Remote(Zeroizing<String>),
}

/// Who we are to the server.
#[derive(Default)]
pub(super) struct Login {
    pub(super) user: Option<Zeroizing<String>>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) bearer: Option<Zeroizing<String>>,
    pub(super) scheme: Scheme,
    /// Makes contexts for Negotiate.
    pub(super) provider: Option<Arc<dyn SecurityProvider>>,
    pub(super) service: Option<String>,
    pub(super) host: Option<String>,
    pub(super) unasked: bool,
    pub(super) unproven: bool,
}

/// What is done on an SSH server.
#[derive(Clone, Default)]
#[cfg_attr(
    not(feature = "ssh"),
    allow(dead_code, reason = "set, but nobody reads it without SSH")
)]
pub(super) struct Files {
    pub(super) command: Option<Vec<u8>>,
    pub(super) quotes: Vec<Vec<u8>>,
    pub(super) suffix: Option<Vec<u8>>,
    pub(super) offset: Option<u64>,
    pub(super) last: Option<u64>,
    pub(super) tail: Option<u64>,
    pub(super) placing: Placing,
    pub(super) mode: Option<u32>,
    pub(super) directories: bool,
    pub(super) sync: bool,
    pub(super) recursive: bool,
    pub(super) listing: Listing,
    pub(super) no_file: bool,
}

/// Where what is put goes in a file that is there.
#[derive(Clone, Copy, Default)]
pub(super) enum Placing {
    #[default]
    Over,
    Resume,
    Append,
}

/// How a directory is listed.
#[derive(Clone, Copy, Default)]
pub(super) enum Listing {
    #[default]
    Entries,
    Long,
    Names,
}

/// How a user and a password are proven.
#[derive(Clone, Copy, Default)]
pub(super) enum Scheme {
    #[default]
    Basic,
    Digest,
    Any,
}

/// The options that are timeouts: from 1 to this, less one.
pub(super) const TIMEOUTS: usize = 8;

/// How the transfer is treated; `None`: by default.
#[derive(Default)]
pub(super) struct Treatment {
    /// By the number of the option.
    pub(super) times: [Option<Option<Duration>>; TIMEOUTS],
    pub(super) low_speed: (u64, Duration),
    pub(super) priority: Option<u8>,
    pub(super) notes: bool,
    pub(super) fresh: bool,
    pub(super) no_reuse: bool,
    pub(super) compressed: bool,
    pub(super) max_body: Option<u64>,
    pub(super) max_head: Option<usize>,
    pub(super) expect: Option<Duration>,
}

impl Draft {
    /// The draft, to be changed.
    pub(crate) fn change(&mut self) -> &mut Self {
        self.built = None;
        self
    }

    /// Changes the proxy that was added last.
    pub(crate) fn change_proxy(
        &mut self,
        change: impl FnOnce(Proxy) -> Result<Proxy, Refusal>,
    ) -> Result<(), Refusal> {
        let proxy = self.proxies.last_mut();
        let proxy = proxy.ok_or(NO_PROXY)?;
        *proxy = change(proxy.clone())?;
        Ok(())
    }

    /// What the proxy that was added last speaks.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn proxy_kind(&self) -> Result<ProxyKind, Refusal> {
        let proxy = self.proxies.last();
        proxy.map(Proxy::kind).ok_or(NO_PROXY)
    }

    /// Those of the proxies that `no_proxy` is not about.
    pub(super) fn jumps(&self) -> impl Iterator<Item = &Proxy> {
        let all = self.proxies.iter();
        all.filter(|proxy| proxy.kind() == ProxyKind::Ssh)
    }

    pub(crate) fn add_field(&mut self, name: &str, value: &[u8]) -> Result<(), Refusal> {
        // Refused now, where the program can see which one it is.
        sockless::Request::get("http://host/")?.header(name, value)?;
        let value = Zeroizing::new(value.to_vec());
        self.fields.push((name.to_owned(), value));
        Ok(())
    }

    /// A body from memory that the session does not feed: it does that for HTTP alone.
    pub(super) fn own_body(&self) -> Option<Arc<[u8]>> {
        #[cfg(feature = "ssh")]
        if let (Target::Remote(_), Body::Bytes(bytes)) = (&self.target, &self.body) {
            return Some(Arc::clone(bytes));
        }
        None
    }

    /// What the session takes; made once for any number of starts.
    pub(super) fn built(&mut self) -> Result<Built, Refusal> {
        if self.built.is_none() {
            self.built = Some(super::build::build(self)?);
        }
        let built = self.built.as_ref();
        built.cloned().ok_or(Refusal::Order("nothing was built"))
    }
}
