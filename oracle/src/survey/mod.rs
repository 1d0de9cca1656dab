//! Campaigns that go on after a divergence, to find all that there is.
//!
//! An implementation that was not written by the document diverges in nearly every trace, and
//! what diverges early hides the rest. So a survey
//!
//! - takes an operation at which a trace diverges out of it, and goes on without it;
//! - sorts divergences into classes, and makes one plain trace for each;
//! - accepts a deviation that is known, once it was seen and where the model can, from then on;
//! - leaves out what breaks the machine, in most traces, once it was seen a few times.
//!
//! Start reading at [`run`].

mod class;
mod shape;

pub use class::{Class, Key};

use crate::campaign::{Plan, Progress, random_bytes};
use crate::generate::Generator;
use crate::known::by_answer;
use crate::lockstep::{Divergence, Lockstep, Stop, Tally};
use crate::minimise::{Cost, minimise_within, needed};
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use arbitrary::Unstructured;
use nommu_model::op::Operation;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::Instant;

/// Operations that are taken out of one trace at most.
const TAKEN_OUT: usize = 16;
/// What making a trace plain may cost, in runs; the start of a machine counts for so many.
const COST: Cost = Cost {
    limit: 400,
    start: 12,
};
/// How often a crash is seen before what leads to it is left out.
const ENOUGH_CRASHES: u64 = 2;
/// Every so many traces leave nothing out.
const LEFT_IN: u64 = 8;
/// Divergences of one rule that are made plain only to find the same class, before those that
/// look like them are taken for it at once.
const SAME_AGAIN: u32 = 6;

/// A deviation that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// What it is called.
    pub id: String,
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// Traces that show it.
    pub traces: Vec<Trace>,
}

/// What a survey came to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Traces that were run.
    pub traces: u64,
    /// Counts of all of them.
    pub tally: Tally,
    /// What was found, in the order of finding.
    pub classes: Vec<Class>,
    /// Why it ended early: the target could not be run any more.
    pub broke: Option<TargetError>,
}

impl Report {
    /// How many classes are not known.
    pub fn new_classes(&self) -> usize {
        (self.classes.iter())
            .filter(|class| class.known.is_empty())
            .count()
    }
}

/// Runs a survey: a campaign on one thread, with one target. `progress` is told after each
/// trace and each divergence, and can end it.
pub fn run<T: Target>(
    plan: &Plan,
    known: &[Known],
    target: T,
    mut progress: impl FnMut(Progress<'_>, &[Class]) -> ControlFlow<()>,
) -> Report {
    let mut surveyor = Surveyor {
        plan,
        known,
        started: Instant::now(),
        progress: &mut progress,
        lockstep: Lockstep::new(target),
        accepted: plan.deviations.clone(),
        report: Report::default(),
        keys: BTreeMap::new(),
        known_keys: None,
        crashes: BTreeSet::new(),
        fruitless: BTreeMap::new(),
    };
    for place in 0.. {
        let shard = plan.shard;
        let number = shard.number(place);
        if let Err(error) = surveyor.trace(number) {
            surveyor.report.broke = Some(error);
            break;
        }
        surveyor.report.traces += 1;
        if surveyor.tell().is_break() {
            break;
        }
    }
    surveyor.report
}

/// How a known deviation shows itself.
#[derive(Clone)]
struct Shown {
    id: String,
    trace: Trace,
    divergence: Divergence,
    leaks: bool,
    /// Whether the model can accept it.
    is_accepted: bool,
}

struct Surveyor<'p, T> {
    plan: &'p Plan,
    known: &'p [Known],
    started: Instant,
    progress: &'p mut dyn FnMut(Progress<'_>, &[Class]) -> ControlFlow<()>,
    lockstep: Lockstep<T>,
    /// Deviations that the model accepts.
    accepted: Vec<String>,
    report: Report,
    /// The class of every divergence that was looked into.
    keys: BTreeMap<Key, usize>,
    /// How known deviations show themselves on this target; looked up when it is needed.
    known_keys: Option<BTreeMap<Key, Shown>>,
    /// Shapes of operations that break the machine.
    crashes: BTreeSet<String>,
    /// By rule and shape, how often looking into it showed nothing new in a row.
    fruitless: BTreeMap<String, u32>,
}

impl<T: Target> Surveyor<'_, T> {
    /// Tells how far it is; says whether that is enough.
    fn tell(&mut self) -> ControlFlow<()> {
        let report = &self.report;
        let told = Progress {
            traces: report.traces,
            tally: &report.tally,
        };
        let plan = self.plan;
        let is_enough = (plan.operations).is_some_and(|limit| report.tally.performed >= limit)
            || plan.traces.is_some_and(|limit| report.traces >= limit)
            || plan
                .time
                .is_some_and(|limit| self.started.elapsed() >= limit);
        match (self.progress)(told, &report.classes) {
            ControlFlow::Continue(()) if !is_enough => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        }
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
        let mut operations = Vec::new();
        if let Some(divergence) = self.repeat(&header, &operations)? {
            return self.found(number, &header, &operations, &operations, divergence);
        }
        while let Some(operation) = generator.next(self.lockstep.world(), &mut bytes) {
            if !number.is_multiple_of(LEFT_IN) && self.breaks_the_machine(&operation) {
                continue;
            }
            performed.push(operation.clone());
            operations.push(operation);
            let diverged = match self.lockstep.step(&operations[operations.len() - 1]) {
                Ok(_) => continue,
                Err(Stop::Target(error)) => return Err(error),
                Err(Stop::Diverged(divergence)) => *divergence,
            };
            let is_known = self.is_known(&operations, &diverged);
            self.found(number, &header, &operations, &performed, diverged)?;
            operations.pop();
            if self.tell().is_break() {
                return Ok(());
            }
            if is_known && self.lockstep.undo() {
                continue;
            }
            taken_out += 1;
            if taken_out == TAKEN_OUT {
                return Ok(());
            }
            performed.clone_from(&operations);
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
                    self.found(number, &header, &operations, &performed, *divergence)?;
                }
            }
        }
        self.report.tally.merge(&self.lockstep.take_tally());
        Ok(())
    }

    /// Whether a divergence is of a class that is known and leaves nothing behind, so that nothing
    /// has to be run for it.
    fn is_known(&self, operations: &[Operation], divergence: &Divergence) -> bool {
        let class = self.keys.get(&self.key(operations, divergence));
        class.is_some_and(|class| !self.report.classes[*class].leaks)
    }

    fn key(&self, operations: &[Operation], divergence: &Divergence) -> Key {
        let last = divergence.step.and(operations.last());
        Key::new(divergence, self.lockstep.world_before(), last)
    }

    fn breaks_the_machine(&self, operation: &Operation) -> bool {
        !self.crashes.is_empty()
            && (self.crashes).contains(&shape::of(self.lockstep.world(), operation))
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
    ) -> Result<(), TargetError> {
        // What it took to look into it is no part of the campaign.
        self.report.tally.merge(&self.lockstep.take_tally());
        let key = self.key(operations, &divergence);
        if let Some(&class) = self.keys.get(&key) {
            self.again(class, &key);
            return Ok(());
        }
        if let Some(shown) = self.shown(&key)? {
            if shown.is_accepted && !self.accepted.contains(&shown.id) {
                self.accepted.push(shown.id.clone());
            }
            self.report.classes.push(Class {
                known: vec![shown.id],
                times: 0,
                after: self.report.tally.performed,
                number,
                found: operations.len(),
                trace: shown.trace,
                divergence: shown.divergence,
                leaks: shown.leaks,
            });
            self.again(self.report.classes.len() - 1, &key);
            return Ok(());
        }
        let alike = divergence.signature().join(" ");
        if let Some(class) = self.worn_out(&alike, &key) {
            self.again(class, &key);
            return Ok(());
        }
        let classes = self.report.classes.len();
        let class = self.look_into(number, header, operations, performed, divergence, &key)?;
        self.lockstep.take_tally();
        let fruitless = self.fruitless.entry(alike).or_default();
        *fruitless = if class < classes { *fruitless + 1 } else { 0 };
        self.again(class, &key);
        Ok(())
    }

    /// The class of what looks like divergences that were looked into often enough.
    fn worn_out(&self, alike: &str, key: &Key) -> Option<usize> {
        let fruitless = self.fruitless.get(alike)?;
        if *fruitless < SAME_AGAIN {
            return None;
        }
        let mut same = (self.keys.iter()).filter(|(known, _)| known.is_like(key));
        same.next().map(|(_, class)| *class)
    }

    fn again(&mut self, class: usize, key: &Key) {
        let times = &mut self.report.classes[class].times;
        *times += 1;
        if key.is_crash && *times >= ENOUGH_CRASHES {
            self.crashes.insert(key.shape.clone());
        }
        self.keys.insert(key.clone(), class);
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
        let after = self.report.tally.performed;
        let whole = Trace::new(header.clone(), operations.to_vec());
        // Most divergences need nothing but what their operation names.
        let few = needed(operations);
        let is_enough = (self.repeat(header, &few)?)
            .is_some_and(|found| found.step.is_some() && found.gist() == divergence.gist());
        let shorter = match is_enough {
            true => Trace::new(header.clone(), few),
            false => whole.clone(),
        };
        let plain = minimise_within(
            COST,
            Divergence::gist,
            &mut self.lockstep,
            &shorter,
            &self.accepted,
            0,
        )?;
        let (trace, mut divergence) = match plain {
            Some(plain) => (plain.trace, plain.divergence),
            // It does not diverge again: what was seen is all there is.
            None => (Trace::new(header.clone(), performed.to_vec()), divergence),
        };
        let operations: Vec<Operation> = trace.operations().cloned().collect();
        let plain_key = self
            .key_of(&trace.header, &operations)?
            .unwrap_or_else(|| key.clone());
        let leaks = self.leaks(&mut divergence)?;
        if let Some(&class) = self.keys.get(&plain_key) {
            let shown = &mut self.report.classes[class];
            if trace.lines.len() < shown.trace.lines.len() {
                shown.trace = trace;
                shown.divergence = divergence;
            }
            return Ok(class);
        }
        let known = self.known_as(&trace.header, &operations, &divergence, &plain_key)?;
        self.report.classes.push(Class {
            known,
            times: 0,
            after,
            number,
            found: whole.lines.len(),
            trace,
            divergence,
            leaks,
        });
        let class = self.report.classes.len() - 1;
        self.keys.insert(plain_key, class);
        Ok(class)
    }

    fn key_of(
        &mut self,
        header: &Header,
        operations: &[Operation],
    ) -> Result<Option<Key>, TargetError> {
        let found = self.repeat(header, operations)?;
        Ok(found.map(|divergence| self.key(operations, &divergence)))
    }

    /// The deviations that a divergence is known as: one with which the model accepts it, one
    /// whose own trace shows the same, or those that say of the operation that it is answered so.
    fn known_as(
        &mut self,
        header: &Header,
        operations: &[Operation],
        divergence: &Divergence,
        key: &Key,
    ) -> Result<Vec<String>, TargetError> {
        let broken: Vec<&str> = (divergence.rules.iter())
            .map(|rule| rule.id.as_str())
            .collect();
        // Those that break one of its rules will do, or else what an answer is after one of them.
        let concerned = |known: &&Known| known.rules.iter().any(|rule| broken.contains(&&**rule));
        let ids = |known: &Known| known.id.clone();
        let few: Vec<String> = self.known.iter().filter(concerned).map(ids).collect();
        let all: Vec<String> = self.known.iter().map(ids).collect();
        if !few.is_empty() {
            for tried in [few, all] {
                if let Some(taken) = self.accepting(header, operations, tried)? {
                    self.accepted.extend(taken.iter().cloned());
                    return Ok(taken);
                }
            }
        }
        let last = divergence.step.and(operations.last());
        Ok(match (self.shown(key)?, last) {
            (Some(shown), _) => vec![shown.id],
            (None, Some(operation)) => {
                by_answer(self.lockstep.target().name(), divergence, operation)
            }
            (None, None) => Vec::new(),
        })
    }

    /// Those of some deviations that it takes for the model to accept operations; none where they
    /// are not enough.
    fn accepting(
        &mut self,
        header: &Header,
        operations: &[Operation],
        mut deviations: Vec<String>,
    ) -> Result<Option<Vec<String>>, TargetError> {
        deviations.retain(|id| !self.accepted.contains(id));
        if deviations.is_empty() || !self.accepts(header, operations, &deviations)? {
            return Ok(None);
        }
        for place in (0..deviations.len()).rev() {
            let mut fewer = deviations.clone();
            fewer.remove(place);
            if !fewer.is_empty() && self.accepts(header, operations, &fewer)? {
                deviations = fewer;
            }
        }
        Ok(Some(deviations))
    }

    fn accepts(
        &mut self,
        header: &Header,
        operations: &[Operation],
        more: &[String],
    ) -> Result<bool, TargetError> {
        let accepted = [&self.accepted, more].concat();
        let config = header.config(accepted);
        Ok(self.diverges(&config, operations)?.is_none())
    }

    /// The known deviation that shows itself so.
    fn shown(&mut self, key: &Key) -> Result<Option<Shown>, TargetError> {
        if self.known_keys.is_none() {
            let keys = self.look_up_known()?;
            self.lockstep.take_tally();
            self.known_keys = Some(keys);
        }
        let keys = self.known_keys.as_ref();
        Ok(keys.and_then(|keys| keys.get(key).cloned()))
    }

    /// How the traces of known deviations diverge on this target.
    fn look_up_known(&mut self) -> Result<BTreeMap<Key, Shown>, TargetError> {
        let mut keys = BTreeMap::new();
        let known = self.known;
        let traces =
            (known.iter()).flat_map(|known| known.traces.iter().map(|trace| (&known.id, trace)));
        for (id, trace) in traces {
            let operations: Vec<Operation> = trace.operations().cloned().collect();
            let config = trace.header.config(self.plan.deviations.clone());
            let Some(mut divergence) = self.diverges(&config, &operations)? else {
                continue;
            };
            let performed = divergence.step.map_or(operations.len(), |step| step + 1);
            let key = self.key(&operations[..performed], &divergence);
            let leaks = self.leaks(&mut divergence)?;
            let is_accepted = self.accepts(&trace.header, &operations, std::slice::from_ref(id))?;
            keys.entry(key).or_insert_with(|| Shown {
                id: id.clone(),
                trace: trace.clone(),
                divergence,
                leaks,
                is_accepted,
            });
        }
        Ok(keys)
    }

    /// Whether something leaks at a divergence; ends the trace.
    fn leaks(&mut self, divergence: &mut Divergence) -> Result<bool, TargetError> {
        if divergence.step.is_none() || divergence.crashed {
            return Ok(false);
        }
        self.lockstep.add_leaks(divergence)
    }
}
