//! The smallest protocols that stand on the SSH layer.

use sockless_core::{Buf, Culprit, Cx, Exchange, Fault, Reason, Top, Turn};
use sockless_ssh::message::{self, Kind, Reader};

/// Runs a command; what it prints are the events' data.
pub(crate) struct Command {
    command: &'static str,
    feed: Vec<u8>,
    fed: usize,
    asked: bool,
    ended: bool,
    reader: Reader,
}

impl Command {
    pub(crate) fn new(command: &'static str) -> Self {
        Self {
            command,
            feed: Vec::new(),
            fed: 0,
            asked: false,
            ended: false,
            reader: Reader::new(),
        }
    }

    pub(crate) fn feed(mut self, feed: Vec<u8>) -> Self {
        self.feed = feed;
        self
    }
}

impl Exchange for Command {
    fn layer(&self) -> &'static str {
        "command"
    }

    fn pump(&mut self, io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        let to = io.to_peer;
        if !core::mem::replace(&mut self.asked, true) {
            message::put_bytes(to, cx, 1, Kind::Exec, self.command.as_bytes());
        }
        while self.fed < self.feed.len() && to.room() > 0 {
            let rest = &self.feed[self.fed..];
            let piece = &rest[..rest.len().min(32 * 1024)];
            self.fed += piece.len();
            message::put(to, cx, 1, Kind::Data, Buf::from(piece));
        }
        if self.fed == self.feed.len() && !core::mem::replace(&mut self.ended, true) {
            message::put_bytes(to, cx, 1, Kind::Eof, b"");
        }
        loop {
            let room = io.events.room();
            let Some(message) = self.reader.next(io.from_peer, room, cx) else {
                return Ok(Turn::Blocked);
            };
            match message.kind {
                Kind::Data => io.events.data(message.payload),
                Kind::Closed => return Ok(Turn::Finished { reusable: true }),
                Kind::Refused => {
                    let why = String::from_utf8_lossy(&message.payload).into_owned();
                    return Err(Fault::new(Culprit::Policy, Reason::Unsupported, why));
                }
                _ => {}
            }
        }
    }

    fn restart(&mut self, _: bool) -> bool {
        !self.asked
    }
}

/// Asks an sftp server for its version, once, and keeps the channel with it.
pub(crate) struct Version {
    asked: bool,
    reader: Reader,
    heard: Vec<u8>,
}

impl Version {
    pub(crate) fn new() -> Self {
        Self {
            asked: false,
            reader: Reader::new(),
            heard: Vec::new(),
        }
    }
}

impl Exchange for Version {
    fn layer(&self) -> &'static str {
        "version"
    }

    fn pump(&mut self, io: Top<'_>, cx: &mut Cx<'_>) -> Result<Turn, Fault> {
        let to = io.to_peer;
        if !core::mem::replace(&mut self.asked, true) {
            message::put_bytes(to, cx, 5, Kind::Subsystem, b"sftp");
        }
        while let Some(message) = self.reader.next(io.from_peer, usize::MAX, cx) {
            match message.kind {
                Kind::Opened if message.payload.is_empty() => {
                    // SSH_FXP_INIT, version 3.
                    let init = [0, 0, 0, 5, 1, 0, 0, 0, 3];
                    message::put_bytes(to, cx, 5, Kind::Data, &init);
                }
                Kind::Opened => {
                    let text = format!("kept with: {}", String::from_utf8_lossy(&message.payload));
                    io.events.data(Buf::from(text.as_bytes()));
                    message::put(to, cx, 5, Kind::Park, message.payload);
                    return Ok(Turn::Finished { reusable: true });
                }
                Kind::Data => self.heard.extend_from_slice(&message.payload),
                other => panic!("{other:?} is not what sftp says first"),
            }
            let Some(length) = self.heard.first_chunk::<4>() else {
                continue;
            };
            if self.heard.len() == 4 + u32::from_be_bytes(*length) as usize {
                assert_eq!(self.heard[4], 2, "SSH_FXP_VERSION");
                let version = format!("version {}", self.heard[8]);
                io.events
                    .data(Buf::from(format!("fresh: {version}").as_bytes()));
                message::put_bytes(to, cx, 5, Kind::Park, version.as_bytes());
                return Ok(Turn::Finished { reusable: true });
            }
        }
        Ok(Turn::Blocked)
    }

    fn restart(&mut self, _: bool) -> bool {
        !self.asked
    }
}
