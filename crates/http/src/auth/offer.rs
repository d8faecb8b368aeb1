//! What a party offers, as far as it can be made use of.

use super::Schemes;
use super::challenge::Challenge;
use super::digest::{Algorithm, Digest};

/// One way to authenticate.
pub(super) enum Offer {
    Negotiate,
    Digest(Box<Digest>),
    Bearer,
    Basic,
}

impl Offer {
    /// The usable ones, strongest first; equally strong ones as they came.
    pub(super) fn choose(challenges: &[Challenge], usable: Schemes) -> Vec<Self> {
        let mut offers: Vec<Self> = challenges
            .iter()
            .filter_map(Self::of)
            .filter(|offer| usable.contains(offer.scheme()))
            .collect();
        offers.sort_by_key(|offer| core::cmp::Reverse(offer.rank()));
        offers
    }

    fn of(challenge: &Challenge) -> Option<Self> {
        match challenge.scheme() {
            "negotiate" => Some(Self::Negotiate),
            "digest" => Digest::of(challenge).map(|digest| Self::Digest(Box::new(digest))),
            "bearer" => Some(Self::Bearer),
            "basic" => Some(Self::Basic),
            _ => None,
        }
    }

    pub(super) fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Digest(digest) => Some(digest),
            _ => None,
        }
    }

    pub(super) fn digest_mut(&mut self) -> Option<&mut Digest> {
        match self {
            Self::Digest(digest) => Some(digest),
            _ => None,
        }
    }

    pub(super) fn scheme(&self) -> Schemes {
        match self {
            Self::Negotiate => Schemes::NEGOTIATE,
            Self::Digest(_) => Schemes::DIGEST,
            Self::Bearer => Schemes::BEARER,
            Self::Basic => Schemes::BASIC,
        }
    }

    /// The order that [`Schemes`] documents.
    fn rank(&self) -> (u8, Option<Algorithm>) {
        match self {
            Self::Negotiate => (3, None),
            Self::Digest(digest) => (2, Some(digest.algorithm())),
            Self::Bearer => (1, None),
            Self::Basic => (0, None),
        }
    }
}
