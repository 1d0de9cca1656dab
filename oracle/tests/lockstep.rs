//! The engine beside the model for a few seconds, and nothing else but the limits of systems that
//! are too large to run: what mutants of the engine are judged by (`.cargo/mutants.toml`).

mod corpus;

use nommu_engine::{Config, Errno};
use nommu_oracle::campaign::{self, Failures, Plan, Report};
use nommu_oracle::generate::Options;
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::replay::replay;
use nommu_oracle::target::engine::EngineTarget;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// One of the tests found something: the others need not go on, or a mutant that one of them
/// catches at once takes as long as one that lives.
static DIVERGED: AtomicBool = AtomicBool::new(false);

/// No trace of a campaign diverges.
#[track_caller]
fn check(plan: &Plan) -> Report {
    let report = campaign::run(plan, EngineTarget::new, |_| {
        match DIVERGED.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    let report = report.expect("the engine runs");
    if let Some(found) = &report.found {
        DIVERGED.store(true, Ordering::Relaxed);
        panic!(
            "failure={} {}\n{}",
            found.failure, found.divergence, found.trace
        );
    }
    let diverged = DIVERGED.load(Ordering::Relaxed);
    assert!(!diverged, "ended early: another test diverges");
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

/// Systems at the limits are too large to run. What can be asked is whether there may be such,
/// and whether the window lies so that every block in it is aligned to its size.
#[test]
fn in_systems_as_large_as_there_may_be() {
    let layout = |pages, page_size| {
        let config = Config {
            page_size,
            pages,
            ..Config::default()
        };
        config.layout()
    };
    for (pages, page_size) in [(1 << 30, 16), (3 << 20, 1 << 12), (1 << 8, 1 << 24)] {
        let layout = layout(pages, page_size).expect("there may be such");
        let span = u64::from(pages).next_power_of_two() * page_size;
        assert_eq!(layout.window_start % span, 0, "{layout:?}");
    }
    for (pages, page_size) in [((1 << 30) + 1, 16), (1, 1 << 25)] {
        assert_eq!(layout(pages, page_size), Err(Errno::EINVAL));
    }
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
                DIVERGED.store(true, Ordering::Relaxed);
                panic!("{} {divergence}", path.display());
            }
        }
    }
}
