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
        for path in traces_of(rule) {
            walk(&mut lockstep, &path, |made, tamperings| {
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

/// What is seen of an implementation that did otherwise breaks some rule, nearly always. What
/// is left is what an acceptor leaves open, or what a world does not know.
#[test]
fn what_is_seen_is_judged() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let (mut shown, mut missed) = (0_u64, BTreeMap::<String, u64>::new());
    for path in corpus::traces(&corpus::folder("conformance")) {
        walk(&mut lockstep, &path, |made, tamperings| {
            let seen = tamperings.iter().filter(|tampering| {
                matches!(
                    tampering,
                    Tampering::Seen(..) | Tampering::Other(..) | Tampering::Byte(_)
                )
            });
            for tampering in seen {
                if let Some(broken) = made.broken(tampering) {
                    shown += 1;
                    if broken.is_empty() {
                        let kind = Kinds::of(made.operation);
                        let what = format!("{kind:?}: {}", words(tampering));
                        *missed.entry(what).or_default() += 1;
                    }
                }
            }
        });
    }
    let all: u64 = missed.values().sum();
    assert!(shown > 10_000, "only {shown} ways to tamper");
    assert!(
        all * 100 < shown,
        "{all} of {shown} break no rule: {missed:#?}"
    );
}

/// A tampering without the numbers of its place.
fn words(tampering: &Tampering) -> String {
    let text = tampering.to_string();
    let words = text.split(' ');
    let words: Vec<&str> = words
        .filter(|word| !word.bytes().any(|byte| byte.is_ascii_digit()))
        .collect();
    words.join(" ")
}

/// In a rule's own traces, what goes wrong in this way is put down to that rule first.
#[track_caller]
fn check(rule: &str, what: &str) {
    let rule = rules::find(rule).expect("there is such a rule");
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let mut first = Vec::new();
    for path in traces_of(rule) {
        walk(&mut lockstep, &path, |made, tamperings| {
            for tampering in tamperings {
                if made.holds(rule) && words(&tampering).contains(what) {
                    first.extend(
                        made.broken(&tampering)
                            .map(|broken| broken.first().copied()),
                    );
                }
            }
        });
    }
    assert!(
        first.contains(&Some(rule.id)),
        "{what}: put down to {first:?}"
    );
}

fn traces_of(rule: &Rule) -> Vec<std::path::PathBuf> {
    let mut paths = corpus::traces(&corpus::folder("conformance").join(rule.section));
    paths.retain(|path| {
        path.file_stem()
            .is_some_and(|stem| stem.to_string_lossy().starts_with(rule.id))
    });
    paths
}

#[test]
fn what_goes_wrong_is_put_down_to_what_is_broken() {
    check("anonymous-cleared", "the byte");
    check("uninitialized-permitted", "the byte");
    check("private-copy-clears-tail", "the byte");
    check("private-read-copy", "the byte");
    check("private-write-copy", "the byte");
    check("growth-cleared", "the byte");
    check("grow-gathers-contiguous", "the byte");
    check("trim-default-aggressive", "keeps a page more");
    check("trim-disabled", "keeps nothing");
    check("trim-watermark", "keeps a page more");
    check("private-write-never-shared", "it is on what is mapped");
    check("private-read-permissions", "it is on what is mapped");
    check("private-read-reuse", "it has memory of its own");
    check("memory-file-shared", "it has memory of its own");
    check("memory-file-shared-denied", "it has memory of its own");
    check("munmap-releases", "the regions are as before");
    check("munmap-anonymous-part", "the mappings are as before");
    check("munmap-object-exact", "the mappings are as before");
    check("one-owner", "is where another is");
    check("region-users", "has a user more");
    check("pages-conserved", "is lost");
    check("driver-close-last", "told once less");
    check("driver-asked-for-address", "asked once less for an address");
    check("driver-mmap-called", "asked once less to map");
    check("sysv-shared-memory", "has one more attached");
    check("others-untouched", "the byte");
    check("exit-releases", "the mappings are as before");
    check("mremap-in-place", "ends a page later");
}
