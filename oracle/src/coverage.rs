//! Which sentences of the document are checked, by what, how often, and with what result.

use crate::explain::traces_of;
use crate::lockstep::Tally;
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
    /// What it came to on other targets: holds, violated, known, not-observed, not-exercised.
    pub targets: Vec<TargetVerdict>,
}

/// What a rule came to on a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetVerdict {
    /// The target.
    pub target: String,
    /// The verdict.
    pub verdict: String,
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
        }
    }

    /// Adds a column: what each rule came to on a target.
    pub fn add_target(&mut self, target: &str, verdict: impl Fn(&str) -> Option<String>) {
        for rule in &mut self.rules {
            let verdict = verdict(&rule.id).unwrap_or_else(|| "not-exercised".to_owned());
            rule.targets.push(TargetVerdict {
                target: target.to_owned(),
                verdict,
            });
        }
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
             ## Sentences that nothing checks\n\n{}\n",
            self.document,
            self.operations,
            self.rule_table(ASCII_MARKDOWN),
            self.unchecked_table(ASCII_MARKDOWN)
        )
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        format!(
            "{}, {} operations\n\n{}\n\n{} rules; sentences that nothing checks: {}\n\n{}\n",
            self.document,
            self.operations,
            self.rule_table(NOTHING),
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
            row.extend(rule.targets.iter().map(|target| target.verdict.clone()));
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
