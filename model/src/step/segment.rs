//! SysV shared memory (lines 163-168).

use super::allocate::Excess;
use super::due::Due;
use super::mmap::owe_memory;
use super::munmap::find_object;
use super::{Answer, Caller, Refusal, address, bind, done, refuse, wrong_value};
use crate::observation::{Object, Sight};
use crate::op::{Address, MappingName, Protection, SegmentFlags, SegmentName};
use crate::outcome::{Errno, Value};
use crate::world::World;
use crate::world::memory::Owner;
use crate::world::segment::Segment;
use crate::world::space::{Backing, Granted, Mapping};

const RULE: &str = "sysv-shared-memory";

/// No segment is larger: a limit on what a world costs.
const LARGEST_SEGMENT: u64 = 1 << 30;

/// The errors that say that there is no such segment.
const NONE: &[Errno] = &[Errno::EINVAL, Errno::EIDRM];

pub(super) fn get(
    world: &mut World,
    result: SegmentName,
    key: u32,
    size: u64,
    flags: SegmentFlags,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let found = world.find_segment(key);
    match found {
        Some(number) => {
            let exclusive = flags.contains(SegmentFlags::CREATE | SegmentFlags::EXCLUSIVE);
            due.must_if(exclusive, "shm-errors", &[Errno::EEXIST]);
            let larger = size > world.segments[usize::from(number)].size;
            due.must_if(larger, "shm-errors", &[Errno::EINVAL]);
        }
        None if key != 0 && !flags.contains(SegmentFlags::CREATE) => {
            due.must("shm-errors", &[Errno::ENOENT]);
        }
        None if size == 0 => due.must("shm-errors", &[Errno::EINVAL]),
        None if size > LARGEST_SEGMENT => {
            due.must("shm-errors", &[Errno::EINVAL, Errno::ENOMEM, Errno::ENOSPC]);
        }
        None => owe_memory(world, size.div_ceil(world.page_size()), &mut due),
    }
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    let number = match found {
        Some(number) => number,
        None => make(world, key, size, answer)?,
    };
    let index = usize::from(result.0);
    let names = &mut world.names.segments;
    if names.len() <= index {
        names.resize(index + 1, None);
    }
    names[index] = Some(number);
    Ok(())
}

/// A new segment: one contiguous run of cleared pages.
fn make(world: &mut World, key: u32, size: u64, answer: &Answer<'_>) -> Result<u16, Refusal> {
    let number = world.segments.len() as u16;
    let pages = size.div_ceil(world.page_size());
    let mut start = None;
    if answer.sight.contains(Sight::SEGMENTS) {
        let shown = answer
            .seen
            .segments
            .iter()
            .find(|segment| segment.number == number);
        let Some(shown) = shown else {
            return Err(refuse(
                &[RULE],
                format!("segment {number} is there"),
                "it is not",
            ));
        };
        world.place(shown.start, pages, Excess::GivenBack, RULE)?;
        world
            .memory
            .give(shown.start, pages, Owner::Segment(number));
        start = Some(shown.start);
    }
    let zero = world.zero_page();
    world.segments.push(Segment {
        key: (key != 0).then_some(key),
        size,
        start,
        attached: 0,
        pages: vec![zero; pages as usize],
        removed: false,
        dead: false,
    });
    Ok(number)
}

pub(super) fn attach(
    world: &mut World,
    caller: Caller,
    result: MappingName,
    name: SegmentName,
    read_only: bool,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = world.live_segment(name, &mut due);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    let start = address(value, RULE)?;
    let Some(number) = number else { return Ok(()) };
    let segment = &world.segments[usize::from(number)];
    let pages = segment.pages.len() as u64;
    match segment.start {
        Some(own) if own != start => {
            return Err(refuse(
                &[RULE],
                format!("allowed is only: {own:#x}, where the segment is"),
                format!("success at {start:#x}"),
            ));
        }
        Some(_) => {}
        None => {
            world.place(start, pages, Excess::GivenBack, RULE)?;
            world.memory.give(start, pages, Owner::Segment(number));
        }
    }
    let segment = &mut world.segments[usize::from(number)];
    segment.start = Some(start);
    segment.attached += 1;
    let protection = match read_only {
        true => Protection::READ,
        false => Protection::READ | Protection::WRITE,
    };
    let bytes = pages << world.page_shift();
    let mapping = Mapping {
        start,
        end: start + bytes,
        protection,
        shared: true,
        object: Some(Object::Segment(number)),
        offset: 0,
        backing: Backing::Direct,
        shareable: true,
        granted: Granted {
            start: 0,
            end: bytes,
            protection,
        },
    };
    world.insert_mapping(caller.space, mapping);
    bind(world, result, start);
    Ok(())
}

pub(super) fn detach(
    world: &mut World,
    caller: Caller,
    address: Address,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let start = world.address(address);
    let mappings = &world.spaces[usize::from(caller.space.0)].mappings;
    let attached = mappings.iter().find(|mapping| {
        mapping.start == start && matches!(mapping.object, Some(Object::Segment(_)))
    });
    let end = attached.map(|mapping| mapping.end);
    let found = end.and_then(|end| find_object(world, caller, start, end, answer));
    let mut due = Due::default();
    due.must_if(found.is_none(), "shm-errors", &[Errno::EINVAL]);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    if let Some(index) = found {
        world.remove_mapping(caller.space, index);
    }
    Ok(())
}

pub(super) fn remove(
    world: &mut World,
    name: SegmentName,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = world.live_segment(name, &mut due);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    if let Some(number) = number {
        let segment = &mut world.segments[usize::from(number)];
        segment.removed = true;
        segment.key = None;
        world.bury_segment(number);
    }
    Ok(())
}

pub(super) fn stat(world: &World, name: SegmentName, answer: &Answer<'_>) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = world.live_segment(name, &mut due);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    let Some(number) = number else { return Ok(()) };
    let segment = &world.segments[usize::from(number)];
    let expected = Value::Segment {
        size: segment.size,
        attached: u64::from(segment.attached),
    };
    if *value != expected {
        let words = format!("size {:#x} and {} attached", segment.size, segment.attached);
        return Err(wrong_value(value, &words, RULE));
    }
    Ok(())
}

impl World {
    /// The segment that a key finds; a private one is never found.
    fn find_segment(&self, key: u32) -> Option<u16> {
        (0..)
            .zip(self.segments.iter())
            .find(|(_, segment)| segment.key == Some(key))
            .map(|(number, _)| number)
    }

    /// The segment that a name stands for. One that is removed but attached may still be used.
    fn live_segment(&self, name: SegmentName, due: &mut Due) -> Option<u16> {
        let number = *self
            .names
            .segments
            .get(usize::from(name.0))
            .unwrap_or(&None);
        let segment = number.and_then(|number| self.segments.get(usize::from(number)));
        match segment {
            Some(segment) if !segment.dead => {
                if segment.removed {
                    due.may(NONE);
                }
                number
            }
            _ => {
                due.must("shm-errors", NONE);
                None
            }
        }
    }
}
