//! From a request to the exchange that carries it out.

use sockless_core::{Error, Fault};
use sockless_http::{BodyKind, Http1, Prover, Request as HttpRequest, accept_encoding};
use zeroize::Zeroizing;

use crate::request::{Body, Request};

/// What we call ourselves, unless the application says otherwise.
pub(crate) const USER_AGENT: &str = concat!("sockless/", env!("CARGO_PKG_VERSION"));

/// What is sent to prove who we are, to the server and to a proxy that is handed the request.
#[derive(Default)]
pub(crate) struct Proofs {
    pub(crate) server: Option<Zeroizing<Vec<u8>>>,
    pub(crate) proxy: Option<Zeroizing<Vec<u8>>>,
    /// What proves it on a connection, where that depends on the connection.
    pub(crate) late: Option<Box<dyn Prover>>,
}

/// The target of the request line: with `forwarded`, for a proxy that is handed the request
/// as it is (RFC 9112 section 3.2.2), the whole URL.
pub(crate) fn target(url: &url::Url, forwarded: bool) -> &str {
    use url::Position;
    match forwarded {
        true => &url[Position::BeforeScheme..Position::AfterQuery],
        false => &url[Position::BeforePath..Position::AfterQuery],
    }
}

/// The exchange that carries a request out; with `forwarded`, through a proxy that is handed
/// it with those fields of its own.
pub(crate) fn exchange(
    request: &Request,
    forwarded: Option<&[(String, Vec<u8>)]>,
    proofs: Proofs,
) -> Result<Http1, Error> {
    let at_http = |fault: Fault| fault.at("http");
    let url = &request.url;
    let target = target(url, forwarded.is_some());
    let named = |name: &str| {
        let fields = request.fields.iter();
        fields
            .rev()
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let host = match named("host") {
        Some(host) => String::from_utf8_lossy(host),
        None => authority(url).into(),
    };
    let mut http = HttpRequest::new(&request.method, target, &host).map_err(at_http)?;
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
    if let Some(proof) = proofs.server.filter(|_| named("authorization").is_none()) {
        http = http.field("Authorization", &*proof).map_err(at_http)?;
    }
    let of_proxy = forwarded.unwrap_or_default();
    if let Some(proof) = proofs.proxy
        && !of_proxy
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("proxy-authorization"))
    {
        http = http
            .field("Proxy-Authorization", &*proof)
            .map_err(at_http)?;
    }
    for (name, value) in of_proxy {
        http = http.field(name, value).map_err(at_http)?;
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
    let exchange = Http1::new(http, request.http.clone());
    Ok(match proofs.late {
        Some(prover) => exchange.proven_by(prover),
        None => exchange,
    })
}

/// The `Host` field: the port only where it is not the scheme's own.
fn authority(url: &url::Url) -> &str {
    &url[url::Position::BeforeHost..url::Position::AfterPort]
}
