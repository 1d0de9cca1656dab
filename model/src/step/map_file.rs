//! Mappings of files and devices, made as an implementation says it made them.

use super::allocate::Excess;
use super::due::Due;
use super::map_plan::{self, Plan, Wanted, placed_in};
use super::map_reuse::{Existing, Reuse};
use super::{Answer, Caller, Refusal, address, driver, refuse};
use crate::observation::{Object, Sight};
use crate::op::Protection;
use crate::world::World;
use crate::world::file::Kind;
use crate::world::memory::Owner;
use crate::world::page::Page;
use crate::world::region::{Origin, Region};
use crate::world::space::{Backing, Mapping};

pub(super) fn mmap(
    world: &mut World,
    caller: Caller,
    wanted: &Wanted,
    due: Due,
    answer: &Answer<'_>,
) -> Result<Option<u64>, Refusal> {
    let plan = map_plan::plan(world, wanted, due);
    let Some(value) = plan.due.judge(answer, plan.rule)? else {
        let [area, mmap] = plan.asked;
        driver::asked(world, wanted.file, 0..=area.1, 0..=mmap.1, answer)?;
        return Ok(None);
    };
    let start = address(value, plan.rule)?;
    map(world, caller, wanted, &plan, start, answer)?;
    Ok(Some(start))
}

/// Makes the mapping that an implementation says it made at an address.
pub(super) fn map(
    world: &mut World,
    caller: Caller,
    wanted: &Wanted,
    plan: &Plan,
    start: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let [area, mmap] = plan.asked.map(|(least, most)| least..=most);
    if plan.reuse {
        let Some(existing) = world.existing_at(wanted, start) else {
            return Err(world.not_reused(wanted, plan, start));
        };
        driver::asked(world, wanted.file, area, mmap, answer)?;
        world.share(caller, wanted, existing, start);
        return Ok(());
    }
    let existing = world.find_existing(wanted, Reuse::Allowed, |found| found.start == start);
    if let Some(existing) = existing {
        let (area, mmap) = (0..=*area.end(), 0..=*mmap.end());
        // What was granted to a mapping that is gone is still known to who shares its memory;
        // whether the driver is asked again is not said.
        driver::asked(world, wanted.file, area, mmap, answer)?;
        world.share(caller, wanted, existing, start);
        return Ok(());
    }
    if plan.otherwise.is_required() {
        return Err(plan.otherwise.refusal(answer, plan.rule));
    }
    let direct = match (plan.direct, plan.copy) {
        (true, true) => !world.shown_as_copy(wanted, start, answer),
        (direct, _) => direct,
    };
    if !direct {
        driver::asked(world, wanted.file, area, mmap, answer)?;
        return copy(world, caller, wanted, plan, start, answer);
    }
    driver::asked(world, wanted.file, area, mmap, answer)?;
    world.locate(wanted, plan, start)?;
    let own = Existing {
        start,
        backing: Backing::Direct,
        granted: wanted.granted(world),
    };
    world.share(caller, wanted, own, start);
    Ok(())
}

/// Lines 50-54: a copy in memory of its own.
fn copy(
    world: &mut World,
    caller: Caller,
    wanted: &Wanted,
    plan: &Plan,
    start: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let placed = world
        .place(start, wanted.pages, Excess::Trimmed, plan.rule)
        .map_err(|refusal| world.blame_sharing(wanted, start, refusal))?;
    let contents = (0..wanted.pages)
        .map(|page| {
            let at = start + (page << world.page_shift());
            world.copied_page(wanted, page, at, answer)
        })
        .collect();
    let writable = wanted.protection.contains(Protection::WRITE);
    let origin = Origin::Copy {
        file: wanted.file,
        offset: wanted.offset,
        reusable: !writable && !wanted.traced,
    };
    let slack = world.zero_page();
    let region = world.add_region(placed, wanted.protection, origin, contents, slack);
    let mapping = Mapping {
        start,
        end: start + (wanted.pages << world.page_shift()),
        protection: wanted.protection,
        shared: false,
        object: Some(Object::File(wanted.file.0)),
        offset: wanted.offset,
        backing: Backing::Region(region),
        shareable: !writable && !wanted.traced,
        granted: wanted.granted(world),
    };
    world.insert_mapping(caller.space, mapping);
    Ok(())
}

impl World {
    /// Adds a mapping of memory that exists.
    fn share(&mut self, caller: Caller, wanted: &Wanted, existing: Existing, start: u64) {
        if let Backing::Region(id) = existing.backing
            && let Some(index) = self.region_index(start)
        {
            let region = &mut *self.regions[index];
            debug_assert_eq!(region.id, id, "copies do not overlap");
            region.users += 1;
        }
        let writable = wanted.protection.contains(Protection::WRITE);
        let mapping = Mapping {
            start,
            end: start.wrapping_add(wanted.pages << self.page_shift()),
            protection: wanted.protection,
            shared: wanted.shared,
            object: Some(Object::File(wanted.file.0)),
            offset: wanted.offset,
            backing: existing.backing,
            // A traced process's copy is its own (and no copy is made here); what is on the
            // object is everybody's.
            shareable: wanted.shared || !writable,
            granted: self.granted_together(wanted, &existing),
        };
        self.insert_mapping(caller.space, mapping);
    }

    /// Whether what was mapped at an address is memory of its own.
    fn shown_as_copy(&self, wanted: &Wanted, start: u64, answer: &Answer<'_>) -> bool {
        if answer.sight.contains(Sight::REGIONS) {
            let regions = &answer.seen.regions;
            let after = regions.partition_point(|region| region.start <= start);
            // Copies do not overlap each other, so that the nearest one decides.
            let nearest = regions[..after].iter().rev().find(|region| region.copy);
            return nearest.is_some_and(|region| start < region.end);
        }
        match placed_in(self, wanted, self.file(wanted.file)) {
            Some(Some(own)) => own != start,
            Some(None) => true,
            // What is not page aligned is no copy (lines 111-113).
            None => {
                start.is_multiple_of(self.page_size())
                    && (self.config.window.is_none() || self.owner(start) != Owner::Outside)
            }
        }
    }

    /// Holds a direct mapping to the object's own memory, and learns where that is.
    fn locate(&mut self, wanted: &Wanted, plan: &Plan, start: u64) -> Result<(), Refusal> {
        let placed = placed_in(self, wanted, self.file(wanted.file));
        if let Some(own) = placed {
            let own = own.unwrap_or(start);
            if own != start {
                return Err(refuse(
                    &[plan.rule],
                    format!("allowed is only: {own:#x}, where the object's memory is"),
                    format!("success at {start:#x}"),
                ));
            }
            return Ok(());
        }
        let size = self.page_up(self.file(wanted.file).size);
        let bytes = wanted.pages << self.page_shift();
        let backed = self.file(wanted.file).kind == Kind::MemoryBacked;
        let elsewhere = || {
            refuse(
                &[plan.rule, "one-owner"],
                "allowed is only: memory of the object's own",
                format!("success at {start:#x}"),
            )
        };
        if backed {
            start.checked_add(bytes).ok_or_else(elsewhere)?;
            return self.locate_pages(wanted, start).map_err(|_| elsewhere());
        }
        let memory = start.checked_sub(wanted.offset).ok_or_else(elsewhere)?;
        let end = memory.checked_add(size).ok_or_else(elsewhere)?;
        let overlaps =
            |other: u64, length: u64| other < end && memory < other.saturating_add(length);
        let window_taken = self
            .config
            .window
            .is_some_and(|window| overlaps(window.start, window.pages << self.page_shift()));
        let device_taken = self.files.iter().any(|file| {
            file.memory
                .is_some_and(|other| overlaps(other, self.page_up(file.size)))
        });
        let region_taken = self
            .regions
            .iter()
            .any(|region| overlaps(region.start, region.top - region.start));
        if window_taken || device_taken || region_taken {
            return Err(elsewhere());
        }
        self.files[usize::from(wanted.file.0)].memory = Some(memory);
        Ok(())
    }

    /// Learns where a memory-backed file keeps a range of its pages.
    fn locate_pages(&mut self, wanted: &Wanted, start: u64) -> Result<(), ()> {
        let first = wanted.offset >> self.page_shift();
        for page in 0..wanted.pages {
            let address = start + (page << self.page_shift());
            let index = first + page;
            let owner = Owner::File(wanted.file, index as u32);
            let place = self.file(wanted.file).place(index).map_err(|_| ())?;
            match self.file(wanted.file).pages[place].address {
                Some(known) if known != address => return Err(()),
                Some(_) => continue,
                None => {}
            }
            if self.owner(address) != Owner::Free || !address.is_multiple_of(self.page_size()) {
                return Err(());
            }
            self.memory.give_page(address, owner);
            let file = &mut *self.files[usize::from(wanted.file.0)];
            file.pages[place].address = Some(address);
        }
        Ok(())
    }

    /// A page of a copy, as the file is now: cleared from the end of the file on (lines 50-54).
    fn copied_page(&self, wanted: &Wanted, page: u64, at: u64, answer: &Answer<'_>) -> Page {
        let file = self.file(wanted.file);
        let start = wanted.offset + (page << self.page_shift());
        let length = file.size.saturating_sub(start).min(self.page_size()) as usize;
        match file
            .page(start >> self.page_shift())
            .map(|page| &page.contents)
        {
            _ if length == 0 => self.zero_page(),
            None => self.zero_page(),
            Some(Page::Unknown) => self.adopt(at, answer),
            Some(Page::Known(bytes)) => {
                if bytes[length..].iter().all(|&byte| byte == 0) {
                    return Page::Known(bytes.clone());
                }
                let mut bytes = bytes.to_vec();
                bytes[length..].fill(0);
                Page::Known(bytes.into())
            }
        }
    }

    /// The refusal of a mapping that had to share one.
    fn not_reused(&self, wanted: &Wanted, plan: &Plan, start: u64) -> Refusal {
        let existing = self.find_existing(wanted, Reuse::Due, |_| true);
        let own = existing.map_or(start, |existing| existing.start);
        refuse(
            &[plan.rule],
            format!("allowed is only: {own:#x}, where the same part is mapped already"),
            format!("success at {start:#x}"),
        )
    }

    /// Says which rule forbade to share, when a copy was answered inside another one.
    fn blame_sharing(&self, wanted: &Wanted, start: u64, mut refusal: Refusal) -> Refusal {
        let Some(region) = self.region_at(start) else {
            return refusal;
        };
        if let Some(rule) = forbids_sharing(region, wanted) {
            refusal.rules.insert(0, super::RuleId(rule));
        }
        refusal
    }
}

fn forbids_sharing(region: &Region, wanted: &Wanted) -> Option<&'static str> {
    let Origin::Copy { file, reusable, .. } = region.origin else {
        return None;
    };
    if file != wanted.file {
        return None;
    }
    // Lines 59-67.
    if wanted.protection.contains(Protection::WRITE)
        || region.protection.contains(Protection::WRITE)
    {
        return Some("private-write-never-shared");
    }
    if !reusable || wanted.traced {
        return Some("traced-not-shared");
    }
    // Lines 41-42.
    if !region.protection.contains(wanted.protection) {
        return Some("private-read-permissions");
    }
    Some("private-read-reuse")
}
