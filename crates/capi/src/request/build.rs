//! From what was set to what a session takes.

use std::sync::Arc;

use sockless::core::Options;
use sockless::{Auth, Proxies, Request, Timeouts, TunnelTo};

use super::draft::{Draft, Login, Scheme, Target, Treatment};
use super::options;
use crate::inner::Refusal;

/// What a session takes.
#[derive(Clone)]
pub(super) enum Built {
    Request(Box<Request>),
    Tunnel(Box<TunnelTo>),
    #[cfg(feature = "ssh")]
    Remote(Box<super::remote::Errand>),
}

pub(super) fn build(draft: &Draft) -> Result<Built, Refusal> {
    match &draft.target {
        Target::Url(url) => Ok(Built::Request(Box::new(request(draft, url)?))),
        Target::Tunnel(to) => Ok(Built::Tunnel(Box::new(tunnel(draft, to)?))),
        #[cfg(feature = "ssh")]
        Target::Remote(url) => Ok(Built::Remote(Box::new(super::remote::errand(draft, url)?))),
        Target::Nowhere => Err(Refusal::Order(
            "the request has neither a URL nor a tunnel's destination",
        )),
    }
}

fn request(draft: &Draft, url: &str) -> Result<Request, Refusal> {
    let method = draft.method.as_deref().unwrap_or("GET");
    let mut request = Request::new(method, url)?.body(draft.body.clone());
    for (name, value) in &draft.fields {
        request = request.header(name, value)?;
    }
    request = authenticated(request, &draft.login);
    if draft.rewindable {
        request = request.rewindable_body();
    }
    if let Some(redirects) = draft.redirects {
        request = request.redirects(redirects);
    }
    request = request.proxies(Proxies {
        http: draft.proxies.clone(),
        https: draft.proxies.clone(),
        except: draft.no_proxy.clone(),
        jumps: draft.jumps().cloned().collect(),
    });
    if let Some(client) = &draft.tls {
        request = request.tls(Arc::clone(client));
    }
    if let Some(header) = draft.header {
        request = request.proxy_header(header);
    }
    if let Some(path) = &draft.unix {
        request = request.unix_socket(path);
    }
    if let Some(local) = draft.local {
        request = request.local_address(local);
    }
    let treatment = &draft.treatment;
    if treatment.compressed {
        request = request.compressed();
    }
    if let Some(wait) = treatment.expect {
        request = request.expect_continue(wait);
    }
    Ok(request
        .http(|http| {
            http.max_body = treatment.max_body;
            http.max_head_bytes = treatment.max_head.unwrap_or(http.max_head_bytes);
        })
        .timeouts(|timeouts| time(timeouts, treatment))
        .options(|options| treat(options, treatment)))
}

fn tunnel(draft: &Draft, to: &str) -> Result<TunnelTo, Refusal> {
    let mut to = TunnelTo::parse(to)?;
    if draft.secured {
        to = to.secured();
    }
    if let Some(client) = &draft.tls {
        to = to.tls(Arc::clone(client));
    }
    for proxy in &draft.proxies {
        to = to.proxy(proxy.clone());
    }
    Ok(on_the_way(draft, to))
}

/// What holds for tunnels and for what is on SSH servers.
pub(super) fn on_the_way(draft: &Draft, mut to: TunnelTo) -> TunnelTo {
    if let Some(header) = draft.header {
        to = to.proxy_header(header);
    }
    if let Some(local) = draft.local {
        to = to.local_address(local);
    }
    let treatment = &draft.treatment;
    to.timeouts(|timeouts| time(timeouts, treatment))
        .options(|options| treat(options, treatment))
}

fn authenticated(request: Request, login: &Login) -> Request {
    if let Some(token) = &login.bearer {
        return request.auth(Auth::bearer(token));
    }
    let request = match &login.user {
        Some(user) => request.basic(user, login.password.as_deref().map_or("", |text| text)),
        None => request,
    };
    let request = request.map_auth(|auth| by(auth, login.scheme));
    match (&login.provider, login.scheme) {
        (None, _) => request,
        // Beside user and password, if there are any.
        (Some(provider), Scheme::Any) if login.user.is_some() => {
            request.map_auth(|auth| negotiated(auth.or_negotiate(Arc::clone(provider)), login))
        }
        (Some(provider), _) => {
            request.auth(negotiated(Auth::negotiate(Arc::clone(provider)), login))
        }
    }
}

fn negotiated(mut auth: Auth, login: &Login) -> Auth {
    if let Some(service) = &login.service {
        auth = auth.service(service);
    }
    if let Some(host) = &login.host {
        auth = auth.target(host);
    }
    if login.unasked {
        auth = auth.unasked();
    }
    if login.unproven {
        auth = auth.unproven();
    }
    auth
}

pub(super) fn by(auth: Auth, scheme: Scheme) -> Auth {
    match scheme {
        Scheme::Basic => auth,
        Scheme::Digest => auth.digest(),
        Scheme::Any => auth.any(),
    }
}

fn time(timeouts: &mut Timeouts, treatment: &Treatment) {
    options::time(timeouts, &treatment.times);
    if treatment.low_speed.0 > 0 && !treatment.low_speed.1.is_zero() {
        timeouts.low_speed = Some(treatment.low_speed);
    }
}

fn treat(options: &mut Options, treatment: &Treatment) {
    options.priority = treatment.priority.unwrap_or(options.priority);
    options.notes = treatment.notes;
    options.fresh_connection = treatment.fresh;
    options.forbid_reuse = treatment.no_reuse;
}
