//! Verification of servers: what OpenSSL does not check, and why it refuses.

use core::time::Duration;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{Ssl, SslRef};
use openssl::stack::StackRef;
use openssl::x509::{CrlStatus, X509, X509Crl, X509Ref, X509StoreContextRef, X509VerifyResult};

use crate::Verify;
use crate::pin::Pins;
use crate::refusal::Refusal;
use crate::x509;

/// What all connections' servers are held to.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) verify: Verify,
    pub(super) crls: Vec<List>,
    pub(super) pins: Pins,
}

/// A revocation list, and when it ends.
pub(super) struct List {
    pub(super) list: X509Crl,
    pub(super) not_after: Option<Duration>,
}

impl core::fmt::Debug for List {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("List").finish_non_exhaustive()
    }
}

/// One connection's judge of its server; OpenSSL asks it about each certificate.
pub(super) struct Judge {
    /// The name that the certificate has to have, as people write it.
    pub(super) name: String,
    /// The wall clock, since the Unix epoch.
    pub(super) now: Duration,
    /// Whether certificates are verified at all.
    pub(super) is_full: bool,
    /// The end of the verification that the offered session speaks for, if there is one.
    pub(super) verified_until: Option<Duration>,
    case: Mutex<Case>,
}

#[derive(Default)]
struct Case {
    refusal: Option<Refusal>,
    /// The server's own certificate was seen and its key is a pinned one.
    is_pinned: bool,
}

impl Judge {
    pub(super) fn new(
        name: String,
        now: Duration,
        is_full: bool,
        verified_until: Option<Duration>,
    ) -> Self {
        Self {
            name,
            now,
            is_full,
            verified_until,
            case: Mutex::default(),
        }
    }

    /// Lets OpenSSL's callbacks know whose connection they are asked about.
    pub(super) fn attach(self: &Arc<Self>, ssl: &mut SslRef) -> Result<(), ErrorStack> {
        ssl.set_ex_data(index()?, Arc::clone(self));
        Ok(())
    }

    /// Why the server was refused, if it was.
    pub(super) fn verdict(&self) -> Option<Refusal> {
        self.case(|case| case.refusal.clone())
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.case(|case| case.is_pinned)
    }

    /// Refuses; the first reason counts.
    pub(super) fn refuse(&self, why: Refusal) {
        self.case(|case| {
            case.refusal.get_or_insert(why);
        });
    }

    fn case<R>(&self, look: impl FnOnce(&mut Case) -> R) -> R {
        look(&mut self.case.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// OpenSSL's question, once for each problem and once for each certificate, the
    /// server's own last: is it fine?
    pub(super) fn judge(&self, rules: &Rules, good: bool, at: &mut X509StoreContextRef) -> bool {
        let is_full = rules.verify == Verify::Full;
        if is_full && !good {
            self.refuse(self.reason(at));
            return false;
        }
        if at.error_depth() != 0 {
            return true;
        }
        let refusal = match at.chain() {
            None => Some(Refusal::Other("there is no chain".to_owned())),
            Some(chain) => self.more(rules, chain).err(),
        };
        match refusal {
            None => true,
            Some(why) => {
                self.refuse(why);
                at.set_error(X509VerifyResult::APPLICATION_VERIFICATION);
                false
            }
        }
    }

    /// What OpenSSL does not check itself, of a chain that it accepts.
    fn more(&self, rules: &Rules, chain: &StackRef<X509>) -> Result<(), Refusal> {
        let other = |what: &str| Refusal::Other(what.to_owned());
        let leaf = chain
            .get(0)
            .ok_or_else(|| other("there is no certificate"))?;
        let der = leaf.to_der().map_err(|_| other("it has no encoding"))?;
        if rules.verify == Verify::Full {
            // RFC 5280 allows it; rustls does not, and no public authority does it.
            if chain.len() > 1 && x509::is_authority(&der) {
                return Err(other("it is an authority's, not a server's"));
            }
            if !rules.crls.is_empty() {
                revocation(&rules.crls, chain, self.now)?;
            }
        }
        if !rules.pins.accept(&der) {
            return Err(Refusal::Pin);
        }
        self.case(|case| case.is_pinned = true);
        Ok(())
    }

    fn reason(&self, at: &X509StoreContextRef) -> Refusal {
        let der = || at.current_cert().and_then(|cert| cert.to_der().ok());
        let validity = || der().and_then(|der| x509::validity(&der));
        let error = at.error();
        match error.as_raw() {
            code::NOT_YET_VALID => Refusal::NotYetValid(validity().map(|(from, _)| from)),
            code::EXPIRED => Refusal::Expired(validity().map(|(_, to)| to)),
            code::SELF_SIGNED_LEAF => Refusal::SelfSigned,
            code::NO_ISSUER
            | code::SELF_SIGNED_IN_CHAIN
            | code::NO_LOCAL_ISSUER
            | code::LEAF_NOT_VERIFIED => {
                match der().is_some_and(|der| x509::is_self_issued(&der)) && at.error_depth() == 0 {
                    true => Refusal::SelfSigned,
                    false => Refusal::UnknownIssuer,
                }
            }
            code::BAD_SIGNATURE => Refusal::BadSignature,
            code::WRONG_PURPOSE => Refusal::NotForServers,
            code::OTHER_HOST | code::OTHER_ADDRESS => {
                let names = at.current_cert().map(names);
                Refusal::OtherName(names.map(|names| (self.name.clone(), names)))
            }
            code::LEAF_KEY_TOO_SMALL | code::CA_KEY_TOO_SMALL | code::HASH_TOO_WEAK => {
                Refusal::Weak
            }
            _ => Refusal::Other(error.error_string().to_owned()),
        }
    }
}

/// Where a connection keeps its judge; one place for all.
pub(super) fn index() -> Result<Index<Ssl, Arc<Judge>>, ErrorStack> {
    static INDEX: OnceLock<Index<Ssl, Arc<Judge>>> = OnceLock::new();
    match INDEX.get() {
        Some(index) => Ok(*index),
        None => Ssl::new_ex_index().map(|index| *INDEX.get_or_init(|| index)),
    }
}

/// `X509_V_ERR_…`, of `openssl/x509_vfy.h`.
mod code {
    pub(super) const NO_ISSUER: i32 = 2;
    pub(super) const BAD_SIGNATURE: i32 = 7;
    pub(super) const NOT_YET_VALID: i32 = 9;
    pub(super) const EXPIRED: i32 = 10;
    pub(super) const SELF_SIGNED_LEAF: i32 = 18;
    pub(super) const SELF_SIGNED_IN_CHAIN: i32 = 19;
    pub(super) const NO_LOCAL_ISSUER: i32 = 20;
    pub(super) const LEAF_NOT_VERIFIED: i32 = 21;
    pub(super) const WRONG_PURPOSE: i32 = 26;
    pub(super) const OTHER_HOST: i32 = 62;
    pub(super) const OTHER_ADDRESS: i32 = 64;
    pub(super) const LEAF_KEY_TOO_SMALL: i32 = 66;
    pub(super) const CA_KEY_TOO_SMALL: i32 = 67;
    pub(super) const HASH_TOO_WEAK: i32 = 68;
}

/// Each certificate but the last needs a current list of its issuer that does not name it.
/// crate openssl puts no lists into OpenSSL's own store, so this is done here; lists that
/// speak for some certificates only are refused when settings are built.
fn revocation(lists: &[List], chain: &StackRef<X509>, now: Duration) -> Result<(), Refusal> {
    let unknown = |what: &str| Refusal::RevocationUnknown(what.to_owned());
    let links = chain.iter().zip(chain.iter().skip(1));
    for (at, (certificate, issuer)) in links.enumerate() {
        let key = issuer
            .public_key()
            .map_err(|_| unknown("its issuer has no key"))?;
        let signed = |list: &&List| {
            let named = list.list.issuer_name().try_cmp(issuer.subject_name());
            named.is_ok_and(|order| order.is_eq()) && list.list.verify(&key).unwrap_or(false)
        };
        // An anchor is trusted as a name and a key, whatever else its certificate says.
        let is_anchor = at + 2 == chain.len();
        let may_sign = is_anchor || issuer.to_der().is_ok_and(|der| x509::may_sign_lists(&der));
        let mut theirs = lists.iter().filter(|_| may_sign).filter(signed).peekable();
        if theirs.peek().is_none() {
            return Err(unknown("its issuer has no revocation list"));
        }
        let mut is_current = false;
        for list in theirs {
            match list.list.get_by_cert(&certificate.to_owned()) {
                CrlStatus::Revoked(_) => return Err(Refusal::Revoked),
                CrlStatus::NotRevoked | CrlStatus::RemoveFromCrl(_) => {}
            }
            is_current |= list.not_after.is_none_or(|end| now <= end);
        }
        if !is_current {
            return Err(unknown("its issuer's revocation list has expired"));
        }
    }
    Ok(())
}

/// The names and addresses of a certificate.
fn names(certificate: &X509Ref) -> Vec<String> {
    let Some(names) = certificate.subject_alt_names() else {
        return Vec::new();
    };
    let address = |bytes: &[u8]| {
        let v4 = <[u8; 4]>::try_from(bytes).map(core::net::IpAddr::from);
        let v6 = <[u8; 16]>::try_from(bytes).map(core::net::IpAddr::from);
        v4.or(v6).ok().map(|address| address.to_string())
    };
    let text = names.iter().filter_map(|name| {
        let host = name.dnsname().map(str::to_owned);
        host.or_else(|| name.ipaddress().and_then(address))
    });
    text.collect()
}
