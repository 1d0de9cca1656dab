//! The rules as judge over one step.

use super::divergence::BrokenRule;
use super::tally::{RuleTally, Tally};
use crate::specs::is_observable;
use nommu_model::observation::Sight;
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::rules::{self, Kinds, Rule, Step, Verdict};
use nommu_model::step::RuleId;
use nommu_model::world::World;

/// From this rank on a rule speaks of the operation; below it, of whatever happens.
const SPECIFIC: u8 = 47;

/// What an implementation need not show for a rule to be asked: unseen, the model has it as it is
/// to be.
const TAKEN_AS_RIGHT: Sight = Sight::FREE_BLOCKS.union(Sight::CONTENTS);

/// Asks all rules that can have a say, and counts what they say.
pub(super) struct Judge {
    /// What the implementation shows.
    sight: Sight,
    /// By the bit of [`Kinds`], the rules with their places in the table.
    by_kind: Vec<Vec<(u16, &'static Rule)>>,
    /// By the place of a rule, whether the implementation shows enough for it.
    is_asked: Vec<bool>,
    tally: Vec<RuleTally>,
    /// Places of the rules that held on the last step.
    held: Vec<u16>,
}

impl Default for Judge {
    fn default() -> Self {
        let rules: Vec<&'static Rule> = rules::all().collect();
        let by_kind = (0..u32::BITS)
            .map(|bit| {
                (0..)
                    .zip(rules.iter().copied())
                    .filter(|(_, rule)| rule.kinds.bits() & 1 << bit != 0)
                    .collect()
            })
            .collect();
        Self {
            sight: Sight::all(),
            by_kind,
            is_asked: vec![true; rules.len()],
            tally: vec![RuleTally::default(); rules.len()],
            held: Vec::new(),
        }
    }
}

impl Judge {
    /// From now on asks only rules for which this is enough about steps that the model allows: of
    /// the others, what is broken may be what is not shown.
    pub fn judge_by(&mut self, sight: Sight) {
        let sight = sight | TAKEN_AS_RIGHT;
        if sight != self.sight {
            self.sight = sight;
            self.is_asked.clear();
            let is_asked = rules::all().map(|rule| is_observable(rule.id, sight));
            self.is_asked.extend(is_asked);
        }
    }

    /// Asks the rules about a step that the model allows; returns those that it breaks.
    pub fn step(
        &mut self,
        before: &World,
        operation: &Operation,
        outcome: &Outcome,
        after: &World,
        injected_failure: bool,
    ) -> Vec<BrokenRule> {
        if *outcome == Outcome::Unsupported {
            // Nothing was done: there is nothing to judge.
            return Vec::new();
        }
        let step = Step::new(before, operation, outcome, after, injected_failure);
        let kind = Kinds::of(operation).bits().trailing_zeros() as usize;
        let mut broken = Vec::new();
        self.held.clear();
        for &(place, rule) in &self.by_kind[kind] {
            if !self.is_asked[usize::from(place)] {
                continue;
            }
            match rule.check(&step) {
                Verdict::NotApplicable => {}
                Verdict::Holds => {
                    self.tally[usize::from(place)].held += 1;
                    self.held.push(place);
                }
                Verdict::Violated(words) => {
                    self.tally[usize::from(place)].broken += 1;
                    broken.push((rule, words));
                }
            }
        }
        told(broken)
    }

    /// The rules that a step breaks which is as a target showed it.
    pub fn broken(
        &mut self,
        before: &World,
        operation: &Operation,
        outcome: &Outcome,
        after: &World,
        injected_failure: bool,
    ) -> Vec<BrokenRule> {
        // What a target shows after its end says nothing: only its answer is judged.
        let after = match outcome {
            Outcome::Crash(_) => before,
            _ => after,
        };
        let step = Step::new(before, operation, outcome, after, injected_failure);
        let kind = Kinds::of(operation).bits().trailing_zeros() as usize;
        let mut broken = Vec::new();
        for &(place, rule) in &self.by_kind[kind] {
            if let Verdict::Violated(words) = rule.check(&step) {
                self.tally[usize::from(place)].broken += 1;
                broken.push((rule, words));
            }
        }
        told(broken)
    }

    /// Places among [`rules::all`] of the rules that held on the last step.
    pub fn held(&self) -> &[u16] {
        &self.held
    }

    /// Adds the rules that the model named to those that are broken, the most telling first.
    ///
    /// The model names what the answer or the state alone suggest. A rule that looked at the
    /// step and found it broken knows more, unless it speaks of whatever happens.
    pub fn add_named(
        &self,
        rules: &mut Vec<BrokenRule>,
        operation: Option<&Operation>,
        named: &[RuleId],
    ) {
        let kinds = operation.map_or(Kinds::all(), Kinds::of);
        let known = |rule: &RuleId| rules::find(rule.0);
        let can_speak =
            |rule: &&RuleId| known(rule).is_none_or(|rule| rule.kinds.intersects(kinds));
        let mut named: Vec<RuleId> = named.to_vec();
        if !rules.is_empty() || named.iter().any(|rule| can_speak(&rule)) {
            named.retain(|rule| can_speak(&rule));
        }
        named.retain(|rule| rules.iter().all(|broken| broken.id != rule.0));
        let general = rules
            .iter()
            .position(|rule| rules::find(&rule.id).is_some_and(|rule| rule.rank < SPECIFIC))
            .unwrap_or(rules.len());
        let named = named.into_iter().map(|rule| self.named(rule));
        rules.splice(general..general, named);
    }

    /// A rule that the model named.
    pub(super) fn named(&self, rule: RuleId) -> BrokenRule {
        BrokenRule {
            id: rule.0.to_owned(),
            lines: lines_of(rule.0),
            words: crate::specs::specs()
                .rule(rule.0)
                .map_or(String::new(), |rule| rule.words.to_owned()),
        }
    }

    /// Moves what was counted to a tally.
    pub fn take(&mut self, tally: &mut Tally) {
        if tally.rules.is_empty() {
            tally.rules.resize(self.tally.len(), RuleTally::default());
        }
        for (theirs, ours) in tally.rules.iter_mut().zip(&mut self.tally) {
            theirs.held += ours.held;
            theirs.broken += ours.broken;
            *ours = RuleTally::default();
        }
    }
}

/// The most telling first.
fn told(mut broken: Vec<(&'static Rule, String)>) -> Vec<BrokenRule> {
    if broken.is_empty() {
        return Vec::new();
    }
    broken.sort_by_key(|(rule, _)| std::cmp::Reverse(rule.rank));
    broken
        .into_iter()
        .map(|(rule, words)| BrokenRule {
            id: rule.id.to_owned(),
            lines: lines_of(rule.id),
            words,
        })
        .collect()
}

/// The document's lines that a rule comes from.
fn lines_of(id: &str) -> String {
    let rule = crate::specs::specs().rule(id);
    rule.map_or(String::new(), |rule| rule.lines.to_string())
}
