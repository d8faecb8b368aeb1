//! The library's errors as faults: who is to blame, and what helps.

use std::io;

use russh::{AlgorithmKind, Error};
use sockless_core::{Culprit, Fault, Reason};

use crate::algorithms::{Kind, nothing_in_common};

pub(super) fn fault(error: Error) -> Fault {
    let misbehaved = |reason, what: &str| Fault::misbehaved(reason, what);
    match error {
        Error::NoCommonAlgo { kind, ours, theirs } => {
            let kind = match kind {
                AlgorithmKind::Kex => Kind::Kex,
                AlgorithmKind::Key => Kind::HostKey,
                AlgorithmKind::Cipher => Kind::Cipher,
                AlgorithmKind::Compression => Kind::Compression,
                AlgorithmKind::Mac => Kind::Mac,
            };
            nothing_in_common(kind.name(), &ours, &theirs)
        }
        Error::Version => misbehaved(
            Reason::WrongProtocol,
            "the peer's first lines are not those of SSH 2",
        )
        .remedy("is it an SSH server, and the right port?"),
        Error::IO(error) if error.kind() == io::ErrorKind::UnexpectedEof => truncated(),
        Error::HUP | Error::Disconnect | Error::SendError | Error::RecvError => truncated(),
        Error::PacketAuth | Error::DecryptionError => misbehaved(
            Reason::Malformed,
            "a packet's authentication code is wrong: it was altered on its way",
        ),
        Error::PacketSize(size) => Fault::misbehaved(
            Reason::Malformed,
            format!("a packet says that it has {size} bytes"),
        ),
        Error::WrongServerSig | Error::Signature(_) => Fault::new(
            Culprit::PeerMisbehaved,
            Reason::Handshake,
            "the peer's signature does not fit its host key",
        )
        .remedy("do not trust this peer: it does not own the key that it shows"),
        Error::StrictKeyExchangeViolation {
            message_type,
            sequence_number,
        } => Fault::misbehaved(
            Reason::Handshake,
            format!(
                "message {message_type} at place {sequence_number} of the key exchange, where none may be"
            ),
        )
        .remedy("somebody may have put it there (CVE-2023-48795)"),
        Error::Kex | Error::KexInit => misbehaved(
            Reason::Handshake,
            "the peer's part of the key exchange is not what the protocol allows",
        ),
        Error::Decompress(_) => misbehaved(Reason::Malformed, "a packet cannot be decompressed"),
        Error::Pending => misbehaved(
            Reason::Malformed,
            "the peer sends without end and does not finish the key exchange",
        ),
        Error::IO(error) => Fault::io(Reason::Malformed, "the session failed", error),
        other => {
            let what = format!("the peer broke the protocol: {other}");
            let line = what.replace(['\r', '\n'], " ");
            Fault::misbehaved(Reason::Malformed, line).source(other)
        }
    }
}

fn truncated() -> Fault {
    Fault::misbehaved(
        Reason::Truncated,
        "the connection ended without the peer's farewell",
    )
}
