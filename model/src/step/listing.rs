//! `/proc/maps` and `/proc/<pid>/maps` (lines 147-151).

use super::due::Due;
use super::{Answer, Refusal, refuse, wrong_value};
use crate::observation::RegionView;
use crate::op::Process;
use crate::outcome::{Errno, Value};
use crate::world::World;
use crate::world::compare::{self, Listed};
use crate::world::region::Region;
use crate::world::space::Backing;

/// Lines 147-148: every private copy and anonymous mapping, once, whatever is read at a time.
pub(super) fn system(world: &World, answer: &Answer<'_>) -> Result<(), Refusal> {
    const RULE: &str = "system-maps-listed";
    let Some(value) = Due::default().judge(answer, RULE)? else {
        return Ok(());
    };
    let Value::Regions(listed) = value else {
        return Err(wrong_value(value, "regions", RULE));
    };
    let unsorted = listed.windows(2).find(|pair| pair[0].start > pair[1].start);
    if let Some(pair) = unsorted {
        return Err(refuse(
            &[RULE],
            "regions in the order of their addresses",
            format!("{:#x} before {:#x}", pair[0].start, pair[1].start),
        ));
    }
    let mut due = world.regions.iter().peekable();
    for view in listed {
        match due.next_if(|region| is_listed(region, view)) {
            Some(_) => {}
            // Memory that is an object's own may be listed too.
            None if world.shows_directly(view) => {}
            None => {
                return Err(refuse(
                    &[RULE],
                    match due.peek() {
                        Some(region) => format!("the next is {}", compare::region_line(region)),
                        None => "no more regions".to_owned(),
                    },
                    compare::listed_line(view),
                ));
            }
        }
    }
    match due.next() {
        None => Ok(()),
        Some(region) => Err(refuse(
            &[RULE],
            compare::region_line(region),
            "it is not listed",
        )),
    }
}

fn is_listed(region: &Region, view: &RegionView) -> bool {
    let expected = compare::region_view(region);
    (
        view.start,
        view.end,
        view.protection,
        view.object,
        view.offset,
    ) == (
        expected.start,
        expected.end,
        expected.protection,
        expected.object,
        expected.offset,
    )
}

impl World {
    /// Whether a listed range is one that mappings show of an object's own memory.
    fn shows_directly(&self, view: &RegionView) -> bool {
        let mut mappings = self.spaces.iter().flat_map(|space| &space.mappings);
        mappings.any(|mapping| {
            mapping.backing == Backing::Direct
                && mapping.object == view.object
                && mapping.start < view.end
                && view.start < mapping.end
        })
    }
}

/// Lines 150-151: every mapping of a process.
pub(super) fn process(world: &World, process: Process, answer: &Answer<'_>) -> Result<(), Refusal> {
    const RULE: &str = "process-maps-listed";
    let mut due = Due::default();
    let space = world.space_of(process);
    due.must_if(space.is_none(), RULE, &[Errno::ESRCH, Errno::ENOENT]);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    let Value::Mappings(listed) = value else {
        return Err(wrong_value(value, "mappings", RULE));
    };
    let Some(space) = space else { return Ok(()) };
    match compare::mappings(&space.mappings, listed) {
        Ok(()) => Ok(()),
        Err(Listed { expected, seen }) => Err(refuse(&[RULE], expected, seen)),
    }
}
