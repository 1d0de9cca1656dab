//! Divergences that are the same.

use super::shape;
use crate::lockstep::Divergence;
use crate::trace::Trace;
use nommu_model::op::Operation;
use nommu_model::world::World;

/// What makes two divergences one class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The rule that is broken most clearly.
    rule: String,
    /// The shape of the operation; empty where there is none.
    pub(super) shape: String,
    /// How the operation ended: an error's name, the words of a crash, or that it was done.
    ending: String,
    /// Whether the implementation ended, or complained, rather than answered.
    pub(super) is_crash: bool,
}

impl Key {
    /// The key of a divergence, at an operation on a world.
    pub fn new(divergence: &Divergence, world: &World, operation: Option<&Operation>) -> Self {
        let rule = divergence.rules.first();
        Self {
            rule: rule.map_or(String::new(), |rule| rule.id.clone()),
            shape: operation.map_or(String::new(), |operation| shape::of(world, operation)),
            ending: divergence.ending(),
            is_crash: divergence.crashed,
        }
    }

    /// Whether another breaks the same rule and ends alike.
    pub(super) fn is_like(&self, other: &Key) -> bool {
        (&self.rule, &self.ending) == (&other.rule, &other.ending)
    }
}

/// Divergences of one class.
#[derive(Clone, Debug)]
pub struct Class {
    /// The deviations that it is known as; none if it is new.
    pub known: Vec<String>,
    /// How often it was seen.
    pub times: u64,
    /// Operations that were performed when it was seen first.
    pub after: u64,
    /// The trace of the campaign that showed it first.
    pub number: u64,
    /// How many operations that trace had up to it.
    pub found: usize,
    /// The plainest trace that shows it.
    pub trace: Trace,
    /// What happens at its end.
    pub divergence: Divergence,
    /// Whether something leaks then.
    pub(super) leaks: bool,
}
