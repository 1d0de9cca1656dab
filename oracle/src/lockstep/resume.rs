//! Going on from where both sides once were.

use super::Lockstep;
use crate::target::engine::{EngineTarget, Snapshot};
use nommu_model::observation::FreeBlock;
use nommu_model::world::World;

impl Lockstep<EngineTarget> {
    /// Makes both sides what they were at one moment of a run.
    pub fn resume(&mut self, world: &World, system: &Snapshot) {
        self.target.restore(system);
        self.before.clone_from(world);
        self.after.clone_from(world);
        self.steps = 0;
    }

    /// Makes both sides what those of another run are.
    pub fn follow(&mut self, other: &Self) {
        // The world before the step is kept by the step itself.
        self.target.follow(&other.target);
        self.after.clone_from(&other.after);
        self.steps = 0;
    }

    /// Whether both sides are what those of another run are, which this followed, with all that
    /// is hidden, but for what names of mappings stand for. So whoever gives addresses can go on
    /// here in its place.
    pub fn is_still(&self, before: &Self) -> bool {
        self.after.is_still(&before.after) && self.target.is_still(&before.target)
    }

    /// Free memory before the first step.
    pub fn free_at_start(&self) -> &[FreeBlock] {
        &self.initial_free.free
    }

    /// Says what memory was free before the first step, which going on does not.
    pub fn begin_with(&mut self, free: &[FreeBlock]) {
        self.initial_free.free.clear();
        self.initial_free.free.extend_from_slice(free);
    }

    /// Places among all rules of those that applied to the last step, and held.
    pub fn held(&self) -> &[u16] {
        self.judge.held()
    }

    /// The model's world, to be changed behind everybody's back.
    #[cfg(test)]
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.after
    }
}
