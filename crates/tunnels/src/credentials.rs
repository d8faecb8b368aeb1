//! What a proxy knows its users by.

use core::fmt;

use sockless_core::{Culprit, Fault, Reason};
use zeroize::Zeroizing;

/// The longest user name or password, in bytes (RFC 1929 section 2).
const LONGEST: usize = 255;

/// A user name and a password; both are overwritten when dropped.
#[derive(Clone)]
pub struct UserPassword {
    user: Zeroizing<Vec<u8>>,
    password: Zeroizing<Vec<u8>>,
}

impl UserPassword {
    /// Credentials of 1 to 255 bytes each.
    ///
    /// # Errors
    /// One of them is empty, too long, or has a NUL, CR or LF in it.
    pub fn new(user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Result<Self, Fault> {
        let (user, password) = (user.as_ref(), password.as_ref());
        for (what, bytes) in [("user name", user), ("password", password)] {
            if bytes.is_empty() {
                return Err(unusable(format!("the proxy's {what} is empty")));
            }
            check(what, bytes)?;
        }
        Ok(Self {
            user: Zeroizing::new(user.to_vec()),
            password: Zeroizing::new(password.to_vec()),
        })
    }

    /// RFC 1929 section 2.
    pub(crate) fn message(&self) -> Vec<u8> {
        // Of its final size from the start: growing would leave copies behind.
        let mut wire = Vec::with_capacity(3 + self.user.len() + self.password.len());
        wire.push(1);
        for part in [&self.user, &self.password] {
            wire.push(part.len() as u8);
            wire.extend_from_slice(part);
        }
        wire
    }
}

/// Without the password.
impl fmt::Debug for UserPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserPassword({:?})", String::from_utf8_lossy(&self.user))
    }
}

/// Refuses what a proxy would read as two things, or cut short.
pub(crate) fn check(what: &str, bytes: &[u8]) -> Result<(), Fault> {
    if bytes.len() > LONGEST {
        let length = bytes.len();
        let text = format!("the proxy's {what} has {length} bytes, {LONGEST} are possible");
        return Err(unusable(text));
    }
    if bytes.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        let text = format!("the proxy's {what} has a NUL or a line end in it");
        return Err(unusable(text));
    }
    Ok(())
}

fn unusable(what: String) -> Fault {
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
        .remedy("give the proxy's user name and password as they are")
}
