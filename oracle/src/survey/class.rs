//! Divergences that are the same.

use crate::lockstep::Divergence;
use crate::minimise::Proof;
use crate::shape;
use crate::trace::Trace;
use nommu_model::op::Operation;
use nommu_model::world::World;

/// What makes two divergences one class.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The rule that is broken most clearly.
    rule: String,
    /// The shape of the operation; empty where there is none.
    pub(super) shape: String,
    /// How the operation ended: an error's name, the words of a crash, or that it was done.
    ending: String,
    /// Whether the implementation ended, or complained, rather than answered.
    pub(super) is_crash: bool,
}

impl Key {
    /// The key of a divergence, at an operation on a world.
    pub fn new(divergence: &Divergence, world: &World, operation: Option<&Operation>) -> Self {
        let rule = divergence.rules.first();
        Self {
            rule: rule.map_or(String::new(), |rule| rule.id.clone()),
            shape: operation.map_or(String::new(), |operation| shape::of(world, operation)),
            ending: divergence.ending(),
            is_crash: divergence.crashed,
        }
    }

    /// Whether another breaks the same rule and ends alike.
    pub(super) fn is_like(&self, other: &Key) -> bool {
        (&self.rule, &self.ending) == (&other.rule, &other.ending)
    }
}

/// Divergences of one class.
#[derive(Clone, Debug)]
pub struct Class {
    /// The deviations that it is known as; none if it is new.
    pub known: Vec<String>,
    /// How often it was seen.
    pub times: u64,
    /// Operations that were performed when it was seen first.
    pub after: u64,
    /// The trace of the campaign that showed it first.
    pub number: u64,
    /// How many operations that trace had up to it.
    pub found: usize,
    /// The plainest trace that shows it.
    pub trace: Trace,
    /// What happens at its end.
    pub divergence: Divergence,
    /// What is known of its length.
    pub length: Proof,
    /// Whether something leaks then.
    pub(super) leaks: bool,
    /// How many deviations, of those that the survey accepts, were accepted when it was seen.
    pub(super) accepted: usize,
    /// The class that it turned out to be, in the list of all.
    pub same_as: Option<usize>,
}

/// Classes by what they are known as: the known ones first, in the order of finding, and of each
/// group the plainest first.
pub(super) fn groups(classes: &[Class]) -> Vec<Vec<&Class>> {
    let (mut known, mut new): (Vec<Vec<&Class>>, Vec<Vec<&Class>>) = (Vec::new(), Vec::new());
    for class in classes.iter().filter(|class| class.same_as.is_none()) {
        let group = (known.iter_mut()).find(|group| group[0].known == class.known);
        match group {
            _ if class.known.is_empty() => new.push(vec![class]),
            Some(group) => group.push(class),
            None => known.push(vec![class]),
        }
    }
    for group in &mut known {
        group.sort_by_key(|class| class.trace.lines.len());
    }
    known.append(&mut new);
    known
}
