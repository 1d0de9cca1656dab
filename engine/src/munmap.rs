//! Unmapping.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::memory::Memory;
use crate::region::Region;
use crate::request::Pid;
use crate::space::{Mapping, MappingHandle};

impl<M: Memory> Engine<M> {
    /// Unmaps a whole mapping, or pages of one anonymous mapping.
    ///
    /// # Errors
    ///
    /// `EINVAL` when that is not what the range is; `ENOMEM` when a mapping would have to be
    /// split and there is no memory for the records.
    pub fn munmap(&mut self, pid: Pid, address: u64, length: u64) -> Result<()> {
        let space = self.caller(pid)?.space;
        if length == 0 {
            return Err(Errno::EINVAL);
        }
        let length = self.page.round_up(length).ok_or(Errno::EINVAL)?;
        let end = address.checked_add(length).ok_or(Errno::EINVAL)?;
        let root = &mut self.spaces[space].mappings;
        if let Some(found) = self.forest.take(root, address, end) {
            self.forget_mapping(MappingHandle(found.id as u32));
            return Ok(());
        }
        let root = *root;
        // A part: only of anonymous memory, which overlaps with nothing.
        let around = self.forest.covering(root, address, end);
        let around = around.ok_or(Errno::EINVAL)?;
        let mapping = MappingHandle(around.id as u32);
        if self.region_of(mapping).object.is_some() || !self.page.aligned(address) {
            return Err(Errno::EINVAL);
        }
        if around.end == end {
            self.cut_tail(space, mapping, address);
        } else if around.start == address {
            self.cut_head(space, mapping, end);
        } else {
            self.cut_middle(space, mapping, address, end)?;
        }
        Ok(())
    }

    /// Ends an anonymous mapping at `end`. Whatever its region keeps beyond goes too.
    fn cut_tail(&mut self, space: u32, handle: MappingHandle, end: u64) {
        let Mapping { start, region, .. } = *self.mapping(handle);
        let top = core::mem::replace(&mut self.region_mut(region).top, end);
        self.bound(space, handle, start, end);
        self.give_up(end, top);
    }

    /// Begins an anonymous mapping at `start`.
    fn cut_head(&mut self, space: u32, handle: MappingHandle, start: u64) {
        let Mapping {
            start: old, end, ..
        } = *self.mapping(handle);
        self.bound(space, handle, start, end);
        self.give_up(old, start);
    }

    /// Makes two mappings of an anonymous one, each with a region of its own.
    fn cut_middle(&mut self, space: u32, handle: MappingHandle, from: u64, to: u64) -> Result<()> {
        self.reserve_region()?;
        let Mapping {
            start,
            end,
            region,
            protection,
            ..
        } = *self.mapping(handle);
        let lower = self.region_mut(region);
        let upper = Region {
            start: to,
            users: 0,
            ..*lower
        };
        lower.top = from;
        self.bound(space, handle, start, from);
        self.copied_pages -= self.page.whole(upper.top - to);
        let region = self.add_region(upper);
        let mapping = Mapping {
            start: to,
            end,
            region,
            protection,
            age: 0,
        };
        self.add_mapping(space, mapping);
        self.give_up(from, to);
        Ok(())
    }
}
