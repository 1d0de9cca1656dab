//! Tracing: access to the memory of another process.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::resize;
use crate::flags::Protection;
use crate::memory::Memory;
use crate::request::{Pid, Source};
use crate::space::MappingHandle;
use alloc::vec::Vec;

impl<M: Memory> Engine<M> {
    /// Begins to trace a process, which keeps running.
    ///
    /// # Errors
    ///
    /// `ESRCH` when it does not live; `EPERM` when it is the caller, or traced already.
    pub fn ptrace_attach(&mut self, pid: Pid, tracee: Pid) -> Result<()> {
        self.caller(pid)?;
        let process = self.process_mut(tracee)?;
        if tracee == pid || process.tracer.is_some() {
            return Err(Errno::EPERM);
        }
        process.tracer = Some(pid);
        self.process_mut(pid)?.tracees += 1;
        Ok(())
    }

    /// Ends that.
    ///
    /// # Errors
    ///
    /// `ESRCH` when the caller does not trace it.
    pub fn ptrace_detach(&mut self, pid: Pid, tracee: Pid) -> Result<()> {
        self.traced(pid, tracee)?;
        self.process_mut(tracee)?.tracer = None;
        self.process_mut(pid)?.tracees -= 1;
        Ok(())
    }

    /// Reads a tracee's memory into a buffer, up to the end of the mapping.
    ///
    /// # Errors
    ///
    /// `ESRCH` when the caller does not trace it; `EIO` outside its mappings.
    pub fn ptrace_peek(
        &self,
        pid: Pid,
        tracee: Pid,
        address: u64,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.clear();
        let root = self.spaces[self.traced(pid, tracee)?].mappings;
        if length == 0 {
            return Ok(());
        }
        let beyond = address.checked_add(1).ok_or(Errno::EIO)?;
        let found = self.forest.furthest(root, address, beyond, &|_| true);
        let end = found.ok_or(Errno::EIO)?.end;
        resize(out, length.min(end - address))?;
        self.memory.read(address, out);
        Ok(())
    }

    /// Writes a tracee's memory, up to the end of the mapping: memory of its own whatever the
    /// protection, an object's only where it is mapped shared and writable. Returns how much.
    ///
    /// # Errors
    ///
    /// `ESRCH` when the caller does not trace it; `EIO` where it may not be written.
    pub fn ptrace_poke(
        &mut self,
        pid: Pid,
        tracee: Pid,
        address: u64,
        source: Source<'_>,
    ) -> Result<u64> {
        let root = self.spaces[self.traced(pid, tracee)?].mappings;
        if source.count() == 0 {
            return Ok(0);
        }
        let may = |handle: u64| {
            let mapping = self.mapping(MappingHandle(handle as u32));
            let region = self.region(mapping.region);
            region.copy
                || region.shared
                    && mapping.protection.contains(Protection::WRITE)
                    && self.is_writable_memory(region)
        };
        let beyond = address.checked_add(1).ok_or(Errno::EIO)?;
        let found = self.forest.furthest(root, address, beyond, &may);
        let end = found.ok_or(Errno::EIO)?.end;
        let count = source.count().min(end - address);
        self.put(address, source, count);
        Ok(count)
    }

    /// The address space of the caller's tracee.
    fn traced(&self, pid: Pid, tracee: Pid) -> Result<u32> {
        self.caller(pid)?;
        let process = self.process(tracee)?;
        if process.tracer != Some(pid) {
            return Err(Errno::ESRCH);
        }
        Ok(process.space)
    }
}
