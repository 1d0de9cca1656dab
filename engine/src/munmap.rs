//! Unmapping.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::forest::Handle;
use crate::memory::Memory;
use crate::region::Region;
use crate::request::Pid;
use crate::space::Mapping;

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
        let root = self.spaces[space].mappings;
        if let Some(mapping) = self.mappings.find(root, address, end) {
            self.remove_mapping(space, mapping);
            return Ok(());
        }
        // A part: only of anonymous memory, which overlaps with nothing.
        let around = self.mappings.covering(root, address, end);
        let mapping = around.ok_or(Errno::EINVAL)?;
        if self.region_of(mapping).object.is_some() || !self.page.aligned(address) {
            return Err(Errno::EINVAL);
        }
        if self.mappings.end(mapping) == end {
            self.cut_tail(space, mapping, address);
        } else if self.mappings.start(mapping) == address {
            self.cut_head(space, mapping, end);
        } else {
            self.cut_middle(space, mapping, address, end)?;
        }
        Ok(())
    }

    /// Ends an anonymous mapping at `end`. Whatever its region keeps beyond goes too.
    fn cut_tail(&mut self, space: u32, mapping: Handle, end: u64) {
        let handle = self.mappings.get(mapping).region;
        let region = self.regions.get_mut(handle);
        let top = region.top;
        region.top = end;
        self.bound(space, mapping, self.mappings.start(mapping), end);
        self.give_up(end, top);
    }

    /// Begins an anonymous mapping at `start`.
    fn cut_head(&mut self, space: u32, mapping: Handle, start: u64) {
        let old = self.mappings.start(mapping);
        self.bound(space, mapping, start, self.mappings.end(mapping));
        self.give_up(old, start);
    }

    /// Makes two mappings of an anonymous one, each with a region of its own.
    fn cut_middle(&mut self, space: u32, mapping: Handle, from: u64, to: u64) -> Result<()> {
        self.reserve_region()?;
        self.reserve_mapping()?;
        let Mapping { region, protection } = *self.mappings.get(mapping);
        let end = self.mappings.end(mapping);
        let lower = self.regions.get_mut(region);
        let upper = Region { users: 0, ..*lower };
        lower.top = from;
        self.bound(space, mapping, self.mappings.start(mapping), from);
        self.copied_pages -= self.page.whole(upper.top - to);
        let region = self.add_region(to, end, upper, None);
        self.add_mapping(space, to, end, Mapping { region, protection });
        self.give_up(from, to);
        Ok(())
    }

    /// Gives a mapping and the region that is its own other bounds.
    pub(crate) fn bound(&mut self, space: u32, mapping: Handle, start: u64, end: u64) {
        let region = self.mappings.get(mapping).region;
        self.regions
            .change(&mut self.region_root, region, start, end);
        let root = &mut self.spaces[space].mappings;
        self.mappings.change(root, mapping, start, end);
    }

    fn give_up(&mut self, start: u64, end: u64) {
        self.copied_pages -= self.page.whole(end - start);
        self.return_run(start, end);
    }
}
