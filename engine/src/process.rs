//! Processes: how they come, what they hold, how they go.

use crate::copy::clone_in_place;
use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::memory::Memory;
use crate::request::{Fd, Pid};
use alloc::vec::Vec;

/// One process.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub alive: bool,
    /// Its address space, while it lives.
    pub space: u32,
    /// The child by vfork that it waits for.
    pub waits_for: Option<Pid>,
    /// The parent that waits for it.
    pub waited_by: Option<Pid>,
    pub tracer: Option<Pid>,
    /// How many processes it traces.
    pub tracees: u32,
    /// The open file of each descriptor.
    pub descriptors: Vec<Option<u32>>,
}

clone_in_place!(Process {
    alive,
    space,
    waits_for,
    waited_by,
    tracer,
    tracees,
    descriptors,
});

impl Process {
    pub fn open_file(&self, fd: Fd) -> Result<u32> {
        let descriptor = self.descriptors.get(fd.0 as usize).copied();
        descriptor.flatten().ok_or(Errno::EBADF)
    }
}

impl<M: Memory> Engine<M> {
    /// There is no fork without an MMU (line 13).
    ///
    /// # Errors
    ///
    /// `ENOSYS`, always.
    pub fn fork(&mut self, pid: Pid) -> Result<Pid> {
        self.caller(pid)?;
        Err(Errno::ENOSYS)
    }

    /// Makes a child in the same address space, and suspends the caller until the child calls
    /// exec or exits.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn vfork(&mut self, pid: Pid) -> Result<Pid> {
        let child = self.make_child(pid)?;
        self.process_mut(pid)?.waits_for = Some(child);
        self.process_mut(child)?.waited_by = Some(pid);
        Ok(child)
    }

    /// Makes a child in the same address space.
    ///
    /// # Errors
    ///
    /// `EINVAL` unless memory is to be shared (lines 13-14); `ENOMEM`.
    pub fn clone_process(&mut self, pid: Pid, shares_memory: bool) -> Result<Pid> {
        self.caller(pid)?;
        if !shares_memory {
            return Err(Errno::EINVAL);
        }
        self.make_child(pid)
    }

    /// Ends a process: its descriptors, its part of the address space, its tracing.
    ///
    /// # Errors
    ///
    /// `ESRCH` when it is not running.
    pub fn exit(&mut self, pid: Pid) -> Result<()> {
        self.caller(pid)?;
        let process = self.process_mut(pid)?;
        process.alive = false;
        let space = process.space;
        let tracer = process.tracer.take();
        let tracees = core::mem::take(&mut process.tracees);
        let descriptors = core::mem::take(&mut process.descriptors);
        for index in descriptors.into_iter().flatten() {
            self.release_open_file(index);
        }
        if let Some(tracer) = tracer
            && let Ok(tracer) = self.process_mut(tracer)
        {
            tracer.tracees -= 1;
        }
        if tracees > 0 {
            let traced = |process: &&mut Process| process.tracer == Some(pid);
            for process in self.processes.iter_mut().filter(traced) {
                process.tracer = None;
            }
        }
        self.resume_parent(pid);
        self.leave_space(space);
        Ok(())
    }

    /// The parent that a vfork suspended goes on.
    pub(crate) fn resume_parent(&mut self, child: Pid) {
        let parent = match self.processes.get_mut(child.0 as usize) {
            Some(process) => process.waited_by.take(),
            None => None,
        };
        if let Some(parent) = parent
            && let Ok(parent) = self.process_mut(parent)
        {
            parent.waits_for = None;
        }
    }

    fn make_child(&mut self, pid: Pid) -> Result<Pid> {
        let parent = self.caller(pid)?;
        let space = parent.space;
        let count = parent.descriptors.len();
        self.budget.spend()?;
        self.processes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.budget.spend()?;
        let mut descriptors = Vec::new();
        descriptors.try_reserve(count).map_err(|_| Errno::ENOMEM)?;
        descriptors.extend_from_slice(&self.process(pid)?.descriptors);
        for &index in descriptors.iter().flatten() {
            self.open_files[index].references += 1;
        }
        self.spaces[space].users += 1;
        Ok(self.add_process(space, descriptors))
    }

    /// Adds a process. Reserve first.
    pub(crate) fn add_process(&mut self, space: u32, descriptors: Vec<Option<u32>>) -> Pid {
        self.processes.push(Process {
            alive: true,
            space,
            waits_for: None,
            waited_by: None,
            tracer: None,
            tracees: 0,
            descriptors,
        });
        Pid(self.processes.len() as u32 - 1)
    }

    /// A live process.
    pub(crate) fn process(&self, pid: Pid) -> Result<&Process> {
        let process = self.processes.get(pid.0 as usize);
        process.filter(|process| process.alive).ok_or(Errno::ESRCH)
    }

    pub(crate) fn process_mut(&mut self, pid: Pid) -> Result<&mut Process> {
        let process = self.processes.get_mut(pid.0 as usize);
        process.filter(|process| process.alive).ok_or(Errno::ESRCH)
    }

    /// A process that can call: alive, and not waiting for a child.
    pub(crate) fn caller(&self, pid: Pid) -> Result<&Process> {
        let process = self.process(pid)?;
        match process.waits_for {
            None => Ok(process),
            Some(_) => Err(Errno::ESRCH),
        }
    }
}
