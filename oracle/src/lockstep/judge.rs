//! The rules as judge over one step.

use super::divergence::BrokenRule;
use super::tally::Tally;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::World;

/// Evaluates all rules.
#[derive(Debug, Default)]
pub(super) struct Judge {}

impl Judge {
    /// Evaluates all rules on a step; returns those that it breaks.
    pub fn step(
        &mut self,
        before: &World,
        operation: &Operation,
        outcome: &Outcome,
        after: &World,
        injected_failure: bool,
    ) -> Vec<BrokenRule> {
        let _ = (before, operation, outcome, after, injected_failure);
        Vec::new()
    }

    /// Moves what was counted to a tally.
    pub fn take(&mut self, tally: &mut Tally) {
        let _ = tally;
    }
}
