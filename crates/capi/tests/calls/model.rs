//! What a program knows of its handles: enough to say what each call has to answer.

use sockless_capi::Status;
use sockless_capi::event::{EventKind, sockless_data_release, sockless_event_keep};
use sockless_capi::operation::{Operation, OperationKind, sockless_operation_add_address};
use sockless_capi::poll::OutputKind;
use sockless_capi::request::{
    RequestNumber, RequestText, sockless_request_free, sockless_request_set_number,
};
use sockless_capi::transfer::{
    sockless_transfer_cancel, sockless_transfer_finish, sockless_transfer_pause,
    sockless_transfer_send,
};

use crate::rig::Rig;

mod ways;

/// Handles of one kind: good ones, and some that are used up.
#[derive(Default)]
struct Known {
    live: Vec<u64>,
    dead: Vec<u64>,
}

impl Known {
    fn end(&mut self, handle: u64) {
        self.live.retain(|have| *have != handle);
        self.dead.push(handle);
        if self.dead.len() > 50 {
            self.dead.remove(0);
        }
    }
}

pub(crate) struct Model {
    dice: fastrand::Rng,
    rig: Rig,
    /// Its handles are foreign.
    other: Rig,
    foreign: u64,
    flights: Vec<Operation>,
    operations: Known,
    transfers: Known,
    requests: Known,
    kept: Known,
    ssh: Known,
    kerberos: Known,
    /// Those that a request has taken.
    used: Vec<u64>,
    /// Operations, ended transfers, refusals, closed engines.
    counts: [u64; 4],
}

/// What peers say, for a start; also cut short, and mixed.
const ANSWERS: &[&[u8]] = &[
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/x\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00",
    b"\x16\x03\x03\x00\x02\x02\x28nonsense",
    b"SSH-2.0-none\r\n\x00\x00\x00\x0c\x04nonsense",
    b"HTTP/1.1 401 No\r\nWWW-Authenticate: Negotiate\r\nContent-Length: 0\r\n\r\n",
];

const URLS: &[&str] = &[
    "http://127.0.0.1:9/",
    "http://127.0.0.1:9/other",
    "https://127.0.0.1:9/",
    "http://name.example/",
    "http://[::1]:9/",
    #[cfg(feature = "ssh")]
    "sftp://me@127.0.0.1:9/x",
    #[cfg(feature = "ssh")]
    "sftp://127.0.0.1:9/folder/",
    #[cfg(feature = "ssh")]
    "scp://me:secret@127.0.0.1:9/x",
    #[cfg(feature = "ssh")]
    "ssh://me@127.0.0.1:9",
];

impl Model {
    pub(crate) fn new(seed: u64) -> Self {
        let mut other = Rig::new(seed.wrapping_add(1 << 40));
        let foreign = other.request(RequestText::Url, "http://h/");
        Self {
            dice: fastrand::Rng::with_seed(seed),
            rig: Rig::new(seed),
            other,
            foreign,
            flights: Vec::new(),
            operations: Known::default(),
            transfers: Known::default(),
            requests: Known::default(),
            kept: Known::default(),
            ssh: Known::default(),
            kerberos: Known::default(),
            used: Vec::new(),
            counts: [0; 4],
        }
    }

    pub(crate) fn run(mut self, steps: u64) -> [u64; 4] {
        for _ in 0..steps {
            match self.dice.u32(..1000) {
                0..450 => self.poll(),
                450..680 => self.complete(),
                680..720 => self.complete_wrongly(),
                720..780 => self.make_request(),
                780..810 => self.free_request(),
                810..870 => self.start(),
                870..930 => self.touch_transfer(),
                930..950 => self.release(),
                950..960 => self.wrong_kinds(),
                960..980 => self.settings(),
                980..999 => self.rig.now += self.dice.u64(..2_000_000_000),
                _ => self.close(),
            }
        }
        self.close();
        assert_eq!(self.other.close(), 0);
        self.counts
    }

    fn expect(&mut self, have: i32, want: Status) {
        assert_eq!(have, want as i32, "{:?}", self.rig.why());
        self.counts[2] += u64::from(have < 0);
    }

    fn poll(&mut self) {
        assert_eq!(self.rig.poll(), 0, "{:?}", self.rig.why());
        let output = self.rig.output;
        if output.kind == OutputKind::Submit as u32 {
            self.counts[0] += 1;
            self.flights.push(output.operation);
            self.operations.live.push(output.operation.id);
        } else if output.kind == OutputKind::Cancel as u32 {
            let known = self.operations.live.contains(&output.operation.id);
            assert!(known, "a cancel of what is not in flight");
        } else if output.kind == OutputKind::Event as u32 {
            self.happened();
        }
    }

    fn happened(&mut self) {
        let event = self.rig.output.event;
        assert!(
            self.transfers.live.contains(&event.transfer),
            "whose event?"
        );
        if event.length > 0 {
            // SAFETY: the event is the last poll's.
            let bytes =
                unsafe { core::slice::from_raw_parts(event.data.cast::<u8>(), event.length) };
            assert!(bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>() < u64::MAX);
        }
        if event.kind == EventKind::Done as u32 {
            self.counts[1] += 1;
            self.transfers.end(event.transfer);
        }
        if event.kind == EventKind::Data as u32 && self.kept.live.len() < 20 && self.dice.bool() {
            let mut kept = 0;
            // SAFETY: storage of the rig's and this function's.
            let status = unsafe { sockless_event_keep(self.rig.engine(), &raw mut kept) };
            self.expect(status, Status::Ok);
            self.kept.live.push(kept);
        }
    }

    /// Brings an operation back, with something that may be.
    fn complete(&mut self) {
        let Some(at) = self.pick(self.flights.len()) else {
            return;
        };
        let operation = self.flights.swap_remove(at);
        let result = match self.dice.u32(..10) {
            0 => -i64::from(
                *self
                    .dice
                    .choice(&[104, 110, 111, 113, 125, 4095])
                    .expect("one"),
            ),
            _ => self.carry_out(&operation),
        };
        let status = self.rig.complete(operation.id, result);
        self.expect(status, Status::Ok);
        self.operations.end(operation.id);
    }

    fn carry_out(&mut self, operation: &Operation) -> i64 {
        // SAFETY: the operation's own buffers.
        let buffers =
            unsafe { core::slice::from_raw_parts(operation.buffers, operation.buffer_count) };
        match operation.kind {
            kind if kind == OperationKind::Send as u32 => {
                let all: usize = buffers.iter().map(|buffer| buffer.length).sum();
                assert_eq!(Rig::said(operation).len(), all);
                self.dice.usize(..=all) as i64
            }
            kind if kind == OperationKind::Receive as u32 => {
                let room = buffers.first().expect("a buffer");
                let answer = self.dice.choice(ANSWERS).copied().unwrap_or_default();
                let length = match self.dice.u32(..4) {
                    0 => self.dice.usize(..=answer.len()),
                    _ => answer.len(),
                };
                let length = length.min(room.length);
                // SAFETY: the operation's own room; all of it may be written.
                unsafe {
                    room.data.cast::<u8>().write_bytes(b'?', room.length);
                    room.data.cast::<u8>().copy_from(answer.as_ptr(), length);
                }
                length as i64
            }
            kind if kind == OperationKind::Resolve as u32 => {
                let name: [u8; 16] = [2, 0, 0, 9, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
                // SAFETY: texts of this function's.
                let status = unsafe {
                    let name = name.as_ptr().cast();
                    sockless_operation_add_address(self.rig.engine(), operation.id, name, 16)
                };
                self.expect(status, Status::Ok);
                0
            }
            _ => 0,
        }
    }

    /// Results that cannot be, and operations that are not.
    fn complete_wrongly(&mut self) {
        if let Some(at) = self.pick(self.flights.len()) {
            let operation = self.flights[at];
            let result = *self
                .dice
                .choice(&[i64::MAX, i64::MIN, -4096, 1 << 40])
                .expect("one");
            let status = self.rig.complete(operation.id, result);
            self.expect(status, Status::Result);
        }
        if let Some(at) = self.pick(self.operations.dead.len()) {
            let status = self.rig.complete(self.operations.dead[at], 0);
            self.expect(status, Status::Stale);
        }
        let status = self.rig.complete(0, 0);
        self.expect(status, Status::Null);
        let status = self.rig.complete(self.dice.u64(..), 0);
        let known = [Status::Foreign, Status::Kind, Status::Stale];
        assert!(known.iter().any(|one| *one as i32 == status), "{status}");
    }

    fn make_request(&mut self) {
        if self.requests.live.len() >= 20 {
            return;
        }
        let request = match self.dice.u32(..4) {
            0 => self.rig.request(RequestText::Tunnel, "127.0.0.1:9"),
            _ => {
                let url = self.dice.choice(URLS).copied().unwrap_or_default();
                self.rig.request(RequestText::Url, url)
            }
        };
        let options = [
            (RequestNumber::Redirects, 3),
            (RequestNumber::TotalTimeout, 5_000_000_000),
            (RequestNumber::BodyLength, 10),
            (RequestNumber::BodyChunked, 1),
            (RequestNumber::Notes, 1),
            (RequestNumber::Priority, 7),
            (RequestNumber::Secured, 1),
            (RequestNumber::Compressed, 1),
        ];
        let (option, value) = *self.dice.choice(&options).expect("one");
        // SAFETY: storage of the rig's.
        let status = unsafe {
            sockless_request_set_number(self.rig.engine(), request, option as u32, value)
        };
        self.expect(status, Status::Ok);
        self.requests.live.push(request);
    }

    fn free_request(&mut self) {
        if let Some(at) = self.pick(self.requests.live.len()) {
            let request = self.requests.live[at];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_request_free(self.rig.engine(), request) };
            self.expect(status, Status::Ok);
            self.requests.end(request);
        }
        if let Some(at) = self.pick(self.requests.dead.len()) {
            let request = self.requests.dead[at];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_request_free(self.rig.engine(), request) };
            self.expect(status, Status::Stale);
        }
    }

    fn start(&mut self) {
        let Some(at) = self.pick(self.requests.live.len()) else {
            return;
        };
        if self.transfers.live.len() < 20 {
            let (status, transfer) = self.rig.try_start(self.requests.live[at]);
            match status {
                0 => self.transfers.live.push(transfer),
                // SSH without settings, or options that do not go together.
                status => assert!(
                    status == Status::Order as i32 || status == Status::Refused as i32,
                    "{:?}",
                    self.rig.why()
                ),
            }
        }
    }

    fn touch_transfer(&mut self) {
        let (dead, live) = (self.transfers.dead.len(), self.transfers.live.len());
        let is_live = live > 0 && self.dice.u32(..4) > 0;
        let Some(at) = self.pick(if is_live { live } else { dead }) else {
            return;
        };
        let known = if is_live {
            &self.transfers.live
        } else {
            &self.transfers.dead
        };
        let (transfer, engine) = (known[at], self.rig.engine());
        let body = b"0123456789";
        let verb = self.dice.u32(..8);
        // SAFETY: storage of the rig's, a text of this function's.
        let status = unsafe {
            match verb {
                0 => sockless_transfer_cancel(engine, transfer),
                1 => sockless_transfer_finish(engine, transfer),
                2 | 3 => sockless_transfer_pause(engine, transfer, verb - 2),
                _ => sockless_transfer_send(engine, transfer, body.as_ptr().cast(), body.len()),
            }
        };
        match (is_live, verb) {
            (false, _) => self.expect(status, Status::Stale),
            (true, 0 | 2 | 3) => self.expect(status, Status::Ok),
            // Too much, or finished already.
            (true, _) => assert!(status == 0 || status == Status::Refused as i32, "{status}"),
        }
    }

    fn release(&mut self) {
        if let Some(at) = self.pick(self.kept.live.len()) {
            let kept = self.kept.live[at];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_data_release(self.rig.engine(), kept) };
            self.expect(status, Status::Ok);
            self.kept.end(kept);
        }
        if let Some(at) = self.pick(self.kept.dead.len()) {
            let kept = self.kept.dead[at];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_data_release(self.rig.engine(), kept) };
            self.expect(status, Status::Stale);
        }
    }

    /// A good handle where another kind is wanted, and one of another engine.
    fn wrong_kinds(&mut self) {
        let engine = self.rig.engine();
        if let Some(at) = self.pick(self.requests.live.len()) {
            let request = self.requests.live[at];
            // SAFETY: storage of the rig's.
            let status = unsafe { sockless_transfer_cancel(engine, request) };
            self.expect(status, Status::Kind);
        }
        // SAFETY: storage of the rig's.
        let status = unsafe { sockless_request_free(engine, self.foreign) };
        // Once in 65,536 engines the two have the same number, and then it is the generation.
        assert!(status == Status::Foreign as i32 || status == Status::Stale as i32);
        // SAFETY: as above.
        let status = unsafe { sockless_request_free(core::ptr::null_mut(), self.foreign) };
        self.expect(status, Status::Null);
    }

    /// Closes at any moment, brings home what is in flight, and begins anew.
    fn close(&mut self) {
        let owes = !self.flights.is_empty() || !self.kept.live.is_empty();
        let want = if owes { Status::InFlight } else { Status::Ok };
        assert_eq!(self.rig.close(), want as i32);
        for operation in core::mem::take(&mut self.flights) {
            assert_eq!(self.rig.poll(), Status::Closed as i32);
            let result = self.carry_out_late(&operation);
            assert_eq!(self.rig.complete(operation.id, result), 0);
        }
        for kept in core::mem::take(&mut self.kept.live) {
            // SAFETY: storage of the rig's.
            assert_eq!(unsafe { sockless_data_release(self.rig.engine(), kept) }, 0);
        }
        assert_eq!(self.rig.close(), Status::Closed as i32);
        self.counts[3] += 1;
        self.rig = Rig::new(self.dice.u64(..));
        for known in [
            &mut self.operations,
            &mut self.transfers,
            &mut self.requests,
            &mut self.kept,
            &mut self.ssh,
            &mut self.kerberos,
        ] {
            *known = Known::default();
        }
        self.used.clear();
    }

    /// The kernel does not know that the engine is gone.
    fn carry_out_late(&mut self, operation: &Operation) -> i64 {
        match operation.kind {
            kind if kind == OperationKind::Resolve as u32 => 0,
            _ => self.carry_out(operation),
        }
    }

    fn pick(&mut self, of: usize) -> Option<usize> {
        (of > 0).then(|| self.dice.usize(..of))
    }
}
