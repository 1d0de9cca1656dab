//! What munmap takes and gives back; what growth brings.

use crate::observation::MappingView;
use crate::op::Call;
use crate::outcome::Errno::*;
use crate::rules::bytes::first_other;
use crate::rules::view::{self, Unmapping};
use crate::rules::{Kinds, Step, Verdict, rules};
use crate::world::memory::Owner;
use crate::world::space::{Backing, Mapping};
use Verdict::{Holds, NotApplicable, Violated};

rules! { "gaps":
    "munmap-object-exact": Kinds::MUNMAP, 86, object_exact;
    "munmap-anonymous-part": Kinds::MUNMAP, 70, anonymous_part;
    "munmap-nothing": Kinds::MUNMAP, 80, nothing;
    "munmap-length-rounded": Kinds::MUNMAP, 85, length_rounded;
    "munmap-releases": Kinds::RELEASES, 72, releases;
    "pages-conserved": Kinds::all(), 38, pages_conserved;
    "growth-cleared": Kinds::MREMAP, 85, growth_cleared;
}

fn unmapping<'s>(step: &'s Step<'_>) -> Option<&'s Unmapping> {
    matches!(step.call()?.1, Call::Munmap { .. }).then_some(())?;
    step.unmapping()
}

/// How many mappings like this one a space has.
fn alike(mappings: &[Mapping], one: &Mapping) -> usize {
    mappings
        .iter()
        .filter(|mapping| (mapping.start, mapping.end) == (one.start, one.end))
        .count()
}

/// A mapping of an object is unmapped whole, by its exact bounds; of several alike, one goes.
fn object_exact(step: &Step<'_>) -> Verdict {
    let Some(unmapping) = unmapping(step) else {
        return NotApplicable;
    };
    let Some(space) = step.space() else {
        return NotApplicable;
    };
    if let Some(exact) = unmapping.exact.filter(|mapping| mapping.object.is_some()) {
        if !step.succeeded() {
            return Violated(format!(
                "{}, expected success: a mapping has these bounds",
                step.answer()
            ));
        }
        let Some(after) = step.space_after() else {
            return NotApplicable;
        };
        let (had, has) = (
            alike(&space.mappings, &exact),
            alike(&after.mappings, &exact),
        );
        return Verdict::demand(
            has + 1 == had && after.mappings.len() + 1 == space.mappings.len(),
            || format!("{has} of {had} such mappings are left, expected one less"),
        );
    }
    // A part of one.
    let part = space.mappings.iter().any(|mapping| {
        mapping.object.is_some()
            && mapping.start <= unmapping.start
            && unmapping.end.is_some_and(|end| end <= mapping.end)
    });
    if !part || unmapping.exact.is_some() || unmapping.around.is_some() {
        return NotApplicable;
    }
    Verdict::demand(step.failed_with(&[EINVAL]), || {
        format!(
            "{}, expected EINVAL: it is a part of a mapping of an object",
            step.answer()
        )
    })
}

/// Pages of one anonymous mapping can be unmapped: all, from the beginning, to the end, or
/// from the middle; the rest stays, and what was kept beyond the end goes with the end.
fn anonymous_part(step: &Step<'_>) -> Verdict {
    let Some(unmapping) = unmapping(step) else {
        return NotApplicable;
    };
    let (Some(around), Some(end)) = (unmapping.around, unmapping.end) else {
        return NotApplicable;
    };
    if unmapping
        .exact
        .is_some_and(|mapping| mapping.object.is_some())
        || !unmapping.start.is_multiple_of(step.before.page_size())
        || step.failed_by_injection()
    {
        return NotApplicable;
    }
    if !step.succeeded() {
        return Violated(format!(
            "{}, expected success: the pages are part of an anonymous mapping",
            step.answer()
        ));
    }
    let Some(after) = step.space_after() else {
        return NotApplicable;
    };
    let Backing::Region(id) = around.backing else {
        return NotApplicable;
    };
    let Some(region) = step.before.region(id) else {
        return NotApplicable;
    };
    let last = match step.before.config.deviates("mremap-keeps-region") {
        true => region.end,
        false => around.end,
    };
    let pieces = [
        (
            around.start,
            unmapping.start,
            unmapping.start,
            unmapping.start,
        ),
        (end, around.end, last, region.top),
    ];
    let pieces = pieces.into_iter().filter(|(start, end, ..)| start < end);
    for (start, end, region_end, top) in pieces {
        let there = after.mappings.iter().any(|mapping| {
            let expected = MappingView {
                start,
                end,
                ..around.view()
            };
            mapping.view() == expected
        });
        if !there {
            return Violated(format!(
                "no mapping {start:#x}-{end:#x}, expected that piece to stay"
            ));
        }
        let Some(piece) = step.after.region_at(start) else {
            return Violated(format!("no memory behind the piece {start:#x}-{end:#x}"));
        };
        let (like, alike) = (
            (region.protection, region.origin),
            (piece.protection, piece.origin),
        );
        if (piece.start, piece.end, piece.top) != (start, region_end, top) || like != alike {
            return Violated(format!(
                "the piece {start:#x}-{end:#x} has memory {:#x}-{:#x}, expected {start:#x}-{top:#x}",
                piece.start, piece.top
            ));
        }
        let size = step.before.page_size();
        let old = &region.pages[((start - region.start) / size) as usize..];
        let count = ((end - start) / size) as usize;
        if old
            .iter()
            .zip(&piece.pages)
            .take(count)
            .any(|(old, new)| old != new)
        {
            return Violated(format!(
                "the contents of the piece {start:#x}-{end:#x} changed"
            ));
        }
    }
    let left = after.mappings.iter().find(|mapping| {
        mapping.object.is_none() && mapping.start < end && unmapping.start < mapping.end
    });
    if let Some(left) = left {
        return Violated(format!(
            "the mapping {:#x}-{:#x} is left, expected {:#x}-{end:#x} to be gone",
            left.start, left.end, unmapping.start
        ));
    }
    let gone_to = if end == around.end { region.top } else { end };
    let freed = pages(step, unmapping.start, gone_to)
        .find(|&page| matches!(step.after.owner(page), Owner::Region(_)));
    match freed {
        None => Holds,
        Some(page) => Violated(format!("page {page:#x} was unmapped and is not free")),
    }
}

fn pages(step: &Step<'_>, start: u64, end: u64) -> impl Iterator<Item = u64> {
    let size = step.before.page_size();
    (0..end.saturating_sub(start) / size).map(move |page| start + page * size)
}

/// What is no mapping and no part of an anonymous one cannot be unmapped.
fn nothing(step: &Step<'_>) -> Verdict {
    let Some(unmapping) = unmapping(step) else {
        return NotApplicable;
    };
    let aligned = unmapping.start.is_multiple_of(step.before.page_size());
    if unmapping.exact.is_some() || unmapping.around.is_some() && aligned {
        return NotApplicable;
    }
    Verdict::demand(step.failed_with(&[EINVAL]), || {
        format!(
            "{}, expected EINVAL: that is no mapping and no part of an anonymous one",
            step.answer()
        )
    })
}

/// The length is rounded up to whole pages.
fn length_rounded(step: &Step<'_>) -> Verdict {
    let Some((_, Call::Munmap { length, .. })) = step.call() else {
        return NotApplicable;
    };
    let Some(unmapping) = unmapping(step) else {
        return NotApplicable;
    };
    if length.is_multiple_of(step.before.page_size()) || unmapping.exact.is_none() {
        return NotApplicable;
    }
    Verdict::demand(step.succeeded(), || {
        format!(
            "{}, expected success: rounded up, the length is the mapping's",
            step.answer()
        )
    })
}

/// When the last mapping of a region goes, all its pages become free, kept ones too.
fn releases(step: &Step<'_>) -> Verdict {
    if step.before.regions.is_same(&step.after.regions)
        && step.before.spaces.is_same(&step.after.spaces)
    {
        return NotApplicable;
    }
    let shown =
        |id| view::mappings(step.after).any(|(_, mapping)| mapping.backing == Backing::Region(id));
    let mut verdict = NotApplicable;
    for region in step.before.regions.iter() {
        if shown(region.id) {
            continue;
        }
        verdict = Holds;
        // The pieces of what was split have some of the pages now, and what exec maps may.
        let leaked =
            pages(step, region.start, region.top).find(|&page| match step.after.owner(page) {
                Owner::Free => false,
                Owner::Region(id) => !shown(id),
                Owner::Outside => step.after.config.window.is_some(),
                Owner::File(..) | Owner::Segment(_) => true,
            });
        if let Some(page) = leaked {
            return Violated(format!(
                "page {page:#x} of memory that nothing shows any more is {}'s, expected it free",
                step.after.owner(page).name()
            ));
        }
        if step.after.region(region.id).is_some() {
            return Violated(format!(
                "nothing shows the memory at {:#x}, and it is still listed",
                region.start
            ));
        }
    }
    verdict
}

/// What is given back is what was held: pages are neither lost nor made.
fn pages_conserved(step: &Step<'_>) -> Verdict {
    let Some(window) = step.after.config.window else {
        return NotApplicable;
    };
    if step.before.memory.is_same(&step.after.memory) {
        return NotApplicable;
    }
    let size = step.after.page_size();
    let regions: u64 = step
        .after
        .regions
        .iter()
        .map(|region| region.top.saturating_sub(region.start) / size)
        .sum();
    let in_window =
        |address: u64| address >= window.start && (address - window.start) / size < window.pages;
    let files: u64 = step
        .after
        .files
        .iter()
        .filter(|file| !file.dead)
        .flat_map(|file| &file.pages)
        .filter(|page| page.address.is_some_and(in_window))
        .count() as u64;
    let segments: u64 = step
        .after
        .segments
        .iter()
        .filter(|segment| !segment.dead)
        .map(|segment| segment.size.div_ceil(size))
        .sum();
    let free = step.after.memory.free_pages().unwrap_or(0);
    Verdict::demand(regions + files + segments + free == window.pages, || {
        format!(
            "{regions} pages of mappings, {files} of files, {segments} of segments and {free} free \
             are not the {} there are",
            window.pages
        )
    })
}

/// What growth brings to a mapping reads as zeroes, or as what the mapping had there before it
/// was shrunk; unless it was asked for uninitialised.
fn growth_cleared(step: &Step<'_>) -> Verdict {
    let Some((_, Call::Mremap { .. })) = step.call() else {
        return NotApplicable;
    };
    let (Some(unmapping), Some(address)) = (step.unmapping(), step.address()) else {
        return NotApplicable;
    };
    let Some(exact) = unmapping.exact.filter(|mapping| mapping.start == address) else {
        return NotApplicable;
    };
    let Some(now) = step.space_after().and_then(|space| {
        space
            .mappings
            .iter()
            .find(|mapping| mapping.start == address)
    }) else {
        return NotApplicable;
    };
    let Backing::Region(id) = now.backing else {
        return NotApplicable;
    };
    if now.end <= exact.end {
        return NotApplicable;
    }
    let (Some(before), Some(after)) = (step.before.region(id), step.after.region(id)) else {
        return NotApplicable;
    };
    let size = step.after.page_size();
    for page in pages(step, exact.end, now.end) {
        let index = (page.saturating_sub(after.start) / size) as usize;
        let (Some(old), Some(new)) = (before.pages.get(index), after.pages.get(index)) else {
            continue;
        };
        let dirty = view::known(new).is_some_and(|bytes| first_other(bytes, 0).is_some());
        // A page whose contents nothing determines may be one that was asked for so.
        if dirty && view::known(old).is_some() && old != new {
            return Violated(format!(
                "page {page:#x} came to the mapping and is not cleared"
            ));
        }
    }
    Holds
}
