//! The options about what lies between us and the server.

use std::net::IpAddr;
use std::path::PathBuf;

/// Proxies, and what is said to them.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Proxies")]
pub(crate) struct ProxyArgs {
    /// Go through this proxy, [SCHEME://][USER:PASSWORD@]HOST[:PORT] ("": through none)
    #[arg(short = 'x', long, value_name = "PROXY", overrides_with_all = LAST_HOP)]
    pub(crate) proxy: Option<String>,
    /// An HTTP proxy that is asked for tunnels in HTTP/1.0
    #[arg(long = "proxy1.0", value_name = "HOST[:PORT]", overrides_with_all = LAST_HOP)]
    pub(crate) proxy1_0: Option<String>,
    /// A SOCKS4 proxy
    #[arg(long, value_name = "HOST[:PORT]", overrides_with_all = LAST_HOP)]
    pub(crate) socks4: Option<String>,
    /// A SOCKS4a proxy, which resolves names itself
    #[arg(long, value_name = "HOST[:PORT]", overrides_with_all = LAST_HOP)]
    pub(crate) socks4a: Option<String>,
    /// A SOCKS5 proxy
    #[arg(long, value_name = "HOST[:PORT]", overrides_with_all = LAST_HOP)]
    pub(crate) socks5: Option<String>,
    /// A SOCKS5 proxy, which resolves names itself
    #[arg(long, value_name = "HOST[:PORT]", overrides_with_all = LAST_HOP)]
    pub(crate) socks5_hostname: Option<String>,
    /// Reach the proxy through this one
    #[arg(long, value_name = "PROXY")]
    pub(crate) preproxy: Option<String>,
    /// Hosts that are reached without a proxy, with commas between them ("*": all)
    #[arg(long, value_name = "HOSTS")]
    pub(crate) noproxy: Option<String>,
    /// Go through a tunnel for http:, too
    #[arg(short = 'p', long)]
    pub(crate) proxytunnel: bool,
    /// Credentials for the proxy
    #[arg(short = 'U', long, value_name = "USER:PASSWORD")]
    pub(crate) proxy_user: Option<String>,
    /// Basic authentication to the proxy (the default)
    #[arg(long, overrides_with_all = PROXY_SCHEMES)]
    pub(crate) proxy_basic: bool,
    /// Digest authentication to the proxy
    #[arg(long, overrides_with_all = PROXY_SCHEMES)]
    pub(crate) proxy_digest: bool,
    /// The strongest authentication that the proxy offers
    #[arg(long, overrides_with_all = PROXY_SCHEMES)]
    pub(crate) proxy_anyauth: bool,
    /// Send a field to the HTTP proxy alone ("@FILE": one a line)
    #[arg(long, value_name = "FIELD")]
    pub(crate) proxy_header: Vec<String>,
    /// Trust the authorities in this PEM file for an HTTPS proxy, and no others
    #[arg(long, value_name = "FILE")]
    pub(crate) proxy_cacert: Option<PathBuf>,
    /// Believe whoever answers as the HTTPS proxy
    #[arg(long)]
    pub(crate) proxy_insecure: bool,
    /// The HTTPS proxy must have one of these public keys
    #[arg(long, value_name = "FILE|HASHES")]
    pub(crate) proxy_pinnedpubkey: Option<String>,
    /// Begin connections with the header of HAProxy's PROXY protocol
    #[arg(long)]
    pub(crate) haproxy_protocol: bool,
    /// Say in it that this is the client
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) haproxy_clientip: Option<IpAddr>,
    /// Join standard input and output with a connection to there
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) tunnel: Option<String>,
    /// Speak TLS to the end of the --tunnel
    #[arg(long)]
    pub(crate) tunnel_tls: bool,
}

/// One of these counts, the last that is given.
const LAST_HOP: [&str; 6] = [
    "proxy",
    "proxy1_0",
    "socks4",
    "socks4a",
    "socks5",
    "socks5_hostname",
];

const PROXY_SCHEMES: [&str; 4] = [
    "proxy_basic",
    "proxy_digest",
    "proxy_anyauth",
    "proxy_negotiate",
];
