//! Every protocol on drivers that live on a thread of their own, which the command has no option for.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, threads, clocks and files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sockless::drivers::{Blocking, Compio, Threaded, Uring};
use sockless::kerberos::{Config as Kerberos, Credentials as Tickets, Realms};
use sockless::ssh::keys::{Identities, Identity, KeyFile};
use sockless::ssh::login::{Credentials, HostKeys, Verdict};
use sockless::ssh::scp::ScpGet;
use sockless::ssh::sftp::{Get, Sftp};
use sockless::ssh::{Client, Config as SshConfig};
use sockless::tls::{self, Roots};
use sockless::{
    AsyncDriver, Auth, Completion, Config, Driver, Event, Op, OpId, Proxy, ProxyKind, Request,
    Session, TransferId, TunnelTo,
};
use sockless_tests::content;
use sockless_tests::executor::block_on;
use sockless_tests::servers::{Entrance, Host, PASSWORD, Running, Servers, USER};

/// What is said through a tunnel.
const WORDS: &[u8] = b"GET /1m HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn every_protocol_on_every_driver_with_a_thread() {
    let names = ["nginx", "squid", "dante", "ssh", "kerberos"];
    let servers = Servers::start(&names).expect("real servers");
    for (name, driver) in drivers() {
        let mut driver = Alone(driver);
        let mut session = session(&servers);
        let mut transfers = start(&mut session, &servers);
        let looped = sockless::run(&mut session, &mut driver, |session, id, event| {
            let transfer = transfers.get_mut(&id).expect("one of ours");
            transfer.take(session, id, event);
        });
        looped.expect("the driver goes on");
        for transfer in transfers.values() {
            transfer.check(name);
        }
    }
}

fn drivers() -> Vec<(&'static str, Threaded)> {
    let mut all = vec![
        ("poll", Threaded::new(Blocking::new).expect("a thread")),
        ("compio", Threaded::new(Compio::new).expect("a thread")),
    ];
    match Threaded::new(Uring::new) {
        Ok(uring) => all.push(("io_uring", uring)),
        Err(error) => println!("skipped on io_uring: {error}"),
    }
    all
}

/// One that is awaited by nobody but the thread that asks.
struct Alone(Threaded);

impl Driver for Alone {
    fn submit(&mut self, op: Op) {
        self.0.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.0.cancel(id);
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        block_on(self.0.wait(deadline, done))
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn name(&self) -> &'static str {
        "threaded"
    }
}

/// A transfer, and what came of it.
struct Transfer {
    name: &'static str,
    /// Bytes of the pattern; behind an answer's head where that is not taken off.
    length: usize,
    words: Option<&'static [u8]>,
    got: Vec<u8>,
    ended: bool,
}

impl Transfer {
    fn take(&mut self, session: &mut Session, id: TransferId, event: Event) {
        match event {
            Event::Data(piece) => self.got.extend_from_slice(&piece),
            Event::WantBody { .. } => {
                if let Some(words) = self.words.take() {
                    let given = session.send_body(id, words.to_vec().into());
                    given.expect("it was asked for");
                }
            }
            // It has said all; so have we.
            Event::PeerFinished => drop(session.finish_body(id)),
            Event::Done { outcome, .. } => {
                outcome.unwrap_or_else(|error| panic!("{}: {error}", self.name));
                self.ended = true;
            }
            _ => {}
        }
    }

    fn check(&self, driver: &str) {
        let name = self.name;
        assert!(self.ended, "{name} on {driver}");
        let start = self.got.len().checked_sub(self.length);
        let body = &self.got[start.unwrap_or_else(|| panic!("{name} on {driver}: too short"))..];
        assert_eq!(content::check(0, body), Ok(()), "{name} on {driver}");
        assert!(start == Some(0) || name == "a tunnel", "{name} on {driver}");
    }
}

fn session(servers: &Running) -> Session {
    let mut roots = Roots::empty();
    let pem = fs::read(servers.nginx().ca_pem()).expect("a certificate");
    roots.add_pem(&pem).expect("PEM");
    let tls = tls::Config::new(roots).alpn(["http/1.1"]);
    let config = Config::default().with_tls(tls).expect("good settings");
    Session::new(config, Instant::now(), SystemTime::now(), 1).expect("a session")
}

/// One by each protocol, all at once.
fn start(session: &mut Session, servers: &Running) -> BTreeMap<TransferId, Transfer> {
    let (nginx, now) = (servers.nginx(), Instant::now());
    let get = |url: String| Request::get(&url).expect("a URL");
    let squid = || Proxy::parse(&servers.squid().url(Entrance::Open)).expect("a proxy");
    let dante = Proxy::new(ProxyKind::Socks5h, "127.0.0.1", servers.dante().port());
    let private = servers.kerberized().http_url("/private/1m");
    let requests = [
        ("http", get(nginx.http_url("/1m"))),
        ("https", get(nginx.https_url("/1m"))),
        (
            "CONNECT",
            get(nginx.https_url("/1m")).proxy(squid().tunnel()),
        ),
        (
            "socks5",
            get(nginx.https_url("/1m")).proxy(dante.expect("a proxy")),
        ),
        ("negotiate", get(private).auth(tickets(servers))),
    ];
    let mut ids: Vec<_> = requests
        .into_iter()
        .map(|(name, request)| (name, session.start(now, request)))
        .collect();
    let ssh = Arc::new(ssh_client(servers));
    let to = TunnelTo::new("127.0.0.1", servers.ssh().port()).expect("a host and a port");
    let sftp = Box::new(Sftp::get(Get::new("1m")));
    ids.push(("sftp", session.ssh(to.clone(), Arc::clone(&ssh), sftp)));
    let file = servers.ssh().home().join("1m");
    let scp = Box::new(ScpGet::new(file.as_os_str().as_bytes()).exchange());
    ids.push(("scp", session.ssh(to, ssh, scp)));
    let to = TunnelTo::new("localhost", nginx.port(Host::Http)).expect("a host");
    ids.push(("a tunnel", session.tunnel(to.proxy(squid()))));
    let transfer = |name| Transfer {
        name,
        length: 1 << 20,
        words: (name == "a tunnel").then_some(WORDS),
        got: Vec::new(),
        ended: false,
    };
    ids.into_iter()
        .map(|(name, id)| (id.expect("it starts"), transfer(name)))
        .collect()
}

fn tickets(servers: &Running) -> Auth {
    let text = fs::read_to_string(servers.kdc().config()).expect("a configuration");
    let realms = Realms::parse(&text).expect("a good configuration");
    let user = Tickets::password(USER, PASSWORD, &realms).expect("a name");
    Auth::negotiate(Kerberos::new(user, realms).build().expect("a backend"))
}

/// Logs in with the server's key for it, and trusts everybody: this is not about host keys.
fn ssh_client(servers: &Running) -> Client {
    struct Anybody;
    impl HostKeys for Anybody {
        fn judge(&self, _: &str, _: u16, _: &[u8], _: SystemTime) -> Verdict {
            Verdict::Trust
        }
    }
    let ssh = servers.ssh();
    let text = fs::read(ssh.key()).expect("a key");
    let key = KeyFile::new("the tests' key", &text).read(None);
    let mut identities = Identities::default();
    identities.keys.push(Identity::new(key.expect("a key")));
    let credentials = Credentials::new(ssh.user().expect("a user")).keys(Arc::new(identities));
    let config = SshConfig::new(credentials, Arc::new(Anybody));
    config.build().expect("SSH settings")
}
