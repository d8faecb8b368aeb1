//! The options: curl's names and meanings.

mod auth;
mod kerberos;
mod proxy;
mod ssh;
mod tls;

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgMatches, CommandFactory, FromArgMatches, Parser};

pub(crate) use auth::AuthArgs;
pub(crate) use kerberos::{Delegate, KerberosArgs, Level};
pub(crate) use proxy::ProxyArgs;
pub(crate) use ssh::SshArgs;
pub(crate) use tls::TlsArgs;

/// One group of options with its URLs; `--next` begins another one.
#[derive(Clone, Debug, Default, Parser)]
#[command(
    name = "sockless",
    about = "Transfers URLs on completion engines, with curl's options and exit codes",
    override_usage = "sockless [options] URL...\n       sockless [options] --tunnel HOST:PORT\n       sockless demo",
    args_override_self = true,
    infer_long_args = true,
    disable_version_flag = true,
    after_help = "Exit codes are curl's; docs/guide.md lists them."
)]
pub(crate) struct Args {
    /// What to transfer; http:// is assumed where no scheme is given
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,
    /// A URL, as an option
    #[arg(long, value_name = "URL")]
    pub(crate) url: Vec<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) auth: AuthArgs,
    #[command(flatten)]
    pub(crate) kerberos: KerberosArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) ssh: SshArgs,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
    #[command(flatten)]
    pub(crate) messages: MessageArgs,

    /// What order was given in, where it matters.
    #[arg(skip)]
    pub(crate) order: Order,
}

/// Where answers go.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Write to FILE ("-": standard output; "#1": what the first glob stands for)
    #[arg(short = 'o', long, value_name = "FILE")]
    pub(crate) output: Vec<PathBuf>,
    /// Write to a file named like the URL's last part
    #[arg(short = 'O', long, action = ArgAction::Append, num_args = 0, default_missing_value = "true")]
    pub(crate) remote_name: Vec<bool>,
    /// As -O for every URL without an -o
    #[arg(long)]
    pub(crate) remote_name_all: bool,
    /// Save files in DIR
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Make missing folders of output files
    #[arg(long)]
    pub(crate) create_dirs: bool,
    /// Remove the output file when the transfer fails
    #[arg(long)]
    pub(crate) remove_on_error: bool,
    /// Continue at OFFSET ("-": where the output file ends)
    #[arg(short = 'C', long, value_name = "OFFSET")]
    pub(crate) continue_at: Option<String>,
    /// Write the answers' heads to the output, too
    #[arg(short = 'i', long, visible_alias = "show-headers")]
    pub(crate) include: bool,
    /// Write the answers' heads to FILE
    #[arg(short = 'D', long, value_name = "FILE")]
    pub(crate) dump_header: Option<PathBuf>,
    /// Fail with exit code 22 on status 400 and above, without output
    #[arg(short = 'f', long)]
    pub(crate) fail: bool,
    /// The same, with output
    #[arg(long)]
    pub(crate) fail_with_body: bool,
    /// Print FORMAT after each transfer ("@FILE": from a file)
    #[arg(short = 'w', long, value_name = "FORMAT")]
    pub(crate) write_out: Option<String>,
    /// Refuse answers of more bytes (suffixes k, M, G)
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_filesize: Option<String>,
    /// Accepted: output is never held back
    #[arg(short = 'N', long)]
    pub(crate) no_buffer: bool,
}

/// What is asked for.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// Send DATA by POST ("@FILE" without its line ends, "@-": standard input)
    #[arg(short = 'd', long, visible_alias = "data-ascii", value_name = "DATA")]
    pub(crate) data: Vec<OsString>,
    /// The same, "@" means nothing
    #[arg(long, value_name = "DATA")]
    pub(crate) data_raw: Vec<OsString>,
    /// The same, a file is sent as it is
    #[arg(long, value_name = "DATA")]
    pub(crate) data_binary: Vec<OsString>,
    /// The same, percent-encoded (content, =content, name=content, @file, name@file)
    #[arg(long, value_name = "DATA")]
    pub(crate) data_urlencode: Vec<OsString>,
    /// Send DATA as JSON, with the fields that go with it
    #[arg(long, value_name = "DATA")]
    pub(crate) json: Vec<OsString>,
    /// Put the data into the URL's query, and send a GET
    #[arg(short = 'G', long)]
    pub(crate) get: bool,
    /// Send FILE by PUT ("-": standard input, in chunks)
    #[arg(short = 'T', long, value_name = "FILE")]
    pub(crate) upload_file: Vec<PathBuf>,
    /// Use this method
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) request: Option<String>,
    /// Ask for the head only
    #[arg(short = 'I', long)]
    pub(crate) head: bool,
    /// Send a field ("Name:" leaves one out, "Name;" sends an empty one, "@FILE")
    #[arg(short = 'H', long, value_name = "FIELD")]
    pub(crate) header: Vec<String>,
    /// User-Agent to send
    #[arg(short = 'A', long, value_name = "NAME")]
    pub(crate) user_agent: Option<String>,
    /// Referer to send
    #[arg(short = 'e', long, value_name = "URL")]
    pub(crate) referer: Option<String>,
    /// Cookies to send, as NAME=VALUE; ...
    #[arg(short = 'b', long, value_name = "DATA")]
    pub(crate) cookie: Vec<String>,
    /// Follow redirects
    #[arg(short = 'L', long)]
    pub(crate) location: bool,
    /// The same, and send credentials to other hosts, too
    #[arg(long)]
    pub(crate) location_trusted: bool,
    /// Follow at most N redirects (-1: any number)
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(i64).range(-1..))]
    pub(crate) max_redirs: i64,
    /// Ask for these bytes only, e.g. 0-499
    #[arg(short = 'r', long, value_name = "RANGE")]
    pub(crate) range: Option<String>,
    /// Ask for a compressed answer, and decompress it
    #[arg(long)]
    pub(crate) compressed: bool,
    /// How long to wait for 100 Continue
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    pub(crate) expect100_timeout: Option<Duration>,
    /// Accepted: HTTP/1.1 is what is spoken
    #[arg(long = "http1.1")]
    pub(crate) http1_1: bool,
    /// Take {} and [] in URLs and -T as they are
    #[arg(short = 'g', long)]
    pub(crate) globoff: bool,
}

/// How it gets there, and how long it may take.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionArgs {
    /// What carries the operations out: uring, blocking, tokio, compio or aio
    #[arg(long, value_name = "NAME")]
    pub(crate) driver: Option<String>,
    /// The whole transfer, at most
    #[arg(short = 'm', long, value_name = "SECONDS", value_parser = duration)]
    pub(crate) max_time: Option<Duration>,
    /// Resolving, connecting and the TLS handshake, at most
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    pub(crate) connect_timeout: Option<Duration>,
    /// Give up when slower than -Y for this long (default 30)
    #[arg(short = 'y', long, value_name = "SECONDS")]
    pub(crate) speed_time: Option<u64>,
    /// Give up when slower than this many bytes a second (default 1)
    #[arg(short = 'Y', long, value_name = "SPEED")]
    pub(crate) speed_limit: Option<u64>,
    /// Try again after passing failures, at most N times
    #[arg(long, value_name = "N", default_value = "0")]
    pub(crate) retry: u32,
    /// Wait this long before trying again (default 1, then doubling)
    #[arg(long, value_name = "SECONDS", value_parser = duration)]
    pub(crate) retry_delay: Option<Duration>,
    /// Try again when connections are refused, too
    #[arg(long)]
    pub(crate) retry_connrefused: bool,
    /// Try again after every failure
    #[arg(long)]
    pub(crate) retry_all_errors: bool,
    /// Use these addresses for that host and port
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]...")]
    pub(crate) resolve: Vec<String>,
    /// Connect through this unix socket
    #[arg(long, value_name = "PATH")]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Connect from this local address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) interface: Option<IpAddr>,
    /// Transfer all URLs at the same time
    #[arg(short = 'Z', long)]
    pub(crate) parallel: bool,
    /// At most this many at the same time
    #[arg(long, value_name = "N", default_value = "50")]
    pub(crate) parallel_max: usize,
    /// Stop at the first failure
    #[arg(long)]
    pub(crate) fail_early: bool,
}

/// What is said on the way.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Messages")]
pub(crate) struct MessageArgs {
    /// No progress, no errors
    #[arg(short = 's', long)]
    pub(crate) silent: bool,
    /// Errors even with -s
    #[arg(short = 'S', long)]
    pub(crate) show_error: bool,
    /// Say what happens: "*" notes, ">" sent and "<" received heads
    #[arg(short = 'v', long)]
    pub(crate) verbose: bool,
    /// Write everything that is sent and received to FILE, as text
    #[arg(long, value_name = "FILE")]
    pub(crate) trace_ascii: Option<PathBuf>,
    /// The same, as hexadecimal and text
    #[arg(long, value_name = "FILE")]
    pub(crate) trace: Option<PathBuf>,
    /// Put the time (UTC) in front of each trace and -v line
    #[arg(long)]
    pub(crate) trace_time: bool,
    /// Show progress as a bar, on a pipe as well
    #[arg(short = '#', long)]
    pub(crate) progress_bar: bool,
    /// Show no progress
    #[arg(long)]
    pub(crate) no_progress_meter: bool,
    /// Read options from FILE ("-": standard input)
    #[arg(short = 'K', long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Accepted: no configuration file is read unasked
    #[arg(short = 'q', long)]
    pub(crate) disable: bool,
    /// Say what this is, and what is built in
    #[arg(short = 'V', long)]
    pub(crate) version: bool,
    /// Begin another group of options and URLs
    #[arg(long, short_alias = ':')]
    pub(crate) next: bool,
}

/// The order in which options came that are counted together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// `-o` and `-O`.
    pub(crate) targets: Vec<Target>,
    /// `-d` and its relatives.
    pub(crate) data: Vec<(DataKind, OsString)>,
    /// URLs, as options or not.
    pub(crate) urls: Vec<String>,
}

/// One `-o` or `-O`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `-o`.
    Named(PathBuf),
    /// `-O`.
    Remote,
}

/// One of the `-d` family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataKind {
    /// `-d`.
    Text,
    /// `--data-raw`.
    Raw,
    /// `--data-binary`.
    Binary,
    /// `--data-urlencode`.
    UrlEncode,
    /// `--json`.
    Json,
}

impl Args {
    /// Parses one group; `words` begin with the program's name.
    ///
    /// # Errors
    /// As clap puts it; also for `--help`.
    pub(crate) fn parse_group(words: Vec<OsString>) -> Result<Self, clap::Error> {
        let matches = command().try_get_matches_from(words)?;
        let mut args = Self::from_arg_matches(&matches)?;
        args.order = Order::of(&args, &matches);
        Ok(args)
    }
}

/// The options as clap knows them. Values may look like options: curl takes them anyway.
pub(crate) fn command() -> clap::Command {
    Args::command().mut_args(|arg| {
        let is_flag = arg
            .get_num_args()
            .is_some_and(|range| range.max_values() == 0);
        if arg.get_action().takes_values() && !arg.is_positional() && !is_flag {
            arg.allow_hyphen_values(true)
        } else {
            arg
        }
    })
}

/// A time in seconds, with a fraction. curl's limits: none is negative, and the longest
/// is what a machine word holds in milliseconds.
fn duration(text: &str) -> Result<Duration, String> {
    let longest = Duration::from_millis(i64::MAX as u64);
    let number: Option<f64> = text.parse().ok();
    number
        .and_then(|number| Duration::try_from_secs_f64(number).ok())
        .filter(|duration| *duration <= longest)
        .ok_or_else(|| "it is a number of seconds, from 0 up".to_owned())
}

impl Order {
    fn of(args: &Args, matches: &ArgMatches) -> Self {
        let named = args.output.output.iter().cloned().map(Target::Named);
        let remote = args.output.remote_name.iter().map(|_| Target::Remote);
        let targets = with_index(matches, "output", named)
            .chain(with_index(matches, "remote_name", remote))
            .collect();
        let request = &args.request;
        let data = [
            ("data", DataKind::Text, &request.data),
            ("data_raw", DataKind::Raw, &request.data_raw),
            ("data_binary", DataKind::Binary, &request.data_binary),
            (
                "data_urlencode",
                DataKind::UrlEncode,
                &request.data_urlencode,
            ),
            ("json", DataKind::Json, &request.json),
        ];
        let data = data.into_iter().flat_map(|(id, kind, values)| {
            with_index(
                matches,
                id,
                values.iter().map(move |value| (kind, value.clone())),
            )
        });
        let urls = with_index(matches, "urls", args.urls.iter().cloned()).chain(with_index(
            matches,
            "url",
            args.url.iter().cloned(),
        ));
        Self {
            targets: sorted(targets),
            data: sorted(data.collect()),
            urls: sorted(urls.collect()),
        }
    }
}

/// Pairs each value of an option with its place on the command line.
fn with_index<T>(
    matches: &ArgMatches,
    id: &str,
    values: impl Iterator<Item = T>,
) -> impl Iterator<Item = (usize, T)> {
    let indices: Vec<usize> = matches
        .indices_of(id)
        .map(Iterator::collect)
        .unwrap_or_default();
    indices.into_iter().zip(values)
}

fn sorted<T>(mut pairs: Vec<(usize, T)>) -> Vec<T> {
    pairs.sort_by_key(|(index, _)| *index);
    pairs.into_iter().map(|(_, value)| value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Args {
        let words = std::iter::once("sockless")
            .chain(line.split(' '))
            .map(OsString::from);
        Args::parse_group(words.collect()).expect("good options")
    }

    #[test]
    fn options_bundle_and_take_values_as_curl_does() {
        let args = parse("-sSfo out -XPOST http://a -d -x -H -odd: --max-time 2");
        assert!(args.messages.silent && args.messages.show_error && args.output.fail);
        assert_eq!(args.request.request.as_deref(), Some("POST"));
        assert_eq!(args.order.data, [(DataKind::Text, OsString::from("-x"))]);
        assert_eq!(args.request.header, ["-odd:"]);
        assert_eq!(args.connection.max_time, Some(Duration::from_secs(2)));
        assert_eq!(args.order.urls, ["http://a"]);
    }

    #[test]
    fn outputs_and_data_keep_their_order() {
        let args = parse("-O u1 -o b u2 -O u3 --url u4 --data-raw 1 -d 2 --data-raw 3");
        let named = |name: &str| Target::Named(PathBuf::from(name));
        assert_eq!(
            args.order.targets,
            [Target::Remote, named("b"), Target::Remote]
        );
        assert_eq!(args.order.urls, ["u1", "u2", "u3", "u4"]);
        let data: Vec<_> = args
            .order
            .data
            .iter()
            .map(|(_, value)| value.to_str())
            .collect();
        assert_eq!(data, [Some("1"), Some("2"), Some("3")]);
    }

    #[test]
    fn the_last_of_a_repeated_option_wins() {
        let args = parse("-s -s -m 1 -m 3 u");
        assert_eq!(args.connection.max_time, Some(Duration::from_secs(3)));
    }

    #[test]
    fn the_last_hop_is_the_one_that_is_given_last() {
        let args = parse("-x http://a --socks5 b:1 --proxy-digest --proxy-basic u");
        assert_eq!(args.proxy.proxy, None);
        assert_eq!(args.proxy.socks5.as_deref(), Some("b:1"));
        assert!(args.proxy.proxy_basic && !args.proxy.proxy_digest);
        let none = ["sockless", "--socks4", "b:1", "-x", "", "u"].map(OsString::from);
        let none = Args::parse_group(none.into()).expect("good options");
        assert_eq!(none.proxy.proxy.as_deref(), Some(""));
        assert_eq!(none.proxy.socks4, None);
    }

    #[test]
    fn clap_finds_no_contradictions() {
        command().debug_assert();
    }
}
