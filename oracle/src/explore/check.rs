//! What exploring a scope found, told to people and to machines.
//!
//! There is no time in it: the same scope gives the same text, byte by byte, whatever the
//! number of threads.

use super::checkpoint::CheckpointError;
use super::product::{Note, Product, trace};
use super::report::{Ending, Found, Report, Statistics};
use super::search::Search;
use super::trail::{Done, Trail};
use super::{Broken, FINGERPRINT_BITS, Origin, collision_probability};
use crate::lockstep::Divergence;
use crate::minimise::Proof;
use crate::trace::Trace;
use nommu_model::op::Operation;
use nommu_model::rules;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write};
use std::path::{Path, PathBuf};

/// The result for one scope.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// The scope.
    pub scope: String,
    /// What it is for.
    pub about: String,
    /// Why the search ended.
    pub ending: &'static str,
    /// Whether all there is was seen.
    pub exhausted: bool,
    /// Every sequence of at most so many operations was judged.
    pub complete_depth: u32,
    /// Different states.
    pub states: u64,
    /// States looked at: the first, and one for each operation performed.
    pub transitions: u64,
    /// States by the number of operations that lead there.
    pub levels: Vec<u64>,
    /// The chance that a state was taken for another, at most.
    pub collision_probability: f64,
    /// How often each operation had which answer.
    pub outcomes: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// How often each rule applied, in the order of the document.
    pub rules: Vec<RuleApplied>,
    /// What was wrong.
    pub violations: Vec<Violation>,
}

/// How often a rule applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleApplied {
    /// The rule.
    pub id: &'static str,
    /// Steps on which it applied, and held.
    pub applied: u64,
    /// The shortest trace on which it does; only when asked for.
    pub witness: Option<String>,
}

/// A disagreement, with a shortest way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The rules that are broken.
    pub rules: Vec<String>,
    /// Operations of the trace; none with fewer show it within the scope.
    pub operations: usize,
    /// Which is what this says.
    pub length: Proof,
    /// The trace.
    pub trace: String,
    /// What was found, and what was expected.
    pub divergence: Option<Divergence>,
    /// Where the trace is kept, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<PathBuf>,
}

/// Explores a scope, from the start or from a checkpoint. `witnesses` are derived for each
/// rule that applied.
///
/// # Errors
///
/// When a checkpoint cannot be used or written.
pub fn check(
    product: &Product,
    search: Search<'_>,
    resume: Option<&Path>,
    witnesses: bool,
) -> Result<Checked, CheckpointError> {
    let report = match resume {
        None => search.run(product)?,
        Some(path) => search.resume(product, path)?,
    };
    Ok(Checked::of(product, &report, witnesses))
}

/// What a search came to that was given up, since an operation did not end: everything up to that
/// chunk, and the trace that ends with the operation. `path` are the numbers of the actions, as a
/// [`Trail`] has them, and `judge` performs the trace where it can be ended. `witnesses` are derived
/// for each rule that applied until then. None where it ends there.
pub fn given_up(
    product: &Product,
    trail: &Trail,
    path: &[u32],
    witnesses: bool,
    judge: impl FnOnce(&Trace) -> Option<Divergence>,
) -> Option<Checked> {
    let Done {
        statistics,
        violations,
        witnesses: ways,
    } = trail.done()?;
    let operations = product.operations(path)?;
    let named = trace(product, &operations);
    let divergence = judge(&named)?;
    let before = violations.iter().filter_map(|path| {
        let operations = product.operations(path)?;
        let wrong = product.perform(&operations).1.err()?;
        Some(Violation::of(product, wrong.broken, &operations))
    });
    let mut violations: Vec<Violation> = before.collect();
    violations.push(Violation {
        rules: divergence.broken(),
        operations: operations.len(),
        length: Proof::Shortest,
        trace: named.to_string(),
        divergence: Some(divergence),
        kept: None,
    });
    let witness = |note: usize| {
        let way = ways[note].as_ref().filter(|_| witnesses)?;
        Some(trace(product, &product.operations(way)?).to_string())
    };
    Some(Checked {
        complete_depth: u32::try_from(path.len() - 1).unwrap_or(u32::MAX),
        violations,
        ..Checked::told(product, "an operation does not end", statistics, witness)
    })
}

impl Violation {
    /// A disagreement with which the engine goes on.
    fn of(product: &Product, broken: Broken, operations: &[Operation]) -> Self {
        let named = trace(product, operations);
        let divergence = product.divergence(&named).or_else(|| {
            let (_, result) = product.perform(operations);
            result.err().map(|wrong| *wrong.divergence)
        });
        Self {
            rules: broken.0,
            operations: operations.len(),
            length: Proof::Shortest,
            trace: named.to_string(),
            divergence,
            kept: None,
        }
    }
}

impl Checked {
    fn of(product: &Product, report: &Report<Broken>, witnesses: bool) -> Self {
        let path = |origin: Origin| trace(product, &report.path(product, origin)).to_string();
        let witness = |note: usize| report.witnesses[note].filter(|_| witnesses).map(path);
        let violation = |found: &Found<Broken>| {
            let operations = report.path(product, found.origin);
            Violation::of(product, found.what.clone(), &operations)
        };
        Self {
            exhausted: report.ending == Ending::Exhausted,
            violations: report.violations.iter().map(violation).collect(),
            ..Self::told(
                product,
                words(report.ending),
                report.statistics.clone(),
                witness,
            )
        }
    }

    /// What the counts say, of a search that has not gone through everything.
    fn told(
        product: &Product,
        ending: &'static str,
        statistics: Statistics,
        witness: impl Fn(usize) -> Option<String>,
    ) -> Self {
        let Statistics {
            states,
            transitions,
            levels,
            complete_depth,
            notes,
            memory_bytes: _,
        } = statistics;
        let mut outcomes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        let taken = notes.iter().enumerate().filter(|&(_, &count)| count > 0);
        for (number, &count) in taken {
            if let Note::Outcome(operation, outcome) = Note::numbered(number) {
                let answers = outcomes.entry(operation.name()).or_default();
                answers.insert(outcome.to_string(), count);
            }
        }
        let applied = |(place, rule): (usize, &'static rules::Rule)| {
            let number = Note::Rule(place).number();
            RuleApplied {
                id: rule.id,
                applied: notes[number],
                witness: witness(number),
            }
        };
        Self {
            scope: product.scope().name.clone(),
            about: product.scope().about.clone(),
            ending,
            exhausted: false,
            complete_depth,
            states,
            transitions,
            levels,
            collision_probability: collision_probability(states),
            outcomes,
            rules: rules::all().enumerate().map(applied).collect(),
            violations: Vec::new(),
        }
    }
}

fn words(ending: Ending) -> &'static str {
    match ending {
        Ending::Exhausted => "exhausted",
        Ending::Violation => "a step was wrong",
        Ending::DepthLimit => "depth limit",
        Ending::MemoryLimit => "memory limit",
        Ending::TransitionLimit => "transition limit",
        Ending::Interrupted => "interrupted",
    }
}

/// What is known of how the search ended, and what that proves.
fn proof(checked: &Checked) -> String {
    let depth = checked.complete_depth;
    if checked.exhausted && checked.violations.is_empty() {
        return format!(
            "proved: model, rules and engine agree on every sequence of operations \
             (the longest shortest one has {depth})"
        );
    }
    let which = match checked.violations.is_empty() {
        true => "all agree",
        false => "all were judged",
    };
    format!(
        "proved of every sequence of at most {depth} operations: {which} ({})",
        checked.ending
    )
}

impl Display for Checked {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let out = formatter;
        writeln!(out, "scope {}: {}", self.scope, self.about)?;
        writeln!(out, "{}", proof(self))?;
        writeln!(
            out,
            "{} states, {} transitions, {} levels",
            self.states,
            self.transitions,
            self.levels.len()
        )?;
        writeln!(
            out,
            "chance that a state was missed: at most {:.1e} ({FINGERPRINT_BITS}-bit fingerprints)",
            self.collision_probability
        )?;
        writeln!(out, "answers:")?;
        for (operation, answers) in &self.outcomes {
            let mut line = format!("  {operation}:");
            for (answer, count) in answers {
                write!(line, " {answer} {count}")?;
            }
            writeln!(out, "{line}")?;
        }
        let applied = self.rules.iter().filter(|rule| rule.applied > 0);
        let count = applied.clone().count();
        writeln!(out, "rules that applied: {count} of {}", self.rules.len())?;
        for rule in applied {
            writeln!(out, "  {} {}", rule.id, rule.applied)?;
            if let Some(witness) = &rule.witness {
                indented(out, witness)?;
            }
        }
        for violation in &self.violations {
            writeln!(
                out,
                "broken: {} ({} operations, {})",
                match violation.rules.is_empty() {
                    true => "no rule that is known".to_owned(),
                    false => violation.rules.join(", "),
                },
                violation.operations,
                violation.length
            )?;
            indented(out, &violation.trace)?;
            if let Some(divergence) = &violation.divergence {
                writeln!(out, "{}", divergence.to_string().trim_end())?;
            }
            if let Some(kept) = &violation.kept {
                writeln!(out, "kept as {}", kept.display())?;
            }
        }
        Ok(())
    }
}

fn indented(out: &mut Formatter<'_>, text: &str) -> fmt::Result {
    text.lines()
        .try_for_each(|line| writeln!(out, "    {line}"))
}
