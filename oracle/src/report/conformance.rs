//! A verdict on every rule, from the traces that exercise it.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// What a target came to.
#[derive(Clone, Debug, Serialize)]
pub struct Conformance {
    /// How the target is named.
    pub target: String,
    /// The rules, in the order of the document.
    pub rules: Vec<RuleVerdict>,
    /// The traces, by name.
    pub traces: Vec<TraceVerdict>,
}

/// What a rule came to.
#[derive(Clone, Debug, Serialize)]
pub struct RuleVerdict {
    /// The rule.
    pub id: String,
    /// The section of the document that it belongs to.
    pub section: String,
    /// Its lines in the document, such as `41-43`; empty for a gap.
    pub lines: String,
    /// The verdict.
    pub verdict: Verdict,
    /// At how many steps it applied.
    pub applied: u64,
    /// Whether the target shows what it takes to tell.
    pub observable: bool,
    /// Traces that break it, with what was expected and seen.
    pub broken: Vec<Broken>,
}

/// A trace that breaks a rule.
#[derive(Clone, Debug, Serialize)]
pub struct Broken {
    /// The trace.
    pub trace: String,
    /// What happened, in full.
    pub explanation: String,
    /// The deviations of the target that this is known as; none where nobody knew.
    pub known: Vec<String>,
}

/// What a trace came to.
#[derive(Clone, Debug, Serialize)]
pub struct TraceVerdict {
    /// The trace.
    pub trace: String,
    /// How many operations were performed.
    pub operations: u64,
    /// How many allocations were made to fail one at a time, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations: Option<u64>,
    /// What happened, if it diverged.
    pub diverged: Option<String>,
}

/// A verdict on one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It applied, and held wherever it did.
    Holds,
    /// It did not hold somewhere, and nobody knew.
    Violated,
    /// It did not hold where the target is known to deviate, and nowhere else.
    Known,
    /// The target does not show what it takes to tell.
    NotObserved,
    /// No trace made it apply.
    NotExercised,
}

impl Verdict {
    /// As a report says it.
    pub fn words(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Violated => "violated",
            Verdict::Known => "known",
            Verdict::NotObserved => "not observed",
            Verdict::NotExercised => "not exercised",
        }
    }
}

impl Conformance {
    /// Gives each rule its verdict by what was counted.
    pub fn settle(&mut self) {
        for rule in &mut self.rules {
            rule.verdict = if rule.broken.iter().any(|broken| broken.known.is_empty()) {
                Verdict::Violated
            } else if !rule.broken.is_empty() {
                Verdict::Known
            } else if !rule.observable {
                Verdict::NotObserved
            } else if rule.applied > 0 {
                Verdict::Holds
            } else {
                Verdict::NotExercised
            };
        }
    }

    /// Whether nothing diverged.
    pub fn agrees(&self) -> bool {
        self.traces.iter().all(|trace| trace.diverged.is_none())
            && self.count(Verdict::Violated) + self.count(Verdict::Known) == 0
    }

    /// How many rules have a verdict.
    fn count(&self, verdict: Verdict) -> usize {
        (self.rules.iter())
            .filter(|rule| rule.verdict == verdict)
            .count()
    }

    /// The rules by section, in order.
    fn sections(&self) -> impl Iterator<Item = (&str, &[RuleVerdict])> {
        (self.rules.chunk_by(|a, b| a.section == b.section))
            .map(|rules| (rules[0].section.as_str(), rules))
    }

    /// For people: a line for each rule, what broke those that are broken, and the sums. `mark`
    /// colours a verdict.
    pub fn text(&self, mark: impl Fn(Verdict, &str) -> String) -> String {
        let mut text = String::new();
        let width = (self.rules.iter()).map(|rule| rule.id.len()).max();
        let width = width.unwrap_or(0);
        for (section, rules) in self.sections() {
            let _ = writeln!(text, "{section}");
            for rule in rules {
                let verdict = mark(rule.verdict, &format!("{:<13}", rule.verdict.words()));
                let lines = if rule.lines.is_empty() {
                    "-"
                } else {
                    &rule.lines
                };
                let _ = write!(text, "  {verdict}  {:<width$}  {lines:<9}", rule.id);
                let _ = writeln!(text, "  applied {}", rule.applied);
                for broken in &rule.broken {
                    let known = match broken.known.as_slice() {
                        [] => String::new(),
                        known => format!(", known as {}", known.join(", ")),
                    };
                    let _ = writeln!(text, "    broken by {}{known}", broken.trace);
                }
            }
        }
        for trace in &self.traces {
            if let Some(explanation) = &trace.diverged {
                let _ = writeln!(text, "\n{}", trace.trace);
                for line in explanation.trim_end().lines() {
                    let _ = writeln!(text, "{}", format!("    {line}").trim_end());
                }
            }
        }
        let verdicts = [
            Verdict::Holds,
            Verdict::Violated,
            Verdict::Known,
            Verdict::NotObserved,
            Verdict::NotExercised,
        ];
        let counts: Vec<String> = (verdicts.iter())
            .map(|verdict| format!("{} {}", verdict.words(), self.count(*verdict)))
            .collect();
        let diverged = (self.traces.iter())
            .filter(|trace| trace.diverged.is_some())
            .count();
        let operations: u64 = self.traces.iter().map(|trace| trace.operations).sum();
        let swept = self.traces.iter().filter_map(|trace| trace.allocations);
        let failed = match swept.clone().count() {
            0 => String::new(),
            _ => format!("{} allocations failed, ", swept.sum::<u64>()),
        };
        let _ = writeln!(
            text,
            "\n{}: {} rules: {}\n{} traces, {operations} operations, {failed}{diverged} diverge",
            self.target,
            self.rules.len(),
            counts.join(", "),
            self.traces.len(),
        );
        text
    }

    /// For programs.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("it is plain data") + "\n"
    }

    /// For CI systems: a suite for each section, a case for each rule.
    pub fn junit(&self) -> String {
        let mut report = quick_junit::Report::new(format!("nommu-oracle conform {}", self.target));
        for (section, rules) in self.sections() {
            let mut suite = TestSuite::new(section);
            suite.add_test_cases(rules.iter().map(case));
            report.add_test_suite(suite);
        }
        report.to_string().expect("the report is well-formed")
    }
}

fn case(rule: &RuleVerdict) -> TestCase {
    let status = match rule.verdict {
        Verdict::Holds => TestCaseStatus::success(),
        Verdict::Violated | Verdict::Known => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let explanations: Vec<String> = (rule.broken.iter())
                .map(|broken| format!("{}\n{}", broken.trace, broken.explanation))
                .collect();
            status
                .set_message(format!("{} is broken", rule.id))
                .set_description(explanations.join("\n"));
            status
        }
        Verdict::NotObserved | Verdict::NotExercised => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(rule.verdict.words());
            status
        }
    };
    let mut case = TestCase::new(rule.id.as_str(), status);
    case.set_classname(rule.section.as_str());
    case
}

#[cfg(test)]
mod tests {
    use super::{Broken, Conformance, RuleVerdict, TraceVerdict, Verdict};
    use insta::assert_snapshot;

    fn example() -> Conformance {
        let rule = |id: &str, section: &str, verdict, applied| RuleVerdict {
            id: id.into(),
            section: section.into(),
            lines: if section == "gaps" { "" } else { "13-14" }.into(),
            verdict,
            applied,
            observable: verdict != Verdict::NotObserved,
            broken: match verdict {
                Verdict::Violated => vec![Broken {
                    trace: "first/no-fork.trace".into(),
                    explanation: "step 1\n\nexpected: <ENOSYS>\nseen: done\n".into(),
                    known: Vec::new(),
                }],
                Verdict::Known => vec![Broken {
                    trace: "further/hint.trace".into(),
                    explanation: "step 2\n".into(),
                    known: vec!["address-hint-ignored".into()],
                }],
                _ => Vec::new(),
            },
        };
        let trace = |trace: &str, diverged: Option<&str>| TraceVerdict {
            trace: trace.into(),
            operations: 5,
            allocations: None,
            diverged: diverged.map(String::from),
        };
        Conformance {
            target: "exec:toy".into(),
            rules: vec![
                rule("no-fork", "first", Verdict::Violated, 3),
                rule("clone-shares-memory", "first", Verdict::Holds, 12),
                rule("no-address-hint", "further", Verdict::Known, 4),
                rule("one-owner", "gaps", Verdict::NotObserved, 0),
                rule("exec-failure", "gaps", Verdict::NotExercised, 0),
            ],
            traces: vec![
                trace("first/clone-shares-memory.trace", None),
                trace(
                    "first/no-fork.trace",
                    Some("step 1\n\nexpected: <ENOSYS>\n"),
                ),
            ],
        }
    }

    #[test]
    fn for_people() {
        assert_snapshot!(example().text(|_, words| words.into()));
    }

    #[test]
    fn for_programs() {
        assert_snapshot!(example().json());
    }

    #[test]
    fn for_ci_systems() {
        assert_snapshot!(example().junit());
    }

    #[test]
    fn verdicts_follow_from_counts() {
        let mut report = example();
        let before: Vec<Verdict> = report.rules.iter().map(|rule| rule.verdict).collect();
        report.settle();
        let after: Vec<Verdict> = report.rules.iter().map(|rule| rule.verdict).collect();
        assert_eq!(after, before);
    }

    #[test]
    fn one_divergence_is_enough() {
        let mut report = example();
        assert!(!report.agrees());
        report.rules.remove(0);
        assert!(!report.agrees(), "a known deviation is one");
        report.rules.remove(1);
        assert!(!report.agrees(), "a trace diverged without breaking a rule");
        report.traces.remove(1);
        assert!(report.agrees());
    }
}
