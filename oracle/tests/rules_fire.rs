//! Rules can say no. Each step of the conformance corpus is shown to them as an implementation
//! would have made it that did something else, in many small ways: the rule a trace is for
//! holds on what was done, and is broken by one of these.

mod corpus;
mod tamper;

use nommu_model::observation::Observation;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::rules::{self, Kinds, Rule, Step, Verdict};
use nommu_model::world::World;
use nommu_oracle::lockstep::{Lockstep, Step as Done};
use nommu_oracle::target::Target;
use nommu_oracle::target::engine::EngineTarget;
use std::collections::BTreeMap;
use tamper::{Flipped, Tampering};

/// One step as it was made.
struct Made<'a> {
    before: &'a World,
    operation: &'a Operation,
    outcome: &'a Outcome,
    after: &'a World,
    seen: &'a Observation,
    target: &'a EngineTarget,
    injected: bool,
}

impl Made<'_> {
    /// What an implementation would have made of it that did otherwise.
    fn tampered(&self, tampering: &Tampering) -> (Outcome, World) {
        let sight = self.target.sight();
        let mut outcome = self.outcome.clone();
        let world = match tampering {
            Tampering::Outcome(other) => {
                outcome = other.clone();
                self.after.clone()
            }
            Tampering::Nothing(other) => {
                outcome = other.clone();
                self.before.clone()
            }
            Tampering::Seen(_, seen) => self.after.as_seen(seen, sight, self.target),
            Tampering::Other(_, other, seen) => {
                outcome = other.clone();
                self.after.as_seen(seen, sight, self.target)
            }
            Tampering::Byte(place) => {
                let place = Some(*place);
                let contents = Flipped {
                    contents: self.target,
                    place,
                };
                self.after.as_seen(self.seen, sight, &contents)
            }
            Tampering::Hidden(_, change) => {
                let mut world = self.after.clone();
                change(&mut world);
                world
            }
        };
        (outcome, world)
    }

    /// The rules that such an implementation breaks, the most telling first; none where a world
    /// cannot tell the difference.
    fn broken(&self, tampering: &Tampering) -> Option<Vec<&'static str>> {
        let (outcome, after) = self.tampered(tampering);
        if outcome == *self.outcome && after == *self.after {
            return None;
        }
        let step = Step::new(self.before, self.operation, &outcome, &after, self.injected);
        let kind = Kinds::of(self.operation);
        let mut broken: Vec<&Rule> = rules::all()
            .filter(|rule| rule.kinds.intersects(kind))
            .filter(|rule| matches!(rule.check(&step), Verdict::Violated(_)))
            .collect();
        broken.sort_by_key(|rule| std::cmp::Reverse(rule.rank));
        Some(broken.into_iter().map(|rule| rule.id).collect())
    }

    fn holds(&self, rule: &Rule) -> bool {
        let step = Step::new(
            self.before,
            self.operation,
            self.outcome,
            self.after,
            self.injected,
        );
        rule.kinds.intersects(Kinds::of(self.operation)) && rule.check(&step) == Verdict::Holds
    }
}

/// Shows each step of a trace that was performed, and each way to tamper with it.
fn walk(
    lockstep: &mut Lockstep<EngineTarget>,
    path: &std::path::Path,
    mut watch: impl FnMut(&Made<'_>, Vec<Tampering>),
) {
    let trace = corpus::read(path);
    lockstep
        .reset(&trace.header.config(Vec::new()))
        .expect("it starts as the model does");
    if trace.header.failure > 0 {
        lockstep.target_mut().fail_allocation(trace.header.failure);
    }
    for operation in trace.operations() {
        let last = lockstep.seen().clone();
        let Ok(Done::Performed(outcome)) = lockstep.step(operation) else {
            continue;
        };
        let made = Made {
            before: lockstep.world_before(),
            operation,
            outcome: &outcome,
            after: lockstep.world(),
            seen: lockstep.seen(),
            target: lockstep.target(),
            injected: lockstep.target().injected_failure(),
        };
        let all = tamper::tamperings(
            made.before,
            made.after,
            operation,
            &outcome,
            &last,
            made.seen,
        );
        watch(&made, all);
    }
}

/// The rules that are told apart from one that never says no.
#[test]
fn every_rule_can_be_broken() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let mut wrong = Vec::new();
    for rule in rules::all() {
        let mut fires = false;
        let folder = corpus::folder("conformance").join(rule.section);
        let paths = corpus::traces(&folder);
        let named = paths.iter().filter(|path| {
            path.file_stem()
                .is_some_and(|stem| stem.to_string_lossy().starts_with(rule.id))
        });
        for path in named {
            walk(&mut lockstep, path, |made, tamperings| {
                fires = fires
                    || made.holds(rule)
                        && tamperings.iter().any(|tampering| {
                            made.broken(tampering)
                                .is_some_and(|broken| broken.contains(&rule.id))
                        });
            });
        }
        if !fires {
            wrong.push(rule.id);
        }
    }
    assert!(
        wrong.is_empty(),
        "no way to break, where they hold in their traces: {wrong:#?}"
    );
}

/// What tampering is noticed, and by which rule first: the evidence that a divergence is put
/// down to what is broken.
#[test]
fn survey() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let mut missed: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut all: u64 = 0;
    for path in corpus::traces(&corpus::folder("conformance")) {
        walk(&mut lockstep, &path, |made, tamperings| {
            for tampering in tamperings {
                all += 1;
                if made
                    .broken(&tampering)
                    .is_some_and(|broken| broken.is_empty())
                {
                    let kind = format!("{:?} {}", Kinds::of(made.operation), words(&tampering));
                    let at = format!(
                        "{} {:?} {tampering}",
                        path.file_stem().unwrap().to_string_lossy(),
                        made.operation
                    );
                    missed.entry(kind).or_insert((0, at)).0 += 1;
                }
            }
        });
    }
    let total: u64 = missed.values().map(|(n, _)| n).sum();
    println!("{all} tamperings, {total} missed");
    for (kind, (n, at)) in missed {
        println!("{n:6} {kind}\n        {at}");
    }
}

/// A tampering without what is particular to its place.
fn words(tampering: &Tampering) -> String {
    let text = match tampering {
        Tampering::Byte(nommu_oracle::target::Place::Memory(_)) => "memory byte".to_owned(),
        Tampering::Byte(_) => "file byte".to_owned(),
        Tampering::Outcome(Outcome::Error(_)) => "other error".to_owned(),
        Tampering::Outcome(Outcome::Ok(_)) => "other ok".to_owned(),
        Tampering::Nothing(Outcome::Error(_)) => "nothing+error".to_owned(),
        Tampering::Nothing(Outcome::Ok(_)) => "nothing+ok".to_owned(),
        other => other.to_string(),
    };
    text.split(' ')
        .filter(|word| !word.bytes().any(|byte| byte.is_ascii_digit()))
        .collect::<Vec<_>>()
        .join(" ")
}
