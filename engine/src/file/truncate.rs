//! Changing the size of files.

use super::{Content, FileSlot, Kind, LARGEST_FILE, Target};
use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::flags::Protection;
use crate::memory::Memory;
use crate::region::{Excess, ShareClass};
use crate::request::{Fd, Pid};
use crate::units::PageCount;

impl<M: Memory> Engine<M> {
    /// Changes the size of an open file.
    ///
    /// # Errors
    ///
    /// `EBADF`; `EINVAL` when it is not open for writing or has no size to change; `EFBIG`;
    /// `ETXTBSY` when a shared mapping would be cut; `ENOMEM`.
    pub fn ftruncate(&mut self, pid: Pid, fd: Fd, length: u64) -> Result<()> {
        let open = *self.opened(pid, fd)?;
        match open.target {
            Target::File(slot) if open.writable => self.resize_file(slot, length),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Changes the size of a file.
    ///
    /// # Errors
    ///
    /// `ENOENT`, `EISDIR`, `EROFS`, and as for [`Engine::ftruncate`].
    pub fn truncate(&mut self, pid: Pid, path: &str, length: u64) -> Result<()> {
        self.caller(pid)?;
        let slot = self.files.find(path).ok_or(Errno::ENOENT)?;
        self.resize_file(slot, length)
    }

    fn resize_file(&mut self, slot: FileSlot, length: u64) -> Result<()> {
        let file = self.files.get(slot);
        match file.kind {
            Kind::Directory => return Err(Errno::EISDIR),
            Kind::ExecuteInPlace => return Err(Errno::EROFS),
            _ if file.is_device() => return Err(Errno::EINVAL),
            _ => {}
        }
        if length > LARGEST_FILE {
            return Err(Errno::EFBIG);
        }
        if length < file.size {
            self.may_shrink(slot, length)?;
            self.shrink(slot, length);
            return Ok(());
        }
        if file.size == 0 && length > 0 && matches!(file.content, Content::Runs(_)) {
            self.gather(slot, length)?;
        }
        self.files.get_mut(slot).size = length;
        Ok(())
    }

    /// Lines 255-258: growth of an empty memory-backed file gathers all its pages as one run.
    fn gather(&mut self, slot: FileSlot, length: u64) -> Result<()> {
        let count = PageCount::new(self.page.holding(length)).ok_or(Errno::ENOMEM)?;
        self.budget.spend()?;
        if let Content::Runs(runs) = &mut self.files.get_mut(slot).content {
            runs.reserve(1)?;
        }
        let (first, _) = self.take_run(count, Excess::Returned)?;
        let start = self.page_address(first);
        self.memory
            .fill(start, self.page.span(u64::from(count.0)), 0);
        if let Content::Runs(runs) = &mut self.files.get_mut(slot).content {
            runs.insert(0, first, count);
        }
        Ok(())
    }

    /// Whether no mapping shows, on the file itself, a page at or after the new end.
    pub(crate) fn may_shrink(&self, slot: FileSlot, length: u64) -> Result<()> {
        let file = self.files.get(slot);
        let first_changed = self.page.whole(length);
        let reach = (0..8)
            .map(|bits| ShareClass::new(true, Protection::from_bits_retain(bits)))
            .map(|class| self.forest.reach(file.shares[class.index()]))
            .max();
        if reach.is_some_and(|reach| reach > first_changed) {
            return Err(Errno::ETXTBSY);
        }
        Ok(())
    }

    /// Cuts a file, which it may be.
    pub(crate) fn shrink(&mut self, slot: FileSlot, length: u64) {
        let page = self.page;
        let file = self.files.get_mut(slot);
        if length >= file.size {
            return;
        }
        file.size = length;
        match &mut file.content {
            Content::Sparse(sparse) => sparse.truncate(length, page.bytes() as usize),
            Content::Runs(runs) => {
                let buddy = &mut self.buddy;
                runs.truncate(page.holding(length), |first, count| {
                    buddy.free(first, count);
                });
                let within = page.within(length);
                if within != 0
                    && let Some(last) = runs.page(page.whole(length))
                {
                    let start = self.window_start + page.span(u64::from(last.0));
                    self.memory.fill(start + within, page.bytes() - within, 0);
                }
            }
            Content::None | Content::At(_) => {}
        }
    }
}
