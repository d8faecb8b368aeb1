//! What takes the place of SSH settings where SSH is not built in: nobody can make any.

#![allow(
    clippy::needless_pass_by_ref_mut,
    reason = "as the settings that there are with SSH"
)]

use sockless::{Culprit, Reason};
use sockless_core::Fault;

use crate::inner::Refusal;

pub(crate) enum Settings {}

/// Nobody can make one either.
pub(crate) enum Logins {}

impl Settings {
    pub(crate) fn new() -> Result<Self, Refusal> {
        let what = "SSH is not built in";
        let fault = Fault::new(Culprit::Misuse, Reason::Unsupported, what);
        Err(fault.remedy("build with the feature ssh").at("ssh").into())
    }

    pub(crate) fn set_text(&mut self, _option: u32, _text: &str) -> Result<(), Refusal> {
        match *self {}
    }

    pub(crate) fn set_number(&mut self, _option: u32, _value: u64) -> Result<(), Refusal> {
        match *self {}
    }

    pub(crate) fn set_kerberos(
        &mut self,
        _provider: std::sync::Arc<dyn sockless_core::SecurityProvider>,
    ) -> Result<(), Refusal> {
        match *self {}
    }

    pub(crate) fn check_open(&mut self) -> Result<(), Refusal> {
        match *self {}
    }

    pub(crate) fn take_hosts(&mut self) -> &str {
        match *self {}
    }

    pub(crate) fn logins(&mut self) -> Result<std::sync::Arc<Logins>, Refusal> {
        match *self {}
    }
}
