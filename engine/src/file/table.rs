//! The files that exist, by place, by number and by path.

use super::{File, FileSlot};
use crate::copy::clone_in_place;
use crate::error::{Errno, Result};
use crate::request::FileNumber;
use crate::slab::Slab;
use alloc::vec::Vec;

/// How often a table may have been changed, for whoever compares systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Changes(u64);

impl Changes {
    #[inline]
    fn count(&mut self) {
        self.0 += 1;
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Files {
    slots: Slab<File>,
    /// Where each number ever given is, while its file exists.
    by_number: Vec<Option<FileSlot>>,
    /// Files that have a name, by path.
    by_path: Vec<FileSlot>,
    /// The existing files of the lowest and the highest number; the rest are linked.
    first: Option<FileSlot>,
    last: Option<FileSlot>,
    changes: Changes,
}

clone_in_place!(Files {
    slots,
    by_number,
    by_path,
    first,
    last,
    changes,
});

impl Files {
    pub fn new() -> Self {
        Self {
            slots: Slab::new(),
            by_number: Vec::new(),
            by_path: Vec::new(),
            first: None,
            last: None,
            changes: Changes(0),
        }
    }

    #[inline]
    pub fn get(&self, slot: FileSlot) -> &File {
        &self.slots[slot.0]
    }

    pub fn get_mut(&mut self, slot: FileSlot) -> &mut File {
        self.changes.count();
        &mut self.slots[slot.0]
    }

    /// Whether nothing was changed since this was a copy of `before`.
    pub fn is_unchanged_since(&self, before: &Self) -> bool {
        self.changes == before.changes
    }

    /// The number that the next file gets.
    pub fn next_number(&self) -> FileNumber {
        FileNumber(self.by_number.len() as u32)
    }

    pub fn reserve(&mut self) -> Result<()> {
        self.slots.reserve()?;
        self.by_number.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.by_path.try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    /// Adds a file that has a name, with the next number. Reserve first.
    pub fn insert(&mut self, mut file: File) -> FileSlot {
        self.changes.count();
        file.previous = self.last;
        file.next = None;
        let place = self.path_index(file.path.as_str()).unwrap_or_else(|at| at);
        let slot = FileSlot(self.slots.insert(file));
        self.by_number.push(Some(slot));
        self.by_path.insert(place, slot);
        match self.last {
            Some(last) => self.get_mut(last).next = Some(slot),
            None => self.first = Some(slot),
        }
        self.last = Some(slot);
        slot
    }

    /// Takes away a file's name.
    pub fn unlink(&mut self, slot: FileSlot) {
        if let Ok(place) = self.path_index(self.get(slot).path.as_str()) {
            self.by_path.remove(place);
        }
        self.get_mut(slot).linked = false;
    }

    /// Removes a file that has no name.
    pub fn remove(&mut self, slot: FileSlot) -> Option<File> {
        let file = self.slots.remove(slot.0)?;
        self.changes.count();
        match file.previous {
            Some(previous) => self.get_mut(previous).next = file.next,
            None => self.first = file.next,
        }
        match file.next {
            Some(next) => self.get_mut(next).previous = file.previous,
            None => self.last = file.previous,
        }
        if let Some(place) = self.by_number.get_mut(file.number.0 as usize) {
            *place = None;
        }
        Some(file)
    }

    pub fn find(&self, path: &str) -> Option<FileSlot> {
        self.path_index(path).ok().map(|place| self.by_path[place])
    }

    /// How many files are found by a path.
    pub fn names(&self) -> usize {
        self.by_path.len()
    }

    pub fn numbered(&self, number: FileNumber) -> Option<FileSlot> {
        *self.by_number.get(number.0 as usize)?
    }

    /// All files, by number.
    pub fn iter(&self) -> impl Iterator<Item = (FileSlot, &File)> + '_ {
        core::iter::successors(self.first, |&slot| self.get(slot).next)
            .map(|slot| (slot, self.get(slot)))
    }

    fn path_index(&self, path: &str) -> core::result::Result<usize, usize> {
        self.by_path
            .binary_search_by(|&slot| self.get(slot).path.as_str().cmp(path))
    }
}
