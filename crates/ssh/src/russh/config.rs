//! Our settings in the library's words.

use std::borrow::Cow;
use std::time::Duration;

use russh::client::GexParams;
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Limits, Preferred, SshId, cipher, client, compression, kex, mac};
use sockless_core::Fault;

use super::error::fault;
use crate::algorithms::{Algorithms, Kind, unknown};
use crate::client::Tuning;

/// The most bytes under one key that the library can count to.
const MOST: u64 = 1 << 30;

pub(super) fn config(algorithms: &Algorithms, tuning: &Tuning) -> Result<client::Config, Fault> {
    let bytes = usize::try_from(tuning.rekey_bytes.min(MOST)).unwrap_or(usize::MAX);
    Ok(client::Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-sockless_",
            env!("CARGO_PKG_VERSION")
        ))),
        limits: Limits {
            rekey_write_limit: bytes,
            rekey_read_limit: bytes,
            // Time is the engine's: the layer says when.
            rekey_time_limit: Duration::MAX,
        },
        window_size: tuning.window,
        maximum_packet_size: tuning.packet,
        preferred: preferred(algorithms)?,
        // As strong as the curves; the library's own choice, 8192 bits, takes a hundred times longer.
        gex: GexParams::new(2048, 3072, 8192).map_err(fault)?,
        inactivity_timeout: None,
        keepalive_interval: None,
        ..client::Config::default()
    })
}

pub(super) fn preferred(algorithms: &Algorithms) -> Result<Preferred, Fault> {
    let mut kex = names(algorithms, Kind::Kex, kex::ALL_KEX_ALGORITHMS)?;
    // Not algorithms: what we understand of what peers may do.
    kex.push(kex::EXTENSION_SUPPORT_AS_CLIENT);
    kex.push(kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT);
    let (certificates, keys) = host_keys(algorithms.of(Kind::HostKey))?;
    Ok(Preferred {
        kex: Cow::Owned(kex),
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Owned(certificates),
        cipher: Cow::Owned(names(algorithms, Kind::Cipher, cipher::ALL_CIPHERS)?),
        mac: Cow::Owned(names(algorithms, Kind::Mac, mac::ALL_MAC_ALGORITHMS)?),
        compression: Cow::Owned(names(
            algorithms,
            Kind::Compression,
            compression::ALL_COMPRESSION_ALGORITHMS,
        )?),
    })
}

/// No encryption, no integrity, and no key exchange are not on offer, whoever asks.
const NEVER: [&str; 2] = ["none", "clear"];

fn names<N: AsRef<str> + Copy>(
    algorithms: &Algorithms,
    kind: Kind,
    all: &[&N],
) -> Result<Vec<N>, Fault> {
    let has: Vec<N> = all
        .iter()
        .map(|name| **name)
        .filter(|name| kind == Kind::Compression || !NEVER.contains(&name.as_ref()))
        .collect();
    let known = |wanted: &String| {
        let found = has.iter().find(|name| name.as_ref() == wanted).copied();
        found.ok_or_else(|| {
            let has = has.iter().map(|name| name.as_ref().to_owned());
            unknown(kind, wanted, has)
        })
    };
    algorithms.of(kind).iter().map(known).collect()
}

/// Certificates are asked for ahead of plain keys, each in the order given.
fn host_keys(names: &[String]) -> Result<(Vec<Algorithm>, Vec<Algorithm>), Fault> {
    let rsa = |hash| Algorithm::Rsa { hash };
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let all = [
        Algorithm::Ed25519,
        ecdsa(EcdsaCurve::NistP256),
        ecdsa(EcdsaCurve::NistP384),
        ecdsa(EcdsaCurve::NistP521),
        rsa(Some(HashAlg::Sha512)),
        rsa(Some(HashAlg::Sha256)),
        rsa(None),
    ];
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for name in names {
        let plain = all.iter().find(|known| known.as_str() == name);
        let certified = all
            .iter()
            .find(|known| known.to_certificate_type() == *name);
        match (plain, certified) {
            (Some(key), _) => keys.push(key.clone()),
            (None, Some(key)) => certificates.push(key.clone()),
            (None, None) => {
                let has = all
                    .iter()
                    .flat_map(|known| [known.to_string(), known.to_certificate_type()]);
                return Err(unknown(Kind::HostKey, name, has));
            }
        }
    }
    Ok((certificates, keys))
}
