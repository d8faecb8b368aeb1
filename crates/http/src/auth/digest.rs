//! Digest (RFC 7616): a hash of the password, bound to the server's challenge.

use core::fmt::Write as _;

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha512_256};
use sockless_core::{Culprit, Fault, Reason};
use zeroize::Zeroizing;

use super::challenge::{Challenge, write_quoted};
use super::credentials::User;
use super::{Secret, Subject};

/// The hashes that are spoken, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Algorithm {
    Md5,
    Sha256,
    Sha512_256,
}

/// Which parts of the request the response covers (RFC 7616 section 3.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Qop {
    Auth,
    AuthInt,
}

/// A challenge that can be answered, and what was made of it so far.
pub(super) struct Digest {
    algorithm: Algorithm,
    /// `-sess`: the key of the first response serves all of them.
    session: bool,
    realm: Vec<u8>,
    nonce: Vec<u8>,
    opaque: Option<Vec<u8>>,
    /// Whether the challenge names its algorithm: then the response does, too.
    named: bool,
    /// `None`: as before RFC 2617, which only MD5 may be.
    qops: Option<(bool, bool)>,
    userhash: bool,
    utf8: bool,
    pub(super) stale: bool,
    /// Responses made with this nonce.
    count: u32,
    /// Whether a response to this challenge was accepted.
    pub(super) proven: bool,
    key: Option<SessionKey>,
}

#[derive(Clone)]
struct SessionKey {
    ha1: Zeroizing<String>,
    cnonce: String,
}

/// What was sent, to tell by whether the answer comes from somebody who knows the password.
pub(super) struct Sent {
    algorithm: Algorithm,
    ha1: Zeroizing<String>,
    nonce: Vec<u8>,
    nc: String,
    cnonce: String,
    qop: Option<Qop>,
    uri: Vec<u8>,
    pub(super) realm: Vec<u8>,
}

impl Digest {
    /// `None`: it lacks something, or wants what is not spoken.
    pub(super) fn of(challenge: &Challenge) -> Option<Self> {
        let is = |name: &str, value: &[u8]| {
            challenge
                .param(name)
                .is_some_and(|have| have.eq_ignore_ascii_case(value))
        };
        let (algorithm, session) = match challenge.param("algorithm") {
            Some(name) => Algorithm::named(name)?,
            None => (Algorithm::Md5, false),
        };
        let qops = challenge.param("qop").map(|list| {
            let has = |qop: &[u8]| crate::request::has_token(list, qop);
            (has(b"auth"), has(b"auth-int"))
        });
        let answerable = match qops {
            Some((auth, auth_int)) => auth || auth_int,
            // RFC 7616 section 3.3 demands it; RFC 2069 did not have it.
            None => algorithm == Algorithm::Md5 && !session,
        };
        if !answerable {
            return None;
        }
        Some(Self {
            algorithm,
            session,
            realm: challenge.param("realm")?.to_vec(),
            nonce: challenge.param("nonce")?.to_vec(),
            opaque: challenge.param("opaque").map(<[u8]>::to_vec),
            named: challenge.param("algorithm").is_some(),
            qops,
            userhash: is("userhash", b"true"),
            utf8: is("charset", b"UTF-8"),
            stale: is("stale", b"true"),
            count: 0,
            proven: false,
            key: None,
        })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn realm(&self) -> &[u8] {
        &self.realm
    }

    /// The server gives the same nonce again: responses are counted on.
    pub(super) fn carry_on(&mut self, before: &Self) {
        let same = (self.algorithm, self.session) == (before.algorithm, before.session)
            && (&self.nonce, &self.realm) == (&before.nonce, &before.realm);
        if same {
            self.count = before.count;
            self.key = before.key.clone();
        }
    }

    /// The nonce for what comes next (RFC 7616 section 3.5).
    pub(super) fn next_nonce(&mut self, nonce: &[u8]) {
        (self.nonce, self.count) = (nonce.to_vec(), 0);
    }

    /// The field's value for one request.
    ///
    /// Fails where only the body's hash would do, and the body is not known.
    pub(super) fn respond(
        &mut self,
        user: &User,
        subject: &Subject<'_>,
        cnonce: String,
    ) -> Result<(Secret, Sent), Fault> {
        let qop = match self.qops {
            None => None,
            Some((true, _)) => Some(Qop::Auth),
            Some((false, _)) => Some(Qop::AuthInt),
        };
        let ha2 = self.hash_request(qop, subject)?;
        let SessionKey { ha1, cnonce } = self.key(user, cnonce);
        self.count = self.count.saturating_add(1);
        let sent = Sent {
            algorithm: self.algorithm,
            ha1,
            nonce: self.nonce.clone(),
            nc: format!("{:08x}", self.count),
            cnonce,
            qop,
            uri: subject.target.as_bytes().to_vec(),
            realm: self.realm.clone(),
        };
        let response = sent.response(&ha2);
        Ok((self.write(user, &sent, &response), sent))
    }

    /// `H(A2)` (RFC 7616 section 3.4.3).
    fn hash_request(&self, qop: Option<Qop>, subject: &Subject<'_>) -> Result<String, Fault> {
        let (method, uri) = (subject.method.as_bytes(), subject.target.as_bytes());
        if qop != Some(Qop::AuthInt) {
            return Ok(self.algorithm.hash(&[method, uri]));
        }
        let Some(body) = subject.body else {
            let what = "Digest with qop=auth-int needs the request's body before it is sent";
            return Err(
                Fault::new(Culprit::PeerIncompatible, Reason::Authentication, what)
                    .remedy("give the body as a whole"),
            );
        };
        let body = self.algorithm.hash(&[body]);
        Ok(self.algorithm.hash(&[method, uri, body.as_bytes()]))
    }

    /// `H(A1)` (RFC 7616 section 3.4.2), and the cnonce that goes with it.
    ///
    /// A session keeps both for as long as the challenge lasts: the RFC's key is that of the
    /// first response, and servers that compute it each time anew come to the same.
    fn key(&mut self, user: &User, cnonce: String) -> SessionKey {
        let plain = || {
            let parts = [user.name.as_bytes(), &self.realm, user.password.as_bytes()];
            Zeroizing::new(self.algorithm.hash(&parts))
        };
        if !self.session {
            return SessionKey {
                ha1: plain(),
                cnonce,
            };
        }
        if let Some(key) = &self.key {
            return key.clone();
        }
        let base = plain();
        let parts = [base.as_bytes(), &self.nonce, cnonce.as_bytes()];
        let ha1 = Zeroizing::new(self.algorithm.hash(&parts));
        self.key.insert(SessionKey { ha1, cnonce }).clone()
    }

    /// Which parameters are quoted: RFC 7616 section 3.4.
    fn write(&self, user: &User, sent: &Sent, response: &str) -> Secret {
        let mut out = Zeroizing::new(Vec::with_capacity(512));
        out.extend_from_slice(b"Digest ");
        self.write_user(&mut out, user);
        quoted(&mut out, ", realm=", &self.realm);
        quoted(&mut out, ", nonce=", &self.nonce);
        quoted(&mut out, ", uri=", &sent.uri);
        if self.named {
            plain(&mut out, ", algorithm=", self.algorithm.name());
            plain(&mut out, "", if self.session { "-sess" } else { "" });
        }
        if let Some(qop) = sent.qop {
            plain(&mut out, ", qop=", qop.name());
            plain(&mut out, ", nc=", &sent.nc);
            quoted(&mut out, ", cnonce=", sent.cnonce.as_bytes());
        }
        quoted(&mut out, ", response=", response.as_bytes());
        if let Some(opaque) = &self.opaque {
            quoted(&mut out, ", opaque=", opaque);
        }
        if self.userhash {
            plain(&mut out, ", userhash=", "true");
        }
        out
    }

    /// The name's hash, or the name; other than ASCII in the form that says what it is.
    fn write_user(&self, out: &mut Vec<u8>, user: &User) {
        let name = user.name.as_bytes();
        if self.userhash {
            let hash = self.algorithm.hash(&[name, &self.realm]);
            quoted(out, "username=", hash.as_bytes());
        } else if self.utf8 && !name.is_ascii() {
            plain(out, "username*=UTF-8''", &extended(name));
        } else {
            quoted(out, "username=", name);
        }
    }
}

impl Sent {
    /// `KD(H(A1), ..)` (RFC 7616 section 3.4.1).
    fn response(&self, ha2: &str) -> String {
        let ha1 = self.ha1.as_bytes();
        match self.qop {
            None => self.algorithm.hash(&[ha1, &self.nonce, ha2.as_bytes()]),
            Some(qop) => self.algorithm.hash(&[
                ha1,
                &self.nonce,
                self.nc.as_bytes(),
                self.cnonce.as_bytes(),
                qop.name().as_bytes(),
                ha2.as_bytes(),
            ]),
        }
    }

    /// Whether the answer proves that its sender knows the password: `rspauth` of
    /// `Authentication-Info` (RFC 7616 section 3.5). With `auth-int` that takes the answer's body.
    ///
    /// Fails if it tries to, and is wrong.
    pub(super) fn verify(
        &self,
        info: &[(String, Vec<u8>)],
        body: Option<&[u8]>,
    ) -> Result<bool, Fault> {
        let param = |name: &str| {
            info.iter()
                .find(|(have, _)| have == name)
                .map(|(_, value)| value)
        };
        let Some(proof) = param("rspauth") else {
            return Ok(false);
        };
        let echoed = [("nc", &self.nc), ("cnonce", &self.cnonce)];
        for (name, sent) in echoed {
            if param(name).is_some_and(|have| *have != sent.as_bytes()) {
                let what = format!("the answer's rspauth is for another {name}");
                return Err(Fault::misbehaved(Reason::Authentication, what));
            }
        }
        let ha2 = match (self.qop, body) {
            (Some(Qop::AuthInt), None) => return Ok(false),
            (Some(Qop::AuthInt), Some(body)) => {
                let body = self.algorithm.hash(&[body]);
                self.algorithm.hash(&[b"", &self.uri, body.as_bytes()])
            }
            _ => self.algorithm.hash(&[b"", &self.uri]),
        };
        if proof.eq_ignore_ascii_case(self.response(&ha2).as_bytes()) {
            return Ok(true);
        }
        let what = "the answer's rspauth is wrong: its sender does not know the password";
        Err(Fault::misbehaved(Reason::Authentication, what)
            .remedy("do not trust this answer: it may come from somebody else"))
    }
}

impl Algorithm {
    fn named(name: &[u8]) -> Option<(Self, bool)> {
        let name = name.to_ascii_uppercase();
        let (base, session) = match name.strip_suffix(b"-SESS") {
            Some(base) => (base, true),
            None => (&name[..], false),
        };
        let all = [Self::Md5, Self::Sha256, Self::Sha512_256];
        let found = all.into_iter().find(|one| one.name().as_bytes() == base)?;
        Some((found, session))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
            Self::Sha512_256 => "SHA-512-256",
        }
    }

    /// The hash of the parts with colons between them, in hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hex(&joined::<Md5>(parts)),
            Self::Sha256 => hex(&joined::<Sha256>(parts)),
            Self::Sha512_256 => hex(&joined::<Sha512_256>(parts)),
        }
    }
}

impl Qop {
    fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

/// A cnonce that nobody can tell without the seed, and that never comes twice.
pub(super) fn cnonce(seed: u64, count: u64) -> String {
    let mut hash = Sha256::new_with_prefix(seed.to_be_bytes());
    hash.update(count.to_be_bytes());
    hex(&hash.finalize()[..16])
}

/// Enough of a hash for telling two of them apart.
pub(crate) fn leading_u64(hash: &[u8]) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// Wiped: of the password it is as good as that.
fn joined<H: sha2::Digest>(parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut hash = H::new();
    for (at, part) in parts.iter().enumerate() {
        hash.update(if at == 0 { &b""[..] } else { b":" });
        hash.update(part);
    }
    Zeroizing::new(hash.finalize().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

/// Percent-encoded but for `attr-char` (RFC 8187 section 3.2.1).
fn extended(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len() * 3);
    for byte in name {
        if byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").expect("writing to a string cannot fail");
        }
    }
    text
}

fn quoted(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    write_quoted(out, value);
}

fn plain(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(value.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One response, with the RFC's own cnonce.
    fn answer(challenge: &str, user: [&str; 2], cnonce: &str, subject: &Subject<'_>) -> String {
        let all = Challenge::parse([challenge.as_bytes()]);
        let mut digest = Digest::of(&all[0]).expect("a challenge that can be answered");
        let [name, password] = user.map(|text| Zeroizing::new(text.to_owned()));
        let user = User { name, password };
        let (value, _) = digest.respond(&user, subject, cnonce.to_owned()).unwrap();
        String::from_utf8(value.to_vec()).unwrap()
    }

    fn param(value: &str, name: &str) -> String {
        let all = Challenge::parse([value.as_bytes()]);
        let value = all[0]
            .param(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        String::from_utf8(value.to_vec()).unwrap()
    }

    const GET: Subject<'_> = Subject {
        method: "GET",
        target: "/dir/index.html",
        body: Some(b""),
    };

    /// RFC 7616 section 3.9.1.
    const OPEN: &str = "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
        nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
        opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";

    #[test]
    fn rfc7616_with_md5_and_sha256() {
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let expected = [
            ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (
                "SHA-256",
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
        ];
        for (algorithm, response) in expected {
            let challenge = format!("{OPEN}, algorithm={algorithm}");
            let value = answer(&challenge, ["Mufasa", "Circle of Life"], cnonce, &GET);
            assert_eq!(param(&value, "response"), response);
            assert!(value.contains(&format!(", algorithm={algorithm}, qop=auth, nc=00000001, ")));
            assert_eq!(
                param(&value, "opaque"),
                "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
            );
        }
    }

    /// RFC 7616 section 3.9.2, with the values of its erratum 4897.
    #[test]
    fn rfc7616_with_sha512_256_and_a_hashed_name() {
        let challenge = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
            nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
            opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", \
            charset=UTF-8, userhash=true";
        let subject = Subject {
            target: "/doe.json",
            ..GET
        };
        let user = ["J\u{e4}s\u{f8}n Doe", "Secret, or not?"];
        let value = answer(
            challenge,
            user,
            "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
            &subject,
        );
        assert_eq!(
            param(&value, "username"),
            "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"
        );
        assert_eq!(
            param(&value, "response"),
            "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
        );
        assert!(value.ends_with(", userhash=true"));
    }

    /// RFC 2617 section 3.5: no algorithm is named.
    #[test]
    fn rfc2617() {
        let challenge = "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
            opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        let value = answer(challenge, ["Mufasa", "Circle Of Life"], "0a4f113b", &GET);
        let expected = "Digest username=\"Mufasa\", realm=\"testrealm@host.com\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", \
            qop=auth, nc=00000001, cnonce=\"0a4f113b\", \
            response=\"6629fae49393a05397450978507c4ef1\", \
            opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"";
        assert_eq!(value, expected);
    }

    /// RFC 2069 section 2.4, with the response of its erratum.
    #[test]
    fn rfc2069_without_qop() {
        let challenge = "Digest realm=\"testrealm@host.com\", \
            nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let value = answer(challenge, ["Mufasa", "CircleOfLife"], "unused", &GET);
        assert_eq!(
            param(&value, "response"),
            "1949323746fe6a43ef61f9606e7febea"
        );
        assert!(!value.contains("cnonce") && !value.contains("nc="));
    }
}
