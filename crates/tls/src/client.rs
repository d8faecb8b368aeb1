//! Settings that connections share, whichever backend they are for.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use rustls_pki_types::ServerName;
use sockless_core::{Culprit, Fault, Filter, LayerKey, Reason};

use crate::LAYER;
use crate::config::{Backend, Config};

/// Settings that many connections share, with their session cache.
#[derive(Debug)]
pub struct Client {
    id: u64,
    backend: Backend,
    settings: Box<dyn Settings>,
}

/// A backend's part of a client.
pub(crate) trait Settings: fmt::Debug + Send + Sync {
    fn filter(&self, name: ServerName<'static>) -> Result<Box<dyn Filter>, Fault>;
    fn export_sessions(&self) -> Result<Vec<u8>, Fault>;
    fn import_sessions(&self, exported: &[u8]) -> Result<usize, Fault>;
}

impl Client {
    pub(crate) fn new(config: Config) -> Result<Self, Fault> {
        let compiled_in = if cfg!(feature = "rustls") {
            Backend::Rustls
        } else {
            Backend::Openssl
        };
        let backend = config.backend.unwrap_or(compiled_in);
        let settings = match backend {
            Backend::Rustls => rustls(config),
            Backend::Openssl => openssl(config),
        };
        Ok(Self {
            id: next_id(),
            backend,
            settings: settings?,
        })
    }

    /// A filter for one connection to the server of that name.
    ///
    /// A name is a host name (a trailing dot is dropped) or a literal IPv4 or IPv6 address
    /// without brackets; an address must be in the certificate as such.
    ///
    /// # Errors
    /// [`Reason::BadUrl`] if no certificate could name it.
    pub fn filter(&self, server_name: &str) -> Result<Box<dyn Filter>, Fault> {
        let name = ServerName::try_from(server_name).map_err(|_| {
            let shown = server_name.escape_default();
            let what = format!("\"{shown}\" is neither a host name nor an address");
            let fault = Fault::new(Culprit::Misuse, Reason::BadUrl, what);
            match server_name.is_ascii() {
                true => fault,
                false => fault.remedy("give an international name in its ASCII form (xn--…)"),
            }
        })?;
        self.settings.filter(name.to_owned())
    }

    /// The sessions that connections of a later [`Client`] with equal settings may resume, e.g.
    /// in the next run of a program. Backend openssl only.
    ///
    /// **They are secret.** Whoever has them can decrypt what was and will be sent in these
    /// sessions and pass for their client; whoever can change them can pass for a server. Keep
    /// them where private keys would be, and overwrite them after use.
    ///
    /// The tickets of TLS 1.3 among them leave this client, because each is for one connection:
    /// import an export once.
    ///
    /// # Errors
    /// [`Reason::Unsupported`] with the backend rustls, whose sessions cannot be rebuilt from
    /// bytes. [`Reason::BadRequest`] if these settings keep no sessions.
    pub fn export_sessions(&self) -> Result<Vec<u8>, Fault> {
        self.settings.export_sessions()
    }

    /// Keeps what [`Self::export_sessions`] of a client with equal settings returned, and says
    /// how many sessions there were; as many as [`Config::resumption`] allows remain. Those
    /// whose time is up are never offered.
    ///
    /// # Errors
    /// As above, and [`Reason::BadRequest`] for bytes that are damaged, none of its own, or from
    /// other settings; [`Reason::Unsupported`] for another version's. Then nothing has changed.
    pub fn import_sessions(&self, exported: &[u8]) -> Result<usize, Fault> {
        self.settings.import_sessions(exported)
    }

    /// Which library speaks.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// What tells these settings from all others in this process.
    pub fn settings_id(&self) -> u64 {
        self.id
    }

    /// This layer's part of a connection's key: equal only for the same settings and the same name.
    pub fn layer_key(&self, server_name: &str) -> LayerKey {
        let name = server_name.strip_suffix('.').unwrap_or(server_name);
        LayerKey {
            layer: LAYER,
            settings: self.id,
            verified_name: name.to_ascii_lowercase().into(),
        }
    }
}

#[cfg(feature = "rustls")]
fn rustls(config: Config) -> Result<Box<dyn Settings>, Fault> {
    Ok(Box::new(crate::rustls::Settings::new(config)?))
}

#[cfg(not(feature = "rustls"))]
fn rustls(_: Config) -> Result<Box<dyn Settings>, Fault> {
    Err(missing("rustls"))
}

#[cfg(feature = "openssl")]
fn openssl(config: Config) -> Result<Box<dyn Settings>, Fault> {
    Ok(Box::new(crate::openssl::Settings::new(config)?))
}

#[cfg(not(feature = "openssl"))]
fn openssl(_: Config) -> Result<Box<dyn Settings>, Fault> {
    Err(missing("openssl"))
}

#[cfg(not(all(feature = "rustls", feature = "openssl")))]
fn missing(backend: &str) -> Fault {
    let what = format!("the TLS backend {backend} is not built in");
    Fault::new(Culprit::Misuse, Reason::Unsupported, what).remedy("build with its feature")
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
