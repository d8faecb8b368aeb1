//! Operations that the proactor has.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use compio_driver::op::{Connect, Recv, SendVectored};
use compio_driver::{Key, OpCode, Proactor};
use sockless_core::{ById, ConnId, Op};

use super::buffers::{Fd, Pieces, Room};

/// One operation on its way. Its buffers are in the request.
pub(super) struct Flight {
    pub(super) op: Op,
    pub(super) request: Request,
    pub(super) cancelled: bool,
}

/// What the proactor was asked for.
pub(super) enum Request {
    Recv(Key<Recv<Room, Fd>>),
    Send(Key<SendVectored<Pieces, Fd>>),
    Connect(Key<Connect<Fd>>),
    /// When there is something to receive.
    #[cfg(unix)]
    Watch(Key<compio_driver::op::PollOnce<Fd>>),
}

/// The table of flights.
#[derive(Default)]
pub(super) struct Flights {
    slots: Vec<Option<Flight>>,
    free: Vec<usize>,
    /// What the proactor calls when a slot's flight has landed.
    bells: Vec<Waker>,
    landed: Arc<Landed>,
    /// How many flights each connection has.
    busy: ById<u64, usize>,
}

/// Slots whose flights have landed.
#[derive(Default)]
struct Landed {
    slots: Mutex<Vec<usize>>,
}

struct Bell {
    landed: Arc<Landed>,
    slot: usize,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let slots = self.landed.slots.lock();
        // Nothing panics under the lock.
        slots
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.slot);
    }
}

impl Flights {
    /// Takes a flight in, and has its landing announced.
    pub(super) fn insert(&mut self, flight: Flight, proactor: &mut Proactor) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            let slot = self.slots.len();
            let landed = Arc::clone(&self.landed);
            self.slots.push(None);
            self.bells
                .push(Waker::from(Arc::new(Bell { landed, slot })));
            slot
        });
        let bell = &self.bells[slot];
        match &flight.request {
            Request::Recv(key) => proactor.update_waker(key, bell),
            Request::Send(key) => proactor.update_waker(key, bell),
            Request::Connect(key) => proactor.update_waker(key, bell),
            #[cfg(unix)]
            Request::Watch(key) => proactor.update_waker(key, bell),
        }
        *self.busy.entry(flight.op.conn.as_u64()).or_default() += 1;
        self.slots[slot] = Some(flight);
        slot
    }

    /// Takes a flight out.
    pub(super) fn remove(&mut self, slot: usize) -> Option<Flight> {
        let flight = self.slots.get_mut(slot)?.take()?;
        self.free.push(slot);
        let conn = flight.op.conn.as_u64();
        if let Some(count) = self.busy.get_mut(&conn) {
            *count -= 1;
            if *count == 0 {
                self.busy.remove(&conn);
            }
        }
        Some(flight)
    }

    /// Asks for its end, once.
    pub(super) fn cancel(&mut self, slot: usize, proactor: &mut Proactor) {
        let Some(Some(flight)) = self.slots.get_mut(slot) else {
            return;
        };
        if std::mem::replace(&mut flight.cancelled, true) {
            return;
        }
        match &flight.request {
            Request::Recv(key) => cancel(key, proactor),
            Request::Send(key) => cancel(key, proactor),
            Request::Connect(key) => cancel(key, proactor),
            #[cfg(unix)]
            Request::Watch(key) => cancel(key, proactor),
        }
    }

    /// Takes the slots whose flights may have landed.
    pub(super) fn take_landed(&self) -> Vec<usize> {
        let slots = self.landed.slots.lock();
        std::mem::take(&mut *slots.unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.busy.is_empty()
    }

    /// Whether the proactor has something of that connection.
    pub(super) fn is_busy(&self, conn: ConnId) -> bool {
        self.busy.contains_key(&conn.as_u64())
    }

    pub(super) fn of(&self, conn: ConnId) -> Vec<usize> {
        self.slots_where(|flight| flight.op.conn == conn)
    }

    pub(super) fn all(&self) -> Vec<usize> {
        self.slots_where(|_| true)
    }

    fn slots_where(&self, wanted: impl Fn(&Flight) -> bool) -> Vec<usize> {
        let slots = self.slots.iter().enumerate();
        slots
            .filter(|(_, flight)| flight.as_ref().is_some_and(&wanted))
            .map(|(slot, _)| slot)
            .collect()
    }
}

fn cancel<T: OpCode>(key: &Key<T>, proactor: &mut Proactor) {
    let token = proactor.register_cancel(key);
    // `false`: it has landed already.
    proactor.cancel_token(token);
}
