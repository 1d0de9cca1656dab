//! What the generator has to reach, so that it cannot silently stop getting there.

use super::{Generator, Options};
use crate::campaign::{self, Plan};
use crate::lockstep::{OperationKind, OutcomeClass, Stop, Tally};
use crate::target::engine::EngineTarget;
use arbitrary::Unstructured;
use nommu_model::outcome::Errno;
use std::ops::ControlFlow;

/// Operations in which everything has to be seen.
const ENOUGH: u64 = 300_000;

fn tally() -> Tally {
    let plan = Plan {
        seed: 7,
        operations: Some(ENOUGH),
        ..Plan::default()
    };
    let report = campaign::run(&plan, EngineTarget::new, |_| ControlFlow::Continue(()));
    let report = report.expect("the engine can be run");
    if let Some(found) = report.found {
        panic!("{}\n{}", found.trace, found.divergence);
    }
    report.tally
}

#[test]
fn reaches_every_operation_outcome_and_rule() {
    let tally = tally();
    let mut missing = Vec::new();
    for kind in OperationKind::all() {
        let is_seen = |class| tally.outcome(kind, class) > 0;
        // There is no fork, and what needs an MMU does not exist either.
        let never = ["fork", "unsupported", "futex_wait"];
        if !never.contains(&kind.name()) && !is_seen(OutcomeClass::Ok) {
            missing.push(format!("{} ok", kind.name()));
        }
    }
    use Errno::*;
    let errors: [(&str, &[Errno]); 27] = [
        (
            "mmap",
            &[
                EINVAL, ENOMEM, EOVERFLOW, EBADF, EACCES, ENODEV, EBUSY, EIO, EAGAIN,
            ],
        ),
        ("munmap", &[EINVAL]),
        ("mremap", &[EINVAL, EPERM, ENOMEM]),
        ("load", &[EFAULT]),
        ("store", &[EFAULT]),
        ("open", &[ENOENT, EACCES, EISDIR, EROFS, ETXTBSY]),
        ("close", &[EBADF]),
        ("dup", &[EBADF]),
        ("read", &[EBADF, EISDIR, EINVAL, EBUSY]),
        ("write", &[EBADF, EINVAL, EFBIG, ENOSPC, ENOMEM]),
        ("ftruncate", &[EINVAL, EFBIG, ENOMEM, ETXTBSY]),
        ("truncate", &[ENOENT, EINVAL, ETXTBSY]),
        ("unlink", &[ENOENT, EACCES, EROFS]),
        ("fork", &[ENOSYS]),
        ("clone", &[EINVAL]),
        ("exec", &[ENOENT, EACCES, ENOEXEC, ENOMEM]),
        ("ptrace_attach", &[EPERM, ESRCH]),
        ("ptrace_detach", &[ESRCH]),
        ("ptrace_peek", &[ESRCH, EIO]),
        ("ptrace_poke", &[ESRCH, EIO]),
        ("shmget", &[EINVAL, ENOMEM, ENOENT, EEXIST]),
        ("shmat", &[EINVAL]),
        ("shmdt", &[EINVAL]),
        ("futex_wait", &[EAGAIN, ETIMEDOUT, EFAULT, EINVAL]),
        ("maps of a process", &[ESRCH]),
        ("unsupported", &[ENOSYS]),
        ("driver", &[EBUSY]),
    ];
    for (name, errors) in errors {
        let kind = OperationKind::all()
            .find(|kind| kind.name() == name)
            .expect("a kind of this name");
        for &errno in errors {
            if tally.outcome(kind, OutcomeClass::Error(errno)) == 0 {
                missing.push(format!("{name} {errno}"));
            }
        }
    }
    for (rule, counts) in nommu_model::rules::all().zip(&tally.rules) {
        if counts.held == 0 {
            missing.push(format!("rule {}", rule.id));
        }
    }
    assert!(missing.is_empty(), "never seen: {missing:#?}");
}

/// Most operations should have a meaning where they meet the world.
#[test]
fn most_operations_succeed() {
    let tally = tally();
    let succeeded: u64 = OperationKind::all()
        .map(|kind| tally.outcome(kind, OutcomeClass::Ok))
        .sum();
    let share = succeeded * 100 / tally.performed;
    assert!((50..95).contains(&share), "{share} percent succeed");
    let skipped: u64 = OperationKind::all()
        .map(|kind| tally.outcome(kind, OutcomeClass::Skipped))
        .sum();
    assert_eq!(skipped, 0, "no operation is made that cannot be performed");
}

/// Any bytes make a trace that ends, and that reads back from its text.
#[test]
fn any_bytes_make_a_trace() {
    fn law(bytes: Vec<u8>) -> bool {
        let options = Options {
            length: 32,
            ..Options::default()
        };
        let mut bytes = Unstructured::new(&bytes);
        let mut generator = Generator::new(&mut bytes, &options);
        let mut lockstep = crate::lockstep::Lockstep::new(EngineTarget::new());
        let mut operations = Vec::new();
        let result = campaign::drive(
            &mut lockstep,
            &mut generator,
            &mut bytes,
            &[],
            0,
            &mut operations,
        );
        if let Err(Stop::Diverged(divergence)) = result {
            panic!("{divergence}");
        }
        let trace = crate::trace::Trace::new(generator.focus().header.clone(), operations);
        let text = trace.to_string();
        let again = crate::trace::Trace::parse("law", text.as_bytes()).expect("it reads back");
        again.to_string() == text
    }
    let mut checker = quickcheck::QuickCheck::new().tests(300);
    checker = checker.rng(quickcheck::Gen::from_size_and_seed(1500, 0));
    checker.quickcheck(law as fn(Vec<u8>) -> bool);
}
