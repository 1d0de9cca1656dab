//! Whether an operation can be performed at all.

use super::World;
use crate::op::Operation;

/// An operation that no target is asked to perform in this world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPerformable {
    /// Why.
    pub reason: String,
}

impl World {
    /// Whether targets are asked to perform an operation here. A process that is dead or
    /// suspended calls nothing; lockstep leaves such operations out, on all targets alike.
    ///
    /// # Errors
    ///
    /// With the reason why not.
    pub fn performable(&self, operation: &Operation) -> Result<(), NotPerformable> {
        let _ = operation;
        Ok(())
    }
}
