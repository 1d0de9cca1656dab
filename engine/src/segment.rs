//! SysV shared memory (lines 166-168).

use crate::copy::clone_in_place;
use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::LARGEST_FILE;
use crate::flags::{Protection, SegmentFlags};
use crate::memory::Memory;
use crate::region::{Excess, Region};
use crate::request::{Object, Pid, SegmentNumber};
use crate::space::{Mapping, MappingHandle};
use crate::units::{PageCount, PageIndex};
use crate::view::SegmentView;
use alloc::vec::Vec;

/// A segment: one contiguous run of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub number: SegmentNumber,
    /// The key that finds it; 0 for none.
    pub key: u32,
    pub size: u64,
    pub first: PageIndex,
    pub pages: PageCount,
    pub attached: u32,
    /// Goes with its last attachment.
    pub removed: bool,
}

/// The segments that exist.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Segments {
    /// By number.
    list: Vec<Segment>,
    /// By key.
    keys: Vec<(u32, SegmentNumber)>,
    next: u32,
}

clone_in_place!(Segments { list, keys, next });

impl Segments {
    pub fn iter(&self) -> impl Iterator<Item = &Segment> + '_ {
        self.list.iter()
    }

    pub fn get(&self, number: SegmentNumber) -> Option<&Segment> {
        self.list.get(self.index(number)?)
    }

    fn get_mut(&mut self, number: SegmentNumber) -> Option<&mut Segment> {
        let index = self.index(number)?;
        self.list.get_mut(index)
    }

    fn index(&self, number: SegmentNumber) -> Option<usize> {
        self.list
            .binary_search_by_key(&number, |segment| segment.number)
            .ok()
    }

    /// Which segment each key finds, by key.
    pub fn keys(&self) -> &[(u32, SegmentNumber)] {
        &self.keys
    }

    fn keyed(&self, key: u32) -> Option<&Segment> {
        let index = self.keys.binary_search_by_key(&key, |&(key, _)| key).ok()?;
        self.get(self.keys[index].1)
    }

    fn reserve(&mut self) -> Result<()> {
        self.list.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.keys.try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    fn forget_key(&mut self, key: u32) {
        if let Ok(index) = self.keys.binary_search_by_key(&key, |&(key, _)| key) {
            self.keys.remove(index);
        }
    }
}

impl<M: Memory> Engine<M> {
    /// Finds a segment by its key, or makes one: key 0 (IPC_PRIVATE) always makes one.
    ///
    /// # Errors
    ///
    /// `ENOENT`; `EEXIST`; `EINVAL` when it is smaller than asked for, or is to have no or too
    /// many bytes; `ENOMEM`.
    pub fn shmget(
        &mut self,
        pid: Pid,
        key: u32,
        size: u64,
        flags: SegmentFlags,
    ) -> Result<SegmentNumber> {
        self.caller(pid)?;
        if key != 0 {
            if let Some(segment) = self.segments.keyed(key) {
                if flags.contains(SegmentFlags::CREATE | SegmentFlags::EXCLUSIVE) {
                    return Err(Errno::EEXIST);
                }
                if size > segment.size {
                    return Err(Errno::EINVAL);
                }
                return Ok(segment.number);
            }
            if !flags.contains(SegmentFlags::CREATE) {
                return Err(Errno::ENOENT);
            }
        }
        if size == 0 || size > LARGEST_FILE {
            return Err(Errno::EINVAL);
        }
        let pages = PageCount::new(self.page.holding(size)).ok_or(Errno::ENOMEM)?;
        self.budget.spend()?;
        self.segments.reserve()?;
        let (first, _) = self.take_run(pages, Excess::Returned)?;
        let start = self.page_address(first);
        self.memory
            .fill(start, self.page.span(u64::from(pages.0)), 0);
        let number = SegmentNumber(self.segments.next);
        self.segments.next += 1;
        self.segments.list.push(Segment {
            number,
            key,
            size,
            first,
            pages,
            attached: 0,
            removed: false,
        });
        if key != 0
            && let Err(index) = self
                .segments
                .keys
                .binary_search_by_key(&key, |&(key, _)| key)
        {
            self.segments.keys.insert(index, (key, number));
        }
        Ok(number)
    }

    /// Maps a segment: a mapping of its own each time. Returns the address.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it does not exist; `ENOMEM`.
    pub fn shmat(&mut self, pid: Pid, number: SegmentNumber, read_only: bool) -> Result<u64> {
        let space = self.caller(pid)?.space;
        let segment = *self.segments.get(number).ok_or(Errno::EINVAL)?;
        self.reserve_region()?;
        if let Some(segment) = self.segments.get_mut(number) {
            segment.attached += 1;
        }
        let start = self.page_address(segment.first);
        let end = start + self.page.span(u64::from(segment.pages.0));
        let protection = if read_only {
            Protection::READ
        } else {
            Protection::READ | Protection::WRITE
        };
        let region = self.add_region(Region {
            start,
            end,
            top: end,
            object: Some(Object::Segment(number)),
            file: None,
            offset: 0,
            protection,
            shared: true,
            copy: false,
            uninitialized: false,
            users: 0,
            share: None,
        });
        let mapping = Mapping {
            start,
            end,
            region,
            protection,
            age: 0,
        };
        self.add_mapping(space, mapping);
        Ok(start)
    }

    /// Unmaps one attachment of a segment, by its address.
    ///
    /// # Errors
    ///
    /// `EINVAL` when no segment is attached exactly there.
    pub fn shmdt(&mut self, pid: Pid, address: u64) -> Result<()> {
        let space = self.caller(pid)?.space;
        let root = self.spaces[space].mappings;
        let found = self.forest.iter_from(root, address, 0).next();
        let found = found.filter(|found| found.start == address);
        let mapping = MappingHandle(found.ok_or(Errno::EINVAL)?.id as u32);
        if !matches!(self.region_of(mapping).object, Some(Object::Segment(_))) {
            return Err(Errno::EINVAL);
        }
        self.remove_mapping(space, mapping);
        Ok(())
    }

    /// Removes a segment, at once or with its last attachment.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it does not exist.
    pub fn shm_remove(&mut self, pid: Pid, number: SegmentNumber) -> Result<()> {
        self.caller(pid)?;
        let segment = self.segments.get_mut(number).ok_or(Errno::EINVAL)?;
        segment.removed = true;
        let key = core::mem::take(&mut segment.key);
        if key != 0 {
            self.segments.forget_key(key);
        }
        self.release_segment(number);
        Ok(())
    }

    /// What a segment is.
    ///
    /// # Errors
    ///
    /// `EINVAL` when it does not exist.
    pub fn shm_stat(&self, pid: Pid, number: SegmentNumber) -> Result<SegmentView> {
        self.caller(pid)?;
        let segment = self.segments.get(number).ok_or(Errno::EINVAL)?;
        Ok(self.segment_view(segment))
    }

    pub(crate) fn segment_view(&self, segment: &Segment) -> SegmentView {
        SegmentView {
            number: segment.number,
            key: (segment.key != 0).then_some(segment.key),
            size: segment.size,
            attached: segment.attached,
            removed: segment.removed,
            start: self.page_address(segment.first),
        }
    }

    /// One attachment less.
    pub(crate) fn detach_segment(&mut self, number: SegmentNumber) {
        if let Some(segment) = self.segments.get_mut(number) {
            segment.attached -= 1;
        }
        self.release_segment(number);
    }

    fn release_segment(&mut self, number: SegmentNumber) {
        let Some(index) = self.segments.index(number) else {
            return;
        };
        let Segment {
            removed,
            attached,
            first,
            pages,
            ..
        } = self.segments.list[index];
        if removed && attached == 0 {
            self.segments.list.remove(index);
            self.buddy.free(first, pages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, FlatMemory, Labels};

    fn written(engine: &Engine<FlatMemory>, start: &Engine<FlatMemory>, alike: bool) -> Vec<u8> {
        let labels = Labels {
            processes: &[Pid(0)],
            files: &[],
            segments: &[SegmentNumber(0)],
            paths_alike: alike,
            keys_alike: alike,
        };
        let mut bytes = Vec::new();
        engine.write_state(start, &labels, &mut bytes);
        bytes
    }

    #[test]
    fn a_key_that_finds_what_it_should_not_is_part_of_the_state() {
        let config = Config::default();
        let memory = FlatMemory::new(&config).expect("there is memory");
        let mut engine = Engine::new(config, memory).expect("a sound configuration");
        let start = engine.clone();
        let made = engine.shmget(Pid(0), 1, 1, SegmentFlags::CREATE);
        made.expect("there is room");
        let right = [true, false].map(|alike| written(&engine, &start, alike));
        engine.segments.keys.push((7, SegmentNumber(0)));
        let wrong = [true, false].map(|alike| written(&engine, &start, alike));
        assert_ne!(right[0], wrong[0]);
        assert_ne!(right[1], wrong[1]);
        // Which key it is only matters where keys do.
        engine.segments.keys[1].0 = 8;
        let other = [true, false].map(|alike| written(&engine, &start, alike));
        assert_eq!(other[0], wrong[0]);
        assert_ne!(other[1], wrong[1]);
    }
}
