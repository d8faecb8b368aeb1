//! The provider: what it has, what it lacks, and the errand that brings it.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use sockless_core::{Culprit, Errand, Fault, Reason, SecurityContext, SecurityProvider};
use zeroize::Zeroizing;

use crate::ccache::Stored;
use crate::fetching::{Fetching, Kind};
use crate::lookup::{Found, Ids};
use crate::{Credentials, Principal, Realms};

/// A ticket that ends sooner than this is fetched anew: it has to be good when the peer looks
/// at it. One that is good for a short time is used for most of that.
const MARGIN: Duration = Duration::from_secs(60);

/// How long a failure is told again without asking anybody.
const FAILURE: Duration = Duration::from_secs(5);

/// Services whose tickets, or failures, are remembered.
pub(crate) const SERVICES: usize = 4096;

/// 1.2.840.113554.1.2.2, Kerberos 5 (RFC 4121 section 1), in DER.
const MECHANISM: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";

/// Who makes the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// MIT Kerberos of the system (feature `gssapi`).
    Gssapi,
    /// Our own, in Rust alone (feature `rust`).
    Rust,
}

impl Backend {
    /// Those that are built in.
    pub fn built_in() -> &'static [Self] {
        match (cfg!(feature = "gssapi"), cfg!(feature = "rust")) {
            (true, true) => &[Self::Gssapi, Self::Rust],
            (true, false) => &[Self::Gssapi],
            (false, true) => &[Self::Rust],
            (false, false) => &[],
        }
    }

    /// What it is called in options and messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gssapi => "gssapi",
            Self::Rust => "rust",
        }
    }
}

/// Whether the peer gets tickets to act for the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delegation {
    /// Never.
    #[default]
    None,
    /// If the realm says that the service may be trusted with them (`OK-AS-DELEGATE`); for one in another realm,
    /// each realm on the way there as well.
    Policy,
    /// Always.
    Always,
}

/// How a provider is set up.
pub struct Config {
    credentials: Credentials,
    realms: Realms,
    delegation: Delegation,
    backend: Option<Backend>,
    seed: Option<Zeroizing<[u8; 32]>>,
}

/// No seed.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("credentials", &self.credentials)
            .field("realms", &self.realms)
            .field("delegation", &self.delegation)
            .field("backend", &self.backend)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Credentials, and what is known about realms.
    pub fn new(credentials: Credentials, realms: Realms) -> Self {
        Self {
            credentials,
            realms,
            delegation: Delegation::None,
            backend: None,
            seed: None,
        }
    }

    /// Sets whether the peer gets tickets of the user's. Default: never.
    #[must_use]
    pub fn delegation(mut self, delegation: Delegation) -> Self {
        self.delegation = delegation;
        self
    }

    /// Chooses a backend; the default is the first that is built in.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Gives what nonces, keys and the like are drawn from: 32 bytes that nobody else knows, of the system's
    /// random generator, and others for each provider. [`Backend::Rust`] cannot do without; the same ones, with the same
    /// inputs, give the same messages. [`Backend::Gssapi`] draws its own.
    ///
    /// A process that forks has what is drawn twice: build providers after `fork`, with bytes that the child has asked
    /// for itself, or do not use in the child what was built before.
    #[must_use]
    pub fn random(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(Zeroizing::new(seed));
        self
    }

    /// Builds the provider.
    ///
    /// # Errors
    /// [`Reason::Unsupported`]: no backend is built in, or it cannot delegate; whatever the
    /// backend says to the credentials.
    pub fn build(self) -> Result<Arc<Kerberos>, Fault> {
        let chosen = self.backend.or(Backend::built_in().first().copied());
        let Some(backend) = chosen.filter(|one| Backend::built_in().contains(one)) else {
            let what = match self.backend {
                Some(backend) => format!("the Kerberos backend {} is not built in", backend.name()),
                None => "no backend for Kerberos is built in".to_owned(),
            };
            return Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what)
                .remedy("build with the feature kerberos-gssapi or kerberos-rust"));
        };
        let client = self.credentials.client().clone();
        let ids = Ids::new(self.seed.as_ref().map(apart));
        let mut tickets = BTreeMap::new();
        let (library, login) = open(
            backend,
            self.credentials,
            self.delegation,
            self.seed,
            &mut tickets,
        )?;
        let state = State {
            realms: self.realms,
            client: client.clone(),
            library,
            login,
            logins: 0,
            tickets,
            found: Found::default(),
            ids,
            failures: BTreeMap::new(),
        };
        Ok(Arc::new_cyclic(|itself: &std::sync::Weak<Kerberos>| {
            Kerberos {
                identity: format!("kerberos {client} {:p}", itself.as_ptr()).into(),
                state: Arc::new(Mutex::new(state)),
            }
        }))
    }
}

/// A backend, and until when the user is logged in already.
type Opened = (Box<dyn Library>, Option<Validity>);

#[cfg_attr(
    not(all(feature = "gssapi", feature = "rust")),
    allow(
        unused_variables,
        clippy::needless_pass_by_ref_mut,
        reason = "a backend that is not built in takes nothing"
    )
)]
fn open(
    backend: Backend,
    credentials: Credentials,
    delegation: Delegation,
    seed: Option<Zeroizing<[u8; 32]>>,
    tickets: &mut BTreeMap<String, Ticket>,
) -> Result<Opened, Fault> {
    match backend {
        #[cfg(feature = "gssapi")]
        Backend::Gssapi => crate::mit::open(credentials, delegation, tickets),
        #[cfg(feature = "rust")]
        Backend::Rust => crate::rust::open(credentials, delegation, seed, tickets),
        // Nobody gets here: it is not built in.
        #[allow(unreachable_patterns, reason = "with both built in it is")]
        _ => {
            let what = "this backend for Kerberos is not built in";
            Err(Fault::new(Culprit::Misuse, Reason::Unsupported, what))
        }
    }
}

/// A secret from the seed, for another purpose than the messages.
fn apart(seed: &Zeroizing<[u8; 32]>) -> Zeroizing<[u8; 32]> {
    #[cfg(feature = "rust")]
    return crate::rust::apart(seed);
    // Nothing else is drawn from it.
    #[cfg(not(feature = "rust"))]
    return seed.clone();
}

/// A service's ticket.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// The service's whole name, as the KDC has given it.
    pub(crate) service: Principal,
    pub(crate) validity: Validity,
    /// Itself, unless the library keeps it.
    #[cfg_attr(
        not(feature = "rust"),
        allow(dead_code, reason = "MIT's library keeps it")
    )]
    pub(crate) stored: Option<Arc<Stored>>,
}

/// Until when a ticket is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    ends: SystemTime,
    margin: Duration,
}

impl Validity {
    /// From its times, in seconds of the epoch, as a file has them.
    #[cfg(any(feature = "gssapi", feature = "rust"))]
    pub(crate) fn of_file(begins: u32, ends: u32) -> Self {
        let lifetime = Duration::from_secs(ends.saturating_sub(begins).into());
        let begins = SystemTime::UNIX_EPOCH + Duration::from_secs(begins.into());
        Self::from(begins, lifetime)
    }

    /// That long from a time on. For a ticket that has just come that is our own time: the
    /// KDC's clock may differ.
    pub(crate) fn from(begins: SystemTime, lifetime: Duration) -> Self {
        Self {
            ends: begins + lifetime,
            margin: MARGIN.min(lifetime / 4),
        }
    }

    fn is_good(self, wall: SystemTime) -> bool {
        self.ends > wall + self.margin
    }
}

/// One backend, with one user's credentials.
pub(crate) trait Library: Send {
    /// Begins to log in; `None`: there is nothing to log in with.
    fn log_in(&mut self) -> Result<Option<Box<dyn Conversation>>, Fault>;

    /// Begins to fetch a ticket.
    fn fetch(&mut self, service: &Principal) -> Result<Box<dyn Conversation>, Fault>;

    /// A context from a ticket that has been fetched.
    fn context(
        &mut self,
        ticket: &Ticket,
        negotiated: bool,
    ) -> Result<Box<dyn SecurityContext>, Fault>;
}

/// A login or the way to a ticket.
pub(crate) trait Conversation: Send {
    /// Takes an answer (empty at first) and says what comes next.
    fn step(&mut self, answer: &[u8], wall: SystemTime) -> Result<Turn, Fault>;

    /// Nobody answers what it has asked: most can only fail with that.
    fn unanswered(&mut self, fault: Fault) -> Result<Turn, Fault> {
        Err(fault)
    }
}

/// What comes next in a conversation.
pub(crate) enum Turn {
    Ask {
        realm: String,
        message: Zeroizing<Vec<u8>>,
        stream: bool,
    },
    /// There it is: the service's whole name, as the KDC has given it, and how long it lasts.
    Done {
        service: Principal,
        lifetime: Duration,
        stored: Option<Arc<Stored>>,
    },
}

/// One user's Kerberos: credentials, tickets, and contexts made from them.
///
/// It is shared by as many transfers as there are; all that it knows is in memory, and gone with it.
///
/// ```no_run
/// use sockless_kerberos::{Config, Credentials, Realms};
///
/// # fn main() -> Result<(), sockless_core::Fault> {
/// let realms = Realms::new().kdc("EXAMPLE.COM", "kdc.example.com")?;
/// let alice = Credentials::password("alice@EXAMPLE.COM", "open sesame", &realms)?;
/// let kerberos = Config::new(alice, realms).build()?;
/// # Ok(())
/// # }
/// ```
pub struct Kerberos {
    identity: Arc<str>,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) realms: Realms,
    pub(crate) client: Principal,
    pub(crate) library: Box<dyn Library>,
    /// That of the ticket to get tickets with; none: there is none yet.
    pub(crate) login: Option<Validity>,
    /// Logins so far: a ticket that was fetched by an earlier one is not where contexts look.
    pub(crate) logins: u64,
    /// By `service/host`.
    pub(crate) tickets: BTreeMap<String, Ticket>,
    /// KDCs that name servers have told.
    pub(crate) found: Found,
    /// Numbers of questions to name servers.
    pub(crate) ids: Ids,
    /// What went wrong last, by errand.
    pub(crate) failures: BTreeMap<Arc<str>, (SystemTime, Failure)>,
}

/// A fault, to be told more than once.
#[derive(Clone)]
pub(crate) struct Failure {
    culprit: Culprit,
    reason: Reason,
    what: String,
    remedy: Option<&'static str>,
}

impl State {
    fn is_logged_in(&self, wall: SystemTime) -> bool {
        self.login.is_some_and(|login| login.is_good(wall))
    }

    fn ticket(&self, service: &str, host: &str, wall: SystemTime) -> Option<&Ticket> {
        let ticket = self.tickets.get(&key(service, host))?;
        ticket.validity.is_good(wall).then_some(ticket)
    }

    fn lacks(&self, service: &str, host: &str, wall: SystemTime) -> Option<Arc<str>> {
        if self.ticket(service, host, wall).is_some() {
            return None;
        }
        Some(match self.is_logged_in(wall) {
            true => key(service, host).into(),
            false => self.client.to_string().into(),
        })
    }

    /// What went wrong a moment ago, with that errand.
    fn failure(&self, errand: &str, wall: SystemTime) -> Option<Fault> {
        let (when, failure) = self.failures.get(errand)?;
        let fresh = wall.duration_since(*when).is_ok_and(|age| age < FAILURE);
        fresh.then(|| failure.fault())
    }

    /// The name that a service is asked for by. Where its realm is not known, the client's own
    /// KDC is to know, or to refer to one that does (RFC 6806).
    fn service(&self, service: &str, host: &str) -> Result<Principal, Fault> {
        let realm = self.realms.of_host(host);
        Principal::service(service, host, realm.unwrap_or(self.client.realm()))
    }
}

impl SecurityProvider for Kerberos {
    fn context(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        self.make(service, host, false)
    }

    fn negotiated(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        self.make(service, host, true)
    }

    fn identity(&self) -> Arc<str> {
        Arc::clone(&self.identity)
    }

    fn mechanisms(&self) -> &'static [&'static [u8]] {
        &[MECHANISM]
    }

    fn lacks(&self, service: &str, host: &str, wall: SystemTime) -> Option<Arc<str>> {
        lock(&self.state).lacks(service, host, wall)
    }

    fn errand(
        &self,
        service: &str,
        host: &str,
        wall: SystemTime,
    ) -> Result<Option<Box<dyn Errand>>, Fault> {
        let mut state = lock(&self.state);
        let Some(name) = state.lacks(service, host, wall) else {
            return Ok(None);
        };
        if let Some(fault) = state.failure(&name, wall) {
            return Err(fault);
        }
        let begun = state.begin(service, host, wall);
        match begun {
            Ok((conversation, kind)) => Ok(Some(Box::new(Fetching {
                state: Arc::clone(&self.state),
                conversation,
                lookup: None,
                asked: None,
                name,
                kind,
                logins: state.logins,
                questions: 0,
            }))),
            Err(fault) => Err(state.fail(name, fault, wall)),
        }
    }
}

impl State {
    fn begin(
        &mut self,
        service: &str,
        host: &str,
        wall: SystemTime,
    ) -> Result<(Box<dyn Conversation>, Kind), Fault> {
        if self.is_logged_in(wall) {
            let principal = self.service(service, host)?;
            let conversation = self.library.fetch(&principal)?;
            return Ok((conversation, Kind::Ticket(key(service, host))));
        }
        match self.library.log_in()? {
            Some(conversation) => Ok((conversation, Kind::Login)),
            None => {
                let what = match self.login {
                    Some(_) => format!("the tickets of {} have expired", self.client),
                    None => format!("{} has no ticket to get tickets with", self.client),
                };
                let fault = crate::code::fault(32, &what);
                Err(fault.remedy("get new ones, e.g. by kinit"))
            }
        }
    }

    /// Remembers a failure, and gives it back.
    pub(crate) fn fail(&mut self, name: Arc<str>, fault: Fault, wall: SystemTime) -> Fault {
        if self.failures.len() >= SERVICES {
            self.failures.clear();
        }
        self.failures.insert(name, (wall, Failure::of(&fault)));
        fault
    }
}

impl Kerberos {
    /// Whose credentials they are.
    pub fn client(&self) -> Principal {
        lock(&self.state).client.clone()
    }

    fn make(
        &self,
        service: &str,
        host: &str,
        negotiated: bool,
    ) -> Result<Box<dyn SecurityContext>, Fault> {
        let mut state = lock(&self.state);
        let key = key(service, host);
        if let Some(ticket) = state.tickets.get(&key).cloned() {
            return state.library.context(&ticket, negotiated);
        }
        let login = state.client.to_string();
        let mut failures = [key.as_str(), &login].into_iter();
        let failure = failures.find_map(|name| state.failures.get(name));
        Err(match failure {
            Some((_, failure)) => failure.fault(),
            None => {
                let what = format!("there is no ticket for {key}, and nobody has fetched one");
                Fault::new(Culprit::Misuse, Reason::Authentication, what)
                    .remedy("run SecurityProvider::errand before a context is made")
            }
        })
    }
}

/// Whose, and nothing of what it knows.
impl fmt::Debug for Kerberos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kerberos({})", self.client())
    }
}

impl Failure {
    fn of(fault: &Fault) -> Self {
        Self {
            culprit: fault.culprit,
            reason: fault.reason,
            what: fault.what.clone(),
            remedy: fault.remedy,
        }
    }

    fn fault(&self) -> Fault {
        Fault {
            remedy: self.remedy,
            ..Fault::new(self.culprit, self.reason, self.what.clone())
        }
    }
}

pub(crate) fn key(service: &str, host: &str) -> String {
    format!("{service}/{}", host.to_ascii_lowercase())
}

/// A panic elsewhere leaves nothing half done in it.
pub(crate) fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
