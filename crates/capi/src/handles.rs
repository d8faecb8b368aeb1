//! Handles: numbers that say what they name, whose it is, and which use of its slot.
//!
//! ```text
//!   63  60 59      44 43           22 21            0
//!   | kind |  engine  |  generation  |     slot     |
//! ```
//! A slot's generations begin at a number of its own and it is given up when it has had all of
//! them, so no handle is ever given out twice by an engine. `engine` is drawn from the
//! seed and the address of the engine: two engines have the same once in 65,536 times, and then
//! the generation is all that keeps a foreign handle out.

use crate::Status;

const SLOT_BITS: u32 = 22;
const GENERATION_BITS: u32 = 22;
const SLOTS: u64 = 1 << SLOT_BITS;
const GENERATIONS: u64 = 1 << GENERATION_BITS;

/// What a handle names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// An operation in flight.
    Operation = 1,
    /// A transfer.
    Transfer = 2,
    /// A request that can be started.
    Request = 3,
    /// TLS settings.
    Tls = 4,
    /// Data kept beyond its event.
    Kept = 5,
    /// SSH settings.
    Ssh = 6,
    /// Kerberos settings.
    Kerberos = 7,
    /// A question of a layer's.
    Question = 8,
}

/// Things of one kind by their handles.
#[derive(Debug)]
pub struct Table<T> {
    kind: Kind,
    tag: u64,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    first: u64,
    generation: u64,
    value: Option<T>,
}

impl<T> Table<T> {
    /// An empty one of the engine with that number.
    pub fn new(kind: Kind, engine: u16) -> Self {
        Self {
            kind,
            tag: u64::from(engine),
            slots: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }

    /// Gives the value a handle.
    ///
    /// # Errors
    /// [`Status::Full`], and the value back.
    pub fn insert(&mut self, value: T) -> Result<u64, (Status, T)> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if self.slots.len() as u64 == SLOTS => return Err((Status::Full, value)),
            None => {
                let slot = self.slots.len() as u32;
                let first = first_generation(self.tag, self.kind, slot);
                self.slots.push(Slot {
                    first,
                    generation: first,
                    value: None,
                });
                slot
            }
        };
        let entry = &mut self.slots[slot as usize];
        entry.value = Some(value);
        self.len += 1;
        Ok(handle(self.kind, self.tag, entry.generation, slot))
    }

    /// What the handle names.
    ///
    /// # Errors
    /// [`Status::Null`], [`Status::Foreign`], [`Status::Kind`] or [`Status::Stale`].
    pub fn find(&mut self, handle: u64) -> Result<&mut T, Status> {
        let slot = self.slot(handle)?;
        self.slots[slot].value.as_mut().ok_or(Status::Stale)
    }

    /// Takes what the handle names; the handle is used up.
    ///
    /// # Errors
    /// As [`Table::find`].
    pub fn take(&mut self, handle: u64) -> Result<T, Status> {
        let at = self.slot(handle)?;
        let slot = &mut self.slots[at];
        let value = slot.value.take().ok_or(Status::Stale)?;
        slot.generation = (slot.generation + 1) % GENERATIONS;
        if slot.generation != slot.first {
            self.free.push(at as u32);
        }
        self.len -= 1;
        Ok(value)
    }

    fn slot(&self, handle: u64) -> Result<usize, Status> {
        if handle == 0 {
            return Err(Status::Null);
        }
        if (handle >> 44) & 0xffff != self.tag {
            return Err(Status::Foreign);
        }
        if handle >> 60 != self.kind as u64 {
            return Err(Status::Kind);
        }
        let at = (handle % SLOTS) as usize;
        let slot = self.slots.get(at).ok_or(Status::Foreign)?;
        match slot.generation == (handle >> SLOT_BITS) % GENERATIONS {
            true => Ok(at),
            false => Err(Status::Stale),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

fn handle(kind: Kind, tag: u64, generation: u64, slot: u32) -> u64 {
    (kind as u64) << 60 | tag << 44 | generation << SLOT_BITS | u64::from(slot)
}

fn first_generation(tag: u64, kind: Kind, slot: u32) -> u64 {
    mixed(tag << 40 | (kind as u64) << 32 | u64::from(slot)) % GENERATIONS
}

/// A number that looks like chance (the finalizer of splitmix64).
pub(crate) fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_good_for_its_own_thing_only() {
        let mut ours = Table::new(Kind::Request, 7);
        let first = ours.insert('a').expect("room");
        assert_eq!(ours.find(first), Ok(&mut 'a'));
        assert_eq!(ours.find(0), Err(Status::Null));
        assert_eq!(ours.find(first ^ 1 << 60), Err(Status::Kind));
        assert_eq!(ours.find(first ^ 1 << 44), Err(Status::Foreign));
        assert_eq!(ours.find(first + 1), Err(Status::Foreign));
        assert_eq!(ours.find(first ^ 1 << SLOT_BITS), Err(Status::Stale));
        assert_eq!(ours.take(first), Ok('a'));
        assert_eq!(ours.take(first), Err(Status::Stale));
        let second = ours.insert('b').expect("room");
        assert_eq!((second % SLOTS, second == first), (first % SLOTS, false));
        assert_eq!(ours.find(first), Err(Status::Stale));
        assert_eq!((ours.len(), ours.is_empty()), (1, false));
    }

    #[test]
    fn a_slot_that_has_had_all_its_generations_is_given_up() {
        let mut table = Table::new(Kind::Operation, 1);
        let first = table.insert(()).expect("room");
        let mut last = first;
        for _ in 0..GENERATIONS {
            table.take(last).expect("there");
            last = table.insert(()).expect("room");
        }
        assert_ne!(last % SLOTS, first % SLOTS);
        assert_eq!(table.find(first), Ok(&mut ()).and(Err(Status::Stale)));
    }
}
