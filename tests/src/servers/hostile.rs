//! An SSH server in Python that lies once it is past the key exchange, in ways that real
//! ones cannot be made to. What lies earlier is in [`ssh_faults`](crate::ssh_faults).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::instance::{Instance, Service};
use super::passwords::PASSWORD;
use super::place::{self, Place};
use super::ssh::{self, KnownHosts};

/// The port that `xtask servers` uses.
pub(super) const FIXED_PORT: u16 = 28360;

/// Debian's own, which is the one that Debian's packages for it are for.
pub(super) const PYTHON: &str = "/usr/bin/python3";
const PACKAGE: &str = "/usr/lib/python3/dist-packages/asyncssh";

/// What the user `prompts` has to answer to the second question, after
/// [`PASSWORD`]; then come a round without questions and one that wants `yes`.
pub const TOKEN: &str = "123456";

/// The running server, ended by dropping it.
///
/// The name of whoever logs in says how it lies. All get in with a key of
/// [`ACCEPTED`](super::ACCEPTED) or with [`PASSWORD`], except:
///
/// | user | how |
/// |---|---|
/// | `prompts` | keyboard-interactive in three rounds: two questions, none, one; see [`TOKEN`] |
/// | `two-factor` | a key, which is a partial success, and then the password |
/// | `change` | the password is old; a new one has to be [`PASSWORD`] and `!` |
/// | `no-method` | no method at all is offered |
///
/// As `gss-WHAT`, gssapi-with-mic with a mechanism of its own, the first that is offered: `token 1` is
/// answered by `token 2`, and the code over a message is `this is mine: ` and the message. `honest`,
/// `early` (a token before its turn), `mechanism` (one that was not offered), `token` (a wrong one), `endless`,
/// `error`, `error-token`, `again` (another token after the code).
///
/// sftp serves the content read-only, and takes uploads without keeping them. As
/// `sftp-WHAT`: `fx-N` (the status of all but
/// questions about names), `endless` (a directory), `names`
/// (that must not be used), `nul` (a byte in one), `vanishing` (handles), `short` (reads; allowed), `reversed`
/// (answers; allowed), `long` (more than was asked for), `empty-data`, `wrong-id`,
/// `false-length`, `false-count`, `version-2`, `version-6`, `text` (before the protocol),
/// `silent`, `grows` and `shrinks` (files), `full` (uploads fail after 256 KiB),
/// `close-fails`, `cut` (the connection, after 300,000 bytes either way).
///
/// As `scp-WHAT`, asked for the file `1k`: `honest`, `parent`, `slash`, `dots`, `other`,
/// `extra`, `directory`, `no-name`, `negative`, `huge`, `mode`, `garbage`, `error`,
/// `fatal`, `truncated`, `late-error`, `up`, `endless-line`; and for uploads `honest`,
/// `refuses`, `full`.
///
/// As `wire-WHAT`, once a session begins: `mac` and `length` (spoilt after 100,000 bytes,
/// like `cut`), `window` and `packet` (sends more than was granted), `adjust` (a window
/// beyond 4 GiB), `channel` (data for one that is not open), `newkeys`, `success`,
/// `unknown`, `requests` (10,000 that want an answer; allowed), `ignore` (noise; allowed),
/// `disconnect`, `rekey` (after each 100,000 bytes; allowed).
#[derive(Debug)]
pub struct Hostile {
    instance: Instance,
    port: u16,
}

impl Hostile {
    pub(super) fn start() -> io::Result<Self> {
        let [port] = place::free_ports()?;
        let place = Place::own("ssh-hostile")?;
        let instance = Instance::start(place, |folder| set_up(folder, port))?;
        Ok(Self { instance, port })
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.instance.pid()
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The private key to log in with: ed25519, in OpenSSH's format, without a passphrase.
    pub fn key(&self) -> PathBuf {
        self.instance.folder().join("keys/ed25519")
    }

    /// A `known_hosts` file with the server's key.
    pub fn known_hosts(&self) -> PathBuf {
        self.instance.folder().join(KnownHosts::Plain.file())
    }

    /// What it complained about so far.
    pub fn log(&self) -> String {
        self.instance.text("error.log")
    }
}

/// Fills `folder` with the program and its keys.
pub(super) fn set_up(folder: &Path, port: u16) -> io::Result<Vec<Service>> {
    for needed in [PYTHON, PACKAGE] {
        if !Path::new(needed).exists() {
            let package = "`apt-get install python3-asyncssh` brings it";
            let what = format!("{needed} is not there; {package}");
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
    }
    let program = folder.join("hostile.py");
    fs::write(&program, include_str!("hostile.py"))?;
    let host = folder.join("host");
    ssh::keys::create_key(&host, &["-t", "ed25519"])?;
    let host = fs::read_to_string(host.with_extension("pub"))?;
    ssh::write_known_hosts(folder, port, &[host])?;
    ssh::copy_keys(folder)?;
    let command = [
        "env",
        &format!("HOSTILE_PASSWORD={PASSWORD}"),
        PYTHON,
        // Without its user's own packages, and without leaving files behind.
        "-IB",
        &program.display().to_string(),
        &port.to_string(),
        &folder.display().to_string(),
        &place::content()?.display().to_string(),
    ];
    Ok(vec![Service {
        command: command.map(str::to_owned).to_vec(),
        ports: vec![port],
        log: folder.join("error.log"),
    }])
}
