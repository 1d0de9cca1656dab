//! The engine beside the model for a few seconds, and nothing else: what mutants of the engine
//! are judged by (`.cargo/mutants.toml`).

mod corpus;

use nommu_oracle::campaign::{self, Failures, Plan, Report};
use nommu_oracle::generate::Options;
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::replay::replay;
use nommu_oracle::target::engine::EngineTarget;
use std::ops::ControlFlow;

/// No trace of a campaign diverges.
#[track_caller]
fn check(plan: &Plan) -> Report {
    let report = campaign::run(plan, EngineTarget::new, |_| ControlFlow::Continue(()));
    let report = report.expect("the engine runs");
    if let Some(found) = &report.found {
        panic!(
            "failure={} {}\n{}",
            found.failure, found.divergence, found.trace
        );
    }
    report
}

fn plan(operations: u64, failures: Failures) -> Plan {
    Plan {
        operations: Some(operations),
        failures,
        ..Plan::default()
    }
}

#[test]
fn in_systems_of_every_size() {
    check(&plan(600_000, Failures::Some));
}

#[test]
fn where_memory_runs_out_at_once() {
    check(&Plan {
        seed: 1,
        generator: Options {
            pages: Some(4),
            page_size: Some(16),
            ..Options::default()
        },
        ..plan(300_000, Failures::Some)
    });
}

/// More pages than a word of the allocator's has bits, and more mappings than a node of a tree has
/// places.
#[test]
fn where_there_are_many_pages() {
    check(&Plan {
        seed: 3,
        generator: Options {
            length: 2000,
            pages: Some(256),
            page_size: Some(16),
            ..Options::default()
        },
        ..plan(200_000, Failures::Some)
    });
}

#[test]
fn where_every_allocation_fails_once() {
    let report = check(&Plan {
        seed: 2,
        generator: Options {
            length: 12,
            ..Options::default()
        },
        ..plan(200_000, Failures::Every)
    });
    // Where none fails there is nothing to agree on.
    assert!(report.allocations > 10 * report.traces, "{report:?}");
}

#[test]
fn on_every_trace_that_is_kept() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    for folder in ["conformance", "regressions"] {
        for path in corpus::traces(&corpus::folder(folder)) {
            let trace = corpus::read(&path);
            let config = trace.header.config(Vec::new());
            let replayed = replay(&mut lockstep, &trace, &config, |_, _, _| {});
            if let Some(divergence) = replayed.expect("the engine runs").divergence {
                panic!("{} {divergence}", path.display());
            }
        }
    }
}
