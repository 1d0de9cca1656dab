//! Lines 264-269: block devices that can be mapped shared.

use super::view;
use super::{Kinds, Step, Verdict, rules};
use crate::world::file::Kind;
use crate::world::space::Backing;
use Verdict::NotApplicable;

rules! { "shareable-block-devices":
    "blockdev-as-chardev": Kinds::MMAP, 76, blockdev_as_chardev;
}

/// Lines 267-269: what holds of shared mappings of character devices holds of memory-backed
/// block devices: they are on the device, and all of them show the same memory.
fn blockdev_as_chardev(step: &Step<'_>) -> Verdict {
    let Some(request) = step.sound_request().filter(|request| request.is_shared()) else {
        return NotApplicable;
    };
    let Some((number, file)) = request.file else {
        return NotApplicable;
    };
    if file.kind != Kind::MemoryBlock {
        return NotApplicable;
    }
    let Some(made) = step.made() else {
        return NotApplicable;
    };
    let base = made.start.wrapping_sub(made.offset);
    let same = view::mappings(step.before)
        .filter(|(_, other)| view::file_of(other.object) == Some(number) && other.shared)
        .all(|(_, other)| other.start.wrapping_sub(other.offset) == base);
    Verdict::demand(made.backing == Backing::Direct && same, || {
        format!("the device is at {base:#x} here and elsewhere for another mapping")
    })
}
