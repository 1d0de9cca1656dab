//! What can be judged: anything that performs operations and can be looked at.
//!
//! A [`Target`] answers one operation at a time.

pub mod engine;
pub mod external;
pub mod factory;
pub mod linux;
pub mod protocol;
pub mod pulse;
pub mod recorded;

use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use serde::Serialize;
use std::time::Duration;

/// An implementation, a step at a time.
pub trait Target: Contents {
    /// How reports name it, such as `engine`.
    fn name(&self) -> &str;

    /// What it can show.
    fn sight(&self) -> Sight;

    /// A system as it is asked for, without what the target cannot offer: a kernel's memory has no
    /// known place.
    fn offered(&self, config: Config) -> Config {
        config
    }

    /// Makes a fresh system, of what is [`Target::offered`].
    ///
    /// # Errors
    ///
    /// When it cannot be run, or cannot be configured so.
    fn reset(&mut self, config: &Config) -> Result<(), TargetError>;

    /// Performs one operation. What the implementation itself does wrong, up to and including
    /// dying, is an [`Outcome`], not an error.
    ///
    /// # Errors
    ///
    /// When nothing can be said about the implementation: it cannot be reached any more.
    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError>;

    /// Shows the state after the last operation, into a record whose memory is used again.
    ///
    /// # Errors
    ///
    /// As for [`Target::perform`].
    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError>;

    /// Why it broke when its memory or a file was only looked at, which [`Contents`] cannot say.
    /// Says so once. Nothing more can be performed then before [`Target::reset`].
    fn broke(&mut self) -> Option<String> {
        None
    }

    /// Which memory may have changed since this was last asked.
    fn touched(&mut self) -> Touched<'_>;

    /// Ends the trace and clears away what it made. What is left then, a sentence each: it
    /// leaked. Nothing more can be performed before [`Target::reset`].
    ///
    /// # Errors
    ///
    /// As for [`Target::perform`].
    fn leftovers(&mut self) -> Result<Vec<String>, TargetError> {
        Ok(Vec::new())
    }

    /// The next [`Target::reset`] starts it from the very beginning, where that is more than a
    /// reset: what was done in it may have left behind what cannot be seen.
    fn begin_afresh(&mut self) {}

    /// What it took to run it so far, where that is more than calling functions.
    fn effort(&self) -> Effort {
        Effort::default()
    }

    /// Whether [`Target::fail_allocation`] can be done.
    fn can_fail_allocations(&self) -> bool {
        false
    }

    /// Makes the n-th allocation from now fail; 1 is the next one, 0 takes it back. False
    /// where that cannot be done.
    fn fail_allocation(&mut self, n: u64) -> bool {
        let _ = n;
        false
    }

    /// Whether an allocation was made to fail during the last operation.
    fn injected_failure(&self) -> bool {
        false
    }
}

/// What it took to run a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Effort {
    /// Starts from the very beginning, such as a machine's.
    pub boots: u64,
    /// Starts by copying what was started before.
    pub copies: u64,
    /// Starts by putting back what it was when it was started.
    pub put_back: u64,
    /// Time for these.
    pub starting: Duration,
    /// Fresh systems without a start, and ends of what was there.
    pub resets: u64,
    /// Time for them.
    pub resetting: Duration,
    /// Operations that were performed.
    pub operations: u64,
    /// Time for them.
    pub performing: Duration,
}

impl Effort {
    /// How often it was started at a cost above that of a reset.
    pub fn starts(&self) -> u64 {
        self.boots + self.copies + self.put_back
    }
}

/// Memory that may have changed.
#[derive(Clone, Copy, Debug)]
pub enum Touched<'a> {
    /// Any of it: the target does not know.
    All,
    /// Only the pages at these addresses, in no order.
    Pages(&'a [u64]),
}

/// A target could not be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetError {
    /// Which target.
    pub target: String,
    /// What was found, and what was expected.
    pub problem: String,
}

impl std::fmt::Display for TargetError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "target {}: {}", self.target, self.problem)
    }
}

impl std::error::Error for TargetError {}
