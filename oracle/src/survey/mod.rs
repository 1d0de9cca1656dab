//! Campaigns that go on after a divergence, to find all that there is.
//!
//! An implementation that was not written by the document diverges in nearly every trace, and
//! what diverges early hides the rest. So a survey
//!
//! - takes an operation at which a trace diverges out of it, and goes on without it;
//! - sorts divergences into classes, and makes one plain trace for each;
//! - accepts a deviation that is known, once it was seen and where the model can, from then on;
//! - leaves out what breaks the machine, in most traces, once it was seen a few times;
//! - makes plain at the end what would have taken too long before.
//!
//! Start reading at [`run`].

mod class;
mod finish;
mod origin;
mod recognise;
#[cfg(test)]
mod tests;

pub use class::{Class, Key, Standing};
pub use recognise::{Filed, Known};

use crate::campaign::{Plan, Progress, random_bytes};
use crate::generate::Generator;
use crate::known::by_answer;
use crate::lockstep::{Divergence, Lockstep, Stop, Tally};
use crate::minimise::{Cost, Proof, minimise_within, needed};
use crate::shape;
use crate::target::{Effort, Target, TargetError};
use crate::trace::{Header, Trace};
use arbitrary::Unstructured;
use nommu_model::op::Operation;
use origin::Again;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Operations that are taken out of one trace at most.
const TAKEN_OUT: usize = 16;
/// What making a trace plain may cost at first, in runs, and for how many of them the start of a
/// machine counts, and one in which it hangs.
const RUNS: u64 = 300;
const START: u64 = 6;
const HANG: u64 = 100;
/// How often a crash is seen before what leads to it is left out.
const ENOUGH_CRASHES: u64 = 2;
/// How often in one trace operations of one shape are taken out of it, before the rest of it does
/// without: each time, all of it is run again.
const ENOUGH_TAKEN_OUT: u32 = 2;
/// Every so many traces leave nothing out.
const LEFT_IN: u64 = 8;
/// Divergences of one rule that are made plain only to find the same class, before those that
/// look like them are taken for it at once.
const SAME_AGAIN: u32 = 6;

/// What a survey came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Traces that were run.
    pub traces: u64,
    /// Counts of all of them.
    pub tally: Tally,
    /// What was found, in the order of finding.
    pub classes: Vec<Class>,
    /// Divergences that were looked into, to find their class.
    pub looked_into: u64,
    /// What it took to run the target.
    pub effort: Effort,
    /// Why it ended early: the target could not be run any more.
    pub broke: Option<TargetError>,
}

impl Report {
    /// The classes by what they are known as, each with those that are known as the same: the
    /// known ones first, and the plainest of them first.
    pub fn groups(&self) -> Vec<Vec<&Class>> {
        class::groups(&self.classes)
    }
}

/// Runs a survey: a campaign on one thread, with one target, which ends early when `stop` is set.
/// `progress` is told after each trace and each divergence.
pub fn run<T: Target>(
    plan: &Plan,
    known: &[Known],
    target: T,
    stop: &AtomicBool,
    mut progress: impl FnMut(Progress<'_>, &[Class]),
) -> Report {
    let mut surveyor = Surveyor {
        plan,
        known,
        end: End {
            started: Instant::now(),
            limit: plan.time,
            stop,
        },
        progress: &mut progress,
        lockstep: Lockstep::new(target),
        accepted: plan.deviations.clone(),
        report: Report::default(),
        keys: BTreeMap::new(),
        known_keys: None,
        crashes: BTreeSet::new(),
        fruitless: BTreeMap::new(),
        is_suspect: false,
    };
    if let Err(error) = surveyor.traces().and_then(|()| surveyor.finish()) {
        surveyor.report.broke = Some(error);
    }
    let Surveyor {
        lockstep,
        mut report,
        ..
    } = surveyor;
    report.effort = lockstep.target().effort();
    report
}

/// When a survey ends, whatever it is at.
#[derive(Clone, Copy)]
struct End<'p> {
    started: Instant,
    limit: Option<Duration>,
    stop: &'p AtomicBool,
}

impl End<'_> {
    /// Whether nothing more is to be done.
    fn is_here(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || (self.limit).is_some_and(|limit| self.started.elapsed() >= limit)
    }

    /// Whether what is left of the time is for making plain what was found.
    fn is_near(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
            || (self.limit).is_some_and(|limit| self.started.elapsed() >= limit / 8 * 7)
    }
}

struct Surveyor<'p, T> {
    plan: &'p Plan,
    known: &'p [Known],
    end: End<'p>,
    progress: &'p mut dyn FnMut(Progress<'_>, &[Class]),
    lockstep: Lockstep<T>,
    /// Deviations that the model accepts.
    accepted: Vec<String>,
    report: Report,
    /// The class of every divergence that was looked into.
    keys: BTreeMap<Key, usize>,
    /// How known deviations show themselves on this target; looked up when it is needed.
    known_keys: Option<BTreeMap<Key, (usize, usize)>>,
    /// Shapes of operations that break the machine.
    crashes: BTreeSet<String>,
    /// By rule and shape, how often looking into it showed nothing new in a row.
    fruitless: BTreeMap<String, u32>,
    /// Whether the target diverged since it began afresh: what that left behind need not show.
    is_suspect: bool,
}

impl<T: Target> Surveyor<'_, T> {
    fn traces(&mut self) -> Result<(), TargetError> {
        for place in 0.. {
            self.trace(self.plan.shard.number(place))?;
            self.report.traces += 1;
            if self.is_enough() {
                break;
            }
        }
        Ok(())
    }

    /// Tells how far it is; says whether that is enough.
    fn is_enough(&mut self) -> bool {
        let report = &self.report;
        let told = Progress {
            traces: report.traces,
            tally: &report.tally,
        };
        (self.progress)(told, &report.classes);
        let plan = self.plan;
        (plan.operations).is_some_and(|limit| report.tally.performed >= limit)
            || plan.traces.is_some_and(|limit| report.traces >= limit)
            || self.end.is_near()
    }

    fn trace(&mut self, number: u64) -> Result<(), TargetError> {
        let options = &self.plan.generator;
        let mut bytes = Vec::new();
        random_bytes(self.plan.seed, number, options.bytes(), &mut bytes);
        let mut bytes = Unstructured::new(&bytes);
        let mut generator = Generator::new(&mut bytes, options);
        let header = generator.focus().header.clone();
        let mut performed = Vec::new();
        let mut taken_out = 0;
        let mut of_shape: BTreeMap<String, u32> = BTreeMap::new();
        let mut operations = Vec::new();
        self.clear_suspicion();
        if let Some(divergence) = self.repeat(&header, &operations)? {
            let key = self.key(&operations, &divergence);
            return self.found(number, &header, &operations, &operations, divergence, &key);
        }
        while let Some(operation) = generator.next(self.lockstep.world(), &mut bytes) {
            if self.is_left_out(number, &operation, &of_shape) {
                continue;
            }
            performed.push(operation.clone());
            operations.push(operation);
            let diverged = match self.lockstep.step(&operations[operations.len() - 1]) {
                Ok(_) => continue,
                Err(Stop::Target(error)) => return Err(error),
                Err(Stop::Diverged(divergence)) => *divergence,
            };
            let key = self.key(&operations, &diverged);
            let is_harmless = self.is_harmless(&key);
            self.found(number, &header, &operations, &performed, diverged, &key)?;
            operations.pop();
            if self.is_enough() {
                return Ok(());
            }
            if is_harmless && self.lockstep.undo() {
                continue;
            }
            *of_shape.entry(key.shape).or_default() += 1;
            taken_out += 1;
            if taken_out == TAKEN_OUT {
                return Ok(());
            }
            performed.clone_from(&operations);
            self.clear_suspicion();
            let differs = self.repeat(&header, &operations)?;
            self.lockstep.take_tally();
            if differs.is_some() {
                // It does not do the same twice; this trace shows nothing more.
                return Ok(());
            }
        }
        if let Err(stop) = self.lockstep.finish() {
            match stop {
                Stop::Target(error) => return Err(error),
                Stop::Diverged(divergence) => {
                    let key = self.key(&operations, &divergence);
                    self.found(number, &header, &operations, &performed, *divergence, &key)?;
                }
            }
        }
        self.report.tally.merge(&self.lockstep.take_tally());
        Ok(())
    }

    /// Whether divergences of a key are of a class that was seen before and leaves nothing behind,
    /// so that nothing has to be run for them.
    fn is_harmless(&self, key: &Key) -> bool {
        let class = self.keys.get(key);
        class.is_some_and(|class| !self.report.classes[*class].leaks)
    }

    fn key(&self, operations: &[Operation], divergence: &Divergence) -> Key {
        let last = divergence.step.and(operations.last());
        Key::new(divergence, self.lockstep.world_before(), last)
    }

    /// Whether a trace does without an operation that comes next: its shape breaks the machine, or
    /// was taken out of this trace often enough.
    fn is_left_out(
        &self,
        number: u64,
        operation: &Operation,
        of_shape: &BTreeMap<String, u32>,
    ) -> bool {
        let heeds_crashes = !number.is_multiple_of(LEFT_IN) && !self.crashes.is_empty();
        if !heeds_crashes && of_shape.is_empty() {
            return false;
        }
        let shape = shape::of(self.lockstep.world(), operation);
        heeds_crashes && self.crashes.contains(&shape)
            || of_shape.get(&shape) >= Some(&ENOUGH_TAKEN_OUT)
    }

    /// Has a target that diverged begin afresh, so that what it does next has to do with nothing
    /// that it did before.
    fn clear_suspicion(&mut self) {
        if std::mem::take(&mut self.is_suspect) {
            self.lockstep.target_mut().begin_afresh();
        }
    }

    /// Runs operations afresh; says whether they diverge.
    fn repeat(
        &mut self,
        header: &Header,
        operations: &[Operation],
    ) -> Result<Option<Divergence>, TargetError> {
        let config = header.config(self.accepted.clone());
        self.diverges(&config, operations)
    }

    fn diverges(
        &mut self,
        config: &nommu_model::world::config::Config,
        operations: &[Operation],
    ) -> Result<Option<Divergence>, TargetError> {
        let mut result = self.lockstep.reset(config);
        for operation in operations {
            result = result.and_then(|()| self.lockstep.step(operation).map(|_| ()));
        }
        match result {
            Ok(()) => Ok(None),
            Err(Stop::Target(error)) => Err(error),
            Err(Stop::Diverged(divergence)) => Ok(Some(*divergence)),
        }
    }

    /// Sorts in a divergence. Of the operations that were performed, some showed nothing but an
    /// answer that is known to be otherwise, and are not among those that it is due to.
    fn found(
        &mut self,
        number: u64,
        header: &Header,
        operations: &[Operation],
        performed: &[Operation],
        divergence: Divergence,
        key: &Key,
    ) -> Result<(), TargetError> {
        self.is_suspect = true;
        // What it took to look into it is no part of the campaign.
        self.report.tally.merge(&self.lockstep.take_tally());
        if let Some(&class) = self.keys.get(key)
            && !self.may_come_back(class)
        {
            self.again(class, key);
            return Ok(());
        }
        if let Some(shown) = self.shown(key)? {
            if shown.is_accepted && !self.accepted.contains(&shown.id) {
                self.accepted.push(shown.id.clone());
            }
            let class = self.file(Class {
                standing: Standing::Known(vec![shown.id]),
                times: 0,
                after: self.report.tally.performed,
                number,
                found: operations.len(),
                divergence: shown.divergence,
                length: Proof::of_single(&shown.trace),
                trace: shown.trace,
                leaks: shown.leaks,
                accepted: self.accepted.len(),
                same_as: None,
            });
            self.again(class, key);
            return Ok(());
        }
        let alike = divergence.signature().join(" ");
        let taken_for = self.answered_alike(&divergence, key);
        if let Some(class) = taken_for.or_else(|| self.worn_out(&alike, key)) {
            self.again(class, key);
            return Ok(());
        }
        let classes = self.report.classes.len();
        let class = self.look_into(number, header, operations, performed, divergence, key)?;
        self.lockstep.take_tally();
        let fruitless = self.fruitless.entry(alike).or_default();
        *fruitless = if class < classes { *fruitless + 1 } else { 0 };
        self.again(class, key);
        Ok(())
    }

    /// The class of what breaks the same rule and ends alike at an operation of another shape, where
    /// both are known as the same deviation by what it says of its answers.
    fn answered_alike(&self, divergence: &Divergence, key: &Key) -> Option<usize> {
        let known = by_answer(self.lockstep.target().name(), divergence, &key.shape);
        if known.is_empty() {
            return None;
        }
        let known = Standing::Known(known);
        self.like(key)
            .find(|&class| self.report.classes[class].standing == known)
    }

    /// The classes of what breaks the same rule and ends alike.
    fn like(&self, key: &Key) -> impl Iterator<Item = usize> {
        let like = (self.keys.iter()).filter(move |(other, _)| other.is_like(key));
        like.map(|(_, &class)| class)
    }

    /// The class of what looks like divergences that were looked into often enough.
    fn worn_out(&self, alike: &str, key: &Key) -> Option<usize> {
        let fruitless = self.fruitless.get(alike)?;
        if *fruitless < SAME_AGAIN {
            return None;
        }
        self.like(key).next()
    }

    /// Whether what was not seen again is worth another look when it is seen elsewhere.
    fn may_come_back(&self, class: usize) -> bool {
        self.is_fleeting(class) && self.report.classes[class].times < u64::from(SAME_AGAIN)
    }

    fn again(&mut self, class: usize, key: &Key) {
        let times = &mut self.report.classes[class].times;
        *times += 1;
        if key.is_crash && *times >= ENOUGH_CRASHES {
            self.crashes.insert(key.shape.clone());
        }
        self.learn(key.clone(), class);
    }

    /// Divergences of a key are of a class from now on; one of that key that was not seen again
    /// was it too.
    fn learn(&mut self, key: Key, class: usize) {
        if let Some(before) = self.keys.insert(key, class)
            && before != class
            && self.is_fleeting(before)
        {
            self.join(before, class);
        }
    }

    fn is_fleeting(&self, class: usize) -> bool {
        self.report.classes[class].standing == Standing::Fleeting
    }

    /// A class turned out to be another one.
    fn join(&mut self, class: usize, same: usize) {
        let times = self.report.classes[class].times;
        self.report.classes[same].times += times;
        self.report.classes[class].same_as = Some(same);
    }

    /// Makes a divergence plain, and finds the class that it belongs to, or makes one.
    fn look_into(
        &mut self,
        number: u64,
        header: &Header,
        operations: &[Operation],
        performed: &[Operation],
        divergence: Divergence,
        key: &Key,
    ) -> Result<usize, TargetError> {
        self.report.looked_into += 1;
        let accepted = self.accepted.len();
        let whole = Trace::new(header.clone(), operations.to_vec());
        // Most divergences need nothing but what their operation names.
        let few = needed(operations);
        let is_enough = (self.repeat(header, &few)?)
            .is_some_and(|found| found.step.is_some() && found.gist() == divergence.gist());
        let shorter = match is_enough {
            true => Trace::new(header.clone(), few),
            false => whole.clone(),
        };
        let again = match self.plain(&shorter, &divergence, accepted, RUNS)? {
            Some((trace, length, found)) => Again::Plain(trace, length, found),
            None => self.once_more(&whole, performed, &divergence, accepted)?,
        };
        // Where it does not diverge again, what was seen is all there is.
        let seen = Class {
            standing: Standing::Fleeting,
            times: 0,
            after: self.report.tally.performed,
            number,
            found: operations.len(),
            trace: Trace::new(header.clone(), performed.to_vec()),
            divergence,
            length: Proof::Unknown,
            leaks: false,
            accepted,
            same_as: None,
        };
        match again {
            Again::Plain(trace, length, divergence) => self.file_plain(
                Class {
                    trace,
                    length,
                    divergence,
                    ..seen
                },
                key,
            ),
            Again::Along(trace, divergence, deviations) => Ok(self.file(Class {
                standing: Standing::Follows(deviations),
                trace,
                length: Proof::Partial,
                divergence,
                ..seen
            })),
            Again::Never => {
                let target = self.lockstep.target().name();
                let ids = by_answer(target, &seen.divergence, &key.shape);
                let standing = match (ids.is_empty(), self.keys.get(key)) {
                    (true, Some(&class)) => return Ok(class),
                    (true, None) => Standing::Fleeting,
                    (false, _) => Standing::Known(ids),
                };
                Ok(self.file(Class { standing, ..seen }))
            }
        }
    }

    /// Finds the class that a plain trace belongs to, or makes it one; it looked like `key` where
    /// it was found.
    fn file_plain(&mut self, mut found: Class, key: &Key) -> Result<usize, TargetError> {
        let header = found.trace.header.clone();
        let operations: Vec<Operation> = found.trace.operations().cloned().collect();
        let plain_key = self
            .key_of(&header, &operations)?
            .unwrap_or_else(|| key.clone());
        found.leaks = self.leaks(&mut found.divergence)?;
        if let Some(&class) = self.keys.get(&plain_key)
            && !self.is_fleeting(class)
        {
            let shown = &mut self.report.classes[class];
            if found.trace.lines.len() < shown.trace.lines.len() {
                shown.trace = found.trace;
                shown.length = found.length;
                shown.divergence = found.divergence;
                shown.accepted = found.accepted;
            }
            return Ok(class);
        }
        found.standing = self.standing_of(
            &header,
            &operations,
            &found.divergence,
            &plain_key,
            found.accepted,
        )?;
        let class = self.file(found);
        self.learn(plain_key, class);
        Ok(class)
    }

    fn file(&mut self, class: Class) -> usize {
        self.report.classes.push(class);
        self.report.classes.len() - 1
    }

    /// Makes a trace plain in so many runs, with as many of the accepted deviations. What is known
    /// of its length then, and its divergence; none where that is not much as was seen.
    fn plain(
        &mut self,
        trace: &Trace,
        seen: &Divergence,
        accepted: usize,
        runs: u64,
    ) -> Result<Option<(Trace, Proof, Divergence)>, TargetError> {
        let end = self.end;
        let cost = Cost {
            limit: runs,
            start: START,
            hang: HANG,
            leaps: true,
            is_enough: &|| end.is_here(),
        };
        let deviations = &self.accepted[..accepted];
        let kept = Divergence::gist;
        let lockstep = &mut self.lockstep;
        let plain = minimise_within(cost, kept, lockstep, trace, deviations, 0)?;
        let plain = plain.filter(|plain| plain.divergence.gist() == seen.gist());
        Ok(plain.map(|plain| {
            let length = match plain.is_minimal {
                true => Proof::of_single(&plain.trace),
                false => Proof::Partial,
            };
            (plain.trace, length, plain.divergence)
        }))
    }

    fn key_of(
        &mut self,
        header: &Header,
        operations: &[Operation],
    ) -> Result<Option<Key>, TargetError> {
        let found = self.repeat(header, operations)?;
        Ok(found.map(|divergence| self.key(operations, &divergence)))
    }

    /// Whether something leaks at a divergence; ends the trace.
    fn leaks(&mut self, divergence: &mut Divergence) -> Result<bool, TargetError> {
        if divergence.step.is_none() || divergence.crashed {
            return Ok(false);
        }
        self.lockstep.add_leaks(divergence)
    }
}
