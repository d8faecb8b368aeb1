//! The application in control: pause, cancel, notes.

use sockless::{Event, Note, Reason, Request};
use sockless_tests::content;
use sockless_tests::servers;

use super::world::on_each;

#[test]
fn a_paused_transfer_stands_still_and_loses_nothing() {
    let nginx = servers::shared();
    on_each(|world| {
        for url in [nginx.http_url("/64m"), nginx.https_url("/64m")] {
            let slow = Request::get(&url).expect("a URL");
            let slow = world
                .session
                .start(world.driver.now(), slow)
                .expect("a transfer");
            let (mut got, mut seen, mut others) = (Vec::new(), 0, 0);
            world.drive(|session, id, event| {
                match event {
                    Event::Data(piece) if id == slow => {
                        got.extend_from_slice(&piece);
                        seen += 1;
                        if seen == 10 {
                            session.pause(slow);
                            let other = Request::get(&nginx.http_url("/1m")).expect("a URL");
                            session
                                .start(std::time::Instant::now(), other)
                                .expect("a transfer");
                        }
                    }
                    Event::Done { outcome, .. } if id == slow => {
                        outcome.expect("it goes well");
                        return true;
                    }
                    Event::Done { outcome, .. } => {
                        outcome.expect("the other goes well");
                        others += 1;
                        assert_eq!(seen, 10, "nothing came while it was paused");
                        session.resume(slow);
                    }
                    _ => {}
                }
                false
            });
            assert_eq!((got.len(), others), (64 << 20, 1));
            assert_eq!(content::check(0, &got), Ok(()));
        }
        world.wind_up();
    });
}

#[test]
fn a_cancelled_transfer_ends_and_everything_comes_back() {
    let nginx = servers::shared();
    on_each(|world| {
        for after in [0, 1, 3, 20] {
            let mut pieces = 0;
            let request = Request::get(&nginx.https_url("/64m")).expect("a URL");
            let outcome = world.fetch_with(request, |session, id, event| match event {
                Event::Data(_) => {
                    pieces += 1;
                    if pieces > after {
                        session.cancel(id);
                    }
                }
                Event::Head(_) if after == 0 => session.cancel(id),
                _ => {}
            });
            assert_eq!(outcome.error().reason(), Reason::Cancelled);
        }
        world.wind_up();
    });
}

#[test]
fn notes_tell_each_step_and_no_secret() {
    let nginx = servers::shared();
    on_each(|world| {
        let request = Request::get(&nginx.https_url("/auth/1k"))
            .expect("a URL")
            .basic("alice", "secret")
            .options(|options| options.notes = true);
        let mut notes = String::new();
        world.fetch_with(request, |_, _, event| match event {
            Event::Note(Note::Info { layer, text }) => {
                notes.push_str(&format!("{layer}: {text}\n"));
            }
            Event::Note(Note::Bytes {
                body: false, bytes, ..
            }) => {
                notes.push_str(&String::from_utf8_lossy(bytes));
            }
            _ => {}
        });
        for step in [
            "connect: connected to localhost:",
            "tls: TLS",
            "GET /auth/1k HTTP/1.1",
            "HTTP/1.1 200",
        ] {
            assert!(notes.contains(step), "{step} is missing in:\n{notes}");
        }
        assert!(
            !notes.contains("YWxpY2U6c2VjcmV0"),
            "the credentials are in:\n{notes}"
        );
    });
}
