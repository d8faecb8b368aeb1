//! The one place of this crate with `unsafe`: a session is given to a connection.

use openssl::error::ErrorStack;
use openssl::ssl::{SslRef, SslSession};

/// Makes a connection that has said nothing yet offer that session (its DER); a server that
/// does not want it makes a new one.
pub(super) fn resume(ssl: &mut SslRef, der: &[u8]) -> Result<(), ErrorStack> {
    let session = SslSession::from_der(der)?;
    // SAFETY: a session has to be of the connection's own context, because contexts link
    // the sessions of their internal caches into lists. This one was made by this client's
    // context (or that of an equal one) and decoded just now: it is in no list, no other
    // connection has it, and the context's internal cache is off, so it gets into none.
    unsafe { ssl.set_session(&session) }
}
