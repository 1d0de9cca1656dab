//! Which sentences of the document are checked, by what, how often, and with what result.

use crate::explain::traces_of;
use crate::lockstep::Tally;
use crate::report::conformance::{Conformance, Verdict};
use crate::specs::{Case, Kind, specs};
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, Table, TableStyle};
use serde::{Deserialize, Serialize};

/// The coverage of the whole document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The document, and its edition.
    pub document: String,
    /// Operations that were performed.
    pub operations: u64,
    /// Rules in the order of the document, the gaps last.
    pub rules: Vec<RuleCoverage>,
    /// Sentences that nothing checks.
    pub unchecked: Vec<Unchecked>,
    /// Where the other targets are known to differ, by target.
    pub deviations: Vec<KnownDeviation>,
}

/// The coverage of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleCoverage {
    /// Its id.
    pub id: String,
    /// Its section.
    pub section: String,
    /// Its lines in the document.
    pub lines: String,
    /// must, should or may.
    pub level: String,
    /// How often it had something to say.
    pub applied: u64,
    /// How often it held.
    pub held: u64,
    /// How often it was broken.
    pub violated: u64,
    /// Traces of the conformance corpus for it.
    pub traces: Vec<String>,
    /// What it came to on other targets.
    pub targets: Vec<TargetVerdict>,
}

/// What a rule came to on a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetVerdict {
    /// The target.
    pub target: String,
    /// The verdict.
    pub verdict: Verdict,
    /// Traces that break it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken_by: Vec<String>,
    /// The deviations that this is known as.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<String>,
}

/// Where a target is known to differ from the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDeviation {
    /// The target.
    pub target: String,
    /// What it is called.
    pub id: String,
    /// The rules that it breaks.
    pub rules: Vec<String>,
    /// The lines of the document.
    pub lines: String,
    /// What the document says.
    pub document: String,
    /// What the target does.
    pub kernel: String,
    /// Why, as found in its source.
    pub why: String,
    /// Whose fault it is.
    pub class: String,
    /// The version that brought it.
    pub since: String,
    /// Traces that show it, below `corpus/`: the plainest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<String>,
}

/// A sentence that nothing checks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unchecked {
    /// Where it stands.
    pub lines: String,
    /// Why nothing does: it is a definition, rationale or advice, or about the MMU case.
    pub reason: String,
    /// What it says, in our words.
    pub words: String,
}

impl Coverage {
    /// Coverage by what was counted; `traces` are the names of the conformance traces.
    pub fn new(tally: &Tally, traces: &[String]) -> Self {
        let specs = specs();
        let rules = specs.rules().map(|rule| {
            let place = nommu_model::rules::all().position(|checked| checked.id == rule.id);
            let counts = place
                .and_then(|place| tally.rules.get(place))
                .copied()
                .unwrap_or_default();
            RuleCoverage {
                id: rule.id.to_owned(),
                section: rule.section.to_owned(),
                lines: rule.lines.to_string(),
                level: rule.level.to_string(),
                applied: counts.held + counts.broken,
                held: counts.held,
                violated: counts.broken,
                traces: traces_of(&rule, traces).cloned().collect(),
                targets: Vec::new(),
            }
        });
        let entries = specs.sections.iter().flat_map(|section| &section.entries);
        let unchecked = entries.filter_map(|entry| {
            let reason = match (entry.kind, entry.case) {
                (_, Case::Mmu) => "about machines with an MMU",
                (Kind::Rule, _) => return None,
                (Kind::Definition, _) => "a definition",
                (Kind::Rationale, _) => "a reason",
                (Kind::Advice, _) => "advice",
            };
            Some(Unchecked {
                lines: entry.lines.to_string(),
                reason: reason.to_owned(),
                words: entry.words.clone(),
            })
        });
        Self {
            document: format!("{} ({})", specs.document.name, specs.document.edition),
            operations: tally.performed,
            rules: rules.collect(),
            unchecked: unchecked.collect(),
            deviations: Vec::new(),
        }
    }

    /// Adds a column: what each rule came to on a target, and where it is known to differ.
    pub fn add_target(&mut self, report: &Conformance) {
        for rule in &mut self.rules {
            let found = report.rules.iter().find(|found| found.id == rule.id);
            let broken = found.map_or(&[][..], |found| &found.broken);
            let mut known: Vec<String> = Vec::new();
            for id in broken.iter().flat_map(|broken| &broken.known) {
                if !known.contains(id) {
                    known.push(id.clone());
                }
            }
            rule.targets.push(TargetVerdict {
                target: report.target.clone(),
                verdict: found.map_or(Verdict::NotExercised, |found| found.verdict),
                broken_by: broken.iter().map(|broken| broken.trace.clone()).collect(),
                known,
            });
        }
        let specs = specs().deviations.iter();
        let deviations = specs
            .filter(|deviations| deviations.target == report.target)
            .flat_map(|deviations| &deviations.deviations);
        self.deviations
            .extend(deviations.map(|deviation| KnownDeviation {
                target: report.target.clone(),
                id: deviation.id.clone(),
                rules: deviation.rules.clone(),
                lines: deviation.lines.to_string(),
                document: deviation.document.clone(),
                kernel: deviation.kernel.clone(),
                why: deviation.why.clone(),
                class: deviation.class.to_string(),
                since: deviation.since.clone(),
                traces: deviation.traces.clone(),
            }));
    }

    /// Rules that never had anything to say.
    pub fn vacuous(&self) -> impl Iterator<Item = &RuleCoverage> {
        self.rules.iter().filter(|rule| rule.applied == 0)
    }

    /// The names of the columns that were added.
    pub fn targets(&self) -> Vec<&str> {
        let first = self.rules.first().into_iter();
        first
            .flat_map(|rule| &rule.targets)
            .map(|verdict| verdict.target.as_str())
            .collect()
    }

    /// What must not fall unnoticed: for each rule its lines and traces, and what nothing
    /// checks; no counts.
    pub fn summary(&self) -> String {
        let mut text = format!("{}\n", self.document);
        for rule in &self.rules {
            let RuleCoverage {
                id,
                section,
                lines,
                level,
                traces,
                ..
            } = rule;
            let traces = traces.len();
            text += &format!("{lines}: {id} ({level}, {section}), traces: {traces}\n");
        }
        text += "not checked:\n";
        for sentence in &self.unchecked {
            text += &format!("{}: {}\n", sentence.lines, sentence.reason);
        }
        text
    }

    /// A page that could be sent to who keeps the document.
    pub fn markdown(&self) -> String {
        format!(
            "# Coverage of {}\n\n{} operations were performed.\n\n{}\n\n\
{}             ## Sentences that nothing checks\n\n{}\n",
            self.document,
            self.operations,
            self.rule_table(ASCII_MARKDOWN),
            self.differences(),
            self.unchecked_table(ASCII_MARKDOWN)
        )
    }

    /// Each target that was asked besides, what is violated there as nobody knew, and where it is
    /// known to differ.
    fn differences(&self) -> String {
        let mut text = String::new();
        for target in self.targets() {
            text += &format!("## Where {target} differs\n\n{}\n\n", self.sums(target));
            for (rule, found) in self.violated(target) {
                let traces = found.broken_by.join(", ");
                text += &format!("- new: `{}` (lines {}), by {traces}\n", rule.id, rule.lines);
            }
            for known in self
                .deviations
                .iter()
                .filter(|known| known.target == target)
            {
                text += &format!(
                    "\n### {}\n\n- rules: {}; lines {}; {}; since {}\n- the document: {}\n\
                     - {target}: {}\n- why: {}\n",
                    known.id,
                    known.rules.join(", "),
                    known.lines,
                    known.class,
                    known.since,
                    known.document,
                    known.kernel,
                    known.why
                );
                if let Some(trace) = known.traces.first() {
                    text += &format!("- trace: corpus/{trace}\n");
                }
            }
            text.push('\n');
        }
        text
    }

    /// A line for each target, and one for each rule that is violated there as nobody knew.
    fn all_sums(&self) -> String {
        let mut text = String::new();
        for target in self.targets() {
            text += &format!("{target}: {}\n", self.sums(target));
            for (rule, found) in self.violated(target) {
                text += &format!("  new: {}, by {}\n", rule.id, found.broken_by.join(", "));
            }
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text
    }

    /// How many rules came to what on a target.
    fn sums(&self, target: &str) -> String {
        let verdicts = [
            Verdict::Holds,
            Verdict::Known,
            Verdict::Violated,
            Verdict::NotObserved,
            Verdict::NotExercised,
        ];
        let count = |verdict| {
            let all = self.rules.iter().flat_map(|rule| &rule.targets);
            let same = |found: &&TargetVerdict| found.target == target && found.verdict == verdict;
            all.filter(same).count()
        };
        let counts = verdicts.map(|verdict| format!("{} {}", words(verdict), count(verdict)));
        counts.join(", ")
    }

    /// Rules that a target violates as nobody knew.
    fn violated<'a>(
        &'a self,
        target: &'a str,
    ) -> impl Iterator<Item = (&'a RuleCoverage, &'a TargetVerdict)> {
        let all = self.rules.iter();
        all.flat_map(|rule| rule.targets.iter().map(move |found| (rule, found)))
            .filter(move |(_, found)| found.target == target && found.verdict == Verdict::Violated)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        format!(
            "{}, {} operations\n\n{}\n\n{}{} rules; sentences that nothing checks: {}\n\n{}\n",
            self.document,
            self.operations,
            self.rule_table(NOTHING),
            self.all_sums(),
            self.rules.len(),
            self.unchecked.len(),
            self.unchecked_table(NOTHING)
        )
    }

    fn rule_table(&self, style: TableStyle) -> Table {
        let mut table = Table::new();
        let heads = [
            "rule", "lines", "level", "applied", "held", "violated", "traces",
        ];
        table
            .load_style(style)
            .set_header(heads.into_iter().chain(self.targets()));
        for rule in &self.rules {
            let mut row = vec![rule.id.clone(), rule.lines.clone(), rule.level.clone()];
            let traces = rule.traces.len() as u64;
            let counts = [rule.applied, rule.held, rule.violated, traces];
            row.extend(counts.map(|count| count.to_string()));
            row.extend(rule.targets.iter().map(cell));
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(3).take(4) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table
    }

    fn unchecked_table(&self, style: TableStyle) -> Table {
        let mut table = Table::new();
        table
            .load_style(style)
            .set_header(["lines", "because it is", "it says"]);
        for sentence in &self.unchecked {
            table.add_row([&sentence.lines, &sentence.reason, &sentence.words]);
        }
        table
    }
}

/// A verdict as the matrix says it.
fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Violated => "violated (new)",
        Verdict::Known => "violated (known)",
        Verdict::Holds | Verdict::NotObserved | Verdict::NotExercised => verdict.words(),
    }
}

/// A cell of the matrix: the verdict, and what it is known as.
fn cell(found: &TargetVerdict) -> String {
    match found.known.as_slice() {
        [] => words(found.verdict).to_owned(),
        known => format!("{}: {}", words(found.verdict), known.join(", ")),
    }
}
