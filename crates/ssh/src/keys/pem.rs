//! PEM: base64 between two lines, perhaps with headers of its encryption (RFC 7468, RFC 1421).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::BadKey;

/// What is between the lines.
pub(super) struct Pem<'a> {
    /// What it is, e.g. `RSA PRIVATE KEY`.
    pub(super) label: &'a str,
    /// `DEK-Info`: cipher and IV, if it is encrypted the traditional way.
    pub(super) encryption: Option<(&'a str, &'a str)>,
    /// The bytes.
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl<'a> Pem<'a> {
    /// Reads the first one in a text.
    pub(super) fn read(text: &'a str) -> Result<Self, BadKey> {
        let mut lines = text.lines().map(str::trim);
        let label = lines.find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
        let label = label.ok_or(BadKey::Malformed("it is no private key in PEM"))?;
        let mut base64 = Zeroizing::new(String::with_capacity(text.len()));
        let mut encryption = None;
        for line in lines {
            if let Some(end) = line.strip_prefix("-----END ") {
                if end.strip_suffix("-----") != Some(label) {
                    break;
                }
                let body = STANDARD.decode(base64.as_bytes());
                let body = body.map_err(|_| BadKey::Malformed("its base64 cannot be read"))?;
                return Ok(Self {
                    label,
                    encryption,
                    body: Zeroizing::new(body),
                });
            }
            match line.split_once(':') {
                Some(("DEK-Info", value)) => encryption = value.trim().split_once(','),
                Some(_) => {}
                None => base64.push_str(line),
            }
        }
        Err(BadKey::Malformed("its end is missing"))
    }
}
