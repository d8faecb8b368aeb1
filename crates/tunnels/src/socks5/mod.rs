//! SOCKS5 (RFC 1928), with user name and password (RFC 1929) or a security context (RFC 1961).
//!
//! ```text
//!   Greeting -> Method --(none)-----------------------> Request -> Reply -> leaves
//!                 |----(user/password)-> Verdict ----------^          \
//!                 +----(GSS-API)-> Tokens -> Level --------^           +--> Through (wraps)
//! ```

mod reply;
mod security;

use core::net::SocketAddr;

use sockless_core::{
    Buf, Culprit, Cx, Fault, Filter, Phase, Pipe, Reason, Seams, SecurityContext, Status,
};

use crate::proxy::{Broken, Proxy, front};
use crate::{Destination, UserPassword};

pub use security::Protection;
use security::Security;

/// Methods (RFC 1928 section 3).
const NONE: u8 = 0;
const GSS: u8 = 1;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;

/// A handshake with a SOCKS5 proxy; with a protected [security context](Socks5::security) it stays
/// and wraps what passes.
pub struct Socks5 {
    proxy: Proxy,
    to: Destination,
    login: Option<UserPassword>,
    security: Option<Security>,
    stage: Stage,
    /// Opened by the security context, not taken yet.
    opened: Pipe,
    broken: Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Greeting,
    Method,
    Password,
    Verdict,
    Tokens,
    Level,
    Request,
    Reply,
    Through,
    Done,
}

impl Socks5 {
    /// A tunnel through `proxy` (host and port, as errors will name it). User name and password
    /// are offered, in the clear, only if there are any.
    ///
    /// # Errors
    /// A name that cannot be sent.
    pub fn new(proxy: &str, to: Destination, login: Option<UserPassword>) -> Result<Self, Fault> {
        Ok(Self {
            proxy: Proxy::new(proxy, "SOCKS5")?,
            to: to.checked()?,
            login,
            security: None,
            stage: Stage::Greeting,
            opened: Pipe::new(security::LONGEST),
            broken: Broken::default(),
        })
    }

    /// Authenticates with a security context, made for the proxy's host and usually the service
    /// `rcmd`, and protects all that follows at least that well. No other method is
    /// offered then, unless [`Protection::None`] is enough.
    #[must_use]
    pub fn security(mut self, context: Box<dyn SecurityContext>, at_least: Protection) -> Self {
        self.security = Some(Security::new(context, at_least));
        self
    }

    /// Names levels of protection in the clear, as NEC's reference implementation does, against RFC 1961
    /// section 4.3: somebody in between can change which level both sides take. Less than what
    /// is required is refused all the same, so that require [`Protection::Integrity`] at least to
    /// have any. To be called after [`Socks5::security`].
    #[must_use]
    pub fn levels_in_the_clear(mut self) -> Self {
        if let Some(security) = &mut self.security {
            security.name_levels_in_the_clear();
        }
        self
    }

    /// What there are credentials for.
    fn methods(&self) -> Vec<u8> {
        let mut methods = Vec::new();
        if let Some(security) = &self.security {
            methods.push(GSS);
            if security.at_least() > Protection::None {
                return methods;
            }
        }
        methods.push(NONE);
        methods.extend(self.login.is_some().then_some(PASSWORD));
        methods
    }

    /// One stage; the next one, or none as long as it waits.
    fn step(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Option<Stage>, Fault> {
        let writes = matches!(
            self.stage,
            Stage::Greeting | Stage::Password | Stage::Tokens | Stage::Level | Stage::Request
        );
        if writes && io.net_out.room() == 0 {
            return Ok(None);
        }
        match self.stage {
            Stage::Greeting => {
                let methods = self.methods();
                let mut greeting = vec![5, methods.len() as u8];
                greeting.extend_from_slice(&methods);
                io.net_out.push(Buf::from(greeting));
                Ok(Some(Stage::Method))
            }
            Stage::Method => self.method(io, cx),
            Stage::Password => {
                // Dropped, and so overwritten, as soon as it is said.
                let message = self.login.take().map(|login| login.message());
                io.net_out.push(Buf::from(message.unwrap_or_default()));
                Ok(Some(Stage::Verdict))
            }
            Stage::Verdict => self.verdict(io),
            Stage::Tokens => self.tokens(io, cx),
            Stage::Level => self.level(io, cx),
            Stage::Request => {
                let request = Buf::from(request(&self.to));
                match &mut self.security {
                    Some(security) if security.wraps() => {
                        let frame = security.seal(&self.proxy, &request, cx)?;
                        io.net_out.push(frame);
                    }
                    _ => io.net_out.push(request),
                }
                Ok(Some(Stage::Reply))
            }
            Stage::Reply => self.reply(io, cx),
            Stage::Through => self.through(io, cx).map(|()| None),
            Stage::Done => Ok(None),
        }
    }

    fn method(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Option<Stage>, Fault> {
        let answer = front(io.net_in, 2);
        let begun = self.proxy.version(io.net_in, &[5])?;
        let (true, Some(chosen)) = (begun, answer.get(1)) else {
            return self.proxy.wait(io.net_in, "choosing a method");
        };
        if *chosen == NO_METHOD {
            return Err(self.no_method());
        }
        if !self.methods().contains(chosen) {
            let what = format!("it chose the method {chosen}, which was not offered");
            return Err(self.proxy.broke(what));
        }
        io.net_in.consume(2);
        if *chosen != GSS {
            self.security = None;
        }
        let (stage, name) = match *chosen {
            GSS => (Stage::Tokens, "GSS-API"),
            PASSWORD => (Stage::Password, "user name and password"),
            _ => (Stage::Request, "none"),
        };
        cx.note("socks5", || format!("authentication: {name}"));
        Ok(Some(stage))
    }

    fn no_method(&self) -> Fault {
        let names = self.methods().into_iter().map(|method| match method {
            GSS => "GSS-API",
            PASSWORD => "user name and password",
            _ => "none",
        });
        let names = names.collect::<Vec<_>>().join(", ");
        let what = format!("it takes no method of authentication that was offered ({names})");
        let remedy = match (&self.login, &self.security) {
            (None, None) => "give the proxy's user name and password",
            _ => "check which methods of authentication the proxy takes",
        };
        self.proxy
            .fault(Culprit::PeerIncompatible, Reason::Authentication, &what)
            .remedy(remedy)
    }

    fn verdict(&self, io: &mut Seams<'_>) -> Result<Option<Stage>, Fault> {
        let answer = front(io.net_in, 2);
        // RFC 1929 section 2 says 1; some proxies answer with SOCKS' own version.
        let begun = self.proxy.version(io.net_in, &[1, 5])?;
        let (true, Some(status)) = (begun, answer.get(1)) else {
            return self.proxy.wait(io.net_in, "accepting the password");
        };
        if *status != 0 {
            let what = "it refuses the user name or the password";
            return Err(self
                .proxy
                .fault(Culprit::Policy, Reason::Authentication, what)
                .remedy("check the proxy's user name and password"));
        }
        io.net_in.consume(2);
        Ok(Some(Stage::Request))
    }

    fn tokens(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Option<Stage>, Fault> {
        let Some(security) = &mut self.security else {
            return Ok(Some(Stage::Request));
        };
        let established = security.authenticate(&self.proxy, io, cx)?;
        Ok(established.then_some(Stage::Level))
    }

    fn level(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Option<Stage>, Fault> {
        let Some(security) = &mut self.security else {
            return Ok(Some(Stage::Request));
        };
        let agreed = security.agree(&self.proxy, io, cx)?;
        Ok(agreed.then_some(Stage::Request))
    }

    fn reply(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<Option<Stage>, Fault> {
        let Some(security) = self.security.as_mut().filter(|it| it.wraps()) else {
            if !reply::read(&self.proxy, &self.to, io.net_in)? {
                return self.proxy.wait(io.net_in, "answering the request");
            }
            cx.note("socks5", || {
                format!("the proxy has connected to {}", self.to)
            });
            return Ok(Some(Stage::Done));
        };
        while !reply::read(&self.proxy, &self.to, &mut self.opened)? {
            match security.open(&self.proxy, io.net_in, cx)? {
                Some(plain) => self.opened.push(plain),
                None => return self.proxy.wait(io.net_in, "answering the request"),
            }
        }
        cx.note("socks5", || {
            format!("the proxy has connected to {}", self.to)
        });
        Ok(Some(Stage::Through))
    }

    /// RFC 1961 section 5: what passes is wrapped, in both directions.
    fn through(&mut self, io: &mut Seams<'_>, cx: &mut Cx<'_>) -> Result<(), Fault> {
        let Some(security) = &mut self.security else {
            return Ok(());
        };
        let opened = security.open_all(&self.proxy, &mut self.opened, io, cx);
        let sealed = security.seal_all(&self.proxy, io, cx);
        opened.and(sealed)
    }
}

impl Filter for Socks5 {
    fn layer(&self) -> &'static str {
        "socks5"
    }

    fn pump(&mut self, mut io: Seams<'_>, cx: &mut Cx<'_>) -> Result<Status, Fault> {
        let mut broken = core::mem::take(&mut self.broken);
        let status = broken.guard(|| {
            while let Some(next) = self.step(&mut io, cx)? {
                self.stage = next;
            }
            Ok(match self.stage {
                Stage::Done => Status::Leave,
                _ => Status::Stay,
            })
        });
        self.broken = broken;
        status
    }

    fn phase(&self) -> Phase {
        match self.stage {
            Stage::Through => Phase::Open,
            _ => Phase::Handshake,
        }
    }

    fn min(&self, net_in: &Pipe, above: usize) -> usize {
        let wrapped = matches!(self.stage, Stage::Through) && !self.broken.is_broken();
        if wrapped {
            security::min(net_in, above.saturating_sub(self.opened.len()))
        } else {
            1
        }
    }
}

impl core::fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Socks5")
            .field("proxy", &self.proxy)
            .field("to", &self.to)
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}

/// CONNECT (RFC 1928 section 4).
fn request(to: &Destination) -> Vec<u8> {
    let mut wire = vec![5, 1, 0];
    let port = match to {
        Destination::Address(SocketAddr::V4(to)) => {
            wire.push(1);
            wire.extend_from_slice(&to.ip().octets());
            to.port()
        }
        Destination::Address(SocketAddr::V6(to)) => {
            wire.push(4);
            wire.extend_from_slice(&to.ip().octets());
            to.port()
        }
        Destination::Name(name, port) => {
            wire.extend_from_slice(&[3, name.len() as u8]);
            wire.extend_from_slice(name.as_bytes());
            *port
        }
    };
    wire.extend_from_slice(&port.to_be_bytes());
    wire
}
