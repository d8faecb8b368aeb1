//! The backend on libssh2.
//!
//! libssh2 asks for bytes and gives bytes away through callbacks, which work on memory here: there is
//! no socket. Its calls are repeated until they are through; what keeps them from it is always that
//! more has to come from the peer, since sending takes everything at once.
//!
//! What it cannot do: begin a key exchange of its own (it answers the peer's), gssapi-with-mic,
//! tell whether a method of a login was right though not enough (see `login`), and read anything
//! while no channel is open or being opened.

mod channels;
mod fault;
mod ffi;
mod frames;
mod hello;
mod login;
mod offer;
mod ready;

use std::task::Poll;
use std::time::Duration;

use sockless_core::{Buf, Culprit, Cx, Fault, Pipe, Reason};
use zeroize::Zeroizing;

use crate::algorithms::Algorithms;
use crate::backend::{Agreed, Backend, Event, Farewell, GssStep, Method, Open};
use crate::client::{Libraries, Tuning};
use crate::message::Channel;
use channels::Channels;
use ffi::{Failure, Method as Negotiated, Session};
use frames::Frames;
use hello::Hello;
use login::Login;
use ready::Ready;

/// Bytes that wait for their turn.
const AHEAD: usize = 256 * 1024;

/// Memory of libssh2's, in bytes, beyond which no more bytes are given to it: so much, and more for
/// each channel.
const MEMORY: usize = 4 * 1024 * 1024;

/// What it may use beyond that, since packets that were given to it already take more than their bytes.
const MARGIN: usize = 4 * 1024 * 1024;

/// What libssh2 may hold of a packet that has not come as a whole, and of what it has read beyond it.
const INSIDE: usize = 80 * 1024;

/// The least time between two requests for a sign of life, by libssh2's own clock.
const BETWEEN: Duration = Duration::from_secs(2);

/// What the connections of one client share.
pub(crate) struct Library {
    tuning: Tuning,
}

impl Library {
    /// Checks that it has the algorithms.
    pub(crate) fn new(algorithms: &Algorithms, tuning: Tuning) -> Result<Self, Fault> {
        let mut session = Session::new(MEMORY + MARGIN).ok_or_else(offer::no_memory)?;
        offer::make(&mut session, algorithms)?;
        if tuning.keepalive.is_some_and(|interval| interval < BETWEEN) {
            let what = "libssh2 asks for a sign of life every two seconds at most";
            return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
        }
        Ok(Self { tuning })
    }
}

impl Libraries for Library {
    fn connect(&self, algorithms: &Algorithms) -> Result<Box<dyn Backend>, Fault> {
        let mut session = Session::new(MEMORY + MARGIN).ok_or_else(offer::no_memory)?;
        let algorithms = offer::make(&mut session, algorithms)?;
        Ok(Box::new(Libssh2 {
            session,
            algorithms,
            stage: Stage::Handshake,
            incoming: Pipe::new(AHEAD),
            frames: Frames::new(),
            hello: Hello::new(self.tuning.banner),
            login: Login::new(self.tuning.banner),
            channels: Channels::new(self.tuning.window, self.tuning.packet),
            ready: Ready::default(),
            is_left: false,
        }))
    }
}

/// One connection, in libssh2.
struct Libssh2 {
    session: Session,
    /// What is offered.
    algorithms: Algorithms,
    stage: Stage,
    /// From the peer, not given to libssh2 yet.
    incoming: Pipe,
    frames: Frames,
    hello: Hello,
    login: Login,
    channels: Channels,
    ready: Ready,
    /// A side has said farewell.
    is_left: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Versions and keys are exchanged.
    Handshake,
    /// The host key has been told; nobody trusts it yet.
    Untrusted,
    /// A login, or between its methods.
    Login,
    /// Channels.
    Open,
    /// It has failed, or somebody has said farewell.
    Over,
}

impl Libssh2 {
    /// Takes what has come, as far as libssh2 has memory for it.
    fn take(&mut self, net_in: &mut Pipe) {
        let most = MEMORY + self.channels.memory();
        self.session.allow_memory(most + MARGIN);
        while self.incoming.room() > 0 && self.session.memory() < most {
            let Some(piece) = net_in.pop() else { return };
            self.hello.hear(&piece);
            self.incoming.push(piece);
        }
    }

    /// Gives libssh2 one packet after another, and takes what comes of each.
    fn digest(&mut self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        loop {
            if self.frames.is_sealed_anew() {
                let mut name = |method| self.session.agreed(method).unwrap_or_default();
                let (cipher, mac) = (name(Negotiated::CipherIn), name(Negotiated::MacIn));
                self.frames.seal(&cipher, &mac);
            }
            let input = self.session.input();
            let fed = input.is_empty() && self.frames.feed(&mut self.incoming, input);
            let before = self.session.waiting();
            self.advance(cx)?;
            // What it does not ask for now it will ask for when a channel is opened.
            if !fed && self.session.waiting() == before {
                return Ok(());
            }
        }
    }

    fn advance(&mut self, cx: &mut Cx<'_>) -> Result<(), Failure> {
        if self.stage == Stage::Handshake
            && let Poll::Ready(done) = self.session.handshake()
        {
            done?;
            self.stage = Stage::Untrusted;
            let key = self.session.host_key();
            let agreed = self.agreed();
            self.ready.push(Event::HostKey { key, agreed });
        }
        while self.stage == Stage::Login
            && let Some(event) = self.login.advance(&mut self.session)?
        {
            match event {
                Event::Authenticated => self.stage = Stage::Open,
                Event::Failed(_) => self.stage = Stage::Over,
                _ => {}
            }
            self.ready.push(event);
        }
        if self.stage == Stage::Open {
            self.channels
                .drive(&mut self.session, &mut self.ready, cx)?;
        }
        Ok(())
    }

    /// The stream has ended: libssh2 learns of it once all that can be read from it has been.
    fn end(&mut self, cx: &mut Cx<'_>) {
        if self.channels.readable(&self.session) > 0 && !self.ready.has_room() {
            return;
        }
        self.session.end_input();
        let is_handshake = self.stage == Stage::Handshake;
        let ended = self.advance(cx);
        let failure = match ended.and_then(|()| self.overhear()) {
            // Whatever step of the key exchange it was in says that it failed, and not why.
            Err(failure) if !is_handshake => failure,
            _ => Failure::ended(),
        };
        self.fail(&failure);
    }

    /// Reads what nobody has asked for, which may be a farewell. A request for a channel reads; it
    /// is not sent, and so nothing can be after it.
    fn overhear(&mut self) -> Result<(), Failure> {
        if self.stage == Stage::Handshake {
            return Ok(());
        }
        self.is_left = true;
        self.session.mute();
        self.incoming.drain_into(self.session.input());
        match self.session.open("session", (0, 0), &[]) {
            Poll::Ready(Err(failure)) => Err(failure),
            _ => Ok(()),
        }
    }

    fn fail(&mut self, failure: &Failure) {
        let is_login = core::mem::replace(&mut self.stage, Stage::Over) == Stage::Login;
        self.ready.push(match self.session.disconnect_of_peer() {
            Some((code, text)) => {
                self.is_left = true;
                Event::Disconnected { code, text }
            }
            None if is_login && failure.is_too_long() => Event::Failed(fault::too_long()),
            None if failure.is_lost() => Event::Failed(fault::truncated(&self.hello)),
            None => Event::Failed(fault::of(failure, &self.hello, &self.algorithms)),
        });
    }

    fn agreed(&mut self) -> Agreed {
        let mut name = |method| self.session.agreed(method).unwrap_or_default();
        let cipher = [name(Negotiated::CipherOut), name(Negotiated::CipherIn)];
        let mac = [name(Negotiated::MacOut), name(Negotiated::MacIn)];
        Agreed {
            kex: name(Negotiated::Kex),
            host_key: name(Negotiated::HostKey),
            mac: [0, 1].map(|way| match offer::is_aead(&cipher[way]) {
                true => String::new(),
                false => mac[way].clone(),
            }),
            cipher,
            compression: [
                name(Negotiated::CompressionOut),
                name(Negotiated::CompressionIn),
            ],
            strict: self.hello.offer().is_some_and(hello::Offer::is_strict),
        }
    }
}

impl Backend for Libssh2 {
    fn name(&self) -> &'static str {
        "libssh2"
    }

    fn pump(&mut self, net_in: &mut Pipe, net_out: &mut Pipe, cx: &mut Cx<'_>) {
        if self.stage != Stage::Over {
            self.session.use_pool(cx.pool);
            self.take(net_in);
            if let Some(fault) = fault::of_hello(&self.hello) {
                self.stage = Stage::Over;
                self.ready.push(Event::Failed(fault));
            } else if let Err(failure) = self.digest(cx) {
                self.fail(&failure);
            } else if self.stage != Stage::Over && net_in.at_end() {
                self.end(cx);
            }
        }
        if !net_out.is_finished() {
            self.session.output().drain_into(net_out);
        }
    }

    fn next(&mut self, most: usize, _cx: &mut Cx<'_>) -> Option<Event> {
        self.ready.pop(most)
    }

    fn trust(&mut self) {
        if self.stage == Stage::Untrusted {
            self.stage = Stage::Login;
        }
    }

    fn authenticate(&mut self, user: &str, method: Method) {
        self.login.begin(user, method);
    }

    fn respond(&mut self, lines: Vec<Zeroizing<String>>) {
        self.login.respond(lines);
    }

    fn signature(&mut self, signature: Option<Vec<u8>>) {
        self.login.signature(signature);
    }

    /// libssh2 has no gssapi-with-mic: the method is denied when it is begun.
    fn gss(&mut self, _step: Option<GssStep>) {}

    fn open(&mut self, channel: Channel, kind: Open) {
        self.channels.open(channel, kind, &mut self.ready);
    }

    fn room(&self, channel: Channel) -> usize {
        match self.stage {
            Stage::Open => self.channels.room(channel, &self.session),
            _ => 0,
        }
    }

    fn send(&mut self, channel: Channel, bytes: Buf) {
        if self.stage == Stage::Open
            && let Err(failure) = self.channels.send(channel, bytes, &mut self.session)
        {
            self.fail(&failure);
        }
    }

    fn eof(&mut self, channel: Channel) {
        if self.stage == Stage::Open
            && let Err(failure) = self.channels.finish(channel, &mut self.session)
        {
            self.fail(&failure);
        }
    }

    fn close(&mut self, channel: Channel) {
        self.channels.close(channel, &mut self.ready);
    }

    /// libssh2 begins no key exchange; it answers the peer's.
    fn rekey(&mut self) {}

    fn keepalive(&mut self) {
        if self.stage == Stage::Open
            && let Err(failure) = self.session.keep_alive()
        {
            self.fail(&failure);
        }
    }

    fn disconnect(&mut self, why: Farewell, text: &str) {
        let knows_us = !matches!(self.stage, Stage::Handshake);
        self.stage = Stage::Over;
        if knows_us && !self.is_left {
            self.is_left = true;
            self.session.disconnect(why as i32, text);
        }
    }

    fn held(&self) -> Option<usize> {
        match self.algorithms.may_compress() {
            true => None,
            false => Some(
                self.incoming.len()
                    + self.session.waiting()
                    + self.channels.readable(&self.session)
                    + self.ready.bytes()
                    + INSIDE,
            ),
        }
    }
}
