//! sockless by its async client, on tokio's current-thread runtime and its own driver there.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use sockless::Client;
use sockless::drivers::Tokio;
use sockless::tls::Backend;

use super::ours::{request, session};
use super::{Task, unknown};
use crate::measure::{self, Figures};

pub(super) fn run(work: &str, task: &Task) -> io::Result<Figures> {
    if !matches!(work, "download" | "small") {
        return Err(unknown(work));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    measure::timed(|| runtime.block_on(tokio::task::LocalSet::new().run_until(requests(task))))
}

/// As many tasks as connections, each with its next request after its last.
async fn requests(task: &Task) -> io::Result<()> {
    let session = session(task, Backend::Rustls, 256)?;
    let (client, work) = Client::new(session, Box::new(Tokio::new()?));
    let work = tokio::task::spawn_local(work);
    let request = request(task)?;
    let left = Rc::new(Cell::new(task.count.max(1)));
    let callers = (0..task.connections.max(1)).map(|_| {
        let (client, request, left) = (client.clone(), request.clone(), Rc::clone(&left));
        tokio::task::spawn_local(async move {
            while let Some(less) = left.get().checked_sub(1) {
                left.set(less);
                let answer = client.send(request.clone()).await;
                let mut answer = answer.map_err(io::Error::other)?;
                while answer.next().await.map_err(io::Error::other)?.is_some() {}
            }
            Ok::<_, io::Error>(())
        })
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        caller.await.map_err(io::Error::other)??;
    }
    drop(client);
    work.await.map_err(io::Error::other)?
}
