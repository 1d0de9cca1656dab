//! How a request to map a file may be served: re-use, then directly, then a copy, then an
//! error (lines 39-104 and 202-229).

use super::driver;
use super::due::Due;
use super::map_reuse::Reuse;
use super::mmap::owe_memory;
use crate::op::{self, Capabilities, Protection};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::file::{File, FileNumber, Kind};

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
    pub(super) otherwise: Due,
    /// An existing mapping has to be re-used.
    pub(super) reuse: bool,
    /// What its device declares does not permit it, shared or not.
    pub(super) denied: bool,
    /// It may be on the object's own memory.
    pub(super) direct: bool,
    /// It may be a copy.
    pub(super) copy: bool,
    /// How often the driver is asked for an address, and then to map: at least, at most.
    pub(super) asked: [(u32, u32); 2],
    /// The rule that is broken by failing where success is due.
    pub(super) rule: &'static str,
}

/// The errors that say that an object cannot be mapped so.
const DENIED: &[Errno] = &[Errno::ENODEV, Errno::EINVAL, Errno::EACCES];

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
    let end = (wanted.offset).saturating_add(wanted.pages << world.page_shift());
    let overlaps = world.is_mapped(wanted.file, wanted.offset, end);
    if overlaps && world.config.deviates("inexact-overlap-refused") {
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
pub(super) fn placed_in(world: &World, wanted: &Wanted, file: &File) -> Option<Option<u64>> {
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
