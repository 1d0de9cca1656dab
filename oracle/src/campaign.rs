//! Many random traces, each from a fresh system.
//!
//! Trace i is a function of the seed and i alone. Threads work on batches of traces, results
//! are merged in the order of traces, and a campaign ends with the first divergence in that
//! order: what it says is the same for any number of threads.

mod runner;
#[cfg(test)]
mod tests;
mod workers;

use crate::generate::{Generator, Options};
use crate::lockstep::{Divergence, Lockstep, Stop, Tally};
use crate::target::factory::AnyTarget;
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use arbitrary::Unstructured;
use nommu_model::op::Operation;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::time::Duration;

/// What a campaign does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all choices come from.
    pub seed: u64,
    /// Which part of the traces.
    pub shard: Shard,
    /// Threads.
    pub jobs: NonZeroUsize,
    /// Ends after the trace with which so many operations were performed.
    pub operations: Option<u64>,
    /// Ends after so many of the seed's traces, of which a shard runs its part.
    pub traces: Option<u64>,
    /// Ends after so long.
    pub time: Option<Duration>,
    /// What traces are made of.
    pub generator: Options,
    /// What is accepted besides the document, by the profile.
    pub deviations: Vec<String>,
    /// Which allocations are made to fail.
    pub failures: Failures,
}

/// Which allocations are made to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failures {
    /// None.
    #[default]
    None,
    /// One in every other trace.
    Some,
    /// Each, one at a time: a trace is run once without a failure, and once for each.
    Every,
}

/// Every n-th trace: parts of one whole, which have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: u64,
    /// Of how many.
    pub count: NonZeroU64,
}

impl Shard {
    /// All traces.
    pub const WHOLE: Shard = Shard {
        index: 0,
        count: NonZeroU64::MIN,
    };

    /// The trace at this place of the part.
    pub(crate) fn number(self, place: u64) -> u64 {
        (place.wrapping_mul(self.count.get())).wrapping_add(self.index)
    }

    /// How many of so many traces are in the part.
    fn share(self, traces: u64) -> u64 {
        traces.saturating_sub(self.index).div_ceil(self.count.get())
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 0,
            shard: Shard::WHOLE,
            jobs: NonZeroUsize::MIN,
            operations: None,
            traces: None,
            time: None,
            generator: Options::default(),
            deviations: Vec::new(),
            failures: Failures::None,
        }
    }
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Traces.
    pub traces: u64,
    /// Counts of all of them.
    pub tally: &'a Tally,
}

/// What a campaign came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Traces that were run, the last one included.
    pub traces: u64,
    /// Allocations that were made to fail one at a time, where every one is.
    pub allocations: u64,
    /// Counts of all of them.
    pub tally: Tally,
    /// The first divergence.
    pub found: Option<Found>,
}

/// A trace at whose end a target diverges.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which trace.
    pub number: u64,
    /// Its operations up to the divergence.
    pub trace: Trace,
    /// Which allocation was made to fail; 0 for none.
    pub failure: u64,
    /// What went wrong.
    pub divergence: Divergence,
}

/// What is done about an operation that does not end.
pub struct Hangs<'a> {
    /// How long one may take.
    pub limit: Duration,
    /// Makes the same target where it can be ended, and ends it after that long.
    pub apart: &'a dyn Fn() -> AnyTarget,
}

/// Runs a campaign. `target` makes a target for each thread; `progress` is told after each
/// batch, in order, and can end it. An operation that never ends is waited for.
///
/// # Errors
///
/// When a target could not be run.
pub fn run<T: Target + 'static>(
    plan: &Plan,
    target: impl Fn() -> T + Send + Sync + 'static,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Report, TargetError> {
    run_to_the_end(plan, None, target, progress)
}

/// The same, where an operation that does not end is what its trace comes to.
///
/// # Errors
///
/// When a target could not be run, and when an operation does not end and does when it is
/// performed again.
pub fn run_to_the_end<T: Target + 'static>(
    plan: &Plan,
    hangs: Option<Hangs<'_>>,
    target: impl Fn() -> T + Send + Sync + 'static,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Report, TargetError> {
    workers::run(plan, hangs, target, progress)
}

/// Runs what a generator makes of bytes, to the end or to the first divergence. Everything
/// that was asked is left in `operations`.
///
/// # Errors
///
/// As [`Lockstep::step`].
pub fn drive<T: Target>(
    lockstep: &mut Lockstep<T>,
    generator: &mut Generator,
    bytes: &mut Unstructured<'_>,
    deviations: &[String],
    failure: u64,
    operations: &mut Vec<Operation>,
) -> Result<(), Stop> {
    let config = generator.focus().header.config(deviations.to_vec());
    lockstep.reset(&config)?;
    if failure > 0 {
        lockstep.target_mut().fail_allocation(failure);
    }
    while let Some(operation) = generator.next(lockstep.world(), bytes) {
        operations.push(operation);
        lockstep.step(&operations[operations.len() - 1])?;
    }
    lockstep.finish()
}

/// The bytes of a trace, and which allocation fails in it: none in every other trace.
pub(crate) fn random_bytes(seed: u64, number: u64, count: usize, bytes: &mut Vec<u8>) -> u64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    bytes.resize(count, 0);
    random.fill_bytes(bytes);
    match random.next_u32() {
        odd if odd % 2 == 1 => 1 + u64::from(odd >> 1) % 64,
        _ => 0,
    }
}

/// The trace of a number, as the engine runs it, whether it diverges or not.
pub fn trace_of(
    plan: &Plan,
    number: u64,
    lockstep: &mut Lockstep<impl Target>,
) -> (Header, Vec<Operation>, Result<(), Stop>) {
    let mut bytes = Vec::new();
    random_bytes(plan.seed, number, plan.generator.bytes(), &mut bytes);
    let mut bytes = Unstructured::new(&bytes);
    let mut generator = Generator::new(&mut bytes, &plan.generator);
    let mut operations = Vec::new();
    let result = drive(
        lockstep,
        &mut generator,
        &mut bytes,
        &plan.deviations,
        0,
        &mut operations,
    );
    (generator.focus().header.clone(), operations, result)
}
