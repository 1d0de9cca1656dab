//! Regions: runs of memory that mappings show, and the pages that they are made of.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::FileSlot;
use crate::flags::Protection;
use crate::forest::Handle;
use crate::memory::Memory;
use crate::request::Object;
use crate::units::{PageCount, PageIndex};

/// A run of memory. Its bounds, which are those of the mapping it was made for, are kept by
/// the tree that it is in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region {
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
    pub share: Option<Share>,
}

impl Region {
    /// Whether other mappings show it, or may come to (lines 191-192).
    pub fn is_shareable(&self) -> bool {
        self.shared || self.share.is_some()
    }
}

/// Where a region is filed for re-use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Share {
    pub class: ShareClass,
    pub node: Handle,
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
    pub(crate) fn return_run(&mut self, start: u64, end: u64) {
        let pages = self.page.whole(end - start) as u32;
        if pages > 0 {
            let first = self.page_at(start);
            self.buddy.free(first, PageCount(pages));
        }
    }

    pub(crate) fn reserve_region(&mut self) -> Result<()> {
        self.budget.spend()?;
        self.regions.reserve(1)
    }

    pub(crate) fn reserve_share(&mut self) -> Result<()> {
        self.budget.spend()?;
        self.shares.reserve(1)
    }

    /// Adds a region without users. Reserve first, for a share too if it has a class.
    pub(crate) fn add_region(
        &mut self,
        start: u64,
        end: u64,
        region: Region,
        class: Option<ShareClass>,
    ) -> Handle {
        if region.copy {
            self.copied_pages += self.page.whole(region.top - start);
        }
        let handle = self
            .regions
            .insert(&mut self.region_root, start, end, region);
        if let Some(slot) = region.file {
            let file = self.files.get_mut(slot);
            file.regions += 1;
            if !region.copy {
                file.direct_regions += 1;
            }
            if let Some(class) = class {
                let first = self.page.whole(region.offset);
                let after = first + self.page.whole(end - start);
                let root = &mut file.shares[class.index()];
                let node = self.shares.insert(root, first, after, handle);
                self.regions.get_mut(handle).share = Some(Share { class, node });
            }
        }
        handle
    }

    /// Removes a region that has no users left, and gives back all that it keeps.
    pub(crate) fn remove_region(&mut self, handle: Handle) {
        let start = self.regions.start(handle);
        let region = self.regions.remove(&mut self.region_root, handle);
        if region.copy {
            self.copied_pages -= self.page.whole(region.top - start);
            self.return_run(start, region.top);
        }
        if let Some(slot) = region.file {
            let file = self.files.get_mut(slot);
            if let Some(share) = region.share {
                self.shares
                    .remove(&mut file.shares[share.class.index()], share.node);
            }
            file.regions -= 1;
            if !region.copy {
                file.direct_regions -= 1;
                if file.direct_regions == 0
                    && let Some(driver) = &mut file.driver
                {
                    // Lines 220-221: the driver is told when the last mapping is gone.
                    driver.close_calls += 1;
                }
            }
            self.release_file(slot);
        }
        if let Some(Object::Segment(number)) = region.object {
            self.detach_segment(number);
        }
    }

    /// Lines 41-43 and 221-222: a region of this file that covers all of these pages and has
    /// everything that is asked of the protection.
    pub(crate) fn find_share(
        &self,
        slot: FileSlot,
        class: ShareClass,
        first: u64,
        after: u64,
    ) -> Option<Handle> {
        let file = self.files.get(slot);
        class.compatible().find_map(|class| {
            let node = self
                .shares
                .covering(file.shares[class.index()], first, after)?;
            Some(*self.shares.get(node))
        })
    }
}
