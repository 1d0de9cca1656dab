//! Mappings come and go, and what they used goes with the last of them.

use crate::observation::Object;
use crate::world::World;
use crate::world::file::FileNumber;
use crate::world::memory::Owner;
use crate::world::space::{Backing, Mapping, SpaceNumber};

impl World {
    /// Files a mapping under its address, behind others of the same range.
    pub(super) fn insert_mapping(&mut self, space: SpaceNumber, mapping: Mapping) {
        let mappings = &mut self.spaces[usize::from(space.0)].mappings;
        let key = (mapping.start, mapping.end);
        let index = mappings.partition_point(|other| (other.start, other.end) <= key);
        mappings.insert(index, mapping);
    }

    /// Takes a mapping out, with all that only it used.
    pub(super) fn remove_mapping(&mut self, space: SpaceNumber, index: usize) {
        let mappings = &mut self.spaces[usize::from(space.0)].mappings;
        let mapping = mappings.remove(index);
        if mapping.backing == Backing::Direct {
            // Of several that look alike, any may be the one that is left.
            let view = mapping.view();
            for other in mappings.iter_mut().filter(|other| other.view() == view) {
                other.granted = other.granted.with(mapping.granted);
            }
        }
        match (mapping.backing, mapping.object) {
            (Backing::Region(_), _) => self.drop_region_user(mapping.start),
            (Backing::Direct, Some(Object::Segment(number))) => self.detach_segment(number),
            (Backing::Direct, Some(Object::File(number))) => self.close_device(FileNumber(number)),
            (Backing::Direct, None) => {}
        }
        if let Some(Object::File(number)) = mapping.object {
            self.bury_file(FileNumber(number));
        }
    }

    /// Takes every mapping out of an address space that nobody uses any more.
    pub(super) fn clear_space(&mut self, space: SpaceNumber) {
        while let Some(last) = self.spaces[usize::from(space.0)]
            .mappings
            .len()
            .checked_sub(1)
        {
            self.remove_mapping(space, last);
        }
    }

    /// A region loses a mapping, and with the last one all its pages, slack included.
    fn drop_region_user(&mut self, address: u64) {
        let Some(index) = self.region_index(address) else {
            return;
        };
        if self.regions[index].users > 1 {
            self.regions[index].users -= 1;
            return;
        }
        let region = self.regions.remove(index);
        let pages = (region.top - region.start) >> self.page_shift();
        self.memory.give(region.start, pages, Owner::Free);
    }

    /// Lines 220-221: the driver is told when the last mapping of its device goes.
    fn close_device(&mut self, number: FileNumber) {
        if self.file(number).driver.is_none() || self.is_mapped_directly(number) {
            return;
        }
        if let Some(driver) = &mut self.files[usize::from(number.0)].driver {
            driver.close_calls = driver.close_calls.wrapping_add(1);
        }
    }

    /// Whether some mapping is on a file's or device's own memory.
    pub(super) fn is_mapped_directly(&self, number: FileNumber) -> bool {
        let object = Some(Object::File(number.0));
        let mut mappings = self.spaces.iter().flat_map(|space| &space.mappings);
        mappings.any(|mapping| mapping.object == object && mapping.backing == Backing::Direct)
    }

    /// A file without a name, descriptor or mapping is gone, and its pages are free.
    pub(super) fn bury_file(&mut self, number: FileNumber) {
        let file = self.file(number);
        if file.path.is_some() || file.dead {
            return;
        }
        let object = Some(Object::File(number.0));
        let is_open = self
            .open_files
            .iter()
            .any(|open| open.descriptors > 0 && open.target.file() == Some(number));
        let mut mappings = self.spaces.iter().flat_map(|space| &space.mappings);
        if is_open || mappings.any(|mapping| mapping.object == object) {
            return;
        }
        let file = &mut *self.files[usize::from(number.0)];
        file.dead = true;
        file.size = 0;
        let pages = std::mem::take(&mut file.pages);
        for address in pages.iter().filter_map(|page| page.address) {
            self.memory.give_page(address, Owner::Free);
        }
    }

    /// A segment loses an attachment; one that was removed goes with the last.
    fn detach_segment(&mut self, number: u16) {
        let segment = &mut self.segments[usize::from(number)];
        segment.attached = segment.attached.saturating_sub(1);
        self.bury_segment(number);
    }

    /// A segment that was removed and is not attached is gone, and its pages are free.
    pub(super) fn bury_segment(&mut self, number: u16) {
        let segment = &self.segments[usize::from(number)];
        if !segment.removed || segment.attached > 0 || segment.dead {
            return;
        }
        let pages = segment.pages.len() as u64;
        let start = segment.start;
        let segment = &mut self.segments[usize::from(number)];
        segment.dead = true;
        segment.pages.clear();
        if let Some(start) = start {
            self.memory.give(start, pages, Owner::Free);
        }
    }
}
