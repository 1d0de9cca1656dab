//! Programs reading and writing their memory.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::resize;
use crate::memory::Memory;
use crate::region::Region;
use crate::request::{Pid, Source};
use alloc::vec::Vec;

impl<M: Memory> Engine<M> {
    /// A program reads its memory into a buffer, whatever the protection (there is none,
    /// lines 55-57).
    ///
    /// # Errors
    ///
    /// `EFAULT` unless one mapping has all of it; `ENOMEM`.
    pub fn load(&self, pid: Pid, address: u64, length: u64, out: &mut Vec<u8>) -> Result<()> {
        out.clear();
        self.caller(pid)?;
        if length == 0 {
            return Ok(());
        }
        self.mapping_around(pid, address, length)?;
        resize(out, length)?;
        self.memory.read(address, out);
        Ok(())
    }

    /// A program writes its memory.
    ///
    /// # Errors
    ///
    /// `EFAULT` unless one mapping has all of it, and it is memory that can be written.
    pub fn store(&mut self, pid: Pid, address: u64, source: Source<'_>) -> Result<()> {
        self.caller(pid)?;
        let length = source.count();
        if length == 0 {
            return Ok(());
        }
        let mapping = self.mapping_around(pid, address, length)?;
        if !self.is_writable_memory(self.region_of(mapping)) {
            return Err(Errno::EFAULT);
        }
        self.put(address, source, length);
        Ok(())
    }

    /// Whether a region is memory that keeps what is stored to it; ROM and flash do not.
    pub(crate) fn is_writable_memory(&self, region: &Region) -> bool {
        region.copy
            || !region
                .file
                .is_some_and(|slot| self.files.get(slot).is_read_only_memory())
    }

    /// Writes the first so many bytes of a source to memory.
    pub(crate) fn put(&mut self, address: u64, source: Source<'_>, count: u64) {
        match source {
            Source::Fill { byte, .. } => self.memory.fill(address, count, byte),
            Source::Bytes(bytes) => self.memory.write(address, &bytes[..count as usize]),
        }
    }
}
