//! Making mappings.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::{Content, FileSlot, Kind, Target};
use crate::flags::{Capabilities, MapFlags, Protection};
use crate::memory::Memory;
use crate::region::{Excess, Region, ShareClass};
use crate::request::{MapRequest, Object, Pid};
use crate::space::Mapping;
use crate::units::PageCount;

/// A mapping of a file to be made, whose arguments are sound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileMapping {
    pub slot: FileSlot,
    /// A whole number of pages.
    pub offset: u64,
    pub pages: u64,
    pub protection: Protection,
    pub shared: bool,
    /// For a process that is traced, whose mappings are its own.
    pub traced: bool,
}

impl<M: Memory> Engine<M> {
    /// Maps anonymous memory or a file. Returns the address.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a particular address (lines 153-154), for a length of zero, for anything
    /// but one of shared and private, for an offset that is not a whole number of pages;
    /// `ENOMEM` when there is no memory, or not so much address space; `EOVERFLOW` when the
    /// object cannot reach so far; `EBADF`; `EACCES` when the descriptor does not permit it;
    /// `ENODEV` when the object does not; what the driver answers.
    pub fn mmap(&mut self, pid: Pid, request: &MapRequest) -> Result<u64> {
        let process = self.caller(pid)?;
        let space = process.space;
        let traced = process.tracer.is_some();
        let flags = request.flags;
        // Lines 153-154.
        if flags.contains(MapFlags::FIXED) || request.address != 0 {
            return Err(Errno::EINVAL);
        }
        let shared = flags.contains(MapFlags::SHARED);
        if shared == flags.contains(MapFlags::PRIVATE)
            || request.length == 0
            || !self.page.aligned(request.offset)
        {
            return Err(Errno::EINVAL);
        }
        let length = self.page.round_up(request.length).ok_or(Errno::ENOMEM)?;
        let pages = self.page.whole(length);
        let last = request.offset.checked_add(length - 1);
        let opened = match request.descriptor {
            Some(fd) => Some(*self.opened(pid, fd)?),
            None => None,
        };
        if length > 1 << 63 {
            return Err(Errno::ENOMEM);
        }
        last.ok_or(Errno::EOVERFLOW)?;
        let Some(open) = opened else {
            // Lines 27-32: shared or private, anonymous memory is the same.
            let uninitialized =
                flags.contains(MapFlags::UNINITIALIZED) && self.config.uninitialized;
            return self.map_anonymous(space, pages, request.protection, uninitialized);
        };
        let Target::File(slot) = open.target else {
            return Err(Errno::ENODEV);
        };
        if self.files.get(slot).kind == Kind::Directory {
            return Err(Errno::ENODEV);
        }
        let writes = request.protection.contains(Protection::WRITE);
        if !open.readable || shared && writes && !open.writable {
            return Err(Errno::EACCES);
        }
        self.map_file(
            space,
            &FileMapping {
                slot,
                offset: request.offset,
                pages,
                protection: request.protection,
                shared,
                traced,
            },
        )
    }

    /// Lines 24-25: anonymous memory is a contiguous run of pages, aligned to pages
    /// (line 115), and cleared unless that was given up (lines 121-142).
    pub(crate) fn map_anonymous(
        &mut self,
        space: u32,
        pages: u64,
        protection: Protection,
        uninitialized: bool,
    ) -> Result<u64> {
        let count = PageCount::new(pages).ok_or(Errno::ENOMEM)?;
        self.reserve_region()?;
        let (first, kept) = self.take_run(count, Excess::Watermark)?;
        let start = self.page_address(first);
        let end = start + self.page.span(pages);
        if !uninitialized {
            self.memory.fill(start, end - start, 0);
        }
        let region = self.add_region(Region {
            start,
            end,
            top: start + self.page.span(u64::from(kept.0)),
            object: None,
            file: None,
            offset: 0,
            protection,
            shared: false,
            copy: true,
            uninitialized,
            users: 0,
            share: None,
        });
        let mapping = Mapping {
            start,
            end,
            region,
            protection,
            age: 0,
        };
        self.add_mapping(space, mapping);
        Ok(start)
    }

    /// Maps a file: what lines 34-105 say of each kind.
    pub(crate) fn map_file(&mut self, space: u32, asked: &FileMapping) -> Result<u64> {
        if asked.shared {
            return self.map_file_shared(space, asked);
        }
        if asked.protection.contains(Protection::WRITE) {
            // Lines 59-67: always a copy, and never shared.
            return self.map_file_copy(space, asked);
        }
        // Lines 41-43: an existing mapping, even of another process.
        if !asked.traced
            && let Some(start) = self.reuse(space, asked)?
        {
            return Ok(start);
        }
        // Lines 45-48: direct, where the object can be trusted not to change (line 55); a
        // traced process may be written to, so it gets memory of its own where it can.
        let file = self.files.get(asked.slot);
        let capabilities = file.capabilities();
        let copies = capabilities.contains(Capabilities::COPY);
        let steady = !matches!(file.kind, Kind::MemoryBacked | Kind::MemoryBlock);
        if steady
            && capabilities.contains(Capabilities::DIRECT)
            && capabilities.permit(asked.protection)
            && !(asked.traced && copies)
            && let Some(start) = self.map_file_direct(space, asked)?
        {
            return Ok(start);
        }
        self.map_file_copy(space, asked)
    }

    /// Lines 69-105: a shared mapping is on the object itself, or not at all.
    fn map_file_shared(&mut self, space: u32, asked: &FileMapping) -> Result<u64> {
        let file = self.files.get(asked.slot);
        let capabilities = file.capabilities();
        if !capabilities.contains(Capabilities::DIRECT) {
            return Err(Errno::ENODEV);
        }
        if !capabilities.permit(asked.protection) {
            return Err(Errno::EINVAL);
        }
        // Lines 221-222: shared without notifying the driver. What has no driver to notify
        // gets a region for each mapping, so that none outlives its part of the file.
        if file.driver.is_some()
            && let Some(start) = self.reuse(space, asked)?
        {
            return Ok(start);
        }
        self.map_file_direct(space, asked)?.ok_or(Errno::ENODEV)
    }

    /// A mapping of memory that another mapping of the file brought, if there is such memory.
    fn reuse(&mut self, space: u32, asked: &FileMapping) -> Result<Option<u64>> {
        let first = self.page.whole(asked.offset);
        let after = first + asked.pages;
        let class = ShareClass::new(asked.shared, asked.protection);
        let Some(region) = self.find_share(asked.slot, class, first, after) else {
            return Ok(None);
        };
        self.reserve_mapping()?;
        let shared = self.region(region);
        let start = shared.start + (asked.offset - shared.offset);
        let mapping = Mapping {
            start,
            end: start + self.page.span(asked.pages),
            region,
            protection: asked.protection,
            age: 0,
        };
        self.add_mapping(space, mapping);
        Ok(Some(start))
    }

    /// A mapping on the object itself; none where the object does not want to give one.
    fn map_file_direct(&mut self, space: u32, asked: &FileMapping) -> Result<Option<u64>> {
        self.reserve_region()?;
        let Some(start) = self.place(asked)? else {
            return Ok(None);
        };
        let top = start + self.page.span(asked.pages);
        self.add_file_mapping(space, asked, false, start, top);
        Ok(Some(start))
    }

    /// Where the object has these pages; none where it has not, or where its driver does not
    /// want to say.
    fn place(&mut self, asked: &FileMapping) -> Result<Option<u64>> {
        let first = self.page.whole(asked.offset);
        let after = first + asked.pages;
        let window = self.window_start;
        let page = self.page;
        let file = self.files.get_mut(asked.slot);
        let inside = after <= page.holding(file.size);
        if let Some(driver) = &mut file.driver {
            // Lines 235-244: what a busy device shows is not its data.
            if driver.busy {
                return Err(Errno::EBUSY);
            }
            if driver.ask(inside)?.is_none() {
                return Ok(None);
            }
        }
        if !inside {
            return Ok(None);
        }
        Ok(match &file.content {
            Content::None | Content::Sparse(_) => None,
            Content::At(start) => Some(start + asked.offset),
            // Lines 81-84: the pages that truncation gathered, if they are contiguous.
            Content::Runs(runs) => runs
                .contiguous(first, after)
                .map(|place| window + page.span(u64::from(place.0))),
        })
    }

    /// Lines 50-53: a copy of the file in memory of its own, cleared beyond its end.
    fn map_file_copy(&mut self, space: u32, asked: &FileMapping) -> Result<u64> {
        let file = self.files.get(asked.slot);
        if !file.capabilities().contains(Capabilities::COPY) {
            // Lines 156-160 among others.
            return Err(Errno::ENODEV);
        }
        if file.is_busy() {
            return Err(Errno::EBUSY);
        }
        let count = PageCount::new(asked.pages).ok_or(Errno::ENOMEM)?;
        self.reserve_region()?;
        let (first, kept) = self.take_run(count, Excess::Watermark)?;
        let start = self.page_address(first);
        let length = self.page.span(asked.pages);
        self.copy_to_memory(asked.slot, asked.offset, start, length);
        let top = start + self.page.span(u64::from(kept.0));
        self.add_file_mapping(space, asked, true, start, top);
        Ok(start)
    }

    /// A mapping of a file, and a region for it. Reserve first.
    fn add_file_mapping(
        &mut self,
        space: u32,
        asked: &FileMapping,
        copy: bool,
        start: u64,
        top: u64,
    ) {
        let FileMapping {
            protection, shared, ..
        } = *asked;
        // Lines 41-43 and 66-67: what is private and writable is nobody else's, nor is a copy
        // that a debugger may write to.
        let own = !shared && (asked.traced && copy || protection.contains(Protection::WRITE));
        let end = start + self.page.span(asked.pages);
        let region = self.add_region(Region {
            start,
            end,
            top,
            object: Some(Object::File(self.files.get(asked.slot).number)),
            file: Some(asked.slot),
            offset: asked.offset,
            protection,
            shared,
            copy,
            uninitialized: false,
            users: 0,
            share: (!own).then(|| ShareClass::new(shared, protection)),
        });
        let mapping = Mapping {
            start,
            end,
            region,
            protection,
            age: 0,
        };
        self.add_mapping(space, mapping);
    }
}
