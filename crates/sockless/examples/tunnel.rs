//! A protocol of the program's own through any chain of proxies: the request of 2008. Here
//! it is HTTP by hand; it might be a database's.
//!
//! `cargo run --release --example tunnel -p sockless -- HOST:PORT [PROXY...]`, with proxies as
//! curl writes them, e.g. `socks5h://user:password@127.0.0.1:1080 http://127.0.0.1:3128`

use std::io::Write;
use std::time::{Instant, SystemTime};

use sockless::{Config, Driver, Event, Proxy, Session, TunnelTo, drivers::Blocking};

#[allow(
    clippy::disallowed_methods,
    reason = "an application: clock and arguments are its own"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let to = args.next().ok_or("usage: tunnel HOST:PORT [PROXY...]")?;
    let mut to = TunnelTo::parse(&to)?;
    for proxy in args {
        to = to.proxy(Proxy::parse(&proxy)?);
    }
    let words = format!("GET / HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\r\n");
    let seed = u64::from(std::process::id());
    let mut session = Session::new(Config::default(), Instant::now(), SystemTime::now(), seed)?;
    let mut driver: Box<dyn Driver> = Box::new(Blocking::new()?);
    session.tunnel(to)?;

    let (mut said, mut end) = (false, Ok(()));
    sockless::run(
        &mut session,
        &mut *driver,
        |session, id, event| match event {
            Event::Open => eprintln!("open through {:?}", session.layers(id)),
            // Whatever is given here goes to the far end; it is asked for again when it is sent.
            Event::WantBody { .. } if !said => {
                said = true;
                let given = session.send_body(id, words.as_bytes().to_vec().into());
                end = given.map_err(|(error, _)| error);
            }
            Event::Data(piece) if std::io::stdout().write_all(&piece).is_err() => {
                session.cancel(id);
            }
            // Their direction has ended; ours ends as well.
            Event::PeerFinished => drop(session.finish_body(id)),
            Event::Done { outcome, .. } => end = outcome,
            _ => {}
        },
    )?;
    Ok(end?)
}
