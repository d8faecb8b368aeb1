//! From what was set to what logs in.

use std::sync::{Arc, Mutex, PoisonError};

use sockless::ssh::keys::{Certificate, Identities, Identity, KeyFile};
use sockless::ssh::known_hosts::{HostKeyRules, KnownHosts, Learned, Pins, Policy};
use sockless::ssh::login::Credentials;
use sockless::ssh::{Algorithms, Client, Config, Kind, Library, Tuning};
use sockless::{Culprit, Endpoint, Error, Reason};
use sockless_core::{Fault, SecurityProvider};
use zeroize::Zeroizing;

use super::{SshNumber, SshText};
use crate::Status;
use crate::convert;
use crate::inner::Refusal;

/// Settings that are still being made, or are in use.
#[derive(Default)]
pub(crate) struct Settings {
    texts: Vec<(u32, Zeroizing<String>)>,
    keys: Vec<Key>,
    numbers: Vec<(u32, u64)>,
    kerberos: Option<Arc<dyn SecurityProvider>>,
    built: Option<Arc<Logins>>,
    learned: Learned,
    /// What was shown last of it.
    hosts: String,
}

/// A private key's file.
struct Key {
    text: Zeroizing<String>,
    passphrase: Option<Zeroizing<String>>,
    public: Option<String>,
}

impl Settings {
    pub(crate) fn new() -> Result<Self, Refusal> {
        Ok(Self::default())
    }

    fn open(&mut self) -> Result<&mut Self, Refusal> {
        match self.built {
            None => Ok(self),
            Some(_) => Err(Refusal::Order("the SSH settings are in use already")),
        }
    }

    pub(crate) fn set_text(&mut self, option: u32, text: &str) -> Result<(), Refusal> {
        use SshText as Of;
        let settings = self.open()?;
        let secret = || Zeroizing::new(text.to_owned());
        if !(Of::User as u32..=Of::Macs as u32).contains(&option) {
            return Err(Status::Option.into());
        }
        if option == Of::Key as u32 {
            settings.keys.push(Key {
                text: secret(),
                passphrase: None,
                public: None,
            });
            return Ok(());
        }
        let no_key = Refusal::Order("options of keys come after the key");
        if option == Of::KeyPassphrase as u32 {
            settings.keys.last_mut().ok_or(no_key)?.passphrase = Some(secret());
        } else if option == Of::KeyPublic as u32 {
            settings.keys.last_mut().ok_or(no_key)?.public = Some(text.to_owned());
        } else {
            settings.texts.push((option, secret()));
        }
        Ok(())
    }

    pub(crate) fn set_number(&mut self, option: u32, value: u64) -> Result<(), Refusal> {
        let settings = self.open()?;
        check(option, value)?;
        settings.numbers.retain(|(have, _)| *have != option);
        settings.numbers.push((option, value));
        Ok(())
    }

    pub(crate) fn set_kerberos(
        &mut self,
        provider: Arc<dyn SecurityProvider>,
    ) -> Result<(), Refusal> {
        self.open()?.kerberos = Some(provider);
        Ok(())
    }

    /// Whether they can still be changed.
    ///
    /// # Errors
    /// They are in use.
    pub(crate) fn check_open(&mut self) -> Result<(), Refusal> {
        self.open().map(drop)
    }

    /// Whether they say who logs in where nothing else does.
    pub(crate) fn names_user(&self) -> bool {
        match &self.built {
            Some(logins) => logins.user.is_some(),
            None => self.last(SshText::User).is_some(),
        }
    }

    /// The lines of hosts that have become known.
    pub(crate) fn take_hosts(&mut self) -> &str {
        let learned = self.learned.take();
        self.hosts = learned.iter().map(|host| host.line() + "\n").collect();
        &self.hosts
    }

    /// The settings, which cannot be changed from now on.
    pub(crate) fn logins(&mut self) -> Result<Arc<Logins>, Refusal> {
        if let Some(logins) = &self.built {
            return Ok(Arc::clone(logins));
        }
        let logins = self.build().map_err(at_ssh)?;
        self.texts.clear();
        self.keys.clear();
        Ok(Arc::clone(self.built.insert(Arc::new(logins))))
    }

    fn build(&self) -> Result<Logins, Fault> {
        let text = |option| {
            self.last(option)
                .map(|text| Zeroizing::new(text.to_owned()))
        };
        let methods = self.last(SshText::Methods).unwrap_or_default().split(',');
        let logins = Logins {
            user: self.last(SshText::User).map(str::to_owned),
            password: text(SshText::Password),
            keys: Arc::new(self.identities()?),
            kerberos: self.kerberos.clone(),
            ask: self.number(SshNumber::Ask) == Some(1),
            methods: methods
                .map(|name| name.trim().to_owned())
                .filter(|name| !name.is_empty())
                .collect(),
            rules: Arc::new(self.rules()?),
            algorithms: self.algorithms(),
            tuning: self.tuning(),
            library: self.number(SshNumber::Library).map(|number| match number {
                1 => Library::Russh,
                _ => Library::Libssh2,
            }),
            made: Mutex::default(),
        };
        // What is wrong with algorithms, or the library, is said now as well.
        logins.make("nobody", None)?;
        Ok(logins)
    }

    fn identities(&self) -> Result<Identities, Fault> {
        let asks = self.number(SshNumber::Ask) == Some(1);
        let mut identities = Identities::new();
        for (at, key) in self.keys.iter().enumerate() {
            let name = format!("number {}", at + 1);
            let file = KeyFile::new(&name, key.text.as_bytes());
            let passphrase = key.passphrase.as_ref().map(|text| text.as_bytes());
            let identity = match asks {
                true => {
                    let public = key.public.as_ref().map(String::as_bytes);
                    Identity::from_file(file, passphrase, public)
                }
                false => file.read(passphrase).map(Identity::new),
            };
            identities
                .keys
                .push(identity.map_err(|bad| bad.fault(&name))?);
        }
        for text in self.all(SshText::Certificate) {
            let name = format!("certificate {}", identities.certificates.len() + 1);
            let certificate = Certificate::read(&name, text.as_bytes());
            let certificate = certificate.map_err(|bad| bad.fault(&name))?;
            identities.certificates.push(certificate);
        }
        identities.only_these = self.number(SshNumber::OnlyTheseKeys) == Some(1);
        let agent = self.last(SshText::Agent);
        identities.agent = agent.map(|path| Endpoint::Unix(path.into()));
        Ok(identities)
    }

    fn rules(&self) -> Result<HostKeyRules, Fault> {
        let mut known = KnownHosts::new();
        for (at, text) in self.all(SshText::KnownHosts).enumerate() {
            known.add(&format!("known hosts {}", at + 1), text);
        }
        let mut pins = Pins::default();
        if let Some(pin) = self.last(SshText::HostSha256) {
            pins = pins.sha256(pin)?;
        }
        if let Some(pin) = self.last(SshText::HostMd5) {
            pins = pins.md5(pin)?;
        }
        let mut rules = HostKeyRules::new();
        rules.known = Arc::new(known);
        rules.policy = match self.number(SshNumber::NewHosts) {
            Some(1) => Policy::AcceptNew,
            Some(2) => Policy::Ask,
            Some(3) => Policy::Off,
            _ => Policy::Strict,
        };
        rules.pins = pins;
        rules.learned = self.learned.clone();
        Ok(rules)
    }

    fn algorithms(&self) -> Algorithms {
        let mut algorithms = Algorithms::default();
        for (option, kind) in [
            (SshText::Kex, Kind::Kex),
            (SshText::HostKeyAlgorithms, Kind::HostKey),
            (SshText::Ciphers, Kind::Cipher),
            (SshText::Macs, Kind::Mac),
        ] {
            for list in self.all(option) {
                algorithms.set(kind, list);
            }
        }
        if self.number(SshNumber::Compression) == Some(1) {
            algorithms.compress();
        }
        algorithms
    }

    fn tuning(&self) -> Tuning {
        let default = Tuning::default();
        let number = |option| self.number(option);
        let window = number(SshNumber::Window).and_then(|bytes| u32::try_from(bytes).ok());
        Tuning {
            window: window.unwrap_or(default.window),
            packet: default.packet.min(window.unwrap_or(default.packet)),
            keepalive: number(SshNumber::Keepalive).and_then(convert::timeout),
            rekey_bytes: number(SshNumber::RekeyBytes).unwrap_or(default.rekey_bytes),
            rekey_after: number(SshNumber::RekeyTime).map_or(default.rekey_after, convert::timeout),
            ..default
        }
    }

    fn all(&self, option: SshText) -> impl Iterator<Item = &str> {
        let of = self.texts.iter();
        let of = of.filter(move |(have, _)| *have == option as u32);
        of.map(|(_, text)| text.as_str())
    }

    fn last(&self, option: SshText) -> Option<&str> {
        self.all(option).last()
    }

    fn number(&self, option: SshNumber) -> Option<u64> {
        let mut all = self.numbers.iter();
        let found = all.find(|(have, _)| *have == option as u32);
        found.map(|(_, value)| *value)
    }
}

fn check(option: u32, value: u64) -> Result<(), Status> {
    use SshNumber as Of;
    let fits = match option {
        at if at == Of::NewHosts as u32 => value <= 3,
        at if at == Of::Library as u32 => matches!(value, 1 | 2),
        at if at == Of::Ask as u32
            || at == Of::OnlyTheseKeys as u32
            || at == Of::Compression as u32 =>
        {
            convert::flag(value).is_ok()
        }
        at if at == Of::Window as u32 => (32 * 1024..=1 << 31).contains(&value),
        at if at == Of::RekeyBytes as u32 => (1..=1 << 30).contains(&value),
        at if at == Of::Keepalive as u32 || at == Of::RekeyTime as u32 => value > 0,
        _ => return Err(Status::Option),
    };
    if fits { Ok(()) } else { Err(Status::Range) }
}

/// Settings in use: what logs in as any user.
pub(crate) struct Logins {
    user: Option<String>,
    password: Option<Zeroizing<String>>,
    keys: Arc<Identities>,
    kerberos: Option<Arc<dyn SecurityProvider>>,
    ask: bool,
    methods: Vec<String>,
    rules: Arc<HostKeyRules>,
    algorithms: Algorithms,
    tuning: Tuning,
    library: Option<Library>,
    /// Those that URLs have asked for: equal ones share connections.
    made: Mutex<Vec<Made>>,
}

struct Made {
    user: String,
    password: Option<Zeroizing<String>>,
    client: Arc<Client>,
}

/// Users that are remembered; beyond, all are met anew.
const MOST: usize = 64;

impl Logins {
    /// For a user with a password, or for those that were set.
    ///
    /// # Errors
    /// There is no user.
    pub(crate) fn client(
        &self,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<Arc<Client>, Refusal> {
        let name = user.or(self.user.as_deref()).ok_or_else(nobody)?;
        let own = self.password.as_ref().map(|text| text.as_str());
        // A password that was set is that user's alone.
        let own = own.filter(|_| self.user.as_deref().is_none_or(|user| user == name));
        self.known(name, password.or(own))
    }

    /// For a jump host, which never gets the password: that is the server's, and a jump host could
    /// log in with it there.
    ///
    /// # Errors
    /// There is no user.
    pub(crate) fn jump(&self, user: Option<&str>) -> Result<Arc<Client>, Refusal> {
        let name = user.or(self.user.as_deref()).ok_or_else(nobody)?;
        self.known(name, None)
    }

    /// The one that was made before, if there is one.
    fn known(&self, name: &str, password: Option<&str>) -> Result<Arc<Client>, Refusal> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |one: &&Made| {
            one.user == name && one.password.as_ref().map(|text| text.as_str()) == password
        };
        if let Some(known) = made.iter().find(is_it) {
            return Ok(Arc::clone(&known.client));
        }
        let client = Arc::new(self.make(name, password).map_err(at_ssh)?);
        if made.len() >= MOST {
            made.clear();
        }
        made.push(Made {
            user: name.to_owned(),
            password: password.map(|text| Zeroizing::new(text.to_owned())),
            client: Arc::clone(&client),
        });
        Ok(client)
    }

    fn make(&self, user: &str, password: Option<&str>) -> Result<Client, Fault> {
        let mut credentials = Credentials::new(user);
        credentials.keys = Some(Arc::clone(&self.keys) as _);
        credentials.password = password.map(|text| Zeroizing::new(text.to_owned()));
        credentials.security.clone_from(&self.kerberos);
        credentials.ask = self.ask;
        credentials.methods.clone_from(&self.methods);
        let mut config = Config::new(credentials, Arc::clone(&self.rules) as _)
            .algorithms(self.algorithms.clone())
            .tuning(self.tuning.clone());
        if let Some(library) = self.library {
            config = config.library(library);
        }
        config.build()
    }
}

/// What is wrong where there is no user.
pub(crate) fn nobody() -> Refusal {
    let fault = Fault::new(Culprit::Misuse, Reason::BadRequest, "nobody is to log in");
    at_ssh(fault.remedy("name the user in the URL or in the SSH settings"))
}

fn at_ssh(fault: Fault) -> Refusal {
    let error: Error = fault.at("ssh");
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logins(user: Option<&str>) -> Arc<Logins> {
        let mut settings = Settings::default();
        let user = user.map(|user| (SshText::User, user));
        for (option, text) in user.into_iter().chain([(SshText::Password, "secret")]) {
            assert!(settings.set_text(option as u32, text).is_ok());
        }
        settings.logins().ok().expect("good settings")
    }

    /// Who was made known, and with what password.
    fn made(logins: &Logins) -> Vec<(String, Option<String>)> {
        let made = logins.made.lock().unwrap_or_else(PoisonError::into_inner);
        let password = |made: &Made| made.password.as_ref().map(|text| text.to_string());
        let made = made.iter().map(|made| (made.user.clone(), password(made)));
        made.collect()
    }

    #[test]
    fn a_jump_host_never_gets_the_password() {
        for (settings_user, jump) in [
            (None, Some("me")),
            (Some("me"), Some("me")),
            (Some("me"), None),
            (Some("me"), Some("you")),
        ] {
            let logins = logins(settings_user);
            assert!(logins.jump(jump).is_ok());
            let user = jump.unwrap_or("me").to_owned();
            assert_eq!(made(&logins), [(user, None)]);
            // The server does, and is not taken for the jump host.
            assert!(logins.client(Some("me"), None).is_ok());
            let last = made(&logins).pop();
            assert_eq!(last, Some(("me".to_owned(), Some("secret".to_owned()))));
        }
    }

    #[test]
    fn a_password_is_its_users_alone() {
        let logins = logins(Some("me"));
        assert!(logins.client(Some("you"), None).is_ok());
        assert_eq!(made(&logins), [("you".to_owned(), None)]);
    }
}
