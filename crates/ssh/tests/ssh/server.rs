//! A server in memory, by the library's own server side: echoes, says, counts, refuses.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use russh::keys::ssh_key::Certificate;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{Algorithm, PrivateKey, PublicKey};
use russh::server::{self, Auth, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Disconnect, MethodKind, MethodSet};
use tokio::io::{AsyncRead, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::runtime::{Builder, Runtime};

/// What a server lets in, and how it is.
#[derive(Clone)]
pub(crate) struct Manner {
    pub(crate) methods: Vec<MethodKind>,
    /// Methods that all have to succeed, in order; empty: one of `methods` is enough.
    pub(crate) chain: Vec<MethodKind>,
    pub(crate) password: String,
    pub(crate) keys: Vec<PublicKey>,
    /// What keyboard-interactive asks, and the right answers.
    pub(crate) prompts: Vec<(&'static str, bool, &'static str)>,
    pub(crate) banner: Option<String>,
    pub(crate) window: u32,
    pub(crate) preferred: russh::Preferred,
    pub(crate) limits: russh::Limits,
    pub(crate) host_key: PrivateKey,
    pub(crate) certificates: Vec<Certificate>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            methods: vec![
                MethodKind::PublicKey,
                MethodKind::Password,
                MethodKind::KeyboardInteractive,
            ],
            chain: Vec::new(),
            password: "secret".to_owned(),
            keys: Vec::new(),
            prompts: vec![("Password: ", false, "secret")],
            banner: None,
            window: 2 * 1024 * 1024,
            preferred: russh::Preferred::default(),
            limits: russh::Limits::default(),
            host_key: host_key(),
            certificates: Vec::new(),
        }
    }
}

/// The same in all tests.
pub(crate) fn host_key() -> PrivateKey {
    key(1)
}

/// An Ed25519 key that follows from a number.
pub(crate) fn key(seed: u8) -> PrivateKey {
    let pair = Ed25519Keypair::from_seed(&[seed; 32]);
    PrivateKey::from(pair)
}

pub(crate) fn rsa_key() -> PrivateKey {
    let mut rng = russh::keys::key::safe_rng();
    PrivateKey::random(&mut rng, Algorithm::Rsa { hash: None }).expect("a key")
}

/// What the server has seen.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) attempts: Vec<String>,
    pub(crate) opened: Vec<String>,
    pub(crate) received: Vec<u8>,
    pub(crate) sessions: usize,
    /// Of the last tunnel.
    pub(crate) tunnel: Option<ChannelId>,
    pub(crate) eof: bool,
    pub(crate) closed: usize,
    pub(crate) ended: bool,
}

pub(crate) struct Server {
    runtime: Option<Runtime>,
    parks: Arc<Mutex<(u32, Option<Waker>)>>,
    wire: Option<DuplexStream>,
    pub(crate) seen: Arc<Mutex<Seen>>,
    handle: Arc<Mutex<Option<server::Handle>>>,
    attempts: usize,
}

impl Server {
    pub(crate) fn new(manner: Manner) -> Self {
        let parks = Arc::new(Mutex::new((0, None::<Waker>)));
        let counted = Arc::clone(&parks);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .on_thread_park(move || {
                let mut parks = counted.lock().expect("no panic");
                parks.0 += 1;
                if let Some(waker) = &parks.1 {
                    waker.wake_by_ref();
                }
            })
            .build()
            .expect("a runtime");
        let (ours, theirs) = tokio::io::duplex(1 << 30);
        let seen = Arc::<Mutex<Seen>>::default();
        let handle = Arc::<Mutex<Option<server::Handle>>>::default();
        let config = server::Config {
            methods: MethodSet::from(&manner.methods[..]),
            auth_rejection_time: std::time::Duration::ZERO,
            auth_rejection_time_initial: None,
            keys: vec![manner.host_key.clone()],
            certificates: manner.certificates.clone(),
            window_size: manner.window,
            maximum_packet_size: 32 * 1024,
            preferred: manner.preferred.clone(),
            limits: manner.limits.clone(),
            inactivity_timeout: None,
            max_auth_attempts: 20,
            event_buffer_size: 10_000,
            ..server::Config::default()
        };
        let host = Host {
            manner,
            seen: Arc::clone(&seen),
            passed: 0,
        };
        let (kept, done) = (Arc::clone(&handle), Arc::clone(&seen));
        runtime.spawn(async move {
            if let Ok(session) = server::run_stream(Arc::new(config), theirs, host).await {
                *kept.lock().expect("no panic") = Some(session.handle());
                let _ended = session.await;
            }
            done.lock().expect("no panic").ended = true;
        });
        Self {
            runtime: Some(runtime),
            parks,
            wire: Some(ours),
            seen,
            handle,
            attempts: 0,
        }
    }

    fn run(&mut self) {
        self.quiesce();
        let attempts = self.seen.lock().expect("no panic").attempts.len();
        if core::mem::replace(&mut self.attempts, attempts) != attempts {
            // The library rejects by a timer, which a tick has to pass for.
            let tick = std::time::Duration::from_millis(2);
            let runtime = self.runtime.as_ref().expect("it is there");
            runtime.block_on(async { tokio::time::sleep(tick).await });
            self.quiesce();
        }
    }

    fn quiesce(&self) {
        let runtime = self.runtime.as_ref().expect("it is there");
        self.parks.lock().expect("no panic").0 = 0;
        let parks = &self.parks;
        runtime.block_on(poll_fn(|cx| {
            let mut parks = parks.lock().expect("no panic");
            if parks.0 >= 2 {
                return Poll::Ready(());
            }
            parks.1 = Some(cx.waker().clone());
            Poll::Pending
        }));
    }

    pub(crate) fn hear(&mut self, wire: &[u8]) {
        if let Some(stream) = &mut self.wire {
            let runtime = self.runtime.as_ref().expect("it is there");
            let _gone = runtime.block_on(stream.write_all(wire));
        }
        self.run();
    }

    /// The client's end of the connection.
    pub(crate) fn hang_up(&mut self) {
        if let Some(stream) = &mut self.wire {
            let runtime = self.runtime.as_ref().expect("it is there");
            let _gone = runtime.block_on(stream.shutdown());
        }
        self.run();
    }

    /// What it has for the wire, and whether that was all for ever.
    pub(crate) fn speak(&mut self) -> (Vec<u8>, bool) {
        self.run();
        let mut all = Vec::new();
        let Some(stream) = &mut self.wire else {
            return (all, true);
        };
        let runtime = self.runtime.as_ref().expect("it is there");
        let mut chunk = vec![0; 256 * 1024];
        loop {
            let n = runtime.block_on(poll_fn(|cx| {
                let mut buf = ReadBuf::new(&mut chunk);
                match Pin::new(&mut *stream).poll_read(cx, &mut buf) {
                    Poll::Ready(Ok(())) => Poll::Ready(Some(buf.filled().len())),
                    Poll::Ready(Err(_)) => Poll::Ready(Some(0)),
                    Poll::Pending => Poll::Ready(None),
                }
            }));
            match n {
                None => return (all, false),
                Some(0) => return (all, true),
                Some(n) => all.extend_from_slice(&chunk[..n]),
            }
        }
    }

    fn with(&mut self, ask: impl AsyncFnOnce(server::Handle)) {
        let handle = self.handle.lock().expect("no panic").clone();
        let runtime = self.runtime.as_ref().expect("it is there");
        if let Some(handle) = handle {
            runtime.block_on(ask(handle));
        }
        self.run();
    }

    /// Bytes for the last tunnel's client.
    pub(crate) fn tell(&mut self, bytes: &[u8]) {
        let channel = self.seen.lock().expect("no panic").tunnel;
        let bytes = bytes.to_vec();
        if let Some(channel) = channel {
            self.with(async |handle| {
                let _gone = handle.data(channel, bytes).await;
            });
        }
    }

    /// The end of the last tunnel, from this side.
    pub(crate) fn tell_eof(&mut self) {
        let channel = self.seen.lock().expect("no panic").tunnel;
        if let Some(channel) = channel {
            self.with(async |handle| {
                let _gone = handle.eof(channel).await;
            });
        }
    }

    pub(crate) fn disconnect(&mut self, reason: Disconnect, text: &str) {
        self.with(async |handle| {
            let _gone = handle.disconnect(reason, text.into(), String::new()).await;
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Tests run servers inside other runtimes too.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Host {
    manner: Manner,
    seen: Arc<Mutex<Seen>>,
    passed: usize,
}

impl Host {
    fn see(&self, attempt: String) {
        self.seen.lock().expect("no panic").attempts.push(attempt);
    }

    /// No, and all methods stay.
    fn again(&self) -> Auth {
        Auth::Reject {
            proceed_with_methods: Some(MethodSet::from(&self.manner.methods[..])),
            partial_success: false,
        }
    }

    fn verdict(&mut self, method: MethodKind, right: bool) -> Auth {
        let chain = &self.manner.chain;
        if chain.is_empty() {
            return match right {
                true => Auth::Accept,
                false => self.again(),
            };
        }
        if !right || chain[self.passed] != method {
            return Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&chain[self.passed..][..1])),
                partial_success: false,
            };
        }
        self.passed += 1;
        match chain.get(self.passed) {
            None => Auth::Accept,
            Some(next) => Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&[*next][..])),
                partial_success: true,
            },
        }
    }
}

impl server::Handler for Host {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.manner.banner.clone())
    }

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.see(format!("none {user}"));
        Ok(match user == "anyone" {
            true => Auth::Accept,
            false => self.again(),
        })
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        self.see(format!("password {user}"));
        let right = password == self.manner.password;
        Ok(self.verdict(MethodKind::Password, right))
    }

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let known = self.manner.keys.iter();
        let known = known
            .map(PublicKey::key_data)
            .any(|key| key == offer.public_key.key_data());
        self.see(format!("offer {}", if known { "known" } else { "unknown" }));
        Ok(match known {
            true => Auth::Accept,
            false => self.again(),
        })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        self.see(format!("publickey {user}"));
        Ok(self.verdict(MethodKind::PublicKey, true))
    }

    async fn auth_openssh_certificate(
        &mut self,
        user: &str,
        _: &Certificate,
    ) -> Result<Auth, Self::Error> {
        self.see(format!("certificate {user}"));
        Ok(self.verdict(MethodKind::PublicKey, true))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let Some(response) = response else {
            self.see(format!("keyboard-interactive {user}"));
            let prompts = self.manner.prompts.iter();
            return Ok(Auth::Partial {
                name: "name".into(),
                instructions: "instructions".into(),
                prompts: prompts
                    .map(|(text, echo, _)| ((*text).into(), *echo))
                    .collect::<Vec<_>>()
                    .into(),
            });
        };
        let lines: Vec<_> = response.map(|line| line.to_vec()).collect();
        let right = self
            .manner
            .prompts
            .iter()
            .map(|(_, _, right)| right.as_bytes());
        let right = lines.iter().map(|line| &line[..]).eq(right);
        self.see(format!("{} lines", lines.len()));
        Ok(self.verdict(MethodKind::KeyboardInteractive, right))
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let sessions = {
            let mut seen = self.seen.lock().expect("no panic");
            seen.sessions += 1;
            seen.sessions
        };
        match sessions > 40 {
            true => reply.reject(ChannelOpenFailure::ResourceShortage).await,
            false => reply.accept().await,
        }
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        if host == "nowhere" {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        {
            let mut seen = self.seen.lock().expect("no panic");
            seen.opened.push(format!("{host}:{port}"));
            seen.tunnel = Some(channel.id());
        }
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.seen
            .lock()
            .expect("no panic")
            .opened
            .push(command.clone());
        match command.split_once(' ').unwrap_or((&command, "")) {
            ("cat", _) => session.channel_success(channel)?,
            ("tunnel", _) => {
                self.seen.lock().expect("no panic").tunnel = Some(channel);
                session.channel_success(channel)?;
            }
            ("say", many) => {
                session.channel_success(channel)?;
                let many: usize = many.parse().expect("a number");
                session.data(channel, pattern(many))?;
                finish(channel, session)?;
            }
            ("complain", _) => {
                session.channel_success(channel)?;
                session.extended_data(channel, 1, b"no such thing".to_vec())?;
                session.exit_status_request(channel, 3)?;
                session.close(channel)?;
            }
            ("die", _) => {
                session.channel_success(channel)?;
                session.exit_signal_request(channel, russh::Sig::TERM, false, "", "")?;
                session.close(channel)?;
            }
            _ => session.channel_failure(channel)?,
        }
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.seen
            .lock()
            .expect("no panic")
            .opened
            .push(name.to_owned());
        match name {
            "echo" => session.channel_success(channel),
            _ => session.channel_failure(channel),
        }
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let tunnel = {
            let mut seen = self.seen.lock().expect("no panic");
            seen.received.extend_from_slice(data);
            seen.tunnel == Some(channel)
        };
        match tunnel {
            true => Ok(()),
            false => session.data(channel, data.to_vec()),
        }
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let tunnel = {
            let mut seen = self.seen.lock().expect("no panic");
            seen.eof = true;
            seen.tunnel == Some(channel)
        };
        match tunnel {
            true => Ok(()),
            false => finish(channel, session),
        }
    }

    async fn channel_close(&mut self, _: ChannelId, _: &mut Session) -> Result<(), Self::Error> {
        self.seen.lock().expect("no panic").closed += 1;
        Ok(())
    }
}

fn finish(channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
    session.exit_status_request(channel, 0)?;
    session.eof(channel)?;
    session.close(channel)
}

/// What `say` says.
pub(crate) fn pattern(many: usize) -> Vec<u8> {
    (0..many).map(|at| (at * 7 % 253) as u8).collect()
}
