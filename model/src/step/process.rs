//! fork, vfork, clone and exit (lines 12-14).

use super::due::Due;
use super::exec::fresh_space;
use super::{Answer, Caller, Refusal, done};
use crate::op::{Call, Process};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::process::ProcessState;
use crate::world::shared::Shared;
use crate::world::space::SpaceNumber;

/// Line 13: there is no fork.
pub(super) fn fork(
    world: &mut World,
    caller: Caller,
    call: &Call,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    if world.config.deviates("clone-without-vm-accepted") {
        due.may(&[Errno::ENOSYS, Errno::EINVAL]);
    } else {
        due.must("no-fork", &[Errno::ENOSYS, Errno::EINVAL]);
    }
    match due.judge(answer, "no-fork")? {
        Some(value) => {
            done(value, "no-fork")?;
            let space = fresh_space(world);
            add_child(world, caller, space);
        }
        None => name_child(world, call),
    }
    Ok(())
}

/// Uses up the name of a child that was not made.
pub(super) fn name_child(world: &mut World, call: &Call) {
    if let Call::Fork { .. } | Call::Vfork { .. } | Call::Clone { .. } = call {
        world.processes.push(ProcessState {
            alive: false,
            space: SpaceNumber(0),
            waits_for: None,
            tracer: None,
            descriptors: Shared::default(),
        });
    }
}

pub(super) fn vfork(
    world: &mut World,
    caller: Caller,
    result: Process,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let Some(value) = Due::default().judge(answer, "clone-shares-memory")? else {
        return Ok(());
    };
    done(value, "clone-shares-memory")?;
    add_child(world, caller, caller.space);
    world.processes[usize::from(caller.process.0)].waits_for = Some(result);
    Ok(())
}

pub(super) fn clone(
    world: &mut World,
    caller: Caller,
    result: Process,
    shares_memory: bool,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    // Lines 13-14.
    if !shares_memory {
        if world.config.deviates("clone-without-vm-accepted") {
            due.may(&[Errno::EINVAL, Errno::ENOSYS]);
        } else {
            due.must("clone-shares-memory", &[Errno::EINVAL, Errno::ENOSYS]);
        }
    }
    match due.judge(answer, "clone-shares-memory")? {
        Some(value) => {
            done(value, "clone-shares-memory")?;
            let space = match shares_memory {
                true => caller.space,
                // Linux copies an address space by making an empty one.
                false => fresh_space(world),
            };
            add_child(world, caller, space);
        }
        None => name_child(
            world,
            &Call::Clone {
                result,
                shares_memory,
            },
        ),
    }
    Ok(())
}

/// Adds a process in an address space, with a copy of the caller's descriptors.
fn add_child(world: &mut World, caller: Caller, space: SpaceNumber) {
    let parent = &world.processes[usize::from(caller.process.0)];
    let child = ProcessState {
        alive: true,
        space,
        waits_for: None,
        tracer: None,
        descriptors: parent.descriptors.clone(),
    };
    if !child.descriptors.is_empty() {
        let open_files = &mut *world.open_files;
        for number in child.descriptors.values() {
            open_files[usize::from(number.0)].descriptors += 1;
        }
    }
    world.processes.push(child);
}

pub(super) fn exit(world: &mut World, caller: Caller, answer: &Answer<'_>) -> Result<(), Refusal> {
    let Some(value) = Due::default().judge(answer, "exit-releases")? else {
        return Ok(());
    };
    done(value, "exit-releases")?;
    let state = &mut world.processes[usize::from(caller.process.0)];
    state.waits_for = None;
    state.tracer = None;
    let names: Vec<_> = state.descriptors.keys().copied().collect();
    for name in names {
        world.drop_descriptor(caller.process, name);
    }
    let processes = &mut *world.processes;
    processes[usize::from(caller.process.0)].alive = false;
    for process in processes {
        if process.tracer == Some(caller.process) {
            process.tracer = None;
        }
    }
    world.resume_parent(caller.process);
    world.leave_space(caller.space);
    Ok(())
}

impl World {
    /// The address space of a live process.
    pub(super) fn live_space(&self, process: Process) -> Option<SpaceNumber> {
        let state = self.process(process)?;
        state.alive.then_some(state.space)
    }

    /// Whoever waits for a vfork child goes on.
    pub(super) fn resume_parent(&mut self, child: Process) {
        let waits = |process: &ProcessState| process.waits_for == Some(child);
        if let Some(parent) = self.processes.iter().position(waits) {
            self.processes[parent].waits_for = None;
        }
    }

    /// Empties an address space that its last process left.
    pub(super) fn leave_space(&mut self, space: SpaceNumber) {
        let is_used = self
            .processes
            .iter()
            .any(|process| process.alive && process.space == space);
        if !is_used {
            self.clear_space(space);
        }
    }
}
