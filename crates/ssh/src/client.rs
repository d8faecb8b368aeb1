//! Settings that connections share, and the filters made from them.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use sockless_core::{Culprit, Fault, LayerKey, Reason, SecurityProvider};

use crate::LAYER;
use crate::algorithms::Algorithms;
use crate::backend::Backend;
use crate::filter::{Mode, Ssh};
use crate::login::{Credentials, HostKeys, unsupported};

/// The library that speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Library {
    /// russh, pure Rust. Feature `russh`.
    Russh,
    /// libssh2, in C, on OpenSSL. Feature `libssh2`.
    Libssh2,
}

impl Library {
    /// Those that are built in, the default first.
    pub const BUILT_IN: &[Self] = &[
        #[cfg(feature = "russh")]
        Self::Russh,
        #[cfg(feature = "libssh2")]
        Self::Libssh2,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Russh => "russh",
            Self::Libssh2 => "libssh2",
        }
    }

    /// Whether it can log in with a security context (`gssapi-with-mic`, RFC 4462).
    pub fn has_gssapi(self) -> bool {
        self == Self::Russh
    }
}

/// Bounds and intervals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Bytes that a peer may send on a channel before we have to take them, and so the most that
    /// arrive in one round trip. Default 8 MiB.
    pub window: u32,
    /// The largest piece of channel data that we take at once, in bytes. Default 65,535.
    pub packet: u32,
    /// Keys are exchanged again after so many bytes, each way. Default and most: 1 GiB.
    pub rekey_bytes: u64,
    /// And after this time. Default one hour.
    pub rekey_after: Option<Duration>,
    /// A peer that is silent for so long is asked for a sign of life. Default: never. libssh2 takes
    /// two seconds at least.
    pub keepalive: Option<Duration>,
    /// So many times, without any answer, before it counts as gone. Default 3.
    pub keepalives: u32,
    /// Bytes of text that a peer may send before the login is done. Default 64 KiB.
    pub banner: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            window: 8 * 1024 * 1024,
            packet: 65_535,
            rekey_bytes: 1 << 30,
            rekey_after: Some(Duration::from_secs(3600)),
            keepalive: None,
            keepalives: 3,
            banner: 64 * 1024,
        }
    }
}

/// How to connect: turned into a [`Client`] once, and shared.
pub struct Config {
    library: Option<Library>,
    algorithms: Algorithms,
    tuning: Tuning,
    credentials: Arc<Credentials>,
    host_keys: Arc<dyn HostKeys>,
}

impl Config {
    /// Safe defaults. Who logs in has to be said, and whose keys are trusted.
    pub fn new(credentials: Credentials, host_keys: Arc<dyn HostKeys>) -> Self {
        Self {
            library: None,
            algorithms: Algorithms::default(),
            tuning: Tuning::default(),
            credentials: Arc::new(credentials),
            host_keys,
        }
    }

    /// The library, where several are built in.
    #[must_use]
    pub fn library(mut self, library: Library) -> Self {
        self.library = Some(library);
        self
    }

    /// What is offered to peers.
    #[must_use]
    pub fn algorithms(mut self, algorithms: Algorithms) -> Self {
        self.algorithms = algorithms;
        self
    }

    /// Bounds and intervals.
    #[must_use]
    pub fn tuning(mut self, tuning: Tuning) -> Self {
        self.tuning = tuning;
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Reason::BadRequest`] for an algorithm or an interval that the library does not have,
    /// [`Reason::Unsupported`] for a library that is not built in, or that does not have the only
    /// method that there are credentials for.
    pub fn build(self) -> Result<Client, Fault> {
        let Tuning { window, packet, .. } = self.tuning;
        if window < 32 * 1024 || !(1024..=256 * 1024).contains(&packet) || packet > window {
            let what = format!(
                "a window of {window} bytes with packets of {packet}: windows have at least 32 KiB, \
                 packets 1 KiB to 256 KiB, and fit into a window"
            );
            return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
        }
        let speaks = self.library.or(Library::BUILT_IN.first().copied());
        let speaks = speaks.ok_or_else(|| missing(None))?;
        let library = self.start(speaks)?;
        if self.credentials.has_tickets_alone() && !speaks.has_gssapi() {
            return Err(unsupported(speaks));
        }
        Ok(Client {
            id: next_id(),
            speaks,
            library,
            algorithms: self.algorithms,
            tuning: self.tuning,
            credentials: self.credentials,
            host_keys: self.host_keys,
        })
    }

    fn start(&self, library: Library) -> Result<Box<dyn Libraries>, Fault> {
        match library {
            #[cfg(feature = "russh")]
            Library::Russh => {
                let library = crate::russh::Library::new(&self.algorithms, self.tuning.clone())?;
                Ok(Box::new(library))
            }
            #[cfg(feature = "libssh2")]
            Library::Libssh2 => {
                let library = crate::libssh2::Library::new(&self.algorithms, self.tuning.clone())?;
                Ok(Box::new(library))
            }
            #[allow(
                unreachable_patterns,
                reason = "with all libraries built in, none is missing"
            )]
            other => Err(missing(Some(other))),
        }
    }
}

/// Which is not built in.
fn missing(library: Option<Library>) -> Fault {
    let what = match library {
        Some(library) => format!("the SSH library {} is not built in", library.name()),
        None => "no SSH library is built in".to_owned(),
    };
    Fault::new(Culprit::Misuse, Reason::Unsupported, what).remedy("build with its feature")
}

/// A library with settings.
pub(crate) trait Libraries: Send + Sync {
    /// A new connection that offers these algorithms.
    fn connect(&self, algorithms: &Algorithms) -> Result<Box<dyn Backend>, Fault>;
}

/// Settings that many connections share.
///
/// ```
/// # use std::sync::Arc;
/// # use std::time::SystemTime;
/// use sockless_ssh::login::{Credentials, HostKeys, Verdict};
/// use sockless_ssh::Config;
///
/// struct Known(Vec<u8>);
///
/// impl HostKeys for Known {
///     fn judge(&self, _host: &str, _port: u16, key: &[u8], _: SystemTime) -> Verdict {
///         match key == self.0 {
///             true => Verdict::Trust,
///             false => Verdict::Ask,
///         }
///     }
/// }
///
/// # #[cfg(feature = "russh")]
/// # fn main() -> Result<(), sockless_core::Fault> {
/// let credentials = Credentials::new("alice").password("secret");
/// let client = Config::new(credentials, Arc::new(Known(Vec::new()))).build()?;
/// let filter = client.channels("example.com", 22)?;
/// # use sockless_core::Filter;
/// assert_eq!(filter.layer(), "ssh");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "russh"))]
/// # fn main() {}
/// ```
pub struct Client {
    id: u64,
    speaks: Library,
    library: Box<dyn Libraries>,
    algorithms: Algorithms,
    tuning: Tuning,
    credentials: Arc<Credentials>,
    host_keys: Arc<dyn HostKeys>,
}

impl Client {
    /// A filter for a connection to that host, on which [`message`](crate::message)s open channels.
    ///
    /// # Errors
    /// The library could not be started.
    pub fn channels(&self, host: &str, port: u16) -> Result<Ssh, Fault> {
        self.filter(host, port, Mode::Channels)
    }

    /// A filter for a connection to that host that is a stream to `to`, as the host can reach it:
    /// whatever stands on it talks to `to`.
    ///
    /// # Errors
    /// The library could not be started.
    pub fn tunnel(&self, host: &str, port: u16, to: (&str, u16)) -> Result<Ssh, Fault> {
        let (host_beyond, port_beyond) = to;
        let mode = Mode::Tunnel {
            host: host_beyond.to_owned(),
            port: port_beyond,
        };
        self.filter(host, port, mode)
    }

    fn filter(&self, host: &str, port: u16, mode: Mode) -> Result<Ssh, Fault> {
        let mut algorithms = self.algorithms.clone();
        algorithms.prefer_host_keys(&self.host_keys.preferred(host, port));
        let backend = self.library.connect(&algorithms)?;
        let login = crate::login::Login::new(
            (host, port),
            self.speaks,
            Arc::clone(&self.credentials),
            Arc::clone(&self.host_keys),
        );
        Ok(Ssh::new(backend, login, mode, self.tuning.clone()))
    }

    /// The context that a login at that host may make: provider, service, and the host that the
    /// ticket is for. What it lacks ([`SecurityProvider::lacks`]) is to be fetched before the
    /// filter is made. `None`: no login makes one.
    pub fn context<'a>(
        &'a self,
        host: &'a str,
    ) -> Option<(&'a Arc<dyn SecurityProvider>, &'a str, &'a str)> {
        let provider = self.credentials.security.as_ref()?;
        let (service, host) = self.credentials.context(host)?;
        let can = self.speaks.has_gssapi();
        can.then_some((provider, service, host))
    }

    /// What tells these settings from all others in this process.
    pub fn settings_id(&self) -> u64 {
        self.id
    }

    /// This layer's part of a connection's key: equal only for the same settings and the same host.
    pub fn layer_key(&self, host: &str, port: u16) -> LayerKey {
        LayerKey {
            layer: LAYER,
            settings: self.id,
            verified_name: format!("{}:{port}", host.to_ascii_lowercase()).into(),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .field("tuning", &self.tuning)
            .finish_non_exhaustive()
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
