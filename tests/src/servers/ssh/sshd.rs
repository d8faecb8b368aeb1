//! The ways in which OpenSSH's server is set up.

use std::io;
use std::path::Path;

use crate::servers::place;

/// One of them; all take the keys of [`ACCEPTED`](super::ACCEPTED) and certificates, and
/// run commands, so that scp works, and forward connections anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sshd {
    /// Everything on, sftp inside the server itself.
    Usual,
    /// sftp by the program of its own.
    External,
    /// New keys after every 256 KiB.
    Rekeying,
    /// Only algorithms that nobody should use: aes256-cbc, a group of 2048 bits with SHA-1,
    /// hmac-sha1, ssh-rsa.
    Weak,
    /// Two sessions at once on a connection, two attempts to log in, no compression, and
    /// no forwarding.
    Limited,
    /// For [`USER`](crate::servers::USER) of an account of its own: the usual, or a
    /// password, or a keyboard-interactive one.
    Password,
    /// For the same: a key and after it a password, or a keyboard-interactive one.
    TwoFactor,
}

/// Each, its name on command lines, and its port when that is fixed.
const ALL: [(Sshd, &str, u16); 7] = [
    (Sshd::Usual, "ssh", 28340),
    (Sshd::External, "ssh-external", 28342),
    (Sshd::Rekeying, "ssh-rekeying", 28343),
    (Sshd::Weak, "ssh-weak", 28344),
    (Sshd::Limited, "ssh-limited", 28345),
    (Sshd::Password, "ssh-password", 28346),
    (Sshd::TwoFactor, "ssh-two-factor", 28347),
];

impl Sshd {
    /// Its name on command lines.
    pub fn name(self) -> &'static str {
        ALL[self as usize].1
    }

    pub(super) fn fixed_port(self) -> u16 {
        ALL[self as usize].2
    }

    /// Whether it has accounts of its own, which takes root's rights.
    pub(in crate::servers) fn has_accounts(self) -> bool {
        matches!(self, Self::Password | Self::TwoFactor)
    }

    /// The configuration file for a server of `folder` on `port` with these host keys.
    pub(super) fn config(self, folder: &Path, port: u16, host_keys: &[&str]) -> io::Result<String> {
        let path = |name: &str| folder.join(name).display().to_string();
        let mut config = format!(
            "ListenAddress 127.0.0.1:{port}\n\
             PidFile \"{}\"\n\
             AuthorizedKeysFile \"{}\"\n\
             TrustedUserCAKeys \"{}\"\n\
             PermitRootLogin yes\n\
             MaxStartups 1000\n\
             StrictModes no\n",
            path("pid"),
            path("authorized_keys"),
            path("user-ca.pub"),
        );
        for key in host_keys {
            let key = path(key);
            config += &format!("HostKey \"{key}\"\nHostCertificate \"{key}-cert.pub\"\n");
        }
        let home = path("home");
        let sftp = match self {
            Self::External => place::sftp_server()?.display().to_string(),
            _ => "internal-sftp".to_owned(),
        };
        config += &format!("Subsystem sftp {sftp} -d \"{home}\"\n");
        Ok(config + self.methods() + self.limits())
    }

    fn methods(self) -> &'static str {
        match self {
            Self::Password => {
                "UsePAM yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes\n"
            }
            Self::TwoFactor => {
                "UsePAM yes\nPasswordAuthentication yes\nKbdInteractiveAuthentication yes\n\
                 AuthenticationMethods publickey,password publickey,keyboard-interactive\n"
            }
            // Without PAM and without root's rights it takes every account for a locked one;
            // with both it would write the system's message of the day.
            _ if place::is_root() => {
                "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            }
            _ => "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
        }
    }

    fn limits(self) -> &'static str {
        match self {
            Self::Rekeying => "Compression yes\nRekeyLimit 256K\n",
            Self::Weak => {
                "Ciphers aes256-cbc\n\
                 KexAlgorithms diffie-hellman-group14-sha1\n\
                 MACs hmac-sha1\n\
                 HostKeyAlgorithms ssh-rsa\n"
            }
            Self::Limited => {
                "Compression no\nMaxSessions 2\nMaxAuthTries 2\nAllowTcpForwarding no\n"
            }
            // More than the ten that it has by default, for many transfers on a connection.
            _ => "Compression yes\nMaxSessions 100\n",
        }
    }
}
