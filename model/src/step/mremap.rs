//! mremap (lines 180-199).

use super::due::Due;
use super::{Answer, Caller, Refusal, address, bind, refuse};
use crate::observation::Sight;
use crate::op::{Call, RemapFlags};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::page::Page;
use crate::world::space::{Backing, Mapping};

pub(super) fn mremap(
    world: &mut World,
    caller: Caller,
    call: &Call,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let Call::Mremap {
        result,
        address: from,
        old_length,
        new_length,
        flags,
        new_address,
    } = *call
    else {
        return Ok(());
    };
    let start = world.address(from);
    let rounded = |length: u64| length.checked_next_multiple_of(world.page_size());
    let mut due = Due::default();
    due.must_if(
        old_length == 0 || new_length == 0,
        "mremap-exact-match",
        &[Errno::EINVAL],
    );
    if flags.contains(RemapFlags::FIXED) {
        // Lines 188-189: ignored where the address is not to change.
        match new_address.map(|address| world.address(address)) {
            Some(to) if to == start => {}
            Some(_) => due.must("mremap-fixed", &[Errno::EINVAL]),
            None => due.may(&[Errno::EINVAL]),
        }
        if !flags.contains(RemapFlags::MAYMOVE) {
            due.may(&[Errno::EINVAL]);
        }
    }
    let overflows = rounded(new_length).is_none();
    due.must_if(
        overflows,
        "mremap-exact-match",
        &[Errno::EINVAL, Errno::ENOMEM],
    );
    // Lines 194-197: exactly one whole mapping.
    let old_end = rounded(old_length).and_then(|length| start.checked_add(length));
    let mapping = old_end.and_then(|end| exactly(world, caller, start, end));
    let new_end = rounded(new_length).and_then(|length| start.checked_add(length));
    match mapping {
        None => due.must("mremap-exact-match", &[Errno::EINVAL]),
        Some((_, mapping)) => owe_resizing(world, &mapping, new_end, overflows, &mut due),
    }
    let Some(value) = due.judge(answer, "mremap-in-place")? else {
        return Ok(());
    };
    let now = address(value, "mremap-in-place")?;
    if now != start {
        return Err(refuse(
            &["mremap-in-place"],
            format!("allowed is only: {start:#x}, as moving is not supported"),
            format!("success at {now:#x}"),
        ));
    }
    if let (Some((index, mapping)), Some(new_end)) = (mapping, new_end) {
        resize(world, caller, index, mapping, new_end, answer);
    }
    bind(world, result, now);
    Ok(())
}

/// The mapping that is exactly a range.
fn exactly(world: &World, caller: Caller, start: u64, end: u64) -> Option<(usize, Mapping)> {
    let mappings = &world.spaces[usize::from(caller.space.0)].mappings;
    let first = mappings.partition_point(|mapping| (mapping.start, mapping.end) < (start, end));
    let mapping = *mappings.get(first)?;
    ((mapping.start, mapping.end) == (start, end)).then_some((first, mapping))
}

/// The errors that resizing this mapping owes.
fn owe_resizing(
    world: &World,
    mapping: &Mapping,
    new_end: Option<u64>,
    overflows: bool,
    due: &mut Due,
) {
    // Lines 191-192: neither shared mappings nor shareable ones.
    // What is on an object is not the process's own, traced or not.
    if mapping.shareable || mapping.backing == Backing::Direct {
        due.must("mremap-shared-refused", &[Errno::EPERM]);
        if !mapping.start.is_multiple_of(world.page_size()) {
            due.may(&[Errno::EINVAL]);
        }
        return;
    }
    let top = world
        .region_at(mapping.start)
        .map_or(mapping.end, |region| region.top);
    let Some(end) = new_end.filter(|&end| end <= top) else {
        // Line 199: moving is not currently supported.
        due.must_if(!overflows, "mremap-beyond-granule", &[Errno::ENOMEM]);
        return;
    };
    // Linux looks at what was asked for, and not at what is allocated.
    if end > mapping.end && world.config.deviates("mremap-slack-refused") {
        due.may(&[Errno::ENOMEM]);
    }
}

/// Lines 183-186: within what is allocated, in place.
fn resize(
    world: &mut World,
    caller: Caller,
    index: usize,
    mapping: Mapping,
    new_end: u64,
    answer: &Answer<'_>,
) {
    if new_end == mapping.end {
        return;
    }
    let Some(place) = world.region_index(mapping.start) else {
        return;
    };
    let shift = world.page_shift();
    world.spaces[usize::from(caller.space.0)].mappings[index].end = new_end;
    let mut at = mapping.end;
    while at < new_end {
        let page = ((at - mapping.start) >> shift) as usize;
        let exposed = world.exposed(&world.regions[place].pages[page], at, answer);
        if exposed != world.regions[place].pages[page] {
            world.regions[place].pages[page] = exposed;
        }
        at += world.page_size();
    }
    // Linux changes the mapping alone, and grows it no further than this.
    let keeps = world.config.deviates("mremap-keeps-region");
    let region = &mut world.regions[place];
    region.end = match keeps {
        true => region.end.max(new_end),
        false => new_end,
    };
}

impl World {
    /// What growth exposes of a page: zeroes, or what this mapping had there before it was
    /// shrunk, or anything where memory need not be cleared.
    fn exposed(&self, kept: &Page, at: u64, answer: &Answer<'_>) -> Page {
        let Page::Known(bytes) = kept else {
            return self.adopt(at, answer);
        };
        if bytes.iter().all(|&byte| byte == 0) {
            return kept.clone();
        }
        let shows = answer.sight.contains(Sight::CONTENTS);
        let shown = match shows.then(|| self.adopt(at, answer)) {
            Some(Page::Known(shown)) => shown,
            _ => return Page::Unknown,
        };
        // What is neither has to be one of the two: a comparison will find that it is not.
        match shown == *bytes {
            true => kept.clone(),
            false => self.zero_page(),
        }
    }
}
