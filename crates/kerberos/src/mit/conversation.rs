//! Logins and tickets, a message at a time.

use core::ffi::{c_int, c_uint, c_void};
use core::{ptr, slice};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use sockless_core::Fault;
use zeroize::Zeroizing;

use super::ffi::{self, krb5_data};
use super::library::{Krb5, data, no_creds, no_data};
use super::lock;
use crate::Principal;
use crate::provider::{Conversation, Turn};

/// `KRB5_INIT_CREDS_STEP_FLAG_CONTINUE`, the same for tickets.
const GOES_ON: c_uint = 1;

/// KRB_ERR_RESPONSE_TOO_BIG: the same message is to be sent by a stream.
const TOO_BIG: i32 = -1_765_328_332;

/// The way to a ticket to get tickets with.
pub(super) struct Login {
    krb5: Arc<Mutex<Krb5>>,
    /// The library reads them as long as `init` is there.
    options: *mut ffi::krb5_get_init_creds_opt,
    init: ffi::krb5_init_creds_context,
}

/// The way to a service's ticket.
pub(super) struct Fetch {
    krb5: Arc<Mutex<Krb5>>,
    fetch: ffi::krb5_tkt_creds_context,
}

// SAFETY: it is used under the lock of the context that it belongs to only.
unsafe impl Send for Login {}
// SAFETY: as above.
unsafe impl Send for Fetch {}

impl Login {
    pub(super) fn begin(shared: Arc<Mutex<Krb5>>) -> Result<Self, Fault> {
        let mut login = Self {
            krb5: Arc::clone(&shared),
            options: ptr::null_mut::<c_void>(),
            init: ptr::null_mut(),
        };
        let krb5 = lock(&shared);
        let begun = login.init(&krb5);
        drop(krb5);
        // Dropped only when the lock is free again, which its drop takes.
        begun.map(|()| login)
    }

    fn init(&mut self, krb5: &Krb5) -> Result<(), Fault> {
        // SAFETY: the context is valid, `options` is written only.
        let code = unsafe { ffi::krb5_get_init_creds_opt_alloc(krb5.context, &mut self.options) };
        krb5.check(code, "a login cannot begin")?;
        // SAFETY: context and client are valid; there is no prompter; the options live until
        // `init` is freed.
        let code = unsafe {
            ffi::krb5_init_creds_init(
                krb5.context,
                krb5.client,
                ptr::null(),
                ptr::null_mut(),
                0,
                self.options,
                &mut self.init,
            )
        };
        krb5.check(code, "a login cannot begin")?;
        let init = self.init;
        // SAFETY: `init` belongs to the context; the password is a C string, the keytab is open.
        let code = unsafe {
            match (&krb5.password, krb5.keytab) {
                (Some(password), _) => {
                    ffi::krb5_init_creds_set_password(krb5.context, init, password.as_ptr())
                }
                (None, Some(keytab)) => ffi::krb5_init_creds_set_keytab(krb5.context, init, keytab),
                (None, None) => 0,
            }
        };
        krb5.check(code, "these credentials cannot be used")
    }
}

impl Conversation for Login {
    fn step(&mut self, answer: &[u8], _wall: SystemTime) -> Result<Turn, Fault> {
        let mut krb5 = lock(&self.krb5);
        let (context, init) = (krb5.context, self.init);
        let asked = step(&krb5, answer, "login", |input, output, realm, flags| {
            // SAFETY: `init` belongs to the context; the data live until the call ends.
            unsafe { ffi::krb5_init_creds_step(context, init, input, output, realm, flags) }
        })?;
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let mut creds = no_creds();
        // SAFETY: the login is complete; `creds` is written only.
        let code = unsafe { ffi::krb5_init_creds_get_creds(context, init, &mut creds) };
        krb5.check(code, "login")?;
        let ticket = ticket(&krb5, &creds);
        let stored = krb5
            .renew_cache()
            .and_then(|()| krb5.store_creds(&mut creds));
        // SAFETY: the contents came from the call above, and are freed once.
        unsafe { ffi::krb5_free_cred_contents(context, &mut creds) };
        stored?;
        ticket
    }
}

impl Drop for Login {
    fn drop(&mut self) {
        let krb5 = lock(&self.krb5);
        // SAFETY: both belong to the context, and are freed once, or are null and passed over.
        unsafe {
            ffi::krb5_init_creds_free(krb5.context, self.init);
            ffi::krb5_get_init_creds_opt_free(krb5.context, self.options);
        }
    }
}

impl Fetch {
    pub(super) fn begin(shared: Arc<Mutex<Krb5>>, service: &Principal) -> Result<Self, Fault> {
        let krb5 = lock(&shared);
        let server = krb5.principal(service)?;
        let mut wanted = no_creds();
        (wanted.client, wanted.server) = (krb5.client, server);
        let mut fetch = ptr::null_mut();
        // SAFETY: context, cache and names are valid; the library copies what is wanted.
        let code = unsafe {
            ffi::krb5_tkt_creds_init(krb5.context, krb5.cache, &mut wanted, 0, &mut fetch)
        };
        krb5.free_principal(server);
        krb5.check(code, "a ticket cannot be asked for")?;
        drop(krb5);
        Ok(Self {
            krb5: shared,
            fetch,
        })
    }
}

impl Conversation for Fetch {
    fn step(&mut self, answer: &[u8], _wall: SystemTime) -> Result<Turn, Fault> {
        let krb5 = lock(&self.krb5);
        let (context, fetch) = (krb5.context, self.fetch);
        let asked = step(&krb5, answer, "ticket", |input, output, realm, flags| {
            // SAFETY: `fetch` belongs to the context; the data live until the call ends.
            unsafe { ffi::krb5_tkt_creds_step(context, fetch, input, output, realm, flags) }
        })?;
        if let Some(asked) = asked {
            return Ok(asked);
        }
        let mut creds = no_creds();
        // SAFETY: the ticket is there; `creds` is written only.
        let code = unsafe { ffi::krb5_tkt_creds_get_creds(context, fetch, &mut creds) };
        krb5.check(code, "ticket")?;
        let ticket = ticket(&krb5, &creds);
        // SAFETY: the contents came from the call above, and are freed once.
        unsafe { ffi::krb5_free_cred_contents(context, &mut creds) };
        ticket
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        let krb5 = lock(&self.krb5);
        // SAFETY: it belongs to the context, and is freed once.
        unsafe { ffi::krb5_tkt_creds_free(krb5.context, self.fetch) };
    }
}

/// One step; `None`: it was the last one.
fn step(
    krb5: &Krb5,
    answer: &[u8],
    doing: &str,
    call: impl FnOnce(*mut krb5_data, *mut krb5_data, *mut krb5_data, *mut c_uint) -> c_int,
) -> Result<Option<Turn>, Fault> {
    let mut answer = Zeroizing::new(answer.to_vec());
    let mut input = data(&mut answer);
    let (mut output, mut realm, mut flags) = (no_data(), no_data(), 0);
    let code = call(&mut input, &mut output, &mut realm, &mut flags);
    let message = Zeroizing::new(bytes(&output).to_vec());
    let name = String::from_utf8_lossy(bytes(&realm)).into_owned();
    // SAFETY: both were written by the call, or are empty; they are freed once.
    unsafe {
        ffi::krb5_free_data_contents(krb5.context, &mut output);
        ffi::krb5_free_data_contents(krb5.context, &mut realm);
    }
    let stream = code == TOO_BIG && !message.is_empty();
    if !stream {
        krb5.check(code, doing)?;
    }
    Ok((stream || flags & GOES_ON != 0).then_some(Turn::Ask {
        realm: name,
        message,
        stream,
    }))
}

fn bytes(data: &krb5_data) -> &[u8] {
    match data.data.is_null() {
        true => &[],
        // SAFETY: the library has put as many bytes there as it says, and they live as long
        // as `data` is not freed.
        false => unsafe { slice::from_raw_parts(data.data.cast::<u8>(), data.length as usize) },
    }
}

fn ticket(krb5: &Krb5, creds: &ffi::krb5_creds) -> Result<Turn, Fault> {
    let times = creds.times;
    let begins = times.starttime.max(times.authtime);
    let lifetime = times.endtime.saturating_sub(begins);
    Ok(Turn::Done {
        service: krb5.name(creds.server)?,
        lifetime: Duration::from_secs(lifetime.into()),
        stored: None,
    })
}
