//! Slots with generations: a key of an earlier use never finds the slot's next user.

/// Values by key; a key is slot and generation in one number.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    len: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Slab<T> {
    pub(crate) fn insert(&mut self, value: T) -> u64 {
        self.len += 1;
        if let Some(slot) = self.free.pop() {
            let entry = &mut self.slots[slot as usize];
            entry.value = Some(value);
            return key(slot, entry.generation);
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 slots");
        self.slots.push(Slot {
            generation: 1,
            value: Some(value),
        });
        key(slot, 1)
    }

    /// A key that no value has, or will have.
    pub(crate) fn spare(&mut self) -> u64 {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).expect("fewer than 2^32 slots");
                self.slots.push(Slot {
                    generation: 1,
                    value: None,
                });
                slot
            }
        };
        let spare = key(slot, self.slots[slot as usize].generation);
        self.len += 1;
        self.vacate(spare);
        spare
    }

    pub(crate) fn get(&self, key: u64) -> Option<&T> {
        self.slots
            .get(key as u32 as usize)
            .filter(|entry| entry.generation == (key >> 32) as u32)
            .and_then(|entry| entry.value.as_ref())
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut T> {
        self.slots
            .get_mut(key as u32 as usize)
            .filter(|entry| entry.generation == (key >> 32) as u32)
            .and_then(|entry| entry.value.as_mut())
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<T> {
        let value = self.value_at(key)?.take()?;
        self.vacate(key);
        Some(value)
    }

    /// As [`Slab::remove`], for a large value that nobody wants: it is dropped where it lies.
    pub(crate) fn discard(&mut self, key: u64) {
        if let Some(value) = self.value_at(key)
            && value.is_some()
        {
            *value = None;
            self.vacate(key);
        }
    }

    fn value_at(&mut self, key: u64) -> Option<&mut Option<T>> {
        self.slots
            .get_mut(key as u32 as usize)
            .filter(|entry| entry.generation == (key >> 32) as u32)
            .map(|entry| &mut entry.value)
    }

    fn vacate(&mut self, key: u64) {
        let entry = &mut self.slots[key as u32 as usize];
        // Generation 0 is skipped, so that no key is ever 0.
        entry.generation = entry.generation.wrapping_add(1).max(1);
        self.free.push(key as u32);
        self.len -= 1;
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

fn key(slot: u32, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(slot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reused_slot_has_another_key() {
        let mut slab = Slab::default();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!(first as u32, second as u32);
        assert_eq!((slab.get(first), slab.get(second)), (None, Some(&'b')));
        assert_eq!(slab.remove(first), None);
        slab.discard(first);
        assert_eq!(slab.len(), 1);
        slab.discard(second);
        assert_eq!((slab.get(second), slab.len()), (None, 0));
    }

    #[test]
    fn a_spare_key_is_nobodys() {
        let mut slab = Slab::default();
        let spare = slab.spare();
        let keys = [slab.insert('a'), slab.spare(), slab.insert('b')];
        assert_eq!((slab.get(spare), slab.len()), (None, 2));
        assert!(!keys.contains(&spare) && keys[0] != keys[1] && keys[1] != keys[2]);
        slab.discard(spare);
        assert_eq!(slab.len(), 2);
    }
}
