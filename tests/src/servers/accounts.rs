//! Accounts of our own for servers that ask the system: `/etc/passwd` and its like are
//! replaced for the server alone, in a mount namespace, and nothing else sees it.

use std::fs;
use std::io;
use std::path::Path;

use super::passwords::{self, PASSWORD, USER};
use super::place;

/// The number of [`USER`], which no system gives to anybody by itself.
const NUMBER: u32 = 64_321;

/// Puts each file below `$1/etc` over its namesake in `/etc`, then becomes the rest.
const SCRIPT: &str = r#"cd "$1/etc" || exit
for file in $(find . -type f); do mount --bind "$file" "/etc/$file" || exit; done
cd .. && shift && exec "$@""#;

/// Fills `folder/etc` with an account for [`USER`], whose password is [`PASSWORD`] and
/// whose home is `folder/home`, beside those that the system has.
///
/// # Errors
/// We are not root, who alone may do this.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    if !place::is_root() {
        let what = "only root can give a server accounts of its own; run it as root";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let etc = folder.join("etc");
    fs::create_dir_all(etc.join("pam.d"))?;
    let ours = format!("{USER}:");
    let system: String = fs::read_to_string("/etc/passwd")?
        .lines()
        .filter(|line| !line.starts_with(&ours))
        .map(|line| format!("{line}\n"))
        .collect();
    let home = folder.join("home");
    let account = format!("{USER}:x:{NUMBER}:{NUMBER}::{}:/bin/sh\n", home.display());
    fs::write(etc.join("passwd"), system + &account)?;
    let hash = passwords::system(PASSWORD)?;
    fs::write(
        etc.join("shadow"),
        format!("{USER}:{hash}:19000:0:99999:7:::\n"),
    )?;
    Ok(())
}

/// Makes the server ask these accounts through PAM as well, by its service's name.
pub(super) fn create_pam(folder: &Path, service: &str) -> io::Result<()> {
    let rules = "auth required pam_unix.so nodelay\n\
                 account required pam_unix.so\n\
                 session required pam_permit.so\n";
    fs::write(folder.join("etc/pam.d").join(service), rules)
}

/// Gives the account's home to it.
pub(super) fn give_home(folder: &Path) -> io::Result<()> {
    place::give(&folder.join("home"), &format!("{NUMBER}:{NUMBER}"))
}

/// The command that runs `command` with the accounts of `folder`.
pub(super) fn with(folder: &Path, command: &[String]) -> Vec<String> {
    let folder = folder.display().to_string();
    let unshare = ["unshare", "--mount", "--propagation", "private"];
    let shell = ["sh", "-c", SCRIPT, "sh", &folder];
    unshare
        .iter()
        .chain(&shell)
        .map(|&word| word.to_owned())
        .chain(command.iter().cloned())
        .collect()
}
