//! Looking for contradictions in the engine's own records.

use crate::engine::Engine;
use crate::file::Content;
use crate::memory::Memory;
use crate::region::RegionHandle;
use crate::request::Object;
use crate::space::{Mapping, MappingHandle};
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
        for (_, region) in self.regions.iter() {
            if region.copy {
                let pages = self.page.whole(region.top - region.start) as u32;
                owners.claim(self.page_at(region.start), PageCount(pages))?;
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
        if self.forest.check(self.by_address)? as usize != self.regions.iter().count() {
            return Err("not all regions are found by address");
        }
        for found in self.forest.iter(self.by_address) {
            let region = self.region(RegionHandle(found.id as u32));
            if (region.start, region.end) != (found.start, found.end) {
                return Err("a region is filed under another address");
            }
        }
        let mut copied = 0;
        for (_, region) in self.regions.iter() {
            if region.end <= region.start || region.top < region.end {
                return Err("a region ends before it starts, or beyond its top");
            }
            if region.copy {
                copied += self.page.whole(region.top - region.start);
            }
            if region.users == 0 {
                return Err("a region has no users");
            }
        }
        if copied != self.copied_pages {
            return Err("the count of copied pages is not that of the regions");
        }
        Ok(())
    }

    fn check_mappings(&self) -> Check {
        let mut found = 0;
        for (number, space) in self.spaces.iter() {
            found += self.forest.check(space.mappings)?;
            let lives_here =
                |process: &&crate::process::Process| process.alive && process.space == number;
            if self.processes.iter().filter(lives_here).count() != space.users as usize {
                return Err("an address space has a wrong number of users");
            }
            for found in self.forest.iter(space.mappings) {
                let mapping = self.mapping(MappingHandle(found.id as u32));
                if (mapping.start, mapping.end) != (found.start, found.end) {
                    return Err("a mapping is filed under another address");
                }
            }
        }
        if found as usize != self.mappings.iter().count() {
            return Err("not all mappings are found by address");
        }
        for (_, mapping) in self.mappings.iter() {
            let region = self.region(mapping.region);
            if mapping.start < region.start || mapping.end > region.end {
                return Err("a mapping is not inside its region");
            }
        }
        for (handle, region) in self.regions.iter() {
            let uses = |&(_, mapping): &(u32, &Mapping)| mapping.region.0 == handle;
            if self.mappings.iter().filter(uses).count() != region.users as usize {
                return Err("the users of a region are not its mappings");
            }
        }
        Ok(())
    }

    fn check_files(&self) -> Check {
        let mut shares = 0;
        for (slot, file) in self.files.iter() {
            if !file.linked && file.opens == 0 && file.regions == 0 {
                return Err("a file exists to which nothing leads");
            }
            for &root in &file.shares {
                shares += self.forest.check(root)?;
                for found in self.forest.iter(root) {
                    let region = self.region(RegionHandle(found.id as u32));
                    if region.file != Some(slot)
                        || self.page.whole(region.offset) != found.start
                        || region.share.is_none()
                    {
                        return Err("a region is filed for re-use as another");
                    }
                }
            }
            let opens = self.open_files.iter().filter(|(_, open)| {
                matches!(open.target, crate::file::Target::File(target) if target == slot)
            });
            if opens.count() != file.opens as usize {
                return Err("a file has a wrong number of open files");
            }
            let mut regions = 0;
            let mut direct = 0;
            for (_, region) in self.regions.iter() {
                if region.file == Some(slot) {
                    regions += 1;
                    direct += u32::from(!region.copy);
                }
            }
            if (regions, direct) != (file.regions, file.direct_regions) {
                return Err("a file has a wrong number of regions");
            }
        }
        let shared = self
            .regions
            .iter()
            .filter(|(_, region)| region.share.is_some());
        if shared.count() != shares as usize {
            return Err("a region that may be re-used is not filed with its file");
        }
        for segment in self.segments.iter() {
            let object = Some(Object::Segment(segment.number));
            let attached = self.regions.iter();
            let attached = attached
                .filter(|(_, region)| region.object == object)
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
