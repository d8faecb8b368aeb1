//! Where packets end on the wire, as far as that can be seen.
//!
//! libssh2 loses what it has opened of a channel's data when an error follows in the same breath. So it
//! gets one packet at a time, and what came of it is taken before the next. With ciphers that seal the
//! length too it gets small pieces. Nothing else hangs on the ends that are found here.

use sockless_core::Pipe;

/// Bytes that are given at once where no end can be seen.
const PIECE: usize = 8 * 1024;

/// More than any packet has.
const MOST: usize = 64 * 1024;

const NEWKEYS: u8 = 21;

/// A look at the bytes that come from the peer.
pub(super) struct Frames {
    stage: Stage,
    /// Of the packet that is under way, the first bytes: its length, the padding's, its message. Of a
    /// line, the first four.
    head: Vec<u8>,
    /// Bytes until it ends; 0 between packets.
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Lines, the last of which is the version.
    Version,
    /// Packets in the clear.
    Clear,
    /// The keys have changed; how long packets are has to be told.
    New,
    /// Sealed packets that say how long they are, and have so many more bytes.
    Sealed(usize),
    /// No end can be seen.
    Opaque,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self {
            stage: Stage::Version,
            head: Vec::new(),
            left: 0,
        }
    }

    /// Whether the first keys have come, and [`Frames::seal`] has to say what follows.
    pub(super) fn is_sealed_anew(&self) -> bool {
        self.stage == Stage::New
    }

    /// Says what is agreed on for what comes from the peer.
    pub(super) fn seal(&mut self, cipher: &str, mac: &str) {
        let hash = match mac.strip_suffix("-etm@openssh.com") {
            Some("hmac-sha2-256") => Some(32),
            Some("hmac-sha2-512") => Some(64),
            Some("hmac-sha1") => Some(20),
            _ => None,
        };
        self.stage = match cipher.contains("-gcm@") {
            true => Stage::Sealed(16),
            false if cipher.contains("poly1305") => Stage::Opaque,
            false => hash.map_or(Stage::Opaque, Stage::Sealed),
        };
    }

    /// Moves bytes, up to the end of a packet; says whether there were any.
    pub(super) fn feed(&mut self, from: &mut Pipe, to: &mut Pipe) -> bool {
        let mut fed = false;
        while let Some(piece) = from.pop_max(self.wanted()) {
            fed = true;
            let has_ended = self.look(&piece);
            to.push(piece);
            if has_ended {
                break;
            }
        }
        fed
    }

    /// At most how many bytes belong to what is looked at next.
    fn wanted(&self) -> usize {
        match self.stage {
            Stage::Version => 1,
            Stage::New | Stage::Opaque => PIECE,
            _ if self.left > 0 => self.left,
            stage => head(stage) - self.head.len(),
        }
    }

    /// Takes bytes in; says whether a packet ends with them.
    fn look(&mut self, bytes: &[u8]) -> bool {
        match self.stage {
            Stage::New | Stage::Opaque => return true,
            Stage::Version => {
                self.look_for_version(bytes);
                return false;
            }
            _ => {}
        }
        if self.left > 0 {
            self.left -= bytes.len();
        } else {
            self.head.extend_from_slice(bytes);
            let Some(len) = self.head.first_chunk() else {
                return false;
            };
            if self.head.len() < head(self.stage) {
                return false;
            }
            let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
            let behind = match self.stage {
                Stage::Sealed(more) => len.checked_add(more),
                // The length of the padding and the message are in the head.
                _ => len.checked_sub(2),
            };
            match behind {
                Some(behind) if behind <= MOST => self.left = behind,
                _ => {
                    self.stage = Stage::Opaque;
                    return true;
                }
            }
        }
        if self.left > 0 {
            return false;
        }
        if self.stage == Stage::Clear && self.head.last() == Some(&NEWKEYS) {
            self.stage = Stage::New;
        }
        self.head.clear();
        true
    }

    fn look_for_version(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if *byte == b'\n' {
                let is_version = self.head.starts_with(b"SSH-");
                self.head.clear();
                if is_version {
                    self.stage = Stage::Clear;
                    return;
                }
            } else if self.head.len() < b"SSH-".len() {
                self.head.push(*byte);
            }
        }
    }
}

/// Bytes of a packet's head that are looked at.
fn head(stage: Stage) -> usize {
    match stage {
        Stage::Sealed(_) => 4,
        _ => 6,
    }
}
