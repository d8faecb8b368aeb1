//! Logins with keys and known hosts from OpenSSH's files.

use std::sync::Arc;

use sockless_core::Reason;
use sockless_ssh::Config;
use sockless_ssh::keys::{Identities, Identity, KeyFile};
use sockless_ssh::known_hosts::{HostKeyRules, KnownHosts};
use sockless_ssh::login::Credentials;

use crate::cases::Anybody;
use crate::exchanges::Command;
use crate::road::{Road, ssh};

#[test]
fn too_many_keys_are_understood() {
    let folder = std::env::temp_dir().join(format!("sl-keys-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut identities = Identities::new();
    for name in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        let path = folder.join(name);
        let mut keygen = std::process::Command::new("ssh-keygen");
        let keygen = keygen
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&path);
        assert!(keygen.status().expect("it starts").success());
        let text = std::fs::read(&path).expect("a key");
        let key = KeyFile::new(name, &text).read(None).expect("a key");
        identities.keys.push(Identity::new(key));
    }
    let _gone = std::fs::remove_dir_all(&folder);
    let user = ssh().user().expect("a user");
    let credentials = Credentials::new(user).keys(Arc::new(identities));
    let mut road = Road::new(Config::new(credentials, Arc::new(Anybody)));
    let error = road.run(Box::new(Command::new("true"))).unwrap_err();
    assert_eq!(error.reason(), Reason::Authentication, "{error}");
    let remedy = error.remedy().expect("something helps");
    assert!(remedy.contains("fewer keys"), "{error}");
}

/// The key that is right, as it was made by OpenSSH's tool, and the file with the server's.
#[test]
fn files_of_openssh_are_all_that_is_needed() {
    let text = std::fs::read(ssh().key()).expect("a key");
    let key = KeyFile::new("client", &text).read(None).expect("a key");
    let mut identities = Identities::new();
    identities.keys.push(Identity::new(key));
    let mut known = KnownHosts::new();
    let hosts = std::fs::read_to_string(ssh().known_hosts()).expect("a file");
    // The layer is told that the server is localhost, at SSH's own port.
    let keys = hosts.lines().filter_map(|line| line.split_once(' '));
    for (_, key) in keys {
        known.add("known_hosts", format!("localhost {key}\n"));
    }
    let mut rules = HostKeyRules::new();
    rules.known = Arc::new(known);
    let user = ssh().user().expect("a user");
    let credentials = Credentials::new(user).keys(Arc::new(identities));
    let mut road = Road::new(Config::new(credentials, Arc::new(rules)));
    let heard = road.run(Box::new(Command::new("echo hello")));
    assert_eq!(heard.expect("it runs"), b"hello\n");
}
