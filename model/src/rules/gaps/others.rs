//! What an operation is not about stays as it is: contents, mappings, memory, files, segments,
//! processes, what they have open, drivers, and the watermark.

use crate::observation::Object;
use crate::op::{Call, OpenFlags, Process};
use crate::rules::view;
use crate::rules::{Kinds, Step, Verdict};
use crate::world::file::FileNumber;
use crate::world::page::Page;
use crate::world::process::ProcessState;
use crate::world::region::RegionId;
use crate::world::space::{Backing, Mapping};
use Verdict::{Holds, NotApplicable, Violated};

/// Nothing changes that an operation is not about.
pub(super) fn others_untouched(step: &Step<'_>) -> Verdict {
    let (before, after) = (step.before, step.after);
    let nothing_changed = before.regions.is_same(&after.regions)
        && before.files.is_same(&after.files)
        && before.segments.is_same(&after.segments)
        && before.spaces.is_same(&after.spaces)
        && before.processes.is_same(&after.processes)
        && before.config.is_same(&after.config);
    if nothing_changed {
        return NotApplicable;
    }
    // What failing calls must not do is `errors-change-nothing`'s to say, but for drivers.
    let kind = Kinds::of(step.operation);
    let touches = touches(step);
    let broken = contents(step, &touches)
        .or_else(|| mappings(step, kind))
        .or_else(|| regions(step, kind, &touches))
        .or_else(|| files(step, kind))
        .or_else(|| segments(step, kind))
        .or_else(|| processes(step, kind))
        .or_else(|| watermark(step, kind));
    match broken {
        None => Holds,
        Some(words) => Violated(words),
    }
}

/// What an operation may change the contents of.
enum Touches {
    Nothing,
    /// Bytes from this address on.
    Bytes(u64, u64),
    /// One region, mapped up to this address: what becomes of it is other rules' business.
    Region(RegionId, u64),
    /// One file.
    File(FileNumber),
}

fn touches(step: &Step<'_>) -> Touches {
    let Some((process, call)) = step.call() else {
        return Touches::Nothing;
    };
    if !step.succeeded() {
        return Touches::Nothing;
    }
    let file = |descriptor| {
        view::target(step.before, process, descriptor)
            .and_then(|(_, file)| Some(Touches::File(file?.0)))
            .unwrap_or(Touches::Nothing)
    };
    match call {
        Call::Store { address, data } => Touches::Bytes(view::at(step, *address), data.count),
        Call::PtracePoke { address, data, .. } => {
            Touches::Bytes(view::at(step, *address), data.count)
        }
        Call::Munmap { .. } | Call::Mremap { .. } => {
            let concerned = step
                .unmapping()
                .and_then(|unmapping| unmapping.exact.or(unmapping.around));
            match concerned.map(|mapping| (mapping.backing, mapping.end)) {
                Some((Backing::Region(id), end)) => Touches::Region(id, end),
                _ => Touches::Nothing,
            }
        }
        Call::Write { descriptor, .. } | Call::Ftruncate { descriptor, .. } => file(*descriptor),
        Call::Open { flags, .. } if !flags.contains(OpenFlags::TRUNCATE) => Touches::Nothing,
        Call::Truncate { path, .. } | Call::Open { path, .. } => (0..)
            .zip(step.before.files.iter())
            .find(|(_, file)| !file.dead && file.path.as_ref() == Some(path))
            .map_or(Touches::Nothing, |(number, _)| {
                Touches::File(FileNumber(number))
            }),
        _ => Touches::Nothing,
    }
}

/// Bytes of memory and of files.
fn contents(step: &Step<'_>, touches: &Touches) -> Option<String> {
    let (before, after) = (step.before, step.after);
    if before.regions.is_same(&after.regions)
        && before.files.is_same(&after.files)
        && before.segments.is_same(&after.segments)
    {
        return None;
    }
    let size = before.page_size();
    let touches_bytes = match touches {
        Touches::Bytes(start, length) => Some((*start, *length)),
        _ => None,
    };
    let may = |address: u64| match touches_bytes {
        Some((start, length)) => address + size > start && address < start.saturating_add(length),
        None => false,
    };
    // Whether the bytes of a page stay that are beside those stored.
    let beside = |address: u64, was: &Page, is: &Page| match (touches_bytes, was, is) {
        (Some((start, length)), Page::Known(was), Page::Known(is)) => {
            let first = start.saturating_sub(address).min(size) as usize;
            let after = start
                .saturating_add(length)
                .saturating_sub(address)
                .min(size) as usize;
            was[..first] == is[..first] && was[after.max(first)..] == is[after.max(first)..]
        }
        _ => true,
    };
    for (region, old) in view::side_by_side(&after.regions, &before.regions) {
        let Some(old) = old else {
            continue;
        };
        // What becomes of the rest of what is cut or split is other rules' business.
        let mapped = match touches {
            Touches::Region(id, end) if *id == region.id => Some(*end),
            _ => None,
        };
        let cut = mapped.is_some();
        if old.is_same(region) || cut && old.start != region.start {
            continue;
        }
        let pages = old.pages.iter().zip(&region.pages);
        let end = match mapped {
            Some(mapped) => region.end.min(old.end).min(mapped),
            None => region.end,
        };
        let visible = (end.saturating_sub(region.start) / size) as usize;
        for (index, (was, is)) in (0..).zip(pages).take(visible) {
            let address = region.start + index * size;
            if was != is && !(may(address) && beside(address, was, is)) {
                return Some(format!(
                    "page {address:#x} changed, and is no concern of this operation"
                ));
            }
        }
    }
    let direct = |number| {
        matches!(touches, Touches::Bytes(..))
            && view::mappings(before).any(|(_, mapping)| {
                mapping.backing == Backing::Direct && mapping.object == Some(number)
            })
    };
    for (number, (old, new)) in (0..).zip(before.files.iter().zip(after.files.iter())) {
        if old.is_same(new) || new.dead {
            continue;
        }
        let about = matches!(touches, Touches::File(file) if file.0 == number);
        let stored = direct(Object::File(number));
        if old.size != new.size && !about {
            return Some(format!(
                "file {number} has {:#x} bytes, and is no concern of this operation",
                new.size
            ));
        }
        // What is written is `file-write`'s to say; what resizing leaves, it leaves.
        let written = match step.call() {
            Some((_, Call::Write { offset, data, .. })) if about => {
                offset / size..offset.saturating_add(data.count).div_ceil(size)
            }
            _ => 0..0,
        };
        let whole = if about {
            old.size.min(new.size) / size
        } else {
            u64::MAX
        };
        for page in &old.pages {
            let index = u64::from(page.index);
            if index >= whole || written.contains(&index) {
                continue;
            }
            let Some(now) = new.page(index) else {
                return Some(format!("page {index} of file {number} is gone"));
            };
            if (&page.contents, page.address) == (&now.contents, now.address) {
                continue;
            }
            let place = page
                .address
                .or(old.memory.map(|memory| memory.wrapping_add(index * size)));
            let by_store = stored
                && page.address == now.address
                && place
                    .is_none_or(|place| may(place) && beside(place, &page.contents, &now.contents));
            if !by_store {
                return Some(format!(
                    "page {index} of file {number} changed, and is no concern of this operation"
                ));
            }
        }
        if old.pages.len() < new.pages.len() && !about {
            return Some(format!("file {number} has pages that nobody asked for"));
        }
    }
    for (number, (old, new)) in (0..).zip(before.segments.iter().zip(after.segments.iter())) {
        if !new.dead && old.pages != new.pages && !direct(Object::Segment(number)) {
            return Some(format!(
                "segment {number} changed, and is no concern of this operation"
            ));
        }
    }
    None
}

/// Whether two mappings are one: as they are listed, and on the same memory.
fn same(one: &Mapping, other: &Mapping) -> bool {
    one.view() == other.view() && one.backing == other.backing
}

/// Mappings: an operation adds, takes or changes those of the caller that it is about.
fn mappings(step: &Step<'_>, kind: Kinds) -> Option<String> {
    let (before, after) = (step.before, step.after);
    if before.spaces.is_same(&after.spaces) {
        return None;
    }
    let caller = step
        .call()
        .and_then(|(process, _)| before.process(process))
        .map(|state| usize::from(state.space.0));
    let changes = Kinds::MMAP | Kinds::SHMAT | Kinds::MREMAP | Kinds::RELEASES;
    for (number, old) in before.spaces.iter().enumerate() {
        let Some(new) = after.spaces.get(number) else {
            return Some(format!("address space {number} is gone"));
        };
        if old.is_same(new) {
            continue;
        }
        let (old, new) = (&old.mappings, &new.mappings);
        if kind.intersects(changes) && step.succeeded() && caller == Some(number) {
            if kind.intersects(Kinds::EXEC | Kinds::EXIT) {
                continue; // `exit-releases` and `exec-maps-program` speak.
            }
            if let Some(words) = concerned(step, kind, old, new) {
                return Some(words);
            }
            continue;
        }
        // A place that nobody lives in is where a new program may come to be.
        let vacant = !before
            .processes
            .iter()
            .any(|process| process.alive && usize::from(process.space.0) == number);
        if vacant && kind == Kinds::EXEC {
            continue;
        }
        let unlike = old.iter().zip(new).find(|(old, new)| !same(old, new));
        if unlike.is_some() || old.len() != new.len() {
            let place = unlike
                .map(|(old, _)| old)
                .or(old.get(new.len()))
                .or(new.get(old.len()));
            return Some(format!(
                "the mapping at {:#x} is no concern of this operation, and is not as it was",
                place.map_or(0, |mapping| mapping.start)
            ));
        }
    }
    None
}

/// The caller's mappings, where the operation is about one of them: all but that one stay, and
/// what is new is what it makes or leaves.
fn concerned(step: &Step<'_>, kind: Kinds, old: &[Mapping], new: &[Mapping]) -> Option<String> {
    let (most_gone, range) = match step.call()?.1 {
        Call::Mmap(_) | Call::Shmat { .. } => (0, None),
        Call::Shmdt(address) => {
            let start = view::at(step, *address);
            let end = old
                .iter()
                .filter(|mapping| mapping.start == start)
                .map(|mapping| mapping.end)
                .max();
            (1, end.map(|end| (start, end)))
        }
        _ => {
            let unmapping = step.unmapping()?;
            let one = unmapping.exact.or(unmapping.around);
            (1, one.map(|mapping| (mapping.start, mapping.end)))
        }
    };
    let most_new = match kind {
        Kinds::MMAP | Kinds::SHMAT | Kinds::MREMAP => 1,
        Kinds::MUNMAP => 2,
        _ => 0,
    };
    let inside = |mapping: &Mapping| {
        range.is_some_and(|(start, end)| mapping.start >= start && mapping.end <= end)
    };
    let mut fresh: Vec<&Mapping> = new.iter().collect();
    let mut gone = 0;
    for mapping in old {
        match fresh.iter().position(|other| same(mapping, other)) {
            Some(place) => {
                fresh.remove(place);
            }
            // The pieces of what is split have other memory each.
            None if inside(mapping) && gone < most_gone => gone += 1,
            None => {
                return Some(format!(
                    "the mapping at {:#x} is no concern of this operation, and is not as it was",
                    mapping.start
                ));
            }
        }
    }
    let strange = |mapping: &&&Mapping| kind == Kinds::MUNMAP && !inside(mapping);
    let strange = fresh.iter().find(strange).or(fresh.get(most_new))?;
    Some(format!(
        "a mapping at {:#x} that nobody asked for",
        strange.start
    ))
}

/// Memory of its own: where it is, what is kept, and what it is of.
fn regions(step: &Step<'_>, kind: Kinds, touches: &Touches) -> Option<String> {
    let (before, after) = (step.before, step.after);
    if before.regions.is_same(&after.regions) {
        return None;
    }
    for (old, new) in view::side_by_side(&before.regions, &after.regions) {
        if matches!(touches, Touches::Region(id, _) if *id == old.id) {
            continue;
        }
        let Some(new) = new else {
            if kind.intersects(Kinds::RELEASES) {
                continue; // `region-users` says whether it had to stay.
            }
            return Some(format!(
                "the memory at {:#x} is no concern of this operation, and is gone",
                old.start
            ));
        };
        let shape = |region: &crate::world::region::Region| {
            (
                region.start,
                region.end,
                region.top,
                region.protection,
                region.origin,
            )
        };
        if !old.is_same(new) && shape(old) != shape(new) {
            return Some(format!(
                "the memory {:#x}-{:#x} is no concern of this operation, and is {:#x}-{:#x} now",
                old.start, old.top, new.start, new.top
            ));
        }
    }
    let makes = Kinds::MMAP | Kinds::MUNMAP | Kinds::EXEC;
    if kind.intersects(makes) && step.succeeded() {
        return None;
    }
    let new = after
        .regions
        .iter()
        .find(|new| before.regions.iter().all(|old| old.id != new.id))?;
    Some(format!("memory at {:#x} that nobody asked for", new.start))
}

/// Files come with open, go when nothing needs them any more, and drivers change when they are
/// told to or are asked.
fn files(step: &Step<'_>, kind: Kinds) -> Option<String> {
    let (before, after) = (step.before, step.after);
    if before.files.is_same(&after.files) {
        return None;
    }
    let may_go = Kinds::UNLINK | Kinds::DESCRIPTOR | Kinds::RELEASES;
    for (number, (old, new)) in before.files.iter().zip(after.files.iter()).enumerate() {
        if old.is_same(new) {
            continue;
        }
        let goes = new.dead && new.path.is_none() && kind.intersects(may_go);
        if old.dead != new.dead && !goes {
            return Some(format!(
                "file {number} is {}, and is no concern of this operation",
                if new.dead { "gone" } else { "there again" }
            ));
        }
        if old.path != new.path && kind != Kinds::UNLINK {
            return Some(format!("file {number} has another name"));
        }
        let (Some(old), Some(new)) = (&old.driver, &new.driver) else {
            continue;
        };
        let script = |driver: &crate::world::file::Driver| {
            (
                driver.capabilities,
                driver.area,
                driver.mmap,
                driver.readable,
                driver.busy,
            )
        };
        if script(old) != script(new) && kind != Kinds::DRIVER {
            return Some(format!("the driver of device {number} changed"));
        }
        let asked = (old.area_calls, old.mmap_calls) != (new.area_calls, new.mmap_calls);
        let concerned = match step.request() {
            Some(request) => request
                .file
                .is_some_and(|(file, _)| usize::from(file.0) == number),
            None => false,
        };
        if asked && !concerned {
            return Some(format!(
                "the driver of device {number} was asked for a mapping"
            ));
        }
        if old.close_calls != new.close_calls && !kind.intersects(Kinds::RELEASES) {
            return Some(format!(
                "the driver of device {number} was told that its last mapping is gone"
            ));
        }
    }
    (after.files.len() > before.files.len() && kind != Kinds::OPEN)
        .then(|| "a file that nobody made".to_owned())
}

/// Segments come with shmget and are marked by shmctl.
fn segments(step: &Step<'_>, kind: Kinds) -> Option<String> {
    let (before, after) = (step.before, step.after);
    if before.segments.is_same(&after.segments) {
        return None;
    }
    let may_go = Kinds::RELEASES | Kinds::SHMCTL;
    for (number, (old, new)) in before
        .segments
        .iter()
        .zip(after.segments.iter())
        .enumerate()
    {
        let changed = (old.size, old.start) != (new.size, new.start)
            || old.removed != new.removed && kind != Kinds::SHMCTL
            || old.dead != new.dead && !kind.intersects(may_go)
            || old.attached != new.attached && !kind.intersects(Kinds::SHMAT | Kinds::RELEASES);
        if changed && !(old.dead && new.dead) {
            return Some(format!(
                "segment {number} is no concern of this operation, and is not as it was"
            ));
        }
    }
    (after.segments.len() > before.segments.len() && kind != Kinds::SHMGET)
        .then(|| "a segment that nobody made".to_owned())
}

/// Processes: who lives, in which address space, who waits, who is traced, what they have open.
fn processes(step: &Step<'_>, kind: Kinds) -> Option<String> {
    let (before, after) = (step.before, step.after);
    if before.processes.is_same(&after.processes) {
        return None;
    }
    let caller = step.call().map(|(process, _)| process);
    let tracee = match step.call() {
        Some((_, Call::PtraceAttach(tracee) | Call::PtraceDetach(tracee))) => Some(*tracee),
        _ => None,
    };
    let makes = Kinds::FORK | Kinds::VFORK | Kinds::CLONE;
    if after.processes.len() != before.processes.len() && !kind.intersects(makes) {
        return Some("a process that nobody made".to_owned());
    }
    let pairs = before.processes.iter().zip(after.processes.iter());
    for (number, (old, new)) in (0..).map(Process).zip(pairs) {
        if old == new || !old.alive && !new.alive {
            continue;
        }
        let calls = caller == Some(number);
        let ends = kind.intersects(Kinds::EXIT | Kinds::EXEC);
        let broken = [
            (
                old.alive != new.alive && !(calls && kind == Kinds::EXIT),
                "lives or does not",
            ),
            (
                old.space != new.space && !(calls && ends),
                "is in another address space",
            ),
            (
                old.waits_for != new.waits_for
                    && !(calls && kind == Kinds::VFORK)
                    && !(ends && new.waits_for.is_none() && old.waits_for == caller)
                    && new.alive,
                "is suspended or not",
            ),
            (
                old.tracer != new.tracer
                    && tracee != Some(number)
                    && !(kind == Kinds::EXIT && (calls || old.tracer == caller)),
                "is traced or not",
            ),
            (
                !old.descriptors.is_same(&new.descriptors)
                    && old.descriptors != new.descriptors
                    && !(calls && descriptors_follow(step, old, new)),
                "has other files open",
            ),
        ];
        if let Some((_, words)) = broken.iter().find(|(broken, _)| *broken) {
            return Some(format!(
                "p{} {words}, which is no concern of this operation",
                number.0
            ));
        }
    }
    None
}

/// Whether what a caller has open changed as the call says: all else stays open.
fn descriptors_follow(step: &Step<'_>, old: &ProcessState, new: &ProcessState) -> bool {
    let closed = match step.call() {
        Some((_, Call::Exit)) => return new.descriptors.is_empty(),
        Some((_, Call::Close(descriptor))) => Some(*descriptor),
        Some((
            _,
            Call::Open { result, .. } | Call::Socket { result } | Call::Dup { result, .. },
        )) => {
            if step.succeeded() && !new.descriptors.contains_key(result) {
                return false;
            }
            None
        }
        Some((_, Call::Pipe { .. })) => None,
        _ => return false,
    };
    old.descriptors.iter().all(|(descriptor, open)| {
        closed == Some(*descriptor) || new.descriptors.get(descriptor) == Some(open)
    })
}

/// The watermark is the sysctl's alone.
fn watermark(step: &Step<'_>, kind: Kinds) -> Option<String> {
    let (old, new) = (step.before.config.trim, step.after.config.trim);
    (old != new && kind != Kinds::TRIM).then(|| format!("vm.nr_trim_pages is {new}, and was {old}"))
}
