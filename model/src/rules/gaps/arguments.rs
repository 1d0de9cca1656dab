//! Which errors wrong arguments of mmap get.

use crate::rules::further_notes::due_error;
use crate::rules::{Kinds, Step, Verdict, rules};

rules! { "gaps":
    "mmap-zero-length": Kinds::MMAP, 80, zero_length;
    "mmap-needs-type": Kinds::MMAP, 80, needs_type;
    "mmap-length-overflow": Kinds::MMAP, 80, length_overflow;
    "mmap-offset-overflow": Kinds::MMAP, 80, offset_overflow;
    "mmap-offset-aligned": Kinds::MMAP, 80, offset_aligned;
    "mmap-bad-descriptor": Kinds::MMAP, 80, bad_descriptor;
    "mmap-unmappable": Kinds::MMAP, 80, unmappable;
    "mmap-permission": Kinds::MMAP, 80, permission;
}

fn zero_length(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-zero-length")
}

fn needs_type(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-needs-type")
}

fn length_overflow(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-length-overflow")
}

fn offset_overflow(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-offset-overflow")
}

fn offset_aligned(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-offset-aligned")
}

fn bad_descriptor(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-bad-descriptor")
}

fn unmappable(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-unmappable")
}

fn permission(step: &Step<'_>) -> Verdict {
    due_error(step, "mmap-permission")
}
