//! ptrace: a process that looks into another one's memory.

use super::access::bytes_of;
use super::due::Due;
use super::{Answer, Caller, Refusal, done, wrong_value};
use crate::op::{Address, Fill, Process, Protection};
use crate::outcome::{Errno, Value};
use crate::world::World;
use crate::world::space::{Backing, Mapping};

pub(super) fn attach(
    world: &mut World,
    caller: Caller,
    process: Process,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    match world.process(process).filter(|state| state.alive) {
        None => due.must("ptrace-permission", &[Errno::ESRCH]),
        Some(state) => {
            let forbidden = process == caller.process || state.tracer.is_some();
            due.must_if(forbidden, "ptrace-permission", &[Errno::EPERM]);
            // Two processes that trace each other: said nowhere.
            let mutual = world.processes[usize::from(caller.process.0)].tracer == Some(process);
            if mutual {
                due.may(&[Errno::EPERM]);
            }
        }
    }
    let Some(value) = due.judge(answer, "ptrace-permission")? else {
        return Ok(());
    };
    done(value, "ptrace-permission")?;
    world.processes[usize::from(process.0)].tracer = Some(caller.process);
    Ok(())
}

pub(super) fn detach(
    world: &mut World,
    caller: Caller,
    process: Process,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    owe_tracee(world, caller, process, &mut due);
    let Some(value) = due.judge(answer, "ptrace-permission")? else {
        return Ok(());
    };
    done(value, "ptrace-permission")?;
    world.processes[usize::from(process.0)].tracer = None;
    Ok(())
}

pub(super) fn peek(
    world: &World,
    caller: Caller,
    process: Process,
    address: Address,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    const RULE: &str = "ptrace-within-mapping";
    let start = world.address(address);
    let mut due = Due::default();
    owe_tracee(world, caller, process, &mut due);
    let outside = length > 0 && mappings_at(world, process, start).next().is_none();
    due.must_if(outside, RULE, &[Errno::EIO]);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    // A look ends with the mapping; of several that begin here, with any of them.
    let mut allowed = mappings_at(world, process, start)
        .map(|mapping| (mapping, length.min(mapping.end - start)));
    let fits = |of: u64| matches!(value, Value::Bytes(bytes) if bytes.len() as u64 == of);
    let first = allowed.clone().next();
    match allowed.find(|&(_, most)| fits(most)).or(first) {
        Some((mapping, most)) if length > 0 => {
            let bytes = bytes_of(value, most, RULE)?;
            world.holds(mapping, start, bytes, RULE)
        }
        _ => bytes_of(value, 0, RULE).map(|_| ()),
    }
}

pub(super) fn poke(
    world: &mut World,
    caller: Caller,
    process: Process,
    address: Address,
    data: Fill,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    const RULE: &str = "ptrace-within-mapping";
    let start = world.address(address);
    let mut due = Due::default();
    owe_tracee(world, caller, process, &mut due);
    if data.count > 0 {
        let mut here = mappings_at(world, process, start).peekable();
        if here.peek().is_none() {
            due.must(RULE, &[Errno::EIO]);
        } else if here.clone().all(|mapping| !world.takes_pokes(mapping)) {
            due.must("ptrace-permission", &[Errno::EIO]);
        } else if here.any(|mapping| !world.takes_pokes(mapping)) {
            due.may(&[Errno::EIO]);
        }
    }
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    let Value::Count(count) = *value else {
        return Err(wrong_value(value, "a count", RULE));
    };
    let chosen = {
        let mut allowed = mappings_at(world, process, start)
            .filter(|mapping| world.takes_pokes(mapping))
            .map(|mapping| (*mapping, data.count.min(mapping.end - start)));
        let first = allowed.clone().next();
        allowed.find(|&(_, most)| most == count).or(first)
    };
    let most = chosen.map_or(0, |(_, most)| most);
    if count != most {
        return Err(wrong_value(value, &format!("a count of {most}"), RULE));
    }
    if let Some((mapping, count)) = chosen {
        world.fill(&mapping, start, Fill { count, ..data }, answer);
    }
    Ok(())
}

fn owe_tracee(world: &World, caller: Caller, process: Process, due: &mut Due) {
    let is_tracee = world
        .process(process)
        .is_some_and(|state| state.alive && state.tracer == Some(caller.process));
    due.must_if(!is_tracee, "ptrace-permission", &[Errno::ESRCH]);
}

/// The mappings of a process that show an address.
fn mappings_at(
    world: &World,
    process: Process,
    address: u64,
) -> impl Iterator<Item = &Mapping> + Clone {
    world
        .space_of(process)
        .into_iter()
        .flat_map(|space| &space.mappings)
        .filter(move |mapping| mapping.contains(address, 1))
}

impl World {
    /// Whether a tracer may write through a mapping: into private memory whatever its
    /// protection, into an object only where the mapping is writable.
    fn takes_pokes(&self, mapping: &Mapping) -> bool {
        match mapping.backing {
            Backing::Region(_) => true,
            Backing::Direct => {
                mapping.protection.contains(Protection::WRITE) && self.takes_stores(mapping)
            }
        }
    }
}
