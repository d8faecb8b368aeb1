//! What is used of MIT Kerberos' two interfaces, as its headers declare it (`krb5/krb5.h`,
//! `gssapi/gssapi.h`, `gssapi/gssapi_ext.h`; its ABI has been stable since 1.11).

#![allow(
    non_camel_case_types,
    reason = "the names are the library's, so that they can be looked up"
)]

use core::ffi::{c_char, c_int, c_uint, c_void};

pub(super) type krb5_error_code = i32;
pub(super) type krb5_context = *mut c_void;
pub(super) type krb5_ccache = *mut c_void;
pub(super) type krb5_keytab = *mut c_void;
pub(super) type krb5_init_creds_context = *mut c_void;
pub(super) type krb5_tkt_creds_context = *mut c_void;
pub(super) type krb5_get_init_creds_opt = c_void;
pub(super) type krb5_principal = *mut krb5_principal_data;

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct krb5_data {
    pub(super) magic: i32,
    pub(super) length: c_uint,
    pub(super) data: *mut c_char,
}

#[repr(C)]
pub(super) struct krb5_principal_data {
    pub(super) magic: i32,
    pub(super) realm: krb5_data,
    pub(super) data: *mut krb5_data,
    pub(super) length: i32,
    pub(super) kind: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct krb5_keyblock {
    pub(super) magic: i32,
    pub(super) enctype: i32,
    pub(super) length: c_uint,
    pub(super) contents: *mut u8,
}

/// Seconds of the epoch, unsigned in 32 bits since 1.16.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct krb5_ticket_times {
    pub(super) authtime: u32,
    pub(super) starttime: u32,
    pub(super) endtime: u32,
    pub(super) renew_till: u32,
}

#[repr(C)]
pub(super) struct krb5_creds {
    pub(super) magic: i32,
    pub(super) client: krb5_principal,
    pub(super) server: krb5_principal,
    pub(super) keyblock: krb5_keyblock,
    pub(super) times: krb5_ticket_times,
    pub(super) is_skey: c_uint,
    pub(super) ticket_flags: i32,
    pub(super) addresses: *mut *mut c_void,
    pub(super) ticket: krb5_data,
    pub(super) second_ticket: krb5_data,
    pub(super) authdata: *mut *mut c_void,
}

#[repr(C)]
pub(super) struct krb5_keytab_entry {
    pub(super) magic: i32,
    pub(super) principal: krb5_principal,
    pub(super) timestamp: u32,
    pub(super) vno: c_uint,
    pub(super) key: krb5_keyblock,
}

pub(super) type gss_ctx_id_t = *mut c_void;
pub(super) type gss_cred_id_t = *mut c_void;
pub(super) type gss_name_t = *mut c_void;

#[repr(C)]
pub(super) struct gss_buffer_desc {
    pub(super) length: usize,
    pub(super) value: *mut c_void,
}

#[repr(C)]
pub(super) struct gss_OID_desc {
    pub(super) length: u32,
    pub(super) elements: *const c_void,
}

#[repr(C)]
pub(super) struct gss_OID_set_desc {
    pub(super) count: usize,
    pub(super) elements: *const gss_OID_desc,
}

#[repr(C)]
pub(super) struct gss_channel_bindings_struct {
    pub(super) initiator_addrtype: u32,
    pub(super) initiator_address: gss_buffer_desc,
    pub(super) acceptor_addrtype: u32,
    pub(super) acceptor_address: gss_buffer_desc,
    pub(super) application_data: gss_buffer_desc,
}

#[repr(C)]
pub(super) struct gss_key_value_element_desc {
    pub(super) key: *const c_char,
    pub(super) value: *const c_char,
}

#[repr(C)]
pub(super) struct gss_key_value_set_desc {
    pub(super) count: u32,
    pub(super) elements: *const gss_key_value_element_desc,
}

unsafe extern "C" {
    pub(super) fn krb5_init_context(context: *mut krb5_context) -> krb5_error_code;
    pub(super) fn krb5_free_context(context: krb5_context);
    pub(super) fn krb5_get_error_message(
        context: krb5_context,
        code: krb5_error_code,
    ) -> *const c_char;
    pub(super) fn krb5_free_error_message(context: krb5_context, message: *const c_char);
    pub(super) fn krb5_parse_name(
        context: krb5_context,
        name: *const c_char,
        principal: *mut krb5_principal,
    ) -> krb5_error_code;
    pub(super) fn krb5_unparse_name(
        context: krb5_context,
        principal: krb5_principal,
        name: *mut *mut c_char,
    ) -> krb5_error_code;
    pub(super) fn krb5_free_unparsed_name(context: krb5_context, name: *mut c_char);
    pub(super) fn krb5_free_principal(context: krb5_context, principal: krb5_principal);
    pub(super) fn krb5_free_cred_contents(context: krb5_context, creds: *mut krb5_creds);
    pub(super) fn krb5_free_data_contents(context: krb5_context, data: *mut krb5_data);

    pub(super) fn krb5_get_init_creds_opt_alloc(
        context: krb5_context,
        options: *mut *mut krb5_get_init_creds_opt,
    ) -> krb5_error_code;
    pub(super) fn krb5_get_init_creds_opt_free(
        context: krb5_context,
        options: *mut krb5_get_init_creds_opt,
    );
    pub(super) fn krb5_init_creds_init(
        context: krb5_context,
        client: krb5_principal,
        prompter: *const c_void,
        prompter_data: *mut c_void,
        start_time: i32,
        options: *mut krb5_get_init_creds_opt,
        init: *mut krb5_init_creds_context,
    ) -> krb5_error_code;
    pub(super) fn krb5_init_creds_set_password(
        context: krb5_context,
        init: krb5_init_creds_context,
        password: *const c_char,
    ) -> krb5_error_code;
    pub(super) fn krb5_init_creds_set_keytab(
        context: krb5_context,
        init: krb5_init_creds_context,
        keytab: krb5_keytab,
    ) -> krb5_error_code;
    pub(super) fn krb5_init_creds_step(
        context: krb5_context,
        init: krb5_init_creds_context,
        input: *mut krb5_data,
        output: *mut krb5_data,
        realm: *mut krb5_data,
        flags: *mut c_uint,
    ) -> krb5_error_code;
    pub(super) fn krb5_init_creds_get_creds(
        context: krb5_context,
        init: krb5_init_creds_context,
        creds: *mut krb5_creds,
    ) -> krb5_error_code;
    pub(super) fn krb5_init_creds_free(context: krb5_context, init: krb5_init_creds_context);

    pub(super) fn krb5_tkt_creds_init(
        context: krb5_context,
        cache: krb5_ccache,
        wanted: *mut krb5_creds,
        options: i32,
        fetch: *mut krb5_tkt_creds_context,
    ) -> krb5_error_code;
    pub(super) fn krb5_tkt_creds_step(
        context: krb5_context,
        fetch: krb5_tkt_creds_context,
        input: *mut krb5_data,
        output: *mut krb5_data,
        realm: *mut krb5_data,
        flags: *mut c_uint,
    ) -> krb5_error_code;
    pub(super) fn krb5_tkt_creds_get_creds(
        context: krb5_context,
        fetch: krb5_tkt_creds_context,
        creds: *mut krb5_creds,
    ) -> krb5_error_code;
    pub(super) fn krb5_tkt_creds_free(context: krb5_context, fetch: krb5_tkt_creds_context);

    pub(super) fn krb5_cc_new_unique(
        context: krb5_context,
        kind: *const c_char,
        hint: *const c_char,
        cache: *mut krb5_ccache,
    ) -> krb5_error_code;
    pub(super) fn krb5_cc_get_name(context: krb5_context, cache: krb5_ccache) -> *const c_char;
    pub(super) fn krb5_cc_initialize(
        context: krb5_context,
        cache: krb5_ccache,
        principal: krb5_principal,
    ) -> krb5_error_code;
    pub(super) fn krb5_cc_store_cred(
        context: krb5_context,
        cache: krb5_ccache,
        creds: *mut krb5_creds,
    ) -> krb5_error_code;
    pub(super) fn krb5_cc_destroy(context: krb5_context, cache: krb5_ccache) -> krb5_error_code;

    pub(super) fn krb5_kt_resolve(
        context: krb5_context,
        name: *const c_char,
        keytab: *mut krb5_keytab,
    ) -> krb5_error_code;
    pub(super) fn krb5_kt_add_entry(
        context: krb5_context,
        keytab: krb5_keytab,
        entry: *mut krb5_keytab_entry,
    ) -> krb5_error_code;
    pub(super) fn krb5_kt_close(context: krb5_context, keytab: krb5_keytab) -> krb5_error_code;

    pub(super) fn gss_acquire_cred_from(
        minor: *mut u32,
        name: gss_name_t,
        lifetime: u32,
        mechanisms: *const gss_OID_set_desc,
        usage: c_int,
        store: *const gss_key_value_set_desc,
        cred: *mut gss_cred_id_t,
        actual: *mut *mut gss_OID_set_desc,
        rest: *mut u32,
    ) -> u32;
    pub(super) fn gss_set_neg_mechs(
        minor: *mut u32,
        cred: gss_cred_id_t,
        mechanisms: *const gss_OID_set_desc,
    ) -> u32;
    pub(super) fn gss_release_cred(minor: *mut u32, cred: *mut gss_cred_id_t) -> u32;
    pub(super) fn gss_import_name(
        minor: *mut u32,
        text: *mut gss_buffer_desc,
        kind: *const gss_OID_desc,
        name: *mut gss_name_t,
    ) -> u32;
    pub(super) fn gss_release_name(minor: *mut u32, name: *mut gss_name_t) -> u32;
    pub(super) fn gss_init_sec_context(
        minor: *mut u32,
        cred: gss_cred_id_t,
        context: *mut gss_ctx_id_t,
        target: gss_name_t,
        mechanism: *const gss_OID_desc,
        flags: u32,
        lifetime: u32,
        bindings: *mut gss_channel_bindings_struct,
        input: *mut gss_buffer_desc,
        actual: *mut *const gss_OID_desc,
        output: *mut gss_buffer_desc,
        granted: *mut u32,
        rest: *mut u32,
    ) -> u32;
    pub(super) fn gss_delete_sec_context(
        minor: *mut u32,
        context: *mut gss_ctx_id_t,
        output: *mut gss_buffer_desc,
    ) -> u32;
    pub(super) fn gss_wrap(
        minor: *mut u32,
        context: gss_ctx_id_t,
        confidential: c_int,
        quality: u32,
        input: *mut gss_buffer_desc,
        was_confidential: *mut c_int,
        output: *mut gss_buffer_desc,
    ) -> u32;
    pub(super) fn gss_unwrap(
        minor: *mut u32,
        context: gss_ctx_id_t,
        input: *mut gss_buffer_desc,
        output: *mut gss_buffer_desc,
        was_confidential: *mut c_int,
        quality: *mut u32,
    ) -> u32;
    pub(super) fn gss_wrap_size_limit(
        minor: *mut u32,
        context: gss_ctx_id_t,
        confidential: c_int,
        quality: u32,
        sealed: u32,
        plain: *mut u32,
    ) -> u32;
    pub(super) fn gss_get_mic(
        minor: *mut u32,
        context: gss_ctx_id_t,
        quality: u32,
        message: *mut gss_buffer_desc,
        token: *mut gss_buffer_desc,
    ) -> u32;
    pub(super) fn gss_release_buffer(minor: *mut u32, buffer: *mut gss_buffer_desc) -> u32;
    pub(super) fn gss_display_status(
        minor: *mut u32,
        value: u32,
        kind: c_int,
        mechanism: *const gss_OID_desc,
        more: *mut u32,
        text: *mut gss_buffer_desc,
    ) -> u32;
}
