//! Lines 247-261: memory-backed files that can be mapped shared.

use super::bytes::first_other;
use super::view::{self, order};
use super::{Kinds, Step, Verdict, rules};
use crate::op::Call;
use crate::outcome::Errno::*;
use crate::world::file::{FileNumber, Kind};
use Verdict::{NotApplicable, Violated};

rules! { "shareable-memory-backed-files":
    "grow-gathers-contiguous": Kinds::TRUNCATE, 85, grow_gathers_contiguous;
}

/// The file that a truncation is about, and its new size.
pub(super) fn truncation(step: &Step<'_>) -> Option<(FileNumber, u64)> {
    let (process, call) = step.call()?;
    match call {
        Call::Ftruncate { descriptor, length } => {
            let (open, file) = view::target(step.before, process, *descriptor)?;
            open.writable.then_some((file?.0, *length))
        }
        Call::Truncate { path, length } => {
            let named =
                |file: &crate::world::file::File| !file.dead && file.path.as_ref() == Some(path);
            let found = (0..)
                .zip(step.before.files.iter())
                .find(|(_, file)| named(file));
            Some((FileNumber(found?.0), *length))
        }
        _ => None,
    }
}

/// Lines 255-258: growing an empty memory-backed file gathers as many pages as the size needs,
/// one contiguous run of them, cleared.
fn grow_gathers_contiguous(step: &Step<'_>) -> Verdict {
    let Some((number, length)) = truncation(step) else {
        return NotApplicable;
    };
    let file = step.before.file(number);
    if file.kind != Kind::MemoryBacked || file.size > 0 || length == 0 || length > 1 << 30 {
        return NotApplicable;
    }
    let size = step.before.page_size();
    let pages = length.div_ceil(size);
    if let Some(error) = step.error() {
        let justified = match step.before.can_serve(order(pages)) {
            Some(can) => !can,
            None => true,
        };
        return Verdict::demand(
            matches!(error, ENOMEM | ENOSPC) && (justified || step.injected_failure),
            || format!("{error}, and a run of {pages} pages is free"),
        );
    }
    if !step.succeeded() {
        return NotApplicable;
    }
    let grown = step.after.file(number);
    if grown.size != length || grown.pages.len() as u64 != pages {
        return Violated(format!(
            "{:#x} bytes in {} pages, expected {length:#x} in {pages}",
            grown.size,
            grown.pages.len()
        ));
    }
    if view::contiguous(step.after, grown, 0, pages) == Some(false) {
        return Violated("its pages do not follow each other in memory".to_owned());
    }
    let dirty = grown
        .pages
        .iter()
        .filter_map(|page| Some((page.index, view::known(&page.contents)?)))
        .find(|(_, bytes)| first_other(bytes, 0).is_some());
    if let Some((index, _)) = dirty {
        return Violated(format!("page {index} of the file is not cleared"));
    }
    let (Some(before), Some(after)) = (
        step.before.memory.free_pages(),
        step.after.memory.free_pages(),
    ) else {
        return Verdict::Holds;
    };
    Verdict::demand(before.checked_sub(after) == Some(pages), || {
        format!(
            "{} pages are gone from free memory, expected {pages}",
            before.wrapping_sub(after)
        )
    })
}
