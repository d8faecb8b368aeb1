//! Tickets: where the options and the environment say they are, and for which parties.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sockless::core::SecurityProvider;
use sockless::kerberos::{Backend, Config, Credentials, Delegation, Realms};
use sockless::{Auth, Fault, Protection, Proxy, ProxyKind};

use crate::args::{Args, Delegate, KerberosArgs, Level};
use crate::proxy::Environment;
use crate::report::{Failure, code};

/// Files that krb5.conf may include.
const INCLUDES: usize = 64;

/// One user's tickets.
#[derive(Clone)]
pub(crate) struct Tickets {
    /// For the server that is meant.
    pub(crate) there: Arc<dyn SecurityProvider>,
    /// For those on the way, which never get tickets to use for the user.
    pub(crate) on_the_way: Arc<dyn SecurityProvider>,
}

impl core::fmt::Debug for Tickets {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Tickets({})", self.there.identity())
    }
}

impl Tickets {
    fn new(
        options: &KerberosArgs,
        user: Option<&str>,
        realms: &Realms,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        let make = |delegation| provider(options, user, realms, environment, delegation);
        let there = make(options.delegation)?;
        let on_the_way = match options.delegation {
            Delegate::None => Arc::clone(&there),
            _ => make(Delegate::None)?,
        };
        Ok(Self { there, on_the_way })
    }
}

#[cfg(feature = "ssh")]
impl Tickets {
    /// Those that are there anyway: of the keytab or the cache that options name, or of the usual
    /// cache. `None`: no option names any, and there is no such cache.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, Kerberos is not built in.
    pub(crate) fn at_hand(
        options: &KerberosArgs,
        environment: Environment<'_>,
    ) -> Result<Option<Self>, Failure> {
        let named = options.krb5_keytab.is_some() || options.krb5_ccache.is_some();
        if !named && !ccache(options, environment)?.exists() {
            return Ok(None);
        }
        let realms = realms(options, environment)?;
        Self::new(options, None, &realms, environment).map(Some)
    }
}

/// Who we are by Kerberos.
#[derive(Clone, Default)]
pub(crate) struct Kerberos {
    /// To servers.
    pub(crate) server: Option<Auth>,
    /// The same tickets, for servers that are no web servers.
    #[cfg(feature = "ssh")]
    pub(crate) tickets: Option<Tickets>,
    proxy: Option<Auth>,
    socks: Option<Auth>,
    protection: Level,
    levels_in_the_clear: bool,
}

impl Kerberos {
    /// What a group of options asks for.
    ///
    /// # Errors
    /// A file cannot be read or is damaged, a name is none, Kerberos is not built in.
    pub(crate) fn of(args: &Args, environment: Environment<'_>) -> Result<Self, Failure> {
        let options = &args.kerberos;
        let KerberosArgs {
            negotiate,
            proxy_negotiate,
            socks5_gssapi,
            ..
        } = options;
        let mut own = Self {
            protection: options.socks5_gssapi_protection,
            levels_in_the_clear: options.socks5_gssapi_nec,
            ..Self::default()
        };
        if !(*negotiate || *proxy_negotiate || *socks5_gssapi) {
            return Ok(own);
        }
        let realms = realms(options, environment)?;
        let users = [args.auth.user.as_deref(), args.proxy.proxy_user.as_deref()];
        let wanted = [*negotiate, *proxy_negotiate || *socks5_gssapi];
        let make = |user| Tickets::new(options, user, &realms, environment);
        let server = wanted[0].then(|| make(users[0])).transpose()?;
        let proxy = match &server {
            // Nobody has to log in twice.
            Some(server) if users[0] == users[1] => Some(server.clone()),
            _ => wanted[1].then(|| make(users[1])).transpose()?,
        };
        #[cfg(feature = "ssh")]
        {
            own.tickets.clone_from(&server);
        }
        own.server = server.map(|server| {
            let auth = Auth::negotiate(server.there);
            named(auth, options.service_name.as_deref())
        });
        if let Some(auth) = proxy.map(|proxy| Auth::negotiate(proxy.on_the_way)) {
            let service = options.proxy_service_name.as_deref();
            own.proxy = proxy_negotiate.then(|| named(auth.clone(), service));
            let service = options.socks5_gssapi_service.as_deref().or(service);
            own.socks = socks5_gssapi.then(|| named(auth, service));
        }
        Ok(own)
    }

    /// The proxy with tickets, if it is to get any.
    pub(crate) fn introduced(&self, proxy: Proxy) -> Proxy {
        let socks5 = matches!(proxy.kind(), ProxyKind::Socks5 | ProxyKind::Socks5h);
        let http = matches!(proxy.kind(), ProxyKind::Http | ProxyKind::Https);
        match (&self.socks, &self.proxy) {
            (Some(auth), _) if socks5 => {
                let proxy = proxy.auth(auth.clone()).protection(match self.protection {
                    Level::None => Protection::None,
                    Level::Integrity => Protection::Integrity,
                    Level::Confidentiality => Protection::Confidentiality,
                });
                match self.levels_in_the_clear {
                    true => proxy.levels_in_the_clear(),
                    false => proxy,
                }
            }
            (_, Some(auth)) if http => proxy.auth(auth.clone()),
            _ => proxy,
        }
    }
}

fn named(auth: Auth, service: Option<&str>) -> Auth {
    match service {
        Some(service) => auth.service(service),
        None => auth,
    }
}

/// Credentials: `user:password` logs in, a keytab does so by a key, anything else takes the
/// tickets that are there.
fn provider(
    options: &KerberosArgs,
    user: Option<&str>,
    realms: &Realms,
    environment: Environment<'_>,
    delegation: Delegate,
) -> Result<Arc<dyn SecurityProvider>, Failure> {
    let (user, password) = match user.map(|user| user.split_once(':').unwrap_or((user, ""))) {
        Some((user, password)) => (Some(user).filter(|user| !user.is_empty()), password),
        None => (None, ""),
    };
    let credentials = match (&options.krb5_keytab, user) {
        (Some(path), user) => Credentials::keytab(user, &read(path)?, realms),
        (None, Some(user)) if !password.is_empty() => Credentials::password(user, password, realms),
        (None, user) => {
            let path = ccache(options, environment)?;
            let tickets = Credentials::ccache(&read(&path)?);
            match user {
                Some(user) => tickets.and_then(|tickets| tickets.of(user, realms)),
                None => tickets,
            }
        }
    };
    let delegation = match delegation {
        Delegate::None => Delegation::None,
        Delegate::Policy => Delegation::Policy,
        Delegate::Always => Delegation::Always,
    };
    let mut config = Config::new(credentials.map_err(failure)?, realms.clone());
    if let Some(name) = &options.krb5_backend {
        config = config.backend(backend(name)?);
    }
    let config = config.delegation(delegation).random(seed()?);
    let kerberos = config.build().map_err(failure)?;
    Ok(kerberos)
}

/// The one of that name.
fn backend(name: &str) -> Result<Backend, Failure> {
    let known = match name {
        "gssapi" => Backend::Gssapi,
        "rust" => Backend::Rust,
        other => {
            return Err(Failure::usage(format!(
                "--krb5-backend {other}: it is gssapi or rust"
            )));
        }
    };
    match Backend::built_in().contains(&known) {
        true => Ok(known),
        false => Err(Failure::usage(format!(
            "--krb5-backend {name} is not built in; build with the feature kerberos-{name}"
        ))),
    }
}

/// Of the system's random generator.
fn seed() -> Result<[u8; 32], Failure> {
    let mut seed = [0; 32];
    // As few bytes come at once, or none do.
    match rustix::rand::getrandom(&mut seed, rustix::rand::GetRandomFlags::empty()) {
        Ok(32) => Ok(seed),
        other => Err(Failure::usage(format!(
            "the system gives no random bytes for Kerberos: {other:?}"
        ))),
    }
}

/// The file with the tickets.
fn ccache(options: &KerberosArgs, environment: Environment<'_>) -> Result<PathBuf, Failure> {
    let named = options.krb5_ccache.clone();
    let Some(name) = named.or_else(|| environment("KRB5CCNAME")) else {
        let user = rustix::process::getuid().as_raw();
        return Ok(format!("/tmp/krb5cc_{user}").into());
    };
    match name.split_once(':') {
        Some(("FILE", path)) => Ok(path.into()),
        Some((kind, _)) if kind.bytes().all(|byte| byte.is_ascii_uppercase()) => {
            Err(Failure::usage(format!(
                "{name}: tickets are read from files only, not from a cache of type {kind}; \
                 copy them with kinit -c FILE:..."
            )))
        }
        _ => Ok(name.into()),
    }
}

/// The realms of krb5.conf, with the options' KDCs.
fn realms(options: &KerberosArgs, environment: Environment<'_>) -> Result<Realms, Failure> {
    let paths = environment("KRB5_CONFIG").unwrap_or_else(|| "/etc/krb5.conf".to_owned());
    let mut text = String::new();
    let mut left = INCLUDES;
    for path in paths.split(':') {
        let path = Path::new(path);
        if path.exists() {
            with_includes(path, &mut text, &mut left)?;
        }
    }
    let mut realms = Realms::parse(&text).map_err(failure)?;
    let mut replaced = Vec::new();
    for kdc in &options.kdc {
        let own = kdc
            .split_once('=')
            .filter(|(realm, _)| !realm.contains([':', '/']));
        let default = || realms.default_realm().map(str::to_owned);
        let (realm, place) = match own {
            Some((realm, place)) => (realm.to_owned(), place),
            None => match default() {
                Some(realm) => (realm, kdc.as_str()),
                None => {
                    let what = format!("--kdc {kdc}: there is no default realm; write REALM={kdc}");
                    return Err(Failure::usage(what));
                }
            },
        };
        if !replaced.contains(&realm) {
            realms = realms.without_kdcs(&realm);
            replaced.push(realm.clone());
        }
        realms = realms.kdc(&realm, place).map_err(failure)?;
    }
    let said = options.kdc_dns.iter().cloned();
    let servers: Vec<String> = match options.kdc_dns.is_empty() {
        true => system_name_servers(),
        false => said.collect(),
    };
    for server in servers {
        realms = realms.name_server(&server).map_err(failure)?;
    }
    Ok(realms)
}

/// The addresses in the system's `resolv.conf`; those that cannot be used are left out, as
/// resolvers do.
fn system_name_servers() -> Vec<String> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let address = |line: &str| {
        let address = line.strip_prefix("nameserver")?.trim();
        // A link-local one may have an interface behind it, which no operation has room for.
        address.parse::<std::net::IpAddr>().ok()?;
        Some(address.to_owned())
    };
    text.lines().filter_map(address).collect()
}

/// A configuration file, and what it includes in its place.
fn with_includes(path: &Path, text: &mut String, left: &mut usize) -> Result<(), Failure> {
    if *left == 0 {
        let what = format!(
            "{}: more than {INCLUDES} files are included",
            path.display()
        );
        return Err(Failure::usage(what));
    }
    *left -= 1;
    let content = String::from_utf8_lossy(&read(path)?).into_owned();
    for line in content.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("include"), Some(file)) => with_includes(file.as_ref(), text, left)?,
            (Some("includedir"), Some(folder)) => {
                let entries = fs::read_dir(folder).into_iter().flatten().flatten();
                let mut files: Vec<PathBuf> = entries
                    .map(|entry| entry.path())
                    .filter(|path| counts(path))
                    .collect();
                files.sort();
                for file in files {
                    with_includes(&file, text, left)?;
                }
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    Ok(())
}

/// Which files of an included folder count: names of letters, digits, dashes and underscores,
/// or that end in `.conf`.
fn counts(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    name.is_some_and(|name| name.chars().all(plain) || name.ends_with(".conf"))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::read(code::READ, path, &error))
}

fn failure(fault: Fault) -> Failure {
    Failure::of(&fault.at("kerberos"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> KerberosArgs {
        let words = std::iter::once("sockless").chain(line.split_whitespace());
        let args = Args::parse_group(words.map(Into::into).collect());
        args.expect("good options").kerberos
    }

    fn message<T>(result: Result<T, Failure>) -> String {
        match result {
            Ok(_) => "no failure".to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn tickets_lie_where_the_option_or_the_environment_says() {
        let in_environment = |name: &str| (name == "KRB5CCNAME").then(|| "FILE:/e".to_owned());
        let path = |line, environment| ccache(&options(line), environment).ok();
        let from = "--krb5-ccache /a/b";
        assert_eq!(path(from, &in_environment), Some("/a/b".into()));
        assert_eq!(path("", &in_environment), Some("/e".into()));
        let usual = path("", &|_| None).expect("a path");
        assert!(usual.to_string_lossy().starts_with("/tmp/krb5cc_"));
        let said = message(ccache(&options("--krb5-ccache KEYRING:x"), &|_| None));
        assert!(said.contains("type KEYRING"), "{said}");
    }

    #[test]
    fn kdcs_of_the_options_replace_those_of_the_file() {
        let none = |name: &str| (name == "KRB5_CONFIG").then(|| "/nowhere".to_owned());
        let line = "--kdc A=one --kdc A=tcp/two:89 --kdc B=https://gate/KdcProxy";
        let realms = realms(&options(line), &none).expect("good KDCs");
        let shown = |realm| {
            let kdcs = realms.kdcs(realm).expect("KDCs");
            kdcs.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shown("A"), ["one:88", "two:89"]);
        assert_eq!(shown("B"), ["https://gate/KdcProxy"]);
        let said = message(super::realms(&options("--kdc one"), &none));
        assert!(said.contains("no default realm"), "{said}");
    }

    #[test]
    fn backends_are_told_by_their_names() {
        for known in Backend::built_in() {
            assert_eq!(backend(known.name()).ok(), Some(*known));
        }
        let said = message(backend("heimdal"));
        assert!(said.contains("gssapi or rust"), "{said}");
        let line = "--krb5-backend rust --negotiate -u a@A:b";
        let args = Args::parse_group(
            std::iter::once("sockless")
                .chain(line.split_whitespace())
                .map(Into::into)
                .collect(),
        );
        let none = |name: &str| (name == "KRB5_CONFIG").then(|| "/nowhere".to_owned());
        let own = Kerberos::of(&args.expect("good options"), &none);
        match own {
            Ok(own) => {
                assert!(own.server.is_some() && Backend::built_in().contains(&Backend::Rust));
            }
            Err(failure) => assert!(failure.to_string().contains("kerberos-rust"), "{failure}"),
        }
    }

    #[cfg(feature = "kerberos-rust")]
    #[test]
    fn nobody_on_the_way_gets_tickets_to_use_for_the_user() {
        let none = |name: &str| (name == "KRB5_CONFIG").then(|| "/nowhere".to_owned());
        let tickets = |line: &str| {
            let options = options(&format!("--krb5-backend rust {line}"));
            let tickets = Tickets::new(&options, Some("a@A:b"), &Realms::new(), &none);
            tickets.unwrap_or_else(|failure| panic!("{failure}"))
        };
        let plain = tickets("");
        assert_eq!(plain.there.identity(), plain.on_the_way.identity());
        let handed = tickets("--delegation always");
        assert_ne!(handed.there.identity(), handed.on_the_way.identity());
    }

    #[test]
    fn without_a_wish_nothing_is_read() {
        let args = Args::parse_group(vec!["sockless".into()]).expect("good options");
        let unread = |name: &str| -> Option<String> { panic!("{name} was asked for") };
        assert!(Kerberos::of(&args, &unread).is_ok_and(|own| own.server.is_none()));
    }
}
