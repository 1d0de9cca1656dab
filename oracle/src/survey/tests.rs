//! Surveys of an implementation that is wrong in ways that are known here.

use super::*;
use crate::target::engine::EngineTarget;
use crate::target::{TargetError, Touched};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Call;
use nommu_model::outcome::{Errno, Outcome};
use nommu_model::world::config::Config;
use std::cell::Cell;

/// The engine, but a fork is refused with the wrong error, and waking waiters ends it.
struct Wrong<'a> {
    engine: EngineTarget,
    /// Resets until it cannot be run any more.
    left: Cell<u64>,
    /// What is set after as many operations.
    stops: Option<(u64, &'a AtomicBool)>,
}

impl Wrong<'_> {
    fn new() -> Self {
        Self {
            engine: EngineTarget::new(),
            left: Cell::new(u64::MAX),
            stops: None,
        }
    }
}

impl Contents for Wrong<'_> {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        self.engine.memory(address, bytes)
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        self.engine.file(number, offset, bytes)
    }
}

impl Target for Wrong<'_> {
    fn name(&self) -> &str {
        "wrong"
    }

    fn sight(&self) -> Sight {
        self.engine.sight()
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        match left {
            0 => Err(TargetError {
                target: "wrong".into(),
                problem: "it is worn out".into(),
            }),
            _ => self.engine.reset(config),
        }
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        if let Some((left, stop)) = &mut self.stops {
            *left = left.saturating_sub(1);
            if *left == 0 {
                stop.store(true, Ordering::Relaxed);
            }
        }
        match operation {
            Operation::Call(_, Call::Fork { .. }) => Ok(Outcome::Error(Errno::EPERM)),
            Operation::Call(_, Call::FutexWake { .. }) => {
                Ok(Outcome::Crash("BUG: nobody wakes at 0x1234".into()))
            }
            _ => self.engine.perform(operation),
        }
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        self.engine.observe(observation)
    }

    fn touched(&mut self) -> Touched<'_> {
        self.engine.touched()
    }
}

/// What a survey lists: how each class ends, and its trace.
fn list(report: &Report) -> String {
    let mut text = String::new();
    for class in report.groups().into_iter().flatten() {
        text.push_str(&format!(
            "{} {}: {}\n",
            class.divergence.rules[0].id,
            class.divergence.ending(),
            class.length
        ));
        for operation in class.trace.lines.iter() {
            text.push_str(&format!("    {}\n", operation.to_string().trim_end()));
        }
    }
    text
}

fn plan() -> Plan {
    Plan {
        seed: 3,
        traces: Some(60),
        ..Plan::default()
    }
}

fn survey(plan: &Plan, target: Wrong<'_>, stop: &AtomicBool) -> Report {
    run(plan, &[], target, stop, |_, _| {})
}

#[test]
fn each_way_to_be_wrong_is_one_class_with_a_plain_trace() {
    let report = survey(&plan(), Wrong::new(), &AtomicBool::new(false));
    insta::assert_snapshot!(list(&report));
    assert_eq!(report.traces, 60);
    assert!(report.broke.is_none());
}

#[test]
fn one_seed_gives_one_list() {
    let lists = [0, 1].map(|_| {
        let report = survey(&plan(), Wrong::new(), &AtomicBool::new(false));
        let times: Vec<u64> = report.classes.iter().map(|class| class.times).collect();
        (list(&report), times, report.tally.performed)
    });
    assert_eq!(lists[0], lists[1]);
}

#[test]
fn what_was_found_is_listed_when_it_is_stopped() {
    let stop = AtomicBool::new(false);
    let target = Wrong {
        stops: Some((4000, &stop)),
        ..Wrong::new()
    };
    let endless = Plan {
        traces: None,
        ..plan()
    };
    let report = survey(&endless, target, &stop);
    assert!(!report.classes.is_empty());
    assert!(report.broke.is_none());
}

#[test]
fn what_was_found_is_listed_when_time_is_over_or_the_target_breaks() {
    let never = AtomicBool::new(false);
    let short = Plan {
        traces: None,
        time: Some(Duration::from_millis(300)),
        ..plan()
    };
    let started = Instant::now();
    let report = survey(&short, Wrong::new(), &never);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert!(!report.classes.is_empty());

    let target = Wrong {
        left: Cell::new(90),
        ..Wrong::new()
    };
    let report = survey(&plan(), target, &never);
    assert!(!report.classes.is_empty());
    let problem = report.broke.map(|error| error.problem);
    assert_eq!(problem.as_deref(), Some("it is worn out"));
}
