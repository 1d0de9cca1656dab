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

/// How a class stands to what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is this deviation, or takes all of these.
    Known(Vec<String>),
    /// Its trace has to go through other divergences first, those that are known as these
    /// deviations among them: it is taken for what they lead to.
    Follows(Vec<String>),
    /// Nothing like it is known.
    New,
    /// It was seen, and not again when the same was done in a fresh system.
    Fleeting,
}

impl Standing {
    /// The known deviations that it has to do with.
    pub fn ids(&self) -> &[String] {
        match self {
            Self::Known(ids) | Self::Follows(ids) => ids,
            Self::New | Self::Fleeting => &[],
        }
    }

    /// Its place in a list: what is known comes first.
    fn rank(&self) -> usize {
        match self {
            Self::Known(_) => 0,
            Self::Follows(_) => 1,
            Self::New => 2,
            Self::Fleeting => 3,
        }
    }
}

/// Divergences of one class.
#[derive(Clone, Debug)]
pub struct Class {
    /// How it stands to what is known.
    pub standing: Standing,
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

/// Classes by how they stand to what is known: the known ones first. Those that have to do with the
/// same deviations are one group, the plainest first; the others are one each.
pub(super) fn groups(classes: &[Class]) -> Vec<Vec<&Class>> {
    let mut groups: Vec<Vec<&Class>> = Vec::new();
    for class in classes.iter().filter(|class| class.same_as.is_none()) {
        let alike = |group: &&mut Vec<&Class>| group[0].standing == class.standing;
        match groups.iter_mut().find(alike) {
            Some(group) if !class.standing.ids().is_empty() => group.push(class),
            _ => groups.push(vec![class]),
        }
    }
    groups.sort_by_key(|group| group[0].standing.rank());
    for group in &mut groups {
        group.sort_by_key(|class| class.trace.lines.len());
    }
    groups
}
