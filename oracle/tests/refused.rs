//! The two statements of the contract check each other, on what kernels answered to the
//! conformance corpus (`corpus/transcripts/`) and on what they would have answered had they done
//! something else, in many small ways.
//!
//! No implementation runs here: what is judged is the judges. What one of them alone objects to,
//! and what neither does, is on record, so that neither can come to accept more unnoticed.

mod corpus;
#[allow(dead_code, reason = "not every way to tamper can be told")]
mod tamper;

use nommu_model::observation::Observation;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::rules::{self, Kinds, Step, Verdict};
use nommu_model::step::{Answer, step};
use nommu_model::world::World;
use nommu_oracle::lockstep::{Lockstep, Step as Done};
use nommu_oracle::target::Target;
use nommu_oracle::target::recorded::Recorded;
use nommu_oracle::trace::Trace;
use std::collections::BTreeMap;
use tamper::Tampering;

/// What an implementation says that did something else.
struct Told<'a> {
    outcome: Outcome,
    seen: &'a Observation,
}

/// What is told in place of what happened; nothing where only bytes differ, which are compared
/// one by one, or what cannot be seen.
fn told<'a>(
    tampering: &'a Tampering,
    outcome: &Outcome,
    last: &'a Observation,
    seen: &'a Observation,
) -> Option<Told<'a>> {
    let (outcome, seen) = match tampering {
        Tampering::Outcome(other) => (other.clone(), seen),
        Tampering::Nothing(other) => (other.clone(), last),
        Tampering::Seen(_, other) => (outcome.clone(), &**other),
        Tampering::Other(_, outcome, other) => (outcome.clone(), &**other),
        Tampering::Byte(_) | Tampering::Hidden(..) => return None,
    };
    Some(Told { outcome, seen })
}

/// What is said of one step.
struct Said {
    /// Whether the model refuses it.
    refused: bool,
    /// The rules that it breaks.
    broken: Vec<&'static str>,
}

/// Asks both.
fn ask(
    before: &World,
    after: &World,
    operation: &Operation,
    told: &Told<'_>,
    target: &Recorded,
) -> Said {
    let sight = target.sight();
    let injected = target.injected_failure();
    let answer = Answer {
        outcome: &told.outcome,
        seen: told.seen,
        sight,
        contents: target,
        injected_failure: injected,
    };
    let mut world = before.clone();
    let refused =
        step(&mut world, operation, &answer).is_err() || world.compare(told.seen, sight).is_err();
    let seen = after.as_seen(told.seen, sight, target);
    let made = Step::new(before, operation, &told.outcome, &seen, injected);
    let kind = Kinds::of(operation);
    let broken = rules::all()
        .filter(|rule| rule.kinds.intersects(kind))
        .filter(|rule| matches!(rule.check(&made), Verdict::Violated(_)))
        .map(|rule| rule.id)
        .collect();
    Said { refused, broken }
}

/// Whose answers they are.
const KERNEL: &str = "linux-6.12";

/// What is said of everything that was told, a line each, with how often.
#[derive(Default)]
struct Record {
    /// Answers that were given.
    steps: u64,
    /// What the model accepts and a rule is broken by.
    only_rules: BTreeMap<String, u64>,
    /// What nobody objects to.
    nobody: BTreeMap<String, u64>,
    /// How often the model refuses, and each rule is broken.
    refused: u64,
    broken: BTreeMap<&'static str, u64>,
    asked: u64,
}

impl Record {
    fn add(&mut self, what: String, said: &Said) {
        self.asked += 1;
        self.refused += u64::from(said.refused);
        for rule in &said.broken {
            *self.broken.entry(rule).or_default() += 1;
        }
        match (said.refused, said.broken.is_empty()) {
            (true, _) => {}
            (false, true) => *self.nobody.entry(what).or_default() += 1,
            (false, false) => {
                let what = format!("{what}: breaks {}", said.broken.join(", "));
                *self.only_rules.entry(what).or_default() += 1;
            }
        }
    }

    fn text(&self) -> String {
        let Self {
            steps,
            asked,
            refused,
            ..
        } = self;
        let mut text = format!("{steps} answers, {asked} others, {refused} refused by the model\n");
        let mut list = |title: &str, counts: &mut dyn Iterator<Item = (&str, u64)>| {
            text += &format!("\n{title}:\n");
            for (what, count) in counts {
                text += &format!("{count:6} {what}\n");
            }
        };
        let counts = |counts: &BTreeMap<String, u64>| -> Vec<(String, u64)> {
            counts
                .iter()
                .map(|(what, count)| (what.clone(), *count))
                .collect()
        };
        let broken = self.broken.iter().map(|(rule, count)| (*rule, *count));
        list("rules that are broken", &mut broken.into_iter());
        for (title, counted) in [
            ("accepted by the model only", counts(&self.only_rules)),
            ("objected to by nobody", counts(&self.nobody)),
        ] {
            list(
                title,
                &mut counted.iter().map(|(what, count)| (&**what, *count)),
            );
        }
        text
    }
}

/// Answers a trace as the kernel did, and asks of each answer and of what could have been
/// answered instead. Ends where the kernel deviates from the document.
fn judge(trace: &Trace, record: &str, said: &mut Record) {
    let mut lockstep = Lockstep::new(Recorded::new(KERNEL, record));
    if lockstep.reset(&trace.header.config(Vec::new())).is_err() {
        return;
    }
    for operation in trace.operations() {
        let last = lockstep.seen().clone();
        let outcome = match lockstep.step(operation) {
            Ok(Done::Performed(outcome)) => outcome,
            Ok(Done::Skipped(_)) => continue,
            Err(_) => return,
        };
        said.steps += 1;
        let (before, after) = (lockstep.world_before(), lockstep.world());
        let seen = lockstep.seen();
        for tampering in tamper::tamperings(before, after, operation, &outcome, &last, seen) {
            if let Some(told) = told(&tampering, &outcome, &last, seen)
                && (told.outcome != outcome || told.seen != seen)
            {
                let what = format!("{:?} {}", Kinds::of(operation), words(&tampering));
                let what = what.trim_start_matches("Kinds").to_owned();
                said.add(
                    what,
                    &ask(before, after, operation, &told, lockstep.target()),
                );
            }
        }
    }
}

/// Its diff is the review: a line that comes, or a count that grows under `objected to by
/// nobody`, is something that is accepted now and was refused before.
#[test]
fn what_is_wrong_is_refused() {
    let mut said = Record::default();
    let conformance = corpus::folder("conformance");
    let transcripts = corpus::folder("transcripts").join(KERNEL);
    for path in corpus::traces(&conformance) {
        let name = path.strip_prefix(&conformance).expect("it is below it");
        let record = transcripts.join(name).with_extension("transcript");
        // A trace that no kernel was asked yet.
        let Ok(record) = std::fs::read_to_string(record) else {
            continue;
        };
        judge(&corpus::read(&path), &record, &mut said);
    }
    assert!(said.steps > 700, "only {} answers", said.steps);
    let nobody: u64 = said.nobody.values().sum();
    assert!(
        nobody * 20 < said.asked,
        "nobody objects to {nobody} of {}",
        said.asked
    );
    insta::assert_snapshot!(said.text());
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
