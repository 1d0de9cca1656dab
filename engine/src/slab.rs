//! Records that are found by number, the numbers of those that went used again.

use crate::copy::clone_in_place;
use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// No entry.
const NONE: u32 = u32::MAX;

/// The arena.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Slab<T> {
    entries: Vec<Entry<T>>,
    /// The first vacant entry; they are linked.
    vacant: u32,
}

clone_in_place!(Slab<T> {
    entries,
    vacant,
});

#[derive(Debug, PartialEq, Eq)]
enum Entry<T> {
    Vacant(u32),
    Occupied(T),
}

impl<T: Clone> Clone for Entry<T> {
    fn clone(&self) -> Self {
        match self {
            Entry::Vacant(next) => Entry::Vacant(*next),
            Entry::Occupied(value) => Entry::Occupied(value.clone()),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        match (&mut *self, source) {
            (Entry::Occupied(value), Entry::Occupied(source)) => value.clone_from(source),
            _ => *self = source.clone(),
        }
    }
}

impl<T> Slab<T> {
    pub fn new() -> Self {
        Self {
            entries: Vec::new(),
            vacant: NONE,
        }
    }

    /// Makes sure that one insertion cannot fail.
    pub fn reserve(&mut self) -> Result<()> {
        self.entries.try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    /// Adds a record. Reserve first.
    pub fn insert(&mut self, value: T) -> u32 {
        if self.vacant == NONE {
            self.entries.push(Entry::Occupied(value));
            return self.entries.len() as u32 - 1;
        }
        let index = self.vacant;
        let entry = &mut self.entries[index as usize];
        if let Entry::Vacant(next) = *entry {
            self.vacant = next;
        }
        *entry = Entry::Occupied(value);
        index
    }

    pub fn remove(&mut self, index: u32) -> Option<T> {
        let entry = self.entries.get_mut(index as usize)?;
        if matches!(entry, Entry::Vacant(_)) {
            return None;
        }
        let removed = core::mem::replace(entry, Entry::Vacant(self.vacant));
        self.vacant = index;
        match removed {
            Entry::Occupied(value) => Some(value),
            Entry::Vacant(_) => None,
        }
    }

    /// All records, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> + '_ {
        self.entries
            .iter()
            .enumerate()
            .filter_map(|(index, entry)| match entry {
                Entry::Occupied(value) => Some((index as u32, value)),
                Entry::Vacant(_) => None,
            })
    }
}

impl<T> core::ops::Index<u32> for Slab<T> {
    type Output = T;
    /// The number must be that of a record.
    #[inline]
    fn index(&self, index: u32) -> &T {
        match &self.entries[index as usize] {
            Entry::Occupied(value) => value,
            Entry::Vacant(_) => panic!("a record that is gone was asked for"),
        }
    }
}

impl<T> core::ops::IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        match &mut self.entries[index as usize] {
            Entry::Occupied(value) => value,
            Entry::Vacant(_) => panic!("a record that is gone was asked for"),
        }
    }
}
