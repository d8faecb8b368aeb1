//! What is done on SSH servers: from a URL and options to an exchange.

use std::sync::Arc;

use sockless::core::Exchange;
use sockless::ssh::config::Jump;
use sockless::ssh::scp::{ScpGet, ScpPut};
use sockless::ssh::sftp::{Command, Form, Get, GetTree, List, Put, PutTree, Quote, Sftp, When};
use sockless::ssh::{Client, Exec};
use sockless::{Body, Culprit, Proxy, ProxyKind, Reason, RemoteKind, RemoteUrl, TunnelTo};
use sockless_core::Fault;

use super::build;
use super::draft::{Draft, Files, Listing, Placing};
use crate::inner::Refusal;
use crate::ssh::{Logins, Settings, nobody};

/// SSH's port (RFC 4253 section 4).
const PORT: u16 = 22;

/// A transfer over SSH that can be started any number of times.
#[derive(Clone)]
pub(super) struct Errand {
    pub(super) to: TunnelTo,
    pub(super) client: Arc<Client>,
    what: What,
}

/// What it is about.
#[derive(Clone)]
struct What {
    url: RemoteUrl,
    files: Files,
    body: Amount,
    max_body: Option<u64>,
}

/// How much is put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Amount {
    /// Nothing is.
    None,
    Bytes(u64),
    /// As much as the program has.
    Open,
}

pub(super) fn errand(draft: &Draft, url: &str) -> Result<Errand, Refusal> {
    let url = RemoteUrl::parse(url)?;
    let Some(logins) = &draft.ssh else {
        return Err(Refusal::Order(
            "a URL of SSH's needs SSH settings: sockless_request_set_ssh",
        ));
    };
    applies(draft)?;
    let client = client(draft, &url, logins)?;
    let port = url.port.unwrap_or(PORT);
    let mut to = TunnelTo::new(&url.host, port)?;
    let direct = draft.no_proxy.matches(&url.host, port);
    for proxy in &draft.proxies {
        if !direct || proxy.kind() == ProxyKind::Ssh {
            to = to.proxy(proxy.clone());
        }
    }
    let what = What {
        url,
        files: draft.files.clone(),
        body: match &draft.body {
            Body::Empty => Amount::None,
            Body::Bytes(bytes) => Amount::Bytes(bytes.len() as u64),
            Body::Sized(length) => Amount::Bytes(*length),
            _ => Amount::Open,
        },
        max_body: draft.treatment.max_body,
    };
    let to = build::on_the_way(draft, to);
    let errand = Errand { to, client, what };
    // What cannot be done is said at once.
    errand.exchange()?;
    Ok(errand)
}

/// What would be thought to be done, and cannot be, is refused.
fn applies(draft: &Draft) -> Result<(), Refusal> {
    let what = if draft.login.provider.is_some() {
        "over SSH sockless_ssh_set_kerberos logs in with tickets, not sockless_request_set_kerberos"
    } else if draft.login.bearer.is_some() {
        "SSH has no bearer tokens"
    } else if draft.unix.is_some() {
        "a URL of SSH's cannot be reached by a unix socket"
    } else if draft.secured {
        "SSH is not put on top of TLS"
    } else {
        return Ok(());
    };
    Err(Refusal::Order(what))
}

/// Who logs in: the URL says it, or the request, or the settings.
fn client(draft: &Draft, url: &RemoteUrl, logins: &Logins) -> Result<Arc<Client>, Refusal> {
    let login = &draft.login;
    let set = login.user.as_deref().map(String::as_str);
    let user = url.user.as_deref().or(set);
    // A password that was set with a user is that user's alone.
    let own = login.password.as_ref();
    let own = own.filter(|_| set.is_none() || set == user);
    let password = url.password.as_ref().or(own).map(|text| text.as_str());
    logins.client(user, password)
}

/// Jump hosts, as `-J` has them. All of the list is looked at before the settings are in use.
pub(super) fn jumps(list: &str, settings: &mut Settings) -> Result<Vec<Proxy>, Refusal> {
    let jumps = Jump::list(list).map_err(|why| {
        Fault::new(Culprit::Misuse, Reason::BadRequest, why)
            .remedy("write it as user@host:port")
            .at("proxy")
    })?;
    for jump in &jumps {
        Proxy::new(ProxyKind::Ssh, &jump.host, jump.port.unwrap_or(PORT))?;
        if jump.user.is_none() && !settings.names_user() {
            return Err(nobody());
        }
    }
    let logins = settings.logins()?;
    let jumps = jumps.into_iter().map(|jump| {
        let client = logins.jump(jump.user.as_deref())?;
        Ok(Proxy::ssh(&jump.host, jump.port.unwrap_or(PORT), client)?)
    });
    jumps.collect()
}

impl Errand {
    /// What speaks for it.
    ///
    /// # Errors
    /// The options do not go together.
    pub(super) fn exchange(&self) -> Result<Box<dyn Exchange>, Refusal> {
        match self.what.url.kind {
            RemoteKind::Sftp => Ok(Box::new(self.what.over_sftp()?)),
            RemoteKind::Scp => self.what.over_scp(),
            _ => match &self.what.files.command {
                Some(command) => Ok(Box::new(self.what.command(command))),
                None => Err(Refusal::Order("an ssh:// URL needs a command")),
            },
        }
    }
}

impl What {
    fn puts(&self) -> bool {
        self.body != Amount::None
    }

    /// The path without a slash at its end.
    fn folder(&self) -> &[u8] {
        let path = &*self.url.path;
        let folder = path.strip_suffix(b"/").filter(|path| !path.is_empty());
        folder.unwrap_or(path)
    }

    fn command(&self, command: &[u8]) -> Exec {
        let exec = Exec::new(command);
        let exec = match self.puts() {
            true => exec,
            false => exec.without_input(),
        };
        match self.max_body {
            Some(most) => exec.at_most(most),
            None => exec,
        }
    }

    /// Nothing counts what many files have together, nor the lines of a directory.
    fn is_bounded(&self) -> Result<(), Refusal> {
        let files = &self.files;
        let lists = self.url.is_folder() && !matches!(files.listing, Listing::Entries);
        let gets = !self.puts() && !files.no_file;
        if self.max_body.is_some() && gets && (files.recursive || lists) {
            return Err(Refusal::Order(
                "SOCKLESS_REQUEST_NUMBER_MAX_BODY is for single files and commands: \
                 count what a directory's listing or files have, and cancel the transfer",
            ));
        }
        Ok(())
    }

    fn over_sftp(&self) -> Result<Sftp, Refusal> {
        self.is_bounded()?;
        let Self { url, files, .. } = self;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for text in &files.quotes {
            match Quote::parse(text).map_err(|fault| fault.at("sftp"))? {
                (When::After, quote) => after.push(quote),
                (_, quote) => before.push(quote),
            }
        }
        let sftp = if files.no_file {
            Sftp::commands([Command::Stat {
                path: url.path.clone(),
                follow: true,
            }])
        } else if files.recursive && self.puts() {
            // It may be there already.
            before.push(Quote {
                command: Command::MakeDirectory {
                    path: self.folder().to_vec(),
                    mode: None,
                },
                may_fail: true,
            });
            Sftp::put_tree(PutTree::new(self.folder()))
        } else if files.recursive {
            Sftp::get_tree(GetTree::new(self.folder()))
        } else if self.puts() {
            Sftp::put(self.put())
        } else if url.is_folder() {
            let form = match files.listing {
                Listing::Entries => Form::Entries,
                Listing::Long => Form::Long,
                Listing::Names => Form::Names,
            };
            Sftp::list(List::new(url.path.clone(), form))
        } else {
            Sftp::get(self.get())
        };
        Ok(sftp.before(before).after(after))
    }

    fn get(&self) -> Get {
        let Files {
            offset, last, tail, ..
        } = self.files;
        let mut get = Get::new(self.url.path.clone());
        if let Some(bytes) = tail {
            get = get.last(bytes);
        } else {
            get = get.from(offset.unwrap_or(0));
            if let Some(last) = last {
                get = get.to(last);
            }
        }
        match self.max_body {
            Some(most) => get.at_most(most),
            None => get,
        }
    }

    fn put(&self) -> Put {
        let files = &self.files;
        let mut put = Put::new(self.url.path.clone()).mode(files.mode.unwrap_or(0o644));
        put = match (files.placing, files.offset) {
            (Placing::Resume, _) => put.resume(),
            (Placing::Append, _) => put.append(),
            (Placing::Over, Some(offset)) => put.at(offset),
            (Placing::Over, None) => put,
        };
        if files.directories {
            put = put.directories();
        }
        if let Some(suffix) = &files.suffix {
            put = put.atomic(suffix.clone());
        }
        match files.sync {
            true => put.sync(),
            false => put,
        }
    }

    fn over_scp(&self) -> Result<Box<dyn Exchange>, Refusal> {
        self.is_bounded()?;
        let Self { url, files, .. } = self;
        if files.recursive {
            return Ok(match self.puts() {
                true => Box::new(ScpPut::tree(self.folder()).exchange()),
                false => Box::new(ScpGet::new(self.folder()).recursive().exchange()),
            });
        }
        let parts = files.offset.or(files.last).or(files.tail).is_some();
        if parts || !matches!(files.placing, Placing::Over) {
            return Err(no("parts of files"));
        }
        if !files.quotes.is_empty() || files.no_file {
            return Err(no("commands"));
        }
        match self.body {
            Amount::None if url.is_folder() => Err(no("listings")),
            Amount::None => {
                let get = ScpGet::new(url.path.clone());
                let get = match self.max_body {
                    Some(most) => get.at_most(most),
                    None => get,
                };
                Ok(Box::new(get.exchange()))
            }
            Amount::Bytes(length) => {
                let put = ScpPut::new(url.path.clone(), length).mode(files.mode.unwrap_or(0o644));
                Ok(Box::new(put.exchange()))
            }
            Amount::Open => Err(no("files of unknown length")),
        }
    }
}

fn no(what: &str) -> Refusal {
    let fault = Fault::new(
        Culprit::Misuse,
        Reason::BadRequest,
        format!("scp knows no {what}"),
    );
    fault.remedy("use an sftp:// URL").at("scp").into()
}
