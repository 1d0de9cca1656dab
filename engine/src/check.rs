//! Looking for contradictions in the engine's own records.

use crate::engine::Engine;
use crate::file::Content;
use crate::memory::Memory;
use crate::region::ShareClass;
use crate::request::Object;
use crate::units::{PageCount, PageIndex};
use alloc::vec;
use alloc::vec::Vec;

type Check = core::result::Result<(), &'static str>;

/// Who owns each page; a page has one owner.
struct Owners(Vec<bool>);

impl Owners {
    fn claim(&mut self, first: PageIndex, count: PageCount) -> Check {
        for page in first.0..first.0 + count.0 {
            match self.0.get_mut(page as usize) {
                None => return Err("a page outside the window is owned"),
                Some(true) => return Err("a page has two owners"),
                Some(owned) => *owned = true,
            }
        }
        Ok(())
    }
}

impl<M: Memory> Engine<M> {
    /// Whether the records agree with each other; for tests, since it walks everything.
    ///
    /// # Errors
    ///
    /// The first contradiction.
    pub fn check(&self) -> Check {
        self.buddy.check()?;
        self.check_pages()?;
        self.check_regions()?;
        self.check_mappings()?;
        self.check_files()
    }

    /// Every page of the window has one owner.
    fn check_pages(&self) -> Check {
        let mut owners = Owners(vec![false; self.config.pages as usize]);
        for (first, order) in self.buddy.free_blocks() {
            owners.claim(first, order.pages())?;
        }
        for handle in self.regions.iter(self.region_root) {
            let region = self.regions.get(handle);
            if region.copy {
                let start = self.regions.start(handle);
                let pages = self.page.whole(region.top - start) as u32;
                owners.claim(self.page_at(start), PageCount(pages))?;
            }
        }
        for (_, file) in self.files.iter() {
            if let Content::Runs(runs) = &file.content {
                for run in runs.iter() {
                    owners.claim(run.page, PageCount(run.count))?;
                }
            }
        }
        for segment in self.segments.iter() {
            owners.claim(segment.first, segment.pages)?;
        }
        if owners.0.iter().all(|&owned| owned) {
            Ok(())
        } else {
            Err("a page has no owner")
        }
    }

    fn check_regions(&self) -> Check {
        let count = self.regions.check(self.region_root)?;
        if count != self.regions.count() {
            return Err("a region is not among the regions");
        }
        let mut copied = 0;
        for handle in self.regions.iter(self.region_root) {
            let region = self.regions.get(handle);
            let start = self.regions.start(handle);
            let end = self.regions.end(handle);
            if end <= start || region.top < end {
                return Err("a region ends before it starts, or beyond its top");
            }
            if region.copy {
                copied += self.page.whole(region.top - start);
            }
            if region.users == 0 {
                return Err("a region has no users");
            }
            if let Some(share) = region.share
                && *self.shares.get(share.node) != handle
            {
                return Err("a region is filed for re-use as another");
            }
        }
        if copied != self.copied_pages {
            return Err("the count of copied pages is not that of the regions");
        }
        Ok(())
    }

    fn check_mappings(&self) -> Check {
        let mut mappings = 0;
        for (number, space) in self.spaces.iter() {
            mappings += self.mappings.check(space.mappings)?;
            let lives_here =
                |process: &&crate::process::Process| process.alive && process.space == number;
            if self.processes.iter().filter(lives_here).count() != space.users as usize {
                return Err("an address space has a wrong number of users");
            }
            for handle in self.mappings.iter(space.mappings) {
                let region = self.mappings.get(handle).region;
                if self.mappings.start(handle) < self.regions.start(region)
                    || self.mappings.end(handle) > self.regions.end(region)
                {
                    return Err("a mapping is not inside its region");
                }
            }
        }
        let users: u64 = self
            .regions
            .iter(self.region_root)
            .map(|handle| u64::from(self.regions.get(handle).users))
            .sum();
        if mappings != self.mappings.count() || users != u64::from(mappings) {
            return Err("the users of the regions are not the mappings");
        }
        Ok(())
    }

    fn check_files(&self) -> Check {
        let mut shares = 0;
        for (slot, file) in self.files.iter() {
            if !file.linked && file.opens == 0 && file.regions == 0 {
                return Err("a file exists to which nothing leads");
            }
            for class in 0..ShareClass::COUNT {
                shares += self.shares.check(file.shares[class])?;
            }
            let opens = self.open_files.iter().filter(|(_, open)| {
                matches!(open.target, crate::file::Target::File(target) if target == slot)
            });
            if opens.count() != file.opens as usize {
                return Err("a file has a wrong number of open files");
            }
            let mut regions = 0;
            let mut direct = 0;
            for handle in self.regions.iter(self.region_root) {
                let region = self.regions.get(handle);
                if region.file == Some(slot) {
                    regions += 1;
                    direct += u32::from(!region.copy);
                }
            }
            if (regions, direct) != (file.regions, file.direct_regions) {
                return Err("a file has a wrong number of regions");
            }
        }
        if shares != self.shares.count() {
            return Err("a region is filed for re-use with no file");
        }
        for segment in self.segments.iter() {
            let object = Some(Object::Segment(segment.number));
            let attached = self
                .regions
                .iter(self.region_root)
                .filter(|&handle| self.regions.get(handle).object == object)
                .count();
            if attached != segment.attached as usize {
                return Err("a segment has a wrong number of attachments");
            }
        }
        for (index, open) in self.open_files.iter() {
            let references = self
                .processes
                .iter()
                .flat_map(|process| &process.descriptors)
                .filter(|&&descriptor| descriptor == Some(index))
                .count();
            if references != open.references as usize {
                return Err("an open file has a wrong number of descriptors");
            }
        }
        Ok(())
    }
}
