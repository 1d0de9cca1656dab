//! Which bytes have to be where.

use super::World;
use super::file::{File, FileNumber, Kind};
use super::memory::Owner;
use super::page::Page;
use super::region::Region;
use super::space::{Backing, Mapping};
use crate::observation::Object;

/// What a page has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// These bytes. Fewer than a page at the end of a file: zeroes follow.
    Bytes(&'a [u8]),
    /// Whatever it likes: a free page, slack, or bytes that nothing ever determined.
    Anything,
}

impl<'a> Expected<'a> {
    fn of(page: &'a Page) -> Self {
        match page {
            Page::Known(bytes) => Expected::Bytes(bytes),
            Page::Unknown => Expected::Anything,
        }
    }
}

impl World {
    /// What the page at an address has to hold: a page of the window, or of a device's or a
    /// file's own memory where its address is known.
    pub fn expected_page(&self, address: u64) -> Expected<'_> {
        match self.memory.owner(address) {
            Owner::Region(_) => match self.region_at(address) {
                Some(region) if address < region.end => {
                    Expected::of(self.region_page(region, address))
                }
                _ => Expected::Anything,
            },
            Owner::File(number, index) => match self.file(number).page(u64::from(index)) {
                Some(page) => Expected::of(&page.contents),
                None => Expected::Anything,
            },
            Owner::Segment(number) => {
                let segment = &self.segments[usize::from(number)];
                let page =
                    address.wrapping_sub(segment.start.unwrap_or(address)) >> self.page_shift();
                segment
                    .pages
                    .get(page as usize)
                    .map_or(Expected::Anything, Expected::of)
            }
            Owner::Free | Owner::Outside => self.expected_device_page(address),
        }
    }

    /// What a page of a file has to hold, by its index; zeroes past its size.
    pub fn expected_file_page(&self, number: FileNumber, index: u64) -> Expected<'_> {
        let Some(file) = self.files.get(usize::from(number.0)) else {
            return Expected::Anything;
        };
        if file.dead || file.driver.is_some_and(|driver| driver.busy) {
            return Expected::Anything;
        }
        let start = index.saturating_mul(self.page_size());
        let length = file.size.saturating_sub(start).min(self.page_size()) as usize;
        match file.page(index).map(|page| &page.contents) {
            Some(Page::Known(bytes)) => Expected::Bytes(&bytes[..length]),
            Some(Page::Unknown) => Expected::Anything,
            None => Expected::Bytes(&[]),
        }
    }

    fn expected_device_page(&self, address: u64) -> Expected<'_> {
        let Some((_, file)) = self.device_at(address) else {
            return Expected::Anything;
        };
        // A busy device may show its status in place of its data (lines 233-237).
        if file.driver.is_some_and(|driver| driver.busy) {
            return Expected::Anything;
        }
        let offset = address - file.memory.unwrap_or(address);
        match file.page(offset >> self.page_shift()) {
            Some(page) if offset.is_multiple_of(self.page_size()) => Expected::of(&page.contents),
            _ => Expected::Anything,
        }
    }

    /// The device or execute-in-place file in whose memory an address lies, where that memory
    /// is known.
    pub(crate) fn device_at(&self, address: u64) -> Option<(FileNumber, &File)> {
        (0..).zip(self.files.iter()).find_map(|(number, file)| {
            let offset = address.checked_sub(file.memory?)?;
            (offset < self.page_up(file.size)).then_some((FileNumber(number), &**file))
        })
    }

    /// Bytes of a page.
    pub fn page_size(&self) -> u64 {
        self.config.page_size
    }

    /// The power of two that is a page's size.
    pub(crate) fn page_shift(&self) -> u32 {
        self.config.page_size.trailing_zeros()
    }

    /// Rounded up to whole pages; for sizes that are far from 2^64.
    pub(crate) fn page_up(&self, bytes: u64) -> u64 {
        bytes.next_multiple_of(self.config.page_size)
    }

    /// A page of zeroes.
    pub(crate) fn zero_page(&self) -> Page {
        Page::Known(self.zero.clone())
    }

    /// The bytes of a page of zeroes.
    pub(crate) fn zeroes(&self) -> &[u8] {
        &self.zero
    }

    /// Where the region that an address lies in is in [`World::regions`].
    pub(crate) fn region_index(&self, address: u64) -> Option<usize> {
        let after = self
            .regions
            .partition_point(|region| region.start <= address);
        let index = after.checked_sub(1)?;
        (address < self.regions[index].top).then_some(index)
    }

    /// The region that an address lies in, slack included.
    pub fn region_at(&self, address: u64) -> Option<&Region> {
        self.region_index(address)
            .map(|index| &*self.regions[index])
    }

    fn region_page<'a>(&self, region: &'a Region, address: u64) -> &'a Page {
        &region.pages[((address - region.start) >> self.page_shift()) as usize]
    }

    /// What is at an address inside a mapping: the page, and the byte's offset in it.
    pub(crate) fn mapped_page(&self, mapping: &Mapping, address: u64) -> (Expected<'_>, usize) {
        let offset = address - mapping.start;
        let in_page = (offset & (self.page_size() - 1)) as usize;
        let index = (mapping.offset.wrapping_add(offset)) >> self.page_shift();
        let page = match (mapping.backing, mapping.object) {
            (Backing::Region(_), _) => self
                .region_at(address)
                .map(|region| Expected::of(self.region_page(region, address))),
            (Backing::Direct, Some(Object::File(number))) => {
                // A page that was cut off under a mapping shows anything.
                let page = self.files[usize::from(number)].page(index);
                page.map(|page| Expected::of(&page.contents))
            }
            (Backing::Direct, Some(Object::Segment(number))) => self.segments[usize::from(number)]
                .pages
                .get(index as usize)
                .map(Expected::of),
            (Backing::Direct, None) => None,
        };
        (page.unwrap_or(Expected::Anything), in_page)
    }

    /// The page at an address inside a mapping, to be changed; none for a hole.
    pub(crate) fn mapped_page_mut(&mut self, mapping: &Mapping, address: u64) -> Option<&mut Page> {
        let shift = self.page_shift();
        let offset = address - mapping.start;
        let index = mapping.offset.wrapping_add(offset) >> shift;
        match (mapping.backing, mapping.object) {
            (Backing::Region(_), _) => {
                let place = self.region_index(address)?;
                let region = &mut *self.regions[place];
                region
                    .pages
                    .get_mut(((address - region.start) >> shift) as usize)
            }
            (Backing::Direct, Some(Object::File(number))) => {
                let place = self.files[usize::from(number)].place(index).ok()?;
                let file = &mut *self.files[usize::from(number)];
                Some(&mut file.pages[place].contents)
            }
            (Backing::Direct, Some(Object::Segment(number))) => self.segments[usize::from(number)]
                .pages
                .get_mut(index as usize),
            (Backing::Direct, None) => None,
        }
    }
}

impl Kind {
    /// Whether a program's stores into a direct mapping reach it. Flash and ROM take none.
    pub(crate) fn takes_stores(self) -> bool {
        !matches!(self, Kind::ExecuteInPlace | Kind::Mtd)
    }
}
