//! A mechanism of four steps, each token a digit.

use std::sync::Arc;

use sockless_core::{Cx, Fault, SecurityContext, SecurityProvider, Step};
use sockless_http::{Authenticator, Credentials, Party, Tunnel};

use crate::run::{shared, tunnel};

pub(crate) fn with_ticket() -> Tunnel {
    let credentials = Credentials::provider(Arc::new(Tickets));
    tunnel().authenticator(shared(Authenticator::new(
        Party::Proxy,
        "squid",
        credentials,
    )))
}

struct Tickets;

impl SecurityProvider for Tickets {
    fn context(&self, service: &str, host: &str) -> Result<Box<dyn SecurityContext>, Fault> {
        assert_eq!((service, host), ("HTTP", "squid"));
        Ok(Box::new(Counting(b'0')))
    }

    fn identity(&self) -> Arc<str> {
        "alice".into()
    }
}

struct Counting(u8);

impl SecurityContext for Counting {
    fn mechanism(&self) -> &'static str {
        "counting"
    }

    fn step(&mut self, from_peer: Option<&[u8]>, _: &mut Cx<'_>) -> Result<Step, Fault> {
        let expected = [None, Some(&b"x"[..]), Some(b"y"), Some(b"z")];
        assert_eq!(from_peer, expected[usize::from(self.0 - b'0')]);
        self.0 += 1;
        Ok(match self.0 {
            b'4' => Step::Done(None),
            token => Step::Continue(vec![token]),
        })
    }

    fn wrap(&mut self, _: &[u8], _: bool, _: &mut Vec<u8>) -> Result<(), Fault> {
        unreachable!("nothing is wrapped in HTTP")
    }

    fn unwrap(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<bool, Fault> {
        unreachable!("nothing is wrapped in HTTP")
    }

    fn wrap_limit(&self, _: usize, _: bool) -> usize {
        unreachable!("nothing is wrapped in HTTP")
    }
}
