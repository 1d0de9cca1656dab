//! Lines 272-283: what becomes of the pages beyond those asked for.

use super::view::order;
use super::{Kinds, Step, Verdict, rules};
use crate::op::Operation;
use crate::outcome::Errno::EINVAL;
use Verdict::NotApplicable;

rules! { "page-trimming":
    "rounds-to-power-of-two": Kinds::MMAP.union(Kinds::EXEC), 60, rounds_to_power_of_two;
    "trim-default-aggressive": Kinds::MMAP.union(Kinds::EXEC), 85, trim_default_aggressive;
    "trim-disabled": Kinds::MMAP.union(Kinds::EXEC), 85, trim_disabled;
    "trim-watermark": Kinds::MMAP.union(Kinds::EXEC), 85, trim_watermark;
    "trim-sysctl": Kinds::TRIM, 85, trim_sysctl;
}

/// The regions that a step made: pages asked for, pages kept.
fn allocations<'a>(step: &'a Step<'_>) -> impl Iterator<Item = (u64, u64)> + 'a {
    let size = step.after.page_size();
    let pages = move |bytes: u64| bytes / size;
    let unchanged = step.before.regions.is_same(&step.after.regions);
    let regions = if unchanged {
        &[][..]
    } else {
        &step.after.regions[..]
    };
    regions
        .iter()
        .filter(|region| step.before.next_region <= region.id)
        .map(move |region| {
            (
                pages(region.end - region.start),
                pages(region.top - region.start),
            )
        })
}

fn kept(
    step: &Step<'_>,
    applies: impl Fn(u64, u64) -> bool,
    expected: impl Fn(u64, u64) -> u64,
) -> Verdict {
    let mut verdict = NotApplicable;
    for (pages, kept) in allocations(step) {
        let excess = (1 << order(pages)) - pages;
        if !applies(excess, step.before.config.trim) {
            continue;
        }
        let expected = expected(pages, excess);
        if kept != expected {
            return Verdict::Violated(format!(
                "{kept} pages are kept of a mapping of {pages}, expected {expected} with \
                 vm.nr_trim_pages={}",
                step.before.config.trim
            ));
        }
        verdict = Verdict::Holds;
    }
    verdict
}

/// Lines 275-276: an allocation is rounded up to a power of two of pages, and no further.
fn rounds_to_power_of_two(step: &Step<'_>) -> Verdict {
    let mut verdict = NotApplicable;
    for (pages, kept) in allocations(step) {
        if kept != pages && kept != 1 << order(pages) {
            return Verdict::Violated(format!(
                "{kept} pages are kept of a mapping of {pages}, expected those or {}",
                1u64 << order(pages)
            ));
        }
        verdict = Verdict::Holds;
    }
    verdict
}

/// Lines 277-279: by default (1) every excess is given back.
fn trim_default_aggressive(step: &Step<'_>) -> Verdict {
    kept(
        step,
        |excess, trim| trim == 1 && excess > 0,
        |pages, _| pages,
    )
}

/// Lines 279-280: trimming can be disabled (0): nothing is given back.
fn trim_disabled(step: &Step<'_>) -> Verdict {
    kept(
        step,
        |excess, trim| trim == 0 && excess > 0,
        |pages, excess| pages + excess,
    )
}

/// Lines 280-281: or begin at a watermark: an excess of at least so many pages is given back.
fn trim_watermark(step: &Step<'_>) -> Verdict {
    let trim = step.before.config.trim;
    kept(
        step,
        |excess, trim| trim > 1 && excess > 0,
        |pages, excess| {
            if excess >= trim {
                pages
            } else {
                pages + excess
            }
        },
    )
}

/// Line 283: the watermark is the sysctl's.
fn trim_sysctl(step: &Step<'_>) -> Verdict {
    let Operation::SetTrim(pages) = step.operation else {
        return NotApplicable;
    };
    let refused = *pages > i32::MAX as u64 && step.failed_with(&[EINVAL]);
    let stored = step.succeeded() && step.after.config.trim == *pages;
    Verdict::demand(stored || refused, || {
        format!(
            "{}, expected vm.nr_trim_pages to become {pages}",
            step.answer()
        )
    })
}
