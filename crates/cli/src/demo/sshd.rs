//! The other end for sftp: a small SSH server on loopback, russh's own.
//!
//! A file that is named by a number has that many bytes of the pattern; of a file that is
//! written, the CRC-32 is kept.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::runtime::Builder;

use super::files::Files;

/// A server that runs as long as the process.
pub(crate) struct Sshd {
    port: u16,
    host_key: Vec<u8>,
    written: Written,
}

/// The CRC-32 of the file that was written last.
pub(super) type Written = Arc<Mutex<u32>>;

impl Sshd {
    /// Makes a host key and a listener; `seed` is what the key follows from.
    ///
    /// # Errors
    /// In words: no loopback address, no thread, no key.
    pub(crate) fn start(seed: [u8; 32]) -> Result<Self, String> {
        let words = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let host_key = key.public_key().to_bytes();
        let host_key = host_key.map_err(|error| words("no host key", &error))?;
        let listener = TcpListener::bind("127.0.0.1:0");
        let listener = listener.map_err(|error| words("no loopback listener", &error))?;
        let port = listener.local_addr().map(|address| address.port());
        let port = port.map_err(|error| words("no port", &error))?;
        let config = Arc::new(Config {
            keys: vec![key],
            auth_rejection_time: Duration::ZERO,
            ..Config::default()
        });
        let written = Written::default();
        let kept = Arc::clone(&written);
        thread::Builder::new()
            .name("demo sshd".to_owned())
            .spawn(move || accept(listener, &config, &kept))
            .map_err(|error| words("no thread", &error))?;
        Ok(Self {
            port,
            host_key,
            written,
        })
    }

    /// Its port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its key, as it is on the wire.
    pub(crate) fn host_key(&self) -> &[u8] {
        &self.host_key
    }

    /// The CRC-32 of the file that was written last.
    pub(crate) fn written(&self) -> u32 {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: TcpListener, config: &Arc<Config>, written: &Written) {
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else {
        return;
    };
    runtime.block_on(async move {
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(listener));
        let Ok(listener) = listener else { return };
        while let Ok((tcp, _)) = listener.accept().await {
            let host = Host {
                written: Arc::clone(written),
                channels: BTreeMap::new(),
            };
            let config = Arc::clone(config);
            tokio::spawn(async move {
                // A client that breaks off is that client's affair; it will see it, too.
                if let Ok(session) = server::run_stream(config, tcp, host).await {
                    let _ended = session.await;
                }
            });
        }
    });
}

/// What the server does for a client.
struct Host {
    written: Written,
    channels: BTreeMap<u32, Files>,
}

impl Handler for Host {
    type Error = russh::Error;

    /// Whoever can reach it is the demo.
    async fn auth_none(&mut self, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
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
        let files = Files::new(Arc::clone(&self.written));
        self.channels.insert(channel.into(), files);
        session.channel_success(channel)
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(files) = self.channels.get_mut(&channel.into()) else {
            return Ok(());
        };
        for answer in files.hear(data) {
            session.data(channel, answer)?;
        }
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
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
