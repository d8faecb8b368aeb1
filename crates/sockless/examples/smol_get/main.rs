//! On smol, with a driver of the program's own: `driver.rs` brings a runtime in four methods.
//!
//! `cargo run --release --example smol_get -p sockless -- URL [CA.pem]`

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "an application: clock, files and sockets are its own"
)]

mod driver;

use std::time::{Instant, SystemTime};

use sockless::tls::{self, Roots};
use sockless::{Client, Config, Request, Session};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: smol_get URL [CA.pem]")?;
    let config = config(args.next())?;
    smol::block_on(transfers(config, url))
}

async fn transfers(config: Config, url: String) -> Result<(), Box<dyn std::error::Error>> {
    let seed = u64::from(std::process::id());
    let session = Session::new(config, Instant::now(), SystemTime::now(), seed)?;
    let (client, work) = Client::new(session, Box::new(driver::Smol::default()));
    let work = smol::spawn(work);

    let mut answer = client.send(Request::get(&url)?).await?;
    println!("{:?}", answer.head);
    let mut bytes = 0;
    while let Some(piece) = answer.next().await? {
        bytes += piece.len();
    }
    println!("{bytes} bytes");

    // The work ends when the last client is gone.
    drop((client, answer));
    Ok(work.await?)
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
