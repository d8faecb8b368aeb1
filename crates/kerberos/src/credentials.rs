//! What a user has to show to a KDC.

use core::fmt;

use sockless_core::{Culprit, Fault, Reason};
use zeroize::Zeroizing;

use crate::ccache::Ccache;
use crate::keytab::{self, Key};
use crate::{Principal, Realms};

/// Who the user is, and what proves it: a password, a key, or tickets that are there already.
///
/// ```
/// # use sockless_kerberos::{Credentials, Realms};
/// let realms = Realms::new().default_to("EXAMPLE.COM");
/// let alice = Credentials::password("alice", "open sesame", &realms).unwrap();
/// assert_eq!(alice.client().to_string(), "alice@EXAMPLE.COM");
/// assert!(!format!("{alice:?}").contains("sesame"));
/// ```
pub struct Credentials {
    client: Principal,
    proof: Proof,
}

pub(crate) enum Proof {
    Password(Zeroizing<String>),
    Keys(Vec<Key>),
    Tickets(Ccache),
}

impl Credentials {
    /// A name, with or without its realm, and the password.
    ///
    /// # Errors
    /// A name that is none, or that has no realm where there is no default; a password with a
    /// NUL byte.
    pub fn password(name: &str, password: &str, realms: &Realms) -> Result<Self, Fault> {
        if password.contains('\0') {
            let what = "the password has a NUL byte";
            return Err(Fault::new(Culprit::Misuse, Reason::BadRequest, what));
        }
        Ok(Self {
            client: Principal::parse_in(name, realms.default_realm())?,
            proof: Proof::Password(Zeroizing::new(password.to_owned())),
        })
    }

    /// The keys of a name, from the bytes of a keytab; without a name, of the first in it.
    ///
    /// # Errors
    /// The bytes are no keytab, or it has no key of that name.
    pub fn keytab(name: Option<&str>, bytes: &[u8], realms: &Realms) -> Result<Self, Fault> {
        let mut keys = keytab::parse(bytes)?;
        let client = match (name, keys.first()) {
            (Some(name), _) => Principal::parse_in(name, realms.default_realm())?,
            (None, Some(first)) => first.principal.clone(),
            (None, None) => return Err(no_key("anybody")),
        };
        keys.retain(|key| key.principal == client);
        match keys.is_empty() {
            true => Err(no_key(&client.to_string())),
            false => Ok(Self {
                client,
                proof: Proof::Keys(keys),
            }),
        }
    }

    /// Tickets, from the bytes of a credential cache of type FILE (what `kinit` makes).
    ///
    /// # Errors
    /// The bytes are none.
    pub fn ccache(bytes: &[u8]) -> Result<Self, Fault> {
        let ccache = Ccache::parse(bytes)?;
        Ok(Self {
            client: ccache.client.clone(),
            proof: Proof::Tickets(ccache),
        })
    }

    /// Whose they are.
    pub fn client(&self) -> &Principal {
        &self.client
    }

    pub(crate) fn into_proof(self) -> Proof {
        self.proof
    }

    /// The same, for somebody: tickets of another user are an error.
    ///
    /// # Errors
    /// [`Reason::Authentication`]: they are somebody else's.
    pub fn of(self, name: &str, realms: &Realms) -> Result<Self, Fault> {
        let wanted = Principal::parse_in(name, realms.default_realm())?;
        if self.client == wanted {
            return Ok(self);
        }
        let what = format!("the tickets are those of {}, not of {wanted}", self.client);
        Err(Fault::new(Culprit::Misuse, Reason::Authentication, what)
            .remedy("get tickets for that user, or leave the user's name out"))
    }
}

fn no_key(of: &str) -> Fault {
    let what = format!("the keytab has no key of {of}");
    Fault::new(Culprit::Misuse, Reason::Authentication, what)
        .remedy("see with klist -k whose keys it has")
}

/// Whose and of which kind, no secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.proof {
            Proof::Password(_) => "password",
            Proof::Keys(_) => "keytab",
            Proof::Tickets(_) => "tickets",
        };
        write!(f, "Credentials({} by {kind})", self.client)
    }
}
