//! From options to transfers: each URL becomes a job, each attempt of it a request.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sockless::{Auth, Body, Proxies, Proxy, Redirects, Request, Timeouts};

use crate::args::{Args, ConnectionArgs, DataKind, Target};
use crate::data;
use crate::fields::Fields;
use crate::glob::{self, Expanded};
use crate::kerberos::Kerberos;
use crate::netrc::Netrc;
use crate::output::Place;
use crate::proxy;
use crate::report::{Failure, code};
use crate::source::{Source, is_stdin};
#[cfg(feature = "ssh")]
use crate::ssh;

/// Bodies above this wait for `100 Continue` first, as curl's do.
const EXPECT_ABOVE: u64 = 1024 * 1024;

/// How far a compressed body may expand: gzip and deflate cannot go beyond 1032. What br
/// can do needs a bound in bytes: `--max-filesize`, which takes this one's place.
const MAX_RATIO: u32 = 1100;

/// One URL to transfer, with the options of its group.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) args: Rc<Args>,
    pub(crate) url: String,
    pub(crate) place: Place,
    pub(crate) method: String,
    payload: Payload,
    parties: Rc<Parties>,
    /// Its place on the command line, from 0.
    pub(crate) number: usize,
}

/// Who stands between, and who we are: what the files and the environment say of it.
#[derive(Debug)]
struct Parties {
    proxies: Proxies,
    /// On the way to SSH servers.
    everybodys: Vec<Proxy>,
    negotiate: Option<Auth>,
    netrc: Option<Netrc>,
    #[cfg(feature = "ssh")]
    logins: ssh::Logins,
}

#[derive(Clone, Debug)]
enum Payload {
    Nothing,
    Memory(Arc<[u8]>),
    File(PathBuf),
}

/// What one attempt needs.
pub(crate) struct Attempt {
    pub(crate) what: What,
    /// Where the body comes from, unless it lies in memory.
    pub(crate) source: Option<Source>,
}

/// What is started.
pub(crate) enum What {
    /// A request.
    Http(Box<Request>),
    /// Something on an SSH server.
    #[cfg(feature = "ssh")]
    Ssh(Box<ssh::Errand>),
}

/// All jobs of a group of options.
///
/// # Errors
/// Options contradict each other, a URL is none, or a file with data cannot be read.
pub(crate) fn jobs(args: Args) -> Result<Vec<Job>, Failure> {
    check(&args)?;
    let data = data::collect(&args.order.data)?;
    let has_data = !args.order.data.is_empty();
    let kerberos = Kerberos::of(&args, &proxy::environment)?;
    let parties = Rc::new(Parties {
        proxies: proxy::proxies(&args, &kerberos, &proxy::environment)?,
        everybodys: proxy::everybodys(&args, &kerberos, &proxy::environment)?,
        negotiate: kerberos.server,
        netrc: netrc(&args)?,
        #[cfg(feature = "ssh")]
        logins: ssh::Logins::new(&args, kerberos.tickets)?,
    });
    let args = Rc::new(args);
    let memory: Option<Arc<[u8]>> = (has_data && !args.request.get).then(|| data.as_slice().into());
    let mut jobs = Vec::new();
    for (number, pattern) in args.order.urls.iter().enumerate() {
        let expanded = glob::expand(pattern, !args.request.globoff)?;
        for (payload, expanded) in pairs(payloads(&args, number, &memory)?, &expanded)? {
            let mut url = with_scheme(&expanded.url);
            if args.request.get && has_data {
                url = with_query(&url, &String::from_utf8_lossy(&data));
            }
            if let Payload::File(file) = &payload {
                url = with_file_name(&url, file);
            }
            let place = place(&args, number, expanded, &url)?;
            let method = method(&args, &payload);
            let number = jobs.len();
            jobs.push(Job {
                args: Rc::clone(&args),
                url,
                place,
                method,
                payload,
                parties: Rc::clone(&parties),
                number,
            });
        }
    }
    if jobs.is_empty() {
        return Err(Failure::usage("no URL; try sockless --help"));
    }
    Ok(jobs)
}

/// What goes to the URL of that number; more than one if `-T` is a pattern.
fn payloads(
    args: &Args,
    number: usize,
    memory: &Option<Arc<[u8]>>,
) -> Result<Vec<Payload>, Failure> {
    Ok(match (args.request.upload_file.get(number), memory) {
        (Some(file), _) => {
            let Some(pattern) = file.to_str() else {
                return Ok(vec![Payload::File(file.clone())]);
            };
            let files = glob::expand(pattern, !args.request.globoff)?;
            let file = |one: Expanded| Payload::File(one.url.into());
            files.into_iter().map(file).collect()
        }
        (None, Some(bytes)) => vec![Payload::Memory(Arc::clone(bytes))],
        (None, None) => vec![Payload::Nothing],
    })
}

/// Each payload to each URL, as many as a pattern may stand for.
fn pairs(
    payloads: Vec<Payload>,
    urls: &[Expanded],
) -> Result<impl Iterator<Item = (Payload, &Expanded)>, Failure> {
    let most = glob::MAX_URLS;
    if payloads.len().saturating_mul(urls.len()) > most {
        let what = format!("the patterns of -T and of its URL make more than {most} uploads");
        return Err(Failure::usage(what));
    }
    let to_each = |payload: Payload| urls.iter().map(move |url| (payload.clone(), url));
    Ok(payloads.into_iter().flat_map(to_each))
}

/// The file with logins, if one is wanted. Only a file that was named has to be there.
fn netrc(args: &Args) -> Result<Option<Netrc>, Failure> {
    let auth = &args.auth;
    if let Some(path) = &auth.netrc_file {
        let absent = auth.netrc_optional && !path.exists();
        return (!absent).then(|| Netrc::read(path)).transpose();
    }
    if !auth.netrc && !auth.netrc_optional {
        return Ok(None);
    }
    let home = proxy::environment("HOME").map(|home| Path::new(&home).join(".netrc"));
    let path = home.filter(|path| path.exists());
    path.map(|path| Netrc::read(&path)).transpose()
}

fn check(args: &Args) -> Result<(), Failure> {
    let request = &args.request;
    let uploads = !request.upload_file.is_empty();
    let posts = !args.order.data.is_empty() && !request.get;
    if usize::from(request.head) + usize::from(uploads) + usize::from(posts) > 1 {
        return Err(Failure::usage(
            "only one of -I, -d and -T can decide on the method",
        ));
    }
    if request.range.is_some() && args.output.continue_at.is_some() {
        return Err(Failure::usage("-r and -C cannot be used together"));
    }
    if args.output.fail && args.output.fail_with_body {
        return Err(Failure::usage(
            "-f and --fail-with-body cannot be used together",
        ));
    }
    if let Some(cookie) = request.cookie.iter().find(|cookie| !cookie.contains('=')) {
        let what = format!("-b {cookie}: cookie files are not supported; give NAME=VALUE");
        return Err(Failure::usage(what));
    }
    Ok(())
}

/// curl's guess: whatever has no scheme is http.
fn with_scheme(url: &str) -> String {
    if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    }
}

fn with_query(url: &str, data: &str) -> String {
    // A fragment is never sent; it would only swallow the data.
    let url = url.split('#').next().unwrap_or(url);
    let separator = match url.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{url}{separator}{data}")
}

/// A folder's URL gets the uploaded file's name.
fn with_file_name(url: &str, file: &Path) -> String {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let folder = !path.contains('/') || path.ends_with('/');
    match file.file_name() {
        Some(name) if folder && !is_stdin(file) && !url.contains('?') => {
            let slash = if path.contains('/') { "" } else { "/" };
            let name: String = name.to_string_lossy().chars().map(escaped).collect();
            format!("{url}{slash}{name}")
        }
        _ => url.to_owned(),
    }
}

/// What would end a path, or is none of its characters, in a form that goes through.
fn escaped(c: char) -> String {
    if c.is_ascii_alphanumeric() || "-._~".contains(c) {
        return c.to_string();
    }
    c.encode_utf8(&mut [0; 4])
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect()
}

fn place(args: &Args, number: usize, expanded: &Expanded, url: &str) -> Result<Place, Failure> {
    let output = &args.output;
    let remote = Target::Remote;
    let target = args.order.targets.get(number);
    let place = match target.or(output.remote_name_all.then_some(&remote)) {
        None => return Ok(Place::Unsaid),
        Some(Target::Named(name)) => match name.to_str() {
            Some(name) => Place::named(Path::new(&expanded.fill(name))),
            None => Place::named(name),
        },
        Some(Target::Remote) => Place::File(PathBuf::from(remote_name(url)?)),
    };
    Ok(match (place, &output.output_dir) {
        (Place::File(path), Some(folder)) => Place::File(folder.join(path)),
        (place, _) => place,
    })
}

fn remote_name(url: &str) -> Result<&str, Failure> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let path = path.split_once("://").map_or(path, |(_, rest)| rest);
    let name = path
        .split_once('/')
        .and_then(|(_, path)| path.rsplit(['/', '\\']).next());
    match name {
        None | Some("" | "." | "..") => {
            let url = sockless::masked(url);
            let what = format!("output: the URL {url} ends without a file name; use -o");
            Err(Failure::new(code::WRITE, what))
        }
        Some(name) => Ok(name),
    }
}

fn method(args: &Args, payload: &Payload) -> String {
    let implied = match payload {
        _ if args.request.head => "HEAD",
        Payload::Nothing => "GET",
        Payload::Memory(_) => "POST",
        Payload::File(_) => "PUT",
    };
    args.request
        .request
        .clone()
        .unwrap_or_else(|| implied.to_owned())
}

impl Job {
    /// Whether it is for an SSH server.
    pub(crate) fn is_ssh(&self) -> bool {
        let scheme = self.url.split_once("://").map_or("", |(scheme, _)| scheme);
        ["sftp", "scp"]
            .iter()
            .any(|ssh| scheme.eq_ignore_ascii_case(ssh))
    }

    /// The file to upload.
    #[cfg(feature = "ssh")]
    pub(crate) fn upload(&self) -> Option<&Path> {
        match &self.payload {
            Payload::File(file) => Some(file),
            _ => None,
        }
    }

    /// The folder that a folder is downloaded into.
    ///
    /// # Errors
    /// None is named.
    #[cfg(feature = "ssh")]
    pub(crate) fn folder(&self) -> Result<Option<&Path>, Failure> {
        if !self.args.ssh.recursive || !self.is_ssh() || self.upload().is_some() {
            return Ok(None);
        }
        match &self.place {
            Place::File(path) => Ok(Some(path)),
            _ => Err(Failure::usage(
                "--recursive: name the folder to write to with -o",
            )),
        }
    }

    /// The proxies on the way to an SSH server.
    #[cfg(feature = "ssh")]
    pub(crate) fn proxies_to(&self, host: &str, port: u16) -> &[Proxy] {
        match self.parties.proxies.except.matches(host, port) {
            true => &[],
            false => &self.parties.everybodys,
        }
    }

    /// Writes down which SSH servers' keys were accepted.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn store_hosts(&self) -> Result<(), Failure> {
        #[cfg(feature = "ssh")]
        self.parties.logins.store()?;
        Ok(())
    }

    /// Where the download continues, or what was said about it.
    ///
    /// # Errors
    /// The offset is no number.
    pub(crate) fn offset(&self) -> Result<u64, Failure> {
        let Some(offset) = &self.args.output.continue_at else {
            return Ok(0);
        };
        match (offset.as_str(), &self.place, &self.payload) {
            ("-", _, Payload::File(_)) => Ok(0),
            ("-", Place::File(path), _) => Ok(std::fs::metadata(path)
                .map(|metadata| metadata.len())
                .unwrap_or(0)),
            ("-", _, _) => Ok(0),
            (number, _, _) => number.parse().map_err(|_| {
                Failure::usage(format!("-C {number}: it is a number of bytes or \"-\""))
            }),
        }
    }

    /// Whether the answer, not the request, is what continues.
    pub(crate) fn continues_download(&self, offset: u64) -> bool {
        offset > 0 && !matches!(self.payload, Payload::File(_))
    }

    /// A new request, with its body at the beginning.
    ///
    /// # Errors
    /// The URL, a field or a value cannot be used, or the upload cannot be read.
    pub(crate) fn attempt(&self, offset: u64, notes: bool) -> Result<Attempt, Failure> {
        #[cfg(feature = "ssh")]
        if self.is_ssh() {
            return ssh::attempt(self, &self.parties.logins, offset, notes);
        }
        let mut fields = Fields::new(&self.args.request)?;
        let of = |error: sockless::Error| Failure::of(&error);
        let mut request = Request::new(&self.method, &self.url).map_err(of)?;
        let (body, source) = self.body(offset, &mut fields)?;
        if self.continues_download(offset) {
            fields.imply("Range", &format!("bytes={offset}-"));
        }
        let length = match &body {
            Body::Empty => Some(0),
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Sized(length) => Some(*length),
            _ => None,
        };
        let wait = bound(self.args.request.expect100_timeout).unwrap_or(Duration::from_secs(1));
        if fields.expects(length.is_none_or(|length| length > EXPECT_ABOVE)) {
            request = request.expect_continue(wait);
        }
        request = request.body(body);
        if source.as_ref().is_some_and(Source::is_rewindable) {
            request = request.rewindable_body();
        }
        request = self.introduced(request);
        for (name, value) in fields.finish() {
            request = request.header(&name, value).map_err(of)?;
        }
        let request = self.limits(request, notes)?;
        let what = What::Http(Box::new(request));
        Ok(Attempt { what, source })
    }

    fn body(&self, offset: u64, fields: &mut Fields) -> Result<(Body, Option<Source>), Failure> {
        match &self.payload {
            Payload::Nothing => Ok((Body::Empty, None)),
            Payload::Memory(bytes) => {
                if self
                    .args
                    .order
                    .data
                    .iter()
                    .any(|(kind, _)| *kind == DataKind::Json)
                {
                    fields.imply("Content-Type", "application/json");
                    fields.imply("Accept", "application/json");
                } else {
                    fields.imply("Content-Type", "application/x-www-form-urlencoded");
                }
                if fields.wants_chunks() {
                    let source = Source::Memory {
                        bytes: Arc::clone(bytes),
                        at: 0,
                    };
                    return Ok((Body::Chunked, Some(source)));
                }
                fields.check_length(bytes.len() as u64)?;
                Ok((Body::Bytes(Arc::clone(bytes)), None))
            }
            Payload::File(path) => {
                let source = Source::open(path, offset)?;
                let length = source.length().or(fields.given_length());
                if let (Some(length), true) = (length, offset > 0) {
                    let (last, whole) = ((offset + length).saturating_sub(1), offset + length);
                    fields.imply("Content-Range", &format!("bytes {offset}-{last}/{whole}"));
                }
                let body = match length {
                    Some(length) if !fields.wants_chunks() => Body::Sized(length),
                    _ => Body::Chunked,
                };
                Ok((body, Some(source)))
            }
        }
    }

    /// Says who we are, to the server and to proxies.
    fn introduced(&self, mut request: Request) -> Request {
        let options = &self.args.auth;
        if let Some(auth) = self.auth() {
            request = request.auth(auth);
        }
        if options.digest {
            request = request.map_auth(Auth::digest);
        } else if options.anyauth {
            request = request.map_auth(Auth::any);
        }
        if let Some(auth) = &self.parties.negotiate {
            request = request.auth(auth.clone());
        }
        if let Some(token) = &options.oauth2_bearer {
            request = request.auth(Auth::bearer(token));
        }
        let url = url::Url::parse(&self.url).ok();
        let host = url.as_ref().and_then(url::Url::host_str);
        let port = url.as_ref().and_then(url::Url::port_or_known_default);
        let (host, port) = (host.unwrap_or_default(), port.unwrap_or(80));
        if let Some(header) = proxy::header(&self.args.proxy, host, port) {
            request = request.proxy_header(header);
        }
        request.proxies(self.parties.proxies.clone())
    }

    /// What `-u` says, or the file; `None`: what the URL says.
    fn auth(&self) -> Option<Auth> {
        if let Some(user) = &self.args.auth.user {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            return Some(Auth::password(user, password));
        }
        let netrc = self.parties.netrc.as_ref()?;
        let url = url::Url::parse(&self.url).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']);
        let optional = self.args.auth.netrc_optional;
        let user = Some(url.username()).filter(|user| optional && !user.is_empty());
        if optional && url.password().is_some() {
            return None;
        }
        let (user, password) = netrc.login(host, user)?;
        Some(Auth::password(user, password))
    }

    /// Whether that error is about the name of a proxy.
    pub(crate) fn is_proxy_name(&self, error: &sockless::Error) -> bool {
        let Proxies { http, https, .. } = &self.parties.proxies;
        let mut hosts = http.iter().chain(https).map(Proxy::host);
        let url = url::Url::parse(&self.url).ok();
        let own = url.as_ref().and_then(url::Url::host_str);
        hosts.any(|host| Some(host) != own && names(error.what(), host))
    }

    /// Redirects, timeouts, sizes and addresses.
    fn limits(&self, mut request: Request, notes: bool) -> Result<Request, Failure> {
        let args = &self.args;
        if args.request.location || args.request.location_trusted {
            let max = u32::try_from(args.request.max_redirs).unwrap_or(u32::MAX);
            let mut redirects = Redirects::follow(max);
            redirects.trust_all_hosts = args.request.location_trusted;
            redirects.keep_method = args.request.request.is_some();
            request = request.redirects(redirects);
        }
        if args.request.compressed {
            request = request.compressed();
        }
        let max_body = args.output.max_filesize.as_deref().map(size).transpose()?;
        let connection = &args.connection;
        request = request
            .http(|http| {
                http.max_body = max_body;
                http.max_decode_ratio = match max_body {
                    Some(_) => u32::MAX,
                    None => MAX_RATIO,
                };
            })
            .options(|options| options.notes = notes)
            .timeouts(|timeouts| set_timeouts(connection, timeouts));
        if let Some(path) = &connection.unix_socket {
            request = request.unix_socket(path);
        }
        if let Some(local) = connection.interface {
            request = request.local_address(local);
        }
        Ok(request)
    }
}

/// The timeouts that options name.
pub(crate) fn set_timeouts(connection: &ConnectionArgs, timeouts: &mut Timeouts) {
    timeouts.total = bound(connection.max_time);
    if let Some(limit) = bound(connection.connect_timeout) {
        (timeouts.connect, timeouts.handshake) = (None, None);
        timeouts.setup = Some(limit);
    }
    if connection.speed_limit.is_some() || connection.speed_time.is_some() {
        let window = Duration::from_secs(connection.speed_time.unwrap_or(30).max(1));
        timeouts.low_speed = Some((connection.speed_limit.unwrap_or(1), window));
    }
}

/// Whether a message has that host among its words.
pub(crate) fn names(message: &str, host: &str) -> bool {
    message
        .split_whitespace()
        .any(|word| word.trim_end_matches([':', ',']) == host)
}

/// A bound; 0 is none.
fn bound(value: Option<Duration>) -> Option<Duration> {
    value.filter(|value| !value.is_zero())
}

/// `10`, `10k`, `10M`, `10G`.
pub(crate) fn size(text: &str) -> Result<u64, Failure> {
    let (number, factor) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1),
    };
    let number: Option<u64> = number.parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| Failure::usage(format!("--max-filesize {text}: it is a number of bytes")))
}

#[cfg(test)]
mod tests;
