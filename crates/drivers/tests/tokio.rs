//! The driver on tokio, where it meets tokio itself.
#![cfg(all(unix, feature = "tokio"))]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the peers of a driver's tests are plain sockets and threads"
)]

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use sockless_core::{AsyncDriver, Buf, ConnId, Driver, Endpoint, Op, OpId, OpKind};
use sockless_drivers::{Tokio, TokioAlone, Wakeable};
use tokio::runtime::{Builder, Runtime};
use tokio::task::LocalSet;

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime")
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let error = Tokio::new().expect_err("no runtime is here");
    assert!(error.to_string().contains("no reactor running"), "{error}");
}

#[test]
fn a_runtime_s_thread_is_not_blocked_by_another_one() {
    runtime().block_on(async {
        let mut driver = TokioAlone::new().expect("descriptors are left");
        let past = driver.now();
        let refused = driver.wait(Some(past), &mut Vec::new());
        let error = refused.expect_err("it would block a runtime");
        assert!(
            error.to_string().contains("use the driver Tokio"),
            "{error}"
        );
        // Dropping it here is no panic.
        driver.waker().wake();
    });
}

fn op(id: u64, kind: OpKind) -> Op {
    let (id, conn) = (OpId::from_u64(id), ConnId::from_u64(1));
    Op { id, conn, kind }
}

async fn run(driver: &mut Tokio, op: Op) -> usize {
    let mut done = Vec::new();
    driver.submit(op);
    driver.wait(None, &mut done).await.expect("it works");
    assert_eq!(done.len(), 1);
    done.remove(0).result.expect("it goes well")
}

/// Bytes are always there, so a wait is over at once; tokio's other tasks run all the same.
#[test]
fn a_socket_that_is_always_ready_leaves_others_their_turn() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
    let to = Endpoint::Tcp(listener.local_addr().expect("its address"));
    let flood = thread::spawn(move || {
        let mut peer: TcpStream = listener.accept().expect("a peer").0;
        while peer.write_all(&[7; 64 * 1024]).is_ok() {}
    });
    runtime().block_on(LocalSet::new().run_until(async {
        let others_turn = Rc::new(());
        let held = Rc::clone(&others_turn);
        tokio::task::spawn_local(async move {
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(held);
        });
        let mut driver = Tokio::new().expect("a runtime");
        run(&mut driver, op(1, OpKind::Connect { to, from: None })).await;
        let mut id = 1;
        while Rc::strong_count(&others_turn) > 1 {
            id += 1;
            assert!(id < 100_000_000, "the other task never had its turn");
            let buf = Some(Buf::with_capacity(16));
            run(&mut driver, op(id, OpKind::Recv { buf, min: 1 })).await;
        }
    }));
    flood.join().expect("no panic");
}
