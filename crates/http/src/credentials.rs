//! Credentials that need no challenge.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sockless_core::{Culprit, Fault, Reason};

/// The value of `Authorization` or `Proxy-Authorization` for the Basic scheme (RFC 7617).
///
/// The result is as secret as the password: base64 hides nothing.
///
/// ```
/// # use sockless_http::basic_credentials;
/// assert_eq!(basic_credentials("Aladdin", "open sesame").unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
/// ```
///
/// # Errors
/// [`Reason::BadRequest`]: a colon in the user name, or a control character (RFC 7617 section 2).
pub fn basic_credentials(user: &str, password: &str) -> Result<String, Fault> {
    let refuse = |what| Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
    if user.contains(':') {
        return refuse("the user name for Basic authentication contains a colon");
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return refuse("user name or password for Basic authentication has a control character");
    }
    let mut value = String::from("Basic ");
    STANDARD.encode_string(format!("{user}:{password}"), &mut value);
    Ok(value)
}
