//! OCSP stapling: the server brings its issuer's word that its certificate still counts
//! (RFC 6066 section 8, RFC 6960).

use core::time::Duration;

use openssl::asn1::Asn1GeneralizedTimeRef;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::ocsp::{OcspCertId, OcspCertStatus, OcspFlag, OcspResponse};
use openssl::ssl::{SslContextBuilder, SslRef};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509, X509Ref};

use super::verify;
use crate::refusal::Refusal;
use crate::x509;

/// How far the responder's clock may be ahead of ours.
const SKEW: Duration = Duration::from_secs(300);

/// Makes servers without a good answer be refused.
pub(super) fn require(context: &mut SslContextBuilder) -> Result<(), ErrorStack> {
    let judge = verify::index()?;
    context.set_status_callback(move |ssl| {
        let Some(judge) = ssl.ex_data(judge) else {
            return Ok(false);
        };
        let answer = check(ssl, judge.now);
        // OpenSSL's own errors on the way are in the answer.
        drop(ErrorStack::get());
        Ok(answer.map_err(|why| judge.refuse(why)).is_ok())
    })
}

fn check(ssl: &SslRef, now: Duration) -> Result<(), Refusal> {
    let unknown = |what: &str| Refusal::RevocationUnknown(what.to_owned());
    let broken = |_: ErrorStack| unknown("the server's stapled answer is broken");
    let chain = ssl.verified_chain();
    let (leaf, issuer) = chain
        .and_then(|chain| Some((chain.get(0)?, chain.get(1)?)))
        .ok_or_else(|| unknown("nobody issued the certificate"))?;
    let response = ssl
        .ocsp_status()
        .ok_or_else(|| unknown("the server stapled no answer"))?;
    let basic = OcspResponse::from_der(response).and_then(|response| response.basic());
    let basic = basic.map_err(broken)?;
    let (store, certificates) = trusted(issuer, now).map_err(broken)?;
    basic
        .verify(&certificates, &store, OcspFlag::empty())
        .map_err(|_| unknown("the stapled answer is not the issuer's"))?;
    let id = OcspCertId::from_cert(MessageDigest::sha1(), leaf, issuer).map_err(broken)?;
    let status = basic
        .find_status(&id)
        .ok_or_else(|| unknown("the stapled answer is about another certificate"))?;
    let since = seconds(status.this_update).ok_or_else(|| unknown("the answer has no time"))?;
    let until = status.next_update().map(seconds);
    if since > now + SKEW || until.is_some_and(|until| until.is_none_or(|end| end < now)) {
        return Err(unknown("the stapled answer is not of today"));
    }
    match status.status {
        OcspCertStatus::GOOD => Ok(()),
        OcspCertStatus::REVOKED => Err(Refusal::Revoked),
        _ => Err(unknown("the issuer does not know the certificate")),
    }
}

/// The issuer answers itself, or by whom it has issued a certificate to for that.
fn trusted(issuer: &X509Ref, now: Duration) -> Result<(X509Store, Stack<X509>), ErrorStack> {
    let mut param = X509VerifyParam::new()?;
    param.set_time(now.as_secs().try_into().unwrap_or_default());
    param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    let mut store = X509StoreBuilder::new()?;
    store.set_param(&param)?;
    store.add_cert(issuer.to_owned())?;
    let mut certificates = Stack::new()?;
    certificates.push(issuer.to_owned())?;
    Ok((store.build(), certificates))
}

/// Since the Unix epoch. It can only be printed: `Jan 31 23:59:59 2027 GMT`.
fn seconds(time: &Asn1GeneralizedTimeRef) -> Option<Duration> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let text = time.to_string();
    let mut words = text.split_whitespace();
    let (month, day, clock, year) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.find(month).filter(|at| at % 3 == 0)? / 3 + 1;
    let days = x509::days_since_epoch(
        year.parse().ok()?,
        u64::try_from(month).ok()?,
        day.parse().ok()?,
    )?;
    let mut parts = clock
        .splitn(3, ':')
        .map(|part| part.get(..2)?.parse::<u64>().ok());
    let mut next = || parts.next().flatten();
    let (hour, minute, second) = (next()?, next()?, next()?);
    Some(Duration::from_secs(
        ((days * 24 + hour) * 60 + minute) * 60 + second,
    ))
}
