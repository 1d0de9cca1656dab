//! The set of fingerprints seen so far.
//!
//! A shard is a table with linear probing whose keys are in ascending order: a key's home is
//! proportional to the key, and a key never stands before its home. So a look-up ends early
//! at a greater key, and a full table grows in place by walking once over memory, by a small
//! factor: it stays between seven and eight tenths full, about 10.6 bytes for a state: the
//! fuller it is, the longer are the clusters that a look-up goes through.

use super::fingerprint::{Fingerprint, SHARD_BITS};

/// One of the tables that the set is divided into. Threads own whole shards.
#[derive(Clone, Debug)]
pub(super) struct Shard {
    /// Keys in ascending order, with 0 in empty places, of which the last is one. After
    /// the homes come at least [`OVERFLOW`] places that serve clusters which run over.
    slots: Vec<u64>,
    homes: usize,
    len: usize,
}

/// Places after the last home.
const OVERFLOW: usize = 128;
const FIRST_HOMES: usize = 64;

impl Shard {
    fn new() -> Self {
        Self {
            slots: vec![0; FIRST_HOMES + OVERFLOW],
            homes: FIRST_HOMES,
            len: 0,
        }
    }

    /// Adds a key, and says whether it is new.
    #[inline]
    pub fn insert(&mut self, key: u64) -> bool {
        debug_assert_ne!(key, 0, "0 means an empty place");
        let mut place = home(key, self.homes);
        loop {
            // The last place is always empty, so this ends.
            let found = self.slots[place];
            if found == key {
                return false;
            }
            if found == 0 || found > key {
                break;
            }
            place += 1;
        }
        self.put(place, key);
        true
    }

    /// Reads the place where the search for a key begins.
    #[inline]
    pub fn touch(&self, key: u64) -> u64 {
        self.slots[home(key, self.homes)]
    }

    /// Puts a new key in its place and moves the rest of the cluster up.
    #[inline(never)]
    fn put(&mut self, place: usize, key: u64) {
        let cluster = self.slots[place..].iter().position(|&slot| slot == 0);
        let end = place + cluster.expect("the last place is empty");
        self.slots.copy_within(place..end, place + 1);
        self.slots[place] = key;
        self.len += 1;
        if self.len * 10 > self.homes * 8 || self.slots.last() != Some(&0) {
            self.grow();
        }
    }

    /// Makes room in place: all keys to the front, more memory, all keys to the back, and
    /// then each to its home or the first free place after it.
    fn grow(&mut self) {
        let mut sorted = 0;
        for place in 0..self.slots.len() {
            let key = self.slots[place];
            if key != 0 {
                self.slots[sorted] = key;
                sorted += 1;
            }
        }
        assert_eq!(sorted, self.len, "as many keys as were inserted");
        self.homes += self.homes / 8;
        let end = end(&self.slots[..sorted], self.homes);
        let slots = self.homes.max(end) + OVERFLOW;
        // `resize` alone may reserve twice what is needed.
        self.slots.reserve_exact(slots - self.slots.len());
        self.slots.resize(slots, 0);
        let back = self.slots.len() - sorted;
        self.slots.copy_within(..sorted, back);
        self.slots[..back].fill(0);
        let mut free = 0;
        for place in back..self.slots.len() {
            let key = std::mem::take(&mut self.slots[place]);
            // What is written is never past what is read: the places left empty so far are
            // at most all the places that will be.
            let target = home(key, self.homes).max(free);
            self.slots[target] = key;
            free = target + 1;
        }
    }
}

/// Where a key wants to be.
#[inline]
fn home(key: u64, homes: usize) -> usize {
    ((u128::from(key) * homes as u128) >> 64) as usize
}

/// The place after the last that keys in ascending order take.
fn end(sorted: &[u64], homes: usize) -> usize {
    sorted
        .iter()
        .fold(0, |free, &key| home(key, homes).max(free) + 1)
}

/// All shards.
#[derive(Clone, Debug)]
pub(super) struct Visited {
    pub shards: Vec<Shard>,
}

impl Visited {
    pub fn new() -> Self {
        Self {
            shards: vec![Shard::new(); 1 << SHARD_BITS],
        }
    }

    /// Adds a state, and says whether it is new.
    pub fn insert(&mut self, fingerprint: Fingerprint) -> bool {
        self.shards[usize::from(fingerprint.shard)].insert(fingerprint.key)
    }

    /// The same for the same states, in whatever order they came.
    pub fn digest(&self) -> u64 {
        let shards = (1u64..).zip(&self.shards);
        shards.fold(0, |digest, (number, shard)| {
            let keys = shard.slots.iter().copied().fold(0, u64::wrapping_add);
            digest.wrapping_add(keys.wrapping_mul(number.wrapping_mul(2) + 1))
        })
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> u64 {
        let slots: usize = self.shards.iter().map(|shard| shard.slots.len()).sum();
        (slots * size_of::<u64>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(crate::explore::tests::seeded())]

        #[test]
        fn behaves_as_a_set(
            keys in proptest::collection::vec(
                prop_oneof![1..=300u64, any::<u64>().prop_map(|key| key.max(1)), u64::MAX - 300..=u64::MAX],
                0..2_000,
            )
        ) {
            let mut shard = Shard::new();
            let mut set = BTreeSet::new();
            for &key in &keys {
                prop_assert_eq!(shard.insert(key), set.insert(key));
            }
            for &key in &keys {
                prop_assert!(!shard.insert(key));
            }
            let kept: Vec<u64> = shard.slots.iter().copied().filter(|&key| key != 0).collect();
            prop_assert_eq!(kept, set.into_iter().collect::<Vec<u64>>());
        }
    }
}
