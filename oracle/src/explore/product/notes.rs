//! What steps were examples of: so that a scope that is too small to say anything says so.

use crate::lockstep::{OperationKind, OutcomeClass};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;

/// Something that a step was an example of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A kind of operation had a kind of answer.
    Outcome(OperationKind, OutcomeClass),
    /// A rule applied and held: its place among all.
    Rule(usize),
}

/// More kinds of operations than there are.
const KINDS: usize = 64;
/// More rules than there are.
const RULES: usize = 512;
const OUTCOMES: usize = KINDS * OutcomeClass::COUNT;

impl Note {
    /// Notes are numbered below this.
    pub const COUNT: usize = OUTCOMES + RULES;

    /// What was answered to an operation.
    pub fn of(operation: &Operation, outcome: &Outcome) -> Self {
        Note::Outcome(OperationKind::of(operation), OutcomeClass::of(outcome))
    }

    /// Its number.
    pub fn number(self) -> usize {
        match self {
            Note::Outcome(operation, outcome) => {
                operation.number() * OutcomeClass::COUNT + outcome.number()
            }
            Note::Rule(place) => OUTCOMES + place,
        }
    }

    /// The one with this number.
    pub fn numbered(number: usize) -> Self {
        match number.checked_sub(OUTCOMES) {
            Some(place) => Note::Rule(place),
            None => Note::Outcome(
                OperationKind::numbered(number / OutcomeClass::COUNT),
                OutcomeClass::numbered(number % OutcomeClass::COUNT),
            ),
        }
    }
}
