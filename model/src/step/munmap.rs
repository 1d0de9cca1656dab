//! munmap.

use super::due::Due;
use super::{Answer, Caller, Refusal, done};
use crate::observation::Sight;
use crate::op::Address;
use crate::outcome::Errno;
use crate::world::World;
use crate::world::memory::Owner;
use crate::world::region::{Region, RegionId};
use crate::world::shared::Shared;
use crate::world::space::{Backing, Mapping};

pub(super) fn munmap(
    world: &mut World,
    caller: Caller,
    address: Address,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let start = world.address(address);
    // Any part of a page stands for the whole of it.
    let end = length
        .checked_next_multiple_of(world.page_size())
        .filter(|&rounded| rounded > 0)
        .and_then(|rounded| start.checked_add(rounded));
    let found = end.and_then(|end| {
        let whole = find_object(world, caller, start, end, answer);
        let part = || find_anonymous(world, caller, start, end);
        Some((whole.or_else(part)?, end))
    });
    let mut due = Due::default();
    due.must_if(
        found.is_none(),
        nothing_there(world, caller, start),
        &[Errno::EINVAL],
    );
    let Some(value) = due.judge(answer, "munmap-releases")? else {
        return Ok(());
    };
    done(value, "munmap-releases")?;
    if let Some((index, end)) = found {
        let mapping = world.spaces[usize::from(caller.space.0)].mappings[index];
        if mapping.object.is_none() && (mapping.start, mapping.end) != (start, end) {
            cut(world, caller, index, start, end);
        } else {
            world.remove_mapping(caller.space, index);
        }
    }
    Ok(())
}

/// The rule that a range is no mapping by.
fn nothing_there(world: &World, caller: Caller, start: u64) -> &'static str {
    let mappings = &world.spaces[usize::from(caller.space.0)].mappings;
    let mut here = mappings.iter().filter(|mapping| mapping.contains(start, 1));
    match here.next() {
        None => "munmap-nothing",
        Some(mapping) if mapping.object.is_some() => "munmap-object-exact",
        Some(_) => "munmap-anonymous-part",
    }
}

/// A mapping of an object is unmapped whole or not at all. Of several that show the same
/// range, one goes; which one, a look at the rest tells.
pub(super) fn find_object(
    world: &World,
    caller: Caller,
    start: u64,
    end: u64,
    answer: &Answer<'_>,
) -> Option<usize> {
    let mappings = &world.spaces[usize::from(caller.space.0)].mappings;
    let first = mappings.partition_point(|mapping| (mapping.start, mapping.end) < (start, end));
    let same = |mapping: &&Mapping| (mapping.start, mapping.end) == (start, end);
    let count = mappings[first..].iter().take_while(same).count();
    let candidates = &mappings[first..first + count];
    candidates
        .first()
        .filter(|mapping| mapping.object.is_some())?;
    let is_uniform = candidates
        .iter()
        .all(|mapping| mapping.view() == candidates[0].view());
    if is_uniform || !answer.sight.contains(Sight::MAPPINGS) {
        return Some(first);
    }
    let left = answer
        .seen
        .processes
        .iter()
        .find(|process| process.process == caller.process)
        .map_or(&[][..], |process| &process.mappings);
    let missing = candidates.iter().position(|candidate| {
        let view = candidate.view();
        let had = candidates.iter().filter(|mapping| mapping.view() == view);
        let has = left.iter().filter(|&&mapping| mapping == view);
        has.count() + 1 == had.count()
    });
    Some(first + missing.unwrap_or(0))
}

/// Of anonymous memory, any whole pages of one mapping may be unmapped.
fn find_anonymous(world: &World, caller: Caller, start: u64, end: u64) -> Option<usize> {
    if !start.is_multiple_of(world.page_size()) {
        return None;
    }
    let mappings = &world.spaces[usize::from(caller.space.0)].mappings;
    mappings.iter().position(|mapping| {
        mapping.object.is_none() && mapping.start <= start && end <= mapping.end
    })
}

/// Cuts a part out of an anonymous mapping and its region; the part is free at once.
fn cut(world: &mut World, caller: Caller, index: usize, start: u64, end: u64) {
    let shift = world.page_shift();
    let Some(place) = world.region_index(start) else {
        return;
    };
    let mapping = &mut world.spaces[usize::from(caller.space.0)].mappings[index];
    let region = &mut *world.regions[place];
    let page_index = |address: u64, region: &Region| ((address - region.start) >> shift) as usize;
    let freed = if end == mapping.end {
        // The end: what was kept behind it goes too.
        mapping.end = start;
        let top = region.top;
        region.pages.truncate(page_index(start, region));
        region.end = start;
        region.top = start;
        start..top
    } else if start == mapping.start {
        mapping.start = end;
        region.pages.drain(..page_index(end, region));
        region.start = end;
        start..end
    } else {
        // The middle: two mappings and two regions are left, of which the upper one keeps what
        // was kept behind the whole.
        let id = world.next_region;
        let upper_pages = region.pages.split_off(page_index(end, region));
        region.pages.truncate(page_index(start, region));
        let upper = Region {
            id,
            start: end,
            end: region.end,
            top: region.top,
            protection: region.protection,
            origin: region.origin,
            users: 1,
            pages: upper_pages,
        };
        region.end = start;
        region.top = start;
        let upper_mapping = Mapping {
            start: end,
            backing: Backing::Region(id),
            ..*mapping
        };
        mapping.end = start;
        world.next_region = RegionId(id.0.wrapping_add(1));
        let upper_length = (upper.top - upper.start) >> shift;
        world
            .memory
            .give(upper.start, upper_length, Owner::Region(id));
        world.regions.insert(place + 1, Shared::new(upper));
        world.insert_mapping(caller.space, upper_mapping);
        start..end
    };
    let pages = (freed.end - freed.start) >> shift;
    world.memory.give(freed.start, pages, Owner::Free);
}
