//! Operations between submission and completion.

use core::mem;

use sockless_core::{ById, ConnId, MAX_SEND_BUFS, Op, OpId};

use crate::socket::Address;

/// Names a flight in the ring's `user_data`: a slot and the generation of its use, so
/// that a late completion never meets the slot's next user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(u64);

impl Key {
    /// Completions of cancels, which say nothing that the cancelled operation does not.
    pub(super) const CANCEL: Self = Self(u64::MAX);
    /// The poll of the bell.
    pub(super) const BELL: Self = Self(u64::MAX - 1);

    fn new(slot: u32, generation: u32) -> Self {
        Self(u64::from(generation) << 32 | u64::from(slot))
    }

    pub(super) fn from_user_data(raw: u64) -> Self {
        Self(raw)
    }

    pub(super) fn user_data(self) -> u64 {
        self.0
    }

    fn slot(self) -> usize {
        self.0 as u32 as usize
    }
}

/// What is going on with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The kernel has it, or will at the next wait; its memory stays until the completion.
    Kernel,
    /// A poll for it is with the kernel, which knows none of its memory.
    Poll,
    /// The resolver has it.
    Resolver,
}

/// One operation on its way.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) op: Op,
    pub(super) stage: Stage,
    pub(super) cancelled: bool,
    pub(super) scratch: Option<Scratch>,
}

/// Memory that the kernel reads while an operation is on its way, beside its buffers.
/// In a box, because the table of flights moves when it grows.
pub(super) type Scratch = Box<ScratchSpace>;

pub(super) struct ScratchSpace {
    pub(super) address: Option<Address>,
    pub(super) pieces: [libc::iovec; MAX_SEND_BUFS],
    pub(super) message: libc::msghdr,
}

impl ScratchSpace {
    fn new() -> Self {
        let nothing = libc::iovec {
            iov_base: core::ptr::null_mut(),
            iov_len: 0,
        };
        // SAFETY: msghdr is plain data for which all zeroes (null pointers) is valid.
        let message = unsafe { mem::zeroed() };
        Self {
            address: None,
            pieces: [nothing; MAX_SEND_BUFS],
            message,
        }
    }
}

impl core::fmt::Debug for ScratchSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Scratch")
    }
}

/// The table of flights. Slots and scratch memory are reused: in steady state an
/// operation allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Flights {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: ById<u64, Key>,
    spare: Vec<Scratch>,
    /// Flights whose stage is `Kernel` or `Poll`.
    in_kernel: usize,
    /// How many of them each slot of connections has, so that most closes search nothing.
    busy: Vec<u32>,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    flight: Option<Flight>,
}

impl Flights {
    /// Takes an operation in.
    ///
    /// # Panics
    /// With 2^32 operations at once: more than memory can hold.
    pub(super) fn insert(&mut self, op: Op, stage: Stage, scratch: Option<Scratch>) -> Key {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot {
                generation: 0,
                flight: None,
            });
            u32::try_from(self.slots.len() - 1).expect("fewer than 2^32 operations")
        });
        let key = Key::new(slot, self.slots[slot as usize].generation);
        self.by_id.insert(op.id.as_u64(), key);
        if stage != Stage::Resolver {
            self.in_kernel += 1;
            if self.busy.len() <= op.conn.slot() {
                self.busy.resize(op.conn.slot() + 1, 0);
            }
            self.busy[op.conn.slot()] += 1;
        }
        self.slots[slot as usize].flight = Some(Flight {
            op,
            stage,
            cancelled: false,
            scratch,
        });
        key
    }

    /// The flight of that key, unless it has ended.
    pub(super) fn flight(&mut self, key: Key) -> Option<&mut Flight> {
        let slot = self.slots.get_mut(key.slot())?;
        if slot.generation != (key.0 >> 32) as u32 {
            return None;
        }
        slot.flight.as_mut()
    }

    /// Ends a flight and hands it out, without its scratch memory.
    pub(super) fn remove(&mut self, key: Key) -> Option<Flight> {
        self.flight(key)?;
        let slot = &mut self.slots[key.slot()];
        let mut flight = slot.flight.take()?;
        slot.generation = next_generation(slot.generation);
        self.free.push(key.0 as u32);
        self.by_id.remove(&flight.op.id.as_u64());
        if flight.stage != Stage::Resolver {
            self.in_kernel -= 1;
            self.busy[flight.op.conn.slot()] -= 1;
        }
        self.spare.extend(flight.scratch.take());
        Some(flight)
    }

    /// The key of an operation.
    pub(super) fn key(&self, id: OpId) -> Option<Key> {
        self.by_id.get(&id.as_u64()).copied()
    }

    /// How many the kernel has.
    pub(super) fn in_kernel(&self) -> usize {
        self.in_kernel
    }

    /// The keys of all that the kernel has.
    pub(super) fn kernel_keys(&self) -> Vec<Key> {
        self.keys_where(|flight| flight.stage != Stage::Resolver)
    }

    /// The keys of all that the kernel has for that connection.
    pub(super) fn of(&self, conn: ConnId) -> Vec<Key> {
        if self.busy.get(conn.slot()).is_none_or(|count| *count == 0) {
            return Vec::new();
        }
        self.keys_where(|flight| flight.stage != Stage::Resolver && flight.op.conn == conn)
    }

    fn keys_where(&self, wanted: impl Fn(&Flight) -> bool) -> Vec<Key> {
        let slots = self.slots.iter().enumerate();
        let keys = slots.filter_map(|(at, slot)| {
            let flight = slot.flight.as_ref()?;
            wanted(flight).then(|| Key::new(at as u32, slot.generation))
        });
        keys.collect()
    }

    /// Scratch memory for a new flight.
    pub(super) fn scratch(&mut self) -> Scratch {
        self.spare
            .pop()
            .unwrap_or_else(|| Box::new(ScratchSpace::new()))
    }

    /// Takes scratch memory back that no flight came to use.
    pub(super) fn put_back(&mut self, scratch: Scratch) {
        self.spare.push(scratch);
    }
}

/// The last generation of each slot is left out: the names beside the flights are there.
fn next_generation(generation: u32) -> u32 {
    if generation >= u32::MAX - 1 {
        0
    } else {
        generation + 1
    }
}

#[cfg(test)]
mod tests {
    use sockless_core::{ConnId, OpKind};

    use super::*;

    fn op(id: u64) -> Op {
        Op {
            id: OpId::from_u64(id),
            conn: ConnId::from_u64(0),
            kind: OpKind::Shutdown,
        }
    }

    #[test]
    fn a_late_key_does_not_meet_the_next_flight_of_its_slot() {
        let mut flights = Flights::default();
        let first = flights.insert(op(1), Stage::Kernel, None);
        assert!(flights.remove(first).is_some());
        let second = flights.insert(op(2), Stage::Kernel, None);
        assert_eq!(first.slot(), second.slot());
        assert!(flights.flight(first).is_none());
        assert!(flights.remove(first).is_none());
        assert_eq!(flights.in_kernel(), 1);
        assert_eq!(
            flights.flight(second).map(|flight| flight.op.id),
            Some(OpId::from_u64(2))
        );
    }

    #[test]
    fn keys_of_flights_never_look_like_the_driver_s_own() {
        assert!(Key::new(u32::MAX, next_generation(u32::MAX - 2)).0 < Key::BELL.0);
        assert_eq!(next_generation(u32::MAX - 1), 0);
    }
}
