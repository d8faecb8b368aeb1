//! Logins at SSH servers with tickets (RFC 4462): gssapi-with-mic, and what comes of it where it fails.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use sockless::core::{Buf, Culprit, SecurityProvider};
use sockless::kerberos::{Credentials as Tickets, Realms};
use sockless::ssh::keys::{Identities, Identity, KeyFile};
use sockless::ssh::known_hosts::{HostKeyRules, KnownHosts, Policy};
use sockless::ssh::login::Credentials;
use sockless::ssh::sftp::{Get, Put, Sftp};
use sockless::ssh::{Client, Config, Library};
use sockless::{
    Auth, Endpoint, Error, Event, Protection, Proxy, Reason, TransferId, TunnelTo, run,
};
use sockless_tests::content;
use sockless_tests::servers::{HEIMDAL_REALM, PASSWORD, REALM, Servers, USER, Way};

use crate::{Outcome, World, config, get, provider, realms, servers};

/// What is fetched by sftp.
const LENGTH: u64 = 1 << 20;

pub(crate) fn file() -> PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let name = format!("sftp-by-ticket-{}", std::process::id());
        let path = servers().1.ssh_key().with_file_name(name);
        content::write_file(&path, LENGTH).expect("a file");
        path
    };
    FILE.get_or_init(make).clone()
}

fn port() -> u16 {
    servers().1.port(Way::Ssh).expect("OpenSSH is installed")
}

/// The account at the server, and nothing to show for it.
pub(crate) fn account() -> Credentials {
    Credentials::new(servers().1.ssh_user().expect("a user"))
}

/// The key that the server takes as well.
fn with_key(mut credentials: Credentials) -> Credentials {
    let text = fs::read(servers().1.ssh_key()).expect("a key");
    let mut identities = Identities::new();
    let identity = Identity::from_file(KeyFile::new("the other key", &text), None, None);
    identities.keys.push(identity.expect("a good key"));
    credentials.keys = Some(Arc::new(identities));
    credentials
}

fn settings(credentials: Credentials) -> Config {
    let mut known = KnownHosts::new();
    known.add(
        "known_hosts",
        fs::read(servers().1.known_hosts()).expect("text"),
    );
    let mut rules = HostKeyRules::new();
    rules.known = Arc::new(known);
    Config::new(credentials, Arc::new(rules)).library(Library::Russh)
}

pub(crate) fn client(credentials: Credentials) -> Arc<Client> {
    Arc::new(settings(credentials).build().expect("good settings"))
}

/// Somebody by the usual password, as SSH takes it.
fn ticket(name: &str, realms: Realms) -> Arc<dyn SecurityProvider> {
    let credentials = Tickets::password(name, PASSWORD, &realms);
    provider(credentials, realms).expect("a provider")
}

/// The users of all realms that there are.
fn users() -> Vec<(String, Arc<dyn SecurityProvider>)> {
    let name = format!("{USER}@{REALM}");
    let mut users = vec![(name.clone(), ticket(&name, realms()))];
    match servers().0.heimdal_port() {
        Ok(_) => {
            let realms = realms().domain("localhost", HEIMDAL_REALM);
            let name = format!("{USER}@{HEIMDAL_REALM}");
            users.push((name.clone(), ticket(&name, realms)));
        }
        Err(why) => println!("not tested with Heimdal's KDC: {why}"),
    }
    users
}

impl World {
    fn start_sftp(&mut self, client: &Arc<Client>, via: &[Proxy]) -> Result<TransferId, Error> {
        let mut to = TunnelTo::new("localhost", port())?;
        for proxy in via {
            to = to.proxy(proxy.clone());
        }
        let to = to
            .options(|options| options.notes = true)
            .timeouts(|timeouts| timeouts.total = Some(std::time::Duration::from_secs(40)));
        let name = file().display().to_string().into_bytes();
        let exchange = Box::new(Sftp::get(Get::new(name)));
        self.session.ssh(to, Arc::clone(client), exchange)
    }

    pub(crate) fn sftp(&mut self, client: &Arc<Client>, via: &[Proxy]) -> Outcome {
        let id = self.start_sftp(client, via).expect("it starts");
        self.finish(&[id]).remove(0)
    }
}

impl Outcome {
    /// The whole file has come, and every byte of it is right.
    pub(crate) fn is_whole(&self) {
        if let Err(error) = &self.result {
            panic!("{error}; {:#?}; {}", self.notes, servers().1.log());
        }
        assert_eq!(self.body.len() as u64, LENGTH);
        assert_eq!(content::check(0, &self.body), Ok(()));
    }

    pub(crate) fn has_note(&self, part: &str) -> bool {
        self.notes.iter().any(|note| note.contains(part))
    }
}

#[test]
fn a_ticket_logs_in_and_a_kept_connection_needs_no_other() {
    for (name, provider) in users() {
        let client = client(account().security(provider));
        let mut world = World::new(config());
        let first = world.sftp(&client, &[]);
        first.is_whole();
        assert!(
            first.has_note("asking the KDC"),
            "{name}: {:?}",
            first.notes
        );
        let proven = "ssh: the peer has proven who it is, by Kerberos";
        assert!(first.has_note(proven), "{name}: {:?}", first.notes);
        let second = world.sftp(&client, &[]);
        second.is_whole();
        assert!(!second.has_note("KDC"), "{:?}", second.notes);
        assert!(!second.has_note("logged in"), "{:?}", second.notes);
        let log = servers().1.log();
        let ours = format!("krb5 principal {name} ");
        let user = servers().1.ssh_user().expect("a user");
        assert!(
            log.contains(&format!("Authorized to {user}, {ours}")),
            "{log}"
        );
    }
}

/// The application knows a transfer that has waited for a ticket by the same id as before: it sends under it.
#[test]
fn an_upload_begins_when_its_ticket_is_there() {
    let client = client(account().security(users().remove(0).1));
    let mut world = World::new(config());
    let path = file().with_extension("up");
    let to = TunnelTo::new("localhost", port()).expect("a place");
    let name = path.display().to_string().into_bytes();
    let exchange = Box::new(Sftp::put(Put::new(name)));
    let id = world.session.ssh(to, client, exchange).expect("it starts");
    let (content, mut at) = (content::bytes(300_000), 0);
    let mut outcomes = Vec::new();
    run(
        &mut world.session,
        &mut *world.driver,
        |session, of, event| {
            assert_eq!(of, id);
            match event {
                Event::WantBody { room } if at < content.len() => {
                    let end = content.len().min(at + room);
                    session
                        .send_body(id, Buf::from(&content[at..end]))
                        .expect("room");
                    at = end;
                    if at == content.len() {
                        session.finish_body(id).expect("it was asked for");
                    }
                }
                Event::Done { outcome, .. } => outcomes.push(outcome),
                _ => {}
            }
        },
    )
    .expect("the driver goes on");
    assert!(matches!(&outcomes[..], [Ok(())]), "{outcomes:?}");
    assert_eq!(content::check_file(&path, 300_000), Ok(()));
    fs::remove_file(path).expect("it is there");
}

/// No other credential anywhere: not for the proxy, and not for the server.
#[test]
fn sftp_through_socks5_by_the_same_ticket() {
    let socks = match servers().1.port(Way::Socks) {
        Ok(port) => port,
        Err(why) => return println!("not tested, there is no Dante: {why}"),
    };
    for (name, provider) in users() {
        for level in [
            Protection::None,
            Protection::Integrity,
            Protection::Confidentiality,
        ] {
            let client = client(account().security(Arc::clone(&provider)));
            let proxy = Proxy::parse(&format!("socks5h://localhost:{socks}")).expect("a proxy");
            let proxy = proxy.auth(Auth::negotiate(Arc::clone(&provider)));
            let mut world = World::new(config());
            let outcome = world.sftp(&client, &[proxy.protection(level)]);
            outcome.is_whole();
            let agreed = format!("socks5: authenticated by Kerberos, protection: {level:?}");
            assert!(
                outcome.notes.contains(&agreed),
                "{name}: {:?}",
                outcome.notes
            );
            assert!(outcome.has_note("ssh: logged in as"), "{:?}", outcome.notes);
        }
    }
}

/// Tickets on the way: for a jump host, and for the server behind it.
#[test]
fn jump_hosts_take_tickets() {
    let (name, provider) = users().remove(0);
    let client = client(account().security(provider));
    let jump = Proxy::ssh("localhost", port(), Arc::clone(&client)).expect("a jump");
    let mut world = World::new(config());
    let outcome = world.sftp(&client, std::slice::from_ref(&jump));
    outcome.is_whole();
    let logins = outcome.notes.iter();
    let logins = logins.filter(|note| note.starts_with("ssh: logged in"));
    assert_eq!(logins.count(), 2, "{name}: {:?}", outcome.notes);

    let request = get(&servers().1.http_url("/1k")).proxy(jump);
    let outcome = World::new(config()).fetch(request);
    assert_eq!(outcome.code, 200, "{:?}", outcome.result);
    assert_eq!(content::check(0, &outcome.body), Ok(()));
}

/// A ticket that cannot be had: the next method's turn, and a note that says why.
#[test]
fn without_a_ticket_the_next_method_is_tried() {
    let nowhere = || ticket("alice@NOWHERE.TEST", realms());
    let outcome = World::new(config()).sftp(&client(with_key(account().security(nowhere()))), &[]);
    outcome.is_whole();
    assert!(
        outcome.has_note("gssapi-with-mic does not do"),
        "{:?}",
        outcome.notes
    );
    assert!(outcome.has_note("NOWHERE.TEST"), "{:?}", outcome.notes);

    // Without another one that is the end, and the error says the same.
    let outcome = World::new(config()).sftp(&client(account().security(nowhere())), &[]);
    let error = outcome.error();
    assert_eq!(
        (error.culprit(), error.reason(), error.layer()),
        (Culprit::Policy, Reason::Authentication, "ssh")
    );
    assert!(error.what().contains("tried: gssapi-with-mic ("), "{error}");
    assert!(error.what().contains("NOWHERE.TEST"), "{error}");
}

/// The KDC knows no such service: its code is in the note.
#[test]
fn the_service_and_the_servers_name_can_be_said() {
    let mut credentials = with_key(account().security(users().remove(0).1));
    credentials.service = "nosuch".to_owned();
    let outcome = World::new(config()).sftp(&client(credentials), &[]);
    outcome.is_whole();
    assert!(
        outcome.has_note("(KDC_ERR_S_PRINCIPAL_UNKNOWN, 7)"),
        "{:?}",
        outcome.notes
    );

    // By its address it has no ticket, but with its name it has.
    let mut credentials = account().security(users().remove(0).1);
    credentials.server_identity = Some("localhost".to_owned());
    let client = client(credentials);
    let mut world = World::new(config());
    let to = TunnelTo::new("127.0.0.1", port()).expect("a place");
    let name = file().display().to_string().into_bytes();
    let exchange = Box::new(Sftp::get(Get::new(name)));
    let id = world.session.ssh(to, client, exchange).expect("it starts");
    world.finish(&[id])[0].is_whole();
}

/// A ticket of somebody who is not let in: the server refuses, and another method is tried.
#[test]
fn a_refused_ticket_is_no_end() {
    let stranger = || ticket("short", realms());
    let outcome = World::new(config()).sftp(&client(with_key(account().security(stranger()))), &[]);
    outcome.is_whole();
    assert!(
        outcome.has_note("proven who it is, by Kerberos"),
        "{:?}",
        outcome.notes
    );
    let outcome = World::new(config()).sftp(&client(account().security(stranger())), &[]);
    let error = outcome.error();
    assert_eq!(error.reason(), Reason::Authentication);
    assert!(error.what().contains("tried: gssapi-with-mic"), "{error}");
}

/// What one has logged in is not handed to another, at the same host and account.
#[test]
fn a_connection_is_its_owners() {
    let mut world = World::new(config());
    let owner = client(account().security(users().remove(0).1));
    let other = client(account().security(users().remove(0).1));
    for client in [&owner, &other, &owner, &other] {
        world.sftp(client, &[]).is_whole();
    }
    let refused = client(account().security(ticket("short", realms())));
    let outcome = world.sftp(&refused, &[]);
    assert_eq!(outcome.error().reason(), Reason::Authentication);
}

/// A way to the KDCs over a jump host at which an agent logs in: its messages are the session's affair.
#[test]
fn kdcs_are_asked_over_a_jump_host_with_an_agents_key() {
    let running = Servers::start(&["ssh", "ssh-agent"]).expect("they start");
    let (ssh, agent) = (running.ssh(), running.agent());
    let mut known = KnownHosts::new();
    known.add("known_hosts", fs::read(ssh.known_hosts()).expect("text"));
    let mut rules = HostKeyRules::new();
    rules.known = Arc::new(known);
    let mut identities = Identities::new();
    identities.agent = Some(Endpoint::Unix(agent.socket()));
    let mut credentials = Credentials::new(ssh.user().expect("a user"));
    credentials.keys = Some(Arc::new(identities));
    let jump = Config::new(credentials, Arc::new(rules)).build();
    let jump = Arc::new(jump.expect("good settings"));
    let mut config = config();
    config.kdc_proxies = vec![Proxy::ssh("127.0.0.1", ssh.port(), jump).expect("a jump")];
    let auth = Auth::negotiate(ticket(USER, realms()));
    let request = get(&servers().1.http_url("/private/1k")).auth(auth);
    let outcome = World::new(config).fetch(request);
    assert_eq!(outcome.user(), format!("{USER}@{REALM}"));
}

/// Nobody knows the transfers that ask KDCs: what their layers ask is answered by no, and their events stay inside.
#[test]
fn nobody_is_asked_on_the_way_to_a_kdc() {
    let mut rules = HostKeyRules::new();
    rules.policy = Policy::Ask;
    let jump = Config::new(with_key(account()), Arc::new(rules)).build();
    let jump = Arc::new(jump.expect("good settings"));
    let mut config = config();
    config.kdc_proxies = vec![Proxy::ssh("localhost", port(), jump).expect("a jump")];
    let auth = Auth::negotiate(ticket(USER, realms()));
    let request = get(&servers().1.http_url("/private/1k")).auth(auth);
    let outcome = World::new(config).fetch(request);
    let unknown = outcome.notes.iter();
    let unknown =
        unknown.filter(|note| note.contains("no ticket") && note.contains("is not known"));
    assert!(unknown.count() > 0, "{:?}", outcome.notes);
}

/// Each of many transfers needs the same ticket, which is fetched once.
#[test]
fn parallel_transfers_fetch_one_ticket() {
    let client = client(account().security(users().remove(0).1));
    let mut world = World::new(config());
    let ids: Vec<_> = (0..50)
        .map(|_| world.start_sftp(&client, &[]).expect("it starts"))
        .collect();
    let outcomes = world.finish(&ids);
    outcomes.iter().for_each(Outcome::is_whole);
    let asked = |outcome: &Outcome| {
        let notes = outcome.notes.iter();
        notes.filter(|note| note.contains("asking the KDC")).count()
    };
    // All wait for the same ones: a login in two messages and a ticket.
    let all: Vec<_> = outcomes.iter().map(asked).collect();
    assert!(
        all.iter().all(|count| *count == all[0] && *count <= 4),
        "{all:?}"
    );
}

/// Nobody answers who could give a ticket: the total timeout counts all the same.
#[test]
fn a_transfer_that_waits_for_a_ticket_has_its_total_timeout() {
    let silent = format!("127.0.0.1:{}", servers().0.silent_port());
    let realms = realms().without_kdcs(REALM);
    let realms = realms.kdc(REALM, &silent).expect("a KDC");
    let client = client(account().security(ticket(USER, realms)));
    let mut world = World::new(config());
    let to = TunnelTo::new("localhost", port()).expect("a place");
    let limit = std::time::Duration::from_secs(1);
    let to = to.timeouts(|timeouts| timeouts.total = Some(limit));
    let exchange = Box::new(Sftp::get(Get::new("nothing")));
    let id = world.session.ssh(to, client, exchange).expect("it starts");
    let outcome = world.finish(&[id]).remove(0);
    let error = outcome.error();
    assert_eq!(
        (error.layer(), error.reason()),
        ("kerberos", Reason::TotalTimeout)
    );
}

/// libssh2 does not have the method: it is passed over where there is another, and refused by
/// name when the settings are made where there is none.
#[test]
fn a_library_that_does_not_have_the_method_says_so() {
    let provider = || users().remove(0).1;
    let settings = |credentials| settings(credentials).library(Library::Libssh2);
    let only = settings(account().security(provider())).build();
    let fault = only.expect_err("nothing else");
    assert_eq!(
        (fault.culprit, fault.reason),
        (Culprit::Misuse, Reason::Unsupported)
    );
    assert_eq!(fault.what, "libssh2 has no gssapi-with-mic");
    let both = with_key(account().security(provider()));
    let client = Arc::new(settings(both).build().expect("good settings"));
    let outcome = World::new(config()).sftp(&client, &[]);
    outcome.is_whole();
    assert!(
        outcome.has_note("libssh2 has no gssapi-with-mic"),
        "{:?}",
        outcome.notes
    );
    assert!(!outcome.has_note("KDC"), "{:?}", outcome.notes);
}
