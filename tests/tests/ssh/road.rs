//! An engine, a driver, and a way to the server.

use core::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use russh::keys::PrivateKey;
use sockless_core::{
    Cx, Driver, Engine, Error, Event, Exchange, Fault, Filter, Key, Limits, Options, Output,
    Recipe, Route, Target,
};
use sockless_drivers::Blocking;
use sockless_ssh::login::{Keys, Offer, Offers, Signer, Signing};
use sockless_ssh::{Client, Config};
use sockless_tests::servers::{Running, Servers, Ssh};

pub(crate) fn ssh() -> &'static Ssh {
    static SERVERS: LazyLock<Running> =
        LazyLock::new(|| Servers::start(&["ssh"]).expect("OpenSSH is installed"));
    SERVERS.ssh()
}

/// The key in a file, that OpenSSH's tool made.
pub(crate) struct Ring(pub(crate) PathBuf);

impl Keys for Ring {
    fn offers(&self) -> Box<dyn Offers> {
        let text = std::fs::read_to_string(&self.0).expect("a key");
        let key = PrivateKey::from_openssh(text).expect("a key");
        let public = key.public_key().to_bytes().expect("a key");
        Box::new(One(Some(Pair { key, public })))
    }
}

struct One(Option<Pair>);

impl Offers for One {
    fn next(&mut self, _: &mut Cx<'_>) -> Offer {
        match self.0.take() {
            Some(pair) => Offer::Key(Box::new(pair)),
            None => Offer::End,
        }
    }
}

struct Pair {
    key: PrivateKey,
    public: Vec<u8>,
}

impl Signer for Pair {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn name(&self) -> &str {
        "the tests' key"
    }

    fn algorithms(&self) -> Vec<&'static str> {
        vec!["ssh-ed25519"]
    }

    fn sign(&mut self, data: &[u8], _: &str, _: &mut Cx<'_>) -> Signing {
        use russh::keys::signature::Signer as _;
        let signature = self.key.try_sign(data).expect("a signature");
        Signing::Done(Vec::try_from(signature).expect("it can be encoded"))
    }
}

pub(crate) struct Road {
    engine: Engine,
    driver: Blocking,
    route: Arc<Route>,
    connections: u32,
}

/// Filters from the socket upward.
struct Layers(Vec<(Client, Option<(String, u16)>)>);

impl Recipe for Layers {
    fn filters(&self, _: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        let filter = |(client, to): &(Client, Option<(String, u16)>)| {
            let filter = match to {
                Some((host, port)) => client.tunnel("localhost", 22, (host, *port)),
                None => client.channels("localhost", 22),
            };
            filter.map(|filter| Box::new(filter) as Box<dyn Filter>)
        };
        self.0.iter().map(filter).collect()
    }
}

impl Road {
    /// Channels on the server.
    pub(crate) fn new(config: Config) -> Self {
        Self::through(vec![(config, None)])
    }

    /// A stream through the server.
    pub(crate) fn to(config: Config, (host, port): (&str, u16)) -> Self {
        Self::through(vec![(config, Some((host.to_owned(), port)))])
    }

    /// Channels on the server at the end of a chain of it.
    pub(crate) fn jumping(config: fn() -> Config, depth: usize) -> Self {
        let to = Some(("127.0.0.1".to_owned(), ssh().port()));
        let mut chain: Vec<_> = (1..depth).map(|_| (config(), to.clone())).collect();
        chain.push((config(), None));
        Self::through(chain)
    }

    fn through(chain: Vec<(Config, Option<(String, u16)>)>) -> Self {
        let client = |(config, to): (Config, _)| (config.build().expect("good settings"), to);
        let chain: Vec<_> = chain.into_iter().map(client).collect();
        let layers = chain
            .iter()
            .map(|(client, _)| client.layer_key("localhost", 22));
        let address = (std::net::Ipv4Addr::LOCALHOST, ssh().port()).into();
        let key = Key {
            target: Target::Addresses(vec![address]),
            local: None,
            protocol: "ssh",
            layers: layers.collect(),
        };
        let driver = Blocking::new().expect("a driver");
        let limits = Limits::default();
        Self {
            engine: Engine::new(limits, driver.now(), SystemTime::now(), 1),
            driver,
            route: Arc::new(Route {
                key,
                recipe: Box::new(Layers(chain)),
            }),
            connections: 0,
        }
    }

    /// Sockets that were made so far.
    pub(crate) fn connections(&self) -> u32 {
        self.connections
    }

    /// What the transfer gave, up to its end or, for a stream, the peer's first words.
    pub(crate) fn run(&mut self, exchange: Box<dyn Exchange>) -> Result<Vec<u8>, Error> {
        let stream = exchange.layer() == "raw";
        let now = self.driver.now();
        let options = Options::default();
        let id = self.engine.add(Arc::clone(&self.route), exchange, options);
        let (mut heard, mut done) = (Vec::new(), Vec::new());
        let _ = now;
        loop {
            match self.engine.poll(self.driver.now()) {
                Output::Submit(op) => {
                    if matches!(op.kind, sockless_core::OpKind::Connect { .. }) {
                        self.connections += 1;
                    }
                    self.driver.submit(op);
                }
                Output::Cancel(op) => self.driver.cancel(op),
                Output::Event(_, Event::Data(piece)) => {
                    heard.extend_from_slice(&piece);
                    if stream {
                        self.engine.cancel(id);
                        return Ok(heard);
                    }
                }
                Output::Event(_, Event::Done { outcome, .. }) => {
                    return outcome.map(|_| heard);
                }
                Output::Event(..) => {}
                Output::Wait(deadline) => {
                    self.driver.wait(deadline, &mut done).expect("a driver");
                    let now = self.driver.now();
                    for completion in done.drain(..) {
                        self.engine.complete(now, completion.op, completion.result);
                    }
                }
                other => panic!("an output that nobody knows: {other:?}"),
            }
        }
    }
}
