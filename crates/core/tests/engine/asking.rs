//! Layers that ask the application, and wait for its answer.

use std::time::Duration;

use sockless_core::{
    Answer, Ask, Cx, Fault, Filter, Limits, Options, Phase, QuestionId, Reason, Seams, Status,
    Timeouts, TransferId,
};

use crate::toy::{self, Toy};
use crate::world::{With, World, routed};

const SECOND: Duration = Duration::from_secs(1);

/// Asks once for a line and sends it to its peer; then it leaves.
#[derive(Default)]
struct Curious {
    asked: Option<QuestionId>,
}

impl Filter for Curious {
    fn layer(&self) -> &'static str {
        "curious"
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        let Some(id) = self.asked else {
            let ask = Ask::Prompts(Box::default());
            self.asked = cx.ask("curious", ask);
            return match self.asked {
                Some(_) => Ok(Status::Stay),
                None => Err(Fault::misbehaved(Reason::Handshake, "nobody is there")),
            };
        };
        match cx.answer(id) {
            None => Ok(Status::Stay),
            Some(Answer::Texts(texts)) => {
                for text in &texts {
                    io.net_out.write(text.as_bytes(), |n| cx.buf(n));
                }
                Ok(Status::Leave)
            }
            Some(other) => Err(Fault::misbehaved(Reason::Handshake, format!("{other:?}"))),
        }
    }

    fn phase(&self) -> Phase {
        Phase::Handshake
    }
}

fn limited() -> Options {
    let mut options = Options::default();
    let mut timeouts = Timeouts::default();
    (timeouts.handshake, timeouts.setup) = (Some(SECOND), Some(2 * SECOND));
    timeouts.idle = Some(SECOND);
    options.timeouts = timeouts;
    options
}

fn curious(world: &mut World, options: Options) -> TransferId {
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Curious::default()))));
    let id = world.engine.add(route, Box::new(Toy::get(3)), options);
    world.settle();
    world.finish_op("connect", Ok(0));
    id
}

fn texts(line: &str) -> Answer {
    Answer::Texts(vec![line.to_owned().into()])
}

#[test]
fn an_answer_reaches_the_layer_that_asked() {
    let mut world = World::plain();
    let id = curious(&mut world, Options::default());
    let question = world.question(id);
    assert_eq!(world.count("send"), 0);
    let answered = world.engine.answer(id, question, texts("open sesame"));
    assert!(answered.is_ok(), "{answered:?}");
    world.settle();
    let sent = world.send();
    assert!(sent.starts_with(b"open sesame"), "{sent:?}");
    world.recv(&toy::answer(3));
    assert!(world.outcome(id).is_ok());
    world.assert_empty();
}

#[test]
fn only_an_open_question_takes_an_answer() {
    let mut world = World::plain();
    let first = curious(&mut world, Options::default());
    let second = curious(&mut world, Options::default());
    let (one, two) = (world.question(first), world.question(second));
    assert_ne!(one, two, "no two questions have one id");
    let reason = |result: Result<(), sockless_core::Error>| result.map_err(|it| it.reason());
    let misuse = Err(Reason::Misuse);
    assert_eq!(reason(world.engine.answer(first, two, Answer::Yes)), misuse);
    assert_eq!(reason(world.engine.answer(first, one, texts("x"))), Ok(()));
    assert_eq!(reason(world.engine.answer(first, one, texts("y"))), misuse);
    world.engine.cancel(second);
    world.settle();
    world.tidy();
    assert_eq!(reason(world.engine.answer(second, two, texts("z"))), misuse);
    world.settle();
    assert!(world.send().starts_with(b"x"));
    world.recv(&toy::answer(3));
    assert!(world.outcome(first).is_ok());
    world.tidy();
    world.assert_empty();
}

#[test]
fn what_the_application_takes_is_not_the_peers_time() {
    let mut world = World::new(Limits::default());
    let id = curious(&mut world, limited());
    let question = world.question(id);
    world.advance(100 * SECOND);
    assert!(!world.ended(id));
    let answered = world.engine.answer(id, question, texts("late"));
    assert!(answered.is_ok());
    world.settle();
    assert!(!world.ended(id));
    assert!(world.send().starts_with(b"late"));
    // From here on the peer's time runs again.
    world.advance(3 * SECOND);
    assert_eq!(world.reason(id), Reason::IdleTimeout);
    world.tidy();
}

#[test]
fn the_total_limit_holds_while_an_answer_is_owed() {
    let mut world = World::plain();
    let mut options = Options::default();
    options.timeouts.total = Some(SECOND);
    let id = curious(&mut world, options);
    world.advance(2 * SECOND);
    assert_eq!(world.reason(id), Reason::TotalTimeout);
    world.tidy();
    world.assert_empty();
}

#[test]
fn a_pause_does_not_hold_a_question_back() {
    let mut world = World::plain();
    let route = routed("127.0.0.1", Box::new(With(|| Box::new(Curious::default()))));
    let toy = Box::new(Toy::get(3));
    let id = world.engine.add(route, toy, Options::default());
    world.engine.pause(id);
    world.settle();
    world.finish_op("connect", Ok(0));
    world.question(id);
}
