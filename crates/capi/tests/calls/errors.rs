//! Options and texts that cannot be: each has its status, and the error says more.

use sockless_capi::Status;
use sockless_capi::engine::{EngineOption, sockless_engine_set_number};
use sockless_capi::error::{Layer, Reason};
use sockless_capi::request::{
    RequestNumber, RequestText, sockless_request_add_field, sockless_request_set_number,
    sockless_request_set_text, sockless_request_start,
};
use sockless_capi::status::sockless_status_text;
use sockless_capi::tls::{
    TlsNumber, TlsText, sockless_engine_set_tls, sockless_tls_new, sockless_tls_set_number,
    sockless_tls_set_text,
};

use crate::rig::Rig;

#[test]
fn texts_are_looked_at() {
    let mut rig = Rig::new(1);
    let request = rig.request(RequestText::Method, "GET");
    let mut set = |option: u32, text: &[u8], length: usize| {
        let text = if text.is_empty() {
            core::ptr::null()
        } else {
            text.as_ptr().cast()
        };
        // SAFETY: `length` is checked before more than the text is read.
        unsafe { sockless_request_set_text(rig.engine(), request, option, text, length) }
    };
    let url = RequestText::Url as u32;
    assert_eq!(set(url, b"", 5), Status::Null as i32);
    assert_eq!(set(url, b"http://\xff/", 9), Status::Text as i32);
    assert_eq!(set(url, b"http://h/\0", 10), Status::Text as i32);
    assert_eq!(set(url, b"http://h/", usize::MAX), Status::TooLong as i32);
    assert_eq!(set(99, b"x", 1), Status::Option as i32);
    assert_eq!(set(url, b"nonsense", 8), Status::Refused as i32);
    let (reason, layer, text) = rig.why().expect("a failure");
    assert_eq!((reason, layer), (Reason::BadUrl as u32, Layer::Url as u32));
    assert!(text.contains("nonsense"), "{text}");
}

#[test]
fn numbers_are_looked_at() {
    let mut rig = Rig::new(2);
    let request = rig.request(RequestText::Url, "http://h/");
    let engine = rig.engine();
    // SAFETY: storage of the rig's.
    unsafe {
        let number = |option, value| sockless_request_set_number(engine, request, option, value);
        assert_eq!(
            number(RequestNumber::Priority as u32, 8),
            Status::Range as i32
        );
        assert_eq!(number(RequestNumber::Notes as u32, 2), Status::Range as i32);
        assert_eq!(number(0, 0), Status::Option as i32);
        assert_eq!(number(8888, 0), Status::Option as i32);
        assert_eq!(
            number(RequestNumber::ProxyTunnel as u32, 1),
            Status::Order as i32
        );
        assert_eq!(number(RequestNumber::TotalTimeout as u32, 1), 0);
        let number = |option, value| sockless_engine_set_number(engine, option, value);
        assert_eq!(
            number(EngineOption::Pipe as u32, u64::MAX),
            Status::Range as i32
        );
        assert_eq!(number(77, 1), Status::Option as i32);
        assert_eq!(number(EngineOption::Connections as u32, 1), 0);
    }
    rig.start(request);
    // SAFETY: storage of the rig's.
    let late = unsafe { sockless_engine_set_number(rig.engine(), 1, 1) };
    assert_eq!(late, Status::Order as i32);
    let (_, layer, text) = rig.why().expect("a failure");
    assert!(
        layer == Layer::Capi as u32 && text.contains("begun"),
        "{text}"
    );
}

#[test]
fn header_fields_cannot_smuggle() {
    let mut rig = Rig::new(3);
    let request = rig.request(RequestText::Url, "http://h/");
    let (name, value) = ("X", "a\r\nEvil: yes");
    // SAFETY: texts of this function's.
    let status = unsafe {
        let engine = rig.engine();
        let (name, value) = (name.as_ptr().cast(), (value.as_ptr().cast(), value.len()));
        sockless_request_add_field(engine, request, name, 1, value.0, value.1)
    };
    assert_eq!(status, Status::Refused as i32);
}

#[test]
fn a_request_goes_somewhere() {
    let mut rig = Rig::new(4);
    let request = rig.request(RequestText::Method, "GET");
    let mut transfer = 0;
    let user = core::ptr::null_mut();
    // SAFETY: storage of the rig's and this function's.
    let status =
        unsafe { sockless_request_start(rig.engine(), 1, request, user, &raw mut transfer) };
    assert_eq!((status, transfer), (Status::Order as i32, 0));
}

#[test]
fn tls_settings_fail_where_they_are_used() {
    let mut rig = Rig::new(5);
    let engine = rig.engine();
    let mut tls = 0;
    // SAFETY: storage and texts of this function's.
    unsafe {
        assert_eq!(sockless_tls_new(engine, &raw mut tls), 0);
        let number =
            |option: TlsNumber, value| sockless_tls_set_number(engine, tls, option as u32, value);
        assert_eq!(number(TlsNumber::MinVersion, 11), Status::Range as i32);
        assert_eq!(number(TlsNumber::MinVersion, 13), 0);
        let pem = "no certificate";
        let option = TlsText::CaPem as u32;
        let set = || sockless_tls_set_text(engine, tls, option, pem.as_ptr().cast(), pem.len());
        assert_eq!(set(), 0);
        assert_eq!(sockless_engine_set_tls(engine, tls), Status::Refused as i32);
    }
    let (_, layer, text) = rig.why().expect("a failure");
    assert!(
        layer == Layer::Tls as u32 && text.contains("certificate"),
        "{text}"
    );
}

#[test]
fn each_status_has_a_text() {
    for status in (-17..=1).chain([5]) {
        // SAFETY: a text that is valid for ever.
        let text = unsafe { core::ffi::CStr::from_ptr(sockless_status_text(status)) };
        assert_eq!(
            text.to_bytes() == b"no status of sockless",
            status == 5,
            "{status}"
        );
    }
}
