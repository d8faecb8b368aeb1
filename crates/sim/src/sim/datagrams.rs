//! Operations on datagram sockets: each send is one datagram, and so is each receive.

use std::io::ErrorKind;

use sockless_core::{Buf, OpKind};

use super::{Line, Sim};

/// What a receive without a buffer can take: more than any datagram has.
const LARGEST: usize = 65_536;

impl Sim {
    pub(super) fn recv_datagram(&mut self, slot: usize) {
        let Some(Some(socket)) = self.sockets.get_mut(slot) else {
            return;
        };
        let Line::Datagrams(mail) = &mut socket.line else {
            return;
        };
        let Some(op) = &mut socket.recv else {
            return;
        };
        if mail.is_empty() && mail.was_refused() {
            let op = socket.recv.take();
            return self.fail(op, ErrorKind::ConnectionRefused);
        }
        let OpKind::Recv { buf, .. } = &mut op.kind else {
            return;
        };
        let Some(mut datagram) = mail.take() else {
            return;
        };
        let buf = buf.get_or_insert_with(|| Buf::with_capacity(LARGEST));
        // What does not fit is lost, as everywhere.
        datagram.truncate(buf.spare());
        buf.spare_mut()[..datagram.len()].copy_from_slice(&datagram);
        self.trace.received(&datagram);
        if let Some(op) = socket.recv.take() {
            self.give_back(op, Ok(datagram.len()));
        }
    }

    pub(super) fn send_datagram(&mut self, slot: usize) {
        let now = self.now;
        let Some(Some(socket)) = self.sockets.get_mut(slot) else {
            return;
        };
        let Line::Datagrams(mail) = &mut socket.line else {
            return;
        };
        let Some(op) = socket.send.take() else {
            return;
        };
        let OpKind::Send { bufs } = &op.kind else {
            return;
        };
        let datagram: Vec<u8> = bufs.iter().flat_map(|buf| buf.iter().copied()).collect();
        let n = datagram.len();
        mail.send(datagram, now, &self.faults, &mut self.rng);
        self.give_back(op, Ok(n));
        self.step_soon(slot, now);
    }
}
