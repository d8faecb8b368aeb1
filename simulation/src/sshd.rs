//! A peer that speaks SSH: russh's own server, in memory, with sftp on its channels.
//!
//! The library spawns its session, so each connection has a runtime of its own, which is
//! entered when something has come and left when nothing in it can go on. Nothing in it waits
//! for a time: whoever is [`USER`] is let in at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fastrand::Rng;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId, Limits, Preferred};
use sockless_sim::{Peer, Wire};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::{Builder, Runtime};

use crate::files::{Files, Sftp};

/// Who may log in, without a proof.
pub const USER: &str = "anyone";

/// Bytes between a connection and its session, each way: more than ever wait there.
const DUPLEX: usize = 1 << 30;

/// Bytes of a packet's data, at most.
const PACKET: u32 = 32 * 1024;

/// The server's key: always the same.
pub fn host_key() -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[1; 32]))
}

/// The server's settings; its choices follow from `rng`, and `calm` has none.
pub fn config(rng: &mut Rng, calm: bool) -> Arc<Config> {
    let mut limits = Limits::default();
    let mut window = 2 * 1024 * 1024;
    if !calm {
        window = [PACKET, 100_000, 2 * 1024 * 1024][rng.usize(0..3)];
        if rng.u8(0..4) == 0 {
            limits.rekey_write_limit = rng.usize(5_000..100_000);
        }
    }
    Arc::new(Config {
        auth_rejection_time: Duration::ZERO,
        keys: vec![host_key()],
        window_size: window,
        maximum_packet_size: PACKET,
        preferred: Preferred {
            compression: Cow::Borrowed(&[russh::compression::NONE]),
            ..Preferred::default()
        },
        limits,
        inactivity_timeout: None,
        ..Config::default()
    })
}

/// The server's end of one connection.
pub struct Sshd {
    runtime: Runtime,
    parks: Arc<Mutex<Parks>>,
    /// The connection's end of the stream whose other end the session has.
    stream: DuplexStream,
    /// Said, and waiting for room.
    said: Vec<u8>,
    begun: bool,
    /// Nobody hears any more.
    deaf: bool,
    /// The session is over.
    over: bool,
}

#[derive(Default)]
struct Parks {
    count: u32,
    waker: Option<Waker>,
}

/// How often the runtime has to find nothing to do: a timer that is due is only seen between.
const QUIET: u32 = 2;

impl Sshd {
    /// A session with these settings on these files; `plain`: none of sftp's whims.
    ///
    /// # Errors
    /// No runtime can be made.
    pub fn new(config: &Arc<Config>, files: &Files, seed: u64, plain: bool) -> io::Result<Self> {
        let parks = Arc::new(Mutex::new(Parks::default()));
        let counted = Arc::clone(&parks);
        let runtime = Builder::new_current_thread()
            .enable_time()
            .on_thread_park(move || {
                let mut parks = lock(&counted);
                parks.count += 1;
                // Or it would wait for ever.
                if let Some(waker) = &parks.waker {
                    waker.wake_by_ref();
                }
            })
            .build()?;
        let (stream, theirs) = tokio::io::duplex(DUPLEX);
        let host = Host {
            files: files.clone(),
            rng: Rng::with_seed(seed),
            plain,
            channels: BTreeMap::new(),
        };
        let config = Arc::clone(config);
        runtime.spawn(async move {
            if let Ok(session) = server::run_stream(config, theirs, host).await {
                // What it ended with, the client's side has to bear.
                let _ended = session.await;
            }
        });
        Ok(Self {
            runtime,
            parks,
            stream,
            said: Vec::new(),
            begun: false,
            deaf: false,
            over: false,
        })
    }

    /// Gives the session what has come; whether that was anything.
    fn hear(&mut self, wire: &mut Wire) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let first = !core::mem::replace(&mut self.begun, true);
        let heard = !wire.input.is_empty();
        if heard {
            // It takes all, or the session is over.
            let _ = Pin::new(&mut self.stream).poll_write(&mut cx, &wire.input);
            wire.input.clear();
        }
        let end = wire.input_finished && !core::mem::replace(&mut self.deaf, wire.input_finished);
        if end {
            let _ = Pin::new(&mut self.stream).poll_shutdown(&mut cx);
        }
        first || heard || end
    }

    /// Runs the session until it cannot go on.
    fn run(&self) {
        lock(&self.parks).count = 0;
        self.runtime.block_on(poll_fn(|cx| {
            let mut parks = lock(&self.parks);
            if parks.count >= QUIET {
                return Poll::Ready(());
            }
            parks.waker = Some(cx.waker().clone());
            Poll::Pending
        }));
    }

    /// Takes what the session says.
    fn speak(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let mut chunk = [0; 16 * 1024];
        while !self.over {
            let mut buf = ReadBuf::new(&mut chunk);
            match Pin::new(&mut self.stream).poll_read(&mut cx, &mut buf) {
                Poll::Pending => return,
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.said.extend_from_slice(buf.filled());
                }
                Poll::Ready(_) => self.over = true,
            }
        }
    }
}

impl Peer for Sshd {
    fn pump(&mut self, wire: &mut Wire, _now: Instant) {
        if self.hear(wire) {
            self.run();
            self.speak();
        }
        let room = wire.room.saturating_sub(wire.output.len());
        let n = room.min(self.said.len());
        wire.output.extend(self.said.drain(..n));
        wire.finish |= self.over && self.said.is_empty();
    }
}

/// What the server does for a client.
struct Host {
    files: Files,
    rng: Rng,
    plain: bool,
    channels: BTreeMap<u32, Sftp>,
}

impl Handler for Host {
    type Error = russh::Error;

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        Ok(match user == USER {
            true => Auth::Accept,
            false => Auth::reject(),
        })
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name != "sftp" {
            return session.channel_failure(channel);
        }
        let sftp = Sftp::new(self.files.clone(), self.rng.u64(..), self.plain);
        self.channels.insert(channel.into(), sftp);
        session.channel_success(channel)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(sftp) = self.channels.get_mut(&channel.into()) else {
            return Ok(());
        };
        for answer in sftp.hear(data) {
            session.data(channel, answer)?;
        }
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.eof(channel)?;
        session.close(channel)
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.remove(&channel.into());
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
