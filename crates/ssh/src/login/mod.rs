//! Logging in: whose key the host's is, and which of our credentials are shown in which order.
//!
//! What decides and what signs is behind the traits here. They may need the application, or an
//! agent that only the engine reaches: then they ask through `Cx::ask`, say so, and are called
//! again in later pumps until they have the answer.

mod interactive;
mod steps;
mod tickets;

use std::sync::Arc;
use std::time::SystemTime;

use sockless_core::{Cx, Fault, SecurityProvider};
use zeroize::Zeroizing;

pub(crate) use steps::Login;
pub(crate) use tickets::unsupported;

/// Decides which host keys are trusted.
pub trait HostKeys: Send + Sync {
    /// Whether `key`, a public key or certificate as it is on the wire, is that of `host`.
    /// The peer has proved already that it owns the key.
    fn judge(&self, host: &str, port: u16, key: &[u8], wall: SystemTime) -> Verdict;

    /// Host key algorithms for which a key of that host is known: they are asked for first, so
    /// that a peer with several keys shows one of those. Empty: no preference.
    fn preferred(&self, _host: &str, _port: u16) -> Vec<String> {
        Vec::new()
    }

    /// The application has said that this key is the host's, after [`Verdict::Ask`].
    fn confirmed(&self, _host: &str, _port: u16, _key: &[u8]) {}
}

/// What [`HostKeys::judge`] says.
#[derive(Debug)]
pub enum Verdict {
    /// It is the host's key.
    Trust,
    /// It is not, or nobody knows and nobody is to be asked.
    Refuse(Fault),
    /// Nobody knows: the application decides (`Ask::PeerKey`).
    Ask,
}

/// Who logs in, and with what. Shared by connections.
pub struct Credentials {
    /// The user's name at the peer.
    pub user: String,
    /// Keys to be offered.
    pub keys: Option<Arc<dyn Keys>>,
    /// For `password`, and for a `keyboard-interactive` that asks for one hidden line.
    pub password: Option<Zeroizing<String>>,
    /// Kerberos and its like, for `gssapi-with-mic` (RFC 4462 section 3). A library that does not
    /// have the method (libssh2) does without: a note says so.
    pub security: Option<Arc<dyn SecurityProvider>>,
    /// What the server's service is called there: `host` (RFC 4462 section 3.4), unless its
    /// keytab says otherwise.
    pub service: String,
    /// The name in the server's ticket, where it is not that of the host that is connected to:
    /// OpenSSH's `GSSAPIServerIdentity`.
    pub server_identity: Option<String>,
    /// Whether the application is asked (`Ask::Prompts`) for a password that is missing,
    /// and for what `keyboard-interactive` wants to know.
    pub ask: bool,
    /// The methods that may be used, in order; empty: OpenSSH's (`gssapi-with-mic`, `publickey`,
    /// `keyboard-interactive`, `password`).
    pub methods: Vec<String>,
}

impl Credentials {
    /// That user, without anything to show for it: some peers let everybody in.
    pub fn new(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            keys: None,
            password: None,
            security: None,
            service: "host".to_owned(),
            server_identity: None,
            ask: false,
            methods: Vec::new(),
        }
    }

    /// With a password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(Zeroizing::new(password.into()));
        self
    }

    /// With keys.
    #[must_use]
    pub fn keys(mut self, keys: Arc<dyn Keys>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// With tickets, or what else such contexts are made of.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use sockless_core::SecurityProvider;
    /// use sockless_ssh::login::Credentials;
    ///
    /// fn by_ticket(kerberos: Arc<dyn SecurityProvider>) -> Credentials {
    ///     let mut alice = Credentials::new("alice").security(kerberos);
    ///     // The ticket is for host/web.example.com, whatever name is connected to.
    ///     alice.server_identity = Some("web.example.com".to_owned());
    ///     alice
    /// }
    /// ```
    #[must_use]
    pub fn security(mut self, provider: Arc<dyn SecurityProvider>) -> Self {
        self.security = Some(provider);
        self
    }

    /// The application is asked for what is missing.
    #[must_use]
    pub fn ask(mut self) -> Self {
        self.ask = true;
        self
    }

    /// Only these methods, in this order.
    #[must_use]
    pub fn methods<M: Into<String>>(mut self, methods: impl IntoIterator<Item = M>) -> Self {
        self.methods = methods.into_iter().map(Into::into).collect();
        self
    }
}

/// Keys that a connection may offer.
pub trait Keys: Send + Sync {
    /// For one login, from the beginning.
    fn offers(&self) -> Box<dyn Offers>;
}

/// The keys of one login, one after another.
pub trait Offers: Send {
    /// The next key to offer.
    fn next(&mut self, cx: &mut Cx<'_>) -> Offer;
}

/// What [`Offers::next`] says.
pub enum Offer {
    /// Offer this one.
    Key(Box<dyn Signer>),
    /// Somebody was asked (an agent, the application for a passphrase): call again.
    Asked,
    /// There are no more.
    End,
}

/// A key that can sign, wherever its private half is.
pub trait Signer: Send {
    /// The public key or certificate as it is on the wire.
    fn public(&self) -> &[u8];

    /// What it is called in notes and errors: its file, or its comment in the agent.
    fn name(&self) -> &str;

    /// Signature algorithms that it can do, best first, e.g. `rsa-sha2-512`, `rsa-sha2-256`;
    /// for a certificate `ssh-ed25519-cert-v01@openssh.com` and so on.
    fn algorithms(&self) -> Vec<&'static str>;

    /// Signs `data`; called again with the same until it is done.
    fn sign(&mut self, data: &[u8], algorithm: &str, cx: &mut Cx<'_>) -> Signing;
}

/// What [`Signer::sign`] says.
pub enum Signing {
    /// The signature as it is on the wire: `string algorithm, string signature`
    /// (RFC 4253 section 6.6; the algorithm is the plain one for certificates too).
    Done(Vec<u8>),
    /// Somebody was asked: call again.
    Asked,
    /// It cannot, for this reason; the login goes on with the next key.
    Failed(String),
}
