//! Settings of SSH and Kerberos, and what goes with them: each thing that cannot be has its status.

use core::ffi::c_void;
use core::ptr::null;

use sockless_capi::Status;
use sockless_capi::engine::sockless_engine_add_kdc_proxy;
use sockless_capi::error::{Layer, Reason};
use sockless_capi::event::{
    sockless_data_release, sockless_question_answer, sockless_question_confirm,
    sockless_question_decline,
};
use sockless_capi::kerberos::{
    KerberosData, KerberosNumber, KerberosText, sockless_kerberos_add_domain,
    sockless_kerberos_add_kdc, sockless_kerberos_free, sockless_kerberos_new,
    sockless_kerberos_set_data, sockless_kerberos_set_number, sockless_kerberos_set_text,
};
use sockless_capi::request::{
    RequestNumber, RequestText, sockless_request_add_proxy, sockless_request_set_kerberos,
    sockless_request_set_number, sockless_request_set_proxy_header,
    sockless_request_set_proxy_kerberos, sockless_request_set_text, sockless_request_start,
};
use sockless_capi::text::Text;
use sockless_capi::tls::{
    sockless_tls_export_sessions, sockless_tls_import_sessions, sockless_tls_new,
    sockless_tls_set_pkcs12,
};

use crate::rig::Rig;

fn at(text: &str) -> *const c_void {
    text.as_ptr().cast()
}

fn kerberos(rig: &mut Rig) -> u64 {
    let mut kerberos = 0;
    // SAFETY: storage of the rig's and this function's.
    let status = unsafe { sockless_kerberos_new(rig.engine(), &raw mut kerberos) };
    assert_eq!(status, 0);
    kerberos
}

#[test]
fn kerberos_settings_are_looked_at() {
    let mut rig = Rig::new(1);
    let (kerberos, engine) = (kerberos(&mut rig), rig.engine());
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        let text = |option, text: &str| {
            sockless_kerberos_set_text(engine, kerberos, option, at(text), text.len())
        };
        assert_eq!(text(KerberosText::User as u32, "alice@REALM"), 0);
        assert_eq!(text(KerberosText::User as u32, "a\0"), Status::Text as i32);
        assert_eq!(text(77, "x"), Status::Option as i32);
        let data = |option, length| {
            sockless_kerberos_set_data(engine, kerberos, option, at("\0\x05"), length)
        };
        assert_eq!(data(KerberosData::Random as u32, 2), Status::Range as i32);
        assert_eq!(data(4, 2), Status::Option as i32);
        assert_eq!(text(KerberosText::NameServer as u32, "192.0.2.1"), 0);
        let bad = text(KerberosText::NameServer as u32, "192.0.2.1:x");
        assert_eq!(bad, Status::Refused as i32);
        let keytab = KerberosData::Keytab as u32;
        assert_eq!(data(keytab, usize::MAX), Status::TooLong as i32);
        let number =
            |option: u32, value| sockless_kerberos_set_number(engine, kerberos, option, value);
        assert_eq!(
            number(KerberosNumber::Delegation as u32, 3),
            Status::Range as i32
        );
        assert_eq!(
            number(KerberosNumber::Backend as u32, 9),
            Status::Range as i32
        );
        assert_eq!(number(KerberosNumber::StreamOnly as u32, 1), 0);
        assert_eq!(number(0, 0), Status::Option as i32);
        let kdc = |place: &str| {
            sockless_kerberos_add_kdc(engine, kerberos, at("R"), 1, at(place), place.len())
        };
        assert_eq!(kdc("kdc.example:88"), 0);
        assert_eq!(kdc("kdc.example:none"), Status::Refused as i32);
        let domain = sockless_kerberos_add_domain(engine, kerberos, null(), 1, at("R"), 1);
        assert_eq!(domain, Status::Null as i32);
        assert_eq!(sockless_kerberos_free(engine, kerberos), 0);
        assert_eq!(text(1, "x"), Status::Stale as i32);
        let proxy = "ftp://h";
        let status = sockless_engine_add_kdc_proxy(engine, at(proxy), proxy.len());
        assert_eq!(status, Status::Refused as i32);
    }
}

#[test]
fn kerberos_settings_fail_where_they_are_used() {
    let mut rig = Rig::new(2);
    let request = rig.request(RequestText::Url, "http://h/");
    let (kerberos, engine) = (kerberos(&mut rig), rig.engine());
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        let set = || sockless_request_set_kerberos(engine, request, kerberos);
        // There are no credentials, then damaged ones.
        assert_eq!(set(), Status::Order as i32);
        let cache = KerberosData::Ccache as u32;
        let status = sockless_kerberos_set_data(engine, kerberos, cache, at("none"), 4);
        assert_eq!(status, 0);
        assert_eq!(set(), Status::Refused as i32);
        let foreign = sockless_request_set_kerberos(engine, kerberos, kerberos);
        assert_eq!(foreign, Status::Kind as i32);
    }
    let (_, layer, text) = rig.why().expect("a failure");
    assert_eq!((layer, text.is_empty()), (Layer::Capi as u32, false));
}

#[test]
fn tickets_are_for_some_proxies() {
    let mut rig = Rig::new(3);
    let request = rig.request(RequestText::Url, "http://h/");
    let (kerberos, engine) = (kerberos(&mut rig), rig.engine());
    // SAFETY: storage of the rig's, texts of this function's.
    unsafe {
        for (option, text) in [(KerberosText::User, "a@R"), (KerberosText::Password, "b")] {
            let text = (at(text), text.len());
            let status =
                sockless_kerberos_set_text(engine, kerberos, option as u32, text.0, text.1);
            assert_eq!(status, 0);
        }
        let set = || sockless_request_set_proxy_kerberos(engine, request, kerberos);
        let built_in = sockless::kerberos::Backend::built_in();
        let want = if built_in.is_empty() {
            Status::Refused
        } else {
            Status::Order
        };
        assert_eq!(set(), want as i32, "there is no proxy");
        let number = |option: RequestNumber, value| {
            sockless_request_set_number(engine, request, option as u32, value)
        };
        let protection = RequestNumber::ProxyProtection;
        assert_eq!(number(protection, 1), Status::Order as i32);
        let proxy = "socks4://h";
        assert_eq!(
            sockless_request_add_proxy(engine, request, at(proxy), proxy.len()),
            0
        );
        assert_eq!(number(protection, 3), Status::Range as i32);
        assert_eq!(number(protection, 2), 0);
        assert_eq!(set(), Status::Refused as i32);
    }
}

#[test]
fn the_proxy_protocols_header_has_two_addresses_or_none() {
    let mut rig = Rig::new(4);
    let request = rig.request(RequestText::Url, "http://127.0.0.1:9/");
    let v4: [u8; 16] = [2, 0, 0, 80, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    let mut v6 = [0_u8; 28];
    v6[0] = 10;
    let (v4, v6) = (v4.as_ptr().cast(), v6.as_ptr().cast());
    let engine = rig.engine();
    // SAFETY: storage of the rig's, addresses of this function's.
    unsafe {
        let set = |version, from: (*const c_void, u32), to: (*const c_void, u32)| {
            sockless_request_set_proxy_header(engine, request, version, from.0, from.1, to.0, to.1)
        };
        let none = (null(), 0);
        assert_eq!(set(3, none, none), Status::Range as i32);
        assert_eq!(set(1, (v4, 16), none), Status::Null as i32);
        assert_eq!(set(1, (v4, 16), (v6, 28)), Status::Range as i32);
        assert_eq!(set(1, (v4, 7), (v4, 16)), Status::Range as i32);
        assert_eq!(set(2, none, none), 0);
        assert_eq!(set(1, (v4, 16), (v4, 16)), 0);
    }
    rig.start(request);
    let connect = rig.operation();
    assert_eq!(rig.complete(connect.id, 0), 0);
    let send = rig.operation();
    let said = Rig::said(&send);
    let want = b"PROXY TCP4 192.0.2.7 192.0.2.7 80 80\r\n";
    assert!(said.starts_with(want), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn sessions_and_pkcs12_are_not_for_every_backend() {
    let mut rig = Rig::new(5);
    let engine = rig.engine();
    let (mut tls, mut kept, mut count) = (0, 0, 0_usize);
    let mut data = Text {
        data: null(),
        length: 0,
    };
    // SAFETY: storage of the rig's and this function's.
    unsafe {
        assert_eq!(sockless_tls_new(engine, &raw mut tls), 0);
        let export = sockless_tls_export_sessions(engine, tls, &raw mut data, &raw mut kept);
        let openssl = cfg!(not(any(feature = "tls-rustls", feature = "tls-ring")));
        let want = if openssl { Status::Ok } else { Status::Refused };
        assert_eq!(export, want as i32, "{:?}", rig.why());
        let import = sockless_tls_import_sessions(engine, tls, at("none"), 4, &raw mut count);
        assert_eq!(import, Status::Refused as i32);
        // They are in use now.
        let late = sockless_tls_set_pkcs12(engine, tls, at("x"), 1, at("y"), 1);
        assert_eq!(late, Status::Order as i32);
        if openssl {
            assert_eq!(sockless_data_release(engine, kept), 0);
        }
        assert!(sockless_data_release(engine, kept) < 0);
    }
}

#[test]
fn questions_that_are_none_have_their_status() {
    let mut rig = Rig::new(6);
    let request = rig.request(RequestText::Url, "http://h/");
    let engine = rig.engine();
    // SAFETY: storage of the rig's.
    unsafe {
        let confirm = |question| sockless_question_confirm(engine, question, 1);
        assert_eq!(confirm(0), Status::Null as i32);
        assert_eq!(confirm(request), Status::Kind as i32);
        let answer = sockless_question_answer(engine, request, null(), 1);
        assert_eq!(answer, Status::Kind as i32);
        let decline = sockless_question_decline(engine, 0, null(), 0);
        assert_eq!(decline, Status::Null as i32);
    }
}

#[test]
fn a_url_of_sshs_is_refused_where_nobody_can_go_there() {
    let mut rig = Rig::new(7);
    let request = rig.request(RequestText::Method, "GET");
    let (url, engine) = ("sftp://me:secret@h/x", rig.engine());
    let option = RequestText::Url as u32;
    let mut transfer = 0;
    // SAFETY: storage of the rig's, a text of this function's.
    unsafe {
        let set = sockless_request_set_text(engine, request, option, at(url), url.len());
        if cfg!(not(feature = "ssh")) {
            assert_eq!(set, Status::Refused as i32);
            let (reason, _, text) = rig.why().expect("a failure");
            assert!(
                reason == Reason::Unsupported as u32 && !text.contains("secret"),
                "{text}"
            );
            return;
        }
        assert_eq!(set, 0);
        // Without SSH settings it cannot start.
        let user = core::ptr::null_mut();
        let start = sockless_request_start(engine, 1, request, user, &raw mut transfer);
        assert_eq!(start, Status::Order as i32);
    }
}
