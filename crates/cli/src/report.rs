//! What went wrong, in curl's exit codes and in words.

use std::fmt;
use std::io;
use std::path::Path;

use sockless::{Culprit, Error, Reason};

/// Exit codes that this command gives of its own accord; curl's numbers.
pub(crate) mod code {
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const URL: u8 = 3;
    pub(crate) const PROXY_NAME: u8 = 5;
    pub(crate) const CONNECT: u8 = 7;
    pub(crate) const HTTP_STATUS: u8 = 22;
    pub(crate) const WRITE: u8 = 23;
    #[cfg(feature = "ssh")]
    pub(crate) const QUOTE: u8 = 21;
    pub(crate) const READ: u8 = 26;
    pub(crate) const RANGE: u8 = 33;
    pub(crate) const HANDSHAKE: u8 = 35;
    pub(crate) const RESUME: u8 = 36;
    pub(crate) const CLIENT_CERTIFICATE: u8 = 58;
    pub(crate) const CA_FILE: u8 = 77;
    pub(crate) const CRL_FILE: u8 = 82;
    pub(crate) const PINNED_KEY: u8 = 90;
}

/// A failure as the command reports it.
#[derive(Debug)]
pub(crate) struct Failure {
    /// curl's exit code.
    pub(crate) code: u8,
    /// What is said about it.
    pub(crate) what: String,
    /// Nothing is said: whoever reads our output has left.
    pub(crate) quiet: bool,
}

impl Failure {
    pub(crate) fn new(code: u8, what: impl Into<String>) -> Self {
        Self {
            code,
            what: what.into(),
            quiet: false,
        }
    }

    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(code::USAGE, what)
    }

    /// A failed write to `name`.
    pub(crate) fn write(name: &str, error: &io::Error) -> Self {
        let quiet = error.kind() == io::ErrorKind::BrokenPipe;
        Self {
            quiet,
            ..Self::new(
                code::WRITE,
                format!(
                    "output: cannot write {name}: {error} [{}]; {}",
                    Culprit::Transport,
                    to_write(error.kind())
                ),
            )
        }
    }

    /// A file that cannot be read.
    pub(crate) fn read(code: u8, path: &Path, error: &io::Error) -> Self {
        let what = format!(
            "input: cannot read {}: {error} [{}]; check its name, and who may read it",
            path.display(),
            Culprit::Misuse
        );
        Self::new(code, what)
    }

    /// An error of the library.
    pub(crate) fn of(error: &Error) -> Self {
        Self::new(exit_code(error), words(error))
    }
}

/// The error in the library's words, but with the remedy that the command has for it.
fn words(error: &Error) -> String {
    let remedy = match error.reason() {
        Reason::BodyTooLarge => "give --max-filesize the size that you allow",
        Reason::ConnectTimeout | Reason::HandshakeTimeout => {
            "raise --connect-timeout, or check host and port"
        }
        Reason::TotalTimeout => "raise -m",
        Reason::LowSpeed => "lower -Y, or raise -y",
        Reason::TooManyRedirects => "raise --max-redirs, or look where the chain leads",
        Reason::PartialBody => "try again; -C - asks for the rest only",
        Reason::ContentCoding => "leave --compressed out to get the body as it is",
        Reason::WrongProtocol if error.remedy().is_some_and(|it| it.contains("allow_http09")) => {
            "HTTP/0.9 is not taken: check the port"
        }
        Reason::HeadTooLarge | Reason::TooManyFields => {
            "the bound is fixed: the server has to send less"
        }
        _ => return error.to_string(),
    };
    let peer = error.peer().map(|peer| format!(" ({peer})"));
    format!(
        "{}{}: {} [{}]; {remedy}",
        error.layer(),
        peer.unwrap_or_default(),
        error.what(),
        error.culprit()
    )
}

/// What helps when a file cannot be written.
fn to_write(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room, then go on with -C -"
        }
        io::ErrorKind::FileTooLarge => "raise the limit on files' sizes, then go on with -C -",
        io::ErrorKind::NotFound => "make the folder first, or give --create-dirs",
        io::ErrorKind::IsADirectory => "give a file's name, or the folder as --output-dir",
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a place that you may write to"
        }
        _ => "check the file, and the disk it is on",
    }
}

/// `(code) what`, as it follows the command's name.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}) {}", self.code, self.what)
    }
}

/// curl's exit code for an error of the library.
///
/// The layer decides where curl has several numbers for what is one thing here.
pub(crate) fn exit_code(error: &Error) -> u8 {
    let in_tls = error.layer() == "tls";
    let in_socks = matches!(error.layer(), "socks4" | "socks5");
    match error.reason() {
        Reason::BadUrl => 3,
        Reason::Resolve => 6,
        Reason::Connect => 7,
        Reason::PermissionDenied => 9,
        Reason::PartialBody => 18,
        Reason::Quote => 21,
        Reason::Upload => 26,
        Reason::ConnectTimeout
        | Reason::HandshakeTimeout
        | Reason::FirstByteTimeout
        | Reason::IdleTimeout
        | Reason::TotalTimeout
        | Reason::LowSpeed => 28,
        Reason::Handshake => 35,
        Reason::WrongProtocol if in_tls => 35,
        // curl: "Received HTTP/0.9 when not allowed".
        Reason::WrongProtocol => 1,
        Reason::BadResume => 36,
        Reason::Cancelled => 42,
        Reason::Misuse => 43,
        Reason::TooManyRedirects => 47,
        Reason::BadRedirect if error.culprit() == Culprit::Policy => 1,
        Reason::BadRedirect => 3,
        Reason::EmptyReply => 52,
        Reason::Send => 55,
        Reason::Malformed if in_tls => 56,
        Reason::Malformed
        | Reason::ConflictingLength
        | Reason::ObsoleteFold
        | Reason::BareLineEnd
        | Reason::SpaceBeforeColon => 8,
        Reason::BadChunk
        | Reason::Truncated
        | Reason::Receive
        | Reason::HeadTooLarge
        | Reason::TooManyFields => 56,
        Reason::Certificate | Reason::HostKey => 60,
        // curl has one number for all that SSH's own layers say.
        Reason::PinMismatch if error.layer() == "ssh" => 60,
        Reason::PinMismatch => 90,
        Reason::NotFound => 78,
        Reason::Proxy | Reason::Authentication if in_socks => 97,
        // An origin's 401 is an answer like any other; this is one that cannot be trusted.
        Reason::Authentication if error.layer() != "connect" => 67,
        Reason::Proxy | Reason::Authentication | Reason::Reopen => 56,
        Reason::ContentCoding => 61,
        // A transfer coding that nobody here knows is the peer's idea.
        Reason::Unsupported if error.layer() == "http" && error.culprit() != Culprit::Misuse => 61,
        Reason::Unsupported => 1,
        Reason::BodyTooLarge => 63,
        Reason::BadRequest => 2,
        _ => 56,
    }
}

/// Says it on standard error. A standard error that is gone is nobody's to tell.
pub(crate) fn complain(what: impl fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(io::stderr(), "sockless: {what}");
}

#[cfg(test)]
mod tests {
    use sockless::core::Fault;

    use super::*;

    #[test]
    fn the_layer_decides_where_curl_has_two_numbers() {
        let code = |reason, layer| {
            exit_code(&Fault::new(Culprit::PeerMisbehaved, reason, "what").at(layer))
        };
        assert_eq!(code(Reason::WrongProtocol, "tls"), 35);
        assert_eq!(code(Reason::WrongProtocol, "http"), 1);
        assert_eq!(code(Reason::Malformed, "http"), 8);
        assert_eq!(code(Reason::Malformed, "tls"), 56);
        assert_eq!(code(Reason::Unsupported, "http"), 61);
        assert_eq!(code(Reason::Unsupported, "url"), 1);
        assert_eq!(code(Reason::Proxy, "socks5"), 97);
        assert_eq!(code(Reason::Authentication, "socks4"), 97);
        assert_eq!(code(Reason::Proxy, "connect"), 56);
        assert_eq!(code(Reason::Authentication, "connect"), 56);
        assert_eq!(code(Reason::Authentication, "auth"), 67);
        assert_eq!(code(Reason::Reopen, "connect"), 56);
    }

    #[test]
    fn a_reader_that_left_is_no_news() {
        let failure = |kind| Failure::write("output", &io::Error::from(kind));
        assert!(failure(io::ErrorKind::BrokenPipe).quiet);
        assert!(!failure(io::ErrorKind::StorageFull).quiet);
        assert_eq!(failure(io::ErrorKind::StorageFull).code, 23);
    }
}
