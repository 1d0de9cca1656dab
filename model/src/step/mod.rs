//! What each operation may do: given a world, an operation and what an implementation
//! answered, the next world or a refusal.
//!
//! The model accepts, it does not predict. Where the document leaves a choice (an address, an
//! error, whether a mapping that may be direct is), the answer makes it and the model decides
//! whether that was allowed.

use crate::observation::{Contents, Observation, Sight};
use crate::op::Operation;
use crate::outcome::Outcome;
use crate::world::World;

/// Names a rule of `specs/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub &'static str);

impl std::fmt::Display for RuleId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.0)
    }
}

/// What an implementation answered to one operation, and what it showed afterwards.
#[derive(Clone, Copy)]
pub struct Answer<'a> {
    /// What it returned.
    pub outcome: &'a Outcome,
    /// What it showed, as far as `sight` says.
    pub seen: &'a Observation,
    /// What it can show.
    pub sight: Sight,
    /// Shows bytes; asked only with [`Sight::CONTENTS`], and only about what the document
    /// leaves undetermined.
    pub contents: &'a dyn Contents,
    /// Whether an allocation was made to fail during the operation.
    pub injected_failure: bool,
}

/// An answer that the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rules it breaks; none when the implementation crashed.
    pub rules: Vec<RuleId>,
    /// What would have been allowed: "allowed are only: ...".
    pub expected: String,
    /// What was answered.
    pub seen: String,
}

/// Makes one step, or says why an answer is not allowed.
///
/// The operation must be [`World::performable`].
///
/// # Errors
///
/// When the contract does not allow the answer. The world may be changed then: who needs the
/// one before keeps a copy, which costs little.
pub fn step(world: &mut World, operation: &Operation, answer: &Answer<'_>) -> Result<(), Refusal> {
    let _ = (world, operation, answer);
    todo!("the families of operations follow")
}
