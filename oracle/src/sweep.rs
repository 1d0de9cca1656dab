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
    /// How many allocations the trace makes.
    pub allocations: u64,
    /// The first that is not dealt with as it has to be; 0 for the trace without any failure.
    pub found: Option<(u64, Divergence)>,
}

/// Sweeps one trace.
///
/// # Errors
///
/// When the target could not be run, or its allocations cannot be made to fail.
pub fn sweep<T: Target>(
    lockstep: &mut Lockstep<T>,
    config: &Config,
    operations: &[Operation],
) -> Result<Swept, TargetError> {
    let mut failure = 0;
    loop {
        match once(lockstep, config, operations, failure) {
            Ok(true) => failure += 1,
            Ok(false) => {
                return Ok(Swept {
                    allocations: failure - 1,
                    found: None,
                });
            }
            Err(Stop::Diverged(divergence)) => {
                return Ok(Swept {
                    allocations: failure,
                    found: Some((failure, *divergence)),
                });
            }
            Err(Stop::Target(error)) => return Err(error),
        }
    }
}

/// Runs a trace with one failure. Says whether there was such an allocation.
fn once<T: Target>(
    lockstep: &mut Lockstep<T>,
    config: &Config,
    operations: &[Operation],
    failure: u64,
) -> Result<bool, Stop> {
    lockstep.reset(config)?;
    if failure > 0 && !lockstep.target_mut().fail_allocation(failure) {
        return Err(Stop::Target(TargetError {
            target: lockstep.target().name().to_owned(),
            problem: "found a sweep, expected a target whose allocations can be made to fail"
                .to_owned(),
        }));
    }
    let mut failed = failure == 0;
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
    use crate::target::engine::EngineTarget;
    use crate::trace::Trace;

    #[test]
    fn every_allocation_of_a_trace_may_fail() {
        let text = b"#! nommu-trace v1 page=64 pages=16\n\
            p0  f0 = open(\"/ram/a\", create|rw)\n\
            p0  ftruncate(f0, 0xc0)\n\
            p0  m0 = mmap(len=0xc0, prot=rw, flags=shared, fd=f0)\n\
            p0  m1 = mmap(len=0x100, prot=rw, flags=private)\n\
            p0  munmap(m1+0x40, 0x40)\n\
            p0  s0 = shmget(key=1, size=0x80, create)\n\
            p0  m2 = shmat(s0)\n\
            p1  = vfork(p0)\n\
            p1  exec(\"/rom/a\", stack=0x80)\n";
        let trace = Trace::parse("test", text).expect("a sound trace");
        let operations: Vec<Operation> = trace.operations().cloned().collect();
        let mut lockstep = Lockstep::new(EngineTarget::new());
        let config = trace.header.config(Vec::new());
        let swept = sweep(&mut lockstep, &config, &operations).expect("it can be run");
        assert_eq!(swept.found, None);
        assert!(swept.allocations > operations.len() as u64, "{swept:?}");
    }
}
