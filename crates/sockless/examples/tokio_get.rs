//! On tokio, and on its own reactor: transfers are tasks like all others, on no thread of ours.
//!
//! `cargo run --release --features driver-tokio --example tokio_get -p sockless -- URL [CA.pem]`

#![allow(
    clippy::disallowed_methods,
    reason = "an application: clock and files are its own"
)]

use std::time::{Duration, Instant, SystemTime};

use sockless::tls::{self, Roots};
use sockless::{Client, Config, Request, Session, drivers::Tokio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: tokio_get URL [CA.pem]")?;
    let config = config(args.next())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(transfers(config, url))
}

async fn transfers(config: Config, url: String) -> Result<(), Box<dyn std::error::Error>> {
    let seed = u64::from(std::process::id());
    let session = Session::new(config, Instant::now(), SystemTime::now(), seed)?;
    let (client, work) = Client::new(session, Box::new(Tokio::new()?));
    let work = tokio::spawn(work);

    // Four at a time, each a task.
    let tasks: Vec<_> = (0..4)
        .map(|_| tokio::spawn(download(client.clone(), url.clone())))
        .collect();
    for task in tasks {
        println!("{} bytes", task.await??);
    }
    // tokio's own ways work with it: a transfer that takes too long is dropped, and ends.
    let hasty = tokio::time::timeout(Duration::ZERO, download(client.clone(), url)).await;
    println!(
        "in no time: {}",
        if hasty.is_err() { "nothing" } else { "all" }
    );

    // The work ends when the last client is gone.
    drop(client);
    Ok(work.await??)
}

async fn download(client: Client, url: String) -> Result<usize, sockless::Error> {
    let mut answer = client.send(Request::get(&url)?).await?;
    let mut bytes = 0;
    while let Some(piece) = answer.next().await? {
        bytes += piece.len();
    }
    Ok(bytes)
}

/// TLS believes the authorities that are built in, or those of a file.
fn config(authorities: Option<String>) -> Result<Config, Box<dyn std::error::Error>> {
    let Some(path) = authorities else {
        return Ok(Config::default());
    };
    let mut roots = Roots::empty();
    roots
        .add_pem(&std::fs::read(path)?)
        .map_err(|fault| fault.at("tls"))?;
    Ok(Config::default().with_tls(tls::Config::new(roots).alpn(["http/1.1"]))?)
}
