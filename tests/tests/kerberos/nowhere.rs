//! Whole logins in a thread that has no network: it lives in a network namespace of its own, in which there is no
//! interface that is up, not even loopback. The driver's thread was there before, and has the usual one. So
//! whatever reaches anybody went through an operation: a library underneath that made a call of
//! its own, to a KDC, a name server or a log, would reach nobody.

use std::io;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use sockless::core::{Completion, Op, OpId};
use sockless::drivers::Blocking;
use sockless::{Auth, Driver, Proxy};
use sockless_tests::content;
use sockless_tests::servers::{REALM, USER, Way};

use crate::ssh::{self, account, client};
use crate::{World, alice, config, get, provider, realms, servers};

/// A driver on another thread.
struct Elsewhere {
    orders: Sender<Order>,
    done: Receiver<Vec<Completion>>,
}

enum Order {
    Submit(Op),
    Cancel(OpId),
}

impl Elsewhere {
    fn start() -> Self {
        let (orders, taken) = channel();
        let (ended, done) = channel();
        let made = channel();
        thread::spawn(move || {
            let mut driver = Blocking::new().expect("a driver");
            made.0.send(()).expect("somebody waits");
            loop {
                loop {
                    match taken.try_recv() {
                        Ok(Order::Submit(op)) => driver.submit(op),
                        Ok(Order::Cancel(id)) => driver.cancel(id),
                        Err(std::sync::mpsc::TryRecvError::Empty) => break,
                        Err(_) => return,
                    }
                }
                let mut done = Vec::new();
                let soon = driver.now() + Duration::from_millis(1);
                driver.wait(Some(soon), &mut done).expect("it goes on");
                if !done.is_empty() && ended.send(done).is_err() {
                    return;
                }
            }
        });
        made.1.recv().expect("a driver");
        Self { orders, done }
    }
}

impl Driver for Elsewhere {
    fn submit(&mut self, op: Op) {
        drop(self.orders.send(Order::Submit(op)));
    }

    fn cancel(&mut self, id: OpId) {
        drop(self.orders.send(Order::Cancel(id)));
    }

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
        match self
            .done
            .recv_timeout(left.unwrap_or(Duration::from_secs(60)))
        {
            Ok(completions) => done.extend(completions),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("it has ended")),
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "elsewhere"
    }
}

/// Takes the network from this thread; says why it cannot.
fn leave_the_network() -> Result<(), String> {
    use rustix::thread::{UnshareFlags, unshare_unsafe};
    // SAFETY: a network namespace is none of what safe code relies on: no memory and no open file
    // is another one afterwards.
    let left = unsafe { unshare_unsafe(UnshareFlags::NEWNET) };
    left.map_err(|error| format!("this thread cannot leave the network: {error}"))
}

#[test]
fn whole_logins_from_a_password_in_a_thread_without_a_network() {
    // Not in the tests' own thread, which may have other tests to run.
    let logins = thread::spawn(logins_without_a_network);
    if let Err(panic) = logins.join() {
        std::panic::resume_unwind(panic);
    }
}

fn logins_without_a_network() {
    let (_, kerberized) = servers();
    let there = (
        "127.0.0.1",
        kerberized.port(Way::Http).expect("it is there"),
    );
    TcpStream::connect(there).expect("from here it can be reached");
    let driver = Elsewhere::start();
    // What the tests themselves look up is looked up before.
    let (file, realms) = (ssh::file(), realms());
    if let Err(why) = leave_the_network() {
        return println!("not tested: {why}");
    }
    let refused = TcpStream::connect(there).expect_err("nobody can be reached from here");
    assert_eq!(refused.kind(), io::ErrorKind::NetworkUnreachable);

    let mut world = World::on(config(), Box::new(driver));
    let outcome = world.fetch(get(&kerberized.https_url("/private/1k")).auth(alice()));
    assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
    assert_eq!(content::check(0, &outcome.body), Ok(()));

    // Another login, with an SSH server and a proxy that both take its tickets.
    let name = format!("{USER}@{REALM}");
    let tickets = sockless::kerberos::Credentials::password(
        &name,
        sockless_tests::servers::PASSWORD,
        &realms,
    );
    let tickets = provider(tickets, realms).expect("a provider");
    let via = match kerberized.port(Way::Socks) {
        Ok(port) => {
            let proxy = Proxy::parse(&format!("socks5h://localhost:{port}")).expect("a proxy");
            vec![proxy.auth(Auth::negotiate(tickets.clone()))]
        }
        Err(why) => {
            println!("not tested with a proxy, there is no Dante: {why}");
            Vec::new()
        }
    };
    assert!(file.exists());
    let outcome = world.sftp(&client(account().security(tickets)), &via);
    outcome.is_whole();
    assert!(outcome.has_note("asking the KDC"), "{:?}", outcome.notes);
    assert!(outcome.has_note("ssh: logged in as"), "{:?}", outcome.notes);
}
