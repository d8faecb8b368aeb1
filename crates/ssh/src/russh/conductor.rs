//! The task that does to the session what the layer asks for, in order.

use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use russh::client::{self, Handle, Msg};
use russh::{ChannelWriteHalf, Disconnect, Error};
use tokio::sync::mpsc::UnboundedReceiver;

use super::error::fault;
use super::handler::Reporter;
use super::login::{Answer, Login};
use super::wire::{Shared, Stream};
use crate::backend::{Event, Farewell, Method, Open};
use crate::message::Channel;

/// What the layer asks for.
pub(super) enum Command {
    Trust,
    Authenticate(String, Method),
    Open(Channel, Open),
    /// From the task that opened it.
    Adopt(Channel, Box<ChannelWriteHalf<Msg>>),
    Data(Channel, Bytes),
    Eof(Channel),
    Close(Channel),
    Rekey,
    Keepalive,
    Disconnect(Farewell, String),
}

/// The session is over, or the peer has been told so.
pub(super) struct Over;

type Done = Result<(), Over>;

pub(super) struct Conductor {
    pub(super) shared: Shared,
    pub(super) commands: UnboundedReceiver<Command>,
    pub(super) answers: UnboundedReceiver<Answer>,
    /// To itself, from the tasks that open channels.
    pub(super) back: tokio::sync::mpsc::WeakUnboundedSender<Command>,
}

impl Conductor {
    pub(super) async fn run(mut self, config: Arc<client::Config>, reporter: Reporter) {
        let stream = Stream(self.shared.clone());
        match client::connect_stream(config, stream, reporter).await {
            Ok(handle) => {
                let _over = self.conduct(handle).await;
            }
            Err(error) => {
                let mut state = self.shared.lock();
                state.push(Event::Failed(fault(error)));
                state.outgoing.finish();
            }
        }
    }

    async fn conduct(&mut self, mut handle: Handle<Reporter>) -> Done {
        loop {
            match self.next().await? {
                Command::Trust => break,
                Command::Disconnect(why, text) => return farewell(&handle, why, &text).await,
                _ => {}
            }
        }
        self.log_in(&mut handle).await?;
        self.serve(Arc::new(handle)).await
    }

    async fn next(&mut self) -> Result<Command, Over> {
        self.commands.recv().await.ok_or(Over)
    }

    /// One method after another, until one is enough.
    async fn log_in(&mut self, handle: &mut Handle<Reporter>) -> Done {
        let mut methods = Vec::new();
        loop {
            let (user, method) = match self.next().await? {
                Command::Authenticate(user, method) => (user, method),
                Command::Disconnect(why, text) => return farewell(handle, why, &text).await,
                _ => continue,
            };
            let ended = {
                let mut login = Login {
                    handle: &mut *handle,
                    answers: &mut self.answers,
                    shared: &self.shared,
                    methods: &mut methods,
                };
                let mut attempt = pin!(login.attempt(user, method));
                let commands = &mut self.commands;
                poll_fn(|cx| {
                    while let Poll::Ready(command) = commands.poll_recv(cx) {
                        match command {
                            Some(Command::Disconnect(why, text)) => {
                                return Poll::Ready(Err(Some((why, text))));
                            }
                            None => return Poll::Ready(Err(None)),
                            Some(_) => {}
                        }
                    }
                    attempt.as_mut().poll(cx).map(Ok)
                })
                .await
            };
            match ended {
                Ok(Some(event)) => {
                    let done = matches!(event, Event::Authenticated);
                    self.shared.lock().push(event);
                    if done {
                        return Ok(());
                    }
                }
                // The session has ended, and has said why.
                Ok(None) | Err(None) => return Err(Over),
                Err(Some((why, text))) => return farewell(handle, why, &text).await,
            }
        }
    }

    async fn serve(&mut self, handle: Arc<Handle<Reporter>>) -> Done {
        let mut open = BTreeMap::<Channel, Box<ChannelWriteHalf<Msg>>>::new();
        loop {
            let done = match self.next().await? {
                Command::Open(channel, kind) => {
                    let opener = Opener {
                        handle: Arc::clone(&handle),
                        shared: self.shared.clone(),
                        back: self.back.clone(),
                    };
                    tokio::spawn(opener.open(channel, kind));
                    Ok(())
                }
                Command::Adopt(channel, half) => {
                    open.insert(channel, half);
                    Ok(())
                }
                Command::Data(channel, bytes) => match open.get(&channel) {
                    Some(half) => handle
                        .data(half.id(), bytes)
                        .await
                        .map_err(|_| Error::SendError),
                    None => Ok(()),
                },
                Command::Eof(channel) => match open.get(&channel) {
                    Some(half) => half.eof().await,
                    None => Ok(()),
                },
                Command::Close(channel) => match open.remove(&channel) {
                    Some(half) => half.close().await,
                    None => Ok(()),
                },
                Command::Rekey => handle.rekey_soon().await,
                Command::Keepalive => handle.send_keepalive(true).await,
                Command::Disconnect(why, text) => return farewell(&handle, why, &text).await,
                Command::Trust | Command::Authenticate(..) => Ok(()),
            };
            // The session says itself why it has ended.
            done.map_err(|_| Over)?;
        }
    }
}

/// Opens one channel; others do not wait for it.
struct Opener {
    handle: Arc<Handle<Reporter>>,
    shared: Shared,
    back: tokio::sync::mpsc::WeakUnboundedSender<Command>,
}

impl Opener {
    async fn open(self, channel: Channel, kind: Open) {
        let opened = match &kind {
            Open::DirectTcpip { host, port } => {
                let port = u32::from(*port);
                let opening = self
                    .handle
                    .channel_open_direct_tcpip(host, port, "127.0.0.1", 0);
                opening.await
            }
            Open::Exec(_) | Open::Subsystem(_) => self.handle.channel_open_session().await,
        };
        let half = match opened {
            // Data comes through the reporter: nobody reads here, so nobody can be slow to.
            Ok(opened) => Box::new(opened.split().1),
            Err(Error::ChannelOpenFailure(reason)) => return self.refused(channel, &reason),
            Err(_) => return,
        };
        let id = u32::from(half.id());
        let asked = match kind {
            Open::Exec(command) => half.exec(true, command).await,
            Open::Subsystem(name) => half.request_subsystem(true, name).await,
            Open::DirectTcpip { .. } => {
                let mut state = self.shared.lock();
                state.push(Event::Opened(channel));
                Ok(())
            }
        };
        if asked.is_err() {
            return;
        }
        self.shared.lock().adopt(id, channel);
        if let Some(back) = self.back.upgrade() {
            let _over = back.send(Command::Adopt(channel, half));
        }
    }

    fn refused(&self, channel: Channel, reason: &russh::ChannelOpenFailure) {
        let mut state = self.shared.lock();
        let mut why = match reason {
            russh::ChannelOpenFailure::AdministrativelyProhibited => "it is forbidden".to_owned(),
            russh::ChannelOpenFailure::ConnectFailed => "the peer could not connect".to_owned(),
            russh::ChannelOpenFailure::UnknownChannelType => {
                "the peer knows no such channel".to_owned()
            }
            russh::ChannelOpenFailure::ResourceShortage => "the peer has no room for it".to_owned(),
            russh::ChannelOpenFailure::Other { code, .. } => format!("code {code}"),
        };
        if let Some(words) = state.refusals.pop_front()
            && !words.is_empty()
        {
            why.push_str(&format!(" (\"{}\")", words.escape_debug()));
        }
        state.push(Event::Refused(channel, why));
    }
}

/// The last words; the session ends after them.
async fn farewell(handle: &Handle<Reporter>, why: Farewell, text: &str) -> Done {
    let code = match why {
        Farewell::ProtocolError => Disconnect::ProtocolError,
        Farewell::HostKeyNotVerifiable => Disconnect::HostKeyNotVerifiable,
        Farewell::ByApplication => Disconnect::ByApplication,
        Farewell::AuthCancelledByUser => Disconnect::AuthCancelledByUser,
        Farewell::NoMoreAuthMethods => Disconnect::NoMoreAuthMethodsAvailable,
    };
    let _over = handle.disconnect(code, text, "").await;
    Err(Over)
}
