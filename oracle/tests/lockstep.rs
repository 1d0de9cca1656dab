//! The engine beside the model for a few seconds, and nothing else but the limits of systems that
//! are too large to run: what mutants of the engine are judged by (`.cargo/mutants.toml`).

mod corpus;

use nommu_engine::{Config, Errno};
use nommu_oracle::campaign::{self, Failures, Plan, Report};
use nommu_oracle::generate::Options;
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::replay::replay;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::trace::Trace;
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
            check_trace(&mut lockstep, &trace, &path.display().to_string());
        }
    }
}

/// A system that was copied to where another was goes on as it would have.
#[test]
fn in_systems_copied_halfway() {
    let mut first = Lockstep::new(EngineTarget::new());
    // What it was in one trace is still there when the next is copied to it.
    let mut second = Lockstep::new(EngineTarget::new());
    let plan = Plan {
        seed: 4,
        ..Plan::default()
    };
    for number in 0..1000 {
        let (header, operations, result) = campaign::trace_of(&plan, number, &mut first);
        let (before, after) = operations.split_at(operations.len() / 2);
        let run = || {
            result?;
            first.reset(&header.config(Vec::new()))?;
            for operation in before {
                first.step(operation)?;
            }
            second.follow(&first);
            second.begin_with(first.free_at_start());
            for operation in after {
                second.step(operation)?;
            }
            second.finish()
        };
        if let Err(stop) = run() {
            DIVERGED.store(true, Ordering::Relaxed);
            panic!("trace {number} {stop:?}");
        }
    }
}

/// So many mappings at a time that trees of them have three levels, those of one file
/// overlapping: each can be reached and goes, and what none shows any more can be cut. The
/// allocator has three levels too.
#[test]
fn where_there_are_many_mappings() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    for seed in 1..=4 {
        let text = many_mappings(seed);
        let trace = Trace::parse("many mappings", text.as_bytes()).expect("it is a trace");
        check_trace(&mut lockstep, &trace, &format!("seed {seed}"));
    }
}

/// A trace that maps parts of a file, more and more of them, and unmaps them again.
fn many_mappings(seed: u64) -> String {
    const PAGES: u64 = 256;
    const MOST: usize = 400;
    let mut state = seed;
    let mut below = |limit: u64| {
        // Any numbers will do: xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    let mut lines = vec![
        "#! nommu-trace v1 page=16 pages=8192 processes=2".to_owned(),
        "p1  ptrace_attach(p0)".to_owned(),
        "p0  f0 = open(\"/ram/a\", create|rw)".to_owned(),
        format!("p0  ftruncate(f0, {})", PAGES * 16),
    ];
    // Name, first page and pages of each that there is.
    let mut live: Vec<(usize, u64, u64)> = Vec::new();
    let mut size = PAGES;
    let mut name = 0;
    let mut grows = true;
    while grows || !live.is_empty() {
        grows &= live.len() < MOST;
        let maps = below(8) < if grows { 6 } else { 2 };
        if maps && name < 4 * MOST {
            let first = below(size);
            let pages = 1 + below((size - first).min(9));
            let protection = ["r", "rw"][below(2) as usize];
            lines.push(format!(
                "p0  m{name} = mmap(len={}, prot={protection}, flags=shared, fd=f0, off={})",
                pages * 16,
                first * 16
            ));
            live.push((name, first, pages));
            name += 1;
            continue;
        }
        if live.is_empty() {
            continue;
        }
        // Anywhere, or from the lowest on, until what is left is all at one end.
        let lowest = (0..live.len()).min_by_key(|&index| live[index].1);
        let anywhere = below(live.len() as u64) as usize;
        let chosen = match seed % 2 {
            0 => anywhere,
            _ => lowest.unwrap_or(anywhere),
        };
        let (name, _, pages) = live[chosen];
        let from = below(pages * 16);
        let rest = pages * 16 - from;
        lines.push(format!("p0  load(m{name}+{from}, {rest})"));
        lines.push(format!("p1  ptrace_peek(p0, m{name}+{from}, {rest})"));
        lines.push(format!("p0  munmap(m{name}, {})", pages * 16));
        live.swap_remove(chosen);
        let reach = live.iter().map(|(_, first, pages)| first + pages).max();
        if let Some(reach) = reach.filter(|&reach| !grows && reach < size) {
            lines.push(format!("p0  ftruncate(f0, {})", reach * 16 - 16));
            lines.push(format!("p0  ftruncate(f0, {})", reach * 16));
            size = reach;
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// A trace does not diverge.
#[track_caller]
fn check_trace(lockstep: &mut Lockstep<EngineTarget>, trace: &Trace, name: &str) {
    let config = trace.header.config(Vec::new());
    let replayed = replay(lockstep, trace, &config, |_, _, _| {});
    if let Some(divergence) = replayed.expect("the engine runs").divergence {
        DIVERGED.store(true, Ordering::Relaxed);
        panic!("{name} {divergence}");
    }
}
