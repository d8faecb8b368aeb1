//! One scenario again and again, each time with another operation going wrong.

use std::io::ErrorKind;

/// What can become of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Injury {
    /// It fails with this error.
    Fail(ErrorKind),
    /// It does not come back until it is cancelled.
    Hang,
    /// A receive or a lookup comes back empty.
    Nothing,
    /// A send takes a single byte.
    Byte,
    /// While it is in flight, the application cancels all its transfers.
    CancelTransfers,
    /// While it is in flight, the application drops the engine.
    DropEngine,
}

/// Something that is done to one operation of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interruption {
    /// Which operation, counted from 0 as they are submitted.
    pub at: u64,
    /// What becomes of it.
    pub injury: Injury,
}

impl Injury {
    /// Everything that can be done to an operation of that name.
    pub(crate) fn all(operation: &str) -> Vec<Self> {
        let mut ways: Vec<Self> = match operation {
            "resolve" => vec![Self::Fail(ErrorKind::NotFound), Self::Nothing, Self::Hang],
            "connect" => vec![
                Self::Fail(ErrorKind::ConnectionRefused),
                Self::Fail(ErrorKind::TimedOut),
                Self::Hang,
            ],
            "recv" => vec![
                Self::Fail(ErrorKind::ConnectionReset),
                Self::Fail(ErrorKind::OutOfMemory),
                Self::Nothing,
                Self::Hang,
            ],
            "send" => vec![
                Self::Fail(ErrorKind::BrokenPipe),
                Self::Fail(ErrorKind::ConnectionReset),
                Self::Byte,
                Self::Hang,
            ],
            "shutdown" => vec![Self::Fail(ErrorKind::NotConnected), Self::Hang],
            _ => vec![Self::Fail(ErrorKind::Other)],
        };
        ways.extend([Self::CancelTransfers, Self::DropEngine]);
        ways
    }
}
