//! A client that authenticates, and what servers say to it.

use std::time::{Instant, SystemTime};

use sockless_core::{Buf, Cx, Fault, Fields, Note, Pool, Reason};
use sockless_http::{Authenticator, Credentials, Dialog, Party, Subject, Verdict};

pub(crate) struct Client {
    pub(crate) authenticator: Authenticator,
    pub(crate) dialog: Dialog,
    pub(crate) subject: Subject<'static>,
    pub(crate) notes: Vec<Note>,
}

pub(crate) fn mufasa() -> Credentials {
    Credentials::password("Mufasa", "Circle of Life").expect("good credentials")
}

pub(crate) fn origin(credentials: Credentials) -> Authenticator {
    Authenticator::new(Party::Origin, "example.com", credentials).seed(7)
}

impl Client {
    pub(crate) fn new(authenticator: Authenticator) -> Self {
        Self {
            authenticator,
            dialog: Dialog::new(),
            subject: Subject {
                method: "GET",
                target: "/dir/index.html",
                body: Some(b""),
            },
            notes: Vec::new(),
        }
    }

    /// The next request begins.
    pub(crate) fn next(&mut self) {
        self.dialog = Dialog::new();
    }

    fn authorize_bytes(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let (pool, mut copied) = (Pool::default(), 0);
        let mut cx = context(&pool, &mut copied, &mut self.notes);
        let value = self
            .authenticator
            .authorize(&mut self.dialog, &self.subject, &mut cx)?;
        Ok(value.map(|value| value.to_vec()))
    }

    pub(crate) fn try_authorize(&mut self) -> Result<Option<String>, Fault> {
        let value = self.authorize_bytes()?;
        Ok(value.map(|value| String::from_utf8(value).expect("text")))
    }

    pub(crate) fn authorize(&mut self) -> Option<String> {
        self.try_authorize().expect("no failure")
    }

    pub(crate) fn challenged(&mut self, values: &[&str]) -> Verdict {
        self.challenged_by(values.iter().map(|value| value.as_bytes()))
    }

    fn challenged_by<'a>(&mut self, values: impl IntoIterator<Item = &'a [u8]>) -> Verdict {
        let name = self.authenticator.party().challenge_field();
        let fields = fields(values.into_iter().map(|value| (name, value)));
        let (pool, mut copied) = (Pool::default(), 0);
        let mut cx = context(&pool, &mut copied, &mut self.notes);
        self.authenticator
            .challenged(&mut self.dialog, &fields, &mut cx)
    }

    /// The answer to a challenge that is no text.
    pub(crate) fn answer_to_bytes(&mut self, value: &[u8]) -> Vec<u8> {
        let verdict = self.challenged_by([value]);
        assert!(matches!(verdict, Verdict::Retry), "{verdict:?}");
        self.authorize_bytes()
            .expect("no failure")
            .expect("an answer")
    }

    /// The challenge is worth an answer: gives it.
    pub(crate) fn answer(&mut self, values: &[&str]) -> String {
        let verdict = self.challenged(values);
        assert!(matches!(verdict, Verdict::Retry), "{verdict:?}");
        self.authorize().expect("an answer to the challenge")
    }

    /// The challenge is not worth an answer: says why.
    pub(crate) fn refusal(&mut self, values: &[&str]) -> String {
        match self.challenged(values) {
            Verdict::GiveUp(fault) => {
                assert_eq!(fault.reason, Reason::Authentication);
                fault.what
            }
            Verdict::Retry => panic!("it tries again with {:?}", self.authorize()),
        }
    }

    pub(crate) fn accepted(
        &mut self,
        pairs: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<(), Fault> {
        let fields = fields(pairs.iter().map(|(name, value)| (*name, value.as_bytes())));
        let (pool, mut copied) = (Pool::default(), 0);
        let mut cx = context(&pool, &mut copied, &mut self.notes);
        self.authenticator
            .accepted(&mut self.dialog, &fields, body, &mut cx)
    }
}

pub(crate) fn fields<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Fields {
    let (mut raw, mut spans) = (Vec::new(), Vec::new());
    for (name, value) in pairs {
        let mut put = |text: &[u8]| {
            let start = raw.len() as u32;
            raw.extend_from_slice(text);
            start..raw.len() as u32
        };
        spans.push((put(name.as_bytes()), put(value)));
    }
    Fields::new(Buf::from(raw), spans)
}

#[expect(
    clippy::disallowed_methods,
    reason = "time is counted from some point; none is special"
)]
fn context<'a>(pool: &'a Pool, copied: &'a mut u64, notes: &'a mut Vec<Note>) -> Cx<'a> {
    Cx::new(
        Instant::now(),
        SystemTime::UNIX_EPOCH,
        pool,
        copied,
        Some(notes),
    )
}
