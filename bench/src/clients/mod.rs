//! The clients, each in a process of its own: what they are given and who they are.

mod abi;
#[cfg(feature = "drivers")]
mod awaited;
mod bare;
#[cfg(feature = "kerberos")]
mod bare_gss;
#[cfg(feature = "openssl")]
mod bare_openssl;
#[cfg(feature = "curl")]
mod curl;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "curl")]
mod multi;
mod ours;
mod paced;
mod receiving;
mod scripted;
mod wire;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process;

use crate::measure::{self, CLIENT_CORE};

/// What a client has to do.
#[derive(Clone, Debug, Default)]
pub struct Task {
    pub url: String,
    /// Trusted by those that speak TLS, in PEM.
    pub ca: PathBuf,
    /// Requests in all.
    pub count: usize,
    pub connections: usize,
    /// The highest low-water mark, in bytes; 1: none.
    pub min: usize,
    /// Receive buffer where a client lets one choose, in bytes; 0: its default.
    pub buffer: usize,
    /// The proxy's URL; empty: none.
    pub proxy: String,
    /// Trusted by those that speak TLS with the proxy, in PEM.
    pub proxy_ca: PathBuf,
    /// The `krb5.conf` of those that speak Kerberos; empty: none does.
    pub realms: PathBuf,
    /// Their tickets, a credential cache of type FILE.
    pub ccache: PathBuf,
    /// What plain transfers beside one with tickets ask for.
    pub beside: String,
}

impl Task {
    /// From the words that [`Task::words`] made.
    fn parse(words: &[String]) -> Self {
        let mut task = Self::default();
        for (name, value) in words.iter().filter_map(|word| word.split_once('=')) {
            let number = value.parse().unwrap_or(0);
            match name {
                "url" => value.clone_into(&mut task.url),
                "ca" => task.ca = value.into(),
                "count" => task.count = number,
                "connections" => task.connections = number,
                "min" => task.min = number,
                "buffer" => task.buffer = number,
                "proxy" => value.clone_into(&mut task.proxy),
                "proxy_ca" => task.proxy_ca = value.into(),
                "realms" => task.realms = value.into(),
                "ccache" => task.ccache = value.into(),
                "beside" => value.clone_into(&mut task.beside),
                _ => {}
            }
        }
        task
    }

    pub fn words(&self) -> Vec<String> {
        vec![
            format!("url={}", self.url),
            format!("ca={}", self.ca.display()),
            format!("count={}", self.count),
            format!("connections={}", self.connections),
            format!("min={}", self.min),
            format!("buffer={}", self.buffer),
            format!("proxy={}", self.proxy),
            format!("proxy_ca={}", self.proxy_ca.display()),
            format!("realms={}", self.realms.display()),
            format!("ccache={}", self.ccache.display()),
            format!("beside={}", self.beside),
        ]
    }

    fn has_tickets(&self) -> bool {
        !self.ccache.as_os_str().is_empty()
    }

    fn is_tls(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// `host:port` and path of the URL, which always has a port.
    fn place(&self) -> (&str, &str) {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        let at = rest.find('/').unwrap_or(rest.len());
        rest.split_at(at)
    }

    fn address(&self) -> io::Result<std::net::SocketAddr> {
        let (place, _) = self.place();
        place.parse().map_err(io::Error::other)
    }

    /// A request's bytes, as plain as those of a hand-written loop.
    fn request(&self, close: bool) -> Vec<u8> {
        let (host, path) = self.place();
        let close = if close { "Connection: close\r\n" } else { "" };
        format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n{close}\r\n"
        )
        .into_bytes()
    }
}

/// The child process: does one task and prints what it took.
///
/// # Errors
/// What the client says.
pub fn run(client: &str, work: &str, words: &[String]) -> Result<(), String> {
    measure::bind_to(CLIENT_CORE);
    measure::raise_file_limit();
    let task = Task::parse(words);
    if !task.realms.as_os_str().is_empty() {
        // Libraries put what they fetch there: each run begins with what was there at first.
        let tickets = task.ccache.with_extension(process::id().to_string());
        fs::copy(&task.ccache, &tickets).map_err(|error| error.to_string())?;
        // SAFETY: nothing has been started yet, so this is the only thread.
        unsafe {
            std::env::set_var("KRB5_CONFIG", &task.realms);
            std::env::set_var("KRB5CCNAME", &tickets);
        }
    }
    let figures = match client {
        "uring" | "blocking" => ours::run(client, work, &task),
        #[cfg(feature = "drivers")]
        "tokio" | "compio" | "aio" => ours::run(client, work, &task),
        #[cfg(feature = "drivers")]
        "client" => awaited::run(work, &task),
        #[cfg(feature = "openssl")]
        "uring-openssl" => ours::run(client, work, &task),
        "scripted" => scripted::run(&task),
        "abi" => abi::run(work, &task),
        "wire-c" | "wire-rust" => wire::run(client, work, &task),
        "bare" => bare::run(work, &task),
        #[cfg(feature = "kerberos")]
        "bare-gss" => bare_gss::run(work, &task),
        #[cfg(feature = "openssl")]
        "bare-openssl" => bare_openssl::run(work, &task),
        #[cfg(feature = "curl")]
        "curl" => curl::run(work, &task),
        #[cfg(feature = "curl")]
        "curl-c" => multi::run(work, &task),
        #[cfg(feature = "hyper")]
        "hyper" => hyper::run(work, &task),
        _ => Err(io::Error::other("this client is not built in")),
    };
    measure::print(&figures.map_err(|error| error.to_string())?);
    Ok(())
}

fn unknown(work: &str) -> io::Error {
    io::Error::other(format!("this client cannot do {work}"))
}
