//! `async`/`await` on any runtime: here a bare executor of a few lines, on purpose.
//!
//! `cargo run --release --example async_get -p sockless -- http://localhost:8080/1k`

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Instant, SystemTime};

use sockless::{Client, Config, Request, Session, drivers};

#[allow(
    clippy::disallowed_methods,
    reason = "an application: the clock is its own"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: async_get URL")?;
    let seed = u64::from(std::process::id());
    let session = Session::new(Config::default(), Instant::now(), SystemTime::now(), seed)?;
    let driver = drivers::Threaded::new(drivers::Blocking::new)?;
    let (client, work) = Client::new(session, Box::new(driver));

    let transfers = async move {
        let first = client.send(Request::get(&url)?).await?;
        println!("first: {:?}", first.head);
        let mut second = client.send(Request::get(&url)?).await?;
        let mut bytes = 0;
        while let Some(piece) = second.next().await? {
            bytes += piece.len();
        }
        println!(
            "second: {:?}, {bytes} bytes; the first was dropped half way",
            second.head
        );
        Ok::<_, sockless::Error>(())
    };
    let (done, worked) = block_on(both(transfers, work));
    worked?;
    Ok(done?)
}

/// Runs two futures side by side, as two tasks of a runtime would.
async fn both<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut left, mut right) = (None, None);
    std::future::poll_fn(move |cx| {
        if left.is_none()
            && let Poll::Ready(done) = a.as_mut().poll(cx)
        {
            left = Some(done);
        }
        if right.is_none()
            && let Poll::Ready(done) = b.as_mut().poll(cx)
        {
            right = Some(done);
        }
        match (left.take(), right.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (left, right) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        thread::park();
    }
}
