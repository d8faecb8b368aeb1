//! A page that wants Kerberos, with a password:
//! `kerberos alice@EXAMPLE.COM PASSWORD-FILE kdc.example.com https://www.example.com/ [HOST]`
//!
//! HOST is the server's name in Kerberos, if the URL has another one. The KDC is asked by transfers
//! of the session's own: nothing waits for it but this one request, and `strace -f -e trace=network`
//! shows no call but those of the driver. With the feature `kerberos-gssapi`, `kerberos-rust` or both.

#![allow(
    clippy::disallowed_methods,
    reason = "a program reads its clock, its arguments and its files"
)]

use std::io::Read as _;
use std::time::{Instant, SystemTime};

use sockless::drivers::Uring;
use sockless::kerberos::{Config as Kerberos, Credentials, Principal, Realms};
use sockless::{Auth, Config, Fault, Note, Request, Session};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(user), Some(file), Some(kdc), Some(url)) =
        (args.next(), args.next(), args.next(), args.next())
    else {
        return Err("usage: kerberos USER@REALM PASSWORD-FILE KDC URL".into());
    };
    let password = std::fs::read_to_string(file)?;
    let at_kerberos = |fault: Fault| fault.at("kerberos");
    let name = Principal::parse(&user).map_err(at_kerberos)?;
    let realms = Realms::new().kdc(name.realm(), &kdc).map_err(at_kerberos)?;
    let credentials = Credentials::password(&user, password.trim_end(), &realms);
    // What the backend in Rust draws from.
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut seed)?;
    let kerberos = Kerberos::new(credentials.map_err(at_kerberos)?, realms);
    let kerberos = kerberos.random(seed).build();
    let auth = Auth::negotiate(kerberos.map_err(at_kerberos)?);
    let auth = match args.next() {
        Some(host) => auth.target(&host),
        None => auth,
    };

    let mut session = Session::new(Config::default(), Instant::now(), SystemTime::now(), 1)?;
    let mut driver = Uring::new()?;
    let request = Request::get(&url)?
        .auth(auth)
        .options(|options| options.notes = true);
    session.start(Instant::now(), request)?;
    let mut end = Ok(());
    sockless::run(&mut session, &mut driver, |_, _, event| match event {
        sockless::Event::Note(Note::Info { layer, text }) => eprintln!("{layer}: {text}"),
        sockless::Event::Head(head) => println!("{}", head.code),
        sockless::Event::Data(piece) => print!("{}", String::from_utf8_lossy(&piece)),
        sockless::Event::Done { outcome, .. } => end = outcome,
        _ => {}
    })?;
    Ok(end?)
}
