//! Memory as a whole: who owns it, who sees it, when there is none.

use super::others::others_untouched;
use crate::observation::{MappingView, Object};
use crate::op::{Call, Fill, Operation};
use crate::outcome::Errno::*;
use crate::outcome::{Outcome, Value};
use crate::rules::bytes::{first_other, first_unlike};
use crate::rules::view::{self, order};
use crate::rules::{Kinds, Step, Verdict, rules};
use crate::world::World;
use crate::world::contents::Expected;
use crate::world::file::FileNumber;
use crate::world::memory::Owner;
use crate::world::page::Page;
use crate::world::region::Region;
use crate::world::space::{Backing, Mapping, Space};
use Verdict::{Holds, NotApplicable, Violated};

rules! { "gaps":
    "errors-change-nothing": Kinds::all(), 60, errors_change_nothing;
    "out-of-memory-justified": Kinds::MMAP.union(Kinds::SHMGET), 85, out_of_memory_justified;
    "one-owner": Kinds::all(), 45, one_owner;
    "region-users": Kinds::all(), 40, region_users;
    "mappings-as-asked": Kinds::MMAP, 55, mappings_as_asked;
    "others-untouched": Kinds::all(), 30, others_untouched;
    "access-outside-mapping": Kinds::LOAD.union(Kinds::STORE), 85, access_outside_mapping;
    "load-sees-stores": Kinds::LOAD.union(Kinds::STORE), 60, load_sees_stores;
    "unsupported-calls": Kinds::UNSUPPORTED, 90, unsupported_calls;
}

/// A call that fails leaves everything as it was; only what drivers were asked is counted. None
/// takes the system with it.
fn errors_change_nothing(step: &Step<'_>) -> Verdict {
    if let Outcome::Crash(_) = step.outcome {
        return Violated(format!("{}, expected an answer", step.answer()));
    }
    if step.error().is_none() {
        return NotApplicable;
    }
    let (before, after) = (step.before, step.after);
    let files = || {
        before.files.is_same(&after.files)
            || before.files.len() == after.files.len()
                && before
                    .files
                    .iter()
                    .zip(after.files.iter())
                    .all(|(old, new)| {
                        old.is_same(new)
                            || (old.size, &old.pages, old.dead) == (new.size, &new.pages, new.dead)
                    })
    };
    // The names of processes that were not made are used up.
    let processes = || {
        before.processes.is_same(&after.processes) || {
            let (old, new) = (before.processes.iter(), after.processes.iter());
            let more = new.clone().skip(old.len()).any(|process| process.alive);
            !more && old.zip(new).all(|(old, new)| old == new)
        }
    };
    let free = |world: &World| world.memory.free_pages();
    let changed = [
        (before.regions != after.regions, "memory"),
        (before.spaces != after.spaces, "mappings"),
        (before.segments != after.segments, "segments"),
        (before.config.trim != after.config.trim, "vm.nr_trim_pages"),
        (free(before) != free(after), "the number of free pages"),
        (!files(), "files"),
        (!processes(), "processes"),
    ];
    match changed.iter().find(|(changed, _)| *changed) {
        None => Holds,
        Some((_, what)) => Violated(format!(
            "{} was answered, and {what} changed",
            step.answer()
        )),
    }
}

/// ENOMEM is answered exactly when no run of the granule's size is free. What is allocated and
/// for whom is known, so this is decided and not guessed.
fn out_of_memory_justified(step: &Step<'_>) -> Verdict {
    let pages = match step.call() {
        Some((_, Call::Mmap(_))) => {
            let Some(request) = step.sound_request() else {
                return NotApplicable;
            };
            if request.driver().is_some_and(|driver| {
                // Drivers may answer ENOMEM themselves.
                [driver.area, driver.mmap].contains(&crate::op::Answer::Error(ENOMEM))
            }) {
                return NotApplicable;
            }
            if step.crashed() && request.is_anonymous() {
                return Violated(format!("{}, expected memory or ENOMEM", step.answer()));
            }
            request.pages
        }
        Some((_, Call::Shmget { size, .. })) if *size > 0 && *size <= 1 << 30 => {
            Some(size.div_ceil(step.before.page_size()))
        }
        _ => None,
    };
    let Some(pages) = pages else {
        return NotApplicable;
    };
    let order = order(pages);
    let Some(can) = step.before.can_serve(order) else {
        return NotApplicable;
    };
    if step.error() == Some(ENOMEM) {
        return Verdict::demand(!can || step.injected_failure, || {
            format!(
                "ENOMEM, and an aligned run of {} pages is free",
                1u64 << order.min(63)
            )
        });
    }
    if step.new_region().is_some() {
        return Verdict::demand(can, || {
            format!(
                "memory, and no aligned run of {} pages was free",
                1u64 << order.min(63)
            )
        });
    }
    NotApplicable
}

/// Every page belongs to exactly one region, file or segment, or is free.
fn one_owner(step: &Step<'_>) -> Verdict {
    let (before, after) = (step.before, step.after);
    if before.regions.is_same(&after.regions)
        && before.files.is_same(&after.files)
        && before.segments.is_same(&after.segments)
    {
        return NotApplicable;
    }
    let size = after.page_size();
    for region in after.regions.iter() {
        let owner = Owner::Region(region.id);
        let pages = region.top.saturating_sub(region.start) / size;
        if let Some((address, now)) = after.memory.first_not(owner, region.start, pages) {
            return Violated(format!(
                "page {address:#x} is {}'s and {}'s",
                owner.name(),
                now.name()
            ));
        }
    }
    for (number, file) in (0..).zip(after.files.iter()) {
        if file.dead
            || before
                .files
                .get(usize::from(number))
                .is_some_and(|old| old.is_same(file))
                && before.regions.is_same(&after.regions)
        {
            continue;
        }
        for page in &file.pages {
            let Some(address) = page.address else {
                continue;
            };
            let owner = Owner::File(FileNumber(number), page.index);
            let now = after.owner(address);
            if now != owner && now != Owner::Outside {
                return Violated(format!(
                    "page {address:#x} is {}'s and {}'s",
                    owner.name(),
                    now.name()
                ));
            }
        }
    }
    for pair in after.regions.windows(2) {
        if pair[0].top > pair[1].start {
            return Violated(format!(
                "the regions at {:#x} and {:#x} overlap",
                pair[0].start, pair[1].start
            ));
        }
    }
    mapped_pages_exist(after)
}

/// A direct mapping shows pages that its object has.
fn mapped_pages_exist(world: &World) -> Verdict {
    for (_, mapping) in view::mappings(world) {
        match (mapping.backing, mapping.object) {
            (Backing::Direct, Some(Object::File(number))) => {
                let file = world.file(FileNumber(number));
                if file.dead {
                    return Violated(format!(
                        "the mapping at {:#x} shows a file that is gone",
                        mapping.start
                    ));
                }
            }
            (Backing::Direct, Some(Object::Segment(number))) => {
                if world
                    .segments
                    .get(usize::from(number))
                    .is_none_or(|segment| segment.dead)
                {
                    return Violated(format!(
                        "the mapping at {:#x} shows a segment that is gone",
                        mapping.start
                    ));
                }
            }
            (Backing::Region(id), _) => {
                let here = world.region_at(mapping.start);
                if here.is_none_or(|region| region.id != id) && world.region(id).is_none() {
                    return Violated(format!(
                        "the mapping at {:#x} shows memory that is gone",
                        mapping.start
                    ));
                }
            }
            (Backing::Direct, None) => {
                return Violated(format!(
                    "the mapping at {:#x} shows memory that is gone",
                    mapping.start
                ));
            }
        }
    }
    Holds
}

/// A region counts the mappings that show it, and goes with the last.
fn region_users(step: &Step<'_>) -> Verdict {
    let (before, after) = (step.before, step.after);
    if before.regions.is_same(&after.regions) && before.spaces.is_same(&after.spaces) {
        return NotApplicable;
    }
    let mut verdict = NotApplicable;
    for region in after.regions.iter() {
        let users = view::mappings(after)
            .filter(|(_, mapping)| mapping.backing == Backing::Region(region.id))
            .count();
        if users == 0 || region.users as usize != users {
            return Violated(format!(
                "the memory at {:#x} counts {} users, and {users} mappings show it",
                region.start, region.users
            ));
        }
        verdict = Holds;
    }
    verdict
}

/// mmap adds one mapping, at the address it returns, of the length and for what was asked.
fn mappings_as_asked(step: &Step<'_>) -> Verdict {
    let (Some(request), Some(address)) = (step.sound_request(), step.address()) else {
        return NotApplicable;
    };
    let (Some(before), Some(after)) = (step.space(), step.space_after()) else {
        return NotApplicable;
    };
    let expected = MappingView {
        start: address,
        end: address.wrapping_add(request.pages.unwrap_or(0) * step.after.page_size()),
        protection: request.mmap.protection,
        shared: request.is_shared(),
        object: request.file.map(|(number, _)| Object::File(number.0)),
        offset: if request.is_anonymous() {
            0
        } else {
            request.mmap.offset
        },
    };
    let alike = |space: &Space| {
        let mappings = space.mappings.iter();
        mappings
            .filter(|mapping| mapping.view() == expected)
            .count()
    };
    if alike(after) != alike(before) + 1 {
        return Violated(format!(
            "{} mappings are {expected:x?}, expected one more than {}",
            alike(after),
            alike(before)
        ));
    }
    if let Some(region) = step.new_region()
        && region.protection != request.mmap.protection
    {
        return Violated(format!(
            "the memory is listed for {:?}, expected {:?}",
            region.protection, request.mmap.protection
        ));
    }
    Verdict::demand(after.mappings.len() == before.mappings.len() + 1, || {
        format!(
            "{} mappings, expected one more than {}",
            after.mappings.len(),
            before.mappings.len()
        )
    })
}

/// A program reaches what lies wholly in one of its mappings, and nothing else; and does not
/// write what keeps nothing.
fn access_outside_mapping(step: &Step<'_>) -> Verdict {
    let Some((process, address, length, stores)) = access(step) else {
        return NotApplicable;
    };
    if length == 0 {
        return Verdict::demand(step.succeeded(), || {
            format!("{}, expected success", step.answer())
        });
    }
    let space = step.before.space_of(process);
    let around: Vec<&Mapping> = space
        .iter()
        .flat_map(|space| &space.mappings)
        .filter(|mapping| mapping.contains(address, length))
        .collect();
    let keeps = |mapping: &&&Mapping| {
        mapping.backing != Backing::Direct
            || view::file_of(mapping.object)
                .is_none_or(|number| step.before.file(number).kind.takes_stores())
    };
    let may = around.iter().any(|mapping| !stores || keeps(&mapping));
    if step.failed_by_injection() || step.error() == Some(ENOMEM) && length > 1 << 30 {
        return NotApplicable;
    }
    if may {
        return Verdict::demand(step.succeeded(), || {
            format!("{}, expected success: the bytes are mapped", step.answer())
        });
    }
    Verdict::demand(step.failed_with(&[EFAULT]), || {
        format!(
            "{}, expected EFAULT: no mapping has all of these bytes",
            step.answer()
        )
    })
}

fn access(step: &Step<'_>) -> Option<(crate::op::Process, u64, u64, bool)> {
    let (process, call) = step.call()?;
    match call {
        Call::Load { address, length } => Some((process, view::at(step, *address), *length, false)),
        Call::Store { address, data } => {
            Some((process, view::at(step, *address), data.count, true))
        }
        _ => None,
    }
}

/// A load returns what was stored there last; a store is where it went.
fn load_sees_stores(step: &Step<'_>) -> Verdict {
    let Some((process, address, length, stores)) = access(step) else {
        return NotApplicable;
    };
    if !step.succeeded() || length == 0 {
        return NotApplicable;
    }
    let Some(mapping) = view::around(step.before, process, address, length) else {
        return NotApplicable;
    };
    if stores {
        let Operation::Call(_, Call::Store { data, .. }) = step.operation else {
            return NotApplicable;
        };
        let Backing::Region(id) = mapping.backing else {
            return NotApplicable;
        };
        let Some(region) = step.after.region(id) else {
            return NotApplicable;
        };
        return Verdict::demand(holds_fill(step.after, region, address, *data), || {
            format!("the bytes stored at {address:#x} are not there")
        });
    }
    let Outcome::Ok(Value::Bytes(found)) = step.outcome else {
        return NotApplicable;
    };
    same_bytes(step.before, mapping, address, length, found)
}

/// Whether these are the bytes that a mapping shows from an address on.
pub fn same_bytes(
    world: &World,
    mapping: &Mapping,
    address: u64,
    length: u64,
    found: &[u8],
) -> Verdict {
    if found.len() as u64 != length {
        return Violated(format!("{} bytes, expected {length}", found.len()));
    }
    let size = world.page_size();
    let mut done = 0;
    while done < length {
        let at = address + done;
        let (page, place) = world.mapped_page(mapping, at);
        let now = (size - place as u64).min(length - done);
        if let Expected::Bytes(bytes) = page {
            let bytes = bytes.get(place..).unwrap_or(&[]);
            let found = &found[done as usize..(done + now) as usize];
            let (known, beyond) = found.split_at(found.len().min(bytes.len()));
            let unlike =
                first_unlike(known, bytes).or_else(|| Some(known.len() + first_other(beyond, 0)?));
            if let Some(step) = unlike {
                let expected = bytes.get(step).copied().unwrap_or(0);
                return Violated(format!(
                    "byte {:#x} reads as {:#04x}, expected {expected:#04x}",
                    at + step as u64,
                    found[step]
                ));
            }
        }
        done += now;
    }
    Holds
}

/// Whether a region has these bytes at an address.
pub fn holds_fill(world: &World, region: &Region, address: u64, data: Fill) -> bool {
    let size = world.page_size();
    let mut at = address;
    let end = address.saturating_add(data.count).min(region.end);
    while at < end {
        let index = ((at - region.start) / size) as usize;
        let place = (at - region.start) % size;
        let now = (size - place).min(end - at);
        if let Some(Page::Known(bytes)) = region.pages.get(index) {
            let bytes = &bytes[place as usize..(place + now) as usize];
            if first_other(bytes, data.byte).is_some() {
                return false;
            }
        }
        at += now;
    }
    true
}

/// mprotect, msync, mlock, madvise and mincore do not exist.
fn unsupported_calls(step: &Step<'_>) -> Verdict {
    Verdict::demand(step.failed_with(&[ENOSYS]), || {
        format!("{}, expected ENOSYS", step.answer())
    })
}
