//! Lines 180-199: mremap.

use super::view;
use super::{Kinds, Step, Verdict, rules};
use crate::observation::MappingView;
use crate::op::{Call, RemapFlags};
use crate::outcome::Errno::*;
use crate::world::space::{Backing, Mapping};
use Verdict::{Holds, NotApplicable, Violated};

rules! { "no-mmu-mremap":
    "mremap-in-place": Kinds::MREMAP, 80, mremap_in_place;
    "mremap-beyond-granule": Kinds::MREMAP, 85, mremap_beyond_granule;
    "mremap-fixed": Kinds::MREMAP, 85, mremap_fixed;
    "mremap-shared-refused": Kinds::MREMAP, 85, mremap_shared_refused;
    "mremap-exact-match": Kinds::MREMAP, 85, mremap_exact_match;
}

struct Remap {
    address: u64,
    new_end: Option<u64>,
    flags: RemapFlags,
    new_address: Option<u64>,
    /// Lengths that are not zero, and an aligned address.
    sound: bool,
    exact: Option<Mapping>,
}

fn remap(step: &Step<'_>) -> Option<Remap> {
    let Call::Mremap {
        old_length,
        new_length,
        flags,
        new_address,
        ..
    } = step.call()?.1
    else {
        return None;
    };
    let unmapping = step.unmapping()?;
    let size = step.before.page_size();
    let address = unmapping.start;
    let new_end = new_length
        .checked_next_multiple_of(size)
        .filter(|_| *new_length > 0)
        .and_then(|length| address.checked_add(length));
    Some(Remap {
        address,
        new_end,
        flags: *flags,
        new_address: new_address.map(|address| view::at(step, address)),
        sound: *old_length > 0 && *new_length > 0 && address.is_multiple_of(size),
        exact: unmapping.exact,
    })
}

impl Remap {
    fn elsewhere(&self) -> bool {
        self.flags.contains(RemapFlags::FIXED)
            && self
                .new_address
                .is_some_and(|address| address != self.address)
    }

    /// Whether MREMAP_FIXED comes without what belongs to it, MREMAP_MAYMOVE or an address:
    /// whether that is an error is open.
    fn incomplete(&self) -> bool {
        self.flags.contains(RemapFlags::FIXED)
            && (!self.flags.contains(RemapFlags::MAYMOVE) || self.new_address.is_none())
    }

    /// The mapping, where it may be resized as far as all the rules but size are concerned.
    fn resizable(&self) -> Option<Mapping> {
        let mapping = self.exact.filter(|_| self.sound && !self.elsewhere())?;
        (!mapping.shared && !mapping.shareable).then_some(mapping)
    }
}

fn top(step: &Step<'_>, mapping: &Mapping) -> Option<u64> {
    let Backing::Region(id) = mapping.backing else {
        return None;
    };
    Some(step.before.region(id)?.top)
}

/// Lines 183-186: the size changes, in place as long as it stays within what is allocated.
fn mremap_in_place(step: &Step<'_>) -> Verdict {
    let Some(remap) = remap(step) else {
        return NotApplicable;
    };
    let Some(mapping) = remap.resizable() else {
        return NotApplicable;
    };
    let (Some(end), Some(top)) = (remap.new_end, top(step, &mapping)) else {
        return NotApplicable;
    };
    if end > top || step.failed_by_injection() {
        return NotApplicable;
    }
    let excused = end > mapping.end && step.before.config.deviates("mremap-slack-refused");
    if step.error() == Some(ENOMEM) && excused {
        return NotApplicable;
    }
    if remap.incomplete() && step.error() == Some(EINVAL) {
        return NotApplicable;
    }
    if step.address() != Some(remap.address) {
        return Violated(format!(
            "{}, expected {:#x}: {end:#x} lies within what is allocated, up to {top:#x}",
            step.answer(),
            remap.address
        ));
    }
    let there = step.space_after().is_some_and(|space| {
        space.mappings.iter().any(|now| {
            let expected = MappingView {
                end,
                ..mapping.view()
            };
            now.view() == expected && now.backing == mapping.backing
        })
    });
    if !there {
        return Violated(format!(
            "no mapping {:#x}-{end:#x}, expected the one resized",
            remap.address
        ));
    }
    let Backing::Region(id) = mapping.backing else {
        return Holds;
    };
    let (Some(old), Some(new)) = (step.before.region(id), step.after.region(id)) else {
        return Violated("the memory of the mapping is gone".to_owned());
    };
    let kept = (new.start, new.top, new.protection, new.origin);
    let keeps = step.before.config.deviates("mremap-keeps-region");
    let is_end = new.end == end || keeps && new.end == old.end.max(end);
    Verdict::demand(
        kept == (old.start, old.top, old.protection, old.origin) && is_end,
        || {
            format!(
                "its memory is {:#x}-{:#x} up to {:#x}, expected {:#x}-{end:#x} up to {top:#x}",
                new.start, new.end, new.top, old.start
            )
        },
    )
}

/// Lines 184-186 and 199: what would not fit would have to move, which is not supported.
fn mremap_beyond_granule(step: &Step<'_>) -> Verdict {
    let Some(remap) = remap(step) else {
        return NotApplicable;
    };
    let Some(mapping) = remap.resizable() else {
        return NotApplicable;
    };
    let Some(top) = top(step, &mapping) else {
        return NotApplicable;
    };
    if remap.new_end.is_some_and(|end| end <= top) {
        return NotApplicable;
    }
    Verdict::demand(step.failed_with(&[ENOMEM, EINVAL]), || {
        format!(
            "{}, expected ENOMEM: {top:#x} is the end of what is allocated",
            step.answer()
        )
    })
}

/// Lines 188-189: MREMAP_FIXED is not supported, and ignored if the address stays.
fn mremap_fixed(step: &Step<'_>) -> Verdict {
    let Some(remap) = remap(step).filter(|remap| remap.flags.contains(RemapFlags::FIXED)) else {
        return NotApplicable;
    };
    if remap.elsewhere() {
        return Verdict::demand(step.error().is_some(), || {
            format!(
                "{}, expected an error: MREMAP_FIXED to another address",
                step.answer()
            )
        });
    }
    if step.error().is_some() {
        NotApplicable
    } else {
        Holds
    }
}

/// Lines 191-192: what is shared, or could come to be, does not change.
fn mremap_shared_refused(step: &Step<'_>) -> Verdict {
    let Some(remap) = remap(step).filter(|remap| remap.sound && !remap.elsewhere()) else {
        return NotApplicable;
    };
    let shareable = |mapping: &Mapping| mapping.shared || mapping.shareable;
    if !remap.exact.is_some_and(|mapping| shareable(&mapping)) || remap.new_end.is_none() {
        return NotApplicable;
    }
    Verdict::demand(
        step.failed_with(&[EPERM]) || remap.incomplete() && step.failed_with(&[EINVAL]),
        || {
            format!(
                "{}, expected EPERM: the mapping is shareable",
                step.answer()
            )
        },
    )
}

/// Lines 194-197: it acts on one whole mapping.
fn mremap_exact_match(step: &Step<'_>) -> Verdict {
    let Some(remap) = remap(step) else {
        return NotApplicable;
    };
    if remap.sound && remap.exact.is_some() {
        return NotApplicable;
    }
    Verdict::demand(step.failed_with(&[EINVAL, ENOMEM]), || {
        format!(
            "{}, expected EINVAL: no mapping has exactly these bounds",
            step.answer()
        )
    })
}
