//! Dante with GSSAPI, which Debian's package leaves out: built from its source package,
//! once, which takes about a minute.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run;
use crate::servers::instance::{Service, kept};
use crate::servers::place;

/// Changes whenever the build does.
const FOLDER: &str = "dante-gssapi-1";

/// Fills `folder` with a configuration; gives the command. To the second port come clients that
/// agree on a level of protection in the clear.
pub(super) fn set_up(folder: &Path, ports: [u16; 2], keytab: &Path) -> io::Result<Service> {
    let built = prepare()?;
    let config = folder.join("sockd.conf");
    let [port, nec] = ports;
    let clients = |port: u16, more: &str| {
        format!(
            "client pass {{\n \
             from: 0/0 to: 127.0.0.1/32 port = {port}\n \
             {more}\
             gssapi.keytab: FILE:{}\n \
             gssapi.servicename: rcmd\n \
             gssapi.enctype: clear integrity confidentiality\n\
             }}\n",
            keytab.display()
        )
    };
    let users = if place::is_root() {
        "user.privileged: root\nuser.unprivileged: root\n"
    } else {
        ""
    };
    fs::write(
        &config,
        format!(
            "logoutput: stderr\n\
             internal: 127.0.0.1 port = {port}\n\
             internal: 127.0.0.1 port = {nec}\n\
             external: lo\n\
             {users}\
             clientmethod: none\n\
             socksmethod: gssapi\n\
             {}{}\
             socks pass {{\n from: 0/0 to: 0/0\n log: connect error\n}}\n",
            clients(port, ""),
            clients(nec, "clientcompatibility: necgssapi\n "),
        ),
    )?;
    let command = [
        &built.join("sockd").display().to_string(),
        "-f",
        &config.display().to_string(),
        "-p",
        &folder.join("sockd.pid").display().to_string(),
    ];
    Ok(Service {
        command: kept(&command),
        ports: ports.to_vec(),
        log: folder.join("sockd.log"),
    })
}

/// Where it is built.
pub(super) fn prepare() -> io::Result<PathBuf> {
    place::made_once(&place::root(), FOLDER, build)
}

/// Fetches, unpacks and compiles; leaves `sockd` in `folder`.
fn build(folder: &Path) -> io::Result<()> {
    let work = folder.join("work");
    let source = source(&work)?;
    let without = "--without-libwrap --without-pam --disable-client --disable-preload";
    run(Command::new("./configure")
        .args(without.split(' '))
        .arg("--with-gssapi")
        .current_dir(&source))?;
    // Debian's patches make what autoconf wrote look old; it is not.
    let as_it_is = ["ACLOCAL=:", "AUTOCONF=:", "AUTOHEADER=:", "AUTOMAKE=:"];
    run(Command::new("make")
        .arg("-j2")
        .args(as_it_is)
        .current_dir(&source))?;
    fs::copy(source.join("sockd/sockd"), folder.join("sockd"))?;
    fs::remove_dir_all(work)
}

/// Gets the source package from Debian, with lists of apt's own for it.
fn source(work: &Path) -> io::Result<PathBuf> {
    let lists = work.join("lists");
    fs::create_dir_all(lists.join("partial"))?;
    let release = fs::read_to_string("/etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .ok_or_else(|| io::Error::other("os-release does not name a release of Debian"))?;
    let sources = work.join("debian.sources");
    fs::write(
        &sources,
        format!(
            "Types: deb-src\nURIs: http://deb.debian.org/debian\nSuites: {codename}\n\
             Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
        ),
    )?;
    let apt = |args: &[&str]| {
        let options = [
            format!("Dir::Etc::SourceList={}", sources.display()),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", lists.display()),
            format!("Dir::Cache::pkgcache={}", work.join("cache").display()),
            format!("Dir::Cache::srcpkgcache={}", work.join("src").display()),
        ];
        let mut command = Command::new("apt-get");
        for option in options {
            command.arg("-o").arg(option);
        }
        run(command.arg("-q").args(args).current_dir(work))
    };
    apt(&["update"])?;
    apt(&["source", "dante"])?;
    let mut entries = fs::read_dir(work)?.flatten().map(|entry| entry.path());
    entries
        .find(|path| path.join("configure").is_file())
        .ok_or_else(|| io::Error::other("apt-get source dante brought nothing to configure"))
}
