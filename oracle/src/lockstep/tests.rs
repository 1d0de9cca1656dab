//! Faults that must be found, and changes that are none.

pub mod faulty;
mod partly;

use super::*;
use crate::campaign::{self, Failures, Plan, Shard};
use crate::generate::{Generator, Options};
use crate::minimise::minimise;
use crate::target::engine::EngineTarget;
use crate::trace::Trace;
use arbitrary::Unstructured;
use faulty::{Fault, Faulty};
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;

fn plan(operations: u64) -> Plan {
    Plan {
        seed: 3,
        operations: Some(operations),
        ..Plan::default()
    }
}

/// A campaign against the engine with a fault: the rules that are said to be broken, and the
/// minimised trace.
fn caught(fault: Fault) -> (Vec<String>, String) {
    let target = move || Faulty::new(fault);
    let report = campaign::run(&plan(200_000), target, |_| ControlFlow::Continue(()));
    let report = report.expect("the engine can be run");
    let found = report
        .found
        .unwrap_or_else(|| panic!("{fault:?} is not found"));
    let mut lockstep = Lockstep::new(target());
    let minimised = minimise(&mut lockstep, &found.trace, &[], found.failure);
    let minimised = minimised
        .expect("the engine can be run")
        .expect("it diverges again");
    (
        minimised.divergence.signature(),
        minimised.trace.to_string(),
    )
}

#[track_caller]
fn assert_caught(fault: Fault, rule: &str, most: usize) {
    let (rules, text) = caught(fault);
    assert!(rules.iter().any(|id| id == rule), "{rules:?}\n{text}");
    let operations = text.lines().count() - 1;
    assert!(operations <= most, "{operations} operations:\n{text}");
}

#[test]
fn memory_that_is_not_cleared_is_found() {
    assert_caught(Fault::Uncleared, "anonymous-cleared", 1);
}

#[test]
fn a_leak_is_found() {
    assert_caught(Fault::Leak, "munmap-releases", 2);
}

#[test]
fn a_stray_write_is_found() {
    assert_caught(Fault::StrayWrite, "others-untouched", 4);
}

#[test]
fn a_wrong_error_is_found() {
    assert_caught(Fault::WrongError, "mmap-zero-length", 1);
}

#[test]
fn a_crash_is_found() {
    let (rules, text) = caught(Fault::Crash);
    assert!(rules[0].contains("canary"), "{rules:?}");
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn the_engine_without_a_fault_agrees() {
    let target = || Faulty::new(Fault::None);
    let report = campaign::run(&plan(100_000), target, |_| ControlFlow::Continue(()));
    let report = report.expect("the engine can be run");
    if let Some(found) = report.found {
        panic!("{}\n{}", found.trace, found.divergence);
    }
}

#[test]
fn failing_allocations_change_nothing() {
    let plan = Plan {
        failures: Failures::Some,
        ..plan(200_000)
    };
    let report = campaign::run(&plan, EngineTarget::new, |_| ControlFlow::Continue(()));
    let report = report.expect("the engine can be run");
    if let Some(found) = report.found {
        panic!(
            "failure={} {}\n{}",
            found.failure, found.trace, found.divergence
        );
    }
}

/// A campaign in which every allocation fails once.
fn swept(fault: Fault) -> campaign::Report {
    let plan = Plan {
        failures: Failures::Every,
        ..plan(100_000)
    };
    let target = move || Faulty::new(fault);
    campaign::run(&plan, target, |_| ControlFlow::Continue(())).expect("the engine can be run")
}

#[test]
fn every_allocation_fails_once_and_what_leaks_is_found() {
    let report = swept(Fault::None);
    assert!(report.found.is_none());
    assert!(report.allocations > 10 * report.traces, "{report:?}");
    let found = swept(Fault::LeakOnFailure).found.expect("it leaks");
    assert!(found.failure > 0);
    // The failure alone shows it, and it is said which.
    let mut lockstep = Lockstep::new(Faulty::new(Fault::LeakOnFailure));
    let minimised = minimise(&mut lockstep, &found.trace, &[], found.failure);
    let minimised = minimised.expect("it can be run").expect("it diverges");
    assert_eq!(minimised.failure, 1);
    assert_eq!(minimised.trace.lines.len(), 1, "{}", minimised.trace);
}

/// Runs what the generator makes of bytes.
fn of_bytes(lockstep: &mut Lockstep<Faulty>, bytes: &[u8]) -> Result<(), TestCaseError> {
    let options = Options {
        length: 32,
        ..Options::default()
    };
    let mut bytes = Unstructured::new(bytes);
    let mut generator = Generator::new(&mut bytes, &options);
    let mut operations = Vec::new();
    let (bytes, operations) = (&mut bytes, &mut operations);
    campaign::drive(lockstep, &mut generator, bytes, &[], 0, operations)
        .map_err(|stop| TestCaseError::fail(stop.to_string()))
}

/// The same generator serves proptest, which shrinks the bytes.
#[test]
fn proptest_finds_a_fault_and_nothing_without() {
    let bytes = proptest::collection::vec(proptest::num::u8::ANY, 0..900);
    let run = |fault| {
        let config = proptest::test_runner::Config {
            cases: 200,
            failure_persistence: None,
            ..Default::default()
        };
        let lockstep = std::cell::RefCell::new(Lockstep::new(Faulty::new(fault)));
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
            .run(&bytes, |bytes| of_bytes(&mut lockstep.borrow_mut(), &bytes))
    };
    run(Fault::None).expect("nothing is wrong");
    let found = run(Fault::Leak).expect_err("memory leaks");
    assert!(found.to_string().contains("munmap-releases"), "{found}");
}

/// What quickcheck asks: whether the engine with a fault agrees on what some bytes make.
struct Agrees(Fault);

impl quickcheck::Testable for Agrees {
    fn result(&self, random: &mut quickcheck::Gen) -> quickcheck::TestResult {
        let bytes: Vec<u8> = quickcheck::Arbitrary::arbitrary(random);
        let mut lockstep = Lockstep::new(Faulty::new(self.0));
        match of_bytes(&mut lockstep, &bytes) {
            Ok(()) => quickcheck::TestResult::passed(),
            Err(problem) => quickcheck::TestResult::error(problem.to_string()),
        }
    }
}

/// It serves quickcheck too, and a campaign finds what that finds in as many operations.
#[test]
fn quickcheck_finds_no_more_than_a_campaign() {
    const TRACES: u64 = 200;
    let checked = |fault| {
        quickcheck::QuickCheck::new()
            .rng(quickcheck::Gen::from_size_and_seed(900, 0))
            .tests(TRACES)
            .quicktest(Agrees(fault))
    };
    assert_eq!(checked(Fault::None).ok(), Some(TRACES));
    for fault in [Fault::Leak, Fault::Uncleared, Fault::WrongError] {
        assert!(checked(fault).is_err(), "quickcheck misses {fault:?}");
        let plan = plan(TRACES * 32);
        let report = campaign::run(
            &plan,
            move || Faulty::new(fault),
            |_| ControlFlow::Continue(()),
        );
        let found = report.expect("the engine can be run").found;
        assert!(found.is_some(), "a campaign misses {fault:?}");
    }
}

/// What is said does not depend on how many threads there are.
#[test]
fn one_thread_and_two_say_the_same() {
    let said = |jobs: usize, fault: Fault| {
        let plan = Plan {
            jobs: NonZeroUsize::new(jobs).expect("it is not 0"),
            failures: Failures::Some,
            ..plan(30_000)
        };
        let mut told = Vec::new();
        let report = campaign::run(
            &plan,
            move || Faulty::new(fault),
            |progress| {
                told.push((progress.traces, progress.tally.clone()));
                ControlFlow::Continue(())
            },
        );
        let report = report.expect("the engine can be run");
        (told, format!("{report:?}"))
    };
    for fault in [Fault::None, Fault::Rare] {
        assert!(said(1, fault) == said(2, fault), "{fault:?}");
    }
}

#[test]
fn shards_are_parts_of_the_whole() {
    let traces = |index, count| {
        let mut seen = Vec::new();
        let mut lockstep = Lockstep::new(EngineTarget::new());
        for number in (index..12).step_by(count) {
            let (header, operations, _) =
                campaign::trace_of(&plan(0), number as u64, &mut lockstep);
            seen.push(Trace::new(header, operations).to_string());
        }
        seen
    };
    let mut parts = [traces(0, 2), traces(1, 2)].concat();
    let mut whole = traces(0, 1);
    parts.sort();
    whole.sort();
    assert_eq!(parts, whole);
    whole.dedup();
    assert_eq!(whole.len(), 12, "every trace is another");
}

/// What is counted in the shards of so many traces is what is counted in all of them.
#[test]
fn shards_count_what_the_whole_does() {
    let counted = |index, count| {
        let plan = Plan {
            shard: Shard {
                index,
                count: NonZeroU64::new(count).expect("it is not 0"),
            },
            operations: None,
            traces: Some(203),
            ..plan(0)
        };
        let report = campaign::run(&plan, EngineTarget::new, |_| ControlFlow::Continue(()));
        let report = report.expect("the engine can be run");
        (report.traces, report.tally)
    };
    let (traces, whole) = counted(0, 1);
    assert_eq!(traces, 203);
    let mut sum = (0, Tally::default());
    for index in 0..4 {
        let (traces, tally) = counted(index, 4);
        sum.0 += traces;
        sum.1.merge(&tally);
    }
    assert_eq!(sum, (traces, whole));
    assert_eq!(
        counted(250, 300).0,
        0,
        "there may be more shards than traces"
    );
}

#[test]
fn a_divergence_says_what_happened() {
    let mut lockstep = Lockstep::new(Faulty::new(Fault::Uncleared));
    let text = "#! nommu-trace v1 page=64 pages=4\n\
        p0  m0 = mmap(len=0x40, prot=rw, flags=private)\n";
    let trace = Trace::parse("test", text.as_bytes()).expect("a sound trace");
    let config = trace.header.config(Vec::new());
    let stop = lockstep.run(&config, trace.operations());
    let Err(Stop::Diverged(divergence)) = stop else {
        panic!("{stop:?}");
    };
    insta::assert_snapshot!(divergence);
    insta::assert_snapshot!(
        "for_programs",
        serde_json::to_string_pretty(&divergence).expect("it is plain data")
    );
}
