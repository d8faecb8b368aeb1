//! The agent's protocol (draft-ietf-sshm-ssh-agent): requests and answers, as bytes.
//!
//! An agent keeps private keys and signs with them. Its socket is the engine's: a request goes
//! out as [`sockless_core::Ask::Relay`], without the length in front.
//!
//! ```
//! use sockless_ssh::agent;
//!
//! assert_eq!(agent::list(), [11]);
//! let none = agent::listed(&[12, 0, 0, 0, 0]).unwrap();
//! assert!(none.is_empty());
//! ```

use core::fmt;

use crate::wire::{Wire, algorithm, put_string};

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const EXTENSION_FAILURE: u8 = 28;

const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// Keys that an agent may have, at most.
const MAX_KEYS: usize = 2048;
/// Bytes of an answer, at most.
pub const MAX_ANSWER: usize = 256 * 1024;

/// A key that an agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentKey {
    /// The public key or certificate as it is on the wire.
    pub public: Vec<u8>,
    /// What it is called. Escape it before it is shown.
    pub comment: String,
}

/// Why an agent's answer is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadAnswer {
    /// It will not: it is locked, the user said no, or the key is gone.
    Failure,
    /// It is longer than an answer may be, or has more keys.
    TooLarge,
    /// It is no answer to the request.
    Malformed,
    /// It has signed with another algorithm than it was asked for.
    OtherAlgorithm,
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failure => "the agent refuses",
            Self::TooLarge => "the agent's answer is too large",
            Self::Malformed => "the agent's answer cannot be read",
            Self::OtherAlgorithm => "the agent cannot sign with the algorithm that is needed",
        })
    }
}

impl core::error::Error for BadAnswer {}

/// Asks which keys there are.
pub fn list() -> Vec<u8> {
    vec![REQUEST_IDENTITIES]
}

/// The keys in the answer to [`list`]. Such without an algorithm's name are left out.
///
/// # Errors
/// It is none.
pub fn listed(answer: &[u8]) -> Result<Vec<AgentKey>, BadAnswer> {
    let mut wire = body(answer, IDENTITIES_ANSWER)?;
    let count = wire.number().ok_or(BadAnswer::Malformed)? as usize;
    if count > MAX_KEYS {
        return Err(BadAnswer::TooLarge);
    }
    let mut keys = Vec::new();
    for _ in 0..count {
        let public = wire.string().ok_or(BadAnswer::Malformed)?.to_vec();
        let comment = wire.string().ok_or(BadAnswer::Malformed)?;
        let comment = String::from_utf8_lossy(comment).into_owned();
        if algorithm(&public).is_some() {
            keys.push(AgentKey { public, comment });
        }
    }
    match wire.is_empty() {
        true => Ok(keys),
        false => Err(BadAnswer::Malformed),
    }
}

/// Asks for a signature over `data`; `algorithm` is the signature's, e.g. `rsa-sha2-512`.
pub fn sign(public: &[u8], data: &[u8], algorithm: &str) -> Vec<u8> {
    let flags = match algorithm {
        "rsa-sha2-256" => RSA_SHA2_256,
        "rsa-sha2-512" => RSA_SHA2_512,
        _ => 0,
    };
    let mut request = Vec::with_capacity(public.len() + data.len() + 13);
    request.push(SIGN_REQUEST);
    put_string(&mut request, public);
    put_string(&mut request, data);
    request.extend_from_slice(&flags.to_be_bytes());
    request
}

/// The signature in the answer to [`sign`], as it is on the wire (RFC 4253 section 6.6).
///
/// # Errors
/// It is none, or one with another algorithm.
pub fn signed(answer: &[u8], algorithm: &str) -> Result<Vec<u8>, BadAnswer> {
    let mut wire = body(answer, SIGN_RESPONSE)?;
    let signature = wire.string().ok_or(BadAnswer::Malformed)?;
    if !wire.is_empty() {
        return Err(BadAnswer::Malformed);
    }
    match crate::wire::algorithm(signature) {
        // An old agent does not know the flags, and signs with SHA-1.
        Some(used) if used != algorithm => Err(BadAnswer::OtherAlgorithm),
        Some(_) => Ok(signature.to_vec()),
        None => Err(BadAnswer::Malformed),
    }
}

fn body(answer: &[u8], kind: u8) -> Result<Wire<'_>, BadAnswer> {
    if answer.len() > MAX_ANSWER {
        return Err(BadAnswer::TooLarge);
    }
    let mut wire = Wire(answer);
    match wire.byte() {
        Some(got) if got == kind => Ok(wire),
        Some(FAILURE | EXTENSION_FAILURE) => Err(BadAnswer::Failure),
        _ => Err(BadAnswer::Malformed),
    }
}
