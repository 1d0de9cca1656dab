//! Every allocation of a trace, made to fail once.
//!
//! The trace is run again and again: first its first allocation fails, then its second, to the
//! last. Each time the call that needed it has to fail with ENOMEM and to change nothing, and
//! the rest of the trace has to agree with the model.

use crate::lockstep::{Divergence, Lockstep, Stop};
use crate::target::{Target, TargetError};
use nommu_model::op::Operation;
use nommu_model::world::config::Config;

/// What a sweep came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// How many allocations were made to fail, and were dealt with as they have to be.
    pub allocations: u64,
    /// The first that is not dealt with so: which, and what happens.
    pub found: Option<(u64, Divergence)>,
}

/// Allocations of one trace at most: more would be a target that says of every step that an
/// allocation failed in it.
const LIMIT: u64 = 1 << 20;

/// Sweeps one trace, which agrees where nothing is made to fail. What is performed is counted
/// by the lockstep, all runs together.
///
/// # Errors
///
/// When the target could not be run, or its allocations cannot be made to fail.
pub fn sweep<T: Target>(
    lockstep: &mut Lockstep<T>,
    config: &Config,
    operations: &[Operation],
) -> Result<Swept, TargetError> {
    for failure in 1..=LIMIT {
        let found = match once(lockstep, config, operations, failure) {
            Ok(true) => continue,
            Ok(false) => None,
            Err(Stop::Diverged(divergence)) => Some((failure, *divergence)),
            Err(Stop::Target(error)) => return Err(error),
        };
        return Ok(Swept {
            allocations: failure - 1,
            found,
        });
    }
    Err(TargetError {
        target: lockstep.target().name().to_owned(),
        problem: format!("found {LIMIT} allocations in one trace, expected fewer"),
    })
}

/// Runs a trace with one failure. Says whether there was such an allocation.
fn once<T: Target>(
    lockstep: &mut Lockstep<T>,
    config: &Config,
    operations: &[Operation],
    failure: u64,
) -> Result<bool, Stop> {
    lockstep.reset(config)?;
    if !lockstep.target_mut().fail_allocation(failure) {
        return Err(Stop::Target(TargetError {
            target: lockstep.target().name().to_owned(),
            problem: "found allocations to be failed, expected a target that can be told to"
                .to_owned(),
        }));
    }
    let mut failed = false;
    for operation in operations {
        lockstep.step(operation)?;
        failed |= lockstep.target().injected_failure();
    }
    lockstep.finish()?;
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockstep::tests::faulty::{Fault, Faulty};
    use crate::target::engine::EngineTarget;
    use crate::trace::Trace;

    const TRACE: &[u8] = b"#! nommu-trace v1 page=64 pages=16\n\
        p0  f0 = open(\"/ram/a\", create|rw)\n\
        p0  ftruncate(f0, 0xc0)\n\
        p0  m0 = mmap(len=0xc0, prot=rw, flags=shared, fd=f0)\n\
        p0  m1 = mmap(len=0x100, prot=rw, flags=private)\n\
        p0  munmap(m1+0x40, 0x40)\n\
        p0  s0 = shmget(key=1, size=0x80, create)\n\
        p0  m2 = shmat(s0)\n\
        p1  = vfork(p0)\n\
        p1  exec(\"/rom/a\", stack=0x80)\n";

    fn swept<T: Target>(target: T) -> Result<Swept, TargetError> {
        let trace = Trace::parse("test", TRACE).expect("a sound trace");
        let operations: Vec<Operation> = trace.operations().cloned().collect();
        let config = trace.header.config(Vec::new());
        sweep(&mut Lockstep::new(target), &config, &operations)
    }

    #[test]
    fn every_allocation_of_a_trace_may_fail() {
        let swept = swept(EngineTarget::new()).expect("it can be run");
        assert_eq!(swept.found, None);
        assert!(swept.allocations > 9, "{swept:?}");
    }

    #[test]
    fn what_leaks_when_an_allocation_fails_is_found() {
        let swept = swept(Faulty::new(Fault::LeakOnFailure)).expect("it can be run");
        let (failure, divergence) = swept.found.expect("it leaks");
        assert_eq!(failure, swept.allocations + 1);
        let rules: Vec<&str> = divergence.rules.iter().map(|rule| &*rule.id).collect();
        assert!(rules.contains(&"pages-conserved"), "{divergence}");
    }
}
