//! On compio: the client's work is a task there, and the driver has a proactor on a thread beside.
//!
//! A proactor belongs to its thread and the runtime's own is the runtime's, so the driver brings
//! one: io_uring, IOCP, or what the system has.
//!
//! `cargo run --release --features driver-compio --example compio_get -p sockless -- URL [CA.pem]`

#![allow(
    clippy::disallowed_methods,
    reason = "an application: clock and files are its own"
)]

use std::time::{Instant, SystemTime};

use compio_runtime::Runtime;
use sockless::drivers::{Compio, Threaded};
use sockless::tls::{self, Roots};
use sockless::{Client, Config, Request, Session};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: compio_get URL [CA.pem]")?;
    let config = config(args.next())?;
    Runtime::new()?.block_on(transfers(config, url))
}

async fn transfers(config: Config, url: String) -> Result<(), Box<dyn std::error::Error>> {
    let seed = u64::from(std::process::id());
    let session = Session::new(config, Instant::now(), SystemTime::now(), seed)?;
    let driver = Threaded::new(Compio::new)?;
    let (client, work) = Client::new(session, Box::new(driver));
    let work = compio_runtime::spawn(work);

    let mut answer = client.send(Request::get(&url)?).await?;
    println!("{:?}", answer.head);
    let mut bytes = 0;
    while let Some(piece) = answer.next().await? {
        bytes += piece.len();
    }
    println!("{bytes} bytes");

    // The work ends when the last client is gone.
    drop((client, answer));
    work.await.map_err(|_| "the client's work panicked")??;
    Ok(())
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
