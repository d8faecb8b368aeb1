//! A command at the server, with its streams.

use sockless_core::{
    Body, Buf, Culprit, Cx, Event, Exchange, Exit, Fault, Pipe, Reason, Top, Turn,
};

use crate::channel::Channel;
use crate::message::Kind;

/// Runs a command.
///
/// ```text
///   New --exec--> Asked --Opened--> Open --Closed--> done
///                                   |  Data   -> Event::Data      (standard output)
///                                   |  Stderr -> Event::Stderr
///                                   |  body   -> standard input, its end included
///                                   |  ExitStatus, ExitSignal -> Event::Exited, in the end
/// ```
/// The request's body is the command's standard input, unless it is [`Exec::without_input`]. A command that ends before it has read
/// all of that is no error; nor is an exit code: [`Event::Exited`] has it.
#[derive(Debug)]
pub struct Exec {
    command: Vec<u8>,
    channel: Channel,
    /// Standard input may still be said.
    says: bool,
    /// It is the request's body.
    has_input: bool,
    /// Bytes that the command may still say.
    left: u64,
    at_most: u64,
    used: bool,
}

impl Exec {
    /// A command as the server's shell for the user takes it.
    pub fn new(command: impl Into<Vec<u8>>) -> Self {
        Self {
            command: command.into(),
            channel: Channel::default(),
            says: true,
            has_input: true,
            left: u64::MAX,
            at_most: u64::MAX,
            used: false,
        }
    }

    /// The command has no standard input: it is at its end from the beginning, and nobody has to
    /// end a body.
    #[must_use]
    pub fn without_input(mut self) -> Self {
        self.has_input = false;
        self
    }

    /// Fails when the command says more bytes than that, standard error included. Default: no bound.
    #[must_use]
    pub fn at_most(mut self, bytes: u64) -> Self {
        (self.left, self.at_most) = (bytes, bytes);
        self
    }

    fn count(&mut self, piece: &Buf) -> Result<(), Fault> {
        let left = self.left.checked_sub(piece.len() as u64);
        self.left = left.ok_or_else(|| {
            let most = self.at_most;
            let what =
                format!("the command says more than the {most} bytes that are wanted at most");
            Fault::new(Culprit::Limit, Reason::BodyTooLarge, what)
        })?;
        Ok(())
    }

    /// What the command says; whether it is over.
    fn hear(&mut self, io: &mut Top<'_>, cx: &mut Cx<'_>) -> Result<bool, Fault> {
        while let Some((kind, payload)) =
            self.channel.message(io.from_peer, io.events.room(), cx)?
        {
            if matches!(kind, Kind::Data | Kind::Stderr) {
                self.count(&payload)?;
            }
            match kind {
                Kind::Data => io.events.data(payload),
                Kind::Stderr => io.events.emit(Event::Stderr(small(payload))),
                Kind::Closed => {
                    let exit = match (self.channel.code(), self.channel.signal()) {
                        (Some(code), _) => Exit::Code(code),
                        (None, Some(signal)) => Exit::Signal(signal.to_vec()),
                        (None, None) => Exit::Unknown,
                    };
                    io.events.emit(Event::Exited(exit));
                    return Ok(true);
                }
                _ => {}
            }
            self.used |= matches!(kind, Kind::Data | Kind::Stderr);
        }
        Ok(false)
    }

    fn say(&mut self, to_peer: &mut Pipe, body: &mut Body, cx: &Cx<'_>) {
        if !self.says || !self.channel.is_open() {
            return;
        }
        if !self.has_input {
            (self.says, self.used) = (false, true);
            return self.channel.finish(to_peer, cx);
        }
        while let Some(piece) = body.pipe.pop_max(to_peer.room()) {
            self.used = true;
            self.channel.say_framed(to_peer, &[], vec![piece], cx);
        }
        if body.pipe.at_end() {
            (self.says, self.used) = (false, true);
            self.channel.finish(to_peer, cx);
        } else if to_peer.room() > 0 {
            // Nobody waits for it: the command may end without.
            body.offer();
        }
    }
}

/// The most of a piece of standard error that is copied, in bytes: it may keep a large block.
const SMALL: usize = 1024;

fn small(piece: Buf) -> Buf {
    match piece.len() <= SMALL {
        true => Buf::from(&*piece),
        false => piece,
    }
}

impl Exchange for Exec {
    fn layer(&self) -> &'static str {
        "exec"
    }

    fn pump(&mut self, mut io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        if !self.channel.is_asked() {
            self.channel.exec(io.to_peer, &self.command, cx);
        }
        if self.hear(&mut io, cx)? {
            return Ok(Turn::Finished { reusable: true });
        }
        self.say(io.to_peer, io.body, cx);
        Ok(Turn::Blocked)
    }

    /// Once the channel is open, the command may have done something.
    fn restart(&mut self, _reused: bool) -> bool {
        let can = !self.used && !self.channel.is_open();
        if can {
            self.channel = Channel::default();
        }
        can
    }

    fn awaits_answer(&self) -> bool {
        self.channel.is_asked() && !self.channel.is_open()
    }
}
