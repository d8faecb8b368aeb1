//! The servers that the programs talk to, and what the programs are asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sockless_tests::content;
use sockless_tests::servers::{
    Entrance, Host, Kerberized, Nginx, PASSPHRASE, PASSWORD, Running, Servers, Ssh, USER, Way,
};

use super::io;
use super::programs::{Legs, Source};
use crate::Outcome;
use crate::command::{output, program};

/// Web server, proxy, SSH server, KDCs and servers that take their tickets.
pub(super) struct Stage {
    servers: Running,
    pub(super) folder: PathBuf,
}

/// A program in one of its ways.
struct Part<'a> {
    stage: &'a Stage,
    name: &'a str,
    made: &'a Path,
    before: &'a [&'a str],
}

impl Stage {
    pub(super) fn set(folder: PathBuf) -> Result<Self, String> {
        fs::create_dir_all(&folder).map_err(|error| io(&folder, &error))?;
        let names = ["nginx", "squid", "ssh", "kdc", "kerberos"];
        let servers = Servers::start(&names).map_err(|error| error.to_string())?;
        Ok(Self { servers, folder })
    }

    /// Runs a program in all the ways it knows, and checks what arrived. `before` stands in front of it.
    pub(super) fn play(&self, source: &Source, made: &Path, before: &[&str]) -> Outcome {
        let part = Part {
            stage: self,
            name: source.name,
            made,
            before,
        };
        part.direct()?;
        if source.legs == Legs::All {
            part.letter()?;
            part.files()?;
            part.socks()?;
        }
        part.refused()
    }

    /// The way of the letter, for whoever wants to look at it.
    pub(super) fn letter(&self, name: &str, made: &Path, before: &[&str]) -> Outcome {
        let part = Part {
            stage: self,
            name,
            made,
            before,
        };
        part.letter()
    }

    /// The program in Python, which needs nothing compiled.
    pub(super) fn python(&self, prefix: &Path) -> Outcome {
        let file = self.folder.join("asyncio_get.one");
        let mut run = program("python3", &["crates/capi/examples/asyncio_get.py"]);
        run.env("LD_LIBRARY_PATH", prefix.join("lib"));
        run.arg("-c").arg(self.nginx().ca_pem());
        run.arg(self.nginx().https_url("/1m")).arg(&file);
        output(&mut run)?;
        arrived("asyncio_get", &file, 1 << 20)?;
        println!("asyncio_get: done");
        Ok(())
    }

    fn nginx(&self) -> &Nginx {
        self.servers.nginx()
    }

    fn ssh(&self) -> &Ssh {
        self.servers.ssh()
    }

    fn kerberized(&self) -> &Kerberized {
        self.servers.kerberized()
    }

    /// `user@localhost:port` of the SSH server.
    fn login(&self) -> Result<String, String> {
        let user = self.ssh().user().map_err(|error| error.to_string())?;
        Ok(format!("{user}@localhost:{}", self.ssh().port()))
    }

    /// The fingerprint of the key that the SSH server shows to whoever knows none.
    fn fingerprint(&self) -> Result<String, String> {
        let file = self.folder.join("host.pub");
        let key = self.ssh().host_key("ed25519");
        let key = key.map_err(|error| error.to_string())?;
        fs::write(&file, key).map_err(|error| io(&file, &error))?;
        let shown = output(program("ssh-keygen", &["-l", "-f"]).arg(&file))?;
        let print = shown.split(' ').nth(1).map(str::to_owned);
        print.ok_or_else(|| format!("ssh-keygen shows no fingerprint: {shown}"))
    }
}

impl Part<'_> {
    fn command(&self) -> Command {
        let mut run = match self.before {
            [] => Command::new(self.made),
            [first, rest @ ..] => {
                let mut run = Command::new(first);
                run.args(rest).arg(self.made);
                run
            }
        };
        run.current_dir(&self.stage.folder);
        run
    }

    fn file(&self, which: &str) -> PathBuf {
        self.stage.folder.join(format!("{}.{which}", self.name))
    }

    fn arrived(&self, which: &str, length: usize) -> Outcome {
        arrived(self.name, &self.file(which), length)
    }

    fn direct(&self) -> Outcome {
        let nginx = self.stage.nginx();
        let mut run = self.command();
        run.arg("-c").arg(nginx.ca_pem());
        run.arg(nginx.https_url("/1m")).arg(self.file("one"));
        run.arg(nginx.https_url("/1k")).arg(self.file("two"));
        output(&mut run)?;
        self.arrived("one", 1 << 20)?;
        self.arrived("two", 1024)
    }

    /// All that was asked for in 2008, at once: https through a proxy with TLS to the proxy as well, a tunnel,
    /// sftp, and a server that wants Kerberos.
    fn letter(&self) -> Outcome {
        let stage = self.stage;
        let (nginx, squid, kerberized) = (stage.nginx(), stage.servers.squid(), stage.kerberized());
        let mut run = self.command();
        run.arg("-c").arg(nginx.ca_pem());
        run.arg("-c").arg(kerberized.ca_pem());
        run.args(["-x", &squid.url(Entrance::OpenTls)]);
        run.arg("-p").arg(squid.ca_pem());
        run.args(["-t", &format!("localhost:{}", nginx.port(Host::Http))]);
        run.arg("-i").arg(stage.ssh().key());
        run.arg("-k").arg(stage.ssh().known_hosts());
        self.with_tickets(&mut run);
        run.arg(nginx.https_url("/1m")).arg(self.file("one"));
        run.arg("/1k").arg(self.file("two"));
        run.arg(format!("sftp://{}/~/1m", stage.login()?))
            .arg(self.file("three"));
        run.arg(kerberized.https_url("/private/1k"))
            .arg(self.file("four"));
        output(&mut run)?;
        self.arrived("one", 1 << 20)?;
        self.arrived("two", 1024)?;
        self.arrived("three", 1 << 20)?;
        self.arrived("four", 1024)
    }

    /// Files up and down over a jump host, a listing and a command; the host's key and the key's passphrase
    /// are asked for.
    fn files(&self) -> Outcome {
        let stage = self.stage;
        let (login, home) = (stage.login()?, stage.ssh().home());
        let name = format!("{}.up", self.name);
        let (home, up, small) = (home.display(), self.file("up"), self.file("small"));
        for (path, length) in [(&up, 1 << 20), (&small, 1024)] {
            content::write_file(path, length).map_err(|error| io(path, &error))?;
        }
        let mut run = self.command();
        run.arg("-i")
            .arg(stage.ssh().key_named("ed25519-passphrase"));
        run.args(["-w", PASSPHRASE, "-f", &stage.fingerprint()?]);
        run.args(["-j", &login, "-e", &format!("cat '{home}/1m'")]);
        run.arg(format!("sftp://{login}/~/upload/{name}"))
            .arg(format!("@{}", up.display()));
        run.arg(format!("scp://{login}{home}/upload/{name}.small"))
            .arg(format!("@{}", small.display()));
        run.arg(format!("scp://{login}{home}/1k"))
            .arg(self.file("two"));
        run.arg(format!("sftp://{login}/~/names/"))
            .arg(self.file("three"));
        run.arg(format!("ssh://{login}")).arg(self.file("four"));
        let said = output(&mut run)?;
        if !said.starts_with(&format!("[localhost]:{} ssh-ed25519 ", stage.ssh().port())) {
            return Err(format!(
                "{}: the host that was believed is not told: {said}",
                self.name
            ));
        }
        let upload = stage.ssh().home().join("upload");
        arrived(self.name, &upload.join(&name), 1 << 20)?;
        arrived(self.name, &upload.join(format!("{name}.small")), 1024)?;
        self.arrived("two", 1024)?;
        self.arrived("four", 1 << 20)?;
        let list = self.file("three");
        let listed = fs::read(&list).map_err(|error| io(&list, &error))?;
        match String::from_utf8_lossy(&listed).contains("star*[a]?\n") {
            true => Ok(()),
            false => Err(format!("{}: a directory was not listed", self.name)),
        }
    }

    /// A SOCKS5 proxy by GSS-API, which nobody can read along.
    fn socks(&self) -> Outcome {
        let kerberized = self.stage.kerberized();
        let port = match kerberized.port(Way::Socks) {
            Ok(port) => port,
            Err(why) => {
                println!("{}: not by SOCKS5 with GSS-API: {why}", self.name);
                return Ok(());
            }
        };
        let mut run = self.command();
        run.args(["-x", &format!("socks5h://localhost:{port}"), "-g", "2"]);
        self.with_tickets(&mut run);
        run.arg(kerberized.http_url("/private/1k"))
            .arg(self.file("two"));
        output(&mut run)?;
        self.arrived("two", 1024)
    }

    fn with_tickets(&self, run: &mut Command) {
        run.args(["-u", &format!("{USER}:{PASSWORD}")]);
        run.arg("-r").arg(self.stage.servers.kdc().config());
    }

    /// An authority that it does not know: a refusal, and an end in good order.
    fn refused(&self) -> Outcome {
        let nginx = self.stage.nginx();
        let mut run = self.command();
        run.arg("-c").arg(nginx.other_ca_pem());
        run.arg(nginx.https_url("/1k")).arg(self.file("two"));
        let refused = run.output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&refused.stderr);
        match refused.status.code() {
            Some(1) if said.contains("tls") => Ok(()),
            code => Err(format!("{}: {code:?}, {said}", self.name)),
        }
    }
}

/// The file ends with the content of that length; a tunnel's has a head in front.
fn arrived(name: &str, path: &Path, length: usize) -> Outcome {
    let bytes = fs::read(path).map_err(|error| io(path, &error))?;
    // What was there before is not to be taken for what comes next.
    fs::remove_file(path).map_err(|error| io(path, &error))?;
    let body = bytes.len().checked_sub(length).map(|at| &bytes[at..]);
    let head_is_one = |at: usize| at == 0 || bytes[..at].ends_with(b"\r\n\r\n");
    match body {
        Some(body) if content::check(0, body).is_ok() && head_is_one(bytes.len() - length) => {
            Ok(())
        }
        _ => Err(format!(
            "{name}: {} bytes arrived that are not the server's {length}",
            bytes.len()
        )),
    }
}
