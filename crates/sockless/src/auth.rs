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
    service: Option<Arc<str>>,
    target: Option<Arc<str>>,
    schemes: Schemes,
    preemptive: bool,
    unproven: bool,
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
            preemptive: true,
            ..Self::of(Schemes::BASIC)
        }
    }

    /// A bearer token (RFC 6750), without waiting for a challenge.
    pub fn bearer(token: &str) -> Self {
        Self {
            token: Some(Secret::new(token)),
            preemptive: true,
            ..Self::of(Schemes::BEARER)
        }
    }

    /// Contexts for Negotiate (RFC 4559), after a challenge. The peer has to prove in turn who it
    /// is. A SOCKS5 proxy takes the same.
    pub fn negotiate(provider: Arc<dyn SecurityProvider>) -> Self {
        Self {
            provider: Some(provider),
            ..Self::of(Schemes::NEGOTIATE)
        }
    }

    fn of(schemes: Schemes) -> Self {
        Self {
            login: None,
            token: None,
            provider: None,
            service: None,
            target: None,
            schemes,
            preemptive: false,
            unproven: false,
        }
    }

    /// Adds contexts for Negotiate to what there is, for [`Auth::any`].
    #[must_use]
    pub fn or_negotiate(mut self, provider: Arc<dyn SecurityProvider>) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Sends Negotiate without waiting for a challenge, where nothing else is allowed. A server
    /// that did not ask need not prove who it is.
    #[must_use]
    pub fn unasked(mut self) -> Self {
        self.preemptive = true;
        self
    }

    /// Takes answers of a server that does not prove who it is, though it has asked us to.
    #[must_use]
    pub fn unproven(mut self) -> Self {
        self.unproven = true;
        self
    }

    /// The name of the service that contexts are made for. Default `HTTP`, and `rcmd` with SOCKS5.
    #[must_use]
    pub fn service(mut self, name: &str) -> Self {
        self.service = Some(name.into());
        self
    }

    /// The host that contexts are made for, instead of that of the URL or of the proxy.
    #[must_use]
    pub fn target(mut self, host: &str) -> Self {
        self.target = Some(host.into());
        self
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

    /// The provider, service and host of the contexts for a party.
    pub(crate) fn contexts<'a>(
        &'a self,
        service: &'a str,
        host: &'a str,
    ) -> Option<(&'a Arc<dyn SecurityProvider>, &'a str, &'a str)> {
        let service = self.service.as_deref().unwrap_or(service);
        let host = self.target.as_deref().unwrap_or(host);
        self.provider().map(|provider| (provider, service, host))
    }

    /// Whether a challenge may make it begin a context.
    pub(crate) fn may_negotiate(&self) -> bool {
        self.provider.is_some() && self.schemes.contains(Schemes::NEGOTIATE)
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
        let target = self.target.as_deref().unwrap_or(host);
        let mut authenticator = Authenticator::new(party, target, credentials)
            .allow(self.schemes)
            .seed(seed);
        if let Some(service) = &self.service {
            authenticator = authenticator.service(service);
        }
        // A proxy's answer to CONNECT has no room for a proof, as proxies go.
        if party == Party::Origin && !self.unproven {
            authenticator = authenticator.proven();
        }
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
            service,
            target,
            schemes,
            preemptive,
            unproven,
        } = self;
        let identity = provider.as_ref().map(|provider| provider.identity());
        (
            login.as_ref(),
            token.as_ref(),
            identity,
            [service.as_deref(), target.as_deref()],
            *schemes,
            [*preemptive, *unproven],
        )
    }
}

type Parts<'a> = (
    Option<&'a Login>,
    Option<&'a Secret>,
    Option<Arc<str>>,
    [Option<&'a str>; 2],
    Schemes,
    [bool; 2],
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
