//! scratch
use sockless::{
    Config, Event, Request, Session, drivers, run,
    tls::{self, Roots},
};
use std::time::{Instant, SystemTime};
fn main() {
    let url = std::env::args().nth(1).unwrap();
    let mut roots = Roots::empty();
    roots
        .add_pem(&std::fs::read("/tmp/ng/ca.pem").unwrap())
        .unwrap();
    let mut c = Config::default().with_tls(tls::Config::new(roots)).unwrap();
    if let Some(m) = std::env::args().nth(2) {
        c.limits.max_min = m.parse().unwrap();
    }
    let mut s = Session::new(c, Instant::now(), SystemTime::now(), 1).unwrap();
    let mut d = drivers::Uring::new().unwrap();
    s.start(Instant::now(), Request::get(&url).unwrap())
        .unwrap();
    let mut n = 0;
    let mut ev = 0;
    run(&mut s, &mut d, |_, _, e| match e {
        Event::Data(p) => {
            n += p.len();
            ev += 1
        }
        Event::Done { outcome, .. } => println!("{outcome:?}"),
        _ => {}
    })
    .unwrap();
    println!("{n} {ev} {:?}", s.stats());
}
