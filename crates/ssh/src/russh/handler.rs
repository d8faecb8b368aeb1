//! What the session reports, turned into events.

use russh::client::{Handler, Session};
use russh::keys::PublicKeyOrCertificate;
use russh::{ChannelId, ChannelOpenFailure, Error, Names, Sig, client};
use sockless_core::{Culprit, Fault, Reason};

use super::error::fault;
use super::lines::Happening;
use super::wire::Shared;
use crate::backend::{Agreed, Event};

/// It decides nothing and never waits: what is to be decided is an event.
pub(super) struct Reporter {
    pub(super) shared: Shared,
    /// The host's key, until everything is agreed on.
    pub(super) host_key: Option<Vec<u8>>,
    /// Bytes of banners that may still come.
    pub(super) banner: usize,
}

impl Reporter {
    fn happened(&self, id: ChannelId, happening: Happening) {
        self.shared.lock().happened(id.into(), happening);
    }
}

impl Handler for Reporter {
    type Error = Error;

    /// The session goes on to its first encrypted packet and no further: the conductor sends
    /// nothing before the layer trusts the key. So a refusal can be told to the peer.
    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Error> {
        let bytes = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => key.to_bytes(),
            PublicKeyOrCertificate::Certificate(certificate) => certificate.to_bytes(),
        };
        self.host_key = Some(bytes?);
        Ok(true)
    }

    async fn kex_done(
        &mut self,
        _: Option<&[u8]>,
        names: &Names,
        _: &mut Session,
    ) -> Result<(), Error> {
        if let Some(key) = self.host_key.take() {
            let agreed = agreed(names);
            self.shared.lock().push(Event::HostKey { key, agreed });
        }
        Ok(())
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Error> {
        let event = match self.banner.checked_sub(banner.len()) {
            Some(left) => {
                self.banner = left;
                Event::Banner(banner.to_owned())
            }
            None => {
                let what = "the peer's banners are longer than the limit";
                Event::Failed(Fault::new(Culprit::Limit, Reason::HeadTooLarge, what))
            }
        };
        self.shared.lock().push(event);
        Ok(())
    }

    async fn channel_open_confirmation(
        &mut self,
        id: ChannelId,
        _: u32,
        window: u32,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.shared.lock().confirmed(id.into(), window);
        Ok(())
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Error> {
        let mut state = self.shared.lock();
        state.refusals.push_back(description.to_owned());
        Ok(())
    }

    async fn channel_success(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.happened(id, Happening::Opened);
        Ok(())
    }

    async fn channel_failure(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.happened(id, Happening::Refused("the peer does not do that"));
        Ok(())
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Error> {
        self.shared.lock().data(id.into(), data, false);
        Ok(())
    }

    async fn extended_data(
        &mut self,
        id: ChannelId,
        kind: u32,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Error> {
        // 1 is standard error, and there is no other (RFC 4254 section 5.2).
        if kind == 1 {
            self.shared.lock().data(id.into(), data, true);
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.happened(id, Happening::Eof);
        Ok(())
    }

    async fn channel_close(&mut self, id: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.happened(id, Happening::Closed);
        Ok(())
    }

    async fn exit_status(
        &mut self,
        id: ChannelId,
        code: u32,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.happened(id, Happening::ExitStatus(code));
        Ok(())
    }

    async fn exit_signal(
        &mut self,
        id: ChannelId,
        signal: Sig,
        _: bool,
        _: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), Error> {
        let name = match signal {
            Sig::Custom(name) => name,
            known => format!("{known:?}"),
        };
        self.happened(id, Happening::ExitSignal(name));
        Ok(())
    }

    async fn window_adjusted(
        &mut self,
        id: ChannelId,
        window: u32,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.shared.lock().widened(id.into(), window);
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: russh::Channel<client::Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_session(
        &mut self,
        _: russh::Channel<client::Msg>,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: russh::Channel<client::Msg>,
        _: &str,
        _: u32,
        reply: client::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        refuse(reply).await;
        Ok(())
    }

    async fn disconnected(&mut self, reason: client::DisconnectReason<Error>) -> Result<(), Error> {
        let event = match reason {
            client::DisconnectReason::ReceivedDisconnect(info) => Event::Disconnected {
                code: info.reason_code as u32,
                text: info.message,
            },
            // The peer allows no method any more: the layer says so better.
            client::DisconnectReason::Error(Error::NoAuthMethod) => Event::Denied {
                methods: Vec::new(),
                partial: false,
            },
            client::DisconnectReason::Error(error) => Event::Failed(fault(error)),
        };
        self.shared.lock().push(event);
        Ok(())
    }
}

/// A client that asked for nothing lets nobody open anything.
async fn refuse(reply: client::ChannelOpenHandle) {
    reply
        .reject(ChannelOpenFailure::AdministrativelyProhibited)
        .await;
}

fn agreed(names: &Names) -> Agreed {
    let owned = |name: &str| name.to_owned();
    let cipher = owned(names.cipher.as_ref());
    Agreed {
        kex: owned(names.kex.as_ref()),
        host_key: names.key.to_string(),
        cipher: [cipher.clone(), cipher.clone()],
        mac: [&names.client_mac, &names.server_mac].map(|mac| match mac.as_ref() {
            "none" => String::new(),
            // These have their own.
            _ if cipher.contains("gcm") || cipher.contains("poly1305") => String::new(),
            name => owned(name),
        }),
        compression: [&names.client_compression, &names.server_compression]
            .map(|compression| format!("{compression:?}").to_ascii_lowercase()),
        strict: names.strict_kex(),
    }
}
