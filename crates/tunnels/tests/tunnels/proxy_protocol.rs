//! The PROXY protocol's headers.

use sockless_core::{Buf, Culprit, Reason};
use sockless_tunnels::{Addresses, ProxyProtocol, Version};

use crate::wire::{Wire, assert_fault, bytes};

fn relayed(source: &str, destination: &str) -> Addresses {
    Addresses::Relayed {
        source: source.parse().expect("an address"),
        destination: destination.parse().expect("an address"),
    }
}

#[test]
fn headers_are_what_the_specification_says() {
    let v4 = relayed("192.0.2.1:56324", "198.51.100.2:443");
    let v6 = relayed("[2001:db8::1]:56324", "[2001:db8::2]:443");
    let signature = b"\r\n\r\n\0\r\nQUIT\n";
    let binary = |rest: &[u8]| [&signature[..], rest].concat();
    let text = |line: &str| line.as_bytes().to_vec();
    let table = [
        (Version::V1, Addresses::Own, text("PROXY UNKNOWN\r\n")),
        (
            Version::V1,
            v4,
            text("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"),
        ),
        (
            Version::V1,
            v6,
            text("PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n"),
        ),
        (Version::V2, Addresses::Own, binary(b"\x20\0\0\0")),
        (
            Version::V2,
            v4,
            binary(b"\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"),
        ),
        (
            Version::V2,
            v6,
            binary(
                b"\x21\x21\0\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
                \x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xdc\x04\x01\xbb",
            ),
        ),
    ];
    for (version, addresses, header) in table {
        let mut wire = Wire::new(ProxyProtocol::new(version, addresses).expect("usable"));
        wire.app_out.push(Buf::from(&b"hello"[..]));
        wire.leaves(b"early");
        assert_eq!(wire.sent(), header, "{version:?} {addresses:?}");
        assert_eq!(bytes(&mut wire.app_out), b"hello");
        assert_eq!(bytes(&mut wire.net_in), b"early");
    }
}

#[test]
fn families_do_not_mix() {
    let mixed = [
        relayed("192.0.2.1:1", "[2001:db8::2]:443"),
        relayed("[2001:db8::2]:443", "192.0.2.1:1"),
    ];
    for addresses in mixed {
        for version in [Version::V1, Version::V2] {
            let fault = ProxyProtocol::new(version, addresses).expect_err("mixed");
            assert_fault(
                &fault,
                Culprit::Misuse,
                Reason::BadRequest,
                "one address family",
            );
        }
    }
}

#[test]
fn it_waits_for_room() {
    let header = ProxyProtocol::new(Version::V1, Addresses::Own).expect("usable");
    let mut wire = Wire::new(header);
    wire.net_out.set_limit(0);
    wire.goes_on(b"");
    assert!(wire.net_out.is_empty());
    wire.net_out.set_limit(1);
    wire.leaves(b"");
    assert_eq!(wire.sent(), b"PROXY UNKNOWN\r\n");
}
