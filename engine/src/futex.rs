//! Futexes (lines 174-177), without waiting: nothing runs beside the caller.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::Kind;
use crate::memory::Memory;
use crate::request::Pid;

/// Bytes of a futex.
const WORD: u64 = 4;

impl<M: Memory> Engine<M> {
    /// Waits no time at all for a word to change.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the word is as expected, `EAGAIN` when it is not; `EINVAL` when the
    /// address is not aligned; `EFAULT` when it lies outside the caller's mappings, or in one
    /// that does not support futexes.
    pub fn futex_wait(&self, pid: Pid, address: u64, expected: u32) -> Result<()> {
        self.futex(pid, address)?;
        let mut word = [0; WORD as usize];
        self.memory.read(address, &mut word);
        if u32::from_le_bytes(word) == expected {
            Err(Errno::ETIMEDOUT)
        } else {
            Err(Errno::EAGAIN)
        }
    }

    /// Wakes waiters. Returns how many: none ever wait.
    ///
    /// # Errors
    ///
    /// As for the address of [`Engine::futex_wait`].
    pub fn futex_wake(&self, pid: Pid, address: u64, count: u32) -> Result<u32> {
        self.futex(pid, address)?;
        let waiting = 0;
        Ok(count.min(waiting))
    }

    fn futex(&self, pid: Pid, address: u64) -> Result<()> {
        self.caller(pid)?;
        if !address.is_multiple_of(WORD) {
            return Err(Errno::EINVAL);
        }
        let mapping = self.mapping_around(pid, address, WORD)?;
        let region = self.region_of(mapping);
        let device = region.file.map(|slot| self.files.get(slot).kind);
        if !region.copy && device == Some(Kind::Character) {
            // Lines 176-177: an I/O mapping does not support them.
            return Err(Errno::EFAULT);
        }
        Ok(())
    }
}
