//! Lines 108-160: further notes on mmap without an MMU.

use super::view::{self, first_dirty, order};
use super::{Kinds, Step, Verdict, due, rules};
use crate::observation::{MappingView, RegionView};
use crate::op::{Answer, Call, Capabilities, MapFlags};
use crate::outcome::Errno::*;
use crate::outcome::{Outcome, Value};
use crate::world::memory::Owner;
use crate::world::region::{Origin, Region};
use crate::world::space::Backing;
use Verdict::{Holds, NotApplicable, Violated};

rules! { "further-notes":
    "private-file-alignment": Kinds::MMAP, 72, private_file_alignment;
    "anonymous-page-aligned": Kinds::MMAP, 60, anonymous_page_aligned;
    "power-of-two-granule": Kinds::MMAP, 86, power_of_two_granule;
    "anonymous-cleared": Kinds::MMAP.union(Kinds::EXEC), 90, anonymous_cleared;
    "uninitialized-permitted": Kinds::MMAP, 95, uninitialized_permitted;
    "system-maps-listed": Kinds::SYSTEM_MAPS, 90, system_maps_listed;
    "process-maps-listed": Kinds::PROCESS_MAPS, 90, process_maps_listed;
    "no-fixed": Kinds::MMAP, 90, no_fixed;
    "no-address-hint": Kinds::MMAP, 90, no_address_hint;
    "private-needs-read": Kinds::MMAP, 80, private_needs_read;
}

/// Lines 111-113: only a mapping on the object itself may not be page aligned.
fn private_file_alignment(step: &Step<'_>) -> Verdict {
    let private = step
        .sound_request()
        .filter(|request| request.is_private_read() || request.is_private_write());
    let (Some(_), Some(made)) = (private, step.made()) else {
        return NotApplicable;
    };
    let aligned = made.start.is_multiple_of(step.after.page_size());
    Verdict::demand(aligned || made.backing == Backing::Direct, || {
        format!("a copy at {:#x}, expected a page's address", made.start)
    })
}

/// Line 115: anonymous memory is page aligned.
fn anonymous_page_aligned(step: &Step<'_>) -> Verdict {
    let anonymous = step
        .sound_request()
        .filter(|request| request.is_anonymous());
    let (Some(_), Some(address)) = (anonymous, step.address()) else {
        return NotApplicable;
    };
    Verdict::demand(address.is_multiple_of(step.after.page_size()), || {
        format!("address {address:#x}, expected a page's")
    })
}

/// Lines 115-118: memory is taken as a granule of a power of two of pages, which is aligned to
/// its size.
fn power_of_two_granule(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    let (Some(region), Some(pages)) = (step.new_region(), request.pages) else {
        return NotApplicable;
    };
    let Some(window) = step.after.config.window else {
        return NotApplicable;
    };
    let size = step.after.page_size();
    let granule = size << order(pages);
    if !(region.start - window.start).is_multiple_of(granule) {
        return Violated(format!(
            "a run at {:#x}, expected one aligned to its granule of {granule:#x} bytes",
            region.start
        ));
    }
    let was_free = |page: &u64| step.before.owner(region.start + page * size) == Owner::Free;
    if !(0..pages).all(|page| was_free(&page)) {
        // The run itself was somebody's: `anonymous-contiguous` and `one-owner` speak.
        return NotApplicable;
    }
    Verdict::demand(
        (pages..1 << order(pages)).all(|page| was_free(&page)),
        || format!("the granule at {:#x} was not free", region.start),
    )
}

/// Lines 121-123: anonymous memory is cleared before it is returned, whole pages of it.
fn anonymous_cleared(step: &Step<'_>) -> Verdict {
    let uninitialized = match step.call() {
        Some((_, Call::Mmap(mmap))) => mmap.flags.contains(MapFlags::UNINITIALIZED),
        // Lines 144-145: exec uses the flag for its stack.
        Some((_, Call::Exec { .. })) if step.succeeded() => return stack_cleared(step),
        _ => true,
    };
    if !step.succeeded() || uninitialized {
        return NotApplicable;
    }
    if step
        .sound_request()
        .is_none_or(|request| !request.is_anonymous())
    {
        return NotApplicable;
    }
    cleared(step)
}

/// The stack of a new program, where the flag is not permitted.
fn stack_cleared(step: &Step<'_>) -> Verdict {
    if step.before.config.uninitialized {
        return NotApplicable;
    }
    let is_new = |region: &&Region| step.before.next_region <= region.id;
    let regions = step.after.regions.iter().map(|region| &**region);
    let mut verdict = NotApplicable;
    for stack in regions.filter(|region| region.origin == Origin::Anonymous) {
        if !is_new(&stack) {
            continue;
        }
        if let Some(address) = first_dirty(step.after, stack, stack.start) {
            return Violated(format!("byte {address:#x} of the new stack is not zero"));
        }
        verdict = Holds;
    }
    verdict
}

fn cleared(step: &Step<'_>) -> Verdict {
    let Some(region) = step.new_region() else {
        return NotApplicable;
    };
    match first_dirty(step.after, region, region.start) {
        None => Holds,
        Some(address) => Violated(format!("byte {address:#x} of the new memory is not zero")),
    }
}

/// Lines 138-142: the flag that leaves memory uncleared is ignored unless configured.
fn uninitialized_permitted(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    if !request.mmap.flags.contains(MapFlags::UNINITIALIZED)
        || !request.is_anonymous()
        || step.before.config.uninitialized
    {
        return NotApplicable;
    }
    if step.succeeded() {
        cleared(step)
    } else {
        NotApplicable
    }
}

/// Lines 147-148: /proc/maps lists all private copies and anonymous memory, each once.
fn system_maps_listed(step: &Step<'_>) -> Verdict {
    let Outcome::Ok(Value::Regions(listed)) = step.outcome else {
        return refused(step);
    };
    let regions = &step.before.regions;
    let copies = |line: &&RegionView| {
        regions
            .iter()
            .any(|region| region.start == line.start && region.end == line.end)
    };
    let found = listed.iter().filter(copies).count();
    if let Some(missing) = regions.iter().find(|region| {
        !listed.iter().any(|line| {
            line.start == region.start
                && line.end == region.end
                && line.protection == region.protection
                && line.object.is_none() == view::copied_file(region).is_none()
        })
    }) {
        return Violated(format!(
            "the list leaves out the memory at {:#x}-{:#x}, or says something else of it",
            missing.start, missing.end
        ));
    }
    if found != regions.len() {
        return Violated(format!("{found} lines for {} regions", regions.len()));
    }
    let known = |line: &&RegionView| {
        copies(line)
            || view::mappings(step.before).any(|(_, mapping)| {
                // What was granted of the object, where the mapping has its part of it.
                let granted = mapping.granted;
                let start = mapping
                    .start
                    .wrapping_sub(mapping.offset)
                    .wrapping_add(granted.start);
                let end = start.wrapping_add(granted.end.wrapping_sub(granted.start));
                mapping.start <= line.start && line.end <= mapping.end
                    || start <= line.start && line.end <= end
            })
    };
    if let Some(dead) = listed.iter().find(|line| !known(line)) {
        return Violated(format!(
            "the list has {:#x}-{:#x}, and nothing is there",
            dead.start, dead.end
        ));
    }
    Verdict::demand(listed.is_sorted_by_key(|line| line.start), || {
        "the list is not in the order of addresses".to_owned()
    })
}

/// Lines 150-151: `/proc/<pid>/maps` lists all mappings of a process, each once.
fn process_maps_listed(step: &Step<'_>) -> Verdict {
    let Some((_, Call::ProcessMaps { process, .. })) = step.call() else {
        return NotApplicable;
    };
    let Some(space) = step.before.space_of(*process) else {
        return Verdict::demand(step.failed_with(&[ESRCH, ENOENT]), || {
            format!(
                "{}, expected ESRCH: the process does not live",
                step.answer()
            )
        });
    };
    let Outcome::Ok(Value::Mappings(listed)) = step.outcome else {
        return refused(step);
    };
    let mut expected: Vec<MappingView> = space
        .mappings
        .iter()
        .map(|mapping| mapping.view())
        .collect();
    let mut found = listed.clone();
    if !found.is_sorted_by_key(|line| line.start) {
        return Violated("the list is not in the order of addresses".to_owned());
    }
    expected.sort();
    found.sort();
    Verdict::demand(expected == found, || {
        format!(
            "{} lines, not those of the {} mappings: {found:x?}",
            found.len(),
            expected.len()
        )
    })
}

fn refused(step: &Step<'_>) -> Verdict {
    match step.outcome {
        Outcome::Error(ENOMEM) if step.injected_failure => NotApplicable,
        Outcome::Unsupported => NotApplicable,
        _ => Violated(format!("{}, expected the list", step.answer())),
    }
}

/// Lines 153-154: MAP_FIXED is an error.
fn no_fixed(step: &Step<'_>) -> Verdict {
    due_error(step, "no-fixed")
}

/// Lines 153-154: so is a particular address.
fn no_address_hint(step: &Step<'_>) -> Verdict {
    due_error(step, "no-address-hint")
}

/// A call of mmap with which this is wrong gets an error; one that is due. One with which nothing
/// is does not get an error that says this of it.
pub(super) fn due_error(step: &Step<'_>, rule: &str) -> Verdict {
    let Some(request) = step.request().filter(|request| request.wrong) else {
        return unfounded_error(step, rule);
    };
    let Some(wrong) = due::mmap(step.before, request).find(|due| due.rule == rule) else {
        return NotApplicable;
    };
    match step.error() {
        None => Verdict::demand(!step.succeeded(), || {
            format!("{}, expected an error: {}", step.answer(), wrong.what)
        }),
        Some(error) => {
            let is_due = due::mmap(step.before, request).any(|due| due.errors.contains(&error));
            let is_past_files =
                [EINVAL, EOVERFLOW].contains(&error) && due::is_past_files(step.before, request);
            Verdict::demand(
                is_due || is_past_files || step.failed_by_injection(),
                || format!("{error}, expected {}: {}", names(wrong.errors), wrong.what),
            )
        }
    }
}

/// An error that stands for one thing alone is not answered where that is not so. A driver may
/// have reasons of its own, but which descriptors are open it does not know.
fn unfounded_error(step: &Step<'_>, rule: &str) -> Verdict {
    let Some(error) = step.error().filter(|error| due::TELLING.contains(error)) else {
        return NotApplicable;
    };
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    let driver = request.file.and_then(|(_, file)| file.driver);
    let is_the_drivers = driver.is_some_and(|driver| {
        error != EBADF || [driver.area, driver.mmap].contains(&Answer::Error(error))
    });
    match due::saying(error).filter(|due| due.rule == rule) {
        Some(due) if !is_the_drivers => Violated(format!("{error}, and not because {}", due.what)),
        _ => NotApplicable,
    }
}

/// Errors, in messages.
pub(super) fn names(errors: &[crate::outcome::Errno]) -> String {
    let names: Vec<&str> = errors.iter().map(|errno| errno.name()).collect();
    names.join(" or ")
}

/// Lines 156-160: what cannot be read cannot be copied, so a private mapping that would need
/// it is an error.
fn private_needs_read(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    if request.is_anonymous() || request.is_shared() {
        return NotApplicable;
    }
    if request.capabilities().contains(Capabilities::COPY) {
        return NotApplicable;
    }
    match step.new_region() {
        Some(_) => Violated("a copy of what cannot be read, expected an error".to_owned()),
        None if request.is_private_write() => Verdict::demand(step.error().is_some(), || {
            format!("{}, expected an error: it cannot be copied", step.answer())
        }),
        None => Holds,
    }
}
