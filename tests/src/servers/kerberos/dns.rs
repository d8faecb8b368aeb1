//! A name server that knows where KDCs are.

use std::fs;
use std::io;
use std::path::Path;

use super::{OTHER_REALM, REALM};
use crate::servers::instance::Service;
use crate::servers::place;

/// Dnsmasq, for our own names alone, and a client's configuration that has no KDCs.
pub(super) fn set_up(folder: &Path, port: u16, kdcs: [u16; 6]) -> io::Result<Service> {
    let [first, second, other, silent, ..] = kdcs;
    let config = format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n \
         dns_canonicalize_hostname = false\n rdns = false\n\
         [domain_realm]\n .other.test = {OTHER_REALM}\n"
    );
    fs::write(folder.join("krb5-dns.conf"), config)?;
    let program = place::program("dnsmasq", "dnsmasq-base")?;
    let record = |transport: &str, realm: &str, port: u16, priority: u16| {
        format!("--srv-host=_kerberos.{transport}.{realm},localhost,{port},{priority},0")
    };
    let command = [
        program.display().to_string(),
        // In the foreground, and as whoever starts it: a process that changes its user or its
        // capabilities would not end with us.
        "--no-daemon".to_owned(),
        "--conf-file=/dev/null".to_owned(),
        "--log-queries".to_owned(),
        "--no-resolv".to_owned(),
        "--no-hosts".to_owned(),
        // What is not there does not exist: nobody else is asked.
        "--local=/test/".to_owned(),
        "--bind-interfaces".to_owned(),
        "--listen-address=127.0.0.1".to_owned(),
        format!("--port={port}"),
        record("_udp", REALM, second, 30),
        record("_udp", REALM, first, 20),
        record("_udp", REALM, silent, 10),
        record("_tcp", OTHER_REALM, other, 0),
    ];
    Ok(Service {
        command: command.to_vec(),
        ports: vec![port],
        log: folder.join("dns.log"),
    })
}
