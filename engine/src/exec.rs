//! Replacing the program of a process (lines 8-10).

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::{FileSlot, Kind};
use crate::flags::Protection;
use crate::memory::Memory;
use crate::mmap::FileMapping;
use crate::request::Pid;

impl<M: Memory> Engine<M> {
    /// Maps a program, private and executable, and so many bytes of stack and heap, in an
    /// address space of their own, which the process then moves to.
    ///
    /// # Errors
    ///
    /// `ENOENT`; `EACCES` for what is no program; `ENOEXEC` when it is empty; `ENOMEM`.
    /// Nothing has changed then: the new space is whole before the old one is left.
    pub fn exec(&mut self, pid: Pid, path: &str, stack: u64) -> Result<()> {
        let process = self.caller(pid)?;
        let old = process.space;
        let traced = process.tracer.is_some();
        let slot = self.files.find(path).ok_or(Errno::ENOENT)?;
        let file = self.files.get(slot);
        match file.kind {
            Kind::Regular | Kind::MemoryBacked | Kind::ExecuteInPlace => {}
            _ => return Err(Errno::EACCES),
        }
        if file.size == 0 {
            return Err(Errno::ENOEXEC);
        }
        let space = self.new_space()?;
        if let Err(error) = self.map_program(space, slot, stack, traced) {
            self.leave_space(space);
            return Err(error);
        }
        self.process_mut(pid)?.space = space;
        self.resume_parent(pid);
        self.leave_space(old);
        Ok(())
    }

    fn map_program(&mut self, space: u32, slot: FileSlot, stack: u64, traced: bool) -> Result<()> {
        self.map_file(
            space,
            &FileMapping {
                slot,
                offset: 0,
                pages: self.page.holding(self.files.get(slot).size),
                protection: Protection::READ | Protection::EXEC,
                shared: false,
                traced,
            },
        )?;
        if stack > 0 {
            // Lines 144-145: the stack need not be cleared.
            let protection = Protection::READ | Protection::WRITE;
            let uninitialized = self.config.uninitialized;
            let pages = self.page.holding(stack);
            self.map_anonymous(space, pages, protection, uninitialized)?;
        }
        Ok(())
    }
}
