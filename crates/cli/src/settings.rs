//! What all transfers of a session share: trust, client certificate, addresses.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use sockless::Config;
use sockless::tls::{self, Backend, Client, KeyLog, Roots, Verify, Version};

use crate::args::{Args, TlsArgs};
use crate::report::{Failure, code};

/// The session's configuration. The environment is asked for `SSL_CERT_FILE` and
/// `SSLKEYLOGFILE`, here and nowhere else.
///
/// # Errors
/// Exit codes 77 and 58 for files, 2 for values.
pub(crate) fn config(args: &Args) -> Result<Config, Failure> {
    let mut config = Config::default();
    for entry in &args.connection.resolve {
        let (host, port, addresses) = resolve_entry(entry).ok_or_else(|| {
            Failure::usage(format!(
                "--resolve {entry}: write it as HOST:PORT:ADDR[,ADDR]..."
            ))
        })?;
        config.resolve.insert((host, port), addresses);
    }
    let tls = tls_config(&args.tls)?;
    config.with_tls(tls).map_err(|error| Failure::of(&error))
}

/// `example.com:443:127.0.0.1,[::1]`.
fn resolve_entry(entry: &str) -> Option<(String, u16, Vec<IpAddr>)> {
    let entry = entry.strip_prefix('+').unwrap_or(entry);
    let (host, rest) = match entry.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once("]:")?,
        None => entry.split_once(':')?,
    };
    let (port, addresses) = rest.split_once(':')?;
    let bare = |address: &str| {
        address
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()
    };
    let addresses: Option<Vec<IpAddr>> = addresses.split(',').map(bare).collect();
    Some((host.to_ascii_lowercase(), port.parse().ok()?, addresses?))
}

/// TLS with an HTTPS proxy: it is verified by options of its own.
///
/// # Errors
/// As [`config`].
pub(crate) fn proxy_tls(args: &Args) -> Result<Arc<Client>, Failure> {
    let options = &args.proxy;
    let own = TlsArgs {
        tls_backend: args.tls.tls_backend.clone(),
        insecure: options.proxy_insecure,
        cacert: options.proxy_cacert.clone(),
        pinnedpubkey: options.proxy_pinnedpubkey.clone(),
        ..TlsArgs::default()
    };
    let client = tls_config(&own)?.build();
    client.map_err(|fault| Failure::of(&fault.at("tls")))
}

fn tls_config(args: &TlsArgs) -> Result<tls::Config, Failure> {
    let mut config = tls::Config::new(roots(args)?).alpn(["http/1.1"]);
    if args.insecure {
        config = config.verify(Verify::Insecure);
    }
    if let Some(name) = &args.tls_backend {
        config = config.backend(backend(name)?);
    }
    let min = if args.tlsv1_3 {
        Version::Tls13
    } else {
        Version::Tls12
    };
    let max = match args.tls_max.as_deref() {
        None | Some("default" | "1.3") => Version::Tls13,
        Some("1.2") => Version::Tls12,
        Some(other) => {
            return Err(Failure::usage(format!(
                "--tls-max {other}: it is 1.2, 1.3 or default"
            )));
        }
    };
    config = config.versions(min, max);
    config = checks(args, config)?;
    if let Some(cert) = &args.cert {
        config = identity(args, cert, config)?;
    }
    if let Some(path) = std::env::var_os("SSLKEYLOGFILE").filter(|path| !path.is_empty()) {
        config = config.key_log(Arc::new(KeyFile::open(Path::new(&path))?));
    }
    Ok(config)
}

/// The backend of that name, if it is there.
fn backend(name: &str) -> Result<Backend, Failure> {
    match name {
        "rustls" => Ok(Backend::Rustls),
        "openssl" if cfg!(feature = "tls-openssl") => Ok(Backend::Openssl),
        "openssl" => Err(Failure::usage(
            "--tls-backend openssl is not built in; build with the feature tls-openssl",
        )),
        other => Err(Failure::usage(format!(
            "--tls-backend {other}: it is rustls or openssl"
        ))),
    }
}

/// What is checked and offered beyond the usual.
fn checks(args: &TlsArgs, mut config: tls::Config) -> Result<tls::Config, Failure> {
    if let Some(file) = &args.crlfile {
        let lists = read(code::CRL_FILE, file)?;
        config = config.crl_pem(&lists).map_err(|fault| {
            let what = format!("{} ({})", fault.at("tls"), file.display());
            Failure::new(code::CRL_FILE, what)
        })?;
    }
    if let Some(pins) = &args.pinnedpubkey {
        let pins = match pins.starts_with("sha256//") {
            true => pins.clone().into_bytes(),
            false => read(code::PINNED_KEY, Path::new(pins))?,
        };
        let pinned = config.pin(&pins);
        config =
            pinned.map_err(|fault| Failure::new(code::PINNED_KEY, fault.at("tls").to_string()))?;
    }
    if let Some(list) = &args.ciphers {
        config = config.ciphers(list);
    }
    if let Some(list) = &args.tls13_ciphers {
        config = config.tls13_ciphers(list);
    }
    if let Some(list) = &args.curves {
        config = config.groups(list);
    }
    Ok(config.require_ocsp(args.cert_status))
}

/// The client's certificate and key.
fn identity(args: &TlsArgs, cert: &Path, config: tls::Config) -> Result<tls::Config, Failure> {
    let chain = read(code::CLIENT_CERTIFICATE, cert)?;
    let form = args.cert_type.as_deref().unwrap_or("PEM");
    let pass = args.pass.as_deref();
    if form.eq_ignore_ascii_case("P12") {
        return Ok(config.client_pkcs12(&chain, pass.unwrap_or_default()));
    }
    if !form.eq_ignore_ascii_case("PEM") {
        return Err(Failure::usage(format!(
            "--cert-type {form}: it is PEM or P12"
        )));
    }
    let key = args.key.as_deref().unwrap_or(cert);
    let key = read(code::CLIENT_CERTIFICATE, key)?;
    let with = match pass {
        Some(pass) => config.client_certificate_encrypted(&chain, &key, pass),
        None => config.client_certificate(&chain, &key),
    };
    with.map_err(|fault| Failure::new(code::CLIENT_CERTIFICATE, fault.at("tls").to_string()))
}

fn roots(args: &TlsArgs) -> Result<Roots, Failure> {
    let environment = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty());
    let file = match (&args.cacert, &args.capath, &environment) {
        (Some(file), _, _) => Some(file.as_path()),
        (None, None, Some(file)) if !args.insecure && !args.ca_native => Some(Path::new(file)),
        _ => None,
    };
    if file.is_none() && args.capath.is_none() {
        return if args.ca_native {
            native()
        } else {
            Ok(Roots::webpki())
        };
    }
    let mut roots = Roots::empty();
    if let Some(file) = file {
        add(&mut roots, file)?;
    }
    if let Some(folder) = &args.capath {
        let failed = |error| Failure::read(code::CA_FILE, folder, &error);
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            // Others' files may lie in the folder, too: what holds no certificate is passed over.
            if path.is_file() {
                let _ = add(&mut roots, &path);
            }
        }
        if roots.is_empty() {
            let what = format!("no certificate in the files of {}", folder.display());
            return Err(Failure::new(code::CA_FILE, what));
        }
    }
    Ok(roots)
}

#[cfg(feature = "native-roots")]
fn native() -> Result<Roots, Failure> {
    Roots::native().map_err(|fault| Failure::new(code::CA_FILE, fault.at("tls").to_string()))
}

#[cfg(not(feature = "native-roots"))]
fn native() -> Result<Roots, Failure> {
    let what = "--ca-native is not built in; build with the feature native-roots";
    Err(Failure::new(code::USAGE, what))
}

fn add(roots: &mut Roots, file: &Path) -> Result<(), Failure> {
    let pem = read(code::CA_FILE, file)?;
    roots.add_pem(&pem).map(|_| ()).map_err(|fault| {
        Failure::new(
            code::CA_FILE,
            format!("{} ({})", fault.at("tls"), file.display()),
        )
    })
}

fn read(code: u8, path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::read(code, path, &error))
}

/// `SSLKEYLOGFILE`.
struct KeyFile(File);

impl KeyFile {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        file.map(Self)
            .map_err(|error| Failure::write(&path.display().to_string(), &error))
    }
}

impl KeyLog for KeyFile {
    fn line(&self, line: &str) {
        // A log that cannot be written must not break the transfer.
        let _ = (&self.0).write_all(format!("{line}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolve_entries_take_several_addresses() {
        let (host, port, addresses) =
            resolve_entry("Example.com:443:127.0.0.1,[::1]").expect("good");
        assert_eq!(
            (host.as_str(), port, addresses.len()),
            ("example.com", 443, 2)
        );
        for bad in [
            "example.com",
            "example.com:443",
            "a:b:127.0.0.1",
            "a:1:name",
        ] {
            assert!(resolve_entry(bad).is_none(), "{bad}");
        }
    }
}
