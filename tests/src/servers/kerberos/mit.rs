//! MIT's KDCs: two realms that trust each other, and a second KDC of the first one.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{SERVICES, said};
use crate::servers::instance::Service;
use crate::servers::passwords::{PASSWORD, USER};
use crate::servers::place;

/// The realm of the services.
pub const REALM: &str = "SOCKLESS.TEST";
/// The realm that it trusts, and that trusts it.
pub const OTHER_REALM: &str = "OTHER.TEST";
/// A service of the other realm, which the first one's KDC refers clients to.
pub const REFERRED: &str = "HTTP/elsewhere.other.test";

/// What both KDCs know of each other by, and nobody else.
const TRUST: &str = "both know this";

/// Creates both realms in `folder`; gives the commands of three KDCs.
pub(super) fn set_up(folder: &Path, ports: [u16; 3]) -> io::Result<Vec<Service>> {
    let [first, second, other] = ports;
    let path = |name: &str| folder.join(name).display().to_string();
    let mut services = Vec::new();
    for (name, realm, port) in [
        ("first", REALM, first),
        ("second", REALM, second),
        ("other", OTHER_REALM, other),
    ] {
        let profile = path(&format!("{name}.kdc.conf"));
        let log = path(&format!("{name}.log"));
        fs::write(&profile, kdc_profile(&path, realm, port, &log))?;
        if !folder.join(format!("{realm}.db")).exists() {
            create(folder, &profile, realm)?;
        }
        let program = place::program("krb5kdc", "krb5-kdc")?;
        let command = [
            "env",
            &format!("KRB5_CONFIG={}", path("krb5.conf")),
            &format!("KRB5_KDC_PROFILE={profile}"),
            &program.display().to_string(),
            "-n",
            "-r",
            realm,
            "-P",
            &path(&format!("{name}.pid")),
        ];
        services.push(Service {
            command: command.map(str::to_owned).to_vec(),
            ports: vec![port],
            log: folder.join("error.log"),
        });
    }
    Ok(services)
}

fn create(folder: &Path, profile: &str, realm: &str) -> io::Result<()> {
    let mut command = Command::new(place::program("kdb5_util", "krb5-kdc")?);
    command.args(["-r", realm, "create", "-s", "-P", "nobody asks"]);
    said(environment(&mut command, folder, profile), "")?;
    let mut command = Command::new(place::program("kadmin.local", "krb5-admin-server")?);
    command.args(["-r", realm]);
    let script = if realm == REALM {
        principals(folder)
    } else {
        others(folder)
    };
    let output = said(environment(&mut command, folder, profile), &script)?;
    // It goes on after an error, and says that all was well.
    match output.lines().find(|line| line.contains("while ")) {
        Some(line) => Err(io::Error::other(format!("kadmin.local: {line}"))),
        None => Ok(()),
    }
}

fn environment<'a>(command: &'a mut Command, folder: &Path, profile: &str) -> &'a mut Command {
    command
        .env("KRB5_CONFIG", folder.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", profile)
        .stdin(Stdio::piped())
}

fn principals(folder: &Path) -> String {
    let keytab = |name: &str| folder.join(name).display().to_string();
    let mut script = format!("addprinc -pw \"{PASSWORD}\" +requires_preauth {USER}\n");
    let sha2 = "-e aes256-cts-hmac-sha384-192:normal,aes128-cts-hmac-sha256-128:normal";
    for (name, how) in [
        ("nopreauth", ""),
        ("sha2", &format!("+requires_preauth {sha2}")),
        ("locked", "-allow_tix"),
        ("expired", "-expire \"2020-01-01\""),
        ("password-expired", "-pwexpire \"2020-01-01\""),
        ("short", "-maxlife \"20 seconds\""),
    ] {
        script += &format!("addprinc -pw \"{PASSWORD}\" {how} {name}\n");
    }
    for service in SERVICES {
        script += &format!("addprinc -randkey +ok_as_delegate {service}\n");
        script += &format!("ktadd -k {} {service}\n", keytab("services.keytab"));
    }
    let users = keytab("users.keytab");
    script += &format!("ktadd -k {users} -norandkey {USER}\n");
    script + &trust()
}

fn others(folder: &Path) -> String {
    let keytab = folder.join("services.keytab");
    format!(
        "addprinc -pw \"{PASSWORD}\" bob\n\
         addprinc -randkey {REFERRED}\n\
         ktadd -k {} {REFERRED}\n",
        keytab.display()
    ) + &trust()
}

fn trust() -> String {
    let both = [(REALM, OTHER_REALM), (OTHER_REALM, REALM)];
    both.map(|(to, from)| format!("addprinc -pw \"{TRUST}\" krbtgt/{to}@{from}\n"))
        .concat()
}

fn kdc_profile(path: &impl Fn(&str) -> String, realm: &str, port: u16, log: &str) -> String {
    format!(
        "[kdcdefaults]\n \
         kdc_listen = 127.0.0.1:{port}\n \
         kdc_tcp_listen = 127.0.0.1:{port}\n\
         [realms]\n \
         {realm} = {{\n  \
         database_name = {}\n  \
         key_stash_file = {}\n  \
         acl_file = {}\n  \
         max_life = 1d\n  \
         max_renewable_life = 7d\n  \
         host_based_services = *\n \
         }}\n\
         [logging]\n \
         kdc = FILE:{log}\n",
        path(&format!("{realm}.db")),
        path(&format!("{realm}.stash")),
        path("acl"),
    )
}
