//! A thousand transfers at once on io_uring: as many connections, one thread, one loop.
//!
//! `cargo run --release --example many -p sockless -- http://localhost:8080/1k 1000`

use std::time::{Instant, SystemTime};

use sockless::{Config, Event, Request, Session, drivers, run};

#[allow(
    clippy::disallowed_methods,
    reason = "an application: the clock is its own"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("usage: many URL [COUNT]")?;
    let count: usize = args.next().map_or(Ok(1000), |count| count.parse())?;

    let mut config = Config::default();
    // No bound: each transfer gets a connection at once.
    config.limits.connections = 0;
    let seed = u64::from(std::process::id());
    let mut session = Session::new(config, Instant::now(), SystemTime::now(), seed)?;
    let mut driver = drivers::Uring::new()?;
    let began = Instant::now();
    for _ in 0..count {
        session.start(began, Request::get(&url)?)?;
    }
    let (mut good, mut bytes, mut at_once) = (0, 0, 0);
    run(&mut session, &mut driver, |session, id, event| {
        at_once = at_once.max(session.stats().connections);
        match event {
            Event::Data(piece) => bytes += piece.len(),
            Event::Done {
                outcome: Ok(()), ..
            } => good += 1,
            Event::Done {
                outcome: Err(error),
                ..
            } => eprintln!("{id:?}: {error}"),
            _ => {}
        }
    })?;
    let took = began.elapsed();
    println!("{good} of {count} transfers, {bytes} bytes, {at_once} connections at once, {took:?}");
    if good == count {
        Ok(())
    } else {
        Err("some transfers failed".into())
    }
}
