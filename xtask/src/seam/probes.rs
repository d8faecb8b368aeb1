//! Code that breaks each ban of `clippy.toml`.

/// What the items below name, to keep them short.
pub(super) const PRELUDE: &str = "\
    type Map = std::collections::HashMap<u8, u8>;\n\
    type Set = std::collections::HashSet<u8>;\n";

/// Every banned path, each with an item that does nothing but name it.
pub(super) const PROBES: &[(&str, &str)] = &[
    (
        "std::time::Instant::now",
        "pub fn now() { std::time::Instant::now(); }",
    ),
    (
        "std::time::Instant::elapsed",
        "pub fn since(t: std::time::Instant) { t.elapsed(); }",
    ),
    (
        "std::time::SystemTime::now",
        "pub fn wall() { std::time::SystemTime::now(); }",
    ),
    (
        "std::time::SystemTime::elapsed",
        "pub fn age() { drop(std::time::UNIX_EPOCH.elapsed()); }",
    ),
    (
        "std::thread::spawn",
        "pub fn thread() { std::thread::spawn(|| ()); }",
    ),
    (
        "std::thread::scope",
        "pub fn scope() { std::thread::scope(|_| ()); }",
    ),
    (
        "std::thread::Builder::spawn",
        "pub fn built(b: std::thread::Builder) { drop(b.spawn(|| ())); }",
    ),
    (
        "std::thread::sleep",
        "pub fn sleep(d: std::time::Duration) { std::thread::sleep(d); }",
    ),
    (
        "std::env::var",
        "pub fn var() { drop(std::env::var(\"x\")); }",
    ),
    (
        "std::env::var_os",
        "pub fn var_os() { drop(std::env::var_os(\"x\")); }",
    ),
    (
        "std::env::vars",
        "pub fn vars() { drop(std::env::vars()); }",
    ),
    (
        "std::env::vars_os",
        "pub fn vars_os() { drop(std::env::vars_os()); }",
    ),
    (
        "std::env::args",
        "pub fn args() { drop(std::env::args()); }",
    ),
    (
        "std::fs::read",
        "pub fn read() { drop(std::fs::read(\"x\")); }",
    ),
    (
        "std::fs::read_to_string",
        "pub fn text() { drop(std::fs::read_to_string(\"x\")); }",
    ),
    (
        "std::fs::read_dir",
        "pub fn folder() { drop(std::fs::read_dir(\"x\")); }",
    ),
    (
        "std::fs::write",
        "pub fn write() { drop(std::fs::write(\"x\", \"\")); }",
    ),
    (
        "std::fs::File::open",
        "pub fn file() { drop(std::fs::File::open(\"x\")); }",
    ),
    (
        "std::fs::File::create",
        "pub fn create() { drop(std::fs::File::create(\"x\")); }",
    ),
    (
        "std::fs::OpenOptions::open",
        "pub fn open(o: &std::fs::OpenOptions) { drop(o.open(\"x\")); }",
    ),
    (
        "std::collections::HashMap::iter",
        "pub fn map_iter(m: Map) { drop(m.iter()); }",
    ),
    (
        "std::collections::HashMap::iter_mut",
        "pub fn map_iter_mut(mut m: Map) { drop(m.iter_mut()); }",
    ),
    (
        "std::collections::HashMap::keys",
        "pub fn map_keys(m: Map) { drop(m.keys()); }",
    ),
    (
        "std::collections::HashMap::into_keys",
        "pub fn map_into_keys(m: Map) { drop(m.into_keys()); }",
    ),
    (
        "std::collections::HashMap::values",
        "pub fn map_values(m: Map) { drop(m.values()); }",
    ),
    (
        "std::collections::HashMap::values_mut",
        "pub fn map_values_mut(mut m: Map) { drop(m.values_mut()); }",
    ),
    (
        "std::collections::HashMap::into_values",
        "pub fn map_into_values(m: Map) { drop(m.into_values()); }",
    ),
    (
        "std::collections::HashMap::drain",
        "pub fn map_drain(mut m: Map) { drop(m.drain()); }",
    ),
    (
        "std::collections::HashMap::retain",
        "pub fn map_retain(mut m: Map) { m.retain(|_, _| true); }",
    ),
    (
        "std::collections::HashSet::iter",
        "pub fn set_iter(s: Set) { drop(s.iter()); }",
    ),
    (
        "std::collections::HashSet::drain",
        "pub fn set_drain(mut s: Set) { drop(s.drain()); }",
    ),
    (
        "std::collections::HashSet::retain",
        "pub fn set_retain(mut s: Set) { s.retain(|_| true); }",
    ),
    (
        "std::net::TcpStream",
        "pub fn tcp(_: std::net::TcpStream) {}",
    ),
    (
        "std::net::TcpListener",
        "pub fn listener(_: std::net::TcpListener) {}",
    ),
    (
        "std::net::UdpSocket",
        "pub fn udp(_: std::net::UdpSocket) {}",
    ),
    (
        "std::net::ToSocketAddrs",
        "pub fn names(_: impl std::net::ToSocketAddrs) {}",
    ),
    (
        "std::os::unix::net::UnixStream",
        "pub fn unix(_: std::os::unix::net::UnixStream) {}",
    ),
    (
        "std::os::unix::net::UnixListener",
        "pub fn unix_listener(_: std::os::unix::net::UnixListener) {}",
    ),
    (
        "std::os::unix::net::UnixDatagram",
        "pub fn unix_datagram(_: std::os::unix::net::UnixDatagram) {}",
    ),
    (
        "std::process::Command",
        "pub fn command(_: std::process::Command) {}",
    ),
    (
        "std::hash::RandomState",
        "pub fn chance(_: std::hash::RandomState) {}",
    ),
];
