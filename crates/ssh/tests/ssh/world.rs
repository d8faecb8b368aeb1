//! A filter and a server, with the wire between them in our hands.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sockless_core::{
    Answer, Asks, Buf, Cx, Fault, Filter, Note, Phase, Pipe, Pool, Question, Seams,
};
use sockless_ssh::login::{Credentials, HostKeys, Offer, Offers, Signer, Signing, Verdict};
use sockless_ssh::message::{self, Kind, Message, Reader};
use sockless_ssh::{Config, Ssh};

use russh::keys::PrivateKey;
use russh::keys::ssh_key::Certificate;

use super::server::{Manner, Server, host_key};

/// Trusts one key.
pub(crate) struct Known(pub(crate) Vec<u8>);

impl Default for Known {
    fn default() -> Self {
        Self(host_key().public_key().to_bytes().expect("a key"))
    }
}

impl HostKeys for Known {
    fn judge(&self, _: &str, _: u16, key: &[u8], _: SystemTime) -> Verdict {
        match key == self.0 {
            true => Verdict::Trust,
            false => Verdict::Ask,
        }
    }
}

/// Keys in memory.
pub(crate) struct Ring {
    pub(crate) keys: Vec<(PrivateKey, Option<Certificate>)>,
    /// Pumps that a signature takes.
    pub(crate) slow: u32,
    pub(crate) broken: bool,
}

impl Ring {
    pub(crate) fn new(keys: impl IntoIterator<Item = PrivateKey>) -> Self {
        Self {
            keys: keys.into_iter().map(|key| (key, None)).collect(),
            slow: 0,
            broken: false,
        }
    }
}

impl sockless_ssh::login::Keys for Ring {
    fn offers(&self) -> Box<dyn Offers> {
        let one = |(key, certificate): &(PrivateKey, Option<Certificate>)| One {
            public: match certificate {
                Some(certificate) => certificate.to_bytes().expect("a certificate"),
                None => key.public_key().to_bytes().expect("a key"),
            },
            certified: certificate.is_some(),
            key: key.clone(),
            slow: self.slow,
            broken: self.broken,
        };
        Box::new(Rest(self.keys.iter().map(one).rev().collect()))
    }
}

struct Rest(Vec<One>);

impl Offers for Rest {
    fn next(&mut self, _: &mut Cx<'_>) -> Offer {
        match self.0.pop() {
            Some(one) => Offer::Key(Box::new(one)),
            None => Offer::End,
        }
    }
}

struct One {
    public: Vec<u8>,
    key: PrivateKey,
    certified: bool,
    slow: u32,
    broken: bool,
}

impl Signer for One {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn name(&self) -> &str {
        "a key in memory"
    }

    fn algorithms(&self) -> Vec<&'static str> {
        match (self.key.algorithm().is_rsa(), self.certified) {
            (true, _) => vec!["rsa-sha2-512", "rsa-sha2-256"],
            (false, false) => vec!["ssh-ed25519"],
            (false, true) => vec!["ssh-ed25519-cert-v01@openssh.com"],
        }
    }

    fn sign(&mut self, data: &[u8], algorithm: &str, _: &mut Cx<'_>) -> Signing {
        use russh::keys::signature::Signer as _;
        if self.broken {
            return Signing::Failed("it is broken".to_owned());
        }
        if self.slow > 0 {
            self.slow -= 1;
            return Signing::Asked;
        }
        let signature = match algorithm.starts_with("rsa-") {
            true => {
                let hash = russh::keys::HashAlg::Sha512;
                assert_eq!(algorithm, "rsa-sha2-512");
                let pair = self.key.key_data().rsa().expect("an RSA key");
                (pair, Some(hash)).try_sign(data)
            }
            false => self.key.try_sign(data),
        };
        let signature = signature.expect("a signature");
        Signing::Done(Vec::try_from(signature).expect("it can be encoded"))
    }
}

pub(crate) fn config(credentials: Credentials) -> Config {
    Config::new(credentials, Arc::new(Known::default())).library(crate::LIBRARY)
}

pub(crate) fn alice() -> Credentials {
    Credentials::new("alice").password("secret")
}

pub(crate) struct World {
    pub(crate) filter: Ssh,
    pub(crate) server: Server,
    pub(crate) net_in: Pipe,
    pub(crate) net_out: Pipe,
    pub(crate) app_in: Pipe,
    pub(crate) app_out: Pipe,
    pub(crate) asks: Asks,
    pub(crate) notes: Vec<String>,
    pub(crate) fault: Option<Fault>,
    pub(crate) now: Instant,
    pub(crate) reader: Reader,
    pub(crate) messages: Vec<Message>,
    /// Whether the application takes what comes.
    pub(crate) reads: bool,
    /// What is above is a byte stream.
    pub(crate) stream: bool,
    /// Bytes that arrive at once.
    pub(crate) step: usize,
    pool: Pool,
}

impl World {
    pub(crate) fn new(filter: Ssh, manner: Manner) -> Self {
        #[allow(clippy::disallowed_methods, reason = "tests begin at some time")]
        let now = Instant::now();
        Self {
            filter,
            server: Server::new(manner),
            net_in: Pipe::new(256 * 1024),
            net_out: Pipe::new(256 * 1024),
            app_in: Pipe::new(256 * 1024),
            app_out: Pipe::new(256 * 1024),
            asks: Asks::new(),
            notes: Vec::new(),
            fault: None,
            now,
            reader: Reader::new(),
            messages: Vec::new(),
            reads: true,
            stream: false,
            step: usize::MAX,
            pool: Pool::default(),
        }
    }

    pub(crate) fn channels(credentials: Credentials, manner: Manner) -> Self {
        let client = config(credentials).build().expect("good settings");
        Self::new(client.channels("host", 22).expect("a filter"), manner)
    }

    pub(crate) fn logged_in() -> Self {
        let mut world = Self::channels(alice(), Manner::default());
        world.run();
        world.expect_open();
        world
    }

    /// A login whose bytes somebody else carries.
    pub(crate) fn logged_in_over(mut carry: impl FnMut(&mut Self)) -> Self {
        let mut world = Self::channels(alice(), Manner::default());
        for _ in 0..30 {
            world.pump();
            carry(&mut world);
        }
        world
    }

    #[track_caller]
    pub(crate) fn expect_open(&self) {
        assert!(self.fault.is_none(), "{:?}", self.fault);
        assert_eq!(self.filter.phase(), Phase::Open, "{:?}", self.notes);
    }

    /// One pump of the filter.
    pub(crate) fn pump(&mut self) {
        let mut copied = 0;
        let mut notes = Vec::<Note>::new();
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let mut cx = Cx::new(self.now, wall, &self.pool, &mut copied, Some(&mut notes))
            .asking(&mut self.asks);
        let seams = Seams {
            net_in: &mut self.net_in,
            net_out: &mut self.net_out,
            app_in: &mut self.app_in,
            app_out: &mut self.app_out,
        };
        if let Err(fault) = self.filter.pump(seams, &mut cx) {
            self.fault.get_or_insert(fault);
        }
        if self.reads && !self.stream {
            while let Some(message) = self.reader.next(&mut self.app_in, usize::MAX, &mut cx) {
                self.messages.push(message);
            }
        }
        for note in notes {
            if let Note::Info { text, .. } = note {
                self.notes.push(text);
            }
        }
    }

    /// Carries everything until nothing moves.
    pub(crate) fn run(&mut self) {
        for _ in 0..1_000_000 {
            let before = self.moved();
            self.pump();
            self.carry();
            if self.moved() == before {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// What is on the wire goes to the other side.
    pub(crate) fn carry(&mut self) {
        while let Some(piece) = self.net_out.pop() {
            self.server.hear(&piece);
        }
        if self.net_out.at_end() {
            self.server.hang_up();
        }
        let (bytes, end) = self.server.speak();
        if !self.net_in.is_finished() {
            for piece in bytes.chunks(self.step) {
                self.net_in.push(Buf::from(piece));
            }
            if end {
                self.net_in.finish();
            }
        }
    }

    fn moved(&self) -> u64 {
        let pipes = [&self.net_in, &self.net_out, &self.app_in, &self.app_out];
        pipes.map(Pipe::moved).iter().sum()
    }

    pub(crate) fn put(&mut self, channel: u32, kind: Kind, payload: &[u8]) {
        let mut copied = 0;
        let cx = Cx::new(
            self.now,
            SystemTime::UNIX_EPOCH,
            &self.pool,
            &mut copied,
            None,
        );
        message::put(&mut self.app_out, &cx, channel, kind, Buf::from(payload));
    }

    pub(crate) fn kinds(&self, channel: u32) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self
            .messages
            .iter()
            .filter(|message| message.channel == channel)
            .map(|message| message.kind)
            .collect();
        kinds.dedup();
        kinds
    }

    pub(crate) fn payload(&self, channel: u32, kind: Kind) -> Vec<u8> {
        self.messages
            .iter()
            .filter(|message| (message.channel, message.kind) == (channel, kind))
            .flat_map(|message| message.payload.to_vec())
            .collect()
    }

    pub(crate) fn asked(&mut self) -> Option<Question> {
        self.asks.pop()
    }

    pub(crate) fn answer(&mut self, question: &Question, answer: Answer) {
        assert!(self.asks.answer(question.id, answer));
    }

    pub(crate) fn attempts(&self) -> Vec<String> {
        self.server.seen.lock().expect("no panic").attempts.clone()
    }

    #[track_caller]
    pub(crate) fn fault(&self) -> &Fault {
        self.fault.as_ref().expect("it fails")
    }
}
