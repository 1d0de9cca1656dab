//! Lines 1-105: what kinds of mappings there are, and how fork, clone and exec meet them.

use super::view::{self, Request, copied_file, first_difference, first_dirty};
use super::{Kinds, Step, Verdict, rules};
use crate::op::{Call, Capabilities, Protection};
use crate::outcome::Errno::*;
use crate::outcome::Outcome;
use crate::world::file::Kind;
use crate::world::memory::Owner;
use crate::world::region::Origin;
use crate::world::space::{Backing, Mapping};
use Verdict::{Holds, NotApplicable, Violated};

rules! { "no-mmu-memory-mapping-support":
    "exec-maps-program": Kinds::EXEC, 50, exec_maps_program;
    "no-fork": Kinds::FORK, 90, no_fork;
    "clone-shares-memory": Kinds::CLONE.union(Kinds::VFORK), 80, clone_shares_memory;
    "anonymous-contiguous": Kinds::MMAP, 50, anonymous_contiguous;
    "anonymous-shared-as-private": Kinds::MMAP, 60, anonymous_shared_as_private;
    "private-read-reuse": Kinds::MMAP, 80, private_read_reuse;
    "private-read-permissions": Kinds::MMAP, 85, private_read_permissions;
    "private-read-direct": Kinds::MMAP, 70, private_read_direct;
    "private-read-copy": Kinds::MMAP, 60, private_read_copy;
    "private-copy-clears-tail": Kinds::MMAP.union(Kinds::EXEC), 90, private_copy_clears_tail;
    "private-ignores-file-writes": Kinds::WRITE.union(Kinds::TRUNCATE).union(Kinds::OPEN).union(Kinds::STORE), 90, private_ignores_file_writes;
    "private-stores-visible": Kinds::STORE.union(Kinds::POKE), 62, private_stores_visible;
    "private-write-copy": Kinds::MMAP, 70, private_write_copy;
    "private-write-never-shared": Kinds::MMAP, 80, private_write_never_shared;
    "regular-shared-refused": Kinds::MMAP, 80, regular_shared_refused;
    "memory-file-shared": Kinds::MMAP, 70, memory_file_shared;
    "memory-file-shared-denied": Kinds::MMAP, 80, memory_file_shared_denied;
    "memory-blockdev-shared": Kinds::MMAP, 75, memory_blockdev_shared;
    "chardev-shared": Kinds::MMAP, 68, chardev_shared;
    "chardev-shared-denied": Kinds::MMAP, 70, chardev_shared_denied;
}

/// Lines 7-10: execve() maps the program by the same routines as mmap().
fn exec_maps_program(step: &Step<'_>) -> Verdict {
    let Some((process, Call::Exec { path, stack })) = step.call() else {
        return NotApplicable;
    };
    let named = |file: &&crate::world::file::File| !file.dead && file.path.as_ref() == Some(path);
    let files = step.before.files.iter().map(|file| &**file);
    let program = (0..).zip(files).find(|(_, file)| named(file));
    let is_program = program.is_some_and(|(_, file)| {
        matches!(
            file.kind,
            Kind::Regular | Kind::MemoryBacked | Kind::ExecuteInPlace
        ) && file.size > 0
    });
    if !step.succeeded() {
        // Whether there was memory enough is `exec-failure`'s to say.
        return match step.error() {
            Some(ENOMEM) | None => NotApplicable,
            Some(error) => Verdict::demand(!is_program, || {
                format!("{error} for a program that can be mapped, expected its mappings")
            }),
        };
    }
    if !is_program {
        return Violated("success, and there is no such program".to_owned());
    }
    let (Some((number, program)), Some(space)) = (program, step.after.space_of(process)) else {
        return NotApplicable;
    };
    let old = step.before.process(process).map(|state| state.space);
    let new = step.after.process(process).map(|state| state.space);
    if old == new && step.before.spaces.len() == step.after.spaces.len() {
        return Violated(
            "the process is in its old address space, expected one of its own".to_owned(),
        );
    }
    let length = view::page_up(step.after, program.size);
    let text =
        |mapping: &&Mapping| view::file_of(mapping.object).is_some_and(|file| file.0 == number);
    let Some(text) = space.mappings.iter().find(text) else {
        return Violated(format!("no mapping of {}, expected all of it", path.0));
    };
    if text.end - text.start != length
        || text.offset != 0
        || text.shared
        || text.protection != Protection::READ | Protection::EXEC
    {
        return Violated(format!(
            "the program is mapped as {text:?}, expected all {length:#x} bytes of it, private, r-x"
        ));
    }
    // A copy of it is read; the stack is cleared unless it may be left as it is (lines 144-145).
    for mapping in &space.mappings {
        let Backing::Region(id) = mapping.backing else {
            continue;
        };
        let Some(region) = step.after.region(id) else {
            continue;
        };
        let is_new = id >= step.before.next_region;
        let wrong = match copied_file(region) {
            Some(_) => first_difference(step.before, region, program, 0).map(|found| found.0),
            None if step.before.config.uninitialized => None,
            None => first_dirty(step.after, region, region.start),
        };
        if let Some(address) = wrong.filter(|_| is_new) {
            return Violated(format!(
                "byte {address:#x} is not what the program has there, or not cleared"
            ));
        }
    }
    let others: Vec<&Mapping> = space
        .mappings
        .iter()
        .filter(|mapping| *mapping != text)
        .collect();
    let expected = view::page_up(step.after, *stack);
    let holds = match others[..] {
        [] => expected == 0,
        [mapping] => {
            mapping.object.is_none()
                && mapping.end - mapping.start == expected
                && mapping.protection == Protection::READ | Protection::WRITE
        }
        _ => false,
    };
    Verdict::demand(holds, || {
        format!(
            "{} mappings beside the program, expected {expected:#x} bytes of rw- anonymous memory",
            others.len()
        )
    })
}

/// Lines 12-13: there is no fork().
fn no_fork(step: &Step<'_>) -> Verdict {
    if step.succeeded() && step.before.config.deviates("clone-without-vm-accepted") {
        return NotApplicable;
    }
    Verdict::demand(step.failed_with(&[ENOSYS, EINVAL]), || {
        format!("{}, expected an error: there is no fork()", step.answer())
    })
}

/// Lines 13-14: clone() must be given CLONE_VM; a child shares the address space.
fn clone_shares_memory(step: &Step<'_>) -> Verdict {
    let Some((parent, call)) = step.call() else {
        return NotApplicable;
    };
    let (child, shares) = match call {
        Call::Clone {
            result,
            shares_memory,
        } => (*result, *shares_memory),
        Call::Vfork { result } => (*result, true),
        _ => return NotApplicable,
    };
    if !shares && step.succeeded() && step.before.config.deviates("clone-without-vm-accepted") {
        return NotApplicable;
    }
    if !shares {
        return Verdict::demand(step.failed_with(&[ENOSYS, EINVAL]), || {
            format!(
                "{}, expected an error: CLONE_VM is not given",
                step.answer()
            )
        });
    }
    match step.outcome {
        Outcome::Ok(_) => {
            let space = |process| Some(step.after.process(process)?.space);
            if space(parent).is_none() || space(parent) != space(child) {
                return Violated(
                    "the child is in another address space, expected its parent's".to_owned(),
                );
            }
            let alive = step.after.process(child).is_some_and(|child| child.alive);
            let waits = step.after.process(parent).and_then(|state| state.waits_for);
            let expected = matches!(call, Call::Vfork { .. }).then_some(child);
            Verdict::demand(alive && waits == expected, || {
                format!(
                    "the child lives: {alive}, its parent waits for {waits:?}, expected {expected:?}"
                )
            })
        }
        Outcome::Error(ENOMEM) if step.injected_failure => NotApplicable,
        _ => Violated(format!("{}, expected a child", step.answer())),
    }
}

/// Lines 24-25: anonymous memory is a contiguous run of pages, whose nobody else's are.
fn anonymous_contiguous(step: &Step<'_>) -> Verdict {
    let Some(request) = step
        .sound_request()
        .filter(|request| request.is_anonymous())
    else {
        return NotApplicable;
    };
    if let Some(error) = step.error() {
        return Verdict::demand(error == ENOMEM, || {
            format!("{error}, expected an address or ENOMEM: nothing is wrong with the request")
        });
    }
    if !step.succeeded() {
        return NotApplicable;
    }
    let Some(region) = step.new_region() else {
        return Violated("no memory of its own behind the mapping".to_owned());
    };
    if region.origin != Origin::Anonymous {
        return Violated("the memory belongs to an object, expected anonymous memory".to_owned());
    }
    let length = request.pages.unwrap_or(0) * step.after.page_size();
    if region.end - region.start != length {
        return Violated(format!(
            "a run of {:#x} bytes, expected {length:#x}",
            region.end - region.start
        ));
    }
    let mut page = region.start;
    while page < region.top {
        let before = step.before.owner(page);
        if !matches!(before, Owner::Free) {
            return Violated(format!(
                "page {page:#x} of the run was not free: {before:?}"
            ));
        }
        let after = step.after.owner(page);
        if after != Owner::Region(region.id) {
            return Violated(format!(
                "page {page:#x} of the run is not its own: {after:?}"
            ));
        }
        page += step.after.page_size();
    }
    Holds
}

/// Lines 27-32: anonymous memory that is asked for shared is as if it were private.
fn anonymous_shared_as_private(step: &Step<'_>) -> Verdict {
    let shared = |request: &&Request<'_>| {
        request.is_anonymous() && request.mmap.flags.contains(crate::op::MapFlags::SHARED)
    };
    if step.sound_request().filter(shared).is_none() {
        return NotApplicable;
    }
    if let Some(error) = step.error() {
        return Verdict::demand(error == ENOMEM, || {
            format!("{error}, expected what a private mapping gets")
        });
    }
    let Some(made) = step.made() else {
        return NotApplicable;
    };
    Verdict::demand(!made.shared && made.object.is_none(), || {
        "it is listed as shared, expected private".to_owned()
    })
}

/// The mapping that a private mapping which is not writable must re-use: made alike, of the
/// same pages of the same file or more, with every permission asked for. Returns the address
/// there.
fn reusable(step: &Step<'_>, request: &Request<'_>, permissions: bool) -> Option<u64> {
    reusable_where(step, request, permissions, |_| true)
}

/// As [`reusable`], of those whose address there will do.
fn reusable_where(
    step: &Step<'_>,
    request: &Request<'_>,
    permissions: bool,
    will_do: impl Fn(u64) -> bool,
) -> Option<u64> {
    let world = step.before;
    let (number, _) = request.file?;
    let offset = request.mmap.offset;
    let wanted = request.mmap.protection;
    view::mappings(world).find_map(|(_, mapping)| {
        if mapping.shared || !mapping.shareable || view::file_of(mapping.object) != Some(number) {
            return None;
        }
        let (start, first, length, has) = match mapping.backing {
            Backing::Region(id) => {
                let region = world.region(id)?;
                let (_, first, reusable) = copied_file(region)?;
                if !reusable {
                    return None;
                }
                (
                    region.start,
                    first,
                    region.end - region.start,
                    region.protection,
                )
            }
            Backing::Direct => (
                mapping.start,
                mapping.offset,
                mapping.end - mapping.start,
                mapping.protection,
            ),
        };
        let covers = request.within(world, first, length);
        let fits = has.contains(wanted) == permissions;
        let address = start.wrapping_add(offset.wrapping_sub(first));
        (covers && fits && will_do(address)).then_some(address)
    })
}

/// Whether a mapping on the object itself was granted more than it shows, all that is asked for
/// included, so that it may be re-used for that.
fn granted_at(step: &Step<'_>, request: &Request<'_>, address: u64) -> bool {
    view::mappings(step.before).any(|(_, mapping)| {
        let granted = mapping.granted;
        let into = request.mmap.offset.wrapping_sub(mapping.offset);
        mapping.backing == Backing::Direct
            && mapping.shareable
            && !mapping.shared
            && view::file_of(mapping.object) == request.file.map(|(number, _)| number)
            && granted.protection.contains(request.mmap.protection)
            && request.within(
                step.before,
                granted.start,
                granted.end.saturating_sub(granted.start),
            )
            && mapping.start.wrapping_add(into) == address
    })
}

/// Lines 41-43: an existing mapping is re-used, even if another process made it.
fn private_read_reuse(step: &Step<'_>) -> Verdict {
    let Some(request) = step.private_read_request() else {
        return NotApplicable;
    };
    if request.traced(step.before) {
        return NotApplicable;
    }
    let existing = reusable(step, request, true);
    let Some(address) = existing else {
        // Served from memory that was there although nothing fits.
        let Some((region, false)) = step.made_region() else {
            return NotApplicable;
        };
        if reusable(step, request, false).is_some() {
            return NotApplicable; // `private-read-permissions` speaks.
        }
        return Violated(format!(
            "it shows the memory at {:#x}, which is no mapping of the same pages of the same file",
            region.start
        ));
    };
    if step.failed_by_injection() {
        return NotApplicable;
    }
    let other = |mapping: &Mapping| {
        // Any mapping that fits will do.
        let Some((region, is_new)) = step.made_region() else {
            return mapping.backing == Backing::Direct
                && (reusable_where(step, request, true, |at| at == mapping.start).is_some()
                    || granted_at(step, request, mapping.start));
        };
        let Some((file, first, reusable)) = copied_file(region) else {
            return false;
        };
        !is_new
            && reusable
            && Some(file) == request.file.map(|(number, _)| number)
            && mapping.start - region.start == request.mmap.offset.wrapping_sub(first)
    };
    match step.made() {
        Some(made) => Verdict::demand(made.start == address || other(made), || {
            format!(
                "address {:#x}, expected {address:#x}: an existing mapping has these pages",
                made.start
            )
        }),
        None => Violated(format!(
            "{}, expected {address:#x}: an existing mapping has these pages",
            step.answer()
        )),
    }
}

/// Lines 41-43: only a mapping with compatible permissions is re-used.
fn private_read_permissions(step: &Step<'_>) -> Verdict {
    let Some(request) = step.private_read_request() else {
        return NotApplicable;
    };
    if request.traced(step.before)
        || step.before.config.deviates("reuse-ignores-permissions")
        || reusable(step, request, false).is_none()
    {
        return NotApplicable;
    }
    let Some((region, is_new)) = step.made_region() else {
        return NotApplicable;
    };
    Verdict::demand(
        is_new || region.protection.contains(request.mmap.protection),
        || {
            format!(
                "memory that was mapped for {:?} is re-used for {:?}, expected memory of its own",
                region.protection, request.mmap.protection
            )
        },
    )
}

/// Lines 45-48: direct where the device has the capability and permits the protection; must
/// be, where a copy cannot be had.
fn private_read_direct(step: &Step<'_>) -> Verdict {
    let Some(request) = step.private_read_request() else {
        return NotApplicable;
    };
    let Some((number, _)) = request.file else {
        return NotApplicable;
    };
    let can = request.can_be_direct(step.before);
    if let Some(made) = step.made().filter(|made| made.backing == Backing::Direct) {
        if view::file_of(made.object) != Some(number) || made.offset != request.mmap.offset {
            return Violated("it shows another object, or other pages of it".to_owned());
        }
        let reused = request.may_share(step.before);
        return Verdict::demand(can != Some(false) || reused, || {
            "a direct mapping, and the device does not have the capability or the pages for it"
                .to_owned()
        });
    }
    let copies = request.capabilities().contains(Capabilities::COPY);
    let excused = step
        .before
        .config
        .deviates("private-of-direct-only-refused");
    // Where a copy may be had instead, an answer tells which it was.
    let may_be_copy = copies && !step.crashed();
    if can != Some(true) || may_be_copy || excused || step.failed_by_injection() {
        return NotApplicable;
    }
    Verdict::demand(step.succeeded(), || {
        format!(
            "{}, expected a direct mapping: the device permits it",
            step.answer()
        )
    })
}

/// Lines 50-53: otherwise a copy is read into contiguous memory.
fn private_read_copy(step: &Step<'_>) -> Verdict {
    let Some(request) = step.private_read_request() else {
        return NotApplicable;
    };
    let Some((number, file)) = request.file else {
        return NotApplicable;
    };
    if step.error().is_some() || step.crashed() {
        return copy_refused(step, request);
    }
    let Some(region) = step.new_region() else {
        return NotApplicable;
    };
    copied(step, request, region, number, file)
}

/// An error in place of a copy: what may have caused it.
fn copy_refused(step: &Step<'_>, request: &Request<'_>) -> Verdict {
    let copies = request.capabilities().contains(Capabilities::COPY);
    let driver_had_its_say = request.driver().is_some();
    let out_of_memory = step.error() == Some(ENOMEM);
    let start = request.mmap.offset;
    let end = start.saturating_add(request.mmap.length);
    let overlap = step.before.config.deviates("inexact-overlap-refused")
        && (request.file).is_some_and(|(file, _)| step.before.is_mapped(file, start, end));
    if !copies || driver_had_its_say || out_of_memory || overlap {
        return NotApplicable;
    }
    Violated(format!(
        "{}, expected a mapping: the file can be copied",
        step.answer()
    ))
}

fn copied(
    step: &Step<'_>,
    request: &Request<'_>,
    region: &crate::world::region::Region,
    number: crate::world::file::FileNumber,
    file: &crate::world::file::File,
) -> Verdict {
    let offset = request.mmap.offset;
    match copied_file(region) {
        Some((from, first, _)) if from == number && first == offset => {}
        _ => {
            return Violated(
                "memory of its own that is no copy of these pages of the file".to_owned(),
            );
        }
    }
    match first_difference(step.before, region, file, offset) {
        None => Holds,
        Some((address, found, expected)) => Violated(format!(
            "byte {address:#x} of the copy is {found:#04x}, expected {expected:#04x} as in the file"
        )),
    }
}

/// Lines 52-53: in a copy, what lies beyond the end of the file is cleared.
fn private_copy_clears_tail(step: &Step<'_>) -> Verdict {
    let regions: Vec<_> = match step.request() {
        Some(_) => step.new_region().into_iter().collect(),
        None if step.succeeded() => step
            .after
            .regions
            .iter()
            .map(|region| &**region)
            .filter(|region| step.before.region(region.id).is_none())
            .collect(),
        None => return NotApplicable,
    };
    let mut verdict = NotApplicable;
    for region in regions {
        let Some((number, offset, _)) = copied_file(region) else {
            continue;
        };
        let size = step.before.file(number).size;
        let tail = region.start.saturating_add(size.saturating_sub(offset));
        if tail >= region.end {
            continue;
        }
        if let Some(address) = first_dirty(step.after, region, tail) {
            return Violated(format!(
                "byte {address:#x}, beyond the end of the file, is not zero"
            ));
        }
        verdict = Holds;
    }
    verdict
}

/// Lines 55-57: writes to the file do not affect a private mapping.
fn private_ignores_file_writes(step: &Step<'_>) -> Verdict {
    let Some((process, call)) = step.call() else {
        return NotApplicable;
    };
    if !step.succeeded() {
        return NotApplicable;
    }
    let number = match call {
        Call::Write { descriptor, .. } | Call::Ftruncate { descriptor, .. } => {
            view::target(step.before, process, *descriptor).and_then(|(_, file)| Some(file?.0))
        }
        Call::Truncate { path, .. } | Call::Open { path, .. } => (0..)
            .zip(step.before.files.iter())
            .find(|(_, file)| !file.dead && file.path.as_ref() == Some(path))
            .map(|(number, _)| crate::world::file::FileNumber(number)),
        // Line 84: it is written to the file.
        Call::Store { address, data } => {
            let address = view::at(step, *address);
            view::around(step.before, process, address, data.count)
                .filter(|mapping| mapping.shared)
                .and_then(|mapping| view::file_of(mapping.object))
                .filter(|&number| step.before.file(number).kind == Kind::MemoryBacked)
        }
        _ => None,
    };
    let Some(number) = number else {
        return NotApplicable;
    };
    let excuse = match call {
        Call::Store { .. } => "private-shows-shared-memory",
        _ => "direct-private-follows-writes",
    };
    let mut verdict = NotApplicable;
    for (_, mapping) in view::mappings(step.before) {
        if mapping.shared || view::file_of(mapping.object) != Some(number) {
            continue;
        }
        verdict = Holds;
        match mapping.backing {
            Backing::Region(id) => {
                let (Some(before), Some(after)) = (step.before.region(id), step.after.region(id))
                else {
                    continue;
                };
                if before.pages != after.pages {
                    return Violated(format!(
                        "the private mapping at {:#x} changed with the file",
                        mapping.start
                    ));
                }
            }
            Backing::Direct if step.before.config.deviates(excuse) => {}
            Backing::Direct => {
                let size = step.before.page_size();
                let first = mapping.offset / size;
                let count = (mapping.end - mapping.start) / size;
                let page = |world: &crate::world::World, index| {
                    world
                        .file(number)
                        .page(index)
                        .map(|page| page.contents.clone())
                };
                if (first..first + count)
                    .any(|index| page(step.before, index) != page(step.after, index))
                {
                    return Violated(format!(
                        "the private mapping at {:#x} is on the file itself and changed with it",
                        mapping.start
                    ));
                }
            }
        }
    }
    verdict
}

/// Lines 55-57: what is stored to memory that several mappings show, all of them show.
fn private_stores_visible(step: &Step<'_>) -> Verdict {
    let Some((process, Call::Store { address, data })) = step.call() else {
        return NotApplicable;
    };
    if !step.succeeded() || data.count == 0 {
        return NotApplicable;
    }
    let address = view::at(step, *address);
    let Some(mapping) = view::around(step.before, process, address, data.count) else {
        return NotApplicable;
    };
    let Backing::Region(id) = mapping.backing else {
        return NotApplicable;
    };
    let Some(region) = step.after.region(id).filter(|region| region.users > 1) else {
        return NotApplicable;
    };
    Verdict::demand(
        super::gaps::memory::holds_fill(step.after, region, address, *data),
        || format!("the bytes stored at {address:#x} do not show in the memory that is shared"),
    )
}

/// Lines 66-67: a private writable mapping is always a copy.
fn private_write_copy(step: &Step<'_>) -> Verdict {
    let Some(request) = step
        .sound_request()
        .filter(|request| request.is_private_write())
    else {
        return NotApplicable;
    };
    let Some((number, file)) = request.file else {
        return NotApplicable;
    };
    if step.error().is_some() {
        return copy_refused(step, request);
    }
    if !step.succeeded() {
        return NotApplicable;
    }
    let Some(made) = step.made() else {
        return Violated("no mapping where the address says".to_owned());
    };
    if made.backing == Backing::Direct {
        return Violated("it is on the file itself, expected a copy".to_owned());
    }
    match step.new_region() {
        Some(region) => copied(step, request, region, number, file),
        None => NotApplicable, // `private-write-never-shared` speaks.
    }
}

/// Line 67: and it is never shared.
fn private_write_never_shared(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    if let Some((region, is_new)) = step.made_region()
        && !is_new
    {
        // Memory that was there is shown: by a writable mapping, or made for one.
        let made_for_writing = region.protection.contains(Protection::WRITE);
        if request.is_private_write() || made_for_writing && !request.is_shared() {
            return Violated(format!(
                "it shows the memory at {:#x}, which another mapping shows",
                region.start
            ));
        }
    }
    if !request.is_private_write() || !step.succeeded() {
        return NotApplicable;
    }
    let Some((region, _)) = step.made_region() else {
        return NotApplicable;
    };
    let offered = copied_file(region).is_some_and(|(_, _, reusable)| reusable);
    let shareable = step
        .made()
        .is_some_and(|made| made.shareable || made.shared);
    Verdict::demand(region.users == 1 && !offered && !shareable, || {
        format!(
            "the copy has {} users, or others may come to it; expected 1",
            region.users
        )
    })
}

/// The shared mapping of one of these kinds of objects.
fn shared<'a, 's>(step: &'s Step<'a>, kinds: &[Kind]) -> Option<&'s Request<'a>> {
    let request = step.sound_request()?;
    let kind = request.file?.1.kind;
    (request.is_shared() && kinds.contains(&kind)).then_some(request)
}

/// Lines 69-75: shared mappings of regular files and block devices are not supported.
fn regular_shared_refused(step: &Step<'_>) -> Verdict {
    if shared(step, &[Kind::Regular, Kind::Block]).is_none() {
        return NotApplicable;
    }
    Verdict::demand(
        step.failed_with(&[ENODEV, EINVAL, EACCES]) || step.failed_by_injection(),
        || {
            format!(
                "{}, expected an error: the object is not memory",
                step.answer()
            )
        },
    )
}

/// Lines 81-85: a shared mapping of a memory-backed file is on the file's pages.
fn memory_file_shared(step: &Step<'_>) -> Verdict {
    let Some(request) = shared(step, &[Kind::MemoryBacked]) else {
        return NotApplicable;
    };
    on_object(step, request)
}

fn on_object(step: &Step<'_>, request: &Request<'_>) -> Verdict {
    if request.can_be_direct(step.before) == Some(false) {
        return NotApplicable;
    }
    let Some((number, file)) = request.file else {
        return NotApplicable;
    };
    if step.error().is_some() {
        return Verdict::demand(
            request.can_be_direct(step.before).is_none() || step.failed_by_injection(),
            || {
                format!(
                    "{}, expected a mapping: the object has these pages",
                    step.answer()
                )
            },
        );
    }
    let Some(made) = step.made() else {
        return NotApplicable;
    };
    if made.backing != Backing::Direct
        || !made.shared
        || view::file_of(made.object) != Some(number)
        || made.offset != request.mmap.offset
    {
        return Violated("it is not on the object's own pages at that offset".to_owned());
    }
    let first = request.mmap.offset / step.before.page_size();
    let place = match file.memory {
        Some(memory) => Some(memory.wrapping_add(request.mmap.offset)),
        None => file.page(first).and_then(|page| page.address),
    };
    Verdict::demand(place.is_none_or(|place| place == made.start), || {
        format!(
            "address {:#x}, expected {:#x}: there the object is",
            made.start,
            place.unwrap_or(0)
        )
    })
}

/// Line 86: where the filesystem cannot provide contiguous pages, the request is denied.
fn memory_file_shared_denied(step: &Step<'_>) -> Verdict {
    let Some(request) = shared(step, &[Kind::MemoryBacked]) else {
        return NotApplicable;
    };
    let excused = step.before.config.deviates("shared-served-from-copy")
        && step.made_region().is_some_and(|(_, is_new)| !is_new);
    if request.can_be_direct(step.before) != Some(false) || excused {
        return NotApplicable;
    }
    Verdict::demand(
        step.failed_with(&[ENODEV, EINVAL]) || step.failed_by_injection(),
        || {
            format!(
                "{}, expected an error: the file does not have these pages contiguous",
                step.answer()
            )
        },
    )
}

/// Lines 92-95: memory-backed block devices can be mapped shared, inside the device.
fn memory_blockdev_shared(step: &Step<'_>) -> Verdict {
    let Some(request) = shared(step, &[Kind::MemoryBlock]) else {
        return NotApplicable;
    };
    if request.can_be_direct(step.before) == Some(false) {
        return Verdict::demand(step.error().is_some(), || {
            format!(
                "{}, expected an error: the device does not have these pages",
                step.answer()
            )
        });
    }
    // A driver may choose not to: only one whose memory is known has chosen.
    if step.error().is_some() && request.file.is_some_and(|(_, file)| file.memory.is_none()) {
        return NotApplicable;
    }
    on_object(step, request)
}

/// Lines 101-104: a character device's driver may give direct access.
fn chardev_shared(step: &Step<'_>) -> Verdict {
    let Some(request) = shared(step, &[Kind::Character, Kind::Mtd]) else {
        return NotApplicable;
    };
    if request.can_be_direct(step.before) == Some(false) {
        // A mapping that exists may be shared all the same; it is still the device's memory.
        return match step.made() {
            Some(made) => Verdict::demand(made.backing == Backing::Direct, || {
                "a copy for a shared mapping, expected an error".to_owned()
            }),
            None => NotApplicable,
        };
    }
    on_object(step, request)
}

/// Lines 104-105: a driver that does not provide it has the request denied.
fn chardev_shared_denied(step: &Step<'_>) -> Verdict {
    let Some(request) = shared(step, &[Kind::Character, Kind::Mtd]) else {
        return NotApplicable;
    };
    let capabilities = request.capabilities();
    if capabilities.contains(Capabilities::DIRECT) && request.permitted() {
        return NotApplicable;
    }
    Verdict::demand(step.error().is_some(), || {
        format!(
            "{}, expected an error: the driver does not provide it",
            step.answer()
        )
    })
}
