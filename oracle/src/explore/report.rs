//! What a search says: while it runs, and in the end.

use super::fingerprint::collision_probability;
use super::links::{LevelLinks, Origin};
use super::renew::NoSuchStep;
use super::replay::replay;
use super::system::System;

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// There is nothing more: every state was visited and every step was judged.
    Exhausted,
    /// A step was wrong.
    Violation,
    /// All paths of the length that was asked for were visited; there may be longer ones.
    DepthLimit,
    /// More memory would have been needed than was allowed.
    MemoryLimit,
    /// As many transitions were looked at as were allowed.
    TransitionLimit,
    /// It was told to.
    Interrupted,
}

/// How far a search has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps from the initial state to the states that are being expanded.
    pub depth: u32,
    /// States that wait to be expanded, of this level and the next.
    pub frontier: u64,
    /// Different states found.
    pub states: u64,
    /// As [`Statistics::transitions`].
    pub transitions: u64,
    /// As [`Statistics::memory_bytes`], now.
    pub memory_bytes: u64,
}

/// Counts, the same whatever the number of threads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Different states found.
    pub states: u64,
    /// States looked at, old and new: the initial one, and one for each step taken.
    pub transitions: u64,
    /// States found by their distance from the initial one, which is by itself at 0.
    pub levels: Vec<u64>,
    /// Every path of at most so many steps was visited, and each of its steps judged. When the
    /// search is exhausted, longer ones were too: this is the greatest distance of a state.
    pub complete_depth: u32,
    /// How often each note was taken.
    pub notes: Vec<u64>,
    /// The most memory that states, fingerprints, links and a chunk's candidates took,
    /// reckoned from their numbers.
    pub memory_bytes: u64,
}

/// A step worth telling, such as one that was wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<V> {
    /// What.
    pub what: V,
    /// The first step that showed it; no shorter path does.
    pub origin: Origin,
}

/// The result of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<V> {
    /// Why it ended.
    pub ending: Ending,
    /// How much was seen.
    pub statistics: Statistics,
    /// What was wrong, in the order in which the search came to it.
    pub violations: Vec<Found<V>>,
    /// By note: the first step that it was taken of.
    pub witnesses: Vec<Option<Origin>>,
    pub(super) links: Vec<LevelLinks>,
}

impl<V> Report<V> {
    /// The actions from the initial state up to and including a step that the search of this
    /// system came to.
    pub fn path<S: System>(&self, system: &S, origin: Origin) -> Vec<S::Action> {
        replay(system, &self.links, origin)
            .unwrap_or_else(|NoSuchStep| panic!("the search took this step"))
            .actions
    }

    /// The chance that a state was missed because its fingerprint is that of another.
    pub fn collision_probability(&self) -> f64 {
        collision_probability(self.statistics.states)
    }
}
