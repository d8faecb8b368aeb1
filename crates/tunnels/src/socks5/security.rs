//! A security context around SOCKS5 (RFC 1961).
//!
//! Each message is a frame: version 1, its type, the length of the token (two bytes, big
//! endian), the token.

use sockless_core::{Buf, Culprit, Cx, Fault, Pipe, Reason, Seams, SecurityContext, Step};

use crate::proxy::{Proxy, front};

/// Types of frames (RFC 1961 sections 3.3, 4.3 and 5).
const TOKEN: u8 = 1;
const LEVEL: u8 = 2;
const WRAPPED: u8 = 3;
const ABORT: u8 = 0xff;

/// In front of each token.
const HEADER: usize = 4;

/// The longest token, in bytes: its length has two bytes.
pub(super) const LONGEST: usize = 0xffff;

/// Plain bytes in one frame at most: large enough to make headers cheap, small enough for
/// proxies with small buffers.
const PLAIN: usize = 16 * 1024;

/// Tokens that one side may send before the context has to be established.
const ROUNDS: u32 = 16;

/// How a tunnel through the proxy is protected, from here to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Not at all; the context only authenticates.
    None,
    /// Nobody can change it.
    Integrity,
    /// Nobody can read it either.
    Confidentiality,
}

/// A context, and how far it is.
pub(super) struct Security {
    context: Box<dyn SecurityContext>,
    at_least: Protection,
    /// What both sides have agreed on.
    agreed: Option<Protection>,
    rounds: u32,
    established: bool,
    /// We have named our level.
    named: bool,
    /// Levels are named in the clear.
    in_the_clear: bool,
}

impl Security {
    pub(super) fn new(context: Box<dyn SecurityContext>, at_least: Protection) -> Self {
        Self {
            context,
            at_least,
            agreed: None,
            rounds: 0,
            established: false,
            named: false,
            in_the_clear: false,
        }
    }

    pub(super) fn name_levels_in_the_clear(&mut self) {
        self.in_the_clear = true;
    }

    pub(super) fn at_least(&self) -> Protection {
        self.at_least
    }

    /// Whether messages are wrapped.
    pub(super) fn wraps(&self) -> bool {
        self.agreed.is_some_and(|level| level > Protection::None)
    }

    /// Exchanges tokens until the context is established (RFC 1961 section 3).
    pub(super) fn authenticate(
        &mut self,
        proxy: &Proxy,
        io: &mut Seams<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Fault> {
        while !self.established && io.net_out.room() > 0 {
            let from_peer = match self.rounds {
                0 => None,
                _ => match frame(proxy, io.net_in, TOKEN, cx)? {
                    Some(frame) => Some(frame),
                    None => return waits(proxy, io.net_in, "authenticating"),
                },
            };
            if self.rounds == ROUNDS {
                let what = format!("no security context after {ROUNDS} tokens");
                let fault = proxy.fault(Culprit::Limit, Reason::Authentication, &what);
                return Err(fault.remedy("check the proxy's and our credentials"));
            }
            self.rounds += 1;
            let token = from_peer.as_ref().map(|frame| &frame[HEADER..]);
            let step = self.context.step(token, cx);
            let token = match step.map_err(|fault| named(proxy, fault))? {
                Step::Continue(token) => Some(token),
                Step::Done(token) => {
                    self.established = true;
                    token
                }
                _ => return Err(proxy.broke("the security context is in an unknown state")),
            };
            if let Some(token) = token {
                io.net_out.push(header(proxy, TOKEN, token.len())?);
                io.net_out.push(Buf::from(token));
            }
        }
        Ok(self.established)
    }

    /// Agrees on a level of protection (RFC 1961 section 4).
    pub(super) fn agree(
        &mut self,
        proxy: &Proxy,
        io: &mut Seams<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<bool, Fault> {
        if !core::mem::replace(&mut self.named, true) {
            let level = match self.at_least {
                Protection::None => 0,
                Protection::Integrity => 1,
                Protection::Confidentiality => 2,
            };
            if self.in_the_clear {
                io.net_out.push(header(proxy, LEVEL, 1)?);
                io.net_out.push(Buf::from(&[level][..]));
            } else {
                // Section 4.3: without confidentiality, which may not be available.
                let message = self.wrap(proxy, LEVEL, &[level], false, cx)?;
                io.net_out.push(message);
            }
        }
        let Some(frame) = frame(proxy, io.net_in, LEVEL, cx)? else {
            return waits(proxy, io.net_in, "agreeing on a level of protection");
        };
        let plain = match self.in_the_clear {
            true => Buf::from(&frame[HEADER..]),
            false => self.unwrap(proxy, &frame, cx)?.0,
        };
        let level = match *plain {
            [0] => Protection::None,
            [1] => Protection::Integrity,
            [2] => Protection::Confidentiality,
            [level] => {
                let what = format!("it wants the unknown level of protection {level}");
                return Err(proxy.broke(what));
            }
            _ => return Err(proxy.broke("its level of protection is not one byte")),
        };
        if level < self.at_least {
            let wanted = self.at_least;
            let what = format!("it offers the protection {level:?}, {wanted:?} is required");
            return Err(proxy
                .fault(Culprit::Policy, Reason::Proxy, &what)
                .remedy("require less protection, or let the proxy offer more"));
        }
        let mechanism = self.context.mechanism();
        cx.note("socks5", || {
            let how = match self.in_the_clear {
                true => ", agreed on in the clear",
                false => "",
            };
            format!("authenticated by {mechanism}, protection: {level:?}{how}")
        });
        self.agreed = Some(level);
        Ok(true)
    }

    /// A frame with `plain` in it, at the level that was agreed on.
    pub(super) fn seal(&mut self, proxy: &Proxy, plain: &[u8], cx: &Cx<'_>) -> Result<Buf, Fault> {
        self.wrap(proxy, WRAPPED, plain, self.is_confidential(), cx)
    }

    /// What is in the next frame, once all of it is there.
    pub(super) fn open(
        &mut self,
        proxy: &Proxy,
        net_in: &mut Pipe,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Buf>, Fault> {
        let Some(frame) = frame(proxy, net_in, WRAPPED, cx)? else {
            return Ok(None);
        };
        let (plain, confidential) = self.unwrap(proxy, &frame, cx)?;
        if self.is_confidential() && !confidential {
            let what = "a message without confidentiality, which was agreed on";
            return Err(proxy.broke(what));
        }
        Ok(Some(plain))
    }

    /// Opens frames as long as there is room above.
    pub(super) fn open_all(
        &mut self,
        proxy: &Proxy,
        opened: &mut Pipe,
        io: &mut Seams<'_>,
        cx: &mut Cx<'_>,
    ) -> Result<(), Fault> {
        while io.app_in.room() > 0 {
            if let Some(plain) = opened.pop() {
                io.app_in.push(plain);
                continue;
            }
            match self.open(proxy, io.net_in, cx)? {
                Some(plain) => io.app_in.push(plain),
                None => break,
            }
        }
        if !io.net_in.is_finished() || !opened.is_empty() || io.app_in.is_finished() {
            return Ok(());
        }
        if io.net_in.is_empty() {
            // RFC 1961 has no farewell: an end between two frames is one.
            io.app_in.finish();
        } else if io.app_in.room() > 0 {
            let what = proxy.say("the connection ended in the middle of a wrapped message");
            return Err(Fault::misbehaved(Reason::Truncated, what));
        }
        Ok(())
    }

    /// Seals as long as there is room below.
    pub(super) fn seal_all(
        &mut self,
        proxy: &Proxy,
        io: &mut Seams<'_>,
        cx: &Cx<'_>,
    ) -> Result<(), Fault> {
        let limit = self.context.wrap_limit(LONGEST, self.is_confidential());
        let most = limit.min(PLAIN);
        if most == 0 && !io.app_out.is_empty() {
            return Err(too_long(proxy));
        }
        while io.net_out.room() > 0 {
            let Some(piece) = io.app_out.pop_max(most) else {
                break;
            };
            let frame = self.seal(proxy, &piece, cx)?;
            io.net_out.push(frame);
        }
        if io.app_out.at_end() {
            io.net_out.finish();
        }
        Ok(())
    }

    fn is_confidential(&self) -> bool {
        self.agreed == Some(Protection::Confidentiality)
    }

    fn wrap(
        &mut self,
        proxy: &Proxy,
        kind: u8,
        plain: &[u8],
        confidential: bool,
        cx: &Cx<'_>,
    ) -> Result<Buf, Fault> {
        // Mechanisms add some dozens of bytes.
        let mut frame = cx.buf(HEADER + plain.len() + 256);
        let context = &mut self.context;
        let wrapped = frame.append_with(|out| {
            out.extend_from_slice(&[0; HEADER]);
            context.wrap(plain, confidential, out)
        });
        wrapped.map_err(|fault| named(proxy, fault))?;
        let header = header(proxy, kind, frame.len() - HEADER)?;
        frame[..HEADER].copy_from_slice(&header);
        Ok(frame)
    }

    fn unwrap(&mut self, proxy: &Proxy, frame: &[u8], cx: &Cx<'_>) -> Result<(Buf, bool), Fault> {
        let mut plain = cx.buf(frame.len());
        let context = &mut self.context;
        let unwrapped = plain.append_with(|out| context.unwrap(&frame[HEADER..], out));
        let confidential = unwrapped.map_err(|fault| named(proxy, fault))?;
        Ok((plain, confidential))
    }
}

/// How many bytes from the proxy make pumping worth it: the rest of a frame, or what the
/// layer above is sure to get.
pub(super) fn min(net_in: &Pipe, above: usize) -> usize {
    let have = net_in.len();
    let rest = match *front(net_in, HEADER) {
        [_, _, high, low] => HEADER + usize::from(u16::from_be_bytes([high, low])),
        [] => 0,
        _ => HEADER,
    };
    rest.max(above).saturating_sub(have).max(1)
}

/// Takes the next frame, header included, once all of it is there.
fn frame(
    proxy: &Proxy,
    net_in: &mut Pipe,
    kind: u8,
    cx: &mut Cx<'_>,
) -> Result<Option<Buf>, Fault> {
    if !proxy.version(net_in, &[1])? {
        return Ok(None);
    }
    let header = front(net_in, HEADER);
    match header.get(1) {
        Some(have) if *have == kind => {}
        Some(&ABORT) => {
            let what = "it refuses the security context";
            let fault = proxy.fault(Culprit::Policy, Reason::Authentication, what);
            return Err(fault.remedy("check the proxy's log, and the credentials"));
        }
        Some(have) => {
            let what = format!("it sends a message of type {have}, not {kind}");
            return Err(proxy.broke(what));
        }
        None => return Ok(None),
    }
    let [_, _, high, low] = *header else {
        return Ok(None);
    };
    let length = HEADER + usize::from(u16::from_be_bytes([high, low]));
    if net_in.len() < length {
        return Ok(None);
    }
    *cx.copied += net_in.join(length, |n| cx.pool.take(n)) as u64;
    Ok(Some(net_in.split(length)))
}

fn header(proxy: &Proxy, kind: u8, length: usize) -> Result<Buf, Fault> {
    let length = u16::try_from(length).map_err(|_| too_long(proxy))?;
    let [high, low] = length.to_be_bytes();
    Ok(Buf::from(&[1, kind, high, low][..]))
}

fn waits(proxy: &Proxy, net_in: &Pipe, instead_of: &str) -> Result<bool, Fault> {
    Ok(proxy.wait(net_in, instead_of)?.unwrap_or(false))
}

fn too_long(proxy: &Proxy) -> Fault {
    let what = "the security mechanism's messages do not fit into SOCKS' 64 KiB";
    proxy.fault(Culprit::Limit, Reason::Proxy, what)
}

/// A context's own failure, with the proxy that it happened with.
fn named(proxy: &Proxy, mut fault: Fault) -> Fault {
    fault.what = proxy.say(&fault.what);
    fault
}
