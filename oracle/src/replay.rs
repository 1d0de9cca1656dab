//! A whole trace against a target.

use crate::lockstep::{Divergence, Lockstep, Step, Stop, Tally};
use crate::sweep::sweep;
use crate::target::engine::EngineTarget;
use crate::target::factory::TargetName;
use crate::target::pulse::{self, LIMIT};
use crate::target::{Target, TargetError};
use crate::trace::Trace;
use crate::transcript::{Answered, Entry};
use nommu_model::op::Operation;
use nommu_model::rules;
use nommu_model::world::World;
use nommu_model::world::config::Config;

/// What became of a trace.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Operations that were performed.
    pub performed: u64,
    /// What was counted.
    pub tally: Tally,
    /// Where the target did what is not allowed.
    pub divergence: Option<Divergence>,
}

/// Replays a trace. `watch` is shown the model's world before and after each step.
///
/// # Errors
///
/// When the target could not be run.
pub fn replay<T: Target>(
    lockstep: &mut Lockstep<T>,
    trace: &Trace,
    config: &Config,
    mut watch: impl FnMut(&Entry<'_>, &World, &World),
) -> Result<Replayed, TargetError> {
    let mut replayed = Replayed {
        performed: 0,
        tally: Tally::default(),
        divergence: None,
    };
    let ended = steps(lockstep, trace, config, &mut replayed, &mut watch);
    replayed.tally.merge(&lockstep.take_tally());
    match ended {
        Ok(()) => Ok(replayed),
        Err(Stop::Diverged(divergence)) => {
            replayed.divergence = Some(*divergence);
            Ok(replayed)
        }
        Err(Stop::Target(error)) => Err(error),
    }
}

/// Whether an operation of a trace does not end in this process, also where an allocation fails if
/// `failures`. What runs elsewhere is ended there.
pub fn hangs(target: &TargetName, trace: &Trace, config: &Config, failures: bool) -> bool {
    if *target != TargetName::Engine {
        return false;
    }
    let (mut trace, config) = (trace.clone(), config.clone());
    let tried = pulse::attend(LIMIT, move || {
        let mut lockstep = Lockstep::new(EngineTarget::new());
        let replayed = replay(&mut lockstep, &trace, &config, |_, _, _| {});
        if failures && replayed.is_ok_and(|replayed| replayed.divergence.is_none()) {
            let _ = replay_failures(&mut lockstep, &mut trace, &config);
        }
    });
    tried.is_none()
}

/// Replays a trace once for each of its allocations, which fails; what is performed in all of
/// them is counted. Says how many were dealt with as they have to be. The header says which one
/// was not.
///
/// # Errors
///
/// When the target could not be run, or its allocations cannot be made to fail.
pub fn replay_failures<T: Target>(
    lockstep: &mut Lockstep<T>,
    trace: &mut Trace,
    config: &Config,
) -> Result<(u64, Replayed), TargetError> {
    lockstep.take_tally();
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let swept = sweep(lockstep, config, &operations)?;
    let tally = lockstep.take_tally();
    let divergence = swept.found.map(|(failure, divergence)| {
        trace.header.failure = failure;
        divergence
    });
    let replayed = Replayed {
        performed: tally.performed,
        tally,
        divergence,
    };
    Ok((swept.allocations, replayed))
}

fn steps<T: Target>(
    lockstep: &mut Lockstep<T>,
    trace: &Trace,
    config: &Config,
    replayed: &mut Replayed,
    watch: &mut impl FnMut(&Entry<'_>, &World, &World),
) -> Result<(), Stop> {
    lockstep.take_tally();
    lockstep.reset(config)?;
    let failure = trace.header.failure;
    if failure > 0 && !lockstep.target_mut().fail_allocation(failure) {
        return Err(Stop::Target(TargetError {
            target: lockstep.target().name().into(),
            problem: format!(
                "found failure={failure} in the header, expected a target whose allocations can be made to fail"
            ),
        }));
    }
    for operation in trace.operations() {
        let answer = match lockstep.step(operation)? {
            Step::Performed(outcome) => Answered::Outcome(outcome),
            Step::Skipped(reason) => Answered::Skipped(reason.reason),
        };
        let tally = lockstep.take_tally();
        let entry = Entry {
            operation,
            answer,
            held: held(&tally),
            after: lockstep.seen(),
        };
        replayed.performed += tally.performed;
        replayed.tally.merge(&tally);
        let before = match entry.answer {
            Answered::Outcome(_) => lockstep.world_before(),
            Answered::Skipped(_) => lockstep.world(),
        };
        watch(&entry, before, lockstep.world());
    }
    lockstep.finish()
}

/// Rules that had a say and held.
fn held(tally: &Tally) -> Vec<&'static str> {
    (rules::all().zip(&tally.rules))
        .filter(|(_, counts)| counts.held > 0)
        .map(|(rule, _)| rule.id)
        .collect()
}
