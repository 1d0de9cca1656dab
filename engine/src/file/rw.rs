//! Reading and writing files at a position.

use super::{Content, FileSlot, Kind, LARGEST_FILE, Target};
use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::memory::Memory;
use crate::request::{Fd, Pid, Source};
use crate::units::{Order, PageCount};
use alloc::vec::Vec;

/// The largest offset that a call takes.
const LARGEST_OFFSET: u64 = i64::MAX as u64;

/// Makes a buffer hold so many bytes.
pub(crate) fn resize(out: &mut Vec<u8>, count: u64) -> Result<()> {
    let count = usize::try_from(count).map_err(|_| Errno::ENOMEM)?;
    out.clear();
    out.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
    out.resize(count, 0);
    Ok(())
}

impl<M: Memory> Engine<M> {
    /// Reads a file into a buffer, as much of `length` as there is.
    ///
    /// # Errors
    ///
    /// `EBADF` when it is not open for reading; `EISDIR`, `ESPIPE`; `EINVAL` when there is no
    /// such offset or the driver has no read method; `EBUSY`.
    pub fn read(
        &self,
        pid: Pid,
        fd: Fd,
        offset: u64,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        out.clear();
        let open = self.opened(pid, fd)?;
        let Target::File(slot) = open.target else {
            return Err(Errno::ESPIPE);
        };
        if !open.readable {
            return Err(Errno::EBADF);
        }
        if offset > LARGEST_OFFSET {
            return Err(Errno::EINVAL);
        }
        let file = self.files.get(slot);
        if file.kind == Kind::Directory {
            return Err(Errno::EISDIR);
        }
        if let Some(driver) = &file.driver {
            if !driver.readable {
                return Err(Errno::EINVAL);
            }
            if driver.busy {
                return Err(Errno::EBUSY);
            }
        }
        let count = length.min(file.size.saturating_sub(offset));
        resize(out, count)?;
        self.copy_out(slot, offset, out);
        Ok(())
    }

    /// Writes to a file. Returns how many bytes, fewer than there are where a device ends or
    /// memory runs out.
    ///
    /// # Errors
    ///
    /// `EBADF` when it is not open for writing; `ESPIPE`; `EINVAL` when there is no such offset
    /// or the driver has no write method; `EFBIG`; `ENOSPC` at the end of a device; `ENOMEM`.
    pub fn write(&mut self, pid: Pid, fd: Fd, offset: u64, source: Source<'_>) -> Result<u64> {
        let open = *self.opened(pid, fd)?;
        let Target::File(slot) = open.target else {
            return Err(Errno::ESPIPE);
        };
        if !open.writable {
            return Err(Errno::EBADF);
        }
        if offset > LARGEST_OFFSET {
            return Err(Errno::EINVAL);
        }
        let count = source.count();
        let file = self.files.get(slot);
        let written = match file.kind {
            Kind::Character | Kind::Mtd | Kind::Directory | Kind::ExecuteInPlace => {
                return Err(Errno::EINVAL);
            }
            _ if count == 0 => return Ok(0),
            Kind::Block | Kind::MemoryBlock if offset >= file.size => return Err(Errno::ENOSPC),
            Kind::Block | Kind::MemoryBlock => count.min(file.size - offset),
            Kind::Regular | Kind::MemoryBacked => {
                let end = offset.checked_add(count).ok_or(Errno::EFBIG)?;
                if end > LARGEST_FILE {
                    return Err(Errno::EFBIG);
                }
                let end = self.make_pages(slot, offset, end)?;
                let file = self.files.get_mut(slot);
                file.size = file.size.max(end);
                end - offset
            }
        };
        self.copy_in(slot, offset, source, written);
        Ok(written)
    }

    /// Gives a file the pages that a write between two offsets needs. Returns how far they
    /// reach, which is less when memory ran out.
    fn make_pages(&mut self, slot: FileSlot, offset: u64, end: u64) -> Result<u64> {
        let page = self.page;
        let first = page.whole(offset);
        let after = page.holding(end);
        match &mut self.files.get_mut(slot).content {
            Content::Sparse(sparse) => {
                self.budget.spend()?;
                sparse.make(first, after, page.bytes() as usize)?;
                Ok(end)
            }
            Content::Runs(_) => self.make_memory_pages(slot, first, after, end),
            Content::None | Content::At(_) => Ok(end),
        }
    }

    /// Allocates the pages of a memory-backed file that are missing, one at a time.
    fn make_memory_pages(
        &mut self,
        slot: FileSlot,
        first: u64,
        after: u64,
        end: u64,
    ) -> Result<u64> {
        let Content::Runs(runs) = &self.files.get(slot).content else {
            return Ok(end);
        };
        // A single page is free exactly while any is: how many can be had is known at once.
        let free = self.buddy.free_pages().0;
        let mut missing = 0;
        let mut reached = end;
        let mut at = first;
        while at < after {
            match runs.at_or_after(at) {
                Some(run) if run.first <= at => at = run.first + u64::from(run.count),
                _ if missing == free => {
                    reached = self.page.span(at);
                    break;
                }
                _ => {
                    missing += 1;
                    at += 1;
                }
            }
        }
        if missing == 0 {
            // The first page is not there, and cannot be had.
            return if reached <= self.page.span(first) {
                Err(Errno::ENOMEM)
            } else {
                Ok(reached)
            };
        }
        // All that can fail is done before anything changes: the pages and their record.
        for _ in 0..=missing {
            self.budget.spend()?;
        }
        let Content::Runs(runs) = &mut self.files.get_mut(slot).content else {
            return Ok(end);
        };
        runs.reserve(missing as usize)?;
        let mut at = first;
        while missing > 0 {
            if let Some(run) = runs.at_or_after(at)
                && run.first <= at
            {
                at = run.first + u64::from(run.count);
                continue;
            }
            let place = self.buddy.allocate(Order(0)).ok_or(Errno::ENOMEM)?;
            let address = self.window_start + self.page.span(u64::from(place.0));
            self.memory.fill(address, self.page.bytes(), 0);
            runs.insert(at, place, PageCount(1));
            missing -= 1;
            at += 1;
        }
        Ok(reached)
    }
}
