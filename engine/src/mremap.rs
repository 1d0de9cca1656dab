//! Changing the size of mappings.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::flags::RemapFlags;
use crate::memory::Memory;
use crate::request::Pid;
use crate::space::MappingHandle;

impl<M: Memory> Engine<M> {
    /// Changes the size of one whole mapping, in place (lines 183-197). Returns its address.
    ///
    /// # Errors
    ///
    /// `EINVAL` for lengths of zero, or that pass 2^64; when the range is not exactly a mapping;
    /// when it would have to move (lines 188-189). `EPERM` when it is or could be shared
    /// (lines 191-192). `ENOMEM` when it does not fit in what is allocated: moving it is not
    /// supported (line 199).
    pub fn mremap(
        &mut self,
        pid: Pid,
        address: u64,
        old_length: u64,
        new_length: u64,
        flags: RemapFlags,
        new_address: u64,
    ) -> Result<u64> {
        let space = self.caller(pid)?.space;
        if old_length == 0 || new_length == 0 || !self.page.aligned(address) {
            return Err(Errno::EINVAL);
        }
        let old_length = self.page.round_up(old_length).ok_or(Errno::EINVAL)?;
        let new_length = self.page.round_up(new_length).ok_or(Errno::EINVAL)?;
        if flags.contains(RemapFlags::FIXED) && new_address != address {
            return Err(Errno::EINVAL);
        }
        let old_end = address.checked_add(old_length).ok_or(Errno::EINVAL)?;
        let root = self.spaces[space].mappings;
        let found = self.forest.find(root, address, old_end);
        let mapping = MappingHandle(found.ok_or(Errno::EINVAL)?.id as u32);
        let region = *self.region_of(mapping);
        // Lines 191-192; and what is on the object is not the mapping's own to resize.
        if region.is_shareable() || !region.copy {
            return Err(Errno::EPERM);
        }
        let end = address.checked_add(new_length).ok_or(Errno::ENOMEM)?;
        if end > region.top {
            return Err(Errno::ENOMEM);
        }
        if end == old_end {
            return Ok(address);
        }
        self.bound(space, mapping, address, end);
        if end > old_end && region.copy && !region.uninitialized {
            self.memory.fill(old_end, end - old_end, 0);
        }
        Ok(address)
    }
}
