//! SSH servers that misbehave before there are any keys.
//!
//! What lies later, behind encryption, is [`Hostile`](crate::servers::Hostile).

use std::io;
use std::time::Duration;

use crate::faults::{Fault, FaultServer, Peer, serve};

const VERSION: &[u8] = b"SSH-2.0-tests\r\n";

/// Message numbers of RFC 4250, section 4.1.2.
const DISCONNECT: u8 = 1;
const IGNORE: u8 = 2;
const SERVICE_ACCEPT: u8 = 6;
const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
const KEX_REPLY: u8 = 31;
const USERAUTH_SUCCESS: u8 = 52;

/// Algorithms that everybody has.
const GOOD: [&str; 4] = [
    "curve25519-sha256",
    "ssh-ed25519",
    "aes256-gcm@openssh.com",
    "none",
];
/// The same with the mark of strict key exchange.
const STRICT: [&str; 4] = [
    "curve25519-sha256,kex-strict-s-v00@openssh.com",
    "ssh-ed25519",
    "aes256-gcm@openssh.com",
    "none",
];
/// Algorithms that nobody has.
const FOREIGN: [&str; 4] = [
    "kex@tests.invalid",
    "key@tests.invalid",
    "cipher@tests.invalid",
    "none",
];

/// All of them, by name; with each, a client has to fail.
pub const ALL: &[(&str, Fault)] = &[
    ("silent", silent),
    ("closes-at-once", closes_at_once),
    ("big-banner", big_banner),
    ("endless-banner", endless_banner),
    ("long-line", long_line),
    ("old-version", old_version),
    ("another-protocol", another_protocol),
    ("garbage", garbage),
    ("zero-length", zero_length),
    ("huge-length", huge_length),
    ("padding-too-long", padding_too_long),
    ("nothing-in-common", nothing_in_common),
    ("truncated-kexinit", truncated_kexinit),
    ("ignore-before-kexinit", ignore_before_kexinit),
    ("ignore-in-strict-kex", ignore_in_strict_kex),
    ("newkeys-too-early", newkeys_too_early),
    ("logged-in-too-early", logged_in_too_early),
    ("accepts-too-early", accepts_too_early),
    ("false-reply", false_reply),
    ("closes-in-kex", closes_in_kex),
    ("disconnects", disconnects),
];

/// Accepts and says nothing.
pub fn silent() -> io::Result<FaultServer> {
    serve(Peer::hold)
}

/// Closes without a byte.
pub fn closes_at_once() -> io::Result<FaultServer> {
    serve(|_| Ok(()))
}

/// Lines of a mebibyte in all, which RFC 4253, section 4.2, allows, then the version, and
/// then nothing: a client either gives up on the lines or waits.
pub fn big_banner() -> io::Result<FaultServer> {
    serve(|peer| {
        for _ in 0..1 << 14 {
            peer.send(&line(62))?;
        }
        peer.send(VERSION)?;
        peer.finish()
    })
}

/// Lines without end.
pub fn endless_banner() -> io::Result<FaultServer> {
    serve(|peer| peer.flood(&line(78).repeat(100)))
}

/// One line without end.
pub fn long_line() -> io::Result<FaultServer> {
    serve(|peer| peer.flood(&[b'x'; 8192]))
}

/// Speaks the protocol of 1995 only.
pub fn old_version() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.send(b"SSH-1.5-tests\r\n")?;
        peer.finish()
    })
}

/// Is no SSH server at all.
pub fn another_protocol() -> io::Result<FaultServer> {
    serve(|peer| {
        peer.send(b"220 mail.tests.invalid ESMTP\r\n")?;
        peer.first_bytes()?;
        peer.send(b"500 what?\r\n")?;
        peer.finish()
    })
}

/// Bytes that mean nothing, where the first packet should be.
pub fn garbage() -> io::Result<FaultServer> {
    answers(&[0xa5; 4096])
}

/// A packet of no length.
pub fn zero_length() -> io::Result<FaultServer> {
    answers(&[0; 64])
}

/// A packet that claims nearly 4 GiB.
pub fn huge_length() -> io::Result<FaultServer> {
    answers(b"\xff\xff\xff\xf0\x04\x14and so on")
}

/// A packet with more padding than packet.
pub fn padding_too_long() -> io::Result<FaultServer> {
    answers(b"\0\0\0\x0c\xff\x02\0\0\0\0\0\0\0\0\0\0")
}

/// Offers only algorithms that nobody has.
pub fn nothing_in_common() -> io::Result<FaultServer> {
    answers(&packet(&kexinit(FOREIGN)))
}

/// A list of algorithms that ends before its own length says.
pub fn truncated_kexinit() -> io::Result<FaultServer> {
    answers(&packet(&kexinit(GOOD)[..40]))
}

/// With strict key exchange the list of algorithms has to be the first packet
/// (CVE-2023-48795).
pub fn ignore_before_kexinit() -> io::Result<FaultServer> {
    answers(&[packet(&ignore()), packet(&kexinit(STRICT))].concat())
}

/// With strict key exchange nothing else may come in between.
pub fn ignore_in_strict_kex() -> io::Result<FaultServer> {
    answers(&[packet(&kexinit(STRICT)), packet(&ignore())].concat())
}

/// Switches to keys that nobody has agreed on.
pub fn newkeys_too_early() -> io::Result<FaultServer> {
    answers(&[packet(&kexinit(GOOD)), packet(&[NEWKEYS])].concat())
}

/// Says in the clear that the client is logged in.
pub fn logged_in_too_early() -> io::Result<FaultServer> {
    answers(&[packet(&kexinit(GOOD)), packet(&[USERAUTH_SUCCESS])].concat())
}

/// Says in the clear that it is ready for a login.
pub fn accepts_too_early() -> io::Result<FaultServer> {
    let mut accept = vec![SERVICE_ACCEPT];
    accept.extend(string(b"ssh-userauth"));
    answers(&[packet(&kexinit(GOOD)), packet(&accept)].concat())
}

/// Answers the key exchange with a signature of nothing by a key of nobody.
pub fn false_reply() -> io::Result<FaultServer> {
    let key = [string(b"ssh-ed25519"), string(&[7; 32])].concat();
    let signature = [string(b"ssh-ed25519"), string(&[9; 64])].concat();
    let mut reply = vec![KEX_REPLY];
    reply.extend([string(&key), string(&[5; 32]), string(&signature)].concat());
    answers(&[packet(&kexinit(GOOD)), packet(&reply)].concat())
}

/// Closes after the list of algorithms.
pub fn closes_in_kex() -> io::Result<FaultServer> {
    answers(&packet(&kexinit(GOOD)))
}

/// Says goodbye, with control characters in the reason.
pub fn disconnects() -> io::Result<FaultServer> {
    let mut goodbye = vec![DISCONNECT, 0, 0, 0, 12];
    goodbye.extend([string(b"too many\x1b[31m\nof you"), string(b"")].concat());
    answers(&packet(&goodbye))
}

/// Sends the version and `bytes`, and ends when the client does, or after a moment: some
/// clients wait for more.
fn answers(bytes: &[u8]) -> io::Result<FaultServer> {
    let all = [VERSION, bytes].concat();
    serve(move |peer| {
        peer.send(&all)?;
        peer.pause(Duration::from_millis(200));
        peer.finish()
    })
}

fn line(length: usize) -> Vec<u8> {
    let mut line = vec![b'w'; length];
    line.extend(b"\r\n");
    line
}

/// RFC 4253, section 7.1, with one choice for both directions.
fn kexinit([kex, host_key, cipher, compression]: [&str; 4]) -> Vec<u8> {
    let mac = "hmac-sha2-256";
    let lists = [
        kex,
        host_key,
        cipher,
        cipher,
        mac,
        mac,
        compression,
        compression,
        "",
        "",
    ];
    let mut payload = vec![KEXINIT];
    payload.extend([0x42; 16]);
    payload.extend(lists.map(|list| string(list.as_bytes())).concat());
    payload.extend([0; 5]);
    payload
}

fn ignore() -> Vec<u8> {
    [vec![IGNORE], string(b"noise")].concat()
}

/// RFC 4253, section 6, before there is any encryption.
fn packet(payload: &[u8]) -> Vec<u8> {
    // Four bytes of length and one of the padding's; all of it is a multiple of eight.
    let padding = 4 + (8 - (5 + payload.len() + 4) % 8) % 8;
    let length = 1 + payload.len() + padding;
    let mut packet = u32::try_from(length)
        .unwrap_or_default()
        .to_be_bytes()
        .to_vec();
    packet.push(padding as u8);
    packet.extend(payload);
    packet.resize(4 + length, 0);
    packet
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or_default();
    [&length.to_be_bytes(), bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_padded_as_the_protocol_wants_it() {
        for length in 0..64 {
            let packet = packet(&vec![1; length]);
            assert_eq!(packet.len() % 8, 0, "{length}");
            assert!((4..=11).contains(&packet[4]), "{length}");
            assert_eq!(packet[3] as usize + 4, packet.len(), "{length}");
        }
    }
}
