//! Requests and answers as crate `http` has them.
//!
//! That crate knows neither proxies nor timeouts nor credentials beside the fields: those
//! are set on the [`Request`], before or after.

use ::http::header::{HeaderMap, HeaderName, HeaderValue};
use ::http::{StatusCode, Uri, Version};
use sockless_core::{Culprit, Error, Fault, Head, Reason};

use crate::request::Body;
use crate::{Incoming, Request, Response};

/// The URL has to be whole. `Host` counts as it does for [`Request::header`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = http::Request::put("https://example.com/file")
///     .header("content-type", "text/plain")
///     .body("hello")?;
/// let request = sockless::Request::try_from(request.map(sockless::Body::from))?;
/// assert_eq!((request.method(), request.url()), ("PUT", "https://example.com/file"));
/// # Ok(())
/// # }
/// ```
impl TryFrom<::http::Request<Body>> for Request {
    type Error = Error;

    fn try_from(request: ::http::Request<Body>) -> Result<Self, Error> {
        let (parts, body) = request.into_parts();
        let mut ours = Self::new(parts.method.as_str(), &parts.uri.to_string())?;
        for (name, value) in &parts.headers {
            ours = ours.header(name.as_str(), value.as_bytes())?;
        }
        Ok(ours.body(body))
    }
}

/// Method, URL, fields and body; what else the request has is not of that crate's world and
/// stays behind. Credentials from the URL do as well.
impl TryFrom<Request> for ::http::Request<Body> {
    type Error = Error;

    fn try_from(request: Request) -> Result<Self, Error> {
        let uri: Uri = request.url().parse().map_err(unfit)?;
        let method = request.method().parse::<::http::Method>().map_err(unfit)?;
        let fields = request
            .fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), &**value));
        let headers = headers(fields)?;
        let mut theirs = Self::new(request.body);
        *theirs.uri_mut() = uri;
        *theirs.method_mut() = method;
        *theirs.headers_mut() = headers;
        Ok(theirs)
    }
}

/// The body is still coming: the [`Incoming`] is a stream, and has the summary at its end.
impl TryFrom<Incoming> for ::http::Response<Incoming> {
    type Error = Error;

    fn try_from(answer: Incoming) -> Result<Self, Error> {
        let theirs = response(&answer.head)?;
        Ok(theirs.map(|()| answer))
    }
}

impl TryFrom<Response> for ::http::Response<Vec<u8>> {
    type Error = Error;

    fn try_from(answer: Response) -> Result<Self, Error> {
        let theirs = response(&answer.head)?;
        Ok(theirs.map(|()| answer.body))
    }
}

/// Status, version and fields.
fn response(head: &Head) -> Result<::http::Response<()>, Error> {
    let mut theirs = ::http::Response::new(());
    *theirs.status_mut() = StatusCode::from_u16(head.code).map_err(unfit)?;
    *theirs.version_mut() = match head.version {
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/2" => Version::HTTP_2,
        _ => Version::HTTP_11,
    };
    *theirs.headers_mut() = headers(head.fields.iter())?;
    Ok(theirs)
}

fn headers<'a>(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Result<HeaderMap, Error> {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name).map_err(unfit)?;
        let value = HeaderValue::from_bytes(value).map_err(unfit)?;
        map.try_append(name, value).map_err(unfit)?;
    }
    Ok(map)
}

fn unfit(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let what = format!("the types of crate http cannot hold it: {error}");
    Fault::new(Culprit::PeerIncompatible, Reason::Unsupported, what)
        .remedy("use sockless' own types")
        .at("http")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_back_as_it_went() {
        let theirs = ::http::Request::post("http://a.example:8080/path?query=1")
            .header("x-one", "1")
            .header("x-two", "2")
            .header("x-one", "3")
            .body(Body::from("body"))
            .expect("a request");
        let ours = Request::try_from(theirs).expect("a request");
        let again = ::http::Request::try_from(ours).expect("a request");
        assert_eq!(again.method(), "POST");
        assert_eq!(again.uri(), "http://a.example:8080/path?query=1");
        let ones: Vec<_> = again.headers().get_all("x-one").iter().collect();
        assert_eq!(ones, ["1", "3"]);
        assert_eq!(again.headers()["x-two"], "2");
        assert!(matches!(again.body(), Body::Bytes(bytes) if **bytes == *b"body"));
    }

    #[test]
    fn a_path_alone_is_no_url() {
        let theirs = ::http::Request::get("/path").body(Body::Empty);
        let error = Request::try_from(theirs.expect("a request")).expect_err("no host");
        assert_eq!(error.reason(), Reason::BadUrl);
    }

    #[test]
    fn credentials_of_the_url_stay_behind() {
        let ours = Request::get("http://me:secret@a.example/").expect("a request");
        let theirs = ::http::Request::try_from(ours).expect("a request");
        assert_eq!(theirs.uri(), "http://a.example/");
        assert!(theirs.headers().is_empty());
    }
}
