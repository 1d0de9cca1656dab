//! Inputs that are traces: a byte that says which allocation fails, and what the one generator
//! makes of the rest.

use super::{Crash, Harness};
use crate::campaign::drive;
use crate::generate::{Generator, Options};
use crate::lockstep::{Lockstep, Stop};
use crate::sweep::sweep;
use crate::target::Target;
use crate::target::engine::{EngineTarget, panics};
use crate::trace::{Header, Trace};
use arbitrary::Unstructured;
use nommu_model::op::Operation;
use std::cell::RefCell;

/// Operations of a trace at most, its end not counted.
const LENGTH: usize = 32;
/// The same for traces that are run once for each allocation.
const SWEEP_LENGTH: usize = 12;

/// First bytes from here on make an allocation fail: this one the first, the next the second.
const FAILING: u8 = 192;

thread_local! {
    static LOCKSTEP: RefCell<Lockstep<EngineTarget>> =
        RefCell::new(Lockstep::new(EngineTarget::new()));
}

/// What the generator is told; nothing for a harness whose inputs are no traces.
pub fn options(harness: Harness) -> Option<Options> {
    let length = |length| Options {
        length,
        ..Options::default()
    };
    match harness {
        Harness::Lockstep => Some(length(LENGTH)),
        Harness::Sweep => Some(length(SWEEP_LENGTH)),
        Harness::LockstepTiny => Some(Options {
            pages: Some(4),
            page_size: Some(16),
            ..length(LENGTH)
        }),
        Harness::Trace | Harness::Protocol | Harness::Specs | Harness::Scope => None,
    }
}

/// Judges the engine, with what this thread keeps for it.
pub fn judge(harness: Harness, input: &[u8]) -> Result<(), Crash> {
    LOCKSTEP.with_borrow_mut(|lockstep| judge_on(lockstep, harness, input))
}

/// Judges any target.
pub fn judge_on<T: Target>(
    lockstep: &mut Lockstep<T>,
    harness: Harness,
    input: &[u8],
) -> Result<(), Crash> {
    let mut operations = Vec::new();
    let (header, ended) = perform(lockstep, harness, input, &mut operations);
    if let Err(stop) = ended {
        return Err(crash(header, operations, stop));
    }
    if harness != Harness::Sweep {
        return Ok(());
    }
    let config = header.config(Vec::new());
    match sweep(lockstep, &config, &operations) {
        Ok(swept) => match swept.found {
            None => Ok(()),
            Some((failure, divergence)) => {
                let header = Header { failure, ..header };
                let stop = Stop::Diverged(Box::new(divergence));
                Err(crash(header, operations, stop))
            }
        },
        Err(error) => Err(crash(header, operations, Stop::Target(error))),
    }
}

/// The trace of an input on which the engine or the model panicked, up to that operation.
pub fn interrupted(harness: Harness, input: &[u8]) -> Option<Trace> {
    options(harness)?;
    let mut operations = Vec::new();
    let mut header = Header::default();
    let _ = panics::watch(|| {
        let mut lockstep = Lockstep::new(EngineTarget::new());
        header = header_of(harness, input);
        let _ = perform(&mut lockstep, harness, input, &mut operations);
    });
    Some(Trace::new(header, operations))
}

/// The system that the trace of an input starts from.
fn header_of(harness: Harness, input: &[u8]) -> Header {
    let (failure, rest) = split(harness, input);
    let generator = Generator::new(
        &mut Unstructured::new(rest),
        &options(harness).unwrap_or_default(),
    );
    Header {
        failure,
        ..generator.focus().header.clone()
    }
}

/// Runs what an input makes; all that was asked is left in `operations`.
fn perform<T: Target>(
    lockstep: &mut Lockstep<T>,
    harness: Harness,
    input: &[u8],
    operations: &mut Vec<Operation>,
) -> (Header, Result<(), Stop>) {
    let (failure, rest) = split(harness, input);
    let mut bytes = Unstructured::new(rest);
    let mut generator = Generator::new(&mut bytes, &options(harness).unwrap_or_default());
    let ended = drive(
        lockstep,
        &mut generator,
        &mut bytes,
        &[],
        failure,
        operations,
    );
    let header = Header {
        failure,
        ..generator.focus().header.clone()
    };
    (header, ended)
}

/// Which allocation fails, 0 for none, and what the generator gets. A sweep fails every one.
fn split(harness: Harness, input: &[u8]) -> (u64, &[u8]) {
    match input.split_first() {
        Some((&first, rest)) if first >= FAILING && harness != Harness::Sweep => {
            (u64::from(first - FAILING) + 1, rest)
        }
        Some((_, rest)) => (0, rest),
        None => (0, &[]),
    }
}

/// The first byte of an input in which this allocation fails.
pub fn first_byte(failure: u64) -> u8 {
    match u8::try_from(failure) {
        Ok(failure) if failure > 0 => FAILING.saturating_add(failure - 1),
        _ => 0,
    }
}

fn crash(header: Header, operations: Vec<Operation>, stop: Stop) -> Crash {
    let trace = Box::new(Trace::new(header, operations));
    match stop {
        Stop::Diverged(divergence) => Crash::Diverged(trace, divergence),
        Stop::Target(error) => Crash::Broke(error.to_string(), Some(trace)),
    }
}
