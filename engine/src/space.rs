//! Address spaces: the mappings that processes with shared memory have in common.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::flags::Protection;
use crate::forest::{Handle, Root};
use crate::memory::Memory;
use crate::region::Region;
use crate::request::Pid;
use crate::view::MappingView;

/// One mapping. Its bounds are kept by the tree that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mapping {
    pub region: Handle,
    pub protection: Protection,
}

/// An address space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    /// Its mappings by start, then end, then age; mappings of one object may overlap.
    pub mappings: Root,
    /// Live processes in it.
    pub users: u32,
}

impl<M: Memory> Engine<M> {
    pub(crate) fn reserve_mapping(&mut self) -> Result<()> {
        self.budget.spend()?;
        self.mappings.reserve(1)
    }

    /// Adds a mapping of a region. Reserve first.
    pub(crate) fn add_mapping(&mut self, space: u32, start: u64, end: u64, mapping: Mapping) {
        self.regions.get_mut(mapping.region).users += 1;
        let root = &mut self.spaces[space].mappings;
        self.mappings.insert(root, start, end, mapping);
    }

    /// Removes a mapping, and its region when it was the last user.
    pub(crate) fn remove_mapping(&mut self, space: u32, handle: Handle) {
        let root = &mut self.spaces[space].mappings;
        let mapping = self.mappings.remove(root, handle);
        let region = self.regions.get_mut(mapping.region);
        region.users -= 1;
        if region.users == 0 {
            self.remove_region(mapping.region);
        }
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
        while let Some(handle) = self.mappings.first(self.spaces[space].mappings) {
            self.remove_mapping(space, handle);
        }
        self.spaces.remove(space);
    }

    /// A mapping of a process that all of a range lies in.
    pub(crate) fn mapping_around(&self, pid: Pid, address: u64, length: u64) -> Result<Handle> {
        let end = address.checked_add(length).ok_or(Errno::EFAULT)?;
        let space = &self.spaces[self.process(pid)?.space];
        self.mappings
            .covering(space.mappings, address, end)
            .ok_or(Errno::EFAULT)
    }

    pub(crate) fn region_of(&self, mapping: Handle) -> &Region {
        self.regions.get(self.mappings.get(mapping).region)
    }

    pub(crate) fn mapping_view(&self, handle: Handle) -> MappingView {
        let mapping = self.mappings.get(handle);
        let region = self.regions.get(mapping.region);
        let start = self.mappings.start(handle);
        let offset = match region.object {
            Some(_) => region
                .offset
                .wrapping_add(start - self.regions.start(mapping.region)),
            None => 0,
        };
        MappingView {
            start,
            end: self.mappings.end(handle),
            protection: mapping.protection,
            shared: region.shared,
            object: region.object,
            offset,
        }
    }
}
