//! Regions: runs of memory that mappings show, and the pages that they are made of.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::FileSlot;
use crate::flags::Protection;
use crate::forest::Interval;
use crate::memory::Memory;
use crate::request::Object;
use crate::units::{PageCount, PageIndex, PageSize};

/// A region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegionHandle(pub u32);

/// A run of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub start: u64,
    /// The end of the mapping that it was made for.
    pub end: u64,
    /// Address after the last page that is allocated; what lies beyond the end is kept until
    /// the region goes (lines 115-119).
    pub top: u64,
    pub object: Option<Object>,
    /// The slot of the object, where that is a file.
    pub file: Option<FileSlot>,
    pub offset: u64,
    pub protection: Protection,
    /// Made by a shared mapping of an object.
    pub shared: bool,
    /// Memory of its own, not the object's.
    pub copy: bool,
    /// Was not cleared when it was made, as was asked and permitted (lines 138-142).
    pub uninitialized: bool,
    pub users: u32,
    /// Where later mappings find it, if they may.
    pub share: Option<ShareClass>,
}

impl Region {
    /// Whether other mappings show it, or may come to (lines 191-192).
    pub fn is_shareable(&self) -> bool {
        self.shared || self.share.is_some()
    }

    fn by_address(&self, handle: RegionHandle) -> Interval {
        Interval {
            start: self.start,
            end: self.end,
            id: u64::from(handle.0),
        }
    }

    /// Its pages of the file.
    fn by_page(&self, handle: RegionHandle, page: PageSize) -> Interval {
        let start = page.whole(self.offset);
        Interval {
            start,
            end: start + page.whole(self.end - self.start),
            id: u64::from(handle.0),
        }
    }
}

/// Regions of one file that may be re-used alike: those made by private or by shared mappings,
/// of one protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShareClass(u8);

impl ShareClass {
    /// How many there are.
    pub const COUNT: usize = 16;

    pub fn new(shared: bool, protection: Protection) -> Self {
        Self(u8::from(shared) << 3 | protection.bits() & 7)
    }

    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The classes whose protection includes everything that this one's does.
    pub fn compatible(self) -> impl Iterator<Item = ShareClass> {
        let made_shared = self.0 & 8;
        (self.0..=(made_shared | 7))
            .filter(move |&other| other & self.0 == self.0)
            .map(ShareClass)
    }
}

/// What becomes of the pages between what was asked for and the granule that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Given back if the watermark says so (lines 275-281).
    Watermark,
    /// Always given back.
    Returned,
}

impl<M: Memory> Engine<M> {
    pub(crate) fn page_address(&self, page: PageIndex) -> u64 {
        self.window_start + self.page.span(u64::from(page.0))
    }

    pub(crate) fn page_at(&self, address: u64) -> PageIndex {
        PageIndex(self.page.whole(address.wrapping_sub(self.window_start)) as u32)
    }

    /// Takes a contiguous run of pages out of a granule of a power of two (lines 24-25 and
    /// 115-119). Returns its first page, and how many pages are kept.
    pub(crate) fn take_run(
        &mut self,
        count: PageCount,
        excess: Excess,
    ) -> Result<(PageIndex, PageCount)> {
        self.budget.spend()?;
        let granule = count.granule().ok_or(Errno::ENOMEM)?;
        let first = self.buddy.allocate(granule).ok_or(Errno::ENOMEM)?;
        let taken = granule.pages();
        let spare = taken.0 - count.0;
        let trims = match excess {
            // Lines 277-281: 0 disables trimming, otherwise it begins at the watermark.
            Excess::Watermark => self.trim != 0 && u64::from(spare) >= self.trim,
            Excess::Returned => true,
        };
        if !trims || spare == 0 {
            return Ok((first, taken));
        }
        self.buddy
            .free(PageIndex(first.0 + count.0), PageCount(spare));
        Ok((first, count))
    }

    /// Gives back the pages between two addresses of the window.
    fn return_run(&mut self, start: u64, end: u64) {
        let pages = self.page.whole(end - start) as u32;
        self.buddy.free(self.page_at(start), PageCount(pages));
    }

    /// Makes sure that a region can be added, with or without a class, and a mapping of it.
    pub(crate) fn reserve_region(&mut self) -> Result<()> {
        self.budget.spend()?;
        self.regions.reserve()?;
        self.forest.reserve(3)?;
        self.reserve_mapping()
    }

    /// Adds a region without users. Reserve first.
    pub(crate) fn add_region(&mut self, region: Region) -> RegionHandle {
        if region.copy {
            self.copied_pages += self.page.whole(region.top - region.start);
        }
        let handle = RegionHandle(self.regions.insert(region));
        let by_address = region.by_address(handle);
        self.forest.insert(&mut self.by_address, by_address);
        if let Some(slot) = region.file {
            let by_page = region.by_page(handle, self.page);
            let file = self.files.get_mut(slot);
            file.regions += 1;
            if !region.copy {
                file.direct_regions += 1;
            }
            if let Some(class) = region.share {
                self.forest.insert(&mut file.shares[class.index()], by_page);
            }
        }
        handle
    }

    /// Removes a region that has no users left, and gives back all that it keeps.
    pub(crate) fn remove_region(&mut self, handle: RegionHandle) {
        let Some(region) = self.regions.remove(handle.0) else {
            return;
        };
        let by_address = region.by_address(handle);
        self.forest.remove(&mut self.by_address, by_address);
        if region.copy {
            self.give_up(region.start, region.top);
        }
        if let Some(slot) = region.file {
            let by_page = region.by_page(handle, self.page);
            let file = self.files.get_mut(slot);
            if let Some(class) = region.share {
                self.forest.remove(&mut file.shares[class.index()], by_page);
            }
            file.regions -= 1;
            if !region.copy {
                file.direct_regions -= 1;
                if file.direct_regions == 0
                    && let Some(driver) = &mut file.driver
                {
                    // Lines 220-221: the driver is told when the last mapping is gone.
                    driver.close_calls = driver.close_calls.saturating_add(1);
                }
            }
            self.release_file(slot);
        }
        if let Some(Object::Segment(number)) = region.object {
            self.detach_segment(number);
        }
    }

    /// Gives a region other bounds. What it keeps beyond them it still keeps.
    pub(crate) fn bound_region(&mut self, handle: RegionHandle, start: u64, end: u64) {
        let region = self.region_mut(handle);
        let old = region.by_address(handle);
        region.start = start;
        region.end = end;
        let new = region.by_address(handle);
        self.forest.change(self.by_address, old, new);
    }

    /// Gives back pages of a region that is memory of its own.
    pub(crate) fn give_up(&mut self, start: u64, end: u64) {
        self.copied_pages -= self.page.whole(end - start);
        self.return_run(start, end);
    }

    pub(crate) fn region(&self, handle: RegionHandle) -> &Region {
        &self.regions[handle.0]
    }

    pub(crate) fn region_mut(&mut self, handle: RegionHandle) -> &mut Region {
        &mut self.regions[handle.0]
    }

    /// Lines 41-43 and 221-222: a region of this file that covers all of these pages and has
    /// everything that is asked of the protection.
    pub(crate) fn find_share(
        &self,
        slot: FileSlot,
        class: ShareClass,
        first: u64,
        after: u64,
    ) -> Option<RegionHandle> {
        let file = self.files.get(slot);
        class.compatible().find_map(|class| {
            let root = file.shares[class.index()];
            let found = self.forest.covering(root, first, after)?;
            Some(RegionHandle(found.id as u32))
        })
    }
}
