//! What can be explored: anything with a first state and steps from state to state.

/// A transition system, described well enough to visit every state of it.
///
/// Everything here must be a function of its arguments alone: the search performs an action
/// again whenever it needs the state behind it, and two runs must see the same system.
pub trait System: Sync {
    /// Whether states that wait for their turn are made again from the way to them, which takes
    /// time and no memory. What they are packed as is never unpacked then.
    const REBUILDS: bool = false;
    /// A state to work on.
    type State: Clone + Send;
    /// A state as it waits for its turn, as small as the system can make it.
    type Packed: Default + Send + Sync;
    /// One step that could be taken.
    type Action: Clone + Send;
    /// What a step did wrong. The search keeps the first step for each that differs.
    type Violation: Ord + Clone + Send;

    /// What a reader calls this system, such as the name of its scope.
    fn name(&self) -> String;

    /// Everything that the states and steps depend on, as text; two systems with the same
    /// text are the same. A checkpoint is only good for the system that it was made of.
    fn identity(&self) -> String;

    /// How many different notes [`System::successor`] can take; they count from 0.
    fn notes(&self) -> usize;

    /// The state that everything starts from.
    fn initial(&self) -> Self::State;

    /// Appends every step that can be taken from a state, always in the same order.
    fn actions(&self, state: &Self::State, actions: &mut Vec<Self::Action>);

    /// Makes a state what another is. What `into` held before is of no interest, but its memory
    /// can be used again.
    fn copy(&self, from: &Self::State, into: &mut Self::State) {
        into.clone_from(from);
    }

    /// Takes a step in `state`, which is what `from` is.
    ///
    /// # Errors
    ///
    /// What was wrong with the step; no state follows it then, and `state` is of no use.
    fn advance(
        &self,
        from: &Self::State,
        action: &Self::Action,
        state: &mut Self::State,
        notes: &mut dyn Notes,
    ) -> Result<Moved, Self::Violation>;

    /// The state that a step leads to.
    ///
    /// # Errors
    ///
    /// As [`System::advance`].
    fn successor(
        &self,
        from: &Self::State,
        action: &Self::Action,
        into: &mut Self::State,
        notes: &mut dyn Notes,
    ) -> Result<(), Self::Violation> {
        self.copy(from, into);
        self.advance(from, action, into, notes).map(|_| ())
    }

    /// Appends bytes that are the same for two states exactly when no future can tell the two
    /// apart (but for names that mean nothing).
    fn canonical(&self, state: &Self::State, bytes: &mut Vec<u8>);

    /// Makes a state small.
    fn pack(&self, state: &Self::State) -> Self::Packed;

    /// Makes a state usable again, in the memory of another.
    fn unpack(&self, packed: &Self::Packed, into: &mut Self::State);

    /// Bytes that a packed state has on the heap, for the memory limit.
    fn heap_bytes(&self, packed: &Self::Packed) -> usize;
}

/// Whether a step led anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The state is the one before the step still: any step can be taken from it in its place.
    /// Most steps of a system that refuses much are so, and cost no copy and no fingerprint.
    Nowhere,
    /// It is another, or nobody looked.
    Somewhere,
}

/// Where a step says what it was an example of, such as a rule that applied.
pub trait Notes {
    /// Says it of the step that is being taken.
    fn note(&mut self, note: usize);
}

/// Notes that nobody reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unnoted;

impl Notes for Unnoted {
    fn note(&mut self, _note: usize) {}
}
