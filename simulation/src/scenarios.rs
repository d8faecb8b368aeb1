//! What can be run.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use rustls::ServerConfig;
use sockless::ssh;
use sockless::ssh::login::{Credentials, HostKeys, Verdict};
use sockless::tls::{Backend, Client as TlsClient, Config as TlsConfig, Roots, Version};
use sockless::{Auth, Config, Limits, Proxy, ProxyKind, Session, TunnelTo};
use sockless_sim::{Faults, Scenario, Stage};

use crate::copies::Copies;
use crate::crypto::{self, Issued};
use crate::fetches::{Fetches, Wish, limits};
use crate::files::Files;
use crate::realms::Kerberized;
use crate::sshd;
use crate::world::{FileHost, HOST, Hosts, PROXY, SOCKS};

/// All scenarios.
pub const ALL: &[&dyn Scenario] = &[&Http, &Https, &Tunnels, &Sftp, &Kerberized, &Crowd];

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static dyn Scenario> {
    ALL.iter().copied().find(|one| one.name() == name)
}

struct Http;

impl Scenario for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn about(&self) -> &'static str {
        "up to eight downloads and uploads, in the clear"
    }

    fn size(&self) -> u64 {
        60_000
    }

    fn faults(&self, rng: &mut Rng) -> Faults {
        let mut faults = Faults::draw(rng, self.size());
        faults.flips = 0;
        faults
    }

    fn stage(&self, rng: &mut Rng, start: Instant, calm: bool) -> Stage {
        stage(rng, start, calm, None, wishes)
    }
}

struct Https;

impl Scenario for Https {
    fn name(&self) -> &'static str {
        "https"
    }

    fn about(&self) -> &'static str {
        "the same over TLS 1.2 or 1.3"
    }

    fn size(&self) -> u64 {
        60_000
    }

    fn stage(&self, rng: &mut Rng, start: Instant, calm: bool) -> Stage {
        let version = if calm || rng.bool() {
            Version::Tls13
        } else {
            Version::Tls12
        };
        stage(rng, start, calm, Some(version), wishes)
    }
}

struct Tunnels;

impl Scenario for Tunnels {
    fn name(&self) -> &'static str {
        "tunnels"
    }

    fn about(&self) -> &'static str {
        "https through SOCKS5, a proxy with TLS, and CONNECT, with either TLS library in either place"
    }

    fn size(&self) -> u64 {
        60_000
    }

    /// OpenSSL draws its own keys.
    fn is_exact(&self) -> bool {
        false
    }

    fn stage(&self, rng: &mut Rng, start: Instant, calm: bool) -> Stage {
        let wishes = wishes(rng, calm);
        let (session, server) =
            session(limits(rng, calm), Some(Version::Tls13), start, rng.u64(..));
        let mut library = || match rng.bool() {
            true => Backend::Rustls,
            false => Backend::Openssl,
        };
        let (near, far) = (client(library()), client(library()));
        let mut application = Fetches::new(session, rng.fork(), start, calm)
            .through(proxies(&near, calm || rng.bool()), far);
        application.start_all(start, &format!("https://{HOST}"), wishes);
        staged(rng, application, server, calm, true)
    }
}

/// The chain, with its credentials; `asked`: those of the second proxy are sent when it asks.
fn proxies(tls: &Arc<TlsClient>, asked: bool) -> Vec<Proxy> {
    let socks = Proxy::new(ProxyKind::Socks5h, SOCKS, 1080).expect("a proxy");
    let proxy = Proxy::new(ProxyKind::Https, PROXY, 3129).expect("a proxy");
    let alice = Auth::password("alice", "sesame");
    let alice = if asked { alice.any() } else { alice };
    vec![
        socks.auth(Auth::password("bob", "secret")),
        proxy.auth(alice).tls(Arc::clone(tls)),
    ]
}

struct Sftp;

impl Scenario for Sftp {
    fn name(&self) -> &'static str {
        "sftp"
    }

    fn about(&self) -> &'static str {
        "up to eight files got and put over SSH; what is cut off is resumed"
    }

    fn size(&self) -> u64 {
        60_000
    }

    /// russh draws its own keys and padding.
    fn is_exact(&self) -> bool {
        false
    }

    fn stage(&self, rng: &mut Rng, start: Instant, calm: bool) -> Stage {
        let (session, _) = session(limits(rng, calm), None, start, rng.u64(..));
        let files = Files::default();
        let to = TunnelTo::new(HOST, 22).expect("a host and a port");
        let to = to.timeouts(|timeouts| timeouts.idle = Some(Duration::from_secs(300)));
        let server = (to, ssh_client(rng, calm));
        let forked = rng.fork();
        let mut application = Copies::new(session, server, files.clone(), forked, (start, calm));
        if calm {
            application.start(start, false, 40_000);
            application.start(start, true, 40_000);
        } else {
            for _ in 0..rng.usize(1..=8) {
                let most = [0, 1, 100, 17_000, 60_000][rng.usize(0..5)];
                application.start(start, rng.bool(), rng.u64(0..=most));
            }
        }
        let world = FileHost {
            config: sshd::config(rng, calm),
            rng: rng.fork(),
            files,
            calm,
        };
        Stage {
            world: Box::new(world),
            application: Box::new(application),
        }
    }
}

/// SSH settings that trust the one server.
///
/// # Panics
/// If the library refuses what has always worked; the harness reports it with its seed.
fn ssh_client(rng: &mut Rng, calm: bool) -> Arc<ssh::Client> {
    struct Known(Vec<u8>);
    impl HostKeys for Known {
        fn judge(&self, _: &str, _: u16, key: &[u8], _: SystemTime) -> Verdict {
            match key == self.0 {
                true => Verdict::Trust,
                false => Verdict::Ask,
            }
        }
    }
    let known = Known(sshd::host_key().public_key().to_bytes().expect("a key"));
    let mut algorithms = ssh::Algorithms::default();
    // The others are slower, and nothing here is about them.
    algorithms.set(ssh::Kind::Kex, "curve25519-sha256");
    let mut tuning = ssh::Tuning::default();
    if !calm {
        tuning.window = [32 * 1024, 100_000, 8 * 1024 * 1024][rng.usize(0..3)];
        tuning.packet = [1024, 32 * 1024][rng.usize(0..2)];
        if rng.u8(0..4) == 0 {
            tuning.rekey_bytes = rng.u64(5_000..100_000);
        }
    }
    let config = ssh::Config::new(Credentials::new(sshd::USER), Arc::new(known));
    let client = config.algorithms(algorithms).tuning(tuning).build();
    Arc::new(client.expect("SSH settings"))
}

struct Crowd;

impl Scenario for Crowd {
    fn name(&self) -> &'static str {
        "crowd"
    }

    fn about(&self) -> &'static str {
        "ten thousand connections with TLS at once"
    }

    fn size(&self) -> u64 {
        // Not theirs, but of a size that makes no pieces of a few bytes: there are many.
        400_000
    }

    /// Whatever cannot hurt: all ten thousand have to arrive.
    fn faults(&self, rng: &mut Rng) -> Faults {
        Faults::draw(rng, self.size()).harmless()
    }

    fn stage(&self, rng: &mut Rng, start: Instant, _calm: bool) -> Stage {
        let many = |_: &mut Rng, _| (0..10_000).map(|n| Wish::Get(n % 2_000)).collect();
        stage(rng, start, true, Some(Version::Tls13), many)
    }
}

/// A download and an upload, so that each operation of either is tortured; or what the seed says.
fn wishes(rng: &mut Rng, calm: bool) -> Vec<Wish> {
    if calm {
        let up = Wish::Stream {
            bytes: 150_000,
            sized: true,
        };
        return vec![Wish::Get(150_000), up];
    }
    let one = |rng: &mut Rng| {
        let size = [0, 1, 100, 17_000, 60_000][rng.usize(0..5)];
        let bytes = rng.u64(0..=size);
        match rng.u8(0..5) {
            0 => Wish::Put(bytes),
            1 => Wish::Stream { bytes, sized: true },
            2 => Wish::Stream {
                bytes,
                sized: false,
            },
            _ => Wish::Get(bytes),
        }
    };
    (0..rng.usize(1..=8)).map(|_| one(rng)).collect()
}

/// # Panics
/// If no certificate can be made.
fn issued() -> (Issued, Roots) {
    let issued = Issued::new(&[HOST, PROXY]).expect("a certificate");
    let mut roots = Roots::empty();
    roots.add_der(&issued.authority);
    (issued, roots)
}

/// TLS settings of that library, with randomness from the seed where it can be had.
///
/// # Panics
/// If it is not built in.
fn client(backend: Backend) -> Arc<TlsClient> {
    let config = TlsConfig::new(issued().1)
        .alpn(["http/1.1"])
        .backend(backend);
    let config = match backend {
        Backend::Rustls => config.custom_provider(Arc::new(crypto::provider())),
        _ => config,
    };
    config.build().expect("TLS settings")
}

/// A session that trusts the one server's authority, and that server's TLS settings, if a
/// version is wanted. All randomness follows from `seed`.
///
/// # Panics
/// If the library refuses what has always worked; the harness reports it with its seed.
pub fn session(
    limits: Limits,
    tls: Option<Version>,
    start: Instant,
    seed: u64,
) -> (Session, Option<Arc<ServerConfig>>) {
    crypto::seed(seed);
    let mut config = Config::default();
    config.limits = limits;
    let mut server = None;
    if let Some(version) = tls {
        let (issued, roots) = issued();
        let client = TlsConfig::new(roots)
            .alpn(["http/1.1"])
            .versions(Version::Tls12, version)
            .custom_provider(Arc::new(crypto::provider()));
        config = config.with_tls(client).expect("TLS settings");
        server = Some(issued.server(crypto::provider()).expect("a server"));
    }
    let wall = SystemTime::UNIX_EPOCH + crypto::WALL;
    let session = Session::new(config, start, wall, seed).expect("a session");
    (session, server)
}

/// # Panics
/// As [`session`].
fn stage(
    rng: &mut Rng,
    start: Instant,
    calm: bool,
    tls: Option<Version>,
    wishes: impl Fn(&mut Rng, bool) -> Vec<Wish>,
) -> Stage {
    let mut limits = limits(rng, calm);
    let wishes = wishes(rng, calm);
    if wishes.len() > 1000 {
        limits.connections = 0;
    }
    let (session, server) = session(limits, tls, start, rng.u64(..));
    let mut application = Fetches::new(session, rng.fork(), start, calm);
    if server.is_none() {
        application = application.in_the_clear();
    }
    let scheme = if server.is_some() { "https" } else { "http" };
    application.start_all(start, &format!("{scheme}://{HOST}"), wishes);
    staged(rng, application, server, calm, false)
}

/// The application in its world; `chained`: behind the proxies.
fn staged(
    rng: &mut Rng,
    application: Fetches,
    tls: Option<Arc<ServerConfig>>,
    calm: bool,
    chained: bool,
) -> Stage {
    let world = Hosts {
        dead: if calm { 0 } else { rng.u8(0..3) },
        rng: rng.fork(),
        tls,
        calm,
        chained,
    };
    Stage {
        world: Box::new(world),
        application: Box::new(application),
    }
}
