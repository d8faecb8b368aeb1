//! The simple case: one URL to standard output, over io_uring.
//!
//! `cargo run --release --example get -p sockless -- https://localhost:8443/file [CA.pem]`

use std::io::Write;
use std::time::{Instant, SystemTime};

use sockless::tls::Roots;
use sockless::{Config, Driver, Error, Request, Session, drivers, fetch, tls};

#[allow(
    clippy::disallowed_methods,
    reason = "an application: clock and files are its own"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: get URL [CA.pem]")?;
    let mut config = Config::default();
    if let Some(path) = args.next() {
        let mut roots = Roots::empty();
        roots
            .add_pem(&std::fs::read(path)?)
            .map_err(|fault| fault.at("tls"))?;
        config = config.with_tls(tls::Config::new(roots).alpn(["http/1.1"]))?;
    }
    let seed = u64::from(std::process::id());
    let mut session = Session::new(config, Instant::now(), SystemTime::now(), seed)?;
    let mut driver = driver()?;
    let response = fetch(&mut session, &mut *driver, Request::get(&url)?)?;
    eprintln!(
        "{:?}, {} bytes in {:?}",
        response.head,
        response.body.len(),
        response.summary.total
    );
    std::io::stdout().write_all(&response.body)?;
    Ok(())
}

/// io_uring where the kernel allows it, plain sockets elsewhere.
fn driver() -> Result<Box<dyn Driver>, Error> {
    #[cfg(target_os = "linux")]
    if let Ok(uring) = drivers::Uring::new() {
        return Ok(Box::new(uring));
    }
    let plain = drivers::Blocking::new().map_err(|error| {
        sockless::core::Fault::io(sockless::Reason::Connect, "no driver", error).at("driver")
    })?;
    Ok(Box::new(plain))
}
