//! TLS settings.

use core::ffi::c_void;
use std::sync::Arc;

use sockless::tls::{Backend, Client, Config, Provider, Roots, Verify, Version};
use sockless::{Culprit, Error, Reason};
use sockless_core::Fault;
use zeroize::Zeroizing;

use crate::Status;
use crate::engine::{Engine, enter};
use crate::inner::{Kept, Refusal};
use crate::text::Text;
use crate::{convert, input};

/// Texts of TLS settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum TlsText {
    /// Certificates of authorities to trust, PEM; several are all trusted. None at all, and
    /// `SOCKLESS_TLS_NUMBER_BUILT_IN_ROOTS` not set: Mozilla's, as built in.
    CaPem = 1,
    /// A certificate chain of our own, leaf first, PEM; it needs a key.
    CertificatePem = 2,
    /// Its private key, PEM.
    KeyPem = 3,
    /// What opens the key (backend openssl only).
    KeyPassword = 4,
    /// Certificate revocation lists, PEM; several add up.
    CrlPem = 5,
    /// Pinned public keys: `sha256//BASE64;...`, or one key, PEM.
    Pin = 6,
    /// Cipher suites of TLS 1.2, with colons between them.
    Ciphers = 7,
    /// Cipher suites of TLS 1.3.
    Tls13Ciphers = 8,
    /// Groups for the key exchange.
    Groups = 9,
    /// A protocol to offer by ALPN; several add up, and the empty text is for none. Default
    /// `http/1.1`.
    Alpn = 10,
}

/// Numbers of TLS settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum TlsNumber {
    /// 0: whoever answers is believed. Default 1.
    Verify = 1,
    /// The lowest version: 12 or 13. Default 12.
    MinVersion = 2,
    /// The highest version: 12 or 13. Default 13.
    MaxVersion = 3,
    /// 1: Mozilla's authorities as well as those that are given.
    BuiltInRoots = 4,
    /// For how many servers sessions are kept; 0: none. Default 256.
    Resumption = 5,
    /// 0: the server's name is not said in the clear. Default 1.
    ServerName = 6,
    /// 1: refuse servers without a stapled OCSP answer (backend openssl only). Default 0.
    RequireOcsp = 7,
    /// 1: rustls, 2: OpenSSL. Default: the first that is built in.
    Backend = 8,
    /// 1: AWS-LC, 2: ring; for rustls. Default: the first that is built in.
    Provider = 9,
}

/// Settings that are still being made, or are in use.
#[derive(Default)]
pub(crate) struct Settings {
    texts: Vec<(u32, Zeroizing<String>)>,
    numbers: Vec<(u32, u64)>,
    /// A PKCS#12 file and its password.
    pkcs12: Option<(Zeroizing<Vec<u8>>, Zeroizing<String>)>,
    built: Option<Arc<Client>>,
}

impl Settings {
    /// The settings, which cannot be changed from now on.
    pub(crate) fn client(&mut self) -> Result<Arc<Client>, Error> {
        if let Some(client) = &self.built {
            return Ok(Arc::clone(client));
        }
        let client = self.build().map_err(|fault| fault.at("tls"))?;
        self.texts.clear();
        self.pkcs12 = None;
        Ok(Arc::clone(self.built.insert(client)))
    }

    fn build(&self) -> Result<Arc<Client>, Fault> {
        let mut config = Config::new(self.roots()?).alpn(self.protocols());
        if let (Some(chain), key) = (
            self.last(TlsText::CertificatePem),
            self.last(TlsText::KeyPem),
        ) {
            let (chain, key) = (chain.as_bytes(), key.unwrap_or_default().as_bytes());
            config = match self.last(TlsText::KeyPassword) {
                Some(password) => config.client_certificate_encrypted(chain, key, password)?,
                None => config.client_certificate(chain, key)?,
            };
        }
        if let Some((file, password)) = &self.pkcs12 {
            config = config.client_pkcs12(file, password);
        }
        for pem in self.all(TlsText::CrlPem) {
            config = config.crl_pem(pem.as_bytes())?;
        }
        for pin in self.all(TlsText::Pin) {
            config = config.pin(pin.as_bytes())?;
        }
        if let Some(list) = self.last(TlsText::Ciphers) {
            config = config.ciphers(list);
        }
        if let Some(list) = self.last(TlsText::Tls13Ciphers) {
            config = config.tls13_ciphers(list);
        }
        if let Some(list) = self.last(TlsText::Groups) {
            config = config.groups(list);
        }
        self.numbered(config).build()
    }

    fn numbered(&self, mut config: Config) -> Config {
        let (mut min, mut max) = (Version::Tls12, Version::Tls13);
        let version = |value| {
            if value == 13 {
                Version::Tls13
            } else {
                Version::Tls12
            }
        };
        for (number, value) in &self.numbers {
            let (value, on) = (*value, *value == 1);
            config = match *number {
                at if at == TlsNumber::Verify as u32 && !on => config.verify(Verify::Insecure),
                at if at == TlsNumber::Verify as u32 => config.verify(Verify::Full),
                at if at == TlsNumber::Resumption as u32 => config.resumption(value as usize),
                at if at == TlsNumber::ServerName as u32 => config.sni(on),
                at if at == TlsNumber::RequireOcsp as u32 => config.require_ocsp(on),
                at if at == TlsNumber::Backend as u32 => match on {
                    true => config.backend(Backend::Rustls),
                    false => config.backend(Backend::Openssl),
                },
                at if at == TlsNumber::Provider as u32 => match on {
                    true => config.provider(Provider::AwsLcRs),
                    false => config.provider(Provider::Ring),
                },
                at if at == TlsNumber::MinVersion as u32 => {
                    min = version(value);
                    config
                }
                at if at == TlsNumber::MaxVersion as u32 => {
                    max = version(value);
                    config
                }
                _ => config,
            };
        }
        config.versions(min, max)
    }

    fn roots(&self) -> Result<Roots, Fault> {
        let built_in = self.numbers.iter().rev();
        let built_in = built_in
            .clone()
            .find(|(at, _)| *at == TlsNumber::BuiltInRoots as u32);
        let given = self.all(TlsText::CaPem).next().is_some();
        let built_in = built_in.map_or(!given, |(_, value)| *value == 1);
        let mut roots = match built_in {
            true => Roots::webpki(),
            false => Roots::empty(),
        };
        for pem in self.all(TlsText::CaPem) {
            roots.add_pem(pem.as_bytes())?;
        }
        Ok(roots)
    }

    fn protocols(&self) -> Vec<&str> {
        if self.last(TlsText::Alpn).is_none() {
            return vec!["http/1.1"];
        }
        self.all(TlsText::Alpn)
            .filter(|name| !name.is_empty())
            .collect()
    }

    fn all(&self, option: TlsText) -> impl Iterator<Item = &str> {
        let of = self
            .texts
            .iter()
            .filter(move |(have, _)| *have == option as u32);
        of.map(|(_, text)| text.as_str())
    }

    fn last(&self, option: TlsText) -> Option<&str> {
        self.all(option).last()
    }

    fn open(&mut self) -> Result<&mut Self, Refusal> {
        match self.built {
            None => Ok(self),
            Some(_) => Err(Refusal::Order("the TLS settings are in use already")),
        }
    }
}

/// Makes TLS settings, which trust Mozilla's authorities unless others are given. The thread that
/// uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `tls` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_new(engine: *mut Engine, tls: *mut u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(tls)?;
            place.put(
                inner
                    .tls
                    .insert(Settings::default())
                    .map_err(|(status, _)| status)?,
            );
            Ok(())
        })
    }
}

/// Frees TLS settings; what uses them keeps them. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_free(engine: *mut Engine, tls: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            drop(inner.tls.take(tls)?);
            Ok(())
        })
    }
}

/// Sets, or adds, a text of TLS settings (`sockless_tls_text`). What is wrong with it shows when the
/// settings are first used. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: they are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_set_text(
    engine: *mut Engine,
    tls: u64,
    option: u32,
    text: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let text = input::text(text, length)?;
            let settings = inner.tls.find(tls)?.open()?;
            if !(TlsText::CaPem as u32..=TlsText::Alpn as u32).contains(&option) {
                return Err(Status::Option.into());
            }
            settings
                .texts
                .push((option, Zeroizing::new(text.to_owned())));
            Ok(())
        })
    }
}

/// Sets a number of TLS settings (`sockless_tls_number`). The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: they are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_set_number(
    engine: *mut Engine,
    tls: u64,
    option: u32,
    value: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let settings = inner.tls.find(tls)?.open()?;
            check(option, value)?;
            settings.numbers.retain(|(have, _)| *have != option);
            settings.numbers.push((option, value));
            Ok(())
        })
    }
}

fn check(option: u32, value: u64) -> Result<(), Status> {
    use TlsNumber as Of;
    let fits = match option {
        at if at == Of::MinVersion as u32 || at == Of::MaxVersion as u32 => {
            matches!(value, 12 | 13)
        }
        at if at == Of::Backend as u32 || at == Of::Provider as u32 => matches!(value, 1 | 2),
        at if at == Of::Resumption as u32 => value <= 1 << 20,
        at if (Of::Verify as u32..=Of::Provider as u32).contains(&at) => {
            convert::flag(value).is_ok()
        }
        _ => return Err(Status::Option),
    };
    if fits { Ok(()) } else { Err(Status::Range) }
}

/// Sets a certificate chain of our own and its key from one PKCS#12 file, and what opens it; instead of
/// `SOCKLESS_TLS_TEXT_CERTIFICATE_PEM` (backend openssl only). The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: the settings are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_set_pkcs12(
    engine: *mut Engine,
    tls: u64,
    file: *const c_void,
    length: usize,
    password: *const c_void,
    password_length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let file = Zeroizing::new(input::data(file, length)?.to_vec());
            let password = Zeroizing::new(input::text(password, password_length)?.to_owned());
            inner.tls.find(tls)?.open()?.pkcs12 = Some((file, password));
            Ok(())
        })
    }
}

/// Exports the sessions that connections of later, equal settings may resume, e.g. in the next run of a
/// program (backend openssl only). They are secret, and each is for one connection: import an export
/// once. `data` is valid until `sockless_data_release(kept)`, which wipes it. The thread that uses the
/// engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, the others are NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_export_sessions(
    engine: *mut Engine,
    tls: u64,
    data: *mut Text,
    kept: *mut u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let (place, kept) = (input::place(data)?, input::place(kept)?);
            let client = inner.tls.find(tls)?.client()?;
            let exported = client.export_sessions();
            let bytes = Zeroizing::new(exported.map_err(|fault| fault.at("tls"))?);
            // What it points to is on the heap, and does not move with it.
            let shown = Text::of(&bytes);
            let handle = inner.kept.insert(Kept::Secret { _bytes: bytes });
            kept.put(handle.map_err(|(status, _)| status)?);
            place.put(shown);
            Ok(())
        })
    }
}

/// Takes what `sockless_tls_export_sessions` gave for equal settings, and says how many sessions there
/// were. The settings are in use from now on. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `data` is NULL or can be read, `count` is NULL or can
/// be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_tls_import_sessions(
    engine: *mut Engine,
    tls: u64,
    data: *const c_void,
    length: usize,
    count: *mut usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(count)?;
            let data = input::data(data, length)?;
            let client = inner.tls.find(tls)?.client()?;
            let imported = client.import_sessions(data);
            place.put(imported.map_err(|fault| fault.at("tls"))?);
            Ok(())
        })
    }
}

/// Makes TLS settings the engine's, for requests and proxies without their own; before the engine's
/// first transfer and poll. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_engine_set_tls(engine: *mut Engine, tls: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let client = inner.tls.find(tls)?.client()?;
            let config = &mut inner.settings()?.config;
            *config = core::mem::take(config).with_tls_client(client);
            Ok(())
        })
    }
}

/// Settings that are asked for where none can be.
pub(crate) fn needless(layer: &'static str, what: &str) -> Error {
    Fault::new(Culprit::Misuse, Reason::BadRequest, what).at(layer)
}
