//! The filter: asks the proxy, and leaves when the tunnel is open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sockless_core::{
    ChannelBinding, Culprit, Cx, Fault, Filter, Head, Phase, Pipe, Reason, Seams, Status as Stays,
};
use zeroize::Zeroizing;

use super::drain::{Drain, Drained};
use super::{LAYER, Settings, refusal};
use crate::auth::{Authenticator, Dialog, Party, Subject, Verdict};
use crate::framing::FramingFields;
use crate::head::parse_head;
use crate::refusal as answers;
use crate::request::{REDACTED, has_token, write_field};
use crate::scan::{Bounds, Scan, Section, SectionScan};

/// ```text
///   Send --> Head --+--> Leave      2xx
///    ^       ^  |   +--> Fault      anything else
///    |       +--+   |
///    |       1xx    |    407, and the proxy keeps the connection
///    +---- Drain <--+
/// ```
pub(super) struct Connect {
    settings: Arc<Settings>,
    step: Step,
    dialog: Dialog,
    /// It is known whether there is a secure channel below.
    bound: bool,
    section: SectionScan,
    /// Interim answers to this request.
    interims: usize,
    /// Requests that were answered with a challenge.
    challenges: usize,
    failed: Option<Failed>,
}

enum Step {
    Send,
    Head,
    Drain(Drain),
}

/// A fault, for saying it again.
struct Failed {
    culprit: Culprit,
    reason: Reason,
    what: String,
    remedy: Option<&'static str>,
}

impl Connect {
    pub(super) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            step: Step::Send,
            dialog: Dialog::new(),
            bound: false,
            section: SectionScan::new(),
            interims: 0,
            challenges: 0,
            failed: None,
        }
    }
}

impl Filter for Connect {
    fn layer(&self) -> &'static str {
        LAYER
    }

    fn pump(&mut self, io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Stays, Fault> {
        if let Some(failed) = &self.failed {
            return Err(failed.again());
        }
        let status = self.advance(io.net_in, io.net_out, cx);
        if let Err(fault) = &status {
            self.failed = Some(Failed::of(fault));
        }
        status
    }

    fn phase(&self) -> Phase {
        Phase::Handshake
    }

    fn binds_to(&self) -> Option<ChannelBinding> {
        let authenticator = asked(&self.settings).filter(|_| !self.bound)?;
        let may_bind = lock(authenticator).may_bind();
        may_bind.then_some(ChannelBinding::TlsServerEndPoint)
    }

    fn bind(&mut self, channel: Option<Vec<u8>>) {
        self.bound = true;
        self.dialog.bind(channel);
    }

    /// The answer's length is the proxy's secret.
    fn min(&self, _: &Pipe, _: usize) -> usize {
        1
    }
}

impl Connect {
    fn advance(
        &mut self,
        net_in: &mut Pipe,
        net_out: &mut Pipe,
        cx: &mut Cx<'_>,
    ) -> Result<Stays, Fault> {
        loop {
            match &mut self.step {
                Step::Send if net_out.room() == 0 => return Ok(Stays::Stay),
                Step::Send => {
                    self.send(net_out, cx)?;
                    (self.step, self.interims) = (Step::Head, 0);
                }
                Step::Head => {
                    let Some(section) = self.read(net_in, cx)? else {
                        return Ok(Stays::Stay);
                    };
                    if self.take(section, cx)? {
                        return Ok(Stays::Leave);
                    }
                }
                Step::Drain(drain) => {
                    let drained = drain.pump(net_in, bounds(&self.settings), cx);
                    match drained.map_err(|fault| refusal::named(&self.settings, fault))? {
                        Drained::Blocked => return Ok(Stays::Stay),
                        // What nobody asked for must not become the next answer.
                        Drained::Complete if net_in.is_empty() && !net_in.is_finished() => {
                            self.step = Step::Send;
                        }
                        Drained::Complete | Drained::Endless => return Err(self.cannot_go_on()),
                    }
                }
            }
        }
    }

    /// Writes the request (RFC 9112 section 3.2.3).
    fn send(&mut self, net_out: &mut Pipe, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let value = self.authorize(cx)?;
        let Settings {
            authority,
            http10,
            fields,
            shown,
            ..
        } = &*self.settings;
        let version = if *http10 { "HTTP/1.0" } else { "HTTP/1.1" };
        let head = |authorization: Option<&[u8]>, fields: &[u8]| {
            let room = 64 + 2 * authority.len() + authorization.map_or(0, <[u8]>::len);
            let mut head = Zeroizing::new(Vec::with_capacity(room + fields.len()));
            head.extend_from_slice(b"CONNECT ");
            head.extend_from_slice(authority.as_bytes());
            head.extend_from_slice(b" ");
            head.extend_from_slice(version.as_bytes());
            head.extend_from_slice(b"\r\n");
            write_field(&mut head, b"Host", authority.as_bytes());
            if let Some(value) = authorization {
                write_field(&mut head, Party::Proxy.request_field().as_bytes(), value);
            }
            head.extend_from_slice(fields);
            head.extend_from_slice(b"\r\n");
            head
        };
        let wire = head(value.as_ref().map(|value| value.as_slice()), fields);
        net_out.write(&wire, |n| cx.buf(n));
        if cx.wants_notes() {
            let shown = head(value.as_ref().map(|_| REDACTED), shown);
            cx.note_bytes(true, false, &shown);
        }
        Ok(())
    }

    fn authorize(&mut self, cx: &mut Cx<'_>) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let Some(authenticator) = asked(&self.settings) else {
            return Ok(None);
        };
        let subject = Subject {
            method: "CONNECT",
            target: &self.settings.authority,
            body: Some(b""),
        };
        let value = lock(authenticator).authorize(&mut self.dialog, &subject, cx);
        value.map_err(|fault| refusal::named(&self.settings, fault))
    }

    /// The next complete head, `None` when more input is needed.
    fn read(&mut self, net_in: &mut Pipe, cx: &Cx<'_>) -> Result<Option<Section>, Fault> {
        let settings = &self.settings;
        let named = |fault| refusal::named(settings, fault);
        match self
            .section
            .read(net_in, b"HTTP/", bounds(settings), cx)
            .map_err(named)?
        {
            Scan::Complete(section) => Ok(Some(section)),
            Scan::Foreign => Err(named(answers::foreign(net_in))),
            Scan::Incomplete if !net_in.at_end() => Ok(None),
            Scan::Incomplete => {
                let begun = self.section.has_begun();
                if !begun && self.challenges > 0 && self.interims == 0 {
                    return Err(self.cannot_go_on());
                }
                Err(refusal::closed(settings, begun))
            }
        }
    }

    /// Whether this head opens the tunnel.
    fn take(&mut self, section: Section, cx: &mut Cx<'_>) -> Result<bool, Fault> {
        cx.note_bytes(false, false, &section.raw);
        let named = |fault| refusal::named(&self.settings, fault);
        // Whatever an answer that opens a tunnel says about a body is ignored.
        let (head, minor) = parse_head(section, |_, _| Ok(())).map_err(named)?;
        match head.code {
            101 => Err(named(answers::unasked_upgrade())),
            100..=199 => {
                self.interims += 1;
                let config = &self.settings.config;
                if self.interims > config.max_interim {
                    return Err(named(answers::too_many_interims(config)));
                }
                Ok(false)
            }
            200..=299 => {
                self.accept(&head, cx)?;
                Ok(true)
            }
            407 => {
                let drain = self.challenged(&head, minor, cx)?;
                self.step = Step::Drain(drain);
                Ok(false)
            }
            _ => Err(refusal::status(&self.settings, &head)),
        }
    }

    fn accept(&mut self, head: &Head, cx: &mut Cx<'_>) -> Result<(), Fault> {
        if let Some(authenticator) = asked(&self.settings) {
            let accepted =
                lock(authenticator).accepted(&mut self.dialog, &head.fields, Some(b""), cx);
            accepted.map_err(|fault| refusal::named(&self.settings, fault))?;
        }
        let Settings {
            proxy, authority, ..
        } = &*self.settings;
        cx.note(LAYER, || {
            format!("the tunnel to {authority} through proxy {proxy} is open")
        });
        Ok(())
    }

    /// Says how to go on with credentials on this connection.
    fn challenged(&mut self, head: &Head, minor: u8, cx: &mut Cx<'_>) -> Result<Drain, Fault> {
        let Some(authenticator) = asked(&self.settings) else {
            return Err(refusal::status(&self.settings, head));
        };
        self.challenges += 1;
        let verdict = lock(authenticator).challenged(&mut self.dialog, &head.fields, cx);
        if let Verdict::GiveUp(fault) = verdict {
            return Err(refusal::named(&self.settings, fault));
        }
        let drain = after(head, minor).map_err(|fault| refusal::named(&self.settings, fault))?;
        drain.ok_or_else(|| self.cannot_go_on())
    }

    /// This connection is lost, though the proxy has not refused anything yet.
    fn cannot_go_on(&self) -> Fault {
        if self.dialog.is_midway() {
            return refusal::broken_off(&self.settings);
        }
        refusal::reopen(&self.settings)
    }
}

/// How the body of a challenge is taken off the connection; `None` where that ends with it.
///
/// `Proxy-Connection` is in no RFC, but proxies say it.
fn after(head: &Head, minor: u8) -> Result<Option<Drain>, Fault> {
    let mut framing = FramingFields::default();
    for (name, value) in head.fields.iter() {
        framing.see(name, value)?;
    }
    let said = |token: &[u8]| {
        let mut values = head.fields.all("Proxy-Connection");
        values.any(|value| has_token(value, token))
    };
    let kept = framing.persists(minor) || (framing.may_persist() && said(b"keep-alive"));
    if !kept || said(b"close") {
        return Ok(None);
    }
    framing.framing(minor, head.code, false).map(Drain::of)
}

/// Whom challenges are for.
fn asked(settings: &Settings) -> Option<&Arc<Mutex<Authenticator>>> {
    settings
        .authenticator
        .as_ref()
        .filter(|_| !settings.own_authorization)
}

/// A panic elsewhere leaves nothing in it that could be half done.
pub(super) fn lock(authenticator: &Arc<Mutex<Authenticator>>) -> MutexGuard<'_, Authenticator> {
    authenticator.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bounds(settings: &Settings) -> Bounds {
    Bounds {
        bytes: settings.config.max_head_bytes,
        fields: settings.config.max_fields,
    }
}

impl Failed {
    fn of(fault: &Fault) -> Self {
        Self {
            culprit: fault.culprit,
            reason: fault.reason,
            what: fault.what.clone(),
            remedy: fault.remedy,
        }
    }

    fn again(&self) -> Fault {
        Fault {
            remedy: self.remedy,
            ..Fault::new(self.culprit, self.reason, self.what.clone())
        }
    }
}
