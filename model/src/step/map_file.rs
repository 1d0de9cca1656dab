//! mmap of files and devices: re-use, then directly, then a copy, then an error (lines 39-104
//! and 202-229).

use super::allocate::Excess;
use super::due::Due;
use super::mmap::owe_memory;
use super::{Answer, Caller, Refusal, address, driver, refuse};
use crate::observation::{Object, Sight};
use crate::op::{self, Capabilities, Protection};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::file::{File, FileNumber, Kind};
use crate::world::memory::Owner;
use crate::world::page::Page;
use crate::world::region::{Origin, Region};
use crate::world::space::{Backing, Granted, Mapping};

/// What is to be mapped. The range is page aligned, not empty, and ends by 2^64.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) file: FileNumber,
    pub(super) offset: u64,
    pub(super) pages: u64,
    pub(super) protection: Protection,
    pub(super) shared: bool,
    /// Whether the caller is traced: then it takes no part in re-use.
    pub(super) traced: bool,
}

/// How a request may be served.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// The errors that it owes.
    pub(super) due: Due,
    /// The errors that it owes unless an existing mapping is re-used that need not be.
    otherwise: Due,
    /// An existing mapping has to be re-used.
    reuse: bool,
    /// What its device declares does not permit it, shared or not.
    denied: bool,
    /// It may be on the object's own memory.
    direct: bool,
    /// It may be a copy.
    pub(super) copy: bool,
    /// How often the driver is asked for an address, and then to map: at least, at most.
    asked: [(u32, u32); 2],
    /// The rule that is broken by failing where success is due.
    rule: &'static str,
}

/// What a mapping would share.
#[derive(Clone, Copy, Debug)]
struct Existing {
    start: u64,
    backing: Backing,
    granted: Granted,
}

/// The errors that say that an object cannot be mapped so.
const DENIED: &[Errno] = &[Errno::ENODEV, Errno::EINVAL, Errno::EACCES];

pub(super) fn mmap(
    world: &mut World,
    caller: Caller,
    wanted: &Wanted,
    due: Due,
    answer: &Answer<'_>,
) -> Result<Option<u64>, Refusal> {
    let plan = plan(world, wanted, due);
    let Some(value) = plan.due.judge(answer, plan.rule)? else {
        let [area, mmap] = plan.asked;
        driver::asked(world, wanted.file, 0..=area.1, 0..=mmap.1, answer)?;
        return Ok(None);
    };
    let start = address(value, plan.rule)?;
    map(world, caller, wanted, &plan, start, answer)?;
    Ok(Some(start))
}

/// Works out how a request may be served.
pub(super) fn plan(world: &World, wanted: &Wanted, due: Due) -> Plan {
    let mut plan = Plan {
        due,
        otherwise: due,
        reuse: false,
        denied: false,
        direct: false,
        copy: false,
        asked: [(0, 0); 2],
        rule: "private-read-copy",
    };
    if wanted.shared {
        plan_shared(world, wanted, &mut plan);
    } else if wanted.protection.contains(Protection::WRITE) {
        plan_private_writable(world, wanted, &mut plan);
    } else {
        plan_private_read(world, wanted, &mut plan);
    }
    plan.otherwise = plan.due;
    if !plan.reuse
        && world
            .find_existing(wanted, Reuse::Allowed, |_| true)
            .is_some()
    {
        plan.due.soften();
    }
    plan
}

/// Lines 59-67: always a copy, never shared.
fn plan_private_writable(world: &World, wanted: &Wanted, plan: &mut Plan) {
    plan.rule = "private-write-copy";
    let file = world.file(wanted.file);
    plan_copy(world, wanted, file, plan);
    plan.due
        .must_if(!plan.copy, "private-needs-read", DENIED_PRIVATE);
    owe_idle_device(file, plan);
}

/// The errors that say that an object can neither be mapped nor copied.
const DENIED_PRIVATE: &[Errno] = &[Errno::ENODEV, Errno::EINVAL, Errno::EACCES, Errno::ENOSYS];

fn plan_copy(world: &World, wanted: &Wanted, file: &File, plan: &mut Plan) {
    plan.copy = driver::capabilities(file).contains(Capabilities::COPY);
    if !plan.copy {
        return;
    }
    if !plan.direct {
        owe_memory(world, wanted.pages, &mut plan.due);
    } else if world.lacks(wanted.pages) != Some(false) {
        plan.due.may(&[Errno::ENOMEM]);
    }
}

/// Lines 233-244: a busy device is not to be seen.
fn owe_idle_device(file: &File, plan: &mut Plan) {
    if file.driver.is_some_and(|driver| driver.busy) {
        plan.due
            .must("busy-not-visible", &[Errno::EBUSY, Errno::EAGAIN]);
        plan.asked = plan.asked.map(|(_, most)| (0, most));
    }
}

/// Lines 39-57.
fn plan_private_read(world: &World, wanted: &Wanted, plan: &mut Plan) {
    // Lines 41-43.
    let file = world.file(wanted.file);
    let can = driver::capabilities(file);
    if world.find_existing(wanted, Reuse::Due, |_| true).is_some() {
        plan.reuse = true;
        plan.rule = "private-read-reuse";
        return;
    }
    let copy = can.contains(Capabilities::COPY);
    // A traced process gets memory that nobody else sees, if it can be had.
    let alone = wanted.traced && copy;
    // Lines 45-48.
    let permitted = can.contains(Capabilities::DIRECT) && permits(can, wanted.protection);
    match file.kind {
        Kind::Character | Kind::Mtd if permitted && alone => {
            plan.asked = [(0, 1); 2];
            plan_copy(world, wanted, file, plan);
        }
        Kind::Character | Kind::Mtd if permitted => {
            plan_driver(world, wanted, file, plan);
        }
        _ => {
            // These might permit it (line 48): both are right.
            plan.direct = permitted && !alone && placed_in(world, wanted, file) != Some(None);
            plan_copy(world, wanted, file, plan);
            let neither = !plan.direct && !plan.copy;
            plan.due
                .must_if(neither, "private-needs-read", DENIED_PRIVATE);
        }
    }
    if !copy && world.config.deviates("private-of-direct-only-refused") {
        plan.due.may(&[Errno::ENODEV]);
        plan.asked = plan.asked.map(|(_, most)| (0, most));
    }
    if world.config.deviates("inexact-overlap-refused") {
        plan.due.may(&[Errno::EINVAL, Errno::ETXTBSY]);
        plan.asked = plan.asked.map(|(_, most)| (0, most));
    }
    owe_idle_device(file, plan);
}

/// Whether a direct mapping may be used so (lines 45-48 and 211-214).
fn permits(can: Capabilities, protection: Protection) -> bool {
    [
        (Protection::READ, Capabilities::READ),
        (Protection::WRITE, Capabilities::WRITE),
        (Protection::EXEC, Capabilities::EXEC),
    ]
    .into_iter()
    .all(|(wanted, needed)| !protection.contains(wanted) || can.contains(needed))
}

/// The driver decides: first where, then whether (lines 202-229).
fn plan_driver(world: &World, wanted: &Wanted, file: &File, plan: &mut Plan) {
    let Some(driver) = file.driver else { return };
    plan.asked = [(1, 1), (0, 0)];
    let area = match driver.area {
        // The scripted driver has no memory beyond its device.
        op::Answer::Ok if !inside(world, wanted, file) => op::Answer::Error(Errno::EINVAL),
        area => area,
    };
    let refuses = match area {
        op::Answer::Ok => {
            plan.asked[1] = (1, 1);
            Some((
                driver.mmap,
                "driver-mmap-rejects",
                "driver-mmap-enosys-copies",
            ))
        }
        area => Some((area, "driver-address-error", "driver-area-enosys")),
    };
    let Some((answered, error_rule, enosys_rule)) = refuses else {
        return;
    };
    match answered {
        op::Answer::Ok => {
            plan.direct = true;
            plan.rule = if wanted.shared {
                "chardev-shared"
            } else {
                "private-read-direct"
            };
        }
        // Lines 217-218 and 224-229: a copy, if it can be copied and need not be shared.
        op::Answer::Absent | op::Answer::Error(Errno::ENOSYS) => {
            if !wanted.shared {
                plan_copy(world, wanted, file, plan);
                plan.rule = enosys_rule;
            }
            let denied = &[Errno::ENODEV, Errno::ENOSYS];
            plan.due.must_if(!plan.copy, enosys_rule, denied);
        }
        // Lines 206-209 and 216-217.
        op::Answer::Error(errno) => plan.due.must(error_rule, &[errno]),
    }
}

/// Lines 69-104.
fn plan_shared(world: &World, wanted: &Wanted, plan: &mut Plan) {
    let file = world.file(wanted.file);
    let can = driver::capabilities(file);
    let (granted, denied) = match file.kind {
        Kind::MemoryBacked => ("memory-file-shared", "memory-file-shared-denied"),
        Kind::MemoryBlock => ("memory-blockdev-shared", "memory-blockdev-shared"),
        Kind::Character | Kind::Mtd => ("chardev-shared", "chardev-shared-denied"),
        // Line 75: not supported.
        _ => ("regular-shared-refused", "regular-shared-refused"),
    };
    plan.rule = granted;
    let is_driven = file.driver.is_some();
    // Lines 211-212 come first: what is not permitted now is not shared either.
    if !can.contains(Capabilities::DIRECT) || !permits(can, wanted.protection) {
        plan.denied = true;
        let rule = match file.driver {
            Some(driver) if driver.capabilities.is_none() => "driver-default-capabilities",
            Some(_) if can.contains(Capabilities::DIRECT) => "driver-permitted-mappings",
            _ => denied,
        };
        plan.due.must(rule, DENIED);
        plan.asked = [(0, u32::from(is_driven)); 2];
        return;
    }
    // Lines 220-222: without notifying the driver, if possible.
    if is_driven && world.find_existing(wanted, Reuse::Due, |_| true).is_some() {
        plan.reuse = true;
        plan.rule = "driver-share-without-notice";
        return;
    }
    if is_driven {
        plan_driver(world, wanted, file, plan);
        owe_idle_device(file, plan);
        return;
    }
    match placed_in(world, wanted, file) {
        Some(None) => {
            plan.due.must(denied, &[Errno::ENODEV, Errno::EINVAL]);
            // What is longer than all memory may be found too long first.
            if world.lacks(wanted.pages) != Some(false) {
                plan.due.may(&[Errno::ENOMEM]);
            }
        }
        placed => {
            plan.direct = true;
            // Lines 72-85 leave it to the file system whether it honours a mapping of what is
            // not known to be contiguous, and lines 92-95 to the block device.
            let owed = match file.kind {
                Kind::MemoryBacked => placed.is_some(),
                Kind::MemoryBlock => world.config.window.is_some(),
                _ => false,
            };
            if !owed {
                plan.due.may(&[Errno::ENODEV, Errno::EINVAL]);
            }
        }
    }
}

/// Whether the range lies inside the object's pages.
fn inside(world: &World, wanted: &Wanted, file: &File) -> bool {
    let end = u128::from(wanted.offset) + (u128::from(wanted.pages) << world.page_shift());
    end <= u128::from(world.page_up(file.size))
}

/// Where an object's own memory for a range is: `Some(Some(address))` if it is contiguous
/// there, `Some(None)` if the object has none or it is not contiguous, none if that is not
/// known.
fn placed_in(world: &World, wanted: &Wanted, file: &File) -> Option<Option<u64>> {
    if !inside(world, wanted, file) {
        return Some(None);
    }
    if file.kind != Kind::MemoryBacked {
        return file.memory.map(|memory| Some(memory + wanted.offset));
    }
    let first = wanted.offset >> world.page_shift();
    let mut known = true;
    let mut next = None;
    for index in first..first + wanted.pages {
        // A hole was never given memory.
        let Some(page) = file.page(index) else {
            return Some(None);
        };
        match (page.address, next) {
            (Some(address), Some(expected)) if address != expected => return Some(None),
            (Some(address), _) => next = Some(address + world.page_size()),
            (None, _) => known = false,
        }
    }
    if !known {
        return None;
    }
    Some(file.page(first).and_then(|page| page.address))
}

/// How strongly an existing mapping is to be re-used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    /// It covers the range, and permits all that is wanted.
    Due,
    /// It was granted at least the range, or a deviation overlooks what it permits.
    Allowed,
}

impl Wanted {
    /// What is granted to a mapping of memory that is set up for it.
    fn granted(&self, world: &World) -> Granted {
        granted(
            self.offset,
            self.pages << world.page_shift(),
            self.protection,
        )
    }
}

impl World {
    /// An existing mapping or copy that a request may share, and that a condition accepts.
    fn find_existing(
        &self,
        wanted: &Wanted,
        reuse: Reuse,
        accepts: impl Fn(&Existing) -> bool,
    ) -> Option<Existing> {
        // Lines 59-67; and a traced process's private memory may be written to.
        let alone = wanted.traced || wanted.protection.contains(Protection::WRITE);
        if alone && !wanted.shared {
            return None;
        }
        let lax = reuse == Reuse::Allowed && self.config.deviates("reuse-ignores-permissions");
        let end = wanted.offset + ((wanted.pages - 1) << self.page_shift());
        let covers = |start: u64, bytes: u64| start <= wanted.offset && end - start < bytes;
        let permits = |protection: Protection| lax || protection.contains(wanted.protection);
        let from_copy = reuse == Reuse::Allowed && self.config.deviates("shared-served-from-copy");
        if !wanted.shared || from_copy {
            let copies = self.regions.iter().filter_map(|region| {
                let Origin::Copy {
                    file,
                    offset,
                    reusable: true,
                } = region.origin
                else {
                    return None;
                };
                let fits = file == wanted.file
                    && covers(offset, region.end - region.start)
                    && permits(region.protection);
                fits.then(|| Existing {
                    start: region.start + (wanted.offset - offset),
                    backing: Backing::Region(region.id),
                    granted: granted(offset, region.end - region.start, region.protection),
                })
            });
            if let Some(found) = copies.into_iter().find(|found| accepts(found)) {
                return Some(found);
            }
        }
        let object = Some(Object::File(wanted.file.0));
        self.spaces
            .iter()
            .flat_map(|space| &space.mappings)
            .filter(|mapping| {
                mapping.backing == Backing::Direct
                    && mapping.object == object
                    && mapping.shareable
                    && mapping.shared == wanted.shared
                    && match reuse {
                        Reuse::Due => {
                            permits(mapping.protection)
                                && covers(mapping.offset, mapping.end - mapping.start)
                        }
                        Reuse::Allowed => {
                            let granted = mapping.granted;
                            permits(granted.protection)
                                && covers(granted.start, granted.end - granted.start)
                        }
                    }
            })
            .map(|mapping| Existing {
                start: mapping
                    .start
                    .wrapping_add(wanted.offset)
                    .wrapping_sub(mapping.offset),
                backing: Backing::Direct,
                granted: mapping.granted,
            })
            .find(|found| accepts(found))
    }
}

fn granted(offset: u64, bytes: u64, protection: Protection) -> Granted {
    Granted {
        start: offset,
        end: offset.saturating_add(bytes),
        protection,
    }
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
    /// An existing mapping or copy that a request may share at an address.
    fn existing_at(&self, wanted: &Wanted, start: u64) -> Option<Existing> {
        let here = |found: &Existing| found.start == start;
        self.find_existing(wanted, Reuse::Due, here)
            .or_else(|| self.find_existing(wanted, Reuse::Allowed, here))
    }

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
            shareable: wanted.shared || (!writable && !wanted.traced),
            granted: existing.granted,
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
