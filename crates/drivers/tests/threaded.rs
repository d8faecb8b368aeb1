//! The async side of a driver on a thread.
#![cfg(feature = "threaded")]
#![allow(clippy::disallowed_methods, reason = "tests of a driver's thread")]

#[path = "conformance/block_on.rs"]
mod block_on;

use std::io::{self, ErrorKind};
use std::sync::mpsc;
use std::sync::{Arc, atomic::AtomicUsize, atomic::Ordering};
use std::task::{Context, Waker as Task};
use std::thread;
use std::time::{Duration, Instant};

use block_on::block_on;
use sockless_core::{AsyncDriver, Completion, ConnId, Driver, Op, OpId, OpKind};
use sockless_drivers::{Threaded, Wakeable, Waker};

/// Completes operations when told to through a channel, and knows three ways to end.
struct Scripted {
    orders: mpsc::Receiver<Order>,
    sender: mpsc::Sender<Order>,
    held: Vec<Op>,
    dropped: Arc<AtomicUsize>,
}

enum Order {
    CompleteAll,
    Fail,
    Panic,
    Wake,
}

impl Scripted {
    fn start() -> (Threaded, mpsc::Sender<Order>, Arc<AtomicUsize>) {
        let (sender, orders) = mpsc::channel();
        let dropped = Arc::new(AtomicUsize::new(0));
        let (orderer, seen) = (sender.clone(), Arc::clone(&dropped));
        let make = move || {
            Ok(Self {
                orders,
                sender,
                held: Vec::new(),
                dropped: seen,
            })
        };
        (Threaded::new(make).expect("a thread"), orderer, dropped)
    }
}

impl Driver for Scripted {
    fn submit(&mut self, op: Op) {
        self.held.push(op);
    }

    fn cancel(&mut self, _: OpId) {}

    fn wait(&mut self, deadline: Option<Instant>, done: &mut Vec<Completion>) -> io::Result<()> {
        let order = match deadline {
            None => self.orders.recv().ok(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                self.orders.recv_timeout(left).ok()
            }
        };
        match order {
            Some(Order::CompleteAll) => {
                done.extend(
                    self.held
                        .drain(..)
                        .map(|op| Completion { op, result: Ok(0) }),
                );
            }
            Some(Order::Fail) => return Err(io::Error::new(ErrorKind::BrokenPipe, "as ordered")),
            Some(Order::Panic) => panic!("as ordered"),
            Some(Order::Wake) | None => {}
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn name(&self) -> &'static str {
        "scripted"
    }
}

impl Wakeable for Scripted {
    fn waker(&self) -> Waker {
        let sender = self.sender.clone();
        Waker::new(move || {
            let _ = sender.send(Order::Wake);
        })
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Release);
    }
}

fn op(id: u64) -> Op {
    Op {
        id: OpId::from_u64(id),
        conn: ConnId::from_u64(0),
        kind: OpKind::Shutdown,
    }
}

#[test]
fn a_dropped_wait_loses_nothing() {
    let (mut driver, orders, _) = Scripted::start();
    let mut done = Vec::new();
    driver.submit(op(1));
    {
        let mut wait = driver.wait(None, &mut done);
        let mut cx = Context::from_waker(Task::noop());
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    driver.submit(op(2));
    orders.send(Order::CompleteAll).expect("a thread");
    while done.len() < 2 {
        {
            // Dropped once more, before or after something has completed.
            let mut wait = driver.wait(None, &mut done);
            let _ = wait.as_mut().poll(&mut Context::from_waker(Task::noop()));
        }
        if done.len() < 2 {
            orders.send(Order::CompleteAll).expect("a thread");
            block_on(driver.wait(None, &mut done)).expect("a working driver");
        }
    }
    let ids: Vec<u64> = done
        .iter()
        .map(|completion| completion.op.id.as_u64())
        .collect();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn what_the_caller_has_not_taken_out_yet_is_no_news() {
    let (mut driver, orders, _) = Scripted::start();
    let mut done = vec![Completion {
        op: op(0),
        result: Ok(0),
    }];
    driver.submit(op(1));
    orders.send(Order::Wake).expect("a thread");
    let mut wait = driver.wait(None, &mut done);
    assert!(
        wait.as_mut()
            .poll(&mut Context::from_waker(Task::noop()))
            .is_pending()
    );
}

#[test]
fn a_deadline_ends_a_wait_and_may_move() {
    let (mut driver, _orders, _) = Scripted::start();
    let mut done = Vec::new();
    let far = driver.now() + Duration::from_secs(3600);
    {
        let mut wait = driver.wait(Some(far), &mut done);
        assert!(
            wait.as_mut()
                .poll(&mut Context::from_waker(Task::noop()))
                .is_pending()
        );
    }
    let near = driver.now() + Duration::from_millis(20);
    block_on(driver.wait(Some(near), &mut done)).expect("a working driver");
    assert!(driver.now() >= near);
    let past = driver.now();
    block_on(driver.wait(Some(past), &mut done)).expect("a working driver");
    assert!(done.is_empty());
}

#[test]
fn a_failed_driver_fails_every_wait() {
    for (order, text) in [(Order::Fail, "as ordered"), (Order::Panic, "panicked")] {
        let (mut driver, orders, _) = Scripted::start();
        let mut done = Vec::new();
        orders.send(order).expect("a thread");
        for _ in 0..2 {
            let error = block_on(driver.wait(None, &mut done)).expect_err("a failed driver");
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

#[test]
fn a_driver_that_cannot_be_made_is_an_error() {
    let refuse = || -> io::Result<Scripted> { Err(ErrorKind::PermissionDenied.into()) };
    let error = Threaded::new(refuse).expect_err("no driver");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let panic = || -> io::Result<Scripted> { panic!("on purpose") };
    assert_eq!(
        Threaded::new(panic).expect_err("no driver").kind(),
        ErrorKind::Other
    );
}

#[test]
fn dropping_it_drops_the_driver_on_its_thread() {
    let (mut driver, _orders, dropped) = Scripted::start();
    driver.submit(op(1));
    let past = driver.now();
    block_on(driver.wait(Some(past), &mut Vec::new())).expect("a working driver");
    assert_eq!(dropped.load(Ordering::Acquire), 0);
    drop(driver);
    while dropped.load(Ordering::Acquire) == 0 {
        thread::yield_now();
    }
}
