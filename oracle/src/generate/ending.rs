//! The end of a trace: everything is taken down, so that what leaked is left over.

use super::{Generator, runnable};
use nommu_model::op::{Call, Operation, Process, SegmentName};
use nommu_model::world::World;

/// Operations of an end at most.
const LIMIT: usize = 200;
/// Files that exist from the start; they stay.
const BUILTIN: usize = 12;

impl Generator {
    /// The next operation of the end.
    pub(super) fn end(&mut self, world: &World) -> Option<Operation> {
        let step = self.ending.get_or_insert(0);
        *step += 1;
        if *step > LIMIT {
            return None;
        }
        let tidy = self.focus.tidy && *step < LIMIT / 2;
        let mut running = runnable(world);
        let first = running.next()?;
        let last = running.last().unwrap_or(first);
        let alone = world.processes.iter().filter(|state| state.alive).count() == 1;
        let call = self
            .taking_down(world, last, tidy, alone)
            .unwrap_or(Call::Exit);
        Some(Operation::Call(last, call))
    }

    /// Something that is still there, and that this process can take away.
    fn taking_down(
        &mut self,
        world: &World,
        process: Process,
        tidy: bool,
        alone: bool,
    ) -> Option<Call> {
        let state = world.process(process)?;
        let shared = || {
            let mut sharing = world
                .processes
                .iter()
                .map(|other| other.alive && other.space == state.space);
            sharing.by_ref().any(|shares| shares) && sharing.any(|shares| shares)
        };
        if tidy && !shared() {
            let mappings = &world.space_of(process)?.mappings;
            if let Some(mapping) = mappings.first() {
                return Some(Call::Munmap {
                    address: self.named(world, mapping.start),
                    length: mapping.end - mapping.start,
                });
            }
            if let Some((&descriptor, _)) = state.descriptors.iter().next() {
                return Some(Call::Close(descriptor));
            }
        }
        if !alone {
            return None;
        }
        let left = world.files.iter().skip(BUILTIN);
        let mut named = left.filter(|file| !file.dead);
        if let Some(path) = named.find_map(|file| file.path.clone()) {
            return Some(Call::Unlink(path));
        }
        let name = (0..self.segments).map(SegmentName).find(|&name| {
            world
                .segment_name(name)
                .is_some_and(|segment| !segment.dead && !segment.removed)
        })?;
        Some(Call::ShmRemove(name))
    }
}
