//! Which proxies the options and the environment name, and who we are to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sockless::{Auth, NoProxy, Proxies, Proxy, ProxyHeader, ProxyKind, Reason};

use crate::args::{Args, ProxyArgs};
use crate::kerberos::Kerberos;
use crate::report::{Failure, code};
use crate::settings;

/// The environment as far as it is asked: a variable that is empty is none.
pub(crate) type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The process's own.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The proxies of a group of options. The environment counts where options say nothing.
///
/// # Errors
/// What is named is no proxy, or its TLS settings cannot be used.
pub(crate) fn proxies(
    args: &Args,
    kerberos: &Kerberos,
    environment: Environment<'_>,
) -> Result<Proxies, Failure> {
    let chain = |hop| chain(args, kerberos, hop);
    let either = |names: [&str; 2]| names.into_iter().find_map(environment);
    let options = &args.proxy;
    let mut proxies = Proxies::default();
    let except = options.noproxy.clone();
    let except = except.or_else(|| either(["no_proxy", "NO_PROXY"]));
    proxies.except = NoProxy::parse(&except.unwrap_or_default());
    match last_hop(options) {
        Some(hop) => {
            proxies.https = chain(Some(hop))?;
            proxies.http.clone_from(&proxies.https);
        }
        None if options.preproxy.is_some() => {
            proxies.https = chain(None)?;
            proxies.http.clone_from(&proxies.https);
        }
        None => {
            let all = || either(["all_proxy", "ALL_PROXY"]);
            // Not HTTP_PROXY: a server sets it for its CGI programs from a request's field.
            if let Some(text) = environment("http_proxy").or_else(all) {
                proxies.http = chain(Some(Hop::from(text)))?;
            }
            if let Some(text) = either(["https_proxy", "HTTPS_PROXY"]).or_else(all) {
                proxies.https = chain(Some(Hop::from(text)))?;
            }
        }
    }
    Ok(proxies)
}

/// The proxies for what is no request of HTTP: those of the options, or of the environment for all.
///
/// # Errors
/// As [`proxies`].
pub(crate) fn everybodys(
    args: &Args,
    kerberos: &Kerberos,
    environment: Environment<'_>,
) -> Result<Vec<Proxy>, Failure> {
    let chain = |hop| chain(args, kerberos, hop);
    let options = &args.proxy;
    match last_hop(options) {
        Some(hop) => chain(Some(hop)),
        None if options.preproxy.is_some() => chain(None),
        None => {
            let all = ["all_proxy", "ALL_PROXY"].into_iter().find_map(environment);
            all.map_or(Ok(Vec::new()), |text| chain(Some(Hop::from(text))))
        }
    }
}

/// The proxy that connects to the server.
struct Hop {
    text: String,
    http10: bool,
}

impl From<String> for Hop {
    fn from(text: String) -> Self {
        let http10 = false;
        Self { text, http10 }
    }
}

fn last_hop(options: &ProxyArgs) -> Option<Hop> {
    let kinds = [
        ("http", &options.proxy, false),
        ("http", &options.proxy1_0, true),
        ("socks4", &options.socks4, false),
        ("socks4a", &options.socks4a, false),
        ("socks5", &options.socks5, false),
        ("socks5h", &options.socks5_hostname, false),
    ];
    kinds.into_iter().find_map(|(scheme, text, http10)| {
        let text = text.as_ref()?;
        let text = match text.contains("://") || text.is_empty() {
            true => text.clone(),
            false => format!("{scheme}://{text}"),
        };
        Some(Hop { text, http10 })
    })
}

/// The proxies in the order they are met.
fn chain(args: &Args, kerberos: &Kerberos, hop: Option<Hop>) -> Result<Vec<Proxy>, Failure> {
    let options = &args.proxy;
    let mut chain = Vec::new();
    if let Some(text) = options.preproxy.as_deref().filter(|text| !text.is_empty()) {
        // Without a scheme it is what curl takes it for.
        chain.push(match text.contains("://") {
            true => parse(text)?,
            false => parse(&format!("socks4://{text}"))?,
        });
    }
    if let Some(hop) = hop.filter(|hop| !hop.text.is_empty()) {
        chain.push(last(options, parse(&hop.text)?, hop.http10)?);
    }
    let introduced = |proxy| kerberos.introduced(proxy);
    let chain: Vec<Proxy> = chain.into_iter().map(introduced).collect();
    if chain.iter().any(|proxy| proxy.kind() == ProxyKind::Https) {
        let client = settings::proxy_tls(args)?;
        let with_tls = chain.into_iter().map(|proxy| match proxy.kind() {
            ProxyKind::Https => proxy.tls(client.clone()),
            _ => proxy,
        });
        return Ok(with_tls.collect());
    }
    Ok(chain)
}

/// What the options say about the last proxy, and no other.
fn last(options: &ProxyArgs, mut proxy: Proxy, http10: bool) -> Result<Proxy, Failure> {
    if let (Some(user), false) = (&options.proxy_user, proxy.has_auth()) {
        let (user, password) = user.split_once(':').unwrap_or((user, ""));
        proxy = proxy.auth(Auth::password(user, password));
    }
    let is_http = matches!(proxy.kind(), ProxyKind::Http | ProxyKind::Https);
    if !is_http {
        return Ok(proxy);
    }
    if options.proxy_digest {
        proxy = proxy.map_auth(Auth::digest);
    } else if options.proxy_anyauth {
        proxy = proxy.map_auth(Auth::any);
    }
    for text in &options.proxy_header {
        proxy = match text.strip_prefix('@') {
            None => with_field(proxy, text)?,
            Some(name) => {
                let content = std::fs::read_to_string(name)
                    .map_err(|error| Failure::read(code::READ, name.as_ref(), &error))?;
                let lines = content.lines().filter(|line| !line.trim().is_empty());
                lines.into_iter().try_fold(proxy, with_field)?
            }
        };
    }
    if options.proxytunnel {
        proxy = proxy.tunnel();
    }
    Ok(if http10 { proxy.http10() } else { proxy })
}

fn with_field(proxy: Proxy, text: &str) -> Result<Proxy, Failure> {
    let (name, value) = text.split_once(':').ok_or_else(|| {
        Failure::usage(format!(
            "--proxy-header {text:?}: write it as \"Name: value\""
        ))
    })?;
    let with = proxy.header(name.trim(), value.trim());
    with.map_err(|error| Failure::of(&error))
}

/// curl's numbers: a proxy that is none cannot be resolved, one of an unknown kind cannot be
/// connected to.
fn parse(text: &str) -> Result<Proxy, Failure> {
    Proxy::parse(text).map_err(|error| {
        let mut failure = Failure::of(&error);
        failure.code = match error.reason() {
            Reason::Unsupported => code::CONNECT,
            _ => code::PROXY_NAME,
        };
        failure
    })
}

/// The PROXY protocol's header, for a connection to `host` and `port`.
pub(crate) fn header(options: &ProxyArgs, host: &str, port: u16) -> Option<ProxyHeader> {
    let Some(client) = options.haproxy_clientip else {
        return options.haproxy_protocol.then_some(ProxyHeader::Own);
    };
    // What a name resolves to is not known before the connection; the family has to fit.
    let unspecified: IpAddr = match client {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let literal = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let server = literal.filter(|ip| ip.is_ipv4() == client.is_ipv4());
    Some(ProxyHeader::Relayed {
        source: SocketAddr::new(client, 0),
        destination: SocketAddr::new(server.unwrap_or(unspecified), port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, variables: &[(&str, &str)]) -> String {
        let words = std::iter::once("sockless").chain(line.split(' '));
        let args = Args::parse_group(words.map(Into::into).collect()).expect("good options");
        let environment = |name: &str| {
            let found = variables.iter().find(|(have, _)| *have == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let proxies = proxies(&args, &Kerberos::default(), &environment).expect("good proxies");
        format!("{:?} {:?}", proxies.http, proxies.https)
    }

    #[test]
    fn options_beat_the_environment() {
        let variables = [("http_proxy", "e:1"), ("ALL_PROXY", "socks5h://all:2")];
        assert_eq!(
            shown("u", &variables),
            "[Proxy(Http e:1)] [Proxy(Socks5h all:2)]"
        );
        let both = "[Proxy(Socks5 o:1080)] [Proxy(Socks5 o:1080)]";
        assert_eq!(shown("--socks5 o u", &variables), both);
        assert_eq!(shown("--proxy= u", &variables), "[] []");
        assert_eq!(shown("u", &[("HTTP_PROXY", "cgi:1")]), "[] []");
        let chained = "[Proxy(Socks4 p:1080), Proxy(Http o:3)]";
        assert_eq!(
            shown("--preproxy socks4://p -x o:3 u", &variables),
            format!("{chained} {chained}")
        );
    }

    #[test]
    fn credentials_are_the_last_proxys() {
        let one = "[Proxy(Socks5 p:1), Proxy(Http o:3, Auth(Digest))]";
        assert_eq!(
            shown(
                "--preproxy socks5://p:1 -x o:3 -U me:pw --proxy-digest u",
                &[]
            ),
            format!("{one} {one}")
        );
        let one = "[Proxy(Http o:3, Auth(Digest))]";
        assert_eq!(
            shown("-x http://me:pw@o:3 --proxy-digest u", &[]),
            format!("{one} {one}")
        );
    }

    #[test]
    fn addresses_in_the_header_are_of_one_family() {
        let options = |client: &str| ProxyArgs {
            haproxy_clientip: client.parse().ok(),
            ..ProxyArgs::default()
        };
        let shown = |client: &str, host| format!("{:?}", header(&options(client), host, 80));
        assert!(shown("192.0.2.1", "127.0.0.1").contains("destination: 127.0.0.1:80"));
        assert!(shown("192.0.2.1", "name").contains("destination: 0.0.0.0:80"));
        assert!(shown("2001:db8::1", "127.0.0.1").contains("destination: [::]:80"));
    }
}
