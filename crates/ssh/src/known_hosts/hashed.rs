//! Host names that do not show: `|1|salt|HMAC-SHA1(salt, name)`, both in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

const DIGEST: usize = 20;

/// A hashed host name.
#[derive(Clone, Debug)]
pub(super) struct Hashed {
    salt: Vec<u8>,
    hash: [u8; DIGEST],
}

impl Hashed {
    /// The hash of a name.
    pub(super) fn of(name: &str, salt: [u8; DIGEST]) -> Self {
        let hash = hash(&salt, name);
        let salt = salt.to_vec();
        Self { salt, hash }
    }

    /// Reads one; `None`: it is none of this kind.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (salt, hash) = text.strip_prefix("|1|")?.split_once('|')?;
        let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
        let hash = hash.try_into().ok()?;
        (salt.len() == DIGEST).then_some(Self { salt, hash })
    }

    /// Whether it is the hash of that name.
    pub(super) fn is_of(&self, name: &str) -> bool {
        hash(&self.salt, name) == self.hash
    }

    /// As it stands in a file.
    pub(super) fn text(&self) -> String {
        format!(
            "|1|{}|{}",
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.hash)
        )
    }
}

fn hash(salt: &[u8], name: &str) -> [u8; DIGEST] {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes keys of any length");
    mac.update(name.as_bytes());
    mac.finalize().into_bytes().into()
}
