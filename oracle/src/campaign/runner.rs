//! Traces, one after the other.

use super::{Failures, Found, Plan, drive, random_bytes};
use crate::generate::Generator;
use crate::lockstep::{Divergence, Lockstep, Stop, Tally};
use crate::sweep::sweep;
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use arbitrary::Unstructured;
use nommu_model::op::Operation;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Traces of a batch.
pub(super) const BATCH: u64 = 16;

/// What one trace came to.
pub(super) struct TraceResult {
    pub tally: Tally,
    pub allocations: u64,
    pub stop: Option<Stopped>,
}

pub(super) enum Stopped {
    Found(Box<Found>),
    Target(TargetError),
}

/// Runs traces on one thread.
pub(super) struct Runner<'p, T> {
    plan: &'p Plan,
    pub lockstep: Lockstep<T>,
    bytes: Vec<u8>,
    operations: Vec<Operation>,
}

impl<'p, T: Target> Runner<'p, T> {
    pub fn new(plan: &'p Plan, target: T) -> Self {
        Self {
            plan,
            lockstep: Lockstep::new(target),
            bytes: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// Runs the traces at some places, up to the first that ends the campaign. Says where it is.
    pub fn traces(
        &mut self,
        places: Range<u64>,
        at: &AtomicU64,
        done: &AtomicBool,
    ) -> Vec<TraceResult> {
        let mut results = Vec::with_capacity(BATCH as usize);
        for place in places {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let number = self.plan.shard.number(place);
            if self.plan.traces.is_some_and(|traces| number >= traces) {
                break;
            }
            at.store(place, Ordering::Relaxed);
            let (allocations, stop) = self.trace(number);
            let ends = stop.is_some();
            let tally = self.lockstep.take_tally();
            results.push(TraceResult {
                tally,
                allocations,
                stop,
            });
            if ends {
                break;
            }
        }
        results
    }

    /// Runs a trace. Says how many allocations of it were made to fail one at a time, and why
    /// there is nothing more to run.
    fn trace(&mut self, number: u64) -> (u64, Option<Stopped>) {
        let options = &self.plan.generator;
        let failure = random_bytes(self.plan.seed, number, options.bytes(), &mut self.bytes);
        let failure = match self.plan.failures {
            Failures::Some => failure,
            Failures::None | Failures::Every => 0,
        };
        let mut bytes = Unstructured::new(&self.bytes);
        let mut generator = Generator::new(&mut bytes, options);
        self.operations.clear();
        let result = drive(
            &mut self.lockstep,
            &mut generator,
            &mut bytes,
            &self.plan.deviations,
            failure,
            &mut self.operations,
        );
        let header = &generator.focus().header;
        match result {
            Err(Stop::Target(error)) => (0, Some(Stopped::Target(error))),
            Err(Stop::Diverged(divergence)) => {
                (0, Some(self.found(number, header, failure, *divergence)))
            }
            Ok(()) if self.plan.failures == Failures::Every => self.sweep(number, header),
            Ok(()) => (0, None),
        }
    }

    /// Runs the last trace once for each of its allocations, which fails.
    fn sweep(&mut self, number: u64, header: &Header) -> (u64, Option<Stopped>) {
        let config = header.config(self.plan.deviations.clone());
        match sweep(&mut self.lockstep, &config, &self.operations) {
            Err(error) => (0, Some(Stopped::Target(error))),
            Ok(swept) => {
                let found = swept.found.map(|(failure, divergence)| {
                    if let Some(step) = divergence.step {
                        self.operations.truncate(step + 1);
                    }
                    self.found(number, header, failure, divergence)
                });
                (swept.allocations, found)
            }
        }
    }

    fn found(
        &mut self,
        number: u64,
        header: &Header,
        failure: u64,
        divergence: Divergence,
    ) -> Stopped {
        Stopped::Found(Box::new(Found {
            number,
            trace: Trace::new(header.clone(), self.operations.drain(..)),
            failure,
            divergence,
        }))
    }
}
