//! The two statements of the contract check each other, on what kernels answered to the
//! conformance corpus (`corpus/transcripts/`) and on what they would have answered had they done
//! something else, in many small ways.
//!
//! No implementation runs here: what is judged is the judges. What one of them alone objects to,
//! what neither does, and how often each rule had a say, is on record, so that neither can come
//! to accept more unnoticed.

mod corpus;
#[allow(
    dead_code,
    reason = "bytes are changed in the world, not as they are shown"
)]
mod tamper;

use nommu_model::observation::{Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::{Errno, Outcome};
use nommu_model::rules::{self, Kinds, Step, Verdict};
use nommu_model::step::{Answer, step};
use nommu_model::world::World;
use nommu_model::world::page::Page;
use nommu_oracle::lockstep::{Lockstep, Step as Done};
use nommu_oracle::specs::is_observable;
use nommu_oracle::target::Target;
use nommu_oracle::target::recorded::Recorded;
use nommu_oracle::trace::Trace;
use std::collections::BTreeMap;
use std::fmt::Write;
use tamper::{Place, Tampering};

/// A step that was made, and the one that made it.
struct Made<'a> {
    before: &'a World,
    operation: &'a Operation,
    outcome: &'a Outcome,
    after: &'a World,
    last: &'a Observation,
    seen: &'a Observation,
    target: &'a Recorded,
}

/// What an implementation says that did something else.
struct Told<'a> {
    outcome: &'a Outcome,
    seen: &'a Observation,
    injected: bool,
}

impl Made<'_> {
    fn told(&self) -> Told<'_> {
        Told {
            outcome: self.outcome,
            seen: self.seen,
            injected: self.target.injected_failure(),
        }
    }

    /// What is told in place of what happened; nothing where only that differs which is not told.
    fn other<'a>(&'a self, tampering: &'a Tampering) -> Option<Told<'a>> {
        let (outcome, seen) = match tampering {
            Tampering::Outcome(other) => (other, self.seen),
            Tampering::Nothing(other) => (other, self.last),
            Tampering::Seen(_, other) => (self.outcome, &**other),
            Tampering::Other(_, outcome, other) => (outcome, &**other),
            Tampering::Byte(_) | Tampering::Hidden(..) => return None,
        };
        let told = Told {
            outcome,
            seen,
            ..self.told()
        };
        (told.outcome != self.outcome || told.seen != self.seen).then_some(told)
    }

    /// The world as it is after what is not told.
    fn untold(&self, tampering: &Tampering) -> Option<World> {
        let world = match tampering {
            Tampering::Byte(place) => flipped(self.after, *place),
            Tampering::Hidden(_, change) => {
                let mut world = self.after.clone();
                change(&mut world);
                world
            }
            _ => return None,
        };
        (world != *self.after).then_some(world)
    }

    /// What the model says: nothing, or the rules that it names.
    fn judged(&self, told: &Told<'_>) -> Result<(), Vec<&'static str>> {
        let sight = self.target.sight();
        let answer = Answer {
            outcome: told.outcome,
            seen: told.seen,
            sight,
            contents: self.target,
            injected_failure: told.injected,
        };
        let mut world = self.before.clone();
        if let Err(refusal) = step(&mut world, self.operation, &answer) {
            return Err(refusal.rules.iter().map(|rule| rule.0).collect());
        }
        let Err(different) = world.compare(told.seen, sight) else {
            return Ok(());
        };
        let named = different.iter().flat_map(|mismatch| &mismatch.rules);
        Err(named.map(|rule| rule.0).collect())
    }

    /// What each rule says that has a say.
    fn verdicts(&self, told: &Told<'_>, after: &World) -> Vec<(&'static str, Verdict)> {
        let made = Step::new(
            self.before,
            self.operation,
            told.outcome,
            after,
            told.injected,
        );
        let kind = Kinds::of(self.operation);
        rules::all()
            .filter(|rule| rule.kinds.intersects(kind))
            .map(|rule| (rule.id, rule.check(&made)))
            .filter(|(_, verdict)| *verdict != Verdict::NotApplicable)
            .collect()
    }
}

/// A world in which a byte differs; the same one where it is of no page whose bytes are known.
fn flipped(world: &World, place: Place) -> World {
    let mut world = world.clone();
    let page_size = world.page_size();
    let flip = |page: &mut Page, byte: u64| {
        if let Page::Known(bytes) = page {
            let mut changed = bytes.to_vec();
            changed[byte as usize] ^= 0x5a;
            *page = Page::Known(changed.into());
        }
    };
    // Which of a run of pages, and which byte of it.
    let within = |start: u64, pages: usize, address: u64| {
        let offset = address.checked_sub(start)?;
        let index = (offset / page_size) as usize;
        (index < pages).then_some((index, offset % page_size))
    };
    match place {
        Place::File(number, offset) => {
            let file = &mut world.files[usize::from(number)];
            let page = file.pages.iter_mut();
            let page = page
                .into_iter()
                .find(|page| u64::from(page.index) == offset / page_size);
            if let Some(page) = page {
                flip(&mut page.contents, offset % page_size);
            }
        }
        Place::Memory(address) => {
            for region in world.regions.iter_mut() {
                if let Some((page, byte)) = within(region.start, region.pages.len(), address) {
                    flip(&mut region.pages[page], byte);
                }
            }
            for segment in world.segments.iter_mut().filter(|segment| !segment.dead) {
                let start = segment.start.unwrap_or(u64::MAX);
                if let Some((page, byte)) = within(start, segment.pages.len(), address) {
                    flip(&mut segment.pages[page], byte);
                }
            }
            for file in world.files.iter_mut().filter(|file| !file.dead) {
                for page in file.pages.iter_mut() {
                    let start = page.address.unwrap_or(u64::MAX);
                    if let Some((_, byte)) = within(start, 1, address) {
                        flip(&mut page.contents, byte);
                    }
                }
            }
        }
    }
    world
}

/// How often a rule had a say.
#[derive(Clone, Copy, Default)]
struct Say {
    /// It holds on what was answered.
    held: u64,
    /// It holds on what was not, and is broken by it.
    held_too: u64,
    broken: u64,
    /// The model names it when it refuses that.
    named: u64,
}

/// What is said of everything that was told, a line each, with how often.
#[derive(Default)]
struct Record {
    /// Answers that were given.
    steps: u64,
    /// What the model accepts and a rule is broken by.
    only_rules: BTreeMap<String, u64>,
    /// What nobody objects to.
    nobody: BTreeMap<String, u64>,
    /// How often the model refuses.
    refused: u64,
    asked: u64,
    /// What was not told, and only rules are asked of.
    untold: u64,
    says: BTreeMap<&'static str, Say>,
}

impl Record {
    fn say(&mut self, rule: &'static str) -> &mut Say {
        self.says.entry(rule).or_default()
    }

    /// Takes in what was answered.
    fn answer(&mut self, made: &Made<'_>) {
        self.steps += 1;
        // What is not supported is not judged.
        if *made.outcome == Outcome::Unsupported {
            return;
        }
        let sight = made.target.sight() | Sight::FREE_BLOCKS | Sight::CONTENTS;
        for (rule, verdict) in made.verdicts(&made.told(), made.after) {
            // Nor is what does not show.
            if verdict != Verdict::Holds && !is_observable(rule, sight) {
                continue;
            }
            assert_eq!(verdict, Verdict::Holds, "{rule}: {:?}", made.operation);
            self.say(rule).held += 1;
        }
    }

    /// Takes in what rules say of what was not answered: those that are broken.
    fn verdicts(&mut self, verdicts: Vec<(&'static str, Verdict)>) -> Vec<&'static str> {
        let mut broken = Vec::new();
        for (rule, verdict) in verdicts {
            if verdict == Verdict::Holds {
                self.say(rule).held_too += 1;
            } else {
                self.say(rule).broken += 1;
                broken.push(rule);
            }
        }
        broken
    }

    /// Takes in what was done otherwise.
    fn other(&mut self, made: &Made<'_>, tampering: &Tampering) {
        if let Some(after) = made.untold(tampering) {
            self.untold += 1;
            self.verdicts(made.verdicts(&made.told(), &after));
        }
        let Some(told) = made.other(tampering) else {
            return;
        };
        // Where nothing is shown, nothing can be shown otherwise.
        if told.outcome == made.outcome && made.target.sight().is_empty() {
            return;
        }
        let sight = made.target.sight();
        let after = made.after.as_seen(told.seen, sight, made.target);
        let broken = self.verdicts(made.verdicts(&told, &after));
        let judged = made.judged(&told);
        self.asked += 1;
        let what = format!("{:?} {}", Kinds::of(made.operation), words(tampering));
        let what = what.trim_start_matches("Kinds");
        match (&judged, broken.is_empty()) {
            (Err(named), _) => {
                self.refused += 1;
                for rule in named {
                    self.say(rule).named += 1;
                }
            }
            (Ok(()), true) => *self.nobody.entry(what.to_owned()).or_default() += 1,
            (Ok(()), false) => {
                let what = format!("{what}: breaks {}", broken.join(", "));
                *self.only_rules.entry(what).or_default() += 1;
            }
        }
        // An allocation that was made to fail is an excuse for this error, and for no other.
        if *told.outcome == Outcome::Error(Errno::ENOMEM) {
            let told = Told {
                injected: true,
                ..told
            };
            self.verdicts(made.verdicts(&told, &after));
        }
    }

    fn text(&self) -> String {
        let Self {
            steps,
            asked,
            refused,
            untold,
            ..
        } = self;
        let mut text = format!(
            "{steps} answers, {asked} others, {refused} refused by the model; \
             {untold} of which nothing is told\n\
             \nrules: held, held on others, broken, named by the model:\n"
        );
        for (rule, say) in &self.says {
            let Say {
                held,
                held_too,
                broken,
                named,
            } = say;
            let _ = writeln!(text, "{held:5} {held_too:6} {broken:6} {named:6} {rule}");
        }
        for (title, counts) in [
            ("accepted by the model only", &self.only_rules),
            ("objected to by nobody", &self.nobody),
        ] {
            let _ = writeln!(text, "\n{title}:");
            for (what, count) in counts {
                let _ = writeln!(text, "{count:6} {what}");
            }
        }
        text
    }
}

/// Whose answers they are.
const KERNEL: &str = "linux-6.12";

/// Which traces are judged, and by which answers.
struct Judged<'a> {
    traces: &'a str,
    records: &'a str,
    /// What is shown of it.
    shown: Sight,
}

impl Judged<'_> {
    /// Asks of all traces that there is a record of.
    fn record(&self) -> Record {
        let mut said = Record::default();
        let traces = corpus::folder(self.traces);
        for path in corpus::traces(&traces) {
            let name = path.strip_prefix(&traces).expect("it is below it");
            let record = corpus::folder(self.records)
                .join(name)
                .with_extension("transcript");
            // A trace that no kernel was asked yet.
            if let Ok(record) = std::fs::read_to_string(record) {
                self.trace(&corpus::read(&path), &record, &mut said);
            }
        }
        said
    }

    /// Answers a trace as was answered once, and asks of each answer and of what could have been
    /// answered instead. Ends where a deviation shows that is not accepted.
    fn trace(&self, trace: &Trace, record: &str, said: &mut Record) {
        let mut lockstep = Lockstep::new(Recorded::new(KERNEL, record).showing(self.shown));
        let config = trace.header.config(Vec::new());
        if lockstep.reset(&config).is_err() {
            return;
        }
        if trace.header.failure > 0 {
            lockstep.target_mut().fail_allocation(trace.header.failure);
        }
        for operation in trace.operations() {
            let last = lockstep.seen().clone();
            let outcome = match lockstep.step(operation) {
                Ok(Done::Performed(outcome)) => outcome,
                Ok(Done::Skipped(_)) => continue,
                Err(_) => return,
            };
            let made = Made {
                before: lockstep.world_before(),
                operation,
                outcome: &outcome,
                after: lockstep.world(),
                last: &last,
                seen: lockstep.seen(),
                target: lockstep.target(),
            };
            said.answer(&made);
            let Made {
                before,
                after,
                seen,
                ..
            } = made;
            let all = tamper::tamperings(before, after, operation, &outcome, &last, seen);
            for tampering in &all {
                said.other(&made, tampering);
            }
        }
    }
}

/// Its diff is the review: a line that comes, or a count that grows under `objected to by
/// nobody`, is something that is accepted now and was refused before; a count that falls of a
/// rule, what it said of and does no more.
#[test]
fn what_is_wrong_is_refused() {
    let said = Judged {
        traces: "conformance",
        records: "transcripts/linux-6.12",
        shown: Sight::all(),
    }
    .record();
    assert!(said.steps > 700, "only {} answers", said.steps);
    let nobody: u64 = said.nobody.values().sum();
    assert!(
        nobody * 20 < said.asked,
        "nobody objects to {nobody} of {}",
        said.asked
    );
    insta::assert_snapshot!(said.text());
}

/// The same of what the engine once answered to some traces of a campaign: kernels do not show which
/// memory is free, and were not asked as much.
#[test]
fn what_is_wrong_where_all_is_shown_is_refused() {
    let said = Judged {
        traces: "campaign",
        records: "transcripts/engine",
        shown: Sight::all(),
    }
    .record();
    assert!(said.steps > 1000, "only {} answers", said.steps);
    insta::assert_snapshot!(said.text());
}

/// The same again where nothing but answers is told, which are all that is left to learn from.
#[test]
fn what_is_wrong_where_nothing_is_shown_is_refused() {
    let said = Judged {
        traces: "conformance",
        records: "transcripts/linux-6.12",
        shown: Sight::empty(),
    }
    .record();
    assert!(said.steps > 700, "only {} answers", said.steps);
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
