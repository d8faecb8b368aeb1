//! Names and listeners of the simulated network.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use fastrand::Rng;
use rustls::ServerConfig;
use sockless::Endpoint;
use sockless_sim::{Answer, World};

use crate::http::Server;
use crate::secured::Secured;

/// The one host.
pub const HOST: &str = "server.test";

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
}

impl World for Hosts {
    fn resolve(&mut self, host: &str) -> Vec<IpAddr> {
        if host != HOST {
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
        Answer::Peer(match &self.tls {
            Some(config) => Box::new(Secured::new(server, config)),
            None => Box::new(server),
        })
    }
}
