//! An implementation and the model, step by step side by side.
//!
//! After each operation, what was answered, what is to be seen and what memory holds must be
//! what the model allows, and then no rule may be broken by the step. The first step where
//! that is not so ends the run with a [`Divergence`]. Nothing here knows which implementation
//! it is, or where the operations come from.
//!
//! Start reading at [`Lockstep::step`].

mod contents;
mod divergence;
mod judge;
mod resume;
mod tally;
#[cfg(test)]
pub(crate) mod tests;

pub use divergence::{BrokenRule, Divergence};
pub use tally::{OperationKind, OutcomeClass, RuleTally, Tally};

use crate::target::{Target, TargetError};
use contents::Buffer;
use judge::Judge;
use nommu_model::observation::{Observation, Sight};
use nommu_model::op::{Call, Operation};
use nommu_model::outcome::Outcome;
use nommu_model::step::{self, Answer};
use nommu_model::world::compare::{FREE_PAGES, Mismatch};
use nommu_model::world::config::Config;
use nommu_model::world::performable::NotPerformable;
use nommu_model::world::{Objects, World};

/// Runs a target beside the model.
pub struct Lockstep<T> {
    target: T,
    /// The model's world before the last step.
    before: World,
    /// The model's world now.
    after: World,
    seen: Observation,
    /// Free memory before the first step.
    initial_free: Observation,
    /// Steps of this trace that were performed or skipped.
    steps: usize,
    buffer: Buffer,
    judge: Judge,
    tally: Tally,
    /// What worlds begin with, by the size of their pages.
    objects: Vec<Objects>,
    /// Whether a divergence says where the worlds differ.
    tells_differences: bool,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// It could not be performed, and was not.
    Skipped(NotPerformable),
    /// It was performed, and the model agrees with this answer.
    Performed(Outcome),
}

/// Why a run ends early.
#[derive(Clone, Debug)]
pub enum Stop {
    /// The target did what the contract does not allow.
    Diverged(Box<Divergence>),
    /// The target could not be run.
    Target(TargetError),
}

impl From<TargetError> for Stop {
    fn from(error: TargetError) -> Self {
        Stop::Target(error)
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Stop::Diverged(divergence) => divergence.fmt(formatter),
            Stop::Target(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for Stop {}

/// Sizes of pages whose objects are kept.
const OBJECTS_LIMIT: usize = 16;
/// What shows of memory only what mappings explain.
const OF_MAPPINGS: Sight = Sight::REGIONS
    .union(Sight::REGION_RECORDS)
    .union(Sight::COPIED_PAGES)
    .union(Sight::FREE_BLOCKS);
/// What shows all that takes memory, so that what is free is known.
const TAKES_MEMORY: Sight = Sight::MAPPINGS
    .union(Sight::FILES)
    .union(Sight::FILE_PAGES)
    .union(Sight::SEGMENTS);

impl<T: Target> Lockstep<T> {
    /// Puts a target beside the model. [`Lockstep::reset`] starts the two.
    pub fn new(target: T) -> Self {
        let world = World::new(Config {
            page_size: 16,
            window: None,
            trim: 1,
            uninitialized: false,
            processes: 0,
            deviations: Vec::new(),
        });
        Self {
            target,
            before: world.clone(),
            after: world,
            seen: Observation::default(),
            initial_free: Observation::default(),
            steps: 0,
            buffer: Buffer::default(),
            judge: Judge::default(),
            tally: Tally::default(),
            objects: Vec::new(),
            tells_differences: true,
        }
    }

    /// Whether a divergence says where the worlds differ. That takes longer than a trace does, and
    /// whoever runs many only wants to know which rules are broken.
    pub fn tell_differences(&mut self, tells: bool) {
        self.tells_differences = tells;
    }

    /// Makes both afresh.
    ///
    /// # Errors
    ///
    /// When the target cannot be run, or begins otherwise than the model.
    pub fn reset(&mut self, config: &Config) -> Result<(), Stop> {
        let config = &self.target.offered(config.clone());
        self.target.reset(config)?;
        self.judge.judge_by(self.sight());
        let world = self.beginning(&self.judged(config));
        self.before = world.clone();
        self.after = world;
        self.steps = 0;
        self.target.observe(&mut self.seen)?;
        self.initial_free.free.clone_from(&self.seen.free);
        let mut found = Vec::new();
        if let Err(different) = self.after.compare(&self.seen, self.sight()) {
            found.extend(different);
        }
        // Nothing was done yet: what is said of steps does not apply.
        for mismatch in &mut found {
            if mismatch.component == FREE_PAGES {
                mismatch.rules = vec![step::RuleId("pages-conserved")];
            }
        }
        self.target.touched();
        let mut wrong = Vec::new();
        self.compare_everything(&mut wrong);
        found.extend(wrong.into_iter().map(|wrong| wrong.mismatch));
        if found.is_empty() {
            Ok(())
        } else {
            Err(self.differs(None, None, found))
        }
    }

    /// What can be made use of: whose regions there are is not known without the mappings.
    fn sight(&self) -> Sight {
        let shown = self.target.sight();
        match shown.contains(Sight::MAPPINGS) {
            true => shown,
            false => shown - OF_MAPPINGS,
        }
    }

    /// A system as it can be judged: where memory is taken that is not shown, nobody knows how
    /// much is left, or where.
    fn judged(&self, config: &Config) -> Config {
        let window = (config.window).filter(|_| self.sight().contains(TAKES_MEMORY));
        Config {
            window,
            ..config.clone()
        }
    }

    /// A world before the first step.
    fn beginning(&mut self, config: &Config) -> World {
        let known = |objects: &&Objects| objects.page_size() == config.page_size;
        if let Some(objects) = self.objects.iter().find(known) {
            return World::with_objects(objects, config.clone());
        }
        if self.objects.len() == OBJECTS_LIMIT {
            self.objects.clear();
        }
        let objects = Objects::new(config.page_size);
        let world = World::with_objects(&objects, config.clone());
        self.objects.push(objects);
        world
    }

    /// Whether it will be known what an operation came to.
    fn followable(&self, operation: &Operation) -> Result<(), NotPerformable> {
        let is_exec = matches!(operation, Operation::Call(_, Call::Exec { .. }));
        match is_exec && !self.sight().contains(Sight::MAPPINGS) {
            true => Err(NotPerformable {
                reason: "what exec maps would not be shown".to_owned(),
            }),
            false => Ok(()),
        }
    }

    /// Performs one operation on both, and holds them against each other.
    ///
    /// # Errors
    ///
    /// When they disagree, or the target cannot be reached. Nothing more can be performed then
    /// before [`Lockstep::reset`].
    pub fn step(&mut self, operation: &Operation) -> Result<Step, Stop> {
        let performable = self.after.performable(operation);
        if let Err(reason) = performable.and_then(|()| self.followable(operation)) {
            self.steps += 1;
            self.tally.skip(operation);
            return Ok(Step::Skipped(reason));
        }
        let outcome = self.target.perform(operation)?;
        self.target.observe(&mut self.seen)?;
        self.before.clone_from(&self.after);
        let sight = self.sight();
        let answer = Answer {
            outcome: &outcome,
            seen: &self.seen,
            sight,
            contents: &self.target,
            injected_failure: self.target.injected_failure(),
        };
        if let Err(refusal) = step::step(&mut self.after, operation, &answer) {
            return Err(self.refused(operation, &outcome, refusal));
        }
        let mut found = Vec::new();
        if let Err(different) = self.after.compare(&self.seen, sight) {
            found = different;
        }
        if sight.contains(Sight::CONTENTS) {
            let mut wrong = Vec::new();
            self.compare_touched(operation, &mut wrong);
            found.extend(wrong.into_iter().map(|wrong| wrong.mismatch));
            if let Some(words) = self.target.broke() {
                return Err(self.broke_when_shown(operation, words));
            }
        }
        if !found.is_empty() {
            return Err(self.differs(Some(operation), Some(&outcome), found));
        }
        let broken = self.judge.step(
            &self.before,
            operation,
            &outcome,
            &self.after,
            self.target.injected_failure(),
        );
        if !broken.is_empty() {
            return Err(self.broken(operation, &outcome, broken));
        }
        self.tally.count(operation, &outcome);
        self.steps += 1;
        Ok(Step::Performed(outcome))
    }

    /// After a step that diverged: goes on as if it had not been, where all that can be seen is as
    /// it was before. False where something is not; then nothing more can be performed before
    /// [`Lockstep::reset`].
    pub fn undo(&mut self) -> bool {
        self.after.clone_from(&self.before);
        if self.after.compare(&self.seen, self.sight()).is_err() {
            return false;
        }
        let mut wrong = Vec::new();
        self.compare_everything(&mut wrong);
        wrong.is_empty() && self.target.broke().is_none()
    }

    /// Ends a trace: holds the contents of everything against the model's, and sees to it that
    /// nothing leaked.
    ///
    /// # Errors
    ///
    /// When something is not as it has to be.
    pub fn finish(&mut self) -> Result<(), Stop> {
        let mut wrong = Vec::new();
        self.compare_everything(&mut wrong);
        let mut found: Vec<Mismatch> = wrong.into_iter().map(|wrong| wrong.mismatch).collect();
        if let Some(words) = self.target.broke() {
            found.push(Mismatch {
                component: "what was looked at in the end".to_owned(),
                expected: "an answer".to_owned(),
                seen: words,
                rules: vec![step::RuleId("errors-change-nothing")],
            });
            return Err(self.differs(None, None, found));
        }
        let all_gone = self.after.processes.iter().all(|process| !process.alive)
            && self.after.regions.is_empty()
            && self.after.segments.iter().all(|segment| segment.dead)
            && self
                .after
                .files
                .iter()
                .skip(BUILTIN_FILES)
                .all(|file| file.dead);
        if all_gone
            && self.sight().contains(Sight::FREE_BLOCKS)
            && self.seen.free != self.initial_free.free
        {
            found.push(Mismatch {
                component: "free pages at the end".to_owned(),
                expected: "as at the beginning".to_owned(),
                seen: "others".to_owned(),
                rules: vec![step::RuleId("exit-releases")],
            });
        }
        for left in self.target.leftovers()? {
            found.push(Mismatch {
                component: LEFT.to_owned(),
                expected: "nothing".to_owned(),
                seen: left,
                rules: vec![LEAK],
            });
        }
        if found.is_empty() {
            Ok(())
        } else {
            Err(self.differs(None, None, found))
        }
    }

    /// Ends a trace that diverged, and adds to its divergence what leaked. Whether anything did.
    ///
    /// # Errors
    ///
    /// When the target cannot be reached.
    pub fn add_leaks(&mut self, divergence: &mut Divergence) -> Result<bool, TargetError> {
        let leaks = self.target.leftovers()?;
        for left in &leaks {
            divergence.expected = format!("{}\n{LEFT}: nothing", divergence.expected.trim_end());
            divergence.seen = format!("{}\n{LEFT}: {left}", divergence.seen.trim_end());
        }
        let is_named = divergence.rules.iter().any(|rule| rule.id == LEAK.0);
        if !leaks.is_empty() && !is_named {
            divergence.rules.push(self.judge.named(LEAK));
        }
        Ok(!leaks.is_empty())
    }

    /// Runs a whole trace. Returns how many operations were performed.
    ///
    /// # Errors
    ///
    /// At the first step that has one.
    pub fn run<'o>(
        &mut self,
        config: &Config,
        operations: impl IntoIterator<Item = &'o Operation>,
    ) -> Result<u64, Stop> {
        self.reset(config)?;
        let mut performed = 0;
        for operation in operations {
            if let Step::Performed(_) = self.step(operation)? {
                performed += 1;
            }
        }
        self.finish()?;
        Ok(performed)
    }

    /// The model's world.
    pub fn world(&self) -> &World {
        &self.after
    }

    /// The model's world before the last step.
    pub fn world_before(&self) -> &World {
        &self.before
    }

    /// What the target showed last.
    pub fn seen(&self) -> &Observation {
        &self.seen
    }

    /// The target.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// The target, to be changed.
    pub fn target_mut(&mut self) -> &mut T {
        &mut self.target
    }

    /// What was performed and which rules had a say, since this was last taken.
    pub fn take_tally(&mut self) -> Tally {
        let mut tally = std::mem::take(&mut self.tally);
        self.judge.take(&mut tally);
        tally
    }
}

/// What a leak is of, and the rule that it breaks.
const LEFT: &str = "what is left when every process was ended";
const LEAK: step::RuleId = step::RuleId("exit-releases");

/// Files that exist from the start; they stay.
const BUILTIN_FILES: usize = 12;
