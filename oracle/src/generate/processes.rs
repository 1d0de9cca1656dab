//! Processes, and one at the memory of another.

use super::Generator;
use super::source::Source;
use nommu_model::op::{Address, Call, Fill, Process};
use nommu_model::world::World;

impl Generator {
    /// A process of any kind, even one that never was.
    pub(super) fn anyone(
        &self,
        world: &World,
        caller: Process,
        source: &mut Source<'_, '_>,
    ) -> Process {
        if source.rarely(self.focus.strange) {
            return Process(source.below(usize::from(self.processes)) as u16);
        }
        if source.evenly() {
            return caller;
        }
        self.alive(world, source)
    }

    fn alive(&self, world: &World, source: &mut Source<'_, '_>) -> Process {
        let alive = |index: &usize| world.processes[*index].alive;
        let count = (0..world.processes.len()).filter(alive).count();
        let place = source.below(count.max(1));
        let index = (0..world.processes.len()).filter(alive).nth(place);
        Process(index.unwrap_or(0) as u16)
    }

    /// A process other than the caller, if there is one.
    pub(super) fn other(
        &self,
        world: &World,
        caller: Process,
        source: &mut Source<'_, '_>,
    ) -> Process {
        if source.rarely(self.focus.strange) {
            return self.anyone(world, caller, source);
        }
        let other = |index: &usize| {
            *index != usize::from(caller.0)
                && world.processes[*index].alive
                && world.processes[*index].tracer.is_none()
        };
        let count = (0..world.processes.len()).filter(other).count();
        if count == 0 {
            return self.anyone(world, caller, source);
        }
        let place = source.below(count);
        let index = (0..world.processes.len()).filter(other).nth(place);
        Process(index.unwrap_or(0) as u16)
    }

    /// A process that the caller traces, if there is one.
    pub(super) fn tracee(
        &self,
        world: &World,
        caller: Process,
        source: &mut Source<'_, '_>,
    ) -> Process {
        if source.rarely(self.focus.strange) {
            return self.anyone(world, caller, source);
        }
        let traced = |index: &usize| world.processes[*index].tracer == Some(caller);
        let count = (0..world.processes.len()).filter(traced).count();
        if count == 0 {
            return self.other(world, caller, source);
        }
        let place = source.below(count);
        let index = (0..world.processes.len()).filter(traced).nth(place);
        Process(index.unwrap_or(0) as u16)
    }

    /// Memory of a tracee: inside a mapping, up to its end or beyond it.
    fn remote(
        &mut self,
        world: &World,
        tracee: Process,
        source: &mut Source<'_, '_>,
    ) -> (Address, u64) {
        let (address, mut length) = self.run(world, tracee, source);
        if !self.careful && source.rarely(40) {
            let size = self.focus.header.page_size;
            length = source.pick(&[size * 4, u64::MAX, u64::MAX - size, 1 << 63, 0]);
        }
        (address, length)
    }

    pub(super) fn peek(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let tracee = self.tracee(world, process, source);
        if world
            .process(tracee)
            .is_some_and(|state| state.tracer.is_none())
            && tracee != process
            && !source.rarely(60)
        {
            return Call::PtraceAttach(tracee);
        }
        let (address, length) = self.remote(world, tracee, source);
        Call::PtracePeek {
            process: tracee,
            address,
            length,
        }
    }

    pub(super) fn poke(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let tracee = self.tracee(world, process, source);
        let (address, count) = self.remote(world, tracee, source);
        Call::PtracePoke {
            process: tracee,
            address,
            data: Fill {
                byte: self.letter(source),
                count,
            },
        }
    }

    pub(super) fn exec(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        let mut path = self.path(source);
        if path.0.starts_with("/dev") && !source.rarely(60) {
            path = nommu_model::op::Path(source.pick(&["/rom/a", "/disk/a", "/ram/a"]).into());
        }
        Call::Exec {
            path,
            stack: if source.evenly() {
                0
            } else {
                self.length(world, source)
            },
        }
    }

    /// The last process that runs rarely exits before the trace ends.
    pub(super) fn exit(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let running = world
            .processes
            .iter()
            .filter(|state| state.alive && state.waits_for.is_none())
            .count();
        let waited_for = world
            .processes
            .iter()
            .any(|state| state.alive && state.waits_for == Some(process));
        if running > 1 || waited_for || source.rarely(20) {
            Call::Exit
        } else {
            Call::Vfork {
                result: self.new_process(world),
            }
        }
    }
}
