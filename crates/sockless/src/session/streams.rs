//! What is no request: byte streams, and what is done on SSH servers.

use sockless_core::{Error, Event, Exchange, Raw, TransferId};

use super::{Session, parked};
use crate::TunnelTo;
use crate::parties::Wanted;
#[cfg(feature = "ssh")]
use crate::secure::Ssh;
use crate::way::Way;

/// One that has not started.
pub(super) struct Stream {
    pub(super) to: TunnelTo,
    carries: Carries,
}

enum Carries {
    /// Bytes of the application's own protocol.
    Bytes,
    #[cfg(feature = "ssh")]
    Ssh(Ssh, Box<dyn Exchange>),
}

impl Stream {
    /// The contexts that its layers make.
    fn wanted(&self) -> Vec<Wanted> {
        let wanted = parked::of_proxies(&self.to.proxies, true);
        match &self.carries {
            Carries::Bytes => wanted,
            #[cfg(feature = "ssh")]
            Carries::Ssh(client, _) => {
                let login = client.context(&self.to.host);
                let login = login.map(|(by, service, host)| Wanted::new(by, service, host));
                wanted.into_iter().chain(login).collect()
            }
        }
    }
}

impl Session {
    /// Opens a byte stream. It is used as a transfer is: [`Event::Open`] says that it may be,
    /// [`Event::Data`] brings what the peer sends and [`Event::PeerFinished`] its end;
    /// [`Session::send_body`] sends, [`Session::finish_body`] ends our direction.
    ///
    /// # Errors
    /// It cannot be opened at all; what goes wrong later arrives as an event.
    pub fn tunnel(&mut self, mut to: TunnelTo) -> Result<TransferId, Error> {
        (to.options.fresh_connection, to.options.forbid_reuse) = (true, true);
        let carries = Carries::Bytes;
        self.open_or_hold(Stream { to, carries })
    }

    /// Starts a transfer over SSH: what an `exchange` of [`sockless_ssh`] does on the server at
    /// `to`. Connections are shared by transfers to the same place with the same `client`.
    ///
    /// # Errors
    /// It cannot be started at all; what goes wrong later arrives as an event.
    #[cfg(feature = "ssh")]
    pub fn ssh(
        &mut self,
        to: TunnelTo,
        client: std::sync::Arc<sockless_ssh::Client>,
        exchange: Box<dyn Exchange>,
    ) -> Result<TransferId, Error> {
        let carries = Carries::Ssh(Ssh(client), exchange);
        self.open_or_hold(Stream { to, carries })
    }

    fn open_or_hold(&mut self, stream: Stream) -> Result<TransferId, Error> {
        let wanted = stream.wanted();
        if wanted.is_empty() {
            let id = self.open(stream)?;
            self.streams.insert(id, None);
            return Ok(id);
        }
        // Whether it lacks anything is seen in the next poll, which knows the time.
        let id = self.engine.spare_id();
        self.parked.hold(id, stream.into(), wanted);
        Ok(id)
    }

    /// Starts one that was held until now; the application knows it by `id`.
    pub(super) fn open_held(&mut self, id: TransferId, stream: Stream) -> Result<(), Error> {
        let hop = self.open(stream)?;
        self.hops.insert(id, hop);
        self.streams.insert(hop, Some(id));
        Ok(())
    }

    fn open(&mut self, Stream { to, carries }: Stream) -> Result<TransferId, Error> {
        let (route, exchange): (_, Box<dyn Exchange>) = match carries {
            Carries::Bytes => {
                let way = Way::of_tunnel(&to, self.config.tls.as_ref()).to_owned();
                (self.make_route(&way)?, Box::new(Raw::new()))
            }
            #[cfg(feature = "ssh")]
            Carries::Ssh(client, exchange) => {
                let way = Way::of_ssh(&to, &client).to_owned();
                (self.known_route(&way)?, exchange)
            }
        };
        Ok(self.engine.add(route, exchange, to.options))
    }

    /// The id that the application knows a stream by.
    pub(super) fn of_stream(&mut self, hop: TransferId, event: &Event) -> TransferId {
        let ends = matches!(event, Event::Done { .. });
        let own = match ends {
            true => self.streams.remove(&hop),
            false => self.streams.get(&hop).copied(),
        };
        let id = own.flatten();
        if let Some(id) = id.filter(|_| ends) {
            self.hops.remove(&id);
        }
        id.unwrap_or(hop)
    }
}
