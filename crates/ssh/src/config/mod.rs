//! OpenSSH's client configuration (ssh_config(5)), as far as it has a meaning here.
//!
//! Text in, settings out. Files, home folder and user's name are given; what `Include` names is
//! read by the application.
//!
//! ```
//! use sockless_ssh::config::{Configuration, Query};
//!
//! let mut config = Configuration::new();
//! config.add("config", "
//!     Host web
//!         HostName %h.example.com
//!         User alice
//!     Host *
//!         IdentityFile ~/.ssh/id_ed25519
//! ", &mut |_| Ok(Vec::new()))?;
//! let mut query = Query::new("web");
//! query.home = "/users/alice";
//! let settings = config.settings(&query)?;
//! assert_eq!(settings.host_name.as_deref(), Some("web.example.com"));
//! assert_eq!(settings.identity_files.unwrap(), ["/users/alice/.ssh/id_ed25519"]);
//! # Ok::<(), sockless_core::Fault>(())
//! ```

mod expand;
mod line;
mod scope;
mod settings;
mod value;

use std::sync::Arc;

use sockless_core::{Culprit, Fault, Reason};

use expand::{Tokens, host_name};
use line::{Words, split};
use scope::{Scope, Subject};

use crate::place::Place;

pub use settings::{IdentityAgent, RekeyLimit, Settings};
pub use value::Jump;

/// Files within files, at most: as OpenSSH has it.
const MAX_DEPTH: usize = 16;
/// Lines of all files, at most.
const MAX_LINES: usize = 100_000;

/// A file that `Include` names.
#[derive(Clone, Debug)]
pub struct Included {
    /// Its name, for messages.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Gives the files that an argument of `Include` names, in order: a pattern as for a shell; a
/// name that is not absolute is meant from `~/.ssh`, or `/etc/ssh` in the system's file.
/// None at all is no error.
pub type Include<'a> = &'a mut dyn FnMut(&str) -> Result<Vec<Included>, String>;

/// A configuration: lines that are for some hosts and not for others.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    files: Vec<Vec<Line>>,
    lines: usize,
}

#[derive(Clone, Debug)]
struct Line {
    place: Place,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Scope(Scope),
    Include(Vec<Vec<Line>>),
    Option(Words),
}

/// Whom a connection is for, and what the names in files need.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Query<'a> {
    /// The host, as it was asked for.
    pub host: &'a str,
    /// The user's name there, if it was given: it comes before what files say.
    pub user: Option<&'a str>,
    /// The port, if it was given: it comes before what files say.
    pub port: Option<u16>,
    /// The user's home folder here, for `~` and `%d`.
    pub home: &'a str,
    /// The user's name here, for `%u`, and there if nothing else is said.
    pub local_user: &'a str,
}

impl<'a> Query<'a> {
    /// A host, and nothing else known.
    pub fn new(host: &'a str) -> Self {
        Self {
            host,
            user: None,
            port: None,
            home: "",
            local_user: "",
        }
    }
}

impl Configuration {
    /// Nothing is said.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file behind those that are there: the user's comes before the system's.
    /// `name` is for messages.
    ///
    /// # Errors
    /// A line that cannot be read, with its place; an `Include` that failed.
    pub fn add(&mut self, name: &str, text: &str, include: Include<'_>) -> Result<(), Fault> {
        let file = self.read(name, text, 0, include)?;
        self.files.push(file);
        Ok(())
    }

    fn read(
        &mut self,
        name: &str,
        text: &str,
        depth: usize,
        include: Include<'_>,
    ) -> Result<Vec<Line>, Fault> {
        let file: Arc<str> = Arc::from(name);
        let mut lines = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let place = Place {
                file: Arc::clone(&file),
                line: index + 1,
            };
            let words = match split(line) {
                Ok(Some(words)) => words,
                Ok(None) => continue,
                Err(why) => return Err(bad(&place, why)),
            };
            self.lines += 1;
            if self.lines > MAX_LINES {
                let what = format!("more than {MAX_LINES} lines of SSH configuration");
                return Err(Fault::new(Culprit::Limit, Reason::BadRequest, what));
            }
            let what = match words.keyword.as_str() {
                "host" => What::Scope(Scope::Host(words.arguments)),
                "match" => {
                    let scope = Scope::read_match(&words.arguments);
                    What::Scope(scope.map_err(|why| bad(&place, &why))?)
                }
                "include" if depth == MAX_DEPTH => {
                    return Err(bad(&place, "files include each other too deeply"));
                }
                "include" => {
                    let mut files = Vec::new();
                    for pattern in &words.arguments {
                        let found = include(pattern).map_err(|why| bad(&place, &why))?;
                        for Included { name, text } in found {
                            files.push(self.read(&name, &text, depth + 1, &mut *include)?);
                        }
                    }
                    What::Include(files)
                }
                _ => What::Option(words),
            };
            lines.push(Line { place, what });
        }
        Ok(lines)
    }

    /// What is said for a connection, with `~` and tokens in names replaced.
    ///
    /// # Errors
    /// A line for this connection has a value that cannot be used, or asks for what is not
    /// supported: `ProxyCommand`, `Match` on other than `all`, `host`, `originalhost` and `user`.
    pub fn settings(&self, query: &Query<'_>) -> Result<Settings, Fault> {
        let mut settings = Settings {
            user: query.user.map(str::to_owned),
            port: query.port,
            ..Settings::default()
        };
        for file in &self.files {
            apply(file, query, true, &mut settings)?;
        }
        expand(&mut settings, query).map_err(|why| {
            let what = format!("SSH configuration for {}: {why}", query.host);
            Fault::new(Culprit::Misuse, Reason::BadRequest, what)
                .remedy("write the name out in the configuration")
        })?;
        Ok(settings)
    }
}

/// Goes through a file's lines; `outer`: the line that includes it is for this connection.
fn apply(
    lines: &[Line],
    query: &Query<'_>,
    outer: bool,
    settings: &mut Settings,
) -> Result<(), Fault> {
    let mut active = outer;
    for Line { place, what } in lines {
        match what {
            What::Scope(scope) if outer => {
                active = holds(scope, query, settings).map_err(|why| bad(place, &why))?;
            }
            What::Include(files) if active => {
                for file in files {
                    apply(file, query, true, settings)?;
                }
            }
            What::Option(Words { keyword, arguments }) if active => {
                let taken = settings.take(place, keyword, arguments);
                taken.map_err(|why| bad(place, &why))?;
            }
            What::Scope(_) | What::Include(_) | What::Option(_) => {}
        }
    }
    Ok(())
}

fn holds(scope: &Scope, query: &Query<'_>, settings: &Settings) -> Result<bool, String> {
    let host = match &settings.host_name {
        Some(name) => host_name(name, query.host)?,
        None => query.host.to_owned(),
    };
    scope.holds(Subject {
        host: &host,
        original: query.host,
        user: settings.user.as_deref().unwrap_or(query.local_user),
    })
}

fn expand(settings: &mut Settings, query: &Query<'_>) -> Result<(), String> {
    if let Some(name) = &mut settings.host_name {
        *name = host_name(name, query.host)?;
    }
    let (host, user) = (settings.host_name.clone(), settings.user.clone());
    let tokens = Tokens {
        home: query.home,
        host: host.as_deref().unwrap_or(query.host),
        original: query.host,
        port: settings.port.unwrap_or(22),
        user: user.as_deref().unwrap_or(query.local_user),
        local_user: query.local_user,
    };
    let lists = [
        &mut settings.identity_files,
        &mut settings.certificate_files,
        &mut settings.user_known_hosts,
        &mut settings.global_known_hosts,
    ];
    for file in lists.into_iter().flatten().flatten() {
        *file = tokens.file(file)?;
    }
    if let Some(IdentityAgent::Path(path)) = &mut settings.identity_agent {
        *path = tokens.file(path)?;
    }
    Ok(())
}

fn bad(place: &Place, why: &str) -> Fault {
    let what = format!("SSH configuration, {place}: {why}");
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
        .remedy("change that line, or do without the file")
}
