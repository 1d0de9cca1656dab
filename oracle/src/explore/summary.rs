//! What several scopes say together: a line for each, and what none of them has shown.

use super::check::Checked;
use crate::lockstep::OperationKind;
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

/// Scopes together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// One line of each.
    pub scopes: Vec<Line>,
    /// How many rules applied in one of them at least.
    pub rules_applied: usize,
    /// Rules that applied in none, in the order of the document.
    pub rules_without_witness: Vec<&'static str>,
    /// Kinds of operations that were never performed.
    pub never_performed: Vec<&'static str>,
    /// Kinds of operations that never succeeded.
    pub never_succeeded: Vec<&'static str>,
    /// Kinds of operations that never failed.
    pub never_failed: Vec<&'static str>,
}

/// One scope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Its name.
    pub scope: String,
    /// Different states.
    pub states: u64,
    /// States looked at.
    pub transitions: u64,
    /// Every sequence of at most so many operations was judged.
    pub complete_depth: u32,
    /// Why the search ended.
    pub ending: &'static str,
    /// Rules that applied.
    pub rules: usize,
    /// Disagreements.
    pub violations: usize,
}

impl Summary {
    /// Of what was found in scopes.
    pub fn of(all: &[Checked]) -> Self {
        let line = |checked: &Checked| Line {
            scope: checked.scope.clone(),
            states: checked.states,
            transitions: checked.transitions,
            complete_depth: checked.complete_depth,
            ending: checked.ending,
            rules: checked.rules.iter().filter(|rule| rule.applied > 0).count(),
            violations: checked.violations.len(),
        };
        let rules = all.iter().flat_map(|checked| &checked.rules);
        let applied: BTreeSet<&str> = rules
            .filter(|rule| rule.applied > 0)
            .map(|rule| rule.id)
            .collect();
        let known = nommu_model::rules::all().map(|rule| rule.id);
        let answers = |kind: &str, succeeded: bool| {
            let answers = all.iter().filter_map(|checked| checked.outcomes.get(kind));
            let mut answers = answers.flat_map(|answers| answers.keys());
            answers.any(|answer| (answer == "ok") == succeeded)
        };
        let kinds = || OperationKind::all().map(OperationKind::name);
        let performed = |kind: &&str| answers(kind, true) || answers(kind, false);
        Self {
            scopes: all.iter().map(line).collect(),
            rules_applied: applied.len(),
            rules_without_witness: known.filter(|id| !applied.contains(id)).collect(),
            never_performed: kinds().filter(|kind| !performed(kind)).collect(),
            never_succeeded: kinds()
                .filter(performed)
                .filter(|kind| !answers(kind, true))
                .collect(),
            never_failed: kinds()
                .filter(performed)
                .filter(|kind| !answers(kind, false))
                .collect(),
        }
    }
}

impl Display for Summary {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let widest = self.scopes.iter().map(|line| line.scope.len()).max();
        let width = widest.unwrap_or(0).max("scope".len());
        writeln!(
            out,
            "{:<width$} {:>10} {:>12} {:>6} {:>6} {:>6}  ended by",
            "scope", "states", "transitions", "depth", "rules", "wrong"
        )?;
        for line in &self.scopes {
            writeln!(
                out,
                "{:<width$} {:>10} {:>12} {:>6} {:>6} {:>6}  {}",
                line.scope,
                line.states,
                line.transitions,
                line.complete_depth,
                line.rules,
                line.violations,
                line.ending
            )?;
        }
        let rules = self.rules_applied + self.rules_without_witness.len();
        writeln!(
            out,
            "rules with a witness: {} of {rules}",
            self.rules_applied
        )?;
        for (words, names) in [
            ("rules without one", &self.rules_without_witness),
            ("never performed", &self.never_performed),
            ("never succeeded", &self.never_succeeded),
            ("never failed", &self.never_failed),
        ] {
            if !names.is_empty() {
                writeln!(out, "{words}: {}", names.join(", "))?;
            }
        }
        Ok(())
    }
}
