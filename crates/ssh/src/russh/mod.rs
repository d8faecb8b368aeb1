//! The library russh: pure Rust, driven in memory.
//!
//! ```text
//!   pump:  net_in -> wire.rs -> session (russh's task) -> handler.rs -> events -> next
//!          commands, answers -> conductor.rs (our task) -> session -> wire.rs -> net_out
//! ```
//! Both tasks run in a runtime of the connection's own (`runtime.rs`), only within a pump, and
//! until neither can go on. Channel data does not pass through russh's channels, whose readers
//! could hold up the whole session: its handler is given each packet's data, and puts it where
//! the layer takes it from. Data goes down only as far as the peer's window is known to reach,
//! so nothing waits inside the session, where it would hold up other channels.

mod conductor;
mod config;
mod error;
mod handler;
mod lines;
mod login;
mod runtime;
mod wire;

use std::sync::Arc;

use sockless_core::{Buf, Culprit, Cx, Fault, Pipe, Reason};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use zeroize::Zeroizing;

use self::conductor::{Command, Conductor};
use self::handler::Reporter;
use self::login::Answer;
use self::runtime::{Elsewhere, Engine};
use self::wire::Shared;
use crate::algorithms::Algorithms;
use crate::backend::{Backend, Event, Farewell, GssStep, Method, Open};
use crate::client::{Libraries, Tuning};
use crate::message::Channel;

/// What the connections of one client share.
pub(crate) struct Library {
    tuning: Tuning,
    elsewhere: Arc<Elsewhere>,
}

impl Library {
    /// Checks that it has the algorithms.
    pub(crate) fn new(algorithms: &Algorithms, tuning: Tuning) -> Result<Self, Fault> {
        config::preferred(algorithms)?;
        Ok(Self {
            tuning,
            elsewhere: Arc::default(),
        })
    }
}

impl Libraries for Library {
    fn connect(&self, algorithms: &Algorithms) -> Result<Box<dyn Backend>, Fault> {
        let config = Arc::new(config::config(algorithms, &self.tuning)?);
        let engine = Engine::new(Arc::clone(&self.elsewhere)).map_err(|error| {
            let what = "a runtime could not be made";
            Fault::io(Reason::Unsupported, what, error)
        })?;
        let shared = Shared::new();
        let (commands, todo) = unbounded_channel();
        let (answers, given) = unbounded_channel();
        let conductor = Conductor {
            shared: shared.clone(),
            commands: todo,
            answers: given,
            back: commands.downgrade(),
        };
        let reporter = Reporter {
            shared: shared.clone(),
            host_key: None,
            banner: self.tuning.banner,
        };
        engine.spawn(conductor.run(config, reporter));
        Ok(Box::new(Russh {
            engine,
            shared,
            commands,
            answers,
            todo: true,
            keys: false,
            window: self.tuning.window as usize,
            compresses: algorithms.may_compress(),
        }))
    }
}

struct Russh {
    engine: Engine,
    shared: Shared,
    commands: UnboundedSender<Command>,
    answers: UnboundedSender<Answer>,
    /// There is something to do that did not come from the wire.
    todo: bool,
    /// Keys were exchanged: there is somebody to say farewell to.
    keys: bool,
    window: usize,
    compresses: bool,
}

/// Bytes that are given to the session at once: its packets lie in the processor's cache.
const GULP: usize = 256 * 1024;

impl Russh {
    fn command(&mut self, command: Command) {
        // A session that has ended takes none.
        let _over = self.commands.send(command);
        self.todo = true;
    }

    fn answer(&mut self, answer: Answer) {
        let _over = self.answers.send(answer);
        self.todo = true;
    }

    /// Gives the session what has arrived, as far as what it makes of it may wait.
    fn feed(&self, net_in: &mut Pipe) -> bool {
        let mut state = self.shared.lock();
        let mut fed = false;
        while state.incoming.len() < GULP
            && state.backlog < self.window
            && let Some(piece) = net_in.pop()
        {
            state.incoming.push(piece);
            fed = true;
        }
        if net_in.at_end() && !state.incoming.is_finished() {
            state.incoming.finish();
            fed = true;
        }
        if fed {
            state.arrived();
        }
        fed
    }
}

impl Backend for Russh {
    fn name(&self) -> &'static str {
        "russh"
    }

    fn pump(&mut self, net_in: &mut Pipe, net_out: &mut Pipe, cx: &mut Cx<'_>) {
        if self.todo {
            self.shared.lock().pool = cx.pool.clone();
        }
        while self.feed(net_in) || core::mem::take(&mut self.todo) {
            let ran = self.engine.run();
            let mut state = self.shared.lock();
            if !net_out.is_finished() {
                state.outgoing.drain_into(net_out);
            }
            if !ran {
                let what = "the thread that runs the session could not be made, or has failed";
                let fault = Fault::new(Culprit::Transport, Reason::Unsupported, what);
                state.push(Event::Failed(fault));
                return;
            }
        }
    }

    fn next(&mut self, most: usize, _: &mut Cx<'_>) -> Option<Event> {
        let event = self.shared.lock().pop(most)?;
        self.keys |= matches!(event, Event::HostKey { .. });
        // A channel whose request was refused is still there, and the conductor keeps both kinds.
        if let Event::Refused(channel, _) | Event::Closed(channel) = &event {
            self.command(Command::Close(*channel));
        }
        Some(event)
    }

    fn trust(&mut self) {
        self.command(Command::Trust);
    }

    fn authenticate(&mut self, user: &str, method: Method) {
        self.command(Command::Authenticate(user.to_owned(), method));
    }

    fn respond(&mut self, lines: Vec<Zeroizing<String>>) {
        self.answer(Answer::Lines(lines));
    }

    fn signature(&mut self, signature: Option<Vec<u8>>) {
        self.answer(Answer::Signature(signature));
    }

    fn gss(&mut self, step: Option<GssStep>) {
        self.answer(Answer::Gss(step));
    }

    fn open(&mut self, channel: Channel, kind: Open) {
        self.command(Command::Open(channel, kind));
    }

    fn room(&self, channel: Channel) -> usize {
        self.shared.lock().room(channel)
    }

    fn send(&mut self, channel: Channel, bytes: Buf) {
        let bytes = self.shared.lock().outgoing(channel, bytes);
        if let Some(bytes) = bytes {
            self.command(Command::Data(channel, bytes));
        }
    }

    fn eof(&mut self, channel: Channel) {
        self.command(Command::Eof(channel));
    }

    fn close(&mut self, channel: Channel) {
        self.command(Command::Close(channel));
        let mut state = self.shared.lock();
        // The library tells us nothing of a channel that we have closed.
        if state.ids.contains_key(&channel) {
            state.forget(channel);
            state.push(Event::Closed(channel));
        }
    }

    fn rekey(&mut self) {
        self.command(Command::Rekey);
    }

    fn keepalive(&mut self) {
        self.command(Command::Keepalive);
    }

    fn disconnect(&mut self, why: Farewell, text: &str) {
        let mut state = self.shared.lock();
        state.over = true;
        if !self.keys {
            // Nobody would understand it.
            state.outgoing.finish();
        }
        drop(state);
        self.command(Command::Disconnect(why, text.to_owned()));
    }

    fn held(&self) -> Option<usize> {
        let state = self.shared.lock();
        match self.compresses {
            true => None,
            false => Some(state.incoming.len() + state.since_data + state.backlog),
        }
    }
}
