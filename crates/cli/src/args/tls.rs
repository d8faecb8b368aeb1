//! The options about TLS.

use std::path::PathBuf;

/// Who is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Which library speaks TLS: rustls or openssl
    #[arg(long, value_name = "NAME")]
    pub(crate) tls_backend: Option<String>,
    /// Believe whoever answers
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,
    /// Trust the authorities in this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    /// Trust the authorities in this folder's PEM files, and no others
    #[arg(long, value_name = "DIR")]
    pub(crate) capath: Option<PathBuf>,
    /// Trust the system's authorities
    #[arg(long)]
    pub(crate) ca_native: bool,
    /// Refuse certificates that these lists (PEM) revoke or do not cover
    #[arg(long, value_name = "FILE")]
    pub(crate) crlfile: Option<PathBuf>,
    /// The server must have one of these public keys: a file, or sha256//BASE64;...
    #[arg(long, value_name = "FILE|HASHES")]
    pub(crate) pinnedpubkey: Option<String>,
    /// Refuse servers that do not prove that their certificate is not revoked (OCSP)
    #[arg(long)]
    pub(crate) cert_status: bool,
    /// Client certificate chain
    #[arg(short = 'E', long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// The client certificate's form: PEM or P12
    #[arg(long, value_name = "TYPE")]
    pub(crate) cert_type: Option<String>,
    /// The client certificate's private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// What opens the private key
    #[arg(long, value_name = "PHRASE")]
    pub(crate) pass: Option<String>,
    /// TLS 1.2 or later (the default)
    #[arg(long = "tlsv1.2")]
    pub(crate) tlsv1_2: bool,
    /// TLS 1.3 or later
    #[arg(long = "tlsv1.3")]
    pub(crate) tlsv1_3: bool,
    /// The highest version: 1.2, 1.3 or default
    #[arg(long, value_name = "VERSION")]
    pub(crate) tls_max: Option<String>,
    /// Cipher suites of TLS 1.2, best first, with colons between them
    #[arg(long, value_name = "LIST")]
    pub(crate) ciphers: Option<String>,
    /// Cipher suites of TLS 1.3, best first, with colons between them
    #[arg(long = "tls13-ciphers", value_name = "LIST")]
    pub(crate) tls13_ciphers: Option<String>,
    /// Groups for the key exchange, best first, with colons between them
    #[arg(long, value_name = "LIST")]
    pub(crate) curves: Option<String>,
}
