//! The peer's last word: an alert (RFC 8446 section 6), and which of us it is about.

use sockless_core::{Culprit, Fault, Phase, Reason};

/// The fault that an alert of that number is.
pub(crate) fn received(alert: u8, phase: Phase) -> Fault {
    let what = match name(alert) {
        Some("ProtocolVersion") => {
            "no TLS version in common (the peer sent the TLS alert ProtocolVersion)".to_owned()
        }
        Some(name) => format!("the peer refused with the TLS alert {name}"),
        None => format!("the peer refused with the unknown TLS alert {alert}"),
    };
    let incompatible = || Fault::new(Culprit::PeerIncompatible, Reason::Handshake, &what);
    match alert {
        HANDSHAKE_FAILURE
        | PROTOCOL_VERSION..=INSUFFICIENT_SECURITY
        | INAPPROPRIATE_FALLBACK
        | MISSING_EXTENSION..=UNSUPPORTED_EXTENSION
        | NO_APPLICATION_PROTOCOL => incompatible()
            .remedy("compare the offered versions, ciphers and ALPN protocols with the server's"),
        UNRECOGNIZED_NAME => {
            incompatible().remedy("check the host name: the server does not serve it")
        }
        NO_CERTIFICATE..=CERTIFICATE_UNKNOWN
        | UNKNOWN_CA..=ACCESS_DENIED
        | CERTIFICATE_REQUIRED => {
            incompatible().remedy("give a client certificate that the server accepts")
        }
        _ => match phase {
            Phase::Handshake => Fault::misbehaved(Reason::Handshake, what),
            Phase::Open => Fault::misbehaved(Reason::Truncated, what),
        },
    }
}

const HANDSHAKE_FAILURE: u8 = 40;
const NO_CERTIFICATE: u8 = 41;
const CERTIFICATE_UNKNOWN: u8 = 46;
const UNKNOWN_CA: u8 = 48;
const ACCESS_DENIED: u8 = 49;
const PROTOCOL_VERSION: u8 = 70;
const INSUFFICIENT_SECURITY: u8 = 71;
const INAPPROPRIATE_FALLBACK: u8 = 86;
const MISSING_EXTENSION: u8 = 109;
const UNSUPPORTED_EXTENSION: u8 = 110;
const UNRECOGNIZED_NAME: u8 = 112;
const CERTIFICATE_REQUIRED: u8 = 116;
const NO_APPLICATION_PROTOCOL: u8 = 120;

/// As the RFCs name it, without underscores.
fn name(alert: u8) -> Option<&'static str> {
    Some(match alert {
        0 => "CloseNotify",
        10 => "UnexpectedMessage",
        20 => "BadRecordMac",
        21 => "DecryptionFailed",
        22 => "RecordOverflow",
        30 => "DecompressionFailure",
        40 => "HandshakeFailure",
        41 => "NoCertificate",
        42 => "BadCertificate",
        43 => "UnsupportedCertificate",
        44 => "CertificateRevoked",
        45 => "CertificateExpired",
        46 => "CertificateUnknown",
        47 => "IllegalParameter",
        48 => "UnknownCa",
        49 => "AccessDenied",
        50 => "DecodeError",
        51 => "DecryptError",
        60 => "ExportRestriction",
        70 => "ProtocolVersion",
        71 => "InsufficientSecurity",
        80 => "InternalError",
        86 => "InappropriateFallback",
        90 => "UserCanceled",
        100 => "NoRenegotiation",
        109 => "MissingExtension",
        110 => "UnsupportedExtension",
        111 => "CertificateUnobtainable",
        112 => "UnrecognizedName",
        113 => "BadCertificateStatusResponse",
        114 => "BadCertificateHashValue",
        115 => "UnknownPskIdentity",
        116 => "CertificateRequired",
        120 => "NoApplicationProtocol",
        121 => "EncryptedClientHelloRequired",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_blames_who_it_is_about() {
        let required = received(CERTIFICATE_REQUIRED, Phase::Open);
        assert_eq!(required.culprit, Culprit::PeerIncompatible);
        let internal = received(80, Phase::Open);
        assert_eq!(internal.culprit, Culprit::PeerMisbehaved);
        assert_eq!(internal.reason, Reason::Truncated);
        assert!(received(250, Phase::Handshake).what.contains("250"));
    }
}
