//! The options about Kerberos.

use std::path::PathBuf;

/// Tickets, where they come from, and whom they are for.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Kerberos")]
pub(crate) struct KerberosArgs {
    /// Negotiate (Kerberos) authentication; "-u :" or none: as whoever the tickets are of
    #[arg(long, overrides_with_all = ["basic", "digest", "anyauth", "negotiate"])]
    pub(crate) negotiate: bool,
    /// Negotiate (Kerberos) authentication to the proxy
    #[arg(long, overrides_with_all = ["proxy_basic", "proxy_digest", "proxy_anyauth", "proxy_negotiate"])]
    pub(crate) proxy_negotiate: bool,
    /// Kerberos for the SOCKS5 proxy
    #[arg(long)]
    pub(crate) socks5_gssapi: bool,
    /// What the SOCKS5 proxy's service is called [default: rcmd]
    #[arg(long, value_name = "NAME")]
    pub(crate) socks5_gssapi_service: Option<String>,
    /// How everything up to the SOCKS5 proxy is protected at least
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub(crate) socks5_gssapi_protection: Level,
    /// What the server's service is called [default: HTTP]
    #[arg(long, value_name = "NAME")]
    pub(crate) service_name: Option<String>,
    /// What the proxy's service is called [default: HTTP]
    #[arg(long, value_name = "NAME")]
    pub(crate) proxy_service_name: Option<String>,
    /// Who speaks Kerberos: gssapi or rust
    #[arg(long, value_name = "NAME")]
    pub(crate) krb5_backend: Option<String>,
    /// Whether the server may act for the user
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub(crate) delegation: Delegate,
    /// Take tickets from this file [default: $KRB5CCNAME, or the usual one in /tmp]
    #[arg(long, value_name = "FILE", conflicts_with = "krb5_keytab")]
    pub(crate) krb5_ccache: Option<String>,
    /// Get tickets with the key in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) krb5_keytab: Option<PathBuf>,
    /// Ask this KDC instead of those in krb5.conf; may be a KDC proxy's URL
    #[arg(long, value_name = "[REALM=]HOST[:PORT]")]
    pub(crate) kdc: Vec<String>,
}

/// `--delegation`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Delegate {
    #[default]
    None,
    Policy,
    Always,
}

/// `--socks5-gssapi-protection`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Level {
    #[default]
    None,
    Integrity,
    Confidentiality,
}
