//! What was ever answered: so that a scope that is too small to say anything says so.

use crate::lockstep::{OperationKind, OutcomeClass};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;

/// A kind of operation, with a kind of answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was asked.
    pub operation: OperationKind,
    /// What was answered.
    pub outcome: OutcomeClass,
}

/// More kinds of operations than there are.
const KINDS: usize = 64;

impl Note {
    /// Notes are numbered below this.
    pub const COUNT: usize = KINDS * OutcomeClass::COUNT;

    /// What a step is an example of.
    pub fn of(operation: &Operation, outcome: &Outcome) -> Self {
        Self {
            operation: OperationKind::of(operation),
            outcome: OutcomeClass::of(outcome),
        }
    }

    /// Its number.
    pub fn number(self) -> usize {
        self.operation.number() * OutcomeClass::COUNT + self.outcome.number()
    }

    /// The one with this number.
    pub fn numbered(number: usize) -> Self {
        Self {
            operation: OperationKind::numbered(number / OutcomeClass::COUNT),
            outcome: OutcomeClass::numbered(number % OutcomeClass::COUNT),
        }
    }
}
