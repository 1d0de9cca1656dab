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
    /// When waking waiters goes wrong.
    wakes: Wakes,
    /// Whether a fork was refused since the last reset.
    refused: bool,
    /// How many were woken in all.
    woken: u64,
}

/// When waking waiters ends the engine.
enum Wakes {
    Always,
    /// After a refused fork, which shows in nothing else.
    AfterRefusal,
    /// The fifth time, and never again.
    FifthTime,
    /// This time, and always from the sixtieth on.
    ThisTimeAndLater(u64),
}

impl Wrong<'_> {
    fn new() -> Self {
        Self {
            engine: EngineTarget::new(),
            left: Cell::new(u64::MAX),
            stops: None,
            wakes: Wakes::Always,
            refused: false,
            woken: 0,
        }
    }

    fn wake_goes_wrong(&mut self) -> bool {
        self.woken += 1;
        match self.wakes {
            Wakes::Always => true,
            Wakes::AfterRefusal => self.refused,
            Wakes::FifthTime => self.woken == 5,
            Wakes::ThisTimeAndLater(first) => self.woken == first || self.woken >= 60,
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
        self.refused = false;
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
            Operation::Call(_, Call::Fork { .. }) => {
                self.refused = true;
                Ok(Outcome::Error(Errno::EPERM))
            }
            Operation::Call(_, Call::FutexWake { .. }) if self.wake_goes_wrong() => {
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

/// How each class stands to a known deviation that a fork is refused so, and its trace.
fn standings(wakes: Wakes) -> Vec<(Standing, String)> {
    let text = "#! nommu-trace v1 page=16 pages=64 trim=1 uninitialized=no profile=documented\n\
                p1  = fork(p0)\n";
    let known = Known {
        id: "fork-not-permitted".to_owned(),
        rules: Vec::new(),
        traces: vec![Filed {
            trace: Trace::parse("fork", text.as_bytes()).expect("it is a trace"),
            record: None,
        }],
    };
    let target = Wrong {
        wakes,
        ..Wrong::new()
    };
    let never = AtomicBool::new(false);
    // A fork is rare, and waking somebody after one is rarer.
    let long = Plan {
        traces: Some(600),
        ..plan()
    };
    let report = run(&long, &[known], target, &never, |_, _| {});
    let classes = report.groups().into_iter().flatten();
    let shown = |class: &Class| {
        let lines = class.trace.lines.iter().map(|line| line.to_string());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        (class.standing.clone(), lines.join("; "))
    };
    classes.map(shown).collect()
}

#[test]
fn what_shows_only_after_a_known_deviation_is_said_to() {
    let known = vec!["fork-not-permitted".to_owned()];
    let found = standings(Wakes::AfterRefusal);
    assert_eq!(found[0].0, Standing::Known(known.clone()));
    let following = &found[1..];
    assert!(!following.is_empty());
    for (standing, trace) in following {
        assert_eq!(*standing, Standing::Follows(known.clone()), "{trace}");
    }
    // The fork that is refused stays in.
    insta::assert_snapshot!(following[0].1.replace("; ", "\n"), @"
    p0  s0 = shmget(key=1, size=0x80, create)
    p2  = vfork(p1)
    p2  s4 = shmget(key=1, size=0x49, create)
    p3  = fork(p2)
    p2  futex_wake(m14+0x20, 1)
    ");
}

#[test]
fn what_is_not_seen_again_is_said_not_to_be() {
    let found = standings(Wakes::FifthTime);
    let standing: Vec<&Standing> = found.iter().map(|(standing, _)| standing).collect();
    let known = Standing::Known(vec!["fork-not-permitted".to_owned()]);
    assert_eq!(standing, [&known, &Standing::Fleeting]);
}

#[test]
fn what_comes_back_later_is_one_class() {
    // Waking somebody at different places is told apart: one of these comes back as it was.
    for first in 1..=8 {
        let found = standings(Wakes::ThisTimeAndLater(first));
        let standing: Vec<&Standing> = found.iter().map(|(standing, _)| standing).collect();
        assert!(standing.contains(&&Standing::New), "{first}: {found:?}");
        assert!(
            !standing.contains(&&Standing::Fleeting),
            "{first}: {found:?}"
        );
    }
}
