//! Kerberos' error codes and their names (RFC 4120 section 7.5.9).

use sockless_core::{Culprit, Fault, Reason};

/// Names by number.
const NAMES: &[(u32, &str)] = &[
    (0, "KDC_ERR_NONE"),
    (1, "KDC_ERR_NAME_EXP"),
    (2, "KDC_ERR_SERVICE_EXP"),
    (3, "KDC_ERR_BAD_PVNO"),
    (6, "KDC_ERR_C_PRINCIPAL_UNKNOWN"),
    (7, "KDC_ERR_S_PRINCIPAL_UNKNOWN"),
    (8, "KDC_ERR_PRINCIPAL_NOT_UNIQUE"),
    (9, "KDC_ERR_NULL_KEY"),
    (10, "KDC_ERR_CANNOT_POSTDATE"),
    (11, "KDC_ERR_NEVER_VALID"),
    (12, "KDC_ERR_POLICY"),
    (13, "KDC_ERR_BADOPTION"),
    (14, "KDC_ERR_ETYPE_NOSUPP"),
    (15, "KDC_ERR_SUMTYPE_NOSUPP"),
    (16, "KDC_ERR_PADATA_TYPE_NOSUPP"),
    (18, "KDC_ERR_CLIENT_REVOKED"),
    (19, "KDC_ERR_SERVICE_REVOKED"),
    (20, "KDC_ERR_TGT_REVOKED"),
    (21, "KDC_ERR_CLIENT_NOTYET"),
    (22, "KDC_ERR_SERVICE_NOTYET"),
    (23, "KDC_ERR_KEY_EXPIRED"),
    (24, "KDC_ERR_PREAUTH_FAILED"),
    (25, "KDC_ERR_PREAUTH_REQUIRED"),
    (26, "KDC_ERR_SERVER_NOMATCH"),
    (27, "KDC_ERR_MUST_USE_USER2USER"),
    (28, "KDC_ERR_PATH_NOT_ACCEPTED"),
    (29, "KDC_ERR_SVC_UNAVAILABLE"),
    (31, "KRB_AP_ERR_BAD_INTEGRITY"),
    (32, "KRB_AP_ERR_TKT_EXPIRED"),
    (33, "KRB_AP_ERR_TKT_NYV"),
    (34, "KRB_AP_ERR_REPEAT"),
    (35, "KRB_AP_ERR_NOT_US"),
    (36, "KRB_AP_ERR_BADMATCH"),
    (37, "KRB_AP_ERR_SKEW"),
    (38, "KRB_AP_ERR_BADADDR"),
    (39, "KRB_AP_ERR_BADVERSION"),
    (40, "KRB_AP_ERR_MSG_TYPE"),
    (41, "KRB_AP_ERR_MODIFIED"),
    (42, "KRB_AP_ERR_BADORDER"),
    (44, "KRB_AP_ERR_BADKEYVER"),
    (45, "KRB_AP_ERR_NOKEY"),
    (46, "KRB_AP_ERR_MUT_FAIL"),
    (47, "KRB_AP_ERR_BADDIRECTION"),
    (48, "KRB_AP_ERR_METHOD"),
    (49, "KRB_AP_ERR_BADSEQ"),
    (50, "KRB_AP_ERR_INAPP_CKSUM"),
    (51, "KRB_AP_PATH_NOT_ACCEPTED"),
    (52, "KRB_ERR_RESPONSE_TOO_BIG"),
    (60, "KRB_ERR_GENERIC"),
    (61, "KRB_ERR_FIELD_TOOLONG"),
    (68, "KDC_ERR_WRONG_REALM"),
];

/// What a code's number is called.
pub(crate) fn name(code: u32) -> Option<&'static str> {
    let mut names = NAMES.iter();
    names.find(|(have, _)| *have == code).map(|(_, name)| *name)
}

/// A failure that a KDC, or the check of its answer, has given a code. `said`: what is said about it.
pub(crate) fn fault(code: u32, said: &str) -> Fault {
    let name = name(code).unwrap_or("an unassigned code");
    let what = format!("{said} ({name}, {code})");
    let (culprit, reason, remedy) = match code {
        6 => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "check the user's name and realm",
        ),
        7 => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "check the host's name, and whether the realm has this service",
        ),
        12 | 18 | 21 => (
            Culprit::Policy,
            Reason::Authentication,
            "the realm's rules refuse this user now: ask who runs it",
        ),
        23 => (
            Culprit::Policy,
            Reason::Authentication,
            "the password has expired: change it",
        ),
        24 | 31 => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "check the password or keytab",
        ),
        32 | 33 => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "get a new ticket, e.g. by kinit",
        ),
        37 => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "set the clock, here or there",
        ),
        14 => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "no encryption type is common: see which keys there are, and permitted_enctypes",
        ),
        34 | 36 | 38..=50 => (
            Culprit::PeerMisbehaved,
            Reason::Authentication,
            "somebody in between may have changed or replayed it",
        ),
        _ => (
            Culprit::PeerIncompatible,
            Reason::Authentication,
            "see the KDC's log",
        ),
    };
    Fault::new(culprit, reason, what).remedy(remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_code_and_name() {
        let fault = fault(24, "wrong");
        assert_eq!(fault.what, "wrong (KDC_ERR_PREAUTH_FAILED, 24)");
        assert!(fault.remedy.is_some_and(|text| text.contains("password")));
        assert_eq!(name(5), None);
    }

    #[test]
    fn names_are_in_order() {
        assert!(NAMES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
