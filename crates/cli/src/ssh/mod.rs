//! Files over SSH: from a URL and options to what is done on the server.

mod login;
mod tree;

use std::path::Path;
use std::sync::Arc;

use sockless::core::Exchange;
use sockless::ssh::scp::{ScpGet, ScpPut};
use sockless::ssh::sftp::{Command, Form, Get, GetTree, List, Put, PutTree, Quote, Sftp, When};
use sockless::{Proxy, RemoteKind, RemoteUrl, TunnelTo};

use crate::args::Args;
use crate::job::{self, Attempt, Job, What};
use crate::report::{Failure, code};
use crate::source::Source;

pub(crate) use login::Logins;
pub(crate) use tree::{Planting, Walk};

/// What is done on a server, and how to get there.
pub(crate) struct Errand {
    pub(crate) to: TunnelTo,
    pub(crate) client: Arc<sockless::ssh::Client>,
    pub(crate) exchange: Box<dyn Exchange>,
}

/// Who is asked, and for which file.
fn remote(text: &str) -> Result<RemoteUrl, Failure> {
    RemoteUrl::parse(text).map_err(|error| Failure::of(&error))
}

/// An attempt at a job.
///
/// # Errors
/// The URL, a key, or what an option says cannot be used.
pub(crate) fn attempt(
    job: &Job,
    logins: &Logins,
    offset: u64,
    notes: bool,
) -> Result<Attempt, Failure> {
    let args = &*job.args;
    let remote = remote(&job.url)?;
    let login = logins.login(
        args,
        &remote.host,
        remote.port,
        remote.user.as_deref(),
        remote.password.as_ref().map(|text| text.as_str()),
    )?;
    let of = |error: sockless::Error| Failure::of(&error);
    let mut to = TunnelTo::new(&login.host, login.port).map_err(of)?;
    for proxy in job
        .proxies_to(&login.host, login.port)
        .iter()
        .cloned()
        .chain(login.jumps)
    {
        to = to.proxy(proxy);
    }
    if let Some(local) = args.connection.interface {
        to = to.local_address(local);
    }
    let (connection, slow) = (&args.connection, login.connect_timeout);
    to = to
        .options(|options| options.notes = notes)
        .timeouts(|timeouts| {
            timeouts.setup = slow.or(timeouts.setup);
            job::set_timeouts(connection, timeouts);
        });
    let source = match job.upload() {
        Some(folder) if args.ssh.recursive => Some(Source::Tree(Walk::new(folder)?)),
        Some(file) => Some(Source::open(file, start_of(args, offset))?),
        None => None,
    };
    let exchange = match remote.kind == RemoteKind::Scp {
        true => over_scp(args, &remote, source.as_ref(), job.upload())?,
        false => over_sftp(args, &remote, source.as_ref(), offset)?,
    };
    let errand = Errand {
        to,
        client: login.client,
        exchange,
    };
    Ok(Attempt {
        what: What::Ssh(Box::new(errand)),
        source,
    })
}

/// Where in the file an upload begins; behind what the server has is found out on the way.
fn start_of(args: &Args, offset: u64) -> u64 {
    match args.output.continue_at.as_deref() {
        Some("-") | None => 0,
        Some(_) => offset,
    }
}

fn over_sftp(
    args: &Args,
    remote: &RemoteUrl,
    source: Option<&Source>,
    offset: u64,
) -> Result<Box<dyn Exchange>, Failure> {
    let path = &remote.path;
    let folder = path.strip_suffix(b"/").filter(|path| !path.is_empty());
    let folder = folder.unwrap_or(path);
    let sftp = if args.ssh.recursive && source.is_some() {
        Sftp::put_tree(PutTree::new(folder))
    } else if args.ssh.recursive {
        Sftp::get_tree(GetTree::new(folder))
    } else if source.is_some() {
        Sftp::put(put(args, path, offset)?)
    } else if remote.is_folder() {
        let form = match args.ssh.list_only {
            true => Form::Names,
            false => Form::Long,
        };
        Sftp::list(List::new(path.clone(), form))
    } else {
        Sftp::get(get(args, path, offset)?)
    };
    let (mut before, mut after) = (Vec::new(), Vec::new());
    for text in &args.ssh.quote {
        let parsed = Quote::parse(text.as_bytes());
        let (when, quote) = parsed.map_err(|fault| {
            let mut failure = Failure::of(&fault.at("sftp"));
            failure.code = code::QUOTE;
            failure
        })?;
        match when {
            When::Before => before.push(quote),
            _ => after.push(quote),
        }
    }
    if args.ssh.recursive && source.is_some() {
        // It may be there already.
        let make = Command::MakeDirectory {
            path: folder.to_vec(),
            mode: None,
        };
        let may_fail = true;
        before.push(Quote {
            command: make,
            may_fail,
        });
    }
    Ok(Box::new(sftp.before(before).after(after)))
}

fn get(args: &Args, path: &[u8], offset: u64) -> Result<Get, Failure> {
    let mut get = Get::new(path);
    if let Some(range) = &args.request.range {
        let bad = || {
            Failure::new(
                code::RANGE,
                format!("-r {range}: write it as 0-499, 500- or -500"),
            )
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| bad());
        let (first, last) = range.split_once('-').ok_or_else(bad)?;
        get = match (first, last) {
            ("", last) => get.last(number(last)?),
            (first, "") => get.from(number(first)?),
            (first, last) => get.from(number(first)?).to(number(last)?),
        };
    } else if offset > 0 {
        get = get.from(offset);
    }
    if let Some(most) = &args.output.max_filesize {
        get = get.at_most(job::size(most)?);
    }
    Ok(get)
}

fn put(args: &Args, path: &[u8], offset: u64) -> Result<Put, Failure> {
    let mode = |text: &Option<String>, default: u32| match text {
        None => Ok(default),
        Some(text) => u32::from_str_radix(text, 8)
            .ok()
            .filter(|mode| *mode <= 0o7777)
            .ok_or_else(|| Failure::usage(format!("{text}: a mode is an octal number, e.g. 0644"))),
    };
    let mut put = Put::new(path).mode(mode(&args.ssh.create_file_mode, 0o644)?);
    put = match args.output.continue_at.as_deref() {
        _ if args.ssh.append => put.append(),
        Some("-") => put.resume(),
        Some(_) => put.at(offset),
        None => put,
    };
    if args.ssh.ftp_create_dirs {
        put = put.directories();
    }
    if args.ssh.atomic {
        put = put.atomic(".part");
    }
    Ok(put)
}

fn over_scp(
    args: &Args,
    remote: &RemoteUrl,
    source: Option<&Source>,
    upload: Option<&Path>,
) -> Result<Box<dyn Exchange>, Failure> {
    if args.ssh.recursive {
        let folder = remote.path.strip_suffix(b"/").unwrap_or(&remote.path);
        return Ok(match source {
            Some(_) => Box::new(ScpPut::tree(folder).exchange()),
            None => Box::new(ScpGet::new(folder).recursive().exchange()),
        });
    }
    let no = |what: &str| Failure::usage(format!("scp knows no {what}; use sftp://"));
    if args.output.continue_at.is_some() {
        return Err(no("way to continue (-C)"));
    }
    if args.request.range.is_some() {
        return Err(no("ranges (-r)"));
    }
    if !args.ssh.quote.is_empty() {
        return Err(no("commands (-Q)"));
    }
    let Some(source) = source else {
        if remote.is_folder() {
            return Err(no("listings"));
        }
        let mut get = ScpGet::new(remote.path.clone());
        if let Some(most) = &args.output.max_filesize {
            get = get.at_most(job::size(most)?);
        }
        return Ok(Box::new(get.exchange()));
    };
    let name = upload.map(|path| path.display().to_string());
    let length = source.length().ok_or_else(|| {
        let name = name.unwrap_or_default();
        let what = format!("scp has to know beforehand how long {name} is; use sftp://, or a file");
        Failure::new(code::READ, what)
    })?;
    Ok(Box::new(
        ScpPut::new(remote.path.clone(), length).exchange(),
    ))
}

/// The proxies as jump hosts are written: `[user@]host[:port]`.
fn jumps(list: &str) -> Result<Vec<sockless::ssh::config::Jump>, Failure> {
    sockless::ssh::config::Jump::list(list)
        .map_err(|why| Failure::usage(format!("--jump {list}: {why}")))
}

/// A jump host.
fn jump(host: &str, port: u16, client: Arc<sockless::ssh::Client>) -> Result<Proxy, Failure> {
    Proxy::ssh(host, port, client).map_err(|error| Failure::of(&error))
}
