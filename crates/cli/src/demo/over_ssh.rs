//! The same by sftp: one SSH connection, whose host key is the only one that is believed.

use std::sync::Arc;
use std::time::SystemTime;

use sockless::core::{Culprit, Fault, Reason};
use sockless::ssh::login::{Credentials, HostKeys, Verdict};
use sockless::ssh::sftp::{Get, Put, Sftp};
use sockless::ssh::{Client, Config};
use sockless::{Event, TunnelTo};

use super::pattern::Pattern;
use super::sshd::Sshd;
use super::{AtWork, Bulk};
use crate::report::Failure;

/// The one key that is right.
struct Only(Vec<u8>);

impl HostKeys for Only {
    fn judge(&self, _host: &str, _port: u16, key: &[u8], _: SystemTime) -> Verdict {
        match key == self.0 {
            true => Verdict::Trust,
            false => Verdict::Refuse(Fault::new(
                Culprit::Policy,
                Reason::HostKey,
                "this is not the demo's server",
            )),
        }
    }
}

/// How both transfers get there.
pub(super) struct OverSsh<'a> {
    sshd: &'a Sshd,
    to: TunnelTo,
    client: Arc<Client>,
}

impl<'a> OverSsh<'a> {
    /// # Errors
    /// No SSH library can be used.
    pub(super) fn new(sshd: &'a Sshd) -> Result<Self, Failure> {
        let host_keys = Arc::new(Only(sshd.host_key().to_vec()));
        let client = Config::new(Credentials::new("demo"), host_keys).build();
        let client = client.map_err(|fault| Failure::of(&fault.at("ssh")))?;
        let to = TunnelTo::new("127.0.0.1", sshd.port());
        Ok(Self {
            sshd,
            to: to.map_err(|error| Failure::of(&error))?,
            client: Arc::new(client),
        })
    }

    pub(super) fn get(&self, at: &mut AtWork<'_>, size: u64) -> Result<Bulk, Failure> {
        let mut seen = crc32fast::Hasher::new();
        let mut bytes = 0;
        let get = Sftp::get(Get::new(size.to_string()));
        self.start(at, get)?;
        let summary = at.finish(|_, _, event| {
            if let Event::Data(piece) = event {
                seen.update(&piece);
                bytes += piece.len() as u64;
            }
        })?;
        Ok(Bulk {
            bytes,
            took: summary.total,
            checksum: seen.finalize(),
            expected: Pattern::new().checksum(size),
        })
    }

    pub(super) fn put(&self, at: &mut AtWork<'_>, size: u64) -> Result<Bulk, Failure> {
        let pattern = Pattern::new();
        let mut sent = 0;
        self.start(at, Sftp::put(Put::new("up")))?;
        let summary = at.finish(|session, id, event| {
            if let Event::WantBody { .. } = event {
                super::feed(session, id, &pattern, &mut sent, size);
            }
        })?;
        Ok(Bulk {
            bytes: sent,
            took: summary.total,
            checksum: self.sshd.written(),
            expected: pattern.checksum(size),
        })
    }

    fn start(&self, at: &mut AtWork<'_>, sftp: Sftp) -> Result<(), Failure> {
        let client = Arc::clone(&self.client);
        let started = at.session.ssh(self.to.clone(), client, Box::new(sftp));
        started.map(drop).map_err(|error| Failure::of(&error))
    }
}
