//! Address spaces: the mappings that processes with shared memory have in common.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::flags::Protection;
use crate::forest::{Interval, Root};
use crate::memory::Memory;
use crate::region::{Region, RegionHandle};
use crate::request::Pid;
use crate::view::MappingView;

/// A mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappingHandle(pub u32);

/// What a process sees of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub start: u64,
    pub end: u64,
    pub region: RegionHandle,
    pub protection: Protection,
    /// Which of equal mappings was made first; only that goes with unmapping.
    pub age: u32,
}

impl Mapping {
    fn by_address(&self, handle: MappingHandle) -> Interval {
        Interval {
            start: self.start,
            end: self.end,
            id: u64::from(self.age) << 32 | u64::from(handle.0),
        }
    }
}

/// An address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// Its mappings by address; those of one object may overlap.
    pub mappings: Root,
    /// Live processes in it.
    pub users: u32,
}

impl<M: Memory> Engine<M> {
    /// Makes sure that a mapping of a region can be added.
    pub(crate) fn reserve_mapping(&mut self) -> Result<()> {
        self.budget.spend()?;
        self.mappings.reserve()?;
        self.forest.reserve(1)
    }

    /// Adds a mapping of a region, younger than all others. Reserve first.
    pub(crate) fn add_mapping(&mut self, space: u32, mut mapping: Mapping) {
        mapping.age = self.next_age;
        self.next_age = self.next_age.wrapping_add(1);
        self.region_mut(mapping.region).users += 1;
        let handle = MappingHandle(self.mappings.insert(mapping));
        let root = &mut self.spaces[space].mappings;
        self.forest.insert(root, mapping.by_address(handle));
    }

    /// Removes a mapping, and its region when it was the last user.
    pub(crate) fn remove_mapping(&mut self, space: u32, handle: MappingHandle) {
        let by_address = self.mapping(handle).by_address(handle);
        let root = &mut self.spaces[space].mappings;
        self.forest.remove(root, by_address);
        self.forget_mapping(handle);
    }

    /// The same for a mapping that is already not found by address any more.
    pub(crate) fn forget_mapping(&mut self, handle: MappingHandle) {
        let Some(mapping) = self.mappings.remove(handle.0) else {
            return;
        };
        let region = self.region_mut(mapping.region);
        region.users -= 1;
        if region.users == 0 {
            self.remove_region(mapping.region);
        }
    }

    /// Gives a mapping, and the region that is its alone, other bounds.
    pub(crate) fn bound(&mut self, space: u32, handle: MappingHandle, start: u64, end: u64) {
        let mapping = &mut self.mappings[handle.0];
        let old = mapping.by_address(handle);
        mapping.start = start;
        mapping.end = end;
        let new = mapping.by_address(handle);
        let region = mapping.region;
        self.forest.change(self.spaces[space].mappings, old, new);
        self.bound_region(region, start, end);
    }

    pub(crate) fn new_space(&mut self) -> Result<u32> {
        self.budget.spend()?;
        self.spaces.reserve()?;
        Ok(self.spaces.insert(Space {
            mappings: Root::EMPTY,
            users: 1,
        }))
    }

    /// A process leaves an address space; the last one takes the mappings with it.
    pub(crate) fn leave_space(&mut self, space: u32) {
        self.spaces[space].users -= 1;
        if self.spaces[space].users > 0 {
            return;
        }
        while let Some(first) = self.forest.iter(self.spaces[space].mappings).next() {
            self.remove_mapping(space, MappingHandle(first.id as u32));
        }
        self.spaces.remove(space);
    }

    /// A mapping of a process that all of a range lies in.
    pub(crate) fn mapping_around(
        &self,
        pid: Pid,
        address: u64,
        length: u64,
    ) -> Result<MappingHandle> {
        let end = address.checked_add(length).ok_or(Errno::EFAULT)?;
        let space = &self.spaces[self.process(pid)?.space];
        let found = self.forest.covering(space.mappings, address, end);
        found
            .map(|found| MappingHandle(found.id as u32))
            .ok_or(Errno::EFAULT)
    }

    pub(crate) fn mapping(&self, handle: MappingHandle) -> &Mapping {
        &self.mappings[handle.0]
    }

    pub(crate) fn region_of(&self, handle: MappingHandle) -> &Region {
        self.region(self.mapping(handle).region)
    }

    pub(crate) fn mapping_view(&self, handle: MappingHandle) -> MappingView {
        let mapping = self.mapping(handle);
        let region = self.region(mapping.region);
        let offset = match region.object {
            Some(_) => region.offset.wrapping_add(mapping.start - region.start),
            None => 0,
        };
        MappingView {
            start: mapping.start,
            end: mapping.end,
            protection: mapping.protection,
            shared: region.shared,
            object: region.object,
            offset,
        }
    }
}
