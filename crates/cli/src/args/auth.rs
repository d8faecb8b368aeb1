//! The options that say who we are to servers.

use std::path::PathBuf;

/// Credentials, and how they are shown.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Authentication")]
pub(crate) struct AuthArgs {
    /// Credentials to send
    #[arg(short = 'u', long, value_name = "USER:PASSWORD")]
    pub(crate) user: Option<String>,
    /// Basic authentication (the default)
    #[arg(long, overrides_with_all = SCHEMES)]
    pub(crate) basic: bool,
    /// Digest authentication: the password is not sent
    #[arg(long, overrides_with_all = SCHEMES)]
    pub(crate) digest: bool,
    /// The strongest authentication that the server offers
    #[arg(long, overrides_with_all = SCHEMES)]
    pub(crate) anyauth: bool,
    /// A bearer token to send
    #[arg(long, value_name = "TOKEN")]
    pub(crate) oauth2_bearer: Option<String>,
    /// Take credentials from ~/.netrc
    #[arg(short = 'n', long)]
    pub(crate) netrc: bool,
    /// Take credentials from this file of that form
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,
    /// Take credentials from there if the URL has none
    #[arg(long)]
    pub(crate) netrc_optional: bool,
}

const SCHEMES: [&str; 4] = ["basic", "digest", "anyauth", "negotiate"];
