//! Many sftp transfers at once, in one thread.
//!
//! One test, so that nobody else's threads are counted.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, processes and files"
)]

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use sockless::drivers::Blocking;
use sockless::ssh::keys::{Identities, Identity, KeyFile};
use sockless::ssh::login::{Credentials, HostKeys, Verdict};
use sockless::ssh::sftp::{Get, Put, Sftp};
use sockless::ssh::{Client, Config as SshConfig};
use sockless::{Config, Event, Session, TransferId, TunnelTo};
use sockless_tests::content;
use sockless_tests::servers::{Servers, Ssh};

const TRANSFERS: usize = 200;
const CONNECTIONS: usize = 20;

/// Bytes of each file that is put.
const LENGTH: usize = 100_000;

#[test]
fn two_hundred_transfers_on_twenty_connections_need_no_thread() {
    let servers = Servers::start(&["ssh"]).expect("OpenSSH is installed");
    let ssh = servers.ssh();
    let before = threads();

    let mut config = Config::default();
    config.limits.connections_per_host = CONNECTIONS;
    let session = Session::new(config, Instant::now(), SystemTime::now(), 1);
    let mut session = session.expect("a session");
    let mut driver = Blocking::new().expect("a driver");
    let mut transfers = start(&mut session, ssh);

    let (mut connections, mut most_threads) = (0, 0);
    let looped = sockless::run(&mut session, &mut driver, |session, id, event| {
        connections = connections.max(session.stats().connections);
        most_threads = most_threads.max(threads());
        let transfer = transfers.get_mut(&id).expect("a transfer of ours");
        transfer.take(session, id, event);
    });
    looped.expect("the driver goes on");

    assert_eq!(most_threads, before, "no thread but the caller's");
    assert_eq!(connections, CONNECTIONS);
    for transfer in transfers.values() {
        transfer.check(&ssh.home());
    }
}

/// One of them: a file that is got, or put.
struct Transfer {
    /// The name of what is put.
    put: Option<String>,
    got: Vec<u8>,
    ended: bool,
}

impl Transfer {
    fn take(&mut self, session: &mut Session, id: TransferId, event: Event) {
        match event {
            Event::Data(piece) => self.got.extend_from_slice(&piece),
            Event::WantBody { room } => {
                // What was given so far is counted where a download has what it got.
                let n = room.min(LENGTH - self.got.len());
                let mut piece = vec![0; n];
                content::fill(self.got.len() as u64, &mut piece);
                self.got.extend_from_slice(&piece);
                if n > 0 {
                    session.send_body(id, piece.into()).expect("room for it");
                }
                if self.got.len() == LENGTH {
                    session.finish_body(id).expect("it was asked for");
                }
            }
            Event::Done { outcome, .. } => {
                outcome.expect("a transfer that succeeds");
                self.ended = true;
            }
            _ => {}
        }
    }

    fn check(&self, home: &Path) {
        assert!(self.ended);
        let (arrived, length) = match &self.put {
            None => (self.got.clone(), 1 << 20),
            Some(name) => (fs::read(home.join(name)).expect("it was put"), LENGTH),
        };
        assert!(arrived == content::bytes(length), "{:?}", self.put);
    }
}

/// Half of them get a mebibyte, half of them put a file of their own.
fn start(session: &mut Session, ssh: &Ssh) -> HashMap<TransferId, Transfer> {
    let client = Arc::new(client(ssh));
    let to = TunnelTo::new("127.0.0.1", ssh.port()).expect("a host and a port");
    let one = |number: usize| {
        let put = (number % 2 == 1).then(|| format!("upload/crowd-{number}"));
        let exchange = match &put {
            None => Sftp::get(Get::new("1m")),
            Some(name) => Sftp::put(Put::new(&**name)),
        };
        let id = session.ssh(to.clone(), Arc::clone(&client), Box::new(exchange));
        let transfer = Transfer {
            put,
            got: Vec::new(),
            ended: false,
        };
        (id.expect("it can be started"), transfer)
    };
    (0..TRANSFERS).map(one).collect()
}

/// Settings that log in with the server's key for it, and trust everybody: this is not about
/// host keys.
fn client(ssh: &Ssh) -> Client {
    struct Anybody;
    impl HostKeys for Anybody {
        fn judge(&self, _: &str, _: u16, _: &[u8], _: SystemTime) -> Verdict {
            Verdict::Trust
        }
    }
    let text = fs::read(ssh.key()).expect("a key");
    let key = KeyFile::new("the tests' key", &text).read(None);
    let mut identities = Identities::default();
    identities.keys.push(Identity::new(key.expect("a key")));
    let credentials = Credentials::new(ssh.user().expect("a user")).keys(Arc::new(identities));
    let config = SshConfig::new(credentials, Arc::new(Anybody));
    config.build().expect("SSH settings")
}

/// How many threads this process has.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux counts threads there");
    tasks.count()
}
