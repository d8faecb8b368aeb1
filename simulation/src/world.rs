//! Names and listeners of the simulated network.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fastrand::Rng;
use rustls::ServerConfig;
use sockless::Endpoint;
use sockless_sim::{Answer, Peer, World};

use crate::files::Files;
use crate::http::Server;
use crate::proxies::{Connect, Socks5};
use crate::secured::Secured;
use crate::sshd::Sshd;

/// The one host.
pub const HOST: &str = "server.test";

/// The proxies in front of it: SOCKS5, then one with TLS that is asked by CONNECT.
pub const SOCKS: &str = "socks.test";
/// The second proxy.
pub const PROXY: &str = "proxy.test";

/// SOCKS5 with a password, then TLS, CONNECT with another, and TLS again.
fn chain(server: Server, tls: &Arc<ServerConfig>, seed: u64) -> impl Peer + 'static {
    let server = Secured::new(server, tls);
    // alice:sesame
    let connect = Connect::new(server, "server.test:443", Some("YWxpY2U6c2VzYW1l"), seed);
    let proxy = Secured::new(connect, tls);
    Socks5::new(proxy, (PROXY, 3129), Some(("bob", "secret")))
}

/// Where it listens.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// An HTTP server, behind TLS or not, and addresses of its that lead nowhere.
pub struct Hosts {
    /// What is left to chance.
    pub rng: Rng,
    /// The server's TLS, if it has any.
    pub tls: Option<Arc<ServerConfig>>,
    /// Addresses that the name has besides.
    pub dead: u8,
    /// Nothing is left to chance.
    pub calm: bool,
    /// The server is behind a chain of proxies, and only they can be connected to.
    pub chained: bool,
}

impl World for Hosts {
    fn resolve(&mut self, host: &str) -> Vec<IpAddr> {
        let first = if self.chained { SOCKS } else { HOST };
        if host != first {
            return Vec::new();
        }
        let dead = |n| IpAddr::V4(Ipv4Addr::new(10, 0, 1, n));
        let mut found: Vec<IpAddr> = (0..self.dead).map(dead).collect();
        found.insert(self.rng.usize(0..=found.len()), ADDRESS);
        found
    }

    fn connect(&mut self, to: &Endpoint) -> Answer {
        match to {
            Endpoint::Tcp(to) if to.ip() == ADDRESS => {}
            _ if self.rng.bool() => return Answer::Refuse,
            _ => return Answer::Silence,
        }
        let server = Server::new(self.rng.u64(..), self.calm);
        Answer::Peer(match (&self.tls, self.chained) {
            (Some(config), false) => Box::new(Secured::new(server.babbling(), config)),
            (Some(config), true) => Box::new(chain(server, config, self.rng.u64(..))),
            (None, _) => Box::new(server),
        })
    }
}

/// A server with files, by sftp.
pub struct FileHost {
    /// What is left to chance.
    pub rng: Rng,
    /// How it speaks SSH.
    pub config: Arc<russh::server::Config>,
    /// What it has.
    pub files: Files,
    /// Nothing is left to chance.
    pub calm: bool,
}

impl World for FileHost {
    fn resolve(&mut self, host: &str) -> Vec<IpAddr> {
        if host == HOST {
            vec![ADDRESS]
        } else {
            Vec::new()
        }
    }

    fn connect(&mut self, to: &Endpoint) -> Answer {
        let Endpoint::Tcp(to) = to else {
            return Answer::Refuse;
        };
        if to.ip() != ADDRESS {
            return Answer::Refuse;
        }
        match Sshd::new(&self.config, &self.files, self.rng.u64(..), self.calm) {
            Ok(sshd) => Answer::Peer(Box::new(sshd)),
            Err(_) => Answer::Refuse,
        }
    }
}
