//! SSH and Kerberos in the model: settings that are made, set, used and freed at any moment.

use core::ffi::c_void;

use sockless_capi::Status;
use sockless_capi::event::{
    sockless_question_answer, sockless_question_confirm, sockless_question_decline,
};
use sockless_capi::kerberos::{
    KerberosData, KerberosText, sockless_kerberos_add_kdc, sockless_kerberos_free,
    sockless_kerberos_new, sockless_kerberos_set_data, sockless_kerberos_set_number,
    sockless_kerberos_set_text,
};
use sockless_capi::request::{
    RequestNumber, RequestText, sockless_request_add_proxy, sockless_request_add_ssh_proxy,
    sockless_request_set_body, sockless_request_set_kerberos, sockless_request_set_number,
    sockless_request_set_proxy_header, sockless_request_set_proxy_kerberos,
    sockless_request_set_ssh, sockless_request_set_text,
};
use sockless_capi::ssh::{
    SshNumber, SshText, sockless_ssh_free, sockless_ssh_new, sockless_ssh_set_number,
    sockless_ssh_set_text, sockless_ssh_take_hosts,
};
use sockless_capi::text::Text;
use sockless_capi::tls::{
    sockless_tls_export_sessions, sockless_tls_free, sockless_tls_import_sessions,
    sockless_tls_new, sockless_tls_set_pkcs12,
};
use sockless_capi::transfer::sockless_transfer_send_item;

use super::Model;

const SSH_TEXTS: &[(SshText, &str)] = &[
    (SshText::User, "me"),
    (SshText::Password, "secret"),
    (SshText::Agent, "agent"),
    (SshText::KnownHosts, "127.0.0.1 ssh-ed25519 AAAA\n"),
    (SshText::Methods, "password"),
    (SshText::Kex, "+diffie-hellman-group14-sha1"),
    (SshText::Ciphers, "aes256-ctr"),
];

const SSH_NUMBERS: &[(SshNumber, u64)] = &[
    (SshNumber::NewHosts, 3),
    (SshNumber::NewHosts, 2),
    (SshNumber::Ask, 1),
    (SshNumber::Compression, 1),
    (SshNumber::Window, 1 << 20),
    (SshNumber::Keepalive, 1_000_000_000),
    (SshNumber::RekeyBytes, 1 << 20),
];

const FILE_NUMBERS: &[(RequestNumber, u64)] = &[
    (RequestNumber::Offset, 5),
    (RequestNumber::LastByte, 9),
    (RequestNumber::Tail, 3),
    (RequestNumber::Placing, 1),
    (RequestNumber::FileMode, 0o600),
    (RequestNumber::MakeDirectories, 1),
    (RequestNumber::Sync, 1),
    (RequestNumber::Recursive, 1),
    (RequestNumber::Listing, 2),
    (RequestNumber::NoFile, 1),
    (RequestNumber::Unasked, 1),
    (RequestNumber::Unproven, 1),
];

const REQUEST_TEXTS: &[(RequestText, &str)] = &[
    (RequestText::Command, "true"),
    (RequestText::Quote, "-*rm \"a b\""),
    (RequestText::Suffix, ".part"),
    (RequestText::Service, "host"),
    (RequestText::ServiceHost, "elsewhere"),
];

/// What there may be of such settings at once.
const MOST: usize = 8;

fn at(text: &str) -> *const c_void {
    text.as_ptr().cast()
}

impl Model {
    /// One of everything that can be done with them.
    pub(super) fn settings(&mut self) {
        match self.dice.u32(..12) {
            0 | 1 => self.make_ssh(),
            2 | 3 => self.set_ssh(),
            4 => self.free_ssh(),
            5 | 6 => self.make_kerberos(),
            7 => self.free_kerberos(),
            8 => self.sessions(),
            9 => self.questions_that_are_none(),
            _ => self.dress_request(),
        }
    }

    fn make_ssh(&mut self) {
        if self.ssh.live.len() >= MOST {
            return;
        }
        let mut ssh = 0;
        // SAFETY: storage of the rig's and this function's.
        let status = unsafe { sockless_ssh_new(self.rig.engine(), &raw mut ssh) };
        if cfg!(feature = "ssh") {
            self.expect(status, Status::Ok);
            self.ssh.live.push(ssh);
        } else {
            self.expect(status, Status::Refused);
        }
    }

    /// Once they are in use, they stay as they are.
    fn set_ssh(&mut self) {
        let Some(index) = self.pick(self.ssh.live.len()) else {
            return;
        };
        let (ssh, engine) = (self.ssh.live[index], self.rig.engine());
        let used = self.used.contains(&ssh);
        let (option, text) = self.dice.choice(SSH_TEXTS).copied().expect("one");
        // SAFETY: storage of the rig's, texts of this module's.
        let status =
            unsafe { sockless_ssh_set_text(engine, ssh, option as u32, at(text), text.len()) };
        self.expect(status, if used { Status::Order } else { Status::Ok });
        let (option, value) = self.dice.choice(SSH_NUMBERS).copied().expect("one");
        // SAFETY: storage of the rig's.
        let status = unsafe { sockless_ssh_set_number(engine, ssh, option as u32, value) };
        self.expect(status, if used { Status::Order } else { Status::Ok });
        let mut lines = Text {
            data: core::ptr::null(),
            length: 0,
        };
        // SAFETY: storage of the rig's and this function's.
        let status = unsafe { sockless_ssh_take_hosts(engine, ssh, &raw mut lines) };
        self.expect(status, Status::Ok);
        // SAFETY: storage of the rig's.
        let status = unsafe { sockless_ssh_set_number(engine, ssh, 1000, 1) };
        self.expect(status, if used { Status::Order } else { Status::Option });
    }

    fn free_ssh(&mut self) {
        let engine = self.rig.engine();
        if let Some(index) = self.pick(self.ssh.live.len()) {
            let ssh = self.ssh.live[index];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_ssh_free(engine, ssh) };
            self.expect(status, Status::Ok);
            self.ssh.end(ssh);
        }
        if let Some(index) = self.pick(self.ssh.dead.len()) {
            let ssh = self.ssh.dead[index];
            // SAFETY: storage of the rig's, a text of this function's.
            let status = unsafe { sockless_ssh_set_text(engine, ssh, 1, at("me"), 2) };
            self.expect(status, Status::Stale);
        }
    }

    fn make_kerberos(&mut self) {
        if self.kerberos.live.len() >= MOST {
            return;
        }
        let (mut kerberos, engine) = (0, self.rig.engine());
        // SAFETY: storage of the rig's and this function's.
        let status = unsafe { sockless_kerberos_new(engine, &raw mut kerberos) };
        self.expect(status, Status::Ok);
        self.kerberos.live.push(kerberos);
        // SAFETY: storage of the rig's, texts of this function's.
        unsafe {
            let text = |option: KerberosText, text: &str| {
                sockless_kerberos_set_text(engine, kerberos, option as u32, at(text), text.len())
            };
            let kdc = match self.dice.bool() {
                true => "127.0.0.1:9",
                false => "tcp/kdc.example",
            };
            let answers = [
                text(KerberosText::User, "alice@A.TEST"),
                text(KerberosText::Password, "secret"),
                sockless_kerberos_add_kdc(engine, kerberos, at("A.TEST"), 6, at(kdc), kdc.len()),
                sockless_kerberos_set_number(engine, kerberos, 1, self.dice.u64(..2)),
            ];
            for status in answers {
                self.expect(status, Status::Ok);
            }
            if self.dice.u32(..4) == 0 {
                let cache = KerberosData::Ccache as u32;
                let status = sockless_kerberos_set_data(engine, kerberos, cache, at("none"), 4);
                self.expect(status, Status::Ok);
            }
        }
    }

    fn free_kerberos(&mut self) {
        if let Some(index) = self.pick(self.kerberos.live.len()) {
            let kerberos = self.kerberos.live[index];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_kerberos_free(self.rig.engine(), kerberos) };
            self.expect(status, Status::Ok);
            self.kerberos.end(kerberos);
        }
        if let Some(index) = self.pick(self.kerberos.dead.len()) {
            let kerberos = self.kerberos.dead[index];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_kerberos_free(self.rig.engine(), kerberos) };
            self.expect(status, Status::Stale);
        }
    }

    /// Gives a request what belongs to these ways; also what does not go together.
    fn dress_request(&mut self) {
        let Some(index) = self.pick(self.requests.live.len()) else {
            return;
        };
        let (request, engine) = (self.requests.live[index], self.rig.engine());
        let (option, value) = self.dice.choice(FILE_NUMBERS).copied().expect("one");
        // SAFETY: storage of the rig's.
        let status = unsafe { sockless_request_set_number(engine, request, option as u32, value) };
        self.expect(status, Status::Ok);
        let (option, text) = self.dice.choice(REQUEST_TEXTS).copied().expect("one");
        // SAFETY: storage of the rig's, texts of this module's.
        unsafe {
            let text = (at(text), text.len());
            let status = sockless_request_set_text(engine, request, option as u32, text.0, text.1);
            self.expect(status, Status::Ok);
            if self.dice.bool() {
                let status = sockless_request_set_body(engine, request, at("body"), 4);
                self.expect(status, Status::Ok);
            }
        }
        self.dress_with_handles(request);
    }

    fn dress_with_handles(&mut self, request: u64) {
        let engine = self.rig.engine();
        if let Some(index) = self.pick(self.ssh.live.len()) {
            let ssh = self.ssh.live[index];
            // SAFETY: storage of the rig's, texts of this function's.
            let (set, jump) = unsafe {
                let jumps = "me@127.0.0.1:9";
                (
                    sockless_request_set_ssh(engine, request, ssh),
                    self.dice.u32(..4) == 0
                        && sockless_request_add_ssh_proxy(engine, request, at(jumps), 14, ssh) != 0,
                )
            };
            self.expect(set, Status::Ok);
            assert!(!jump, "{:?}", self.rig.why());
            self.used.push(ssh);
        }
        if let Some(index) = self.pick(self.kerberos.live.len()) {
            let kerberos = self.kerberos.live[index];
            // SAFETY: storage of the rig's, texts of this function's.
            let answers = unsafe {
                let proxy = "socks5://127.0.0.1:9";
                [
                    sockless_request_set_kerberos(engine, request, kerberos),
                    match self.dice.u32(..4) {
                        0 => sockless_request_add_proxy(engine, request, at(proxy), proxy.len()),
                        _ => 0,
                    },
                    sockless_request_set_proxy_kerberos(engine, request, kerberos),
                ]
            };
            // The cache is none, no backend is built in, or there is no proxy.
            let may = [Status::Ok, Status::Refused, Status::Order];
            for status in answers {
                assert!(may.iter().any(|one| *one as i32 == status), "{status}");
            }
        }
        let none = core::ptr::null();
        // SAFETY: storage of the rig's.
        unsafe {
            let status = sockless_request_set_proxy_header(engine, request, 1, none, 0, none, 0);
            self.expect(status, Status::Ok);
            let status = sockless_request_set_ssh(engine, request, self.foreign);
            assert!([Status::Foreign as i32, Status::Kind as i32].contains(&status));
            let status = sockless_request_set_kerberos(engine, request, request);
            self.expect(status, Status::Kind);
        }
    }

    fn sessions(&mut self) {
        let engine = self.rig.engine();
        let (mut tls, mut kept, mut count) = (0, 0, 0);
        let mut data = Text {
            data: core::ptr::null(),
            length: 0,
        };
        // SAFETY: storage of the rig's and this function's.
        unsafe {
            let status = sockless_tls_new(engine, &raw mut tls);
            self.expect(status, Status::Ok);
            if self.dice.bool() {
                let status = sockless_tls_set_pkcs12(engine, tls, at("none"), 4, at("x"), 1);
                self.expect(status, Status::Ok);
            }
            // rustls has neither.
            let status = sockless_tls_export_sessions(engine, tls, &raw mut data, &raw mut kept);
            self.expect(status, Status::Refused);
            let status = sockless_tls_import_sessions(engine, tls, at("none"), 4, &raw mut count);
            self.expect(status, Status::Refused);
            let status = sockless_tls_free(engine, tls);
            self.expect(status, Status::Ok);
        }
    }

    /// No peer of the model gets so far that a layer asks: but what is no question is told from one.
    fn questions_that_are_none(&mut self) {
        let (engine, wrong) = (self.rig.engine(), self.dice.u64(..));
        let known = [Status::Foreign, Status::Kind, Status::Stale];
        // SAFETY: storage of the rig's, texts of this function's.
        let answers = unsafe {
            let line = Text {
                data: at("x").cast(),
                length: 1,
            };
            [
                sockless_question_confirm(engine, wrong, 1),
                sockless_question_answer(engine, wrong, &raw const line, 1),
                sockless_question_decline(engine, wrong, at("x").cast(), 1),
                sockless_transfer_send_item(engine, wrong, at("x"), 1, 3, u64::MAX),
            ]
        };
        for status in answers {
            assert!(known.iter().any(|one| *one as i32 == status), "{status}");
        }
        if let Some(index) = self.pick(self.transfers.live.len()) {
            let transfer = self.transfers.live[index];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_question_confirm(engine, transfer, 1) };
            self.expect(status, Status::Kind);
        }
    }
}
