//! exec (lines 7-10): maps the program, then leaves the memory of the one before.

use super::allocate::Excess;
use super::due::Due;
use super::map_file;
use super::map_plan::{self, Plan, Wanted};
use super::mmap::map_anonymous;
use super::{Answer, Caller, Refusal, done, refuse};
use crate::observation::{MappingView, Object, Sight};
use crate::op::{Path, Protection};
use crate::outcome::{Errno, Outcome};
use crate::world::World;
use crate::world::file::{FileNumber, Kind};
use crate::world::memory::{Memory, Owner};
use crate::world::shared::Shared;
use crate::world::space::{Space, SpaceNumber};

const RULE: &str = "exec-maps-program";

pub(super) fn exec(
    world: &mut World,
    caller: Caller,
    path: &Path,
    stack: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = owe_program(world, path, &mut due);
    let stack_pages = world.config.pages(stack).filter(|_| stack <= 1 << 63);
    due.must_if(stack_pages.is_none(), "exec-failure", &[Errno::ENOMEM]);
    let (Some(number), Some(stack_pages), false) = (number, stack_pages, due.is_required()) else {
        due.judge(answer, "exec-failure")?;
        return Ok(());
    };
    let text = Wanted {
        file: number,
        offset: 0,
        pages: world.file(number).size.div_ceil(world.page_size()),
        protection: Protection::READ | Protection::EXEC,
        shared: false,
        traced: world.processes[usize::from(caller.process.0)]
            .tracer
            .is_some(),
    };
    let plan = map_plan::plan(world, &text, due);
    let mut due = plan.due;
    if stack_pages > 0 {
        super::mmap::owe_memory(world, stack_pages, &mut due);
    }
    if *answer.outcome == Outcome::Error(Errno::ENOMEM)
        && plan.copy
        && may_lack(world, text.pages, stack_pages)
    {
        due.may(&[Errno::ENOMEM]);
    }
    let Some(value) = due.judge(answer, "exec-failure")? else {
        return Ok(());
    };
    done(value, RULE)?;
    let fresh = fresh_space(world);
    let new = Caller {
        space: fresh,
        ..caller
    };
    build(world, new, &text, &plan, stack_pages, answer)?;
    world.processes[usize::from(caller.process.0)].space = fresh;
    world.resume_parent(caller.process);
    world.leave_space(caller.space);
    Ok(())
}

fn owe_program(world: &World, path: &Path, due: &mut Due) -> Option<FileNumber> {
    let Some(number) = world.find_file(path) else {
        due.must("exec-failure", &[Errno::ENOENT]);
        return None;
    };
    let file = world.file(number);
    match file.kind {
        Kind::Regular | Kind::MemoryBacked | Kind::ExecuteInPlace => {
            due.must_if(file.size == 0, "exec-failure", &[Errno::ENOEXEC]);
        }
        _ => due.must("exec-failure", &[Errno::EACCES]),
    }
    Some(number)
}

/// An address space that nobody uses.
pub(super) fn fresh_space(world: &mut World) -> SpaceNumber {
    let is_used = |space: u16| {
        let mut live = world.processes.iter().filter(|process| process.alive);
        live.any(|process| process.space.0 == space)
    };
    let unused = (0..world.spaces.len() as u16).find(|&space| !is_used(space));
    let number = unused.unwrap_or(world.spaces.len() as u16);
    if unused.is_none() {
        world.spaces.push(Shared::new(Space::default()));
    }
    SpaceNumber(number)
}

/// Windows up to this many pages are searched for every place that the text may have had.
const MOST_SEARCHED_PAGES: u64 = 4096;

/// Whether there is a place for the text that leaves none for the stack, or the other way
/// round: an implementation that failed need not say where it had put the first of the two.
fn may_lack(world: &World, text_pages: u64, stack_pages: u64) -> bool {
    let searched = world
        .config
        .window
        .is_some_and(|window| window.pages <= MOST_SEARCHED_PAGES);
    if !searched {
        return true;
    }
    // That the text alone has no room was owed before.
    if stack_pages == 0 {
        return false;
    }
    if world.lacks(stack_pages) != Some(false) {
        return true;
    }
    leaves_none(world, text_pages, stack_pages) || leaves_none(world, stack_pages, text_pages)
}

fn leaves_none(world: &World, first: u64, second: u64) -> bool {
    let Some(window) = world.config.window else {
        return true;
    };
    let granule = first.next_power_of_two();
    let step = (granule as usize).max(1);
    let order = second.next_power_of_two().trailing_zeros();
    (0..window.pages).step_by(step).any(|page| {
        let start = window.start + (page << world.page_shift());
        let Ok(placed) = world.place(start, first, Excess::Trimmed, RULE) else {
            return false;
        };
        let mut memory = Memory::clone(&world.memory);
        memory.give(placed.start, placed.kept, Owner::Outside);
        memory.can_serve(order) == Some(false)
    })
}

/// Maps the program where the implementation shows that it did.
fn build(
    world: &mut World,
    new: Caller,
    text: &Wanted,
    plan: &Plan,
    stack_pages: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    // What cannot be seen is not known: the new space stays empty.
    if !answer.sight.contains(Sight::MAPPINGS) {
        return Ok(());
    }
    let (text_at, stack_at) = find_program(text, stack_pages, new, answer)?;
    let before = world.clone();
    let map_text = |world: &mut World| map_file::map(world, new, text, plan, text_at, answer);
    let map_stack = |world: &mut World| match stack_at {
        Some(start) => {
            let protection = Protection::READ | Protection::WRITE;
            let cleared = !world.config.uninitialized;
            map_anonymous(world, new, start, stack_pages, protection, cleared, answer)
        }
        None => Ok(()),
    };
    let Err(refusal) = map_text(world).and_then(|()| map_stack(world)) else {
        return Ok(());
    };
    // The stack may have been had first, where the text's excess is now.
    *world = before;
    map_stack(world)
        .and_then(|()| map_text(world))
        .map_err(|_| refusal)
}

/// Where the text and the stack are shown to be.
fn find_program(
    text: &Wanted,
    stack_pages: u64,
    new: Caller,
    answer: &Answer<'_>,
) -> Result<(u64, Option<u64>), Refusal> {
    let mappings = answer
        .seen
        .processes
        .iter()
        .find(|process| process.process == new.process)
        .map_or(&[][..], |process| &process.mappings);
    let object = Some(Object::File(text.file.0));
    let one = |object: Option<Object>| -> Option<&MappingView> {
        mappings.iter().find(|mapping| mapping.object == object)
    };
    let expected = 1 + usize::from(stack_pages > 0);
    let found = one(object).zip(match stack_pages {
        0 => Some(None),
        _ => one(None).map(Some),
    });
    match found {
        Some((text, stack)) if mappings.len() == expected => {
            Ok((text.start, stack.map(|stack| stack.start)))
        }
        _ => Err(refuse(
            &[RULE],
            match stack_pages {
                0 => "mapped is only: the program".to_owned(),
                _ => "mapped are only: the program and its stack".to_owned(),
            },
            format!("{} mappings", mappings.len()),
        )),
    }
}
