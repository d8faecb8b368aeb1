//! What the async client does to the operations underneath: none is lost, none is premature.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own runtimes, threads and clocks"
)]

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::Poll;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use futures_core::Stream;
use sockless::drivers::{Blocking, Compio, Threaded, Tokio};
use sockless::{
    AsyncDriver, Client, Completion, Config, Incoming, Op, OpId, OpKind, Request, Session,
};
use sockless_tests::{content, faults, servers};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, yield_now};

/// Operations that a driver was given and has given back.
#[derive(Debug, Default)]
struct Counts {
    submitted: AtomicUsize,
    returned: AtomicUsize,
    /// Receives that are on their way.
    receiving: AtomicUsize,
    received: AtomicUsize,
}

/// A driver with somebody who counts.
struct Counted {
    driver: Box<dyn AsyncDriver>,
    counts: Arc<Counts>,
}

#[async_trait]
impl AsyncDriver for Counted {
    fn submit(&mut self, op: Op) {
        self.counts.submitted.fetch_add(1, SeqCst);
        if matches!(op.kind, OpKind::Recv { .. }) {
            self.counts.receiving.fetch_add(1, SeqCst);
        }
        self.driver.submit(op);
    }

    fn cancel(&mut self, id: OpId) {
        self.driver.cancel(id);
    }

    async fn wait(
        &mut self,
        deadline: Option<Instant>,
        done: &mut Vec<Completion>,
    ) -> io::Result<()> {
        let before = done.len();
        self.driver.wait(deadline, done).await?;
        for Completion { op, result } in &done[before..] {
            self.counts.returned.fetch_add(1, SeqCst);
            if matches!(op.kind, OpKind::Recv { .. }) {
                self.counts.receiving.fetch_sub(1, SeqCst);
                let bytes = result.as_ref().map_or(0, |n| *n);
                self.counts.received.fetch_add(bytes, SeqCst);
            }
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.driver.now()
    }
}

fn drivers() -> [Box<dyn AsyncDriver>; 3] {
    [
        Box::new(Tokio::new().expect("a runtime")),
        Box::new(Threaded::new(Blocking::new).expect("a thread")),
        Box::new(Threaded::new(Compio::new).expect("a thread")),
    ]
}

fn runtime() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_all().build();
    runtime.expect("a runtime")
}

/// A client whose work is a task of the runtime's.
fn client(driver: Box<dyn AsyncDriver>) -> (Client, Arc<Counts>, JoinHandle<io::Result<()>>) {
    let config = Config::default();
    let session = Session::new(config, Instant::now(), SystemTime::now(), 5).expect("a session");
    let counts = Arc::<Counts>::default();
    let counted = Counted {
        driver,
        counts: Arc::clone(&counts),
    };
    let (client, work) = Client::new(session, Box::new(counted));
    (client, counts, tokio::spawn(work))
}

fn get(url: &str) -> Request {
    let request = Request::get(url).expect("a URL");
    // No clock ends what the drop has to end.
    request.timeouts(|timeouts| timeouts.idle = None)
}

#[test]
fn what_is_in_flight_comes_back_after_drops() {
    let large = servers::shared().http_url("/64m");
    let silent = faults::silent().expect("a port");
    runtime().block_on(async {
        for driver in drivers() {
            let (client, counts, work) = client(driver);
            for _ in 0..10 {
                // In the middle of a body.
                let mut answer = client.send(get(&large)).await.expect("a head");
                answer.next().await.expect("a piece");
                drop(answer);
                // Before there is an answer.
                let before = silent.connections();
                let mut call = pin!(client.send(get(&silent.url("/"))));
                while silent.connections() == before {
                    let pending = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending()));
                    assert!(pending.await, "nobody answers there");
                    yield_now().await;
                }
            }
            drop(client);
            work.await.expect("no panic").expect("the work ends");
            let (submitted, returned) =
                (counts.submitted.load(SeqCst), counts.returned.load(SeqCst));
            assert!(submitted > 40, "{counts:?}");
            assert_eq!(submitted, returned, "{counts:?}");
        }
    });
}

#[test]
fn a_stream_that_nobody_reads_is_not_received() {
    let large = servers::shared().http_url("/64m");
    runtime().block_on(async {
        for driver in drivers() {
            let (client, counts, work) = client(driver);
            let answer = client.send(get(&large)).await.expect("a head");
            drop(client);
            read_late(answer, &counts).await;
            work.await.expect("no panic").expect("the work ends");
        }
    });
}

/// Reads nothing until the driver is asked for nothing any more, and then everything.
async fn read_late(answer: Incoming, counts: &Counts) {
    let mut quiet = 0;
    while quiet < 1000 {
        yield_now().await;
        let receiving = counts.receiving.load(SeqCst) > 0;
        quiet = if receiving { 0 } else { quiet + 1 };
    }
    let received = counts.received.load(SeqCst);
    assert!((1..8 << 20).contains(&received), "{received} bytes");
    let mut pieces = pin!(answer);
    let mut at = 0;
    while let Some(piece) = poll_fn(|cx| pieces.as_mut().poll_next(cx)).await {
        let piece = piece.expect("it goes well");
        assert_eq!(content::check(at, &piece), Ok(()));
        at += piece.len() as u64;
    }
    assert_eq!(at, 64 << 20);
}
