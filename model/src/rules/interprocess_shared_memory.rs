//! Lines 163-168: SysV and POSIX shared memory.

use super::bytes::first_other;
use super::view::{self, order};
use super::{Kinds, Step, Verdict, rules};
use crate::observation::Object;
use crate::op::{Call, MapFlags, Protection, SegmentFlags};
use crate::outcome::Errno::*;
use crate::outcome::{Outcome, Value};
use crate::world::file::Kind;
use crate::world::memory::Owner;
use crate::world::segment::Segment;
use crate::world::space::Backing;
use Verdict::{Holds, NotApplicable, Violated};

rules! { "interprocess-shared-memory":
    "sysv-shared-memory": Kinds::SHMGET.union(Kinds::SHMAT).union(Kinds::SHMDT).union(Kinds::SHMCTL)
        .union(Kinds::RELEASES), 60, sysv_shared_memory;
    "posix-shared-memory": Kinds::MMAP, 55, posix_shared_memory;
}

/// Lines 166-168: SysV shared memory works as it always does: a segment is one piece of
/// cleared memory, attached at the same pages by everybody, until it is removed and nobody is
/// attached any more.
fn sysv_shared_memory(step: &Step<'_>) -> Verdict {
    let counted = attachments_counted(step);
    let Some((_, call)) = step.call() else {
        return counted;
    };
    let verdict = match call {
        Call::Shmget {
            key, size, flags, ..
        } => made(step, *key, *size, *flags),
        Call::Shmat {
            segment, read_only, ..
        } => attached(step, *segment, *read_only),
        Call::ShmRemove(segment) => match step.before.segment_name(*segment) {
            Some(segment) if !segment.dead => Verdict::demand(step.succeeded(), || {
                format!("{}, expected the segment to be removed", step.answer())
            }),
            _ => NotApplicable,
        },
        Call::ShmStat(name) => match (step.before.segment_name(*name), step.outcome) {
            (Some(segment), Outcome::Ok(Value::Segment { size, attached })) => {
                let expected = (segment.size, u64::from(segment.attached));
                Verdict::demand(!segment.dead && (*size, *attached) == expected, || {
                    format!(
                        "{size:#x} bytes, {attached} attached; expected {:#x}, {}",
                        expected.0, expected.1
                    )
                })
            }
            (Some(segment), Outcome::Error(_)) if !segment.dead => {
                Violated(format!("{}, expected what the segment is", step.answer()))
            }
            _ => NotApplicable,
        },
        _ => NotApplicable,
    };
    match verdict {
        NotApplicable => counted,
        Holds if matches!(counted, Violated(_)) => counted,
        verdict => verdict,
    }
}

/// A segment lives while it is not removed or somebody is attached, and counts who is.
fn attachments_counted(step: &Step<'_>) -> Verdict {
    if step.before.segments.is_same(&step.after.segments)
        && step.before.spaces.is_same(&step.after.spaces)
        || step.after.segments.is_empty()
    {
        return NotApplicable;
    }
    for (number, segment) in (0..).zip(step.after.segments.iter()) {
        let here = view::mappings(step.after)
            .filter(|(_, mapping)| mapping.object == Some(Object::Segment(number)))
            .count();
        if segment.attached as usize != here && !segment.dead {
            return Violated(format!(
                "segment {number} counts {} attachments, expected {here}",
                segment.attached
            ));
        }
        if segment.dead != (segment.removed && here == 0) {
            return Violated(format!(
                "segment {number} is {}, removed: {}, attached: {here}",
                if segment.dead { "gone" } else { "there" },
                segment.removed
            ));
        }
    }
    Holds
}

fn made(step: &Step<'_>, key: u32, size: u64, flags: SegmentFlags) -> Verdict {
    let existing = (key != 0)
        .then(|| {
            step.before
                .segments
                .iter()
                .position(|old| !old.dead && old.key == Some(key))
        })
        .flatten();
    if step.error() == Some(ENOMEM) && (size > 1 << 30 || step.injected_failure) {
        return NotApplicable;
    }
    let pages = size.div_ceil(step.before.page_size());
    match existing {
        Some(_) if flags.contains(SegmentFlags::CREATE | SegmentFlags::EXCLUSIVE) => NotApplicable,
        Some(index) if size > step.before.segments[index].size => NotApplicable,
        Some(_) => Verdict::demand(
            step.succeeded() && step.before.segments.len() == step.after.segments.len(),
            || format!("{}, expected the segment that has the key", step.answer()),
        ),
        None if key != 0 && !flags.contains(SegmentFlags::CREATE) => NotApplicable,
        None if size == 0 || size > 1 << 30 => NotApplicable,
        None if step.error() == Some(ENOMEM) => NotApplicable,
        None if !step.succeeded() => Violated(format!("{}, expected a segment", step.answer())),
        None => {
            let Some(segment) = step.after.segments.last() else {
                return NotApplicable;
            };
            fresh(step, segment, pages)
        }
    }
}

fn fresh(step: &Step<'_>, segment: &Segment, pages: u64) -> Verdict {
    let number = step.after.segments.len() as u16 - 1;
    let dirty = segment
        .pages
        .iter()
        .filter_map(view::known)
        .any(|bytes| first_other(bytes, 0).is_some());
    if dirty {
        return Violated("the pages of the new segment are not cleared".to_owned());
    }
    let Some(start) = segment.start else {
        return Holds;
    };
    let size = step.after.page_size();
    let own = (0..pages).all(|page| {
        let address = start + page * size;
        step.before.owner(address) == Owner::Free
            && step.after.owner(address) == Owner::Segment(number)
    });
    let Some(window) = step.after.config.window else {
        return Holds;
    };
    let aligned = (start - window.start).is_multiple_of(size << order(pages));
    Verdict::demand(own && aligned, || {
        format!("its {pages} pages at {start:#x} are not a run of free pages that became its own")
    })
}

fn attached(step: &Step<'_>, name: crate::op::SegmentName, read_only: bool) -> Verdict {
    let alive = step
        .before
        .segment_name(name)
        .is_some_and(|segment| !segment.dead);
    if !alive {
        return NotApplicable; // `shm-errors` speaks.
    }
    if step.failed_by_injection() {
        return NotApplicable;
    }
    let Some(made) = step.made() else {
        return Violated(format!("{}, expected an address", step.answer()));
    };
    let segment = step.after.segment_name(name);
    let start = segment.and_then(|segment| segment.start);
    let protection = if read_only {
        Protection::READ
    } else {
        Protection::READ | Protection::WRITE
    };
    let all = segment
        .is_some_and(|segment| made.end - made.start == view::page_up(step.after, segment.size));
    Verdict::demand(
        made.backing == Backing::Direct
            && made.shared
            && all
            && made.protection == protection
            && start.is_none_or(|start| start == made.start),
        || format!("attached as {made:x?}, expected all of the segment's own pages, shared"),
    )
}

/// Lines 167-168: POSIX shared memory is files of ramfs or tmpfs: made, truncated, and then
/// mapped shared by whoever likes, all at the same pages.
fn posix_shared_memory(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request() else {
        return NotApplicable;
    };
    let Some((number, file)) = request.file else {
        return NotApplicable;
    };
    if file.kind != Kind::MemoryBacked || !request.mmap.flags.contains(MapFlags::SHARED) {
        return NotApplicable;
    }
    let Some(made) = step.made() else {
        return NotApplicable;
    };
    // Whoever shows the same page of the file shows the same memory.
    let mut verdict = NotApplicable;
    for (_, mapping) in view::mappings(step.before) {
        if !mapping.shared || view::file_of(mapping.object) != Some(number) {
            continue;
        }
        verdict = Holds;
        let base =
            |mapping: &crate::world::space::Mapping| mapping.start.wrapping_sub(mapping.offset);
        let known = made.offset / step.before.page_size();
        let overlap = mapping.offset < made.offset + (made.end - made.start)
            && made.offset < mapping.offset + (mapping.end - mapping.start);
        if overlap && base(mapping) != base(made) {
            return Violated(format!(
                "page {known} of the file is at {:#x} here and elsewhere for the mapping at {:#x}",
                made.start, mapping.start
            ));
        }
    }
    verdict
}
