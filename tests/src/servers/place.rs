//! Folders, ports and programs for the servers.

use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Kind;
use crate::content;

/// Changes whenever the content does, so that files of an older version are not used.
const CONTENT: &str = "sockless-content-1";
const MANY: &str = "sockless-many-1";

/// What `-PID-COUNT/socket` leaves of the 107 bytes of a unix socket's address.
const SHORT: usize = 80;

/// A server's own folder, gone when dropped.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
}

impl Place {
    /// A new folder for this process, `NAME-PID-COUNT`.
    pub(super) fn own(name: &str) -> io::Result<Self> {
        Self::below(&root(), name)
    }

    /// The same where any user can reach it, for a server that changes to a user of its own.
    pub(super) fn open(name: &str) -> io::Result<Self> {
        Self::below(&open_root()?, name)
    }

    /// The same where a path is short enough for the address of a unix socket.
    pub(super) fn short(name: &str) -> io::Result<Self> {
        let usual = root();
        if usual.as_os_str().len() + name.len() < SHORT {
            return Self::below(&usual, name);
        }
        Self::below(&temporary_root()?, name)
    }

    fn below(root: &Path, name: &str) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_abandoned(root);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = root.join(format!("{name}-{}-{count}", process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// `target/servers`, which holds everything the servers read and write.
pub(super) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = package.parent().unwrap_or(package);
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    workspace.join(target).join("servers")
}

/// [`root`] if every user reaches it or we are not root, else a folder that all do.
pub(super) fn open_root() -> io::Result<PathBuf> {
    let usual = root();
    fs::create_dir_all(&usual)?;
    if !is_root() || everyone_reaches(&usual) {
        return Ok(usual);
    }
    temporary_root()
}

/// A folder like [`root`] among temporary files.
fn temporary_root() -> io::Result<PathBuf> {
    let folder = env::temp_dir().join(format!("sockless-servers-{}", user_id()));
    fs::create_dir_all(&folder)?;
    if folder.metadata()?.uid() == user_id() {
        return Ok(folder);
    }
    let what = format!("{} belongs to somebody else", folder.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, what))
}

/// The folder with the files of [`content`], made once for all servers.
pub(super) fn content() -> io::Result<PathBuf> {
    content_below(&root())
}

/// The same below `parent`.
pub(super) fn content_below(parent: &Path) -> io::Result<PathBuf> {
    made_once(parent, CONTENT, content::write_all)
}

/// The folder with the files of [`content::write_many`], made once for all servers.
pub(super) fn many() -> io::Result<PathBuf> {
    made_once(&open_root()?, MANY, content::write_many)
}

/// The folder `name` below `parent`, filled by whoever is the first to ask.
pub(super) fn made_once(
    parent: &Path,
    name: &str,
    fill: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<PathBuf> {
    let folder = parent.join(format!("{name}-{}", user_id()));
    if folder
        .metadata()
        .is_ok_and(|found| found.uid() == user_id())
    {
        return Ok(folder);
    }
    // Another one may do the same at the same time: the first to rename wins.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let draft = parent.join(format!("{name}-draft-{}-{count}", process::id()));
    fill(&draft)?;
    if fs::rename(&draft, &folder).is_err() {
        fs::remove_dir_all(&draft)?;
    }
    folder.metadata()?;
    Ok(folder)
}

/// Makes everything below `path` belong to `owner`, as chown(1) names it.
pub(super) fn give(path: &Path, owner: &str) -> io::Result<()> {
    let status = Command::new("chown")
        .args(["-R", owner])
        .arg(path)
        .status()?;
    if status.success() {
        return Ok(());
    }
    let what = format!("chown of {} to {owner}: {status}", path.display());
    Err(io::Error::other(what))
}

/// As many ports as asked for that are free on loopback.
pub(super) fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let v6 = has_ipv6();
    // All are held until all are found, or the same one would be found again.
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        loop {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            *port = listener.local_addr()?.port();
            held.push(listener);
            if !v6 {
                break;
            }
            if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, *port)) {
                held.push(listener);
                break;
            }
        }
    }
    Ok(ports)
}

/// Whether ::1 is there.
pub(super) fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

/// Whether we run as root.
pub(super) fn is_root() -> bool {
    user_id() == 0
}

/// Whether any user may read below `path`.
pub(super) fn everyone_reaches(path: &Path) -> bool {
    path.ancestors().all(|folder| {
        folder
            .metadata()
            .is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
    })
}

/// Where a program is; the path of an ordinary user leaves the servers' folder out.
pub(super) fn program(name: &str, package: &str) -> io::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| {
            let what = format!("{name} is not installed; `apt-get install {package}` brings it");
            io::Error::new(io::ErrorKind::NotFound, what)
        })
}

/// OpenSSH's program for sftp, which is on nobody's path.
pub(super) fn sftp_server() -> io::Result<PathBuf> {
    ["/usr/lib/openssh/sftp-server", "/usr/libexec/sftp-server"]
        .map(PathBuf::from)
        .into_iter()
        .find(|file| file.is_file())
        .ok_or_else(|| {
            let package = "openssh-sftp-server";
            let what = format!("sftp-server is not installed; `apt-get install {package}`");
            io::Error::new(io::ErrorKind::NotFound, what)
        })
}

fn user_id() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |found| found.uid())
}

/// A process that was killed, or that holds its servers in statics, leaves its folders behind.
fn remove_abandoned(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let mut parts = name.to_str().unwrap_or_default().rsplitn(3, '-');
        let (count, pid) = (parts.next(), parts.next());
        let numbers = [count, pid].map(|part| part.and_then(|part| part.parse::<u32>().ok()));
        if let ([Some(_), Some(pid)], Some(kind)) = (numbers, parts.next())
            && Kind::from_name(kind).is_some()
            && !Path::new(&format!("/proc/{pid}")).exists()
        {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// What a log says; servers put bytes of their peers there that are no UTF-8.
pub(super) fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
