//! The contract as rules: each judges one step by itself.
//!
//! A rule looks at the world before, the operation, the outcome and the world after, and says
//! whether it applies, and then whether it holds. Rules know nothing of [`crate::step`], so
//! that the one finds the mistakes of the other: the model must never make a step that breaks
//! a rule. When an implementation diverges, the rules are asked about what it really showed,
//! and those that it breaks say why.
//!
//! The sections of the document have a file each, of the same name as in `specs/`; what the
//! document leaves open and is required all the same is in `gaps`.

mod bytes;
mod due;
mod further_notes;
mod futexes;
mod gaps;
mod interprocess_shared_memory;
mod kinds;
mod no_mmu_memory_mapping_support;
mod no_mmu_mremap;
mod page_trimming;
mod shareable_block_devices;
mod shareable_character_devices;
mod shareable_memory_backed_files;
#[cfg(test)]
mod tests;
mod view;

pub use kinds::Kinds;

use crate::op::Operation;
use crate::outcome::Outcome;
use crate::world::World;
use view::{Made, Request, Unmapping};

/// One step, as rules see it.
pub struct Step<'a> {
    /// The world before.
    pub before: &'a World,
    /// What was asked.
    pub operation: &'a Operation,
    /// What was answered.
    pub outcome: &'a Outcome,
    /// The world after: the model's, or what an implementation showed.
    pub after: &'a World,
    /// Whether an allocation was made to fail meanwhile: ENOMEM needs no other reason then.
    pub injected_failure: bool,
    request: Option<Request<'a>>,
    unmapping: Option<Unmapping>,
    made: Option<Made<'a>>,
}

impl<'a> Step<'a> {
    /// A step.
    pub fn new(
        before: &'a World,
        operation: &'a Operation,
        outcome: &'a Outcome,
        after: &'a World,
        injected_failure: bool,
    ) -> Self {
        let mut step = Self {
            before,
            operation,
            outcome,
            after,
            injected_failure,
            request: None,
            unmapping: None,
            made: None,
        };
        step.request = Request::of(&step);
        step.unmapping = Unmapping::of(&step);
        step.made = Made::of(&step);
        step
    }
}

/// What a rule says of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has nothing to say.
    NotApplicable,
    /// It has, and all is well.
    Holds,
    /// It is broken: what was found and what was expected.
    Violated(String),
}

impl Verdict {
    /// Holds if the condition does; the sentence is made only if it does not.
    fn demand(condition: bool, sentence: impl FnOnce() -> String) -> Self {
        if condition {
            Verdict::Holds
        } else {
            Verdict::Violated(sentence())
        }
    }
}

/// One rule.
pub struct Rule {
    /// What it is called everywhere.
    pub id: &'static str,
    /// The section of the document that it is in, as `specs/` names it; or `gaps`.
    pub section: &'static str,
    /// Operations that it can have something to say about.
    pub kinds: Kinds,
    /// How directly it speaks of what is broken, when several rules are: higher comes first.
    pub rank: u8,
    check: fn(&Step<'_>) -> Verdict,
}

impl Rule {
    /// Judges a step.
    #[inline]
    pub fn check(&self, step: &Step<'_>) -> Verdict {
        (self.check)(step)
    }
}

/// Declares rules: `id: kinds, rank, function`.
macro_rules! rules {
    ($section:literal: $($id:literal: $kinds:expr, $rank:literal, $check:path;)*) => {
        /// The rules of this section, in its order.
        pub(in crate::rules) const RULES: &[$crate::rules::Rule] = &[$($crate::rules::Rule {
            id: $id,
            section: $section,
            kinds: $kinds,
            rank: $rank,
            check: $check,
        }),*];
    };
}
pub(crate) use rules;

/// The rules of every section, in the document's order; the gaps last.
const SECTIONS: &[&[Rule]] = &[
    no_mmu_memory_mapping_support::RULES,
    further_notes::RULES,
    interprocess_shared_memory::RULES,
    futexes::RULES,
    no_mmu_mremap::RULES,
    shareable_character_devices::RULES,
    shareable_memory_backed_files::RULES,
    shareable_block_devices::RULES,
    page_trimming::RULES,
    gaps::ARGUMENTS,
    gaps::MEMORY,
    gaps::UNMAPPING,
    gaps::FILES,
    gaps::PROCESSES,
];

/// All rules, in the order of the document.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    SECTIONS.iter().copied().flatten()
}

/// The rule of this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}
