//! What somebody proves with who they are.

use core::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use sockless_core::{Culprit, Fault, Reason, SecurityProvider};
use zeroize::Zeroizing;

use super::Schemes;

/// User and password, a bearer token, a provider of security contexts, or several of them.
///
/// Secrets are wiped when it is dropped, and `Debug` shows only which kinds there are.
///
/// ```
/// # use sockless_http::Credentials;
/// let credentials = Credentials::password("Mufasa", "Circle of Life").unwrap();
/// assert!(!format!("{credentials:?}").contains("Circle"));
/// ```
#[derive(Clone, Default)]
pub struct Credentials {
    user: Option<User>,
    token: Option<Zeroizing<String>>,
    provider: Option<Arc<dyn SecurityProvider>>,
}

#[derive(Clone)]
pub(super) struct User {
    pub(super) name: Zeroizing<String>,
    pub(super) password: Zeroizing<String>,
}

impl Credentials {
    /// User and password, for Digest and Basic.
    ///
    /// # Errors
    /// [`Reason::BadRequest`]: a control character in one of them.
    pub fn password(user: &str, password: &str) -> Result<Self, Fault> {
        Self::default().with_password(user, password)
    }

    /// A token for Bearer.
    ///
    /// # Errors
    /// [`Reason::BadRequest`]: it is not of the form `b64token` (RFC 6750 section 2.1).
    pub fn bearer(token: &str) -> Result<Self, Fault> {
        Self::default().with_bearer(token)
    }

    /// What makes the tokens for Negotiate.
    pub fn provider(provider: Arc<dyn SecurityProvider>) -> Self {
        Self::default().with_provider(provider)
    }

    /// Adds user and password.
    ///
    /// # Errors
    /// As [`Credentials::password`].
    pub fn with_password(mut self, user: &str, password: &str) -> Result<Self, Fault> {
        check_text(&[user, password])?;
        self.user = Some(User {
            name: Zeroizing::new(user.to_owned()),
            password: Zeroizing::new(password.to_owned()),
        });
        Ok(self)
    }

    /// Adds a bearer token.
    ///
    /// # Errors
    /// As [`Credentials::bearer`].
    pub fn with_bearer(mut self, token: &str) -> Result<Self, Fault> {
        let text = token.trim_end_matches('=');
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        if text.is_empty() || !text.bytes().all(allowed) {
            let what = "the bearer token is empty or has a character that no token has";
            return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
        }
        self.token = Some(Zeroizing::new(token.to_owned()));
        Ok(self)
    }

    /// Adds what makes the tokens for Negotiate.
    #[must_use]
    pub fn with_provider(mut self, provider: Arc<dyn SecurityProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// The schemes that can be used with what is there.
    pub fn schemes(&self) -> Schemes {
        let mut schemes = Schemes::NONE;
        if let Some(user) = &self.user {
            schemes |= Schemes::DIGEST;
            // RFC 7617 section 2: it could not be told where the name ends.
            if !user.name.contains(':') {
                schemes |= Schemes::BASIC;
            }
        }
        if self.token.is_some() {
            schemes |= Schemes::BEARER;
        }
        if self.provider.is_some() {
            schemes |= Schemes::NEGOTIATE;
        }
        schemes
    }

    pub(super) fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_ref().map(|token| token.as_str())
    }

    pub(super) fn contexts(&self) -> Option<&Arc<dyn SecurityProvider>> {
        self.provider.as_ref()
    }

    /// A number that tells these credentials from others.
    pub(super) fn fingerprint(&self, salt: u64) -> u64 {
        let identity = self.provider.as_ref().map(|provider| provider.identity());
        let parts = [
            self.user.as_ref().map(|user| user.name.as_str()),
            self.user.as_ref().map(|user| user.password.as_str()),
            self.token(),
            identity.as_deref(),
        ];
        let mut hash = Sha256::new_with_prefix(salt.to_be_bytes());
        for part in parts {
            hash.update(
                part.map_or(u64::MAX, |part| part.len() as u64)
                    .to_be_bytes(),
            );
            hash.update(part.unwrap_or_default());
        }
        super::digest::leading_u64(&hash.finalize())
    }
}

/// Which kinds there are, and nothing of what they are.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials(for {})", self.schemes())
    }
}

/// RFC 7617 section 2, and the same for Digest: nothing may end the field's line.
pub(super) fn check_text(texts: &[&str]) -> Result<(), Fault> {
    if texts.iter().any(|text| text.chars().any(char::is_control)) {
        let what = "user name or password for authentication has a control character";
        return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
    }
    Ok(())
}
