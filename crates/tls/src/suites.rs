//! Cipher suites and groups by the names that people give them.

/// A cipher suite of TLS 1.2 by the name that IANA has for it and the one that OpenSSL has.
struct Suite {
    iana: &'static str,
    openssl: &'static str,
}

/// Those that both backends have: authenticated encryption, forward secrecy.
const TLS12: [Suite; 6] = [
    Suite {
        iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-ECDSA-AES256-GCM-SHA384",
    },
    Suite {
        iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-ECDSA-AES128-GCM-SHA256",
    },
    Suite {
        iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-ECDSA-CHACHA20-POLY1305",
    },
    Suite {
        iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        openssl: "ECDHE-RSA-AES256-GCM-SHA384",
    },
    Suite {
        iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        openssl: "ECDHE-RSA-AES128-GCM-SHA256",
    },
    Suite {
        iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        openssl: "ECDHE-RSA-CHACHA20-POLY1305",
    },
];

/// What else a group is called, after the name that IANA has for it (RFC 8422 section 5.1.1).
const GROUPS: [&[&str]; 4] = [
    &["X25519", "x25519"],
    &["secp256r1", "P-256", "prime256v1"],
    &["secp384r1", "P-384"],
    &["secp521r1", "P-521"],
];

/// The names in a list with colons, commas or spaces between them.
pub(crate) fn names(list: &str) -> impl Iterator<Item = &str> {
    let names = list.split([':', ',', ' ']);
    names.filter(|name| !name.is_empty())
}

/// The name that IANA has for a suite of TLS 1.2, if the name is OpenSSL's.
#[cfg(feature = "rustls")]
pub(crate) fn iana(name: &str) -> &str {
    let suite = TLS12.iter().find(|suite| suite.openssl == name);
    suite.map_or(name, |suite| suite.iana)
}

/// The other way round.
#[cfg(feature = "openssl")]
pub(crate) fn openssl(name: &str) -> &str {
    let suite = TLS12.iter().find(|suite| suite.iana == name);
    suite.map_or(name, |suite| suite.openssl)
}

/// All suites of TLS 1.2 that are offered when nobody chooses, by OpenSSL's names.
#[cfg(feature = "openssl")]
pub(crate) fn defaults() -> impl Iterator<Item = &'static str> {
    TLS12.iter().map(|suite| suite.openssl)
}

/// The name that IANA has for a group.
pub(crate) fn group(name: &str) -> &str {
    let names = GROUPS.iter().find(|names| names.contains(&name));
    names.map_or(name, |names| names[0])
}
