//! Kerberos settings: who we are, and what is known about realms.

use core::ffi::c_void;
use std::sync::Arc;

use sockless::core::SecurityProvider;
use sockless::kerberos::{Backend, Config, Credentials, Delegation, Realms};
use sockless_core::Fault;
use zeroize::Zeroizing;

use crate::Status;
use crate::engine::{Engine, enter};
use crate::inner::Refusal;
use crate::{convert, input};

/// Texts of Kerberos settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum KerberosText {
    /// Who we are, `name` or `name@REALM`. A keytab and a credential cache can say that themselves.
    User = 1,
    /// The user's password.
    Password = 2,
    /// What is in a `krb5.conf`: `default_realm`, each realm's `kdc`, `domain_realm`. Includes are not
    /// followed.
    Config = 3,
    /// The realm of names that have none.
    DefaultRealm = 4,
    /// A name server, `address` or `address:port`, that is asked for KDCs which are not given; several
    /// add up.
    NameServer = 5,
}

/// Bytes of Kerberos settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum KerberosData {
    /// What is in a keytab: a key instead of a password.
    Keytab = 1,
    /// What is in a credential cache of type FILE, as `kinit` makes it: tickets that are there already.
    Ccache = 2,
    /// 32 bytes of the system's random generator, which nobody else knows and no other settings are given.
    /// The backend in Rust draws keys and nonces from them, and cannot do without. After fork(2) both
    /// processes would draw the same: build the settings after it.
    Random = 3,
}

/// Numbers of Kerberos settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum KerberosNumber {
    /// 1: KDCs are asked by streams only. Default 0: datagrams come first.
    StreamOnly = 1,
    /// Whether servers get tickets to act for the user: 0 never, 1 if the realm says that they may be
    /// trusted with them, 2 always. Default 0.
    Delegation = 2,
    /// 1: MIT Kerberos, 2: the one in Rust. Default: the first that is built in.
    Backend = 3,
}

/// Settings that are still being made, or are in use.
#[derive(Default)]
pub(crate) struct Settings {
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    config: Option<String>,
    default_realm: Option<String>,
    keytab: Option<Zeroizing<Vec<u8>>>,
    ccache: Option<Zeroizing<Vec<u8>>>,
    /// Realm and place.
    kdcs: Vec<(String, String)>,
    /// Host, or domain, and realm.
    domains: Vec<(String, String)>,
    name_servers: Vec<String>,
    random: Option<Zeroizing<Vec<u8>>>,
    stream_only: bool,
    delegation: Delegation,
    backend: Option<Backend>,
    built: Option<Arc<dyn SecurityProvider>>,
}

impl Settings {
    /// The settings, which cannot be changed from now on.
    pub(crate) fn provider(&mut self) -> Result<Arc<dyn SecurityProvider>, Refusal> {
        if let Some(provider) = &self.built {
            return Ok(Arc::clone(provider));
        }
        let built = self.build().map_err(|fault| fault.at("kerberos"))?;
        let provider = built.ok_or(Refusal::Order(
            "the Kerberos settings have no credentials: a user with a password, a keytab or a cache",
        ))?;
        (self.password, self.keytab, self.ccache) = (None, None, None);
        self.random = None;
        Ok(Arc::clone(self.built.insert(provider)))
    }

    /// `None`: there are no credentials.
    fn build(&self) -> Result<Option<Arc<dyn SecurityProvider>>, Fault> {
        let realms = self.realms()?;
        let user = self.user.as_deref();
        let credentials = match (&self.keytab, &self.ccache, &self.password, user) {
            (Some(keytab), ..) => Credentials::keytab(user, keytab, &realms)?,
            (None, Some(ccache), _, user) => {
                let tickets = Credentials::ccache(ccache)?;
                match user {
                    Some(user) => tickets.of(user, &realms)?,
                    None => tickets,
                }
            }
            (None, None, Some(password), Some(user)) => {
                Credentials::password(user, password, &realms)?
            }
            _ => return Ok(None),
        };
        let mut config = Config::new(credentials, realms).delegation(self.delegation);
        if let Some(backend) = self.backend {
            config = config.backend(backend);
        }
        let seed = self.random.as_ref();
        if let Some(seed) = seed.and_then(|bytes| bytes.as_slice().try_into().ok()) {
            config = config.random(seed);
        }
        Ok(Some(config.build()?))
    }

    fn realms(&self) -> Result<Realms, Fault> {
        let mut realms = match &self.config {
            Some(text) => Realms::parse(text)?,
            None => Realms::new(),
        };
        if let Some(realm) = &self.default_realm {
            realms = realms.default_to(realm);
        }
        for (at, (realm, place)) in self.kdcs.iter().enumerate() {
            // The first one of a realm takes the place of the configuration's.
            if self.kdcs[..at].iter().all(|(before, _)| before != realm) {
                realms = realms.without_kdcs(realm);
            }
            realms = realms.kdc(realm, place)?;
        }
        for (host, realm) in &self.domains {
            realms = realms.domain(host, realm);
        }
        for place in &self.name_servers {
            realms = realms.name_server(place)?;
        }
        Ok(match self.stream_only {
            true => realms.stream_only(),
            false => realms,
        })
    }

    fn open(&mut self) -> Result<&mut Self, Refusal> {
        match self.built {
            None => Ok(self),
            Some(_) => Err(Refusal::Order("the Kerberos settings are in use already")),
        }
    }

    fn set_number(&mut self, option: u32, value: u64) -> Result<(), Refusal> {
        use KerberosNumber as Of;
        match option {
            at if at == Of::StreamOnly as u32 => self.stream_only = convert::flag(value)?,
            at if at == Of::Delegation as u32 => {
                self.delegation = match value {
                    0 => Delegation::None,
                    1 => Delegation::Policy,
                    2 => Delegation::Always,
                    _ => return Err(Status::Range.into()),
                };
            }
            at if at == Of::Backend as u32 => {
                self.backend = match value {
                    1 => Some(Backend::Gssapi),
                    2 => Some(Backend::Rust),
                    _ => return Err(Status::Range.into()),
                };
            }
            _ => return Err(Status::Option.into()),
        }
        Ok(())
    }
}

/// Makes Kerberos settings: one user's credentials, and the tickets that come of them. The thread that
/// uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `kerberos` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_new(engine: *mut Engine, kerberos: *mut u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(kerberos)?;
            let made = inner.kerberos.insert(Box::default());
            place.put(made.map_err(|(status, _)| status)?);
            Ok(())
        })
    }
}

/// Frees Kerberos settings; what uses them keeps them, and their tickets. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_free(engine: *mut Engine, kerberos: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            drop(inner.kerberos.take(kerberos)?);
            Ok(())
        })
    }
}

/// Sets a text of Kerberos settings (`sockless_kerberos_text`). What is wrong with it shows when the settings
/// are first used. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: they are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_set_text(
    engine: *mut Engine,
    kerberos: u64,
    option: u32,
    text: *const c_void,
    length: usize,
) -> i32 {
    use KerberosText as Of;
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let text = input::text(text, length)?;
            let settings = inner.kerberos.find(kerberos)?.open()?;
            match option {
                at if at == Of::User as u32 => settings.user = Some(text.to_owned()),
                at if at == Of::Password as u32 => {
                    settings.password = Some(Zeroizing::new(text.to_owned()));
                }
                at if at == Of::Config as u32 => settings.config = Some(text.to_owned()),
                at if at == Of::DefaultRealm as u32 => {
                    settings.default_realm = Some(text.to_owned());
                }
                at if at == Of::NameServer as u32 => {
                    // Refused now, where the program can see which one it is.
                    let probe = Realms::new().name_server(text);
                    probe.map_err(|fault| fault.at("kerberos"))?;
                    settings.name_servers.push(text.to_owned());
                }
                _ => return Err(Status::Option.into()),
            }
            Ok(())
        })
    }
}

/// Sets bytes of Kerberos settings (`sockless_kerberos_data`), which are copied, and wiped when the settings
/// are first used. A keytab counts before a cache, a cache before a password. The thread that uses the
/// engine.
///
/// `SOCKLESS_STATUS_RANGE`: not 32 random bytes.
/// `SOCKLESS_STATUS_ORDER`: they are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_set_data(
    engine: *mut Engine,
    kerberos: u64,
    option: u32,
    data: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let bytes = input::data(data, length)?;
            let settings = inner.kerberos.find(kerberos)?.open()?;
            let place = match option {
                at if at == KerberosData::Keytab as u32 => &mut settings.keytab,
                at if at == KerberosData::Ccache as u32 => &mut settings.ccache,
                at if at == KerberosData::Random as u32 => {
                    if bytes.len() != 32 {
                        return Err(Status::Range.into());
                    }
                    &mut settings.random
                }
                _ => return Err(Status::Option.into()),
            };
            *place = Some(Zeroizing::new(bytes.to_vec()));
            Ok(())
        })
    }
}

/// Sets a number of Kerberos settings (`sockless_kerberos_number`). The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: they are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_set_number(
    engine: *mut Engine,
    kerberos: u64,
    option: u32,
    value: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let settings = inner.kerberos.find(kerberos)?.open()?;
            settings.set_number(option, value)
        })
    }
}

/// Adds a KDC of a realm: `host`, `host:port`, `[address]:port`, `tcp/` in front for streams only, or the URL
/// of a KDC proxy. The first one of a realm takes the place of the configuration's. The thread that
/// uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_add_kdc(
    engine: *mut Engine,
    kerberos: u64,
    realm: *const c_void,
    realm_length: usize,
    place: *const c_void,
    place_length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let realm = input::text(realm, realm_length)?;
            let place = input::text(place, place_length)?;
            let settings = inner.kerberos.find(kerberos)?.open()?;
            // Refused now, where the program can see which one it is.
            let probe = Realms::new().kdc(realm, place);
            probe.map_err(|fault| fault.at("kerberos"))?;
            settings.kdcs.push((realm.to_owned(), place.to_owned()));
            Ok(())
        })
    }
}

/// Puts a host, or with a dot in front all hosts below a domain, into a realm. The thread that uses the
/// engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_kerberos_add_domain(
    engine: *mut Engine,
    kerberos: u64,
    host: *const c_void,
    host_length: usize,
    realm: *const c_void,
    realm_length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let host = input::text(host, host_length)?;
            let realm = input::text(realm, realm_length)?;
            let settings = inner.kerberos.find(kerberos)?.open()?;
            settings.domains.push((host.to_owned(), realm.to_owned()));
            Ok(())
        })
    }
}
