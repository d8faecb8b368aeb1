//! Redirects (RFC 9110 section 15.4): where to, with which method, and with whose secrets.

use sockless_core::{Culprit, Error, Fault, Head, Reason};
use url::Url;

use crate::request::{Body, Request, check_scheme, masked};

/// Fields that are for one origin only.
const SECRETS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// Fields that describe a body; they go with it.
const ABOUT_BODY: [&str; 4] = [
    "content-type",
    "content-length",
    "content-encoding",
    "transfer-encoding",
];

/// Where an answer redirects to, if it does.
pub(crate) fn location(base: &Url, head: &Head) -> Result<Option<Url>, Error> {
    if !matches!(head.code, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(value) = head.fields.first("location") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(value);
    let mut to = base.join(&text).map_err(|error| {
        let what = format!("the redirect to {:?} leads nowhere: {error}", masked(&text));
        Fault::misbehaved(Reason::BadRedirect, what)
            .source(error)
            .at("http")
    })?;
    check_scheme(&to).map_err(|_| {
        let what = format!("a redirect to the scheme {}: is not followed", to.scheme());
        Fault::new(Culprit::Policy, Reason::BadRedirect, what).at("http")
    })?;
    // The fragment is inherited by user agents; nothing of it is ever sent.
    to.set_fragment(None);
    // What a redirect says about users and passwords is not the user's word, and nobody
    // shall read it in a message.
    let _ = to.set_username("");
    let _ = to.set_password(None);
    Ok(Some(to))
}

/// The next request of a chain.
///
/// `body_used`: bytes of a body that the application is asked for are gone already. Then
/// the caller has the application start over, if it can.
pub(crate) fn next(
    mut request: Request,
    code: u16,
    to: Url,
    body_used: bool,
) -> Result<Request, Error> {
    let to_get = match code {
        303 => request.method != "HEAD" && request.method != "GET",
        301 | 302 => request.method == "POST",
        _ => false,
    };
    if to_get {
        if !request.redirects.keep_method {
            request.method = "GET".to_owned();
        }
        request.body = Body::Empty;
        request
            .fields
            .retain(|(name, _)| !is_one_of(name, &ABOUT_BODY));
    } else if body_used && request.is_asked_for_body() && !request.rewindable {
        let what = "the redirect wants the body once more, and part of it is gone";
        return Err(Fault::new(Culprit::Misuse, Reason::Upload, what)
            .remedy("send what can be read twice, or send it to the final URL")
            .at("http"));
    }
    if !request.redirects.trust_all_hosts && origin(&request.url) != origin(&to) {
        request.auth = None;
        request
            .fields
            .retain(|(name, _)| !is_one_of(name, &SECRETS));
    }
    if origin(&request.url) != origin(&to) {
        request
            .fields
            .retain(|(name, _)| !name.eq_ignore_ascii_case("host"));
        request.unix = None;
    }
    request.url = to;
    Ok(request)
}

fn origin(url: &Url) -> (&str, Option<&str>, Option<u16>) {
    (url.scheme(), url.host_str(), url.port_or_known_default())
}

fn is_one_of(name: &str, list: &[&str]) -> bool {
    list.iter().any(|have| name.eq_ignore_ascii_case(have))
}

pub(crate) fn too_many(max: u32) -> Error {
    let what = format!("more than {max} redirects");
    Fault::new(Culprit::Policy, Reason::TooManyRedirects, what)
        .remedy("raise the limit, or look where the chain leads")
        .at("http")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redirects;

    fn request(method: &str) -> Request {
        Request::new(method, "https://user:secret@a.example/start")
            .and_then(|request| request.header("Cookie", "id=1"))
            .and_then(|request| request.header("X-Kept", "yes"))
            .expect("a good request")
            .redirects(Redirects::follow(3))
    }

    fn to(url: &str) -> Url {
        Url::parse(url).expect("a good URL")
    }

    #[test]
    fn secrets_stay_with_their_origin() {
        for other in [
            "https://b.example/",
            "http://a.example/",
            "https://a.example:444/",
        ] {
            let next = next(request("GET"), 302, to(other), false).expect("can be followed");
            assert!(next.auth.is_none(), "{other}");
            let names: Vec<_> = next.fields.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["X-Kept"], "{other}");
        }
        let same = next(request("GET"), 302, to("https://a.example/x"), false).expect("followed");
        assert!(same.auth.is_some());
        assert_eq!(same.fields.len(), 2);
    }

    #[test]
    fn methods_change_as_browsers_and_curl_do() {
        for (method, code, becomes) in [
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("POST", 303, "GET"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("HEAD", 303, "HEAD"),
        ] {
            let next = next(request(method), code, to("https://a.example/"), false);
            assert_eq!(
                next.expect("can be followed").method,
                becomes,
                "{method} {code}"
            );
        }
    }

    #[test]
    fn a_method_that_is_kept_goes_on_without_its_body() {
        let mut post = request("POST").body(Body::Bytes(b"x".as_slice().into()));
        post.redirects.keep_method = true;
        let next = next(post, 302, to("https://a.example/"), false).expect("can be followed");
        assert_eq!(next.method, "POST");
        assert!(matches!(next.body, Body::Empty));
    }

    #[test]
    fn a_body_that_is_gone_cannot_be_sent_again() {
        let upload = || request("PUT").body(Body::Chunked);
        let error = next(upload(), 307, to("https://a.example/"), true).expect_err("refused");
        assert_eq!(error.reason(), Reason::Upload);
        let twice = upload().rewindable_body();
        assert!(next(twice, 307, to("https://a.example/"), true).is_ok());
    }
}
