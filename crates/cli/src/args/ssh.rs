//! The options about SSH, sftp and scp.

use std::path::PathBuf;

/// Which hosts are believed, who we are to them, and what is done there.
#[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "SSH")]
pub(crate) struct SshArgs {
    /// Which library speaks SSH: russh or libssh2
    #[arg(long, value_name = "NAME")]
    pub(crate) ssh_backend: Option<String>,
    /// Public key or certificate that belongs to --key
    #[arg(long, value_name = "FILE")]
    pub(crate) pubkey: Option<PathBuf>,
    /// The server's key must have this MD5, in hexadecimal
    #[arg(long, value_name = "MD5")]
    pub(crate) hostpubmd5: Option<String>,
    /// The server's key must have this SHA-256, in base64
    #[arg(long, value_name = "SHA256")]
    pub(crate) hostpubsha256: Option<String>,
    /// Files of known hosts' keys instead of ~/.ssh/known_hosts
    #[arg(long, visible_alias = "knownhosts", value_name = "FILE")]
    pub(crate) known_hosts: Vec<PathBuf>,
    /// What to do with hosts that are in no such file: strict, ask or accept-new
    #[arg(long, value_name = "POLICY")]
    pub(crate) new_hosts: Option<String>,
    /// Compress what SSH carries
    #[arg(long, visible_alias = "ssh-compression")]
    pub(crate) compressed_ssh: bool,
    /// Take what ssh_config(5) says about the host from FILE ("": from ~/.ssh/config)
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub(crate) ssh_config: Option<PathBuf>,
    /// Log in through these SSH servers first, with commas between them
    #[arg(long, value_name = "[USER@]HOST[:PORT][,...]")]
    pub(crate) jump: Option<String>,
    /// Do this on the server before the transfer ("-COMMAND": after it, "*COMMAND": whatever comes of it)
    #[arg(short = 'Q', long, value_name = "COMMAND")]
    pub(crate) quote: Vec<String>,
    /// List names only
    #[arg(short = 'l', long)]
    pub(crate) list_only: bool,
    /// Add to the file that is there
    #[arg(short = 'a', long)]
    pub(crate) append: bool,
    /// Make missing folders on the server
    #[arg(long)]
    pub(crate) ftp_create_dirs: bool,
    /// The mode of files that are made there, in octal (default 0644)
    #[arg(long, value_name = "MODE")]
    pub(crate) create_file_mode: Option<String>,
    /// Upload under another name, and rename when all of it is there
    #[arg(long)]
    pub(crate) atomic: bool,
    /// Transfer a folder with all that is in it (-o names the folder here)
    #[arg(long)]
    pub(crate) recursive: bool,
}
