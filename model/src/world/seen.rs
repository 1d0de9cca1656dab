//! A world as a target shows it, so that rules can be asked about it.

use super::World;
use super::file::FilePage;
use super::memory::{Memory, Owner};
use super::page::Page;
use super::region::{Origin, Region, RegionId};
use super::segment::Segment;
use super::shared::Shared;
use super::space::{Backing, Granted, Mapping};
use crate::observation::{Contents, FilePageView, MappingView, Object, Observation, Sight};
use crate::op::Protection;

impl World {
    /// This world with everything put in its place that a target shows of its own: mappings,
    /// regions, files, segments, drivers, owners of pages, and contents that are determined
    /// here. What it cannot show stays as it is here.
    ///
    /// Nothing in the result is known to be allowed: it is for rules to judge.
    pub fn as_seen(&self, seen: &Observation, sight: Sight, contents: &dyn Contents) -> World {
        let seen = &bounded(seen);
        let shows_bytes = sight.contains(Sight::CONTENTS);
        let nothing = Nothing;
        let contents: &dyn Contents = if shows_bytes { contents } else { &nothing };
        let mut world = self.clone();
        if sight.contains(Sight::DRIVERS) {
            for view in &seen.drivers {
                if let Some(file) = world.files.get_mut(usize::from(view.number))
                    && let Some(driver) = &mut file.driver
                {
                    driver.area_calls = view.area_calls;
                    driver.mmap_calls = view.mmap_calls;
                    driver.close_calls = view.close_calls;
                }
            }
        }
        if sight.contains(Sight::SEGMENTS) {
            world.see_segments(seen, contents);
        }
        if sight.contains(Sight::FILES) {
            world.see_files(seen, sight, contents);
        }
        if sight.contains(Sight::REGIONS) {
            world.see_regions(seen, sight, contents);
        }
        if sight.contains(Sight::MAPPINGS) {
            world.see_mappings(seen);
        }
        world.see_owners(seen, sight);
        world
    }

    /// A page's bytes as shown; as they are here where nothing is shown or determined.
    fn see_page(&self, contents: &dyn Contents, address: u64, known: Option<&Page>) -> Page {
        if let Some(Page::Unknown) = known {
            return Page::Unknown;
        }
        let mut bytes = vec![0; self.page_size() as usize];
        if !contents.memory(address, &mut bytes) {
            return known.cloned().unwrap_or(Page::Unknown);
        }
        same_or_new(known, bytes)
    }

    fn see_segments(&mut self, seen: &Observation, contents: &dyn Contents) {
        for (number, segment) in (0..).zip(self.segments.clone().iter()) {
            let view = seen.segments.iter().find(|view| view.number == number);
            let Some(view) = view else {
                self.segments[usize::from(number)].dead = true;
                continue;
            };
            let pages = self.segment_pages(view.start, view.size, &segment.pages, contents);
            let place = &mut self.segments[usize::from(number)];
            place.dead = false;
            place.size = view.size;
            place.attached = view.attached;
            place.removed = view.removed;
            place.start = Some(view.start);
            place.pages = pages;
        }
        let next = self.segments.len();
        let new = seen.segments.iter();
        for view in new.filter(|view| usize::from(view.number) == next) {
            let pages = self.segment_pages(view.start, view.size, &[], contents);
            self.segments.push(Segment {
                key: None,
                size: view.size,
                start: Some(view.start),
                attached: view.attached,
                pages,
                removed: view.removed,
                dead: false,
            });
        }
    }

    fn segment_pages(
        &self,
        start: u64,
        size: u64,
        known: &[Page],
        contents: &dyn Contents,
    ) -> Vec<Page> {
        let count = size.div_ceil(self.page_size()).min(MOST_PAGES);
        (0..count)
            .map(|index| {
                let address = start.wrapping_add(index << self.page_shift());
                self.see_page(contents, address, known.get(index as usize))
            })
            .collect()
    }

    fn see_files(&mut self, seen: &Observation, sight: Sight, contents: &dyn Contents) {
        for number in 0..self.files.len() {
            let view = seen
                .files
                .iter()
                .find(|view| usize::from(view.number) == number);
            let file = self.files[number].clone();
            let Some(view) = view else {
                if !file.dead {
                    self.files[number].dead = true;
                }
                continue;
            };
            if file.dead {
                self.files[number].dead = false;
            }
            if file.size != view.size {
                self.files[number].size = view.size;
            }
            let memory_backed = file.kind == super::file::Kind::MemoryBacked;
            let pages: Vec<FilePage> = if memory_backed && sight.contains(Sight::FILE_PAGES) {
                view.pages
                    .iter()
                    .map(|&FilePageView { index, address }| {
                        let known = file.page(u64::from(index)).map(|page| &page.contents);
                        FilePage {
                            index,
                            contents: self.see_page(contents, address, known),
                            address: Some(address),
                        }
                    })
                    .collect()
            } else {
                file.pages
                    .iter()
                    .map(|page| {
                        let offset = u64::from(page.index) << self.page_shift();
                        let mut bytes = vec![0; self.page_size() as usize];
                        let shown = page.contents != Page::Unknown
                            && contents.file(number as u16, offset, &mut bytes);
                        FilePage {
                            contents: match shown {
                                true => same_or_new(Some(&page.contents), bytes),
                                false => page.contents.clone(),
                            },
                            ..*page
                        }
                    })
                    .collect()
            };
            if pages != file.pages {
                self.files[number].pages = pages;
            }
        }
    }

    fn see_regions(&mut self, seen: &Observation, sight: Sight, contents: &dyn Contents) {
        let records = sight.contains(Sight::REGION_RECORDS);
        let mut regions = Vec::new();
        for view in seen.regions.iter().filter(|view| view.copy) {
            let known = self
                .regions
                .iter()
                .find(|region| region.start == view.start);
            let top = match known {
                Some(known) if !records => known.top.max(view.end),
                _ => view.top.max(view.end),
            };
            let length = (top.saturating_sub(view.start) >> self.page_shift()).min(MOST_PAGES);
            let used = view.end.saturating_sub(view.start) >> self.page_shift();
            let pages = (0..length)
                .map(|index| {
                    let known = known.and_then(|known| known.pages.get(index as usize));
                    let address = view.start.wrapping_add(index << self.page_shift());
                    match known {
                        Some(known) if index >= used => known.clone(),
                        None if index >= used => Page::Unknown,
                        known => self.see_page(contents, address, known),
                    }
                })
                .collect();
            let id = known.map(|known| known.id).unwrap_or_else(|| {
                let id = self.next_region;
                self.next_region = RegionId(id.0 + 1);
                id
            });
            let known = self
                .regions
                .iter()
                .find(|region| region.start == view.start);
            let origin = match (view.object, known.map(|known| known.origin)) {
                (None, _) => Origin::Anonymous,
                (Some(Object::File(number)), known) => Origin::Copy {
                    file: super::file::FileNumber(number),
                    offset: view.offset,
                    reusable: match known {
                        Some(Origin::Copy { reusable, .. }) => reusable,
                        _ => !view.protection.contains(Protection::WRITE),
                    },
                },
                (Some(Object::Segment(_)), known) => known.unwrap_or(Origin::Anonymous),
            };
            let users = if records {
                view.users
            } else {
                known.map_or(1, |known| known.users)
            };
            regions.push(Shared::new(Region {
                id,
                start: view.start,
                end: view.end,
                top,
                protection: view.protection,
                origin,
                users,
                pages,
            }));
        }
        regions.sort_by_key(|region| region.start);
        if regions != *self.regions {
            *self.regions = regions;
        }
    }

    fn see_mappings(&mut self, seen: &Observation) {
        for number in 0..self.processes.len() {
            let view = seen
                .processes
                .iter()
                .find(|view| usize::from(view.process.0) == number);
            let alive = view.is_some();
            if self.processes[number].alive != alive {
                self.processes[number].alive = alive;
            }
            let Some(view) = view else { continue };
            let space = usize::from(self.processes[number].space.0);
            let Some(known) = self.spaces.get(space) else {
                continue;
            };
            let mut known = known.mappings.clone();
            let mappings: Vec<Mapping> = view
                .mappings
                .iter()
                .map(|view| {
                    let place = known.iter().position(|mapping| mapping.view() == *view);
                    let mapping = place.map(|place| known.remove(place));
                    self.see_mapping(view, mapping)
                })
                .collect();
            if mappings != self.spaces[space].mappings {
                self.spaces[space].mappings = mappings;
            }
        }
    }

    fn see_mapping(&self, view: &MappingView, known: Option<Mapping>) -> Mapping {
        let backing = match self.region_at(view.start) {
            Some(region) => Backing::Region(region.id),
            None => Backing::Direct,
        };
        match known {
            Some(known) => Mapping { backing, ..known },
            None => Mapping {
                start: view.start,
                end: view.end,
                protection: view.protection,
                shared: view.shared,
                object: view.object,
                offset: view.offset,
                backing,
                shareable: view.shared
                    || view.object.is_some() && !view.protection.contains(Protection::WRITE),
                granted: Granted {
                    protection: view.protection,
                    start: view.offset,
                    end: view.offset.wrapping_add(view.end.wrapping_sub(view.start)),
                },
            },
        }
    }

    /// Who owns each page: whoever shows it last, or nobody where it is shown to be free. A
    /// page that is not free and that nobody owns is lost: it is not memory any more.
    fn see_owners(&mut self, seen: &Observation, sight: Sight) {
        let Some(window) = self.config.window else {
            return;
        };
        let mut memory = Memory::new(&self.config);
        if sight.contains(Sight::FREE_BLOCKS) {
            memory.give(window.start, window.pages, Owner::Outside);
        }
        for (number, segment) in (0..).zip(self.segments.iter()) {
            if let (Some(start), false) = (segment.start, segment.dead) {
                memory.give(start, segment.pages.len() as u64, Owner::Segment(number));
            }
        }
        for (number, file) in (0..).zip(self.files.iter()).filter(|(_, file)| !file.dead) {
            for page in &file.pages {
                if let Some(address) = page.address {
                    let owner = Owner::File(super::file::FileNumber(number), page.index);
                    memory.give_page(address, owner);
                }
            }
        }
        for region in self.regions.iter() {
            let count = region.pages.len() as u64;
            memory.give(region.start, count, Owner::Region(region.id));
        }
        if sight.contains(Sight::FREE_BLOCKS) {
            for block in &seen.free {
                let count = 1_u64.checked_shl(block.order.into()).unwrap_or(0);
                memory.give(block.start, count.min(MOST_PAGES), Owner::Free);
            }
        }
        *self.memory = memory;
    }
}

/// Pages of one thing at most: a limit on what a target can make us do.
const MOST_PAGES: u64 = 1 << 20;

/// Addresses, sizes and offsets that are shown lie below this: an implementation that is wrong
/// may show anything, and whoever judges it adds and subtracts.
const LIMIT: u64 = 1 << 56;

/// Addresses of mappings may be nearly anything: of direct ones a kernel lists what a driver said,
/// and this is not the place to hide that it is nowhere.
const HIGHEST_MAPPED: u64 = 0u64.wrapping_sub(1 << 30);

/// What is shown, with every number below its limit and no end before its start.
fn bounded(seen: &Observation) -> Observation {
    let mut seen = seen.clone();
    let limit = |number: &mut u64| *number = (*number).min(LIMIT);
    for mapping in seen
        .processes
        .iter_mut()
        .flat_map(|process| &mut process.mappings)
    {
        mapping.start = mapping.start.min(HIGHEST_MAPPED);
        mapping.end = mapping.end.min(HIGHEST_MAPPED);
        mapping.end = mapping.end.max(mapping.start);
    }
    for region in &mut seen.regions {
        limit(&mut region.start);
        limit(&mut region.end);
        limit(&mut region.top);
        region.end = region.end.max(region.start);
        region.top = region.top.max(region.end);
    }
    for block in &mut seen.free {
        limit(&mut block.start);
    }
    for file in &mut seen.files {
        limit(&mut file.size);
        for page in &mut file.pages {
            limit(&mut page.address);
        }
    }
    for segment in &mut seen.segments {
        limit(&mut segment.size);
        limit(&mut segment.start);
    }
    seen
}

/// The page that is known if it holds these bytes: it is shared with other worlds.
fn same_or_new(known: Option<&Page>, bytes: Vec<u8>) -> Page {
    match known {
        Some(page @ Page::Known(known)) if **known == *bytes => page.clone(),
        _ => Page::Known(bytes.into()),
    }
}

/// Shows nothing.
struct Nothing;

impl Contents for Nothing {
    fn memory(&self, _address: u64, _bytes: &mut [u8]) -> bool {
        false
    }

    fn file(&self, _number: u16, _offset: u64, _bytes: &mut [u8]) -> bool {
        false
    }
}
