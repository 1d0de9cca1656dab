//! Descriptors: pipe, socket, close and dup.

use super::due::Due;
use super::{Answer, Caller, Refusal, done};
use crate::op::{Descriptor, Process};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::process::{OpenFile, OpenFileNumber, OpenTarget};

const RULE: &str = "descriptor-errors";

pub(super) fn pipe(
    world: &mut World,
    caller: Caller,
    reading: Descriptor,
    writing: Descriptor,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let Some(value) = Due::default().judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    for (name, writable) in [(reading, false), (writing, true)] {
        let end = OpenFile {
            target: OpenTarget::Pipe,
            readable: !writable,
            writable,
            descriptors: 0,
        };
        world.add_descriptor(caller.process, name, end);
    }
    Ok(())
}

pub(super) fn socket(
    world: &mut World,
    caller: Caller,
    result: Descriptor,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let Some(value) = Due::default().judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    let socket = OpenFile {
        target: OpenTarget::Socket,
        readable: true,
        writable: true,
        descriptors: 0,
    };
    world.add_descriptor(caller.process, result, socket);
    Ok(())
}

pub(super) fn close(
    world: &mut World,
    caller: Caller,
    descriptor: Descriptor,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let is_open = world.opened(caller.process, descriptor).is_some();
    due.must_if(!is_open, RULE, &[Errno::EBADF]);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    world.drop_descriptor(caller.process, descriptor);
    Ok(())
}

pub(super) fn dup(
    world: &mut World,
    caller: Caller,
    result: Descriptor,
    descriptor: Descriptor,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let state = &world.processes[usize::from(caller.process.0)];
    let number = state.descriptors.get(&descriptor).copied();
    due.must_if(number.is_none(), RULE, &[Errno::EBADF]);
    let Some(value) = due.judge(answer, RULE)? else {
        return Ok(());
    };
    done(value, RULE)?;
    if let Some(number) = number {
        world.bind_descriptor(caller.process, result, number);
    }
    Ok(())
}

impl World {
    /// Opens something under a name.
    pub(super) fn add_descriptor(&mut self, process: Process, name: Descriptor, open: OpenFile) {
        let unused = self
            .open_files
            .iter()
            .position(|open| open.descriptors == 0);
        let index = unused.unwrap_or(self.open_files.len());
        if index == self.open_files.len() {
            self.open_files.push(open);
        } else {
            self.open_files[index] = open;
        }
        self.bind_descriptor(process, name, OpenFileNumber(index as u16));
    }

    /// One more name for what is open.
    fn bind_descriptor(&mut self, process: Process, name: Descriptor, number: OpenFileNumber) {
        self.open_files[usize::from(number.0)].descriptors += 1;
        // Traces bind each name once; whatever had this one is closed.
        self.drop_descriptor(process, name);
        let state = &mut self.processes[usize::from(process.0)];
        state.descriptors.insert(name, number);
    }

    /// Closes a name, and what it stood for with the last of its names.
    pub(super) fn drop_descriptor(&mut self, process: Process, name: Descriptor) {
        let state = &self.processes[usize::from(process.0)];
        if !state.descriptors.contains_key(&name) {
            return;
        }
        let state = &mut self.processes[usize::from(process.0)];
        let Some(number) = state.descriptors.remove(&name) else {
            return;
        };
        let open = &mut self.open_files[usize::from(number.0)];
        open.descriptors -= 1;
        if open.descriptors == 0
            && let Some(file) = open.target.file()
        {
            self.bury_file(file);
        }
    }
}
