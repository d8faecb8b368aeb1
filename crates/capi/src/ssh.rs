//! SSH settings: who logs in, and whose host keys are believed.

use core::ffi::c_void;

use crate::engine::{Engine, enter};
use crate::input;
use crate::text::Text;

#[cfg(not(feature = "ssh"))]
mod absent;
#[cfg(feature = "ssh")]
mod settings;

#[cfg(not(feature = "ssh"))]
pub(crate) use absent::{Logins, Settings};
#[cfg(feature = "ssh")]
pub(crate) use settings::{Logins, Settings, nobody};

/// Texts of SSH settings. Files are the program's: what is in them is given here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SshText {
    /// The user at the server, for URLs that name none.
    User = 1,
    /// The user's password, for URLs that have none. It is the server's: jump hosts do not get it.
    Password = 2,
    /// What is in a private key's file; several are offered one after another.
    Key = 3,
    /// What the last key is encrypted with.
    KeyPassphrase = 4,
    /// What is in the last key's `.pub` file. It is needed only for an encrypted key in a format
    /// that hides it, and no passphrase, so that the program can be asked for that.
    KeyPublic = 5,
    /// What is in a `-cert.pub` file: the certificate of one of the keys, or of one in the agent.
    Certificate = 6,
    /// The path of an agent's unix socket, e.g. what `SSH_AUTH_SOCK` has.
    Agent = 7,
    /// What is in a `known_hosts` file; several add up.
    KnownHosts = 8,
    /// The SHA-256 fingerprint that the host's key must have, in base64; then `KnownHosts` counts only
    /// for revoked keys.
    HostSha256 = 9,
    /// The MD5 fingerprint that the host's key must have, in hexadecimal; the same.
    HostMd5 = 10,
    /// The methods to log in by, best first, with commas between them. Default:
    /// `gssapi-with-mic,publickey,keyboard-interactive,password`.
    Methods = 11,
    /// Algorithms, as OpenSSH's options have them: a list with commas, which replaces the default's, or is
    /// added to it after a `+`, put in front after `^`, taken out after `-`. Here for key exchange.
    Kex = 12,
    /// Host key algorithms.
    HostKeyAlgorithms = 13,
    /// Ciphers.
    Ciphers = 14,
    /// MACs.
    Macs = 15,
}

/// Numbers of SSH settings. Times in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SshNumber {
    /// What is done about keys of hosts that `KnownHosts` does not name: 0 they are refused, 1 they
    /// are accepted, and told by `sockless_ssh_take_hosts`, 2 the program is asked (an Asked event), 3 all keys
    /// are accepted, also those that have changed: anybody can pose as the host. Default 0.
    NewHosts = 1,
    /// 1: the program is asked for passwords, passphrases, and whatever else the server wants
    /// to be typed. Default 0: what is not given is not there.
    Ask = 2,
    /// 1: russh, 2: libssh2. Default: the first that is built in.
    Library = 3,
    /// 1: of an agent only those keys are offered that are given here, too. Default 0.
    OnlyTheseKeys = 4,
    /// 1: compression is offered first. Default 0.
    Compression = 5,
    /// Bytes that a server may send ahead. Default 8 MiB.
    Window = 6,
    /// A silent server is asked for a sign of life after that time; `SOCKLESS_NEVER`: it is not. Default that.
    Keepalive = 7,
    /// Keys are exchanged again after so many bytes. Default and most: 1 GiB.
    RekeyBytes = 8,
    /// And after that time; `SOCKLESS_NEVER`: it does not matter. Default one hour.
    RekeyTime = 9,
}

/// Makes SSH settings, which trust no host and have no key. The thread that uses the engine.
///
/// `SOCKLESS_STATUS_REFUSED`: SSH is not built in.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `ssh` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_ssh_new(engine: *mut Engine, ssh: *mut u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(ssh)?;
            let made = inner.ssh.insert(Settings::new()?);
            place.put(made.map_err(|(status, _)| status)?);
            Ok(())
        })
    }
}

/// Frees SSH settings; what uses them keeps them. The thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_ssh_free(engine: *mut Engine, ssh: u64) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let _gone = inner.ssh.take(ssh)?;
            Ok(())
        })
    }
}

/// Sets, or adds, a text of SSH settings (`sockless_ssh_text`), which is copied, and wiped when the settings
/// are gone. What is wrong with it shows when the settings are first used. The thread that uses
/// the engine.
///
/// `SOCKLESS_STATUS_ORDER`: they are in use already, or there is no key that it could be about.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `text` is NULL or can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_ssh_set_text(
    engine: *mut Engine,
    ssh: u64,
    option: u32,
    text: *const c_void,
    length: usize,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let text = input::text(text, length)?;
            inner.ssh.find(ssh)?.set_text(option, text)
        })
    }
}

/// Sets a number of SSH settings (`sockless_ssh_number`). The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: they are in use already.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_ssh_set_number(
    engine: *mut Engine,
    ssh: u64,
    option: u32,
    value: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            inner.ssh.find(ssh)?.set_number(option, value)
        })
    }
}

/// Logs in with the tickets of Kerberos settings as well, before anything else (`gssapi-with-mic`, RFC 4462; by
/// russh). The thread that uses the engine.
///
/// `SOCKLESS_STATUS_ORDER`: the SSH settings are in use already, or the others have no credentials.
/// `SOCKLESS_STATUS_REFUSED`: what the Kerberos settings are made of will not do.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_ssh_set_kerberos(
    engine: *mut Engine,
    ssh: u64,
    kerberos: u64,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            inner.kerberos.find(kerberos)?;
            inner.ssh.find(ssh)?.check_open()?;
            let provider = inner.kerberos.find(kerberos)?.provider()?;
            inner.ssh.find(ssh)?.set_kerberos(provider)
        })
    }
}

/// Takes the hosts whose keys were accepted and that were not known, as lines for a `known_hosts` file:
/// each ends with a line end, and there may be none. What `lines` points to is valid until the next call of
/// this function with these settings, until they are freed, or the engine is closed. The
/// thread that uses the engine.
///
/// # Safety
/// `engine` is NULL or points to zeroed or opened storage, `lines` is NULL or can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sockless_ssh_take_hosts(
    engine: *mut Engine,
    ssh: u64,
    lines: *mut Text,
) -> i32 {
    // SAFETY: the caller's promise, passed on.
    unsafe {
        enter(engine, |inner| {
            let place = input::place(lines)?;
            place.put(Text::of(inner.ssh.find(ssh)?.take_hosts().as_bytes()));
            Ok(())
        })
    }
}
