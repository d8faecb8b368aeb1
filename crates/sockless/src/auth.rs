//! Who the user is, towards one server or one proxy.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::sync::Arc;

use sockless_core::{Error, SecurityProvider};
use sockless_http::{Authenticator, Credentials, Party, Schemes};
use zeroize::Zeroizing;

/// Credentials, and how they may be shown to the party that they are for.
///
/// ```
/// use sockless::Auth;
///
/// let auth = Auth::password("alice", "open sesame").any();
/// assert!(!format!("{auth:?}").contains("sesame"));
/// ```
#[derive(Clone)]
pub struct Auth {
    login: Option<Login>,
    token: Option<Secret>,
    provider: Option<Arc<dyn SecurityProvider>>,
    schemes: Schemes,
    preemptive: bool,
}

/// User and password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub(crate) user: Secret,
    pub(crate) password: Secret,
}

/// Text that is wiped, and not shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    fn new(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Auth {
    /// User and password by Basic (RFC 7617), without waiting for a challenge.
    pub fn password(user: &str, password: &str) -> Self {
        Self {
            login: Some(Login {
                user: Secret::new(user),
                password: Secret::new(password),
            }),
            token: None,
            provider: None,
            schemes: Schemes::BASIC,
            preemptive: true,
        }
    }

    /// A bearer token (RFC 6750), without waiting for a challenge.
    pub fn bearer(token: &str) -> Self {
        Self {
            login: None,
            token: Some(Secret::new(token)),
            provider: None,
            schemes: Schemes::BEARER,
            preemptive: true,
        }
    }

    /// Contexts for Negotiate (RFC 4559).
    pub fn negotiate(provider: Arc<dyn SecurityProvider>) -> Self {
        Self {
            login: None,
            token: None,
            provider: Some(provider),
            schemes: Schemes::NEGOTIATE,
            preemptive: false,
        }
    }

    /// Only by Digest (RFC 7616): the password itself is never sent.
    #[must_use]
    pub fn digest(mut self) -> Self {
        (self.schemes, self.preemptive) = (Schemes::DIGEST, false);
        self
    }

    /// By the strongest scheme that the party offers, after its challenge.
    #[must_use]
    pub fn any(mut self) -> Self {
        (self.schemes, self.preemptive) = (Schemes::ANY, false);
        self
    }

    /// Whether its scheme may bind a connection to these credentials.
    pub(crate) fn may_bind(&self) -> bool {
        self.provider.is_some()
    }

    pub(crate) fn login(&self) -> Option<&Login> {
        self.login.as_ref()
    }

    pub(crate) fn provider(&self) -> Option<&Arc<dyn SecurityProvider>> {
        self.provider.as_ref()
    }

    /// What answers the challenges of the party at `host`.
    ///
    /// # Errors
    /// A user, password or token that no scheme can carry.
    pub(crate) fn authenticator(
        &self,
        party: Party,
        host: &str,
        seed: u64,
    ) -> Result<Authenticator, Error> {
        let mut credentials = Credentials::default();
        let at_http = |fault: sockless_core::Fault| fault.at("http");
        if let Some(Login { user, password }) = &self.login {
            let (user, password) = (user.as_str(), password.as_str());
            if self.preemptive {
                // A colon in the name, for example: it is said now, not by a server.
                sockless_http::basic_credentials(user, password).map_err(at_http)?;
            }
            credentials = credentials.with_password(user, password).map_err(at_http)?;
        }
        if let Some(token) = &self.token {
            credentials = credentials.with_bearer(token.as_str()).map_err(at_http)?;
        }
        if let Some(provider) = &self.provider {
            credentials = credentials.with_provider(Arc::clone(provider));
        }
        let authenticator = Authenticator::new(party, host, credentials)
            .allow(self.schemes)
            .seed(seed);
        Ok(match self.preemptive {
            true => authenticator.preemptive(),
            false => authenticator,
        })
    }

    /// Everything that makes it different from another.
    fn parts(&self) -> Parts<'_> {
        let Self {
            login,
            token,
            provider,
            schemes,
            preemptive,
        } = self;
        let identity = provider.as_ref().map(|provider| provider.identity());
        (
            login.as_ref(),
            token.as_ref(),
            identity,
            *schemes,
            *preemptive,
        )
    }
}

type Parts<'a> = (
    Option<&'a Login>,
    Option<&'a Secret>,
    Option<Arc<str>>,
    Schemes,
    bool,
);

impl PartialEq for Auth {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for Auth {}

impl Hash for Auth {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

/// Kinds, no secrets.
impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Auth({}", self.schemes)?;
        f.write_str(if self.preemptive { ", at once)" } else { ")" })
    }
}
