//! The servers of these tests, and a session with a driver on the way through them.

use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime};

use sockless::drivers::{Blocking, Uring};
use sockless::tls::{self, Backend, Client, Roots};
use sockless::{Auth, Config, Driver, Proxy, ProxyKind, Request, Response, Session, fetch};
use sockless_tests::servers::{Entrance, PASSWORD, Running, Servers, USER};

/// SOCKS with and without a password, squid, and nginx; started once.
pub(crate) fn servers() -> &'static Running {
    static SERVERS: OnceLock<Running> = OnceLock::new();
    SERVERS.get_or_init(|| {
        Servers::start(&["nginx", "squid", "dante", "microsocks"]).expect("real servers")
    })
}

pub(crate) const BACKENDS: [Backend; 2] = [Backend::Rustls, Backend::Openssl];

/// Settings that trust that authority.
pub(crate) fn trusting(backend: Backend, pem: &Path) -> Arc<Client> {
    let mut roots = Roots::empty();
    roots
        .add_pem(&fs::read(pem).expect("an authority's certificate"))
        .expect("PEM");
    tls::Config::new(roots)
        .alpn(["http/1.1"])
        .backend(backend)
        .build()
        .expect("good settings")
}

/// SOCKS5 with a password.
pub(crate) fn socks() -> Proxy {
    let port = servers().microsocks().port();
    let proxy = Proxy::new(ProxyKind::Socks5h, "127.0.0.1", port).expect("a proxy");
    proxy.auth(Auth::password(USER, PASSWORD))
}

/// squid behind TLS, which wants a password as well.
pub(crate) fn secure_proxy(backend: Backend) -> Proxy {
    let squid = servers().squid();
    let port = squid.port(Entrance::BasicTls);
    let proxy = Proxy::new(ProxyKind::Https, "localhost", port).expect("a proxy");
    proxy
        .auth(Auth::password(USER, PASSWORD).any())
        .tls(trusting(backend, &squid.ca_pem()))
}

/// A session and a driver.
pub(crate) struct Road {
    pub(crate) session: Session,
    pub(crate) driver: Box<dyn Driver>,
}

impl Road {
    /// One for each ready-made driver that this kernel allows.
    pub(crate) fn on_each(test: impl Fn(&mut Self)) {
        let uring: Option<Box<dyn Driver>> = match Uring::new() {
            Ok(uring) => Some(Box::new(uring)),
            Err(error) => {
                println!("skipped on io_uring: {error}");
                None
            }
        };
        let blocking: Box<dyn Driver> = Box::new(Blocking::new().expect("plain sockets"));
        for driver in uring.into_iter().chain([blocking]) {
            let now = driver.now();
            let session = Session::new(Config::default(), now, SystemTime::now(), 7);
            let session = session.expect("a session");
            test(&mut Self { session, driver });
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.driver.now()
    }

    pub(crate) fn fetch(&mut self, request: Request) -> Response {
        fetch(&mut self.session, &mut *self.driver, request).expect("it arrives")
    }
}
