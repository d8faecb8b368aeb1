//! What an SSH library has to do for the layer: transport, steps of a login, channels.
//!
//! A backend is driven from above and calls nobody: [`Backend::pump`] takes what has arrived and
//! makes what is to be sent, [`Backend::next`] gives out what came of it, one [`Event`] at a time.
//! It decides nothing. Which key to trust, which method to try next and when to say farewell are
//! the layer's affairs ([`crate::login`], [`crate::Ssh`]), and the same for all libraries.
//!
//! ```text
//!   pump ... HostKey -> trust() -> authenticate(None) -> Denied { methods }
//!        -> authenticate(PublicKey) -> Sign -> signature() -> Authenticated
//!        -> open() -> Opened -> send(), Data, Eof, ExitStatus -> close() -> Closed
//!        -> disconnect()                              Disconnected or Failed at any place: the last
//! ```

use std::time::Instant;

use sockless_core::{Buf, Cx, Fault, Pipe, Prompts};
use zeroize::Zeroizing;

use crate::message::Channel;

/// One connection of an SSH library, in memory.
pub trait Backend: Send {
    /// The library's name, for notes.
    fn name(&self) -> &'static str;

    /// Takes wire bytes, and makes wire bytes and events, as far as it can.
    ///
    /// It may leave bytes in `net_in` while events wait to be taken: what waits there is bounded
    /// by the windows that it has granted. A `net_in` at its end is the library's business too:
    /// its last event is then [`Event::Failed`] with `Reason::Truncated`. What it sends is
    /// never kept back: [`Backend::send`] is called only while `net_out` has room.
    fn pump(&mut self, net_in: &mut Pipe, net_out: &mut Pipe, cx: &mut Cx<'_>);

    /// What has happened, in order; at most `most` bytes of channel data at once (none if it
    /// is 0, but what is no data is given out while no data is in front of it). After
    /// [`Event::Disconnected`] or [`Event::Failed`] there is nothing more.
    fn next(&mut self, most: usize, cx: &mut Cx<'_>) -> Option<Event>;

    /// Says that the key of [`Event::HostKey`] is the peer's: nothing is done before that.
    fn trust(&mut self);

    /// Begins a method; ends with [`Event::Authenticated`] or [`Event::Denied`]. One at a time.
    fn authenticate(&mut self, user: &str, method: Method);

    /// Answers [`Event::Prompts`], a line for each prompt; may be followed by more prompts.
    fn respond(&mut self, lines: Vec<Zeroizing<String>>);

    /// Answers [`Event::Sign`] with a signature as it is on the wire: `string algorithm, string
    /// signature` (RFC 4253 section 6.6). `None`: the key cannot sign; [`Event::Denied`]
    /// follows, with the methods that were there before.
    fn signature(&mut self, signature: Option<Vec<u8>>);

    /// Answers [`Event::GssToken`] and [`Event::GssStart`]. `None`: the context could not be
    /// established; [`Event::Denied`] follows.
    fn gss(&mut self, step: Option<GssStep>);

    /// Opens a channel under a number that is free: [`Event::Opened`] or [`Event::Refused`].
    fn open(&mut self, channel: Channel, kind: Open);

    /// How many bytes the peer takes on that channel at the moment.
    fn room(&self, channel: Channel) -> usize;

    /// Sends bytes, at most [`Backend::room`].
    fn send(&mut self, channel: Channel, bytes: Buf);

    /// Says that no more data follows on that channel.
    fn eof(&mut self, channel: Channel);

    /// Closes a channel; [`Event::Closed`] follows.
    fn close(&mut self, channel: Channel);

    /// Exchanges keys again. The limit in bytes is the library's business, the one in time is not.
    fn rekey(&mut self);

    /// Asks the peer for a sign of life; whatever arrives is one.
    fn keepalive(&mut self);

    /// Says farewell: the last words of a connection, after all that was sent before.
    /// [`Event::Disconnected`] does not follow; nothing has to arrive any more.
    fn disconnect(&mut self, why: Farewell, text: &str);

    /// When it wants to be pumped without any input.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// At most how many of the bytes that it took from the wire are still in it and may become
    /// channel data. `None`: fewer may become more (compression).
    fn held(&self) -> Option<usize> {
        None
    }
}

/// A way to authenticate (RFC 4252, RFC 4256, RFC 4462).
pub enum Method {
    /// Asks for the methods that are allowed; some servers let everybody in.
    None,
    /// With a key: [`Event::Sign`] follows if the peer would take it.
    PublicKey {
        /// The public key or certificate as it is on the wire.
        key: Vec<u8>,
        /// Signature algorithms that the key can do, best first, e.g. `rsa-sha2-512`. The backend
        /// takes the first that the peer said it takes (RFC 8308), or the first of all.
        algorithms: Vec<&'static str>,
    },
    /// With a password.
    Password(Zeroizing<String>),
    /// With answers to what the peer asks: [`Event::Prompts`] follows.
    KeyboardInteractive,
    /// With a GSS context of one of these mechanisms (DER-encoded object identifiers):
    /// [`Event::GssStart`] follows.
    Gssapi(Vec<Vec<u8>>),
}

impl Method {
    /// Its name in RFC 4252 section 5 and in errors.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PublicKey { .. } => "publickey",
            Self::Password(_) => "password",
            Self::KeyboardInteractive => "keyboard-interactive",
            Self::Gssapi(_) => "gssapi-with-mic",
        }
    }
}

/// A step of gssapi-with-mic (RFC 4462 section 3).
pub enum GssStep {
    /// A token for the peer, whose answer is needed.
    Token(Vec<u8>),
    /// The context is established: the last token, if there is one, and the MIC over what
    /// [`Event::GssToken`] or [`Event::GssStart`] gave.
    Done {
        /// A token for the peer.
        token: Option<Vec<u8>>,
        /// The code that binds the context to this session.
        mic: Vec<u8>,
    },
}

/// What a channel is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Open {
    /// A session that runs a command. [`Event::Opened`] comes when it has started.
    Exec(Vec<u8>),
    /// A session that starts a subsystem. [`Event::Opened`] comes when it has started.
    Subsystem(String),
    /// A stream to somewhere else (RFC 4254 section 7.2).
    DirectTcpip {
        /// Host, by name or address, as the peer is to reach it.
        host: String,
        /// Its port.
        port: u16,
    },
}

/// What happened on a connection.
pub enum Event {
    /// Keys were exchanged with a peer that has proved to own this key. Answered by
    /// [`Backend::trust`] or [`Backend::disconnect`].
    HostKey {
        /// The key or certificate as it is on the wire.
        key: Vec<u8>,
        /// What was agreed on.
        agreed: Agreed,
    },
    /// Text for the user, from before the login is done. Escape it before it is shown.
    Banner(String),
    /// The method was not enough.
    Denied {
        /// The methods that may go on, by name.
        methods: Vec<String>,
        /// It was right, but more is wanted (two-factor).
        partial: bool,
    },
    /// The login is done.
    Authenticated,
    /// The peer wants lines typed: [`Backend::respond`].
    Prompts(Prompts),
    /// The peer would take the key: [`Backend::signature`].
    Sign {
        /// The algorithm to sign with.
        algorithm: String,
        /// What is to be signed.
        data: Zeroizing<Vec<u8>>,
    },
    /// The peer takes this mechanism: [`Backend::gss`] with the first token.
    GssStart {
        /// The mechanism's object identifier, DER-encoded.
        mechanism: Vec<u8>,
        /// What the MIC is made over at the end.
        mic_over: Vec<u8>,
    },
    /// The peer's token: [`Backend::gss`].
    GssToken {
        /// The token.
        token: Vec<u8>,
        /// What the MIC is made over at the end.
        mic_over: Vec<u8>,
    },
    /// The peer says what went wrong with its side of the context (RFC 4462 section 3.8);
    /// [`Event::Denied`] follows. Escape it before it is shown.
    GssError(String),
    /// The channel is open and what was asked for has started.
    Opened(Channel),
    /// The channel could not be opened, or refused what was asked for; its number is free.
    Refused(Channel, String),
    /// Bytes of the channel's stream.
    Data(Channel, Buf),
    /// Bytes of the command's standard error.
    Stderr(Channel, Buf),
    /// No more data comes.
    Eof(Channel),
    /// The command has ended with this code.
    ExitStatus(Channel, u32),
    /// The command was ended by this signal, named without `SIG`.
    ExitSignal(Channel, String),
    /// The channel is closed; its number is free.
    Closed(Channel),
    /// The peer has said farewell.
    Disconnected {
        /// Its reason (RFC 4253 section 11.1).
        code: u32,
        /// Its words. Escape them before they are shown.
        text: String,
    },
    /// It is over.
    Failed(Fault),
}

/// What both sides of a key exchange agreed on, by OpenSSH's names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// Key exchange.
    pub kex: String,
    /// The host key's algorithm.
    pub host_key: String,
    /// Ciphers: to the peer, from the peer.
    pub cipher: [String; 2],
    /// MACs: to the peer, from the peer; empty for ciphers that have their own.
    pub mac: [String; 2],
    /// Compression: to the peer, from the peer.
    pub compression: [String; 2],
    /// Sequence numbers begin anew with each key (against Terrapin, CVE-2023-48795).
    pub strict: bool,
}

impl Agreed {
    /// Whether somebody on the way could take messages out of the beginning unseen (Terrapin,
    /// CVE-2023-48795): a cipher or MAC that knows its place by counting alone, and a count that
    /// goes on over the key exchange.
    pub(crate) fn loses_messages(&self) -> bool {
        let by_way = |(cipher, mac): (&String, &String)| {
            cipher.contains("chacha20-poly1305") || mac.contains("-etm@")
        };
        !self.strict && self.cipher.iter().zip(&self.mac).any(by_way)
    }
}

/// Why a connection ends, as the peer is told (RFC 4253 section 11.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Farewell {
    /// The peer broke the protocol.
    ProtocolError = 2,
    /// Its key is not trusted.
    HostKeyNotVerifiable = 9,
    /// Everything is done.
    ByApplication = 11,
    /// The user gave up.
    AuthCancelledByUser = 13,
    /// No method is left.
    NoMoreAuthMethods = 14,
}
