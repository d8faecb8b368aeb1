//! A `krb5_context` with what belongs to it: the client's name, a cache in memory, keys.

use core::ffi::{CStr, c_char, c_uint};
use core::ptr;
use std::ffi::CString;

use sockless_core::{Culprit, Fault, Reason};
use zeroize::Zeroizing;

use super::ffi::{self, krb5_data, krb5_error_code, krb5_keyblock, krb5_principal};
use crate::ccache::Stored;
use crate::keytab::Key;
use crate::{Principal, code};

/// The numbers of protocol errors begin here in the library's own.
const BASE: i32 = -1_765_328_384;

/// Protocol errors have numbers below.
const PROTOCOL: i32 = 128;

/// Name type of a service on a host (RFC 4120 section 6.2).
const SRV_HST: i32 = 3;

/// The library's state for one user.
pub(super) struct Krb5 {
    pub(super) context: ffi::krb5_context,
    pub(super) client: krb5_principal,
    pub(super) cache: ffi::krb5_ccache,
    /// The one before the last login: contexts that have not begun may still need it.
    previous: ffi::krb5_ccache,
    /// Caches so far.
    pub(super) caches: u64,
    pub(super) password: Option<CString>,
    pub(super) keytab: Option<ffi::krb5_keytab>,
}

// SAFETY: a krb5_context and what belongs to it may be used by any thread, one at a time; all uses go
// through a `&mut` or a mutex around this.
unsafe impl Send for Krb5 {}

impl Krb5 {
    /// A context, and an empty cache for the client.
    pub(super) fn open(client: &Principal) -> Result<Self, Fault> {
        let mut krb5 = Self {
            context: ptr::null_mut(),
            client: ptr::null_mut(),
            cache: ptr::null_mut(),
            previous: ptr::null_mut(),
            caches: 0,
            password: None,
            keytab: None,
        };
        // SAFETY: `context` is written only.
        let code = unsafe { ffi::krb5_init_context(&mut krb5.context) };
        if code != 0 {
            let what = format!("MIT Kerberos cannot be initialized (code {code})");
            return Err(Fault::new(Culprit::Misuse, Reason::Authentication, what)
                .remedy("check the system's krb5.conf"));
        }
        krb5.client = krb5.principal(client)?;
        krb5.renew_cache()?;
        Ok(krb5)
    }

    /// Begins an empty cache of the client's.
    pub(super) fn renew_cache(&mut self) -> Result<(), Fault> {
        let mut cache = ptr::null_mut();
        // SAFETY: the context is valid, the type is a C string, no hint is given.
        let code = unsafe {
            ffi::krb5_cc_new_unique(self.context, c"MEMORY".as_ptr(), ptr::null(), &mut cache)
        };
        self.check(code, "no cache in memory")?;
        self.caches += 1;
        let previous = core::mem::replace(&mut self.cache, cache);
        let oldest = core::mem::replace(&mut self.previous, previous);
        if !oldest.is_null() {
            // SAFETY: it is a cache of this context, in use by nothing any more.
            unsafe { ffi::krb5_cc_destroy(self.context, oldest) };
        }
        // SAFETY: context, cache and client are valid.
        let code = unsafe { ffi::krb5_cc_initialize(self.context, self.cache, self.client) };
        self.check(code, "the cache cannot be initialized")
    }

    pub(super) fn keep_password(&mut self, password: Zeroizing<String>) -> Result<(), Fault> {
        let password = CString::new(password.as_bytes());
        let password = password.map_err(|_| named("the password has a NUL byte"))?;
        self.password = Some(password);
        Ok(())
    }

    /// Puts keys into a keytab in memory.
    pub(super) fn keep_keys(&mut self, keys: &[Key]) -> Result<(), Fault> {
        let name = format!("MEMORY:{:p}", self.context);
        let name = CString::new(name).map_err(|_| named("a keytab's name"))?;
        let mut keytab = ptr::null_mut();
        // SAFETY: the context is valid, the name is a C string.
        let code = unsafe { ffi::krb5_kt_resolve(self.context, name.as_ptr(), &mut keytab) };
        self.check(code, "no keytab in memory")?;
        self.keytab = Some(keytab);
        for key in keys {
            let mut bytes = key.key.clone();
            let mut entry = ffi::krb5_keytab_entry {
                magic: 0,
                principal: self.client,
                timestamp: 0,
                vno: key.version,
                key: keyblock(key.enctype, &mut bytes),
            };
            // SAFETY: the entry's parts live until the call ends; the library copies them.
            let code = unsafe { ffi::krb5_kt_add_entry(self.context, keytab, &mut entry) };
            self.check(code, "a key cannot be used")?;
        }
        Ok(())
    }

    /// Puts a ticket into the cache.
    pub(super) fn store(&mut self, stored: &Stored) -> Result<(), Fault> {
        let Stored {
            client,
            server,
            enctype,
            key,
            times: [authtime, starttime, endtime, renew_till],
            flags,
            ticket,
        } = stored;
        let [client, server] = [self.principal(client)?, self.principal(server)?];
        let (mut key, mut ticket) = (key.clone(), ticket.clone());
        let mut creds = no_creds();
        (creds.client, creds.server) = (client, server);
        creds.keyblock = keyblock(*enctype, &mut key);
        creds.times = ffi::krb5_ticket_times {
            authtime: *authtime,
            starttime: *starttime,
            endtime: *endtime,
            renew_till: *renew_till,
        };
        creds.ticket_flags = flags.cast_signed();
        creds.ticket = data(&mut ticket);
        let stored = self.store_creds(&mut creds);
        self.free_principal(client);
        self.free_principal(server);
        stored
    }

    pub(super) fn store_creds(&mut self, creds: &mut ffi::krb5_creds) -> Result<(), Fault> {
        // SAFETY: context and cache are valid; the library copies what it stores.
        let code = unsafe { ffi::krb5_cc_store_cred(self.context, self.cache, creds) };
        self.check(code, "a ticket cannot be stored")
    }

    /// A name as the library has it; freed by [`Krb5::free_principal`].
    pub(super) fn principal(&self, name: &Principal) -> Result<krb5_principal, Fault> {
        let text = CString::new(name.to_string());
        let text = text.map_err(|_| named("a Kerberos name has a NUL byte"))?;
        let mut principal = ptr::null_mut();
        // SAFETY: the context is valid, the text a C string, `principal` is written only.
        let code = unsafe { ffi::krb5_parse_name(self.context, text.as_ptr(), &mut principal) };
        self.check(code, "a name cannot be used")?;
        if name.components().len() == 2 && name.components()[0] != "krbtgt" {
            // SAFETY: the call above has made a principal of its own, which nobody else has.
            unsafe { (*principal).kind = SRV_HST };
        }
        Ok(principal)
    }

    pub(super) fn free_principal(&self, principal: krb5_principal) {
        // SAFETY: it came from `principal`, and is freed once.
        unsafe { ffi::krb5_free_principal(self.context, principal) };
    }

    /// The name in credentials of the library's.
    pub(super) fn name(&self, principal: krb5_principal) -> Result<Principal, Fault> {
        let mut text = ptr::null_mut();
        // SAFETY: context and principal are valid, `text` is written only.
        let code = unsafe { ffi::krb5_unparse_name(self.context, principal, &mut text) };
        self.check(code, "a name cannot be read")?;
        // SAFETY: the call has succeeded, so it is a C string of its own; it is freed once.
        let name = unsafe {
            let name = CStr::from_ptr(text).to_string_lossy().into_owned();
            ffi::krb5_free_unparsed_name(self.context, text);
            name
        };
        Principal::parse(&name)
    }

    /// The cache's name for GSS-API.
    fn cache_name(&self) -> Result<CString, Fault> {
        // SAFETY: context and cache are valid; the name lives as long as the cache.
        let name = unsafe { CStr::from_ptr(ffi::krb5_cc_get_name(self.context, self.cache)) };
        let full = [b"MEMORY:", name.to_bytes()].concat();
        CString::new(full).map_err(|_| named("a cache's name"))
    }

    pub(super) fn check(&self, code: krb5_error_code, doing: &str) -> Result<(), Fault> {
        match code {
            0 => Ok(()),
            code => Err(self.fault(code, doing)),
        }
    }

    /// What the library says about a code, with the protocol's name for it where it has one.
    pub(super) fn fault(&self, code: krb5_error_code, doing: &str) -> Fault {
        // SAFETY: the context is valid; the message is a C string, and freed once.
        let said = unsafe {
            let message = ffi::krb5_get_error_message(self.context, code);
            let said = CStr::from_ptr(message).to_string_lossy().into_owned();
            ffi::krb5_free_error_message(self.context, message);
            said
        };
        let said = format!("{doing}: {said}");
        // Codes of other tables, e.g. of ASN.1's, are further away than a number of its own reaches.
        let offset = code.wrapping_sub(BASE);
        match u32::try_from(offset) {
            Ok(number) if offset < PROTOCOL => code::fault(number, &said),
            _ => fault_of_library(code, &said),
        }
    }
}

/// Codes of the library's own; those that stand for one of the protocol's are told by that.
fn fault_of_library(code: krb5_error_code, said: &str) -> Fault {
    match code.wrapping_sub(BASE) {
        // KRB5_PREAUTH_FAILED
        210 => code::fault(24, said),
        // KRB5_KDCREP_SKEW
        195 => code::fault(37, said),
        // KRB5_KDCREP_MODIFIED: the answer is to another question, or was changed.
        192 => code::fault(41, said),
        _ => Fault::new(
            Culprit::PeerIncompatible,
            Reason::Authentication,
            format!("{said} (krb5 code {code})"),
        ),
    }
}

impl Drop for Krb5 {
    fn drop(&mut self) {
        if let Some(password) = self.password.take() {
            // Wiped, as CString does not do it.
            drop(Zeroizing::new(password.into_bytes()));
        }
        if self.context.is_null() {
            return;
        }
        // SAFETY: each is freed once, the context last; none is used afterwards.
        unsafe {
            if let Some(keytab) = self.keytab.take() {
                ffi::krb5_kt_close(self.context, keytab);
            }
            for cache in [self.cache, self.previous] {
                if !cache.is_null() {
                    ffi::krb5_cc_destroy(self.context, cache);
                }
            }
            if !self.client.is_null() {
                ffi::krb5_free_principal(self.context, self.client);
            }
            ffi::krb5_free_context(self.context);
        }
    }
}

/// GSS-API's credentials: the right to use a cache.
pub(super) struct Cred(pub(super) ffi::gss_cred_id_t);

// SAFETY: GSS-API credentials of MIT's are locked inside, and may be used by several threads at once.
unsafe impl Send for Cred {}
// SAFETY: as above.
unsafe impl Sync for Cred {}

impl Cred {
    pub(super) fn acquire(krb5: &Krb5) -> Result<Self, Fault> {
        let name = krb5.cache_name()?;
        let element = ffi::gss_key_value_element_desc {
            key: c"ccache".as_ptr(),
            value: name.as_ptr(),
        };
        let store = ffi::gss_key_value_set_desc {
            count: 1,
            elements: &element,
        };
        let both = [super::context::krb5_oid(), super::context::spnego_oid()];
        let set = |count| ffi::gss_OID_set_desc {
            count,
            elements: both.as_ptr(),
        };
        let (mut minor, mut cred) = (0, ptr::null_mut());
        // SAFETY: all that is pointed to lives until the call ends; usage 1 is INITIATE.
        let major = unsafe {
            ffi::gss_acquire_cred_from(
                &mut minor,
                ptr::null_mut(),
                0,
                &set(2),
                1,
                &store,
                &mut cred,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
        super::context::check(major, minor, "no credentials from the cache")?;
        let cred = Self(cred);
        // SAFETY: as above. SPNEGO offers Kerberos alone then.
        let major = unsafe { ffi::gss_set_neg_mechs(&mut minor, cred.0, &set(1)) };
        super::context::check(major, minor, "SPNEGO cannot be restricted to Kerberos")?;
        Ok(cred)
    }
}

impl Drop for Cred {
    fn drop(&mut self) {
        let mut minor = 0;
        // SAFETY: it came from gss_acquire_cred_from, and is released once.
        unsafe { ffi::gss_release_cred(&mut minor, &mut self.0) };
    }
}

pub(super) fn no_creds() -> ffi::krb5_creds {
    ffi::krb5_creds {
        magic: 0,
        client: ptr::null_mut(),
        server: ptr::null_mut(),
        keyblock: krb5_keyblock {
            magic: 0,
            enctype: 0,
            length: 0,
            contents: ptr::null_mut(),
        },
        times: ffi::krb5_ticket_times {
            authtime: 0,
            starttime: 0,
            endtime: 0,
            renew_till: 0,
        },
        is_skey: 0,
        ticket_flags: 0,
        addresses: ptr::null_mut(),
        ticket: no_data(),
        second_ticket: no_data(),
        authdata: ptr::null_mut(),
    }
}

pub(super) fn no_data() -> krb5_data {
    krb5_data {
        magic: 0,
        length: 0,
        data: ptr::null_mut(),
    }
}

/// Bytes as the library takes them; they must outlive what is returned.
pub(super) fn data(bytes: &mut [u8]) -> krb5_data {
    krb5_data {
        magic: 0,
        length: bytes.len() as c_uint,
        data: bytes.as_mut_ptr().cast::<c_char>(),
    }
}

fn keyblock(enctype: u16, bytes: &mut [u8]) -> krb5_keyblock {
    krb5_keyblock {
        magic: 0,
        enctype: enctype.into(),
        length: bytes.len() as c_uint,
        contents: bytes.as_mut_ptr(),
    }
}

fn named(what: &str) -> Fault {
    Fault::new(Culprit::Misuse, Reason::BadRequest, what)
}
