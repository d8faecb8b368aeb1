//! SSH in C: settings, and what they refuse. (What comes over the wire, real servers show.)

use core::ffi::c_void;

use sockless_capi::Status;
use sockless_capi::engine::Engine;
use sockless_capi::error::{Layer, Reason};
use sockless_capi::kerberos::{
    KerberosData, KerberosText, sockless_kerberos_new, sockless_kerberos_set_data,
    sockless_kerberos_set_text,
};
use sockless_capi::operation::OperationKind;
#[cfg(any(feature = "kerberos-gssapi", feature = "kerberos-rust"))]
use sockless_capi::request::sockless_request_set_kerberos;
use sockless_capi::request::{
    RequestNumber, RequestText, sockless_request_add_proxy, sockless_request_add_ssh_proxy,
    sockless_request_set_body, sockless_request_set_number, sockless_request_set_proxy_kerberos,
    sockless_request_set_ssh, sockless_request_set_text, sockless_request_start,
};
use sockless_capi::ssh::{
    SshNumber, SshText, sockless_ssh_free, sockless_ssh_new, sockless_ssh_set_kerberos,
    sockless_ssh_set_number, sockless_ssh_set_text, sockless_ssh_take_hosts,
};
use sockless_capi::text::Text;
use sockless_capi::transfer::sockless_transfer_send_item;

use crate::rig::Rig;

/// SSH settings and a rig to use them in.
struct Settings {
    rig: Rig,
    ssh: u64,
}

impl Settings {
    fn new(seed: u64) -> Self {
        let (mut rig, mut ssh) = (Rig::new(seed), 0);
        // SAFETY: storage of the rig's and this function's.
        let status = unsafe { sockless_ssh_new(rig.engine(), &raw mut ssh) };
        assert_eq!(status, 0, "{:?}", rig.why());
        Self { rig, ssh }
    }

    fn text(&mut self, option: SshText, text: &str) -> i32 {
        let (engine, option) = (self.rig.engine(), option as u32);
        let at: *const c_void = text.as_ptr().cast();
        // SAFETY: storage of the rig's, a text of the caller's.
        unsafe { sockless_ssh_set_text(engine, self.ssh, option, at, text.len()) }
    }

    fn kerberos(&mut self, kerberos: u64) -> i32 {
        // SAFETY: storage of the rig's.
        unsafe { sockless_ssh_set_kerberos(self.rig.engine(), self.ssh, kerberos) }
    }

    fn number(&mut self, option: u32, value: u64) -> i32 {
        // SAFETY: storage of the rig's.
        unsafe { sockless_ssh_set_number(self.rig.engine(), self.ssh, option, value) }
    }

    /// A request to that URL with the settings, and the status of setting them.
    fn request(&mut self, url: &str) -> (u64, i32) {
        let request = self.rig.request(RequestText::Url, url);
        // SAFETY: storage of the rig's.
        let set = unsafe { sockless_request_set_ssh(self.rig.engine(), request, self.ssh) };
        (request, set)
    }

    fn set(&mut self, request: u64, option: RequestNumber, value: u64) -> i32 {
        let (engine, option) = (self.rig.engine(), option as u32);
        // SAFETY: storage of the rig's.
        unsafe { sockless_request_set_number(engine, request, option, value) }
    }

    fn text_of(&mut self, request: u64, option: RequestText, text: &str) -> i32 {
        let (engine, option) = (self.rig.engine(), option as u32);
        let at: *const c_void = text.as_ptr().cast();
        // SAFETY: storage of the rig's, a text of the caller's.
        unsafe { sockless_request_set_text(engine, request, option, at, text.len()) }
    }

    fn start(&mut self, request: u64) -> i32 {
        let (mut transfer, user) = (0, core::ptr::null_mut());
        // SAFETY: storage of the rig's and this function's.
        unsafe { sockless_request_start(self.rig.engine(), 1000, request, user, &raw mut transfer) }
    }
}

#[test]
fn settings_are_looked_at() {
    let mut settings = Settings::new(1);
    assert_eq!(
        settings.text(SshText::KeyPassphrase, "x"),
        Status::Order as i32
    );
    assert_eq!(settings.text(SshText::Key, "no key"), 0);
    assert_eq!(settings.text(SshText::KeyPassphrase, "x"), 0);
    assert_eq!(
        settings.number(SshNumber::NewHosts as u32, 4),
        Status::Range as i32
    );
    assert_eq!(
        settings.number(SshNumber::Window as u32, 1),
        Status::Range as i32
    );
    assert_eq!(
        settings.number(SshNumber::Keepalive as u32, 0),
        Status::Range as i32
    );
    assert_eq!(settings.number(99, 0), Status::Option as i32);
    let (_, set) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(set, Status::Refused as i32);
    let (_, layer, text) = settings.rig.why().expect("a failure");
    assert!(layer == Layer::Ssh as u32 && text.contains("key"), "{text}");
    // SAFETY: storage of the rig's.
    unsafe {
        let engine = settings.rig.engine();
        assert_eq!(sockless_ssh_free(engine, settings.ssh), 0);
        assert_eq!(
            sockless_ssh_free(engine, settings.ssh),
            Status::Stale as i32
        );
    }
}

#[test]
fn settings_in_use_stay_what_they_are() {
    let mut settings = Settings::new(2);
    assert_eq!(settings.text(SshText::HostMd5, "00:11"), 0);
    let (_, set) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(set, Status::Refused as i32, "a fingerprint that is none");
    let mut settings = Settings::new(3);
    assert_eq!(settings.text(SshText::Ciphers, "rot13"), 0);
    let (_, set) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(set, Status::Refused as i32, "an algorithm that is none");
    let mut settings = Settings::new(4);
    let (_, set) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(set, 0);
    assert_eq!(settings.text(SshText::User, "you"), Status::Order as i32);
    assert_eq!(
        settings.number(SshNumber::Ask as u32, 1),
        Status::Order as i32
    );
}

#[test]
fn somebody_has_to_log_in() {
    let mut settings = Settings::new(5);
    let (request, set) = settings.request("sftp://127.0.0.1/x");
    assert_eq!(set, 0);
    assert_eq!(settings.start(request), Status::Refused as i32);
    let (reason, layer, text) = settings.rig.why().expect("a failure");
    assert_eq!(
        (reason, layer),
        (Reason::BadRequest as u32, Layer::Ssh as u32),
        "{text}"
    );
}

#[test]
fn what_scp_cannot_do_is_said_at_once() {
    for (option, value) in [
        (RequestNumber::Offset, 1),
        (RequestNumber::Placing, 1),
        (RequestNumber::NoFile, 1),
        (RequestNumber::BodyChunked, 1),
    ] {
        let mut settings = Settings::new(6);
        let (request, _) = settings.request("scp://me@127.0.0.1/x");
        assert_eq!(settings.set(request, option, value), 0);
        assert_eq!(
            settings.start(request),
            Status::Refused as i32,
            "{option:?}"
        );
        let (_, layer, text) = settings.rig.why().expect("a failure");
        assert!(
            layer == Layer::Scp as u32 && text.contains("sftp"),
            "{text}"
        );
    }
    let mut settings = Settings::new(7);
    let (request, _) = settings.request("ssh://me@127.0.0.1");
    assert_eq!(settings.start(request), Status::Order as i32, "no command");
    assert_eq!(
        settings.set(request, RequestNumber::FileMode, 0o10000),
        Status::Range as i32
    );
    assert_eq!(
        settings.set(request, RequestNumber::Listing, 3),
        Status::Range as i32
    );
}

#[test]
fn a_bound_that_would_not_hold_is_refused() {
    let order = Status::Order as i32;
    for (url, also, status) in [
        ("sftp://me@127.0.0.1/x", None, 0),
        ("sftp://me@127.0.0.1/x/", None, 0),
        (
            "sftp://me@127.0.0.1/x/",
            Some((RequestNumber::Listing, 2)),
            order,
        ),
        (
            "sftp://me@127.0.0.1/x",
            Some((RequestNumber::Recursive, 1)),
            order,
        ),
        (
            "scp://me@127.0.0.1/x",
            Some((RequestNumber::Recursive, 1)),
            order,
        ),
    ] {
        let mut settings = Settings::new(13);
        let (request, _) = settings.request(url);
        assert_eq!(settings.set(request, RequestNumber::MaxBody, 1000), 0);
        if let Some((option, value)) = also {
            assert_eq!(settings.set(request, option, value), 0);
        }
        assert_eq!(settings.start(request), status, "{url} {also:?}");
        // Without the bound each of them goes.
        let never = sockless_capi::poll::NEVER;
        assert_eq!(settings.set(request, RequestNumber::MaxBody, never), 0);
        assert_eq!(settings.start(request), 0, "{url} {also:?}");
    }
}

#[test]
fn a_bad_command_is_refused_and_a_good_one_connects() {
    let mut settings = Settings::new(8);
    let (request, _) = settings.request("sftp://me:secret@127.0.0.1:2222/~/x");
    let engine = settings.rig.engine();
    let quote = RequestText::Quote as u32;
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        let set = |text: &str| {
            sockless_request_set_text(engine, request, quote, text.as_ptr().cast(), text.len())
        };
        assert_eq!(set("rm x"), 0);
        assert_eq!(settings.start(request), 0, "{:?}", settings.rig.why());
        assert_eq!(set("dance"), 0);
    }
    assert_eq!(settings.start(request), Status::Refused as i32);
    let (reason, _, text) = settings.rig.why().expect("a failure");
    assert!(
        reason == Reason::Quote as u32 && !text.contains("secret"),
        "{text}"
    );
    let connect = settings.rig.operation();
    assert_eq!(connect.kind, OperationKind::Connect as u32);
    assert_eq!(settings.rig.complete(connect.id, 0), 0);
    let send = settings.rig.operation();
    let said = Rig::said(&send);
    assert!(said.starts_with(b"SSH-2.0-"), "{said:?}");
}

#[test]
fn jumps_are_written_as_openssh_writes_them() {
    let mut settings = Settings::new(9);
    let (request, _) = settings.request("sftp://me@127.0.0.1/x");
    let (engine, ssh) = (settings.rig.engine(), settings.ssh);
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        let add = |text: &str| {
            let at: *const c_void = text.as_ptr().cast();
            sockless_request_add_ssh_proxy(engine, request, at, text.len(), ssh)
        };
        assert_eq!(add("me@127.0.0.9:none"), Status::Refused as i32);
        // Nobody logs in at the second.
        assert_eq!(add("me@127.0.0.9,127.0.0.8"), Status::Refused as i32);
        assert_eq!(add("me@127.0.0.9:29"), 0);
    }
    assert_eq!(settings.start(request), 0);
    let connect = settings.rig.operation();
    // SAFETY: the operation's own address.
    let address = unsafe { core::slice::from_raw_parts(connect.address.cast::<u8>(), 8) };
    assert_eq!(address[2..8], [0, 29, 127, 0, 0, 9]);
}

/// Where the first connection of a request goes: port and address.
fn first_stop(settings: &mut Settings, request: u64) -> [u8; 6] {
    assert_eq!(settings.start(request), 0, "{:?}", settings.rig.why());
    let connect = settings.rig.operation();
    // SAFETY: the operation's own address.
    let address = unsafe { core::slice::from_raw_parts(connect.address.cast::<u8>(), 8) };
    address[2..8].try_into().expect("six bytes")
}

#[test]
fn jump_hosts_stay_where_no_proxy_is_wanted() {
    for url in ["sftp://me@127.0.0.1/x", "http://127.0.0.1/x"] {
        for (no_proxy, port) in [("127.0.0.2", 7), ("127.0.0.1", 29)] {
            let mut settings = Settings::new(14);
            let (request, _) = settings.request(url);
            let (engine, ssh) = (settings.rig.engine(), settings.ssh);
            assert_eq!(settings.text_of(request, RequestText::NoProxy, no_proxy), 0);
            let (proxy, jump) = ("socks5://127.0.0.9:7", "me@127.0.0.9:29");
            // SAFETY: storage of the rig's, texts of this function's.
            unsafe {
                let at = proxy.as_ptr().cast();
                let status = sockless_request_add_proxy(engine, request, at, proxy.len());
                assert_eq!(status, 0);
                let at = jump.as_ptr().cast();
                let status = sockless_request_add_ssh_proxy(engine, request, at, jump.len(), ssh);
                assert_eq!(status, 0);
            }
            let stop = first_stop(&mut settings, request);
            assert_eq!(stop, [0, port, 127, 0, 0, 9], "{url} {no_proxy}");
        }
    }
}

#[test]
fn the_request_says_who_logs_in_where_the_url_does_not() {
    let mut settings = Settings::new(15);
    let (request, _) = settings.request("sftp://127.0.0.1/x");
    assert_eq!(settings.start(request), Status::Refused as i32);
    assert_eq!(settings.text_of(request, RequestText::User, "me"), 0);
    assert_eq!(settings.start(request), 0, "{:?}", settings.rig.why());
}

#[test]
fn what_has_no_place_over_ssh_is_refused() {
    let order = Status::Order as i32;
    for (option, text) in [
        (RequestText::Bearer, "token"),
        (RequestText::UnixSocket, "/run/x"),
    ] {
        let mut settings = Settings::new(16);
        let (request, _) = settings.request("sftp://me@127.0.0.1/x");
        assert_eq!(settings.text_of(request, option, text), 0);
        assert_eq!(settings.start(request), order, "{option:?}");
    }
    let mut settings = Settings::new(17);
    let (request, _) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(settings.set(request, RequestNumber::Secured, 1), 0);
    assert_eq!(settings.start(request), order);
    assert_eq!(settings.set(request, RequestNumber::Secured, 0), 0);
    assert_eq!(settings.start(request), 0);
    #[cfg(any(feature = "kerberos-gssapi", feature = "kerberos-rust"))]
    {
        let kerberos = kerberos(&mut settings.rig);
        let engine = settings.rig.engine();
        // SAFETY: storage of the rig's.
        let set = unsafe { sockless_request_set_kerberos(engine, request, kerberos) };
        assert_eq!(set, 0, "{:?}", settings.rig.why());
        assert_eq!(settings.start(request), order);
    }
}

#[test]
fn hosts_that_were_learned_are_given_as_lines() {
    let mut settings = Settings::new(10);
    let mut lines = Text {
        data: core::ptr::null(),
        length: 1,
    };
    // SAFETY: storage of the rig's and this function's.
    unsafe {
        let engine = settings.rig.engine();
        assert_eq!(
            sockless_ssh_take_hosts(engine, settings.ssh, &raw mut lines),
            0
        );
        let null = sockless_ssh_take_hosts(engine, settings.ssh, core::ptr::null_mut());
        assert_eq!(null, Status::Null as i32);
    }
    assert_eq!(lines.length, 0);
}

#[test]
fn items_and_bodies_are_for_transfers_that_want_them() {
    let mut settings = Settings::new(11);
    let (request, _) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(settings.set(request, RequestNumber::Recursive, 1), 0);
    let engine = settings.rig.engine();
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        let status = sockless_request_set_body(engine, request, b"x".as_ptr().cast(), 1);
        assert_eq!(status, 0);
        let transfer = settings.rig.start(request);
        let item = |transfer, mode| {
            sockless_transfer_send_item(engine, transfer, b"a".as_ptr().cast(), 1, 3, mode)
        };
        assert_eq!(item(request, 0o600), Status::Kind as i32);
        assert_eq!(item(transfer, 1 << 40), Status::Range as i32);
        let early = item(transfer, 0o600);
        assert!(early == 0 || early == Status::Refused as i32, "{early}");
    }
}

#[test]
fn tickets_for_logins_are_looked_at() {
    let mut settings = Settings::new(9);
    let own = settings.ssh;
    assert_eq!(settings.kerberos(0), Status::Null as i32);
    assert_eq!(settings.kerberos(own), Status::Kind as i32);
    let (mut kerberos, engine) = (0, settings.rig.engine());
    // SAFETY: storage of the rig's and this function's.
    let status = unsafe { sockless_kerberos_new(engine, &raw mut kerberos) };
    assert_eq!(status, 0);
    // Nobody is in them yet.
    assert_eq!(settings.kerberos(kerberos), Status::Order as i32);
}

/// Kerberos settings that will do as far as anybody sees without asking a KDC.
fn kerberos(rig: &mut Rig) -> u64 {
    let (mut kerberos, engine) = (0, rig.engine());
    // SAFETY: storage of the rig's and this function's, texts of this function's.
    unsafe {
        assert_eq!(sockless_kerberos_new(engine, &raw mut kerberos), 0);
        for (option, text) in [
            (KerberosText::User, "alice@A.TEST"),
            (KerberosText::Password, "secret"),
        ] {
            assert_eq!(kerberos_text(engine, kerberos, option, text), 0);
        }
        let random: *const c_void = [7_u8; 32].as_ptr().cast();
        let option = KerberosData::Random as u32;
        let status = sockless_kerberos_set_data(engine, kerberos, option, random, 32);
        assert_eq!(status, 0);
    }
    kerberos
}

/// # Safety
/// `engine` is a rig's.
unsafe fn kerberos_text(
    engine: *mut Engine,
    kerberos: u64,
    option: KerberosText,
    text: &str,
) -> i32 {
    let at: *const c_void = text.as_ptr().cast();
    // SAFETY: the caller's promise, and a text of the caller's.
    unsafe { sockless_kerberos_set_text(engine, kerberos, option as u32, at, text.len()) }
}

#[test]
fn a_refused_call_puts_no_settings_to_use() {
    let mut settings = Settings::new(12);
    let kerberos = kerberos(&mut settings.rig);
    // No proxy, and one that takes no tickets.
    let request = settings.rig.request(RequestText::Url, "http://127.0.0.1/");
    let (engine, ssh) = (settings.rig.engine(), settings.ssh);
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        let set = || sockless_request_set_proxy_kerberos(engine, request, kerberos);
        assert_eq!(set(), Status::Order as i32);
        let proxy = "socks4://127.0.0.1:9";
        let at = proxy.as_ptr().cast();
        let status = sockless_request_add_proxy(engine, request, at, proxy.len());
        assert_eq!(status, 0);
        assert_eq!(set(), Status::Refused as i32);
        // A list that is none, and hosts at which nobody logs in.
        for jumps in ["me@127.0.0.9:none", "me@127.0.0.9,127.0.0.8"] {
            let at = jumps.as_ptr().cast();
            let status = sockless_request_add_ssh_proxy(engine, request, at, jumps.len(), ssh);
            assert_eq!(status, Status::Refused as i32);
        }
    }
    assert_eq!(settings.text(SshText::Agent, "agent"), 0, "still open");
    // SSH settings that are in use.
    let (_, set) = settings.request("sftp://me@127.0.0.1/x");
    assert_eq!(set, 0);
    assert_eq!(settings.kerberos(kerberos), Status::Order as i32);
    // SAFETY: the rig's engine.
    let status = unsafe { kerberos_text(engine, kerberos, KerberosText::DefaultRealm, "A.TEST") };
    assert_eq!(status, 0, "still open");
}
