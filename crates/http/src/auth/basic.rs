//! Basic (RFC 7617) and Bearer (RFC 6750): the credentials are the answer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sockless_core::{Culprit, Fault, Reason};
use zeroize::Zeroizing;

use super::Secret;

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
    if user.contains(':') {
        let what = "the user name for Basic authentication contains a colon";
        return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
    }
    super::credentials::check_text(&[user, password])?;
    let pair = Zeroizing::new([user, password].join(":"));
    // With its room from the beginning: growing would leave copies behind.
    let mut value = String::with_capacity("Basic ".len() + pair.len().div_ceil(3) * 4);
    value.push_str("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut value);
    Ok(value)
}

/// The field's value for Basic.
pub(super) fn basic(user: &str, password: &str) -> Result<Secret, Fault> {
    basic_credentials(user, password).map(|value| Zeroizing::new(value.into_bytes()))
}

/// The field's value for Bearer (RFC 6750 section 2.1).
pub(super) fn bearer(token: &str) -> Secret {
    Zeroizing::new([b"Bearer ", token.as_bytes()].concat())
}
