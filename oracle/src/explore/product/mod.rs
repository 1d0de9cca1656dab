//! The product that `check` explores: the model's world and the engine's state, side by side.
//!
//! A step performs one operation of the scope on both in lockstep, as campaigns do. So
//! exhausting a scope proves two things for it at once: the model satisfies every rule, and the
//! engine refines the model. A state is both sides whole, with what the engine hides; see
//! `canonical.rs` for which two are one.

mod canonical;
mod names;
mod notes;
#[cfg(test)]
mod tests;

pub use names::trace;
pub use notes::Note;

use super::scope::Scope;
use super::system::{Moved, Notes, System, Unnoted};
use crate::lockstep::{Divergence, Lockstep, OperationKind, OutcomeClass, Step, Stop};
use crate::target::Target;
use crate::target::engine::{EngineTarget, Snapshot};
use crate::trace::Trace;
use nommu_model::observation::FreeBlock;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::rules;
use nommu_model::world::World;
use nommu_model::world::config::Config;
use std::collections::BTreeSet;

/// Model and engine within a scope.
pub struct Product {
    scope: Scope,
    start: Packed,
    /// Free memory before the first step, for what is found at the end of a trace.
    free_at_start: Vec<FreeBlock>,
    /// Does wrong before a step, to see that it is noticed.
    #[cfg(test)]
    fault: Option<fn(&mut Lockstep<EngineTarget>, &Operation)>,
}

/// Both sides, ready to go on.
pub struct State {
    lockstep: Lockstep<EngineTarget>,
}

/// Both sides, at rest.
pub struct Packed {
    world: World,
    system: Snapshot,
}

/// The rules that a step breaks, by their ids in order; none when the engine died, or something
/// differs that no rule is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken(pub Vec<String>);

impl Product {
    /// What a scope says, judged as a configuration of its header says.
    ///
    /// # Errors
    ///
    /// When the engine cannot be made so, or begins otherwise than the model.
    pub fn new(scope: Scope, config: &Config) -> Result<Self, Stop> {
        Self::on(EngineTarget::new(), scope, config)
    }

    /// What a scope says, on an engine as a target has it.
    ///
    /// # Errors
    ///
    /// As [`Product::new`].
    pub fn on(target: EngineTarget, scope: Scope, config: &Config) -> Result<Self, Stop> {
        let mut lockstep = Lockstep::new(target);
        lockstep.reset(config)?;
        if scope.header.failure > 0 {
            lockstep.target_mut().fail_allocation(scope.header.failure);
        }
        let start = pack(&lockstep);
        Ok(Self {
            scope,
            start,
            free_at_start: lockstep.free_at_start().to_vec(),
            #[cfg(test)]
            fault: None,
        })
    }

    /// The scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// A state at rest, for whoever keeps some.
    pub fn at_rest(&self, state: &State) -> Packed {
        pack(&state.lockstep)
    }

    /// Performs operations from the start, and says what each came to. The last may be one on
    /// which the sides disagree.
    ///
    /// # Errors
    ///
    /// With that disagreement.
    pub fn perform(&self, operations: &[Operation]) -> (Vec<Outcome>, Result<(), Disagreement>) {
        let mut state = self.initial();
        let mut outcomes = Vec::new();
        for operation in operations {
            match self.take(&mut state.lockstep, operation, &mut Unnoted) {
                Ok(outcome) => outcomes.push(outcome),
                Err(disagreement) => return (outcomes, Err(disagreement)),
            }
        }
        (outcomes, Ok(()))
    }

    /// The operations that a path's numbers stand for, as [`System::actions`] lists them. The last
    /// is not performed.
    pub fn operations(&self, path: &[u32]) -> Option<Vec<Operation>> {
        let mut state = self.initial();
        let mut operations: Vec<Operation> = Vec::new();
        let mut enabled = Vec::new();
        for &number in path {
            if let Some(last) = operations.last() {
                self.take(&mut state.lockstep, last, &mut Unnoted).ok()?;
            }
            enabled.clear();
            self.actions(&state, &mut enabled);
            operations.push(enabled.get(number as usize)?.clone());
        }
        Some(operations)
    }

    /// What is wrong with a trace of this system from the start, told by the trace's names.
    pub fn divergence(&self, trace: &Trace) -> Option<Divergence> {
        let mut lockstep = Lockstep::new(EngineTarget::new());
        match lockstep.run(&self.start.world.config, trace.operations()) {
            Err(Stop::Diverged(divergence)) => Some(*divergence),
            Ok(_) | Err(Stop::Target(_)) => None,
        }
    }

    /// Takes a step in a state that is what `from` is, and says what was wrong with it. With
    /// `ends`, the trace could end here, and what would be wrong at its end is.
    ///
    /// # Errors
    ///
    /// With the disagreement.
    pub fn attempt(
        &self,
        from: &State,
        operation: &Operation,
        state: &mut State,
        ends: bool,
    ) -> Result<Moved, Disagreement> {
        self.take(&mut state.lockstep, operation, &mut Unnoted)?;
        if state.lockstep.is_still(&from.lockstep) {
            return Ok(Moved::Nowhere);
        }
        if ends {
            state.lockstep.begin_with(&self.free_at_start);
            state.lockstep.finish().map_err(Disagreement::of)?;
        }
        Ok(Moved::Somewhere)
    }

    /// Takes a step, whatever it leads to.
    ///
    /// # Errors
    ///
    /// With what was wrong.
    pub fn step(
        &self,
        operation: &Operation,
        state: &mut State,
        notes: &mut dyn Notes,
    ) -> Result<(), Broken> {
        let taken = self.take(&mut state.lockstep, operation, notes);
        taken
            .map(|_| ())
            .map_err(|disagreement| disagreement.broken)
    }

    fn take(
        &self,
        lockstep: &mut Lockstep<EngineTarget>,
        operation: &Operation,
        notes: &mut dyn Notes,
    ) -> Result<Outcome, Disagreement> {
        #[cfg(test)]
        if let Some(fault) = self.fault {
            fault(lockstep, operation);
        }
        take(lockstep, operation, notes)
    }
}

/// A step on which engine, model and rules are not agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The rules that it breaks.
    pub broken: Broken,
    /// As [`Divergence::signature`].
    pub signature: Vec<String>,
    /// What was found, and what was expected.
    pub divergence: Box<Divergence>,
}

impl Disagreement {
    fn of(stop: Stop) -> Self {
        let divergence = match stop {
            Stop::Diverged(divergence) => divergence,
            Stop::Target(error) => panic!("the engine runs in this process: {error}"),
        };
        let rules = divergence.rules.iter().map(|rule| rule.id.clone());
        let rules: BTreeSet<String> = rules.collect();
        Self {
            broken: Broken(rules.into_iter().collect()),
            signature: divergence.signature(),
            divergence,
        }
    }
}

/// One step of both.
fn take(
    lockstep: &mut Lockstep<EngineTarget>,
    operation: &Operation,
    notes: &mut dyn Notes,
) -> Result<Outcome, Disagreement> {
    let outcome = match lockstep.step(operation) {
        Ok(Step::Performed(outcome)) => outcome,
        Ok(Step::Skipped(reason)) => panic!("a scope offers what can be performed: {reason:?}"),
        Err(stop) => return Err(Disagreement::of(stop)),
    };
    notes.note(Note::of(operation, &outcome).number());
    for &place in lockstep.held() {
        notes.note(Note::Rule(usize::from(place)).number());
    }
    Ok(outcome)
}

fn pack(lockstep: &Lockstep<EngineTarget>) -> Packed {
    Packed {
        world: lockstep.world().clone(),
        system: lockstep.target().snapshot().expect("it was reset"),
    }
}

fn unpack(packed: &Packed) -> State {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    // [`Product::divergence`] does.
    lockstep.tell_differences(false);
    lockstep.resume(&packed.world, &packed.system);
    State { lockstep }
}

impl State {
    /// Makes it what another was when it was packed.
    pub fn resume(&mut self, packed: &Packed) {
        self.lockstep.resume(&packed.world, &packed.system);
    }
}

impl Clone for State {
    fn clone(&self) -> Self {
        unpack(&pack(&self.lockstep))
    }
}

impl System for Product {
    const REBUILDS: bool = true;

    type State = State;
    type Packed = ();
    type Action = Operation;
    type Violation = Broken;

    fn name(&self) -> String {
        format!("scope {}", self.scope.name)
    }

    fn identity(&self) -> String {
        // Notes are known by number, and their numbers are this program's.
        let kinds = OperationKind::all().map(OperationKind::name);
        let rules = rules::all().map(|rule| rule.id);
        let notes: Vec<&str> = kinds.chain(rules).collect();
        format!(
            "{}\nreduces: {}\nnotes: {} of {} answers",
            self.scope.text,
            self.scope.reduces,
            notes.join(" "),
            OutcomeClass::COUNT,
        )
    }

    fn notes(&self) -> usize {
        Note::COUNT
    }

    fn initial(&self) -> State {
        unpack(&self.start)
    }

    fn actions(&self, state: &State, actions: &mut Vec<Operation>) {
        self.scope.operations(state.lockstep.world(), actions);
    }

    fn copy(&self, from: &State, into: &mut State) {
        into.lockstep.follow(&from.lockstep);
    }

    fn advance(
        &self,
        from: &State,
        operation: &Operation,
        state: &mut State,
        notes: &mut dyn Notes,
    ) -> Result<Moved, Broken> {
        self.step(operation, state, notes)?;
        Ok(match state.lockstep.is_still(&from.lockstep) {
            true => Moved::Nowhere,
            false => Moved::Somewhere,
        })
    }

    fn canonical(&self, state: &State, bytes: &mut Vec<u8>) {
        let engine = state.lockstep.target().engine().expect("it was reset");
        let start = canonical::Start {
            world: &self.start.world,
            engine: self.start.system.engine(),
        };
        let world = state.lockstep.world();
        canonical::canonical(start, world, engine, &self.scope, bytes);
    }

    /// Nothing is kept: the links say how to come to a state.
    fn pack(&self, _state: &State) {}

    fn unpack(&self, _packed: &(), _into: &mut State) {}

    fn heap_bytes(&self, _packed: &()) -> usize {
        0
    }
}
