//! The loop, ready-made.

use std::io;

use sockless_core::{
    Completion, Culprit, Driver, Error, Event, Fault, Head, Output, Reason, Summary, TransferId,
};

use crate::client::unfed;
use crate::{Request, Session};

/// Drives a session on a driver until no transfer is left and last words (an alert, a
/// close_notify) are said; `on` gets every event and may start further transfers.
///
/// # Errors
/// The driver cannot go on. What goes wrong with a transfer is an event.
pub fn run(
    session: &mut Session,
    driver: &mut dyn Driver,
    mut on: impl FnMut(&mut Session, TransferId, Event),
) -> io::Result<()> {
    let mut done = Vec::new();
    // The clock is read when time can have passed: after a wait, and after the application.
    let mut now = driver.now();
    loop {
        match session.poll(now) {
            Output::Submit(op) => driver.submit(op),
            Output::Cancel(id) => driver.cancel(id),
            Output::Event(id, event) => {
                on(session, id, event);
                now = driver.now();
            }
            Output::Wait(_) if session.is_settled() => return Ok(()),
            Output::Wait(deadline) => {
                driver.wait(deadline, &mut done)?;
                now = driver.now();
                for Completion { op, result } in done.drain(..) {
                    session.complete(now, op, result);
                }
            }
            _ => {}
        }
    }
}

/// An answer, all of it in memory.
#[derive(Debug)]
pub struct Response {
    /// Status and header fields.
    pub head: Head,
    /// The body.
    pub body: Vec<u8>,
    /// What it took.
    pub summary: Box<Summary>,
}

/// The largest body that [`fetch`] collects, in bytes.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// Carries one request out and collects the answer, at most 64 MiB of body.
///
/// For anything larger, and for request bodies that do not lie in memory, use [`run`].
///
/// # Errors
/// The transfer failed, or the body is too large; [`Reason::Misuse`]: the request's body
/// would have to be asked for.
pub fn fetch(
    session: &mut Session,
    driver: &mut dyn Driver,
    request: Request,
) -> Result<Response, Error> {
    if request.is_asked_for_body() {
        return Err(unfed(
            "give it Body::Bytes, or answer Event::WantBody with run",
        ));
    }
    let wanted = session.start(driver.now(), request)?;
    let (mut head, mut body, mut end) = (None, Vec::new(), None);
    let mut too_large = false;
    let looped = run(session, driver, |session, id, event| {
        if id != wanted {
            return;
        }
        match event {
            Event::Head(it) => head = Some(it),
            Event::Data(piece) if body.len() + piece.len() > MAX_BODY => {
                too_large = true;
                session.cancel(wanted);
            }
            Event::Data(piece) => body.extend_from_slice(&piece),
            Event::Done { outcome, summary } => end = Some((outcome, summary)),
            _ => {}
        }
    });
    looped.map_err(|error| Fault::io(Reason::Receive, "the driver failed", error).at("driver"))?;
    if too_large {
        let what = format!("the body is larger than {MAX_BODY} bytes");
        return Err(Fault::new(Culprit::Limit, Reason::BodyTooLarge, what)
            .remedy("receive it piece by piece, with run")
            .at("http"));
    }
    match (end, head) {
        (Some((Ok(()), summary)), Some(head)) => Ok(Response {
            head,
            body,
            summary,
        }),
        (Some((Err(error), _)), _) => Err(error),
        _ => {
            let what = "the transfer ended without an answer";
            Err(Fault::new(Culprit::Misuse, Reason::Misuse, what).at("engine"))
        }
    }
}
