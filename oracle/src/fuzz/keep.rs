//! From an input that crashes to a regression.
//!
//! Where the input makes a trace, the trace is minimised and kept: it means the same when the
//! generator has changed. Any other input is kept as it is, as short as it can be.

use super::shrink::shrink;
use super::{Crash, Harness};
use crate::finding::Finding;
use crate::findings::{self, Filed, NotFiled};
use crate::lockstep::{Divergence, Lockstep};
use crate::minimise::{Proof, minimise, normalise};
use crate::target::engine::{EngineTarget, panics};
use crate::target::factory::TargetName;
use crate::target::{Target, TargetError};
use crate::trace::Trace;
use nommu_model::op::Operation;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// What was made of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: nothing is wrong with it.
    Nothing,
    /// A trace of so many operations.
    Trace(Filed, usize),
    /// An input of so many bytes.
    Input(Filed, usize),
}

impl std::fmt::Display for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = |filed: &Filed| match filed {
            Filed::New(path) => format!("kept as {}", path.display()),
            Filed::Known(path) => format!("known already as {}", path.display()),
        };
        match self {
            Kept::Nothing => formatter.write_str("nothing is wrong with it"),
            Kept::Trace(filed, count) => write!(formatter, "{}: {count} operations", words(filed)),
            Kept::Input(filed, count) => write!(formatter, "{}: {count} bytes", words(filed)),
        }
    }
}

/// Why an input could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// It could not be written.
    #[error(transparent)]
    NotFiled(#[from] NotFiled),
    /// It could not be judged.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// Judges an input once more, and keeps what crashes below a folder: a minimised trace in it,
/// or the bytes in `inputs/` and the harness's name.
///
/// # Errors
///
/// When nothing can be written there.
pub fn keep(harness: Harness, input: &[u8], folder: &Path) -> Result<Kept, NotKept> {
    let (trace, words) = match harness.try_judge(input) {
        Ok(()) => return Ok(Kept::Nothing),
        Err(Crash::Diverged(trace, divergence)) => {
            let mut lockstep = Lockstep::new(EngineTarget::new());
            return keep_divergence(&mut lockstep, harness, *trace, *divergence, folder);
        }
        Err(Crash::Broke(words, trace)) => (trace, words),
    };
    match trace {
        Some(trace) => keep_panic(EngineTarget::new, harness, &trace, &words, folder),
        None => keep_input(
            |some| harness.try_judge(some),
            harness,
            input,
            &words,
            folder,
        ),
    }
}

/// Minimises a trace that diverges, and keeps it.
pub(super) fn keep_divergence<T: Target>(
    lockstep: &mut Lockstep<T>,
    harness: Harness,
    trace: Trace,
    divergence: Divergence,
    folder: &Path,
) -> Result<Kept, NotKept> {
    let failure = trace.header.failure;
    let (trace, divergence, length) = match minimise(lockstep, &trace, &[], failure)? {
        // It does not diverge again: what was seen is all there is.
        None => (trace, divergence, Proof::Unknown),
        Some(minimised) => {
            let mut trace = minimised.trace;
            trace.header.failure = minimised.failure;
            let length = Proof::of_single(&trace);
            (trace, minimised.divergence, length)
        }
    };
    let origin = format!("fuzzing {harness}");
    let finding = Finding::new(&TargetName::Engine, trace, divergence, length, &origin);
    let filed = findings::file(folder, finding.stem(), &finding.trace)?;
    Ok(Kept::Trace(filed, finding.operations))
}

/// Keeps a trace on which something panics beside a target, with as few operations as still make
/// it panic there.
pub(super) fn keep_panic<T: Target>(
    target: impl Fn() -> T,
    harness: Harness,
    trace: &Trace,
    words: &str,
    folder: &Path,
) -> Result<Kept, NotKept> {
    let header = &trace.header;
    let config = header.config(Vec::new());
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let fewer = shrink(&operations, |some| {
        let some = normalise(some, header.processes);
        let run = || {
            let mut lockstep = Lockstep::new(target());
            lockstep.reset(&config)?;
            lockstep.target_mut().fail_allocation(header.failure);
            (some.iter()).try_for_each(|operation| lockstep.step(operation).map(drop))
        };
        panics::watch(run).is_err_and(|other| place(&other) == place(words))
    });
    let mut kept = Trace::new(header.clone(), normalise(&fewer, header.processes));
    let said = words.lines().next().unwrap_or_default();
    kept.closing = vec![
        format!("It {said}."),
        format!("Found by fuzzing {harness}."),
    ];
    let filed = findings::file(folder, "panic", &kept.to_string())?;
    Ok(Kept::Trace(filed, kept.lines.len()))
}

/// Keeps an input with as few bytes as still crash there, as a judge says.
pub(super) fn keep_input(
    judge: impl Fn(&[u8]) -> Result<(), Crash>,
    harness: Harness,
    input: &[u8],
    words: &str,
    folder: &Path,
) -> Result<Kept, NotKept> {
    let fewer = shrink(
        input,
        |some| matches!(judge(some), Err(Crash::Broke(other, _)) if place(&other) == place(words)),
    );
    Ok(Kept::Input(
        keep_bytes(harness, &fewer, folder)?,
        fewer.len(),
    ))
}

/// Keeps an input as it is: one that takes too long, or too much memory, to be judged again.
///
/// # Errors
///
/// When it cannot be written.
pub fn keep_bytes(harness: Harness, input: &[u8], folder: &Path) -> Result<Filed, NotFiled> {
    let folder = folder.join("inputs").join(harness.name());
    findings::file_bytes(&folder, &format!("{:016x}", xxh3_64(input)), input)
}

/// What stays the same when a crash is made smaller: where it panicked, or which law it broke.
fn place(words: &str) -> &str {
    words.split([':', '\n']).next().unwrap_or_default()
}
