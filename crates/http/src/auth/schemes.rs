//! Authentication schemes, and sets of them.

use core::fmt;
use core::ops::{BitOr, BitOrAssign};

/// A set of authentication schemes: those that are allowed.
///
/// Where several are offered, the strongest one that is allowed and that there are
/// credentials for is used: Negotiate, then Digest with SHA-512-256, SHA-256 and MD5, then
/// Bearer, then Basic. Negotiate proves both sides to each other and never shows a
/// password; Digest shows its hash, bound to one server's challenge; a bearer token is
/// shown, but is worth less than the password that Basic shows.
///
/// ```
/// # use sockless_http::Schemes;
/// let allowed = Schemes::DIGEST | Schemes::NEGOTIATE;
/// assert!(allowed.contains(Schemes::DIGEST) && !allowed.contains(Schemes::BASIC));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Schemes(u8);

impl Schemes {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// Basic (RFC 7617): the password as it is. For connections that are encrypted.
    pub const BASIC: Self = Self(1);
    /// Bearer (RFC 6750): a token as it is. For connections that are encrypted.
    pub const BEARER: Self = Self(2);
    /// Digest (RFC 7616), with each of its hashes.
    pub const DIGEST: Self = Self(4);
    /// Negotiate (RFC 4559): Kerberos and other GSS mechanisms.
    pub const NEGOTIATE: Self = Self(8);
    /// All but those that show the secret itself to the peer.
    pub const SAFE: Self = Self(4 | 8);
    /// All.
    pub const ANY: Self = Self(1 | 2 | 4 | 8);

    /// Whether all of `other` are in it.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are in one of them.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are in both of them.
    #[must_use]
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether any of `other` is in it.
    pub(super) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// [`Schemes::ANY`]: what the server offers decides.
impl Default for Schemes {
    fn default() -> Self {
        Self::ANY
    }
}

impl BitOr for Schemes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

impl BitOrAssign for Schemes {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

/// The names, strongest first, e.g. `Negotiate or Digest`.
impl fmt::Display for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [
            (Self::NEGOTIATE, "Negotiate"),
            (Self::DIGEST, "Digest"),
            (Self::BEARER, "Bearer"),
            (Self::BASIC, "Basic"),
        ];
        let mut before = "";
        for (scheme, name) in named {
            if self.contains(scheme) {
                write!(f, "{before}{name}")?;
                before = " or ";
            }
        }
        f.write_str(if before.is_empty() { "none" } else { "" })
    }
}

impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schemes({self})")
    }
}
