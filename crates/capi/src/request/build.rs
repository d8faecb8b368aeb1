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
}

pub(super) fn build(draft: &Draft) -> Result<Built, Refusal> {
    match &draft.target {
        Target::Url(url) => Ok(Built::Request(Box::new(request(draft, url)?))),
        Target::Tunnel(to) => Ok(Built::Tunnel(Box::new(tunnel(draft, to)?))),
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
    });
    if let Some(client) = &draft.tls {
        request = request.tls(Arc::clone(client));
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
    if let Some(local) = draft.local {
        to = to.local_address(local);
    }
    for proxy in &draft.proxies {
        to = to.proxy(proxy.clone());
    }
    let treatment = &draft.treatment;
    Ok(to
        .timeouts(|timeouts| time(timeouts, treatment))
        .options(|options| treat(options, treatment)))
}

fn authenticated(request: Request, login: &Login) -> Request {
    if let Some(token) = &login.bearer {
        return request.auth(Auth::bearer(token));
    }
    let request = match &login.user {
        Some(user) => request.basic(user, &login.password),
        None => request,
    };
    request.map_auth(|auth| by(auth, login.scheme))
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
