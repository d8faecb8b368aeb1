//! From a request to a route and an exchange.

#[cfg(any(feature = "tls-rustls", feature = "tls-ring"))]
use core::net::IpAddr;
use core::net::SocketAddr;
use std::sync::Arc;

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
use sockless_core::Filter;
use sockless_core::{Error, Fault, Key, LayerKey, Plain, Recipe, Route, Target};
use sockless_http::{BodyKind, Http1, Request as HttpRequest, accept_encoding, basic_credentials};

use crate::request::{Body, Request};
use crate::session::Config;

const USER_AGENT: &str = concat!("sockless/", env!("CARGO_PKG_VERSION"));

/// The exchange that carries a request out.
pub(crate) fn exchange(request: &Request) -> Result<Http1, Error> {
    let at_http = |fault: Fault| fault.at("http");
    let url = &request.url;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let named = |name: &str| {
        let fields = request.fields.iter();
        fields
            .rev()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let host = match named("host") {
        Some(host) => String::from_utf8_lossy(host).into_owned(),
        None => authority(url),
    };
    let mut http = HttpRequest::new(&request.method, &target, &host).map_err(at_http)?;
    let defaults = [("User-Agent", USER_AGENT), ("Accept", "*/*")];
    for (name, value) in defaults {
        if named(name).is_none() {
            http = http.field(name, value).map_err(at_http)?;
        }
    }
    if request.http.decode && named("accept-encoding").is_none() {
        http = http
            .field("Accept-Encoding", accept_encoding())
            .map_err(at_http)?;
    }
    if let Some((user, password)) = &request.credentials
        && named("authorization").is_none()
    {
        let basic = basic_credentials(user, password).map_err(at_http)?;
        http = http.field("Authorization", basic).map_err(at_http)?;
    }
    for (name, value) in &request.fields {
        if !value.is_empty() && !name.eq_ignore_ascii_case("host") {
            http = http.field(name, value).map_err(at_http)?;
        }
    }
    http = http.body(match &request.body {
        Body::Empty => BodyKind::Empty,
        Body::Bytes(bytes) => BodyKind::Sized(bytes.len() as u64),
        Body::Sized(length) => BodyKind::Sized(*length),
        Body::Chunked => BodyKind::Chunked,
    });
    if let Some(wait) = request.expect_continue
        && !matches!(request.body, Body::Empty)
    {
        http = http.expect_continue(wait);
    }
    Ok(Http1::new(http, request.http.clone()))
}

/// Where it goes, and what its connection is made of.
pub(crate) fn route(request: &Request, config: &Config) -> Result<Arc<Route>, Error> {
    let url = &request.url;
    let host = bare_host(url);
    let port = url.port_or_known_default().unwrap_or(80);
    let target = match (&request.unix, config.resolve.get(&(host.clone(), port))) {
        (Some(path), _) => Target::Unix(path.clone()),
        (None, Some(addresses)) => Target::Addresses(
            addresses
                .iter()
                .map(|ip| SocketAddr::new(*ip, port))
                .collect(),
        ),
        (None, None) => Target::Host {
            host: host.as_str().into(),
            port,
        },
    };
    let (layers, recipe) = layers(url.scheme(), &host, config)?;
    let key = Key {
        target,
        local: request.local,
        protocol: "http/1.1",
        layers,
    };
    Ok(Arc::new(Route { key, recipe }))
}

type Layers = (Vec<LayerKey>, Box<dyn Recipe>);

fn layers(scheme: &str, host: &str, config: &Config) -> Result<Layers, Error> {
    if scheme == "http" {
        return Ok((Vec::new(), Box::new(Plain)));
    }
    secured(host, config)
}

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
fn secured(host: &str, config: &Config) -> Result<Layers, Error> {
    let client = config.tls()?;
    let key = client.layer_key(host);
    Ok((
        vec![key],
        Box::new(Tls {
            client,
            name: host.to_owned(),
        }),
    ))
}

#[cfg(not(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl")))]
fn secured(_host: &str, _config: &Config) -> Result<Layers, Error> {
    use sockless_core::{Culprit, Reason};
    let what = "https is not built in";
    Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what).at("url"))
}

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
struct Tls {
    client: Arc<sockless_tls::Client>,
    name: String,
}

#[cfg(any(feature = "tls-rustls", feature = "tls-ring", feature = "tls-openssl"))]
impl Recipe for Tls {
    fn filters(&self, _found: &[Vec<IpAddr>]) -> Result<Vec<Box<dyn Filter>>, Fault> {
        Ok(vec![self.client.filter(&self.name)?])
    }
}

/// The URL's host for a resolver or a certificate: no brackets.
pub(crate) fn bare_host(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned()
}

/// The `Host` field: the port only where it is not the scheme's own.
fn authority(url: &url::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}
