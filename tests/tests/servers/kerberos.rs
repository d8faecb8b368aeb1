//! The KDCs and the servers that take tickets, as MIT's tools, curl and ssh see them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use sockless_tests::servers::{
    HEIMDAL_REALM, Kdc, Kerberized, OTHER_REALM, PASSWORD, REALM, REFERRED, Servers, USER, Way,
};

/// Somebody's tickets and where to get more.
struct Tickets {
    config: PathBuf,
    cache: PathBuf,
}

impl Tickets {
    /// None yet; the cache is gone with the KDCs.
    fn new(kdc: &Kdc) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let config = kdc.config();
        let cache = config.with_file_name(format!("cache-{count}"));
        Self { config, cache }
    }

    fn of(kdc: &Kdc, principal: &str) -> Self {
        let tickets = Self::new(kdc);
        let (good, said) = tickets.log_in(principal, PASSWORD);
        assert!(good, "{principal}: {said}{}", kdc.log());
        tickets
    }

    fn log_in(&self, principal: &str, password: &str) -> (bool, String) {
        let input = format!("{password}\n");
        run(self.command("kinit").arg("-f").arg(principal), &input)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["20", name]);
        let cache = format!("FILE:{}", self.cache.display());
        command.env("KRB5_CONFIG", &self.config);
        command.env("KRB5CCNAME", cache).env("LC_ALL", "C");
        command
    }

    /// What curl printed, after the status.
    fn curl(&self, args: &[&str]) -> (bool, String) {
        let mut curl = self.command("curl");
        curl.args(["-q", "-s", "-S", "-u", ":", "-w", "%{http_code}\n"]);
        run(curl.args(args), "")
    }
}

fn run(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("timeout is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    // It may not want to read it all.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().expect("ours");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    (output.status.success(), all)
}

/// The port of that server, or a line that says why there is none.
fn port(kerberized: &Kerberized, way: Way) -> Option<u16> {
    kerberized
        .port(way)
        .inspect_err(|why| println!("not tested, {way:?} is missing: {why}"))
        .ok()
}

#[test]
fn principals_are_what_their_names_say() {
    let running = Servers::start(&["kdc"]).expect("they start");
    let kdc = running.kdc();
    let tickets = Tickets::new(kdc);
    for (principal, password, says) in [
        (USER, "wrong", "Password incorrect"),
        ("nobody", PASSWORD, "not found in Kerberos database"),
        ("locked", PASSWORD, "credentials have been revoked"),
        (
            "expired",
            PASSWORD,
            "Client's entry in database has expired",
        ),
        ("password-expired", PASSWORD, "Password expired"),
        ("alice@NOWHERE.TEST", PASSWORD, "Cannot find KDC for realm"),
    ] {
        let (good, said) = tickets.log_in(principal, password);
        assert!(!good && said.contains(says), "{principal}: {said}");
    }
    for principal in [USER, "nopreauth", "short", &format!("bob@{OTHER_REALM}")] {
        let (good, said) = tickets.log_in(principal, PASSWORD);
        assert!(good, "{principal}: {said}{}", kdc.log());
    }
    let mut kinit = tickets.command("kinit");
    let (good, said) = run(kinit.arg("-kt").arg(kdc.user_keytab()).arg(USER), "");
    assert!(good, "by keytab: {said}");
}

#[test]
fn both_kdcs_of_a_realm_answer_and_the_silent_one_does_not() {
    let running = Servers::start(&["kdc"]).expect("they start");
    let kdc = running.kdc();
    let text = std::fs::read_to_string(kdc.config()).expect("text");
    let lines = kdc
        .ports()
        .map(|port| format!("  kdc = 127.0.0.1:{port}\n"));
    for line in &lines {
        let mut tickets = Tickets::new(kdc);
        let only = tickets.cache.with_extension("conf");
        std::fs::write(&only, text.replace(line, "")).expect("a file");
        tickets.config = only;
        let (good, said) = tickets.log_in(USER, PASSWORD);
        assert!(good, "{said}{}", kdc.log());
    }
    let mut tickets = Tickets::new(kdc);
    tickets.config = kdc.config_silent_first();
    let (good, said) = tickets.log_in(USER, PASSWORD);
    assert!(good, "the second one has to be asked: {said}");
    tickets.config = kdc.config_silent();
    let mut kinit = tickets.command("kinit");
    let args: Vec<_> = kinit.get_args().skip(1).map(ToOwned::to_owned).collect();
    kinit = Command::new("timeout");
    kinit.arg("3").args(args).arg(USER);
    kinit.env("KRB5_CONFIG", &tickets.config);
    let status = kinit.stdin(Stdio::null()).status().expect("it starts");
    assert_eq!(status.code(), Some(124), "it has to wait in vain");
}

#[test]
fn realms_trust_each_other_and_refer_to_each_other() {
    let running = Servers::start(&["kdc"]).expect("they start");
    let kdc = running.kdc();
    let alice = Tickets::of(kdc, USER);
    let (service, host) = REFERRED.split_once('/').expect("a host's");
    let refer = |tickets: &Tickets| {
        let mut kvno = tickets.command("kvno");
        let (good, said) = run(kvno.args(["-S", service, host]), "");
        assert!(good, "{said}{}", kdc.log());
    };
    refer(&alice);
    let (good, said) = run(&mut alice.command("klist"), "");
    let trust = format!("krbtgt/{OTHER_REALM}@{REALM}");
    assert!(good && said.contains(&trust), "{said}");
    // Without the client's own idea of where the name belongs, the KDC has to say it.
    let mut strange = Tickets::of(kdc, USER);
    let text = std::fs::read_to_string(kdc.config()).expect("text");
    strange.config = strange.cache.with_extension("conf");
    let without = text.replace(".other.test", ".unused.test");
    std::fs::write(&strange.config, without).expect("a file");
    refer(&strange);
    let bob = Tickets::of(kdc, &format!("bob@{OTHER_REALM}"));
    let service = format!("HTTP/localhost@{REALM}");
    let (good, said) = run(bob.command("kvno").arg(&service), "");
    assert!(good, "{said}{}", kdc.log());
}

#[test]
fn heimdal_gives_tickets_too() {
    let running = Servers::start(&["kdc"]).expect("they start");
    let kdc = running.kdc();
    if let Err(why) = kdc.heimdal_port() {
        println!("not tested, Heimdal is missing: {why}");
        return;
    }
    let alice = Tickets::of(kdc, &format!("{USER}@{HEIMDAL_REALM}"));
    let service = format!("HTTP/localhost@{HEIMDAL_REALM}");
    let mut kvno = alice.command("kvno");
    let (good, said) = run(kvno.arg("-k").arg(kdc.service_keytab()).arg(&service), "");
    assert!(good && said.contains("keytab entry valid"), "{said}");
    for name in ["locked", "expired"] {
        let tickets = Tickets::new(kdc);
        let (good, said) = tickets.log_in(&format!("{name}@{HEIMDAL_REALM}"), PASSWORD);
        assert!(!good, "{name}: {said}");
    }
}

#[test]
fn httpd_and_squid_take_tickets_of_every_realm_and_nothing_else() {
    let running = Servers::start(&["kdc", "kerberos"]).expect("they start");
    let (kdc, servers) = (running.kdc(), running.kerberized());
    let ca = servers.ca_pem().display().to_string();
    let proxy = servers.port(Way::Proxy).expect("it is there");
    let proxy = format!("http://localhost:{proxy}");
    let mut users = vec![USER.to_owned(), format!("bob@{OTHER_REALM}")];
    if kdc.heimdal_port().is_ok() {
        users.push(format!("{USER}@{HEIMDAL_REALM}"));
    }
    let everywhere = |tickets: &Tickets, path: &str, status: &str| {
        let (plain, tls) = (servers.http_url(path), servers.https_url(path));
        let through = ["--proxy", &proxy, "--proxy-negotiate", "--proxy-user", ":"];
        for args in [
            &["--negotiate", &plain][..],
            &["--negotiate", "--cacert", &ca, &tls],
            &[&through[..], &["--noproxy", "", &servers.http_url("/1k")]].concat(),
        ] {
            let head = ["-D", "-", "-o", "/dev/null"];
            let (_, said) = tickets.curl(&[&head, args].concat());
            let log = servers.log();
            assert!(
                said.ends_with(&format!("{status}\n")),
                "{args:?}: {said}{log}"
            );
        }
    };
    for user in &users {
        let tickets = Tickets::of(kdc, user);
        everywhere(&tickets, "/private/1k", "200");
        let url = servers.http_url("/private/1k");
        let (_, said) = tickets.curl(&["--negotiate", "-D", "-", "-o", "/dev/null", &url]);
        assert!(said.contains(&format!("X-User: {user}")), "{said}");
        assert!(
            said.contains("WWW-Authenticate: Negotiate o"),
            "a proof: {said}"
        );
    }
    let stranger = Tickets::new(kdc);
    let (_, said) = stranger.curl(&[
        "--negotiate",
        "-o",
        "/dev/null",
        &servers.http_url("/private/1k"),
    ]);
    assert!(said.contains("401\n"), "{said}");
    let (_, said) = stranger.curl(&["-x", &proxy, "-o", "/dev/null", &servers.http_url("/1k")]);
    assert!(said.contains("407\n"), "{said}");
}

#[test]
fn one_ticket_is_enough_for_a_connection_that_is_bound_to_it() {
    let running = Servers::start(&["kdc", "kerberos"]).expect("they start");
    let alice = Tickets::of(running.kdc(), USER);
    let url = running.kerberized().http_url("/connection/1k");
    let out = ["-o", "/dev/null"];
    let args = [&["-v", "--negotiate"], &out[..], &[&url], &out, &[&url]].concat();
    let (good, said) = alice.curl(&args);
    assert!(good && said.matches("200\n").count() == 2, "{said}");
    assert_eq!(
        said.matches("> Authorization: Negotiate").count(),
        1,
        "{said}"
    );
}

#[test]
fn what_is_delegated_is_kept() {
    let running = Servers::start(&["kdc", "kerberos"]).expect("they start");
    let alice = Tickets::of(running.kdc(), USER);
    let servers = running.kerberized();
    let url = servers.http_url("/delegated/1k");
    let kept = || {
        std::fs::read_dir(servers.delegated())
            .expect("a folder")
            .count()
    };
    let (_, said) = alice.curl(&["--negotiate", "-o", "/dev/null", &url]);
    assert!(said.contains("200\n") && kept() == 0, "{said}");
    let always = [
        "--negotiate",
        "--delegation",
        "always",
        "-o",
        "/dev/null",
        &url,
    ];
    let (_, said) = alice.curl(&always);
    assert!(
        said.contains("200\n") && kept() > 0,
        "{said}{}",
        servers.log()
    );
}

#[test]
fn sshd_takes_tickets_and_nothing_else() {
    let running = Servers::start(&["kdc", "kerberos"]).expect("they start");
    let (kdc, servers) = (running.kdc(), running.kerberized());
    let port = servers.port(Way::Ssh).expect("it is there").to_string();
    let known = format!("UserKnownHostsFile={}", servers.known_hosts().display());
    let log_in = |tickets: &Tickets, program: &str| {
        let mut command = tickets.command(program);
        command.args(["-F", "none", "-o", "BatchMode=yes", "-o", &known]);
        command.args([
            "-o",
            "GSSAPIAuthentication=yes",
            "-o",
            "PubkeyAuthentication=no",
        ]);
        let user = servers.ssh_user().expect("id");
        let to = format!("{user}@localhost");
        match program {
            "sftp" => run(command.args(["-q", "-P", &port, "-b", "-", &to]), "pwd\n"),
            _ => run(command.args(["-p", &port, &to, "echo in"]), ""),
        }
    };
    let alice = Tickets::of(kdc, USER);
    let (good, said) = log_in(&alice, "ssh");
    assert!(good && said.contains("in\n"), "{said}{}", servers.log());
    let (good, said) = log_in(&alice, "sftp");
    assert!(
        good && said.contains("working directory"),
        "{said}{}",
        servers.log()
    );
    let (good, said) = log_in(&Tickets::of(kdc, "nopreauth"), "ssh");
    assert!(!good && said.contains("Permission denied"), "{said}");
}

#[test]
fn dante_takes_tickets_and_nothing_else() {
    let running = Servers::start(&["kdc", "kerberos"]).expect("they start");
    let (kdc, servers) = (running.kdc(), running.kerberized());
    let Some(port) = port(servers, Way::Socks) else {
        return;
    };
    let target = servers.port(Way::Http).expect("it is there");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/socks5.py");
    let through = |tickets: &Tickets, level: &str| {
        let mut python = tickets.command("/usr/bin/python3");
        python.args(["-IB", program, &port.to_string(), level]);
        run(python.arg(target.to_string()), "")
    };
    let alice = Tickets::of(kdc, USER);
    // Nothing, integrity, confidentiality: RFC 1961, section 4.3, and what Dante adds.
    for level in ["0", "1", "2"] {
        let (good, said) = through(&alice, level);
        assert!(
            good && said.contains("200 OK"),
            "{level}: {said}{}",
            servers.log()
        );
    }
    let (good, said) = through(&Tickets::new(kdc), "2");
    assert!(!good && said.contains("No credentials"), "{said}");
    let proxy = format!("localhost:{port}");
    let (good, said) = alice.curl(&[
        "--noproxy",
        "",
        "--socks5",
        &proxy,
        &servers.http_url("/1k"),
    ]);
    assert!(!good, "without a ticket: {said}");
}

#[test]
fn tickets_are_bound_to_the_connection_where_that_is_asked_for() {
    let running = Servers::start(&["kdc", "kerberos"]).expect("they start");
    let (kdc, servers) = (running.kdc(), running.kerberized());
    let alice = Tickets::of(kdc, USER);
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/bound.py");
    let port = servers.port(Way::Bound).expect("it is there").to_string();
    let get = |binding: &str| {
        let mut python = alice.command("/usr/bin/python3");
        run(python.args(["-IB", program, &port, binding]), "")
    };
    let (good, said) = get("right");
    assert!(
        good && said.contains("200 alice@"),
        "{said}{}",
        servers.log()
    );
    let (_, said) = get("wrong");
    assert!(
        said.contains("403 ") && said.contains("channel bindings"),
        "{said}"
    );
    let (_, said) = get("none");
    assert!(said.contains("403 the ticket is not bound"), "{said}");
    let ca = servers.ca_pem().display().to_string();
    let (_, said) = Tickets::new(kdc).curl(&["--cacert", &ca, &servers.bound_url()]);
    assert!(said.contains("401\n"), "{said}");
}
