//! What a disagreement is, told so that it can be understood.

use super::Lockstep;
use crate::target::Target;
use crate::trace::Text;
use crate::transcript::Places;
use nommu_model::op::Operation;
use nommu_model::outcome::{Errno, Outcome};
use nommu_model::step::{self, Answer, Refusal, RuleId};
use nommu_model::world::World;
use nommu_model::world::compare::Mismatch;
use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use std::fmt::Write;

use super::Stop;

/// A step at which a target did what the contract does not allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Divergence {
    /// Which step of the trace, counted from 0; none when it is the beginning or the end.
    pub step: Option<usize>,
    /// What was asked.
    pub operation: Option<String>,
    /// What was answered.
    pub outcome: Option<String>,
    /// What had to be.
    pub expected: String,
    /// What was.
    pub seen: String,
    /// Rules that are broken, the most telling first.
    pub rules: Vec<BrokenRule>,
    /// Where the model's world and the target's differ.
    pub difference: String,
    /// Whether the target gave no answer.
    #[serde(skip)]
    pub crashed: bool,
}

/// A rule that a step breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenRule {
    /// Its id.
    pub id: String,
    /// The document's lines that it comes from, such as `24-25`; empty for what the document
    /// leaves open.
    pub lines: String,
    /// What it found, if it said so.
    pub words: String,
}

impl Divergence {
    /// What makes two divergences the same: the rules that they break. Of a crash, what was said
    /// of it stands for them, whatever the numbers in it.
    pub fn signature(&self) -> Vec<String> {
        if let Some(words) = self.crash() {
            return vec![words];
        }
        if self.rules.is_empty() {
            return vec![self.seen.clone()];
        }
        self.broken()
    }

    /// The ids of the rules that are broken, in order.
    pub fn broken(&self) -> Vec<String> {
        let mut ids: Vec<String> = self.rules.iter().map(|rule| rule.id.clone()).collect();
        ids.sort();
        ids
    }

    /// What makes two divergences much the same: the rule that is broken most clearly, and how
    /// the operation ended.
    pub fn gist(&self) -> Vec<String> {
        let rule = self.rules.first();
        vec![
            rule.map_or(String::new(), |rule| rule.id.clone()),
            self.ending(),
        ]
    }

    /// How the operation ended: an error's name, the words of a crash, or that it was done.
    pub fn ending(&self) -> String {
        if let Some(words) = self.crash() {
            return format!("crash: {words}");
        }
        let outcome = self.outcome.as_deref().unwrap_or_default();
        let outcome = outcome.strip_prefix("= ").unwrap_or(outcome);
        match Errno::from_name(outcome) {
            Some(errno) => errno.to_string(),
            None => "done".to_owned(),
        }
    }

    /// Whether the implementation never answered.
    pub fn hangs(&self) -> bool {
        (self.crash()).is_some_and(|words| words.starts_with(SILENCE))
    }

    /// What an implementation said when it ended or complained in place of an answer, with `N`
    /// for every number: its first line, and the first of a kernel's that says what is wrong.
    /// What follows that on a console is as long as there was time for.
    pub fn crash(&self) -> Option<String> {
        let words = self.outcome.as_deref().filter(|_| self.crashed)?;
        let words = words.strip_prefix("= crash: ").unwrap_or(words);
        // Between quotes, a line ends with `\\n`.
        let mut lines = words.split("\\n").flat_map(str::lines);
        let first = lines.next().unwrap_or_default();
        let is_telling = |line: &str| TELLING.iter().any(|word| line.contains(word));
        let complaint = match is_telling(first) {
            true => None,
            false => lines.find(|line| is_telling(line)),
        };
        let said = [Some(first), complaint];
        let said: Vec<&str> = said.into_iter().flatten().collect();
        Some(without_numbers(&said.join("; ")))
    }
}

/// How the protocol tells of an answer that does not come.
const SILENCE: &str = "found silence for ";

/// What a kernel says when something is wrong with it.
const TELLING: [&str; 5] = [
    "WARNING:",
    "BUG",
    "Unable to handle",
    "unhandled signal",
    "Kernel panic",
];

/// Words in which every number, in whatever base, is the same.
fn without_numbers(words: &str) -> String {
    let is_number = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_digit())
            || (word.len() >= 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let mut plain = String::new();
    for word in words.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        plain.push_str(if is_number(bare) { "N" } else { bare });
        plain.push_str(&word[bare.len()..]);
    }
    plain
}

impl std::fmt::Display for Divergence {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.step, &self.operation) {
            (Some(step), Some(operation)) => {
                writeln!(formatter, "diverges at operation {step}: {operation}")?;
            }
            _ => writeln!(formatter, "diverges where nothing is performed")?,
        }
        if let Some(outcome) = &self.outcome {
            writeln!(formatter, "  answered: {outcome}")?;
        }
        write_indented(formatter, "  expected: ", &self.expected)?;
        write_indented(formatter, "  seen:     ", &self.seen)?;
        if self.rules.is_empty() {
            writeln!(formatter, "  rules:    none is known to be broken")?;
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let head = if index == 0 {
                "  rules:    "
            } else {
                "            "
            };
            write!(formatter, "{head}{}", rule.id)?;
            if !rule.lines.is_empty() {
                write!(formatter, " (lines {})", rule.lines)?;
            }
            if !rule.words.is_empty() {
                write!(formatter, ": {}", rule.words)?;
            }
            writeln!(formatter)?;
        }
        if !self.difference.is_empty() {
            writeln!(
                formatter,
                "  the world that has to be (-) and the one that is (+):"
            )?;
            for line in self.difference.lines() {
                writeln!(formatter, "    {line}")?;
            }
        }
        Ok(())
    }
}

fn write_indented(
    formatter: &mut std::fmt::Formatter<'_>,
    head: &str,
    text: &str,
) -> std::fmt::Result {
    for (index, line) in text.lines().enumerate() {
        let head = if index == 0 { head } else { "            " };
        writeln!(formatter, "{head}{line}")?;
    }
    Ok(())
}

impl<T: Target> Lockstep<T> {
    /// The model refuses an answer.
    pub(super) fn refused(
        &mut self,
        operation: &Operation,
        outcome: &Outcome,
        refusal: Refusal,
    ) -> Stop {
        let before = self.before.clone();
        // The rules of a call have nothing to say where its caller was not known.
        let judged = (!refusal.about_caller).then_some(outcome);
        let mut stop = self.explain(
            Some(operation),
            judged,
            refusal.expected,
            refusal.seen,
            &refusal.rules,
            &before,
        );
        if let Stop::Diverged(divergence) = &mut stop {
            divergence.outcome = Some(self.shown(operation, outcome));
        }
        stop
    }

    /// The target broke when what an operation left was looked at.
    pub(super) fn broke_when_shown(&mut self, operation: &Operation, words: String) -> Stop {
        self.after.clone_from(&self.before);
        let outcome = Outcome::Crash(words);
        let answer = Answer {
            outcome: &outcome,
            seen: &self.seen,
            sight: self.sight(),
            contents: &self.target,
            injected_failure: false,
        };
        let refusal = step::step(&mut self.after, operation, &answer);
        let refusal = refusal.expect_err("no operation may end so");
        self.refused(operation, &outcome, refusal)
    }

    /// The target shows something else than the model has.
    pub(super) fn differs(
        &mut self,
        operation: Option<&Operation>,
        outcome: Option<&Outcome>,
        found: Vec<Mismatch>,
    ) -> Stop {
        let (mut expected, mut seen) = (String::new(), String::new());
        for mismatch in &found {
            let _ = writeln!(expected, "{}: {}", mismatch.component, mismatch.expected);
            let _ = writeln!(seen, "{}: {}", mismatch.component, mismatch.seen);
        }
        let mut rules: Vec<RuleId> = Vec::new();
        for &rule in found.iter().flat_map(|mismatch| &mismatch.rules) {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        let after = self.after.clone();
        self.explain(operation, outcome, expected, seen, &rules, &after)
    }

    /// Model and target agree, and break rules.
    pub(super) fn broken(
        &mut self,
        operation: &Operation,
        outcome: &Outcome,
        broken: Vec<BrokenRule>,
    ) -> Stop {
        Stop::Diverged(Box::new(Divergence {
            step: Some(self.steps),
            operation: Some(Text(operation).to_string()),
            outcome: Some(self.shown(operation, outcome)),
            expected: "a step that breaks no rule".to_owned(),
            seen: "a step that the model allows and that breaks rules".to_owned(),
            rules: broken,
            difference: String::new(),
            crashed: false,
        }))
    }

    /// Asks the rules about the world as it is shown, and tells it from the one it should be.
    fn explain(
        &mut self,
        operation: Option<&Operation>,
        outcome: Option<&Outcome>,
        expected: String,
        seen: String,
        named: &[RuleId],
        world: &World,
    ) -> Stop {
        let shown = world.as_seen(&self.seen, self.sight(), &self.target);
        let mut rules: Vec<BrokenRule> = Vec::new();
        if let Some((operation, outcome)) = operation.zip(outcome) {
            rules = self.judge.broken(
                &self.before,
                operation,
                outcome,
                &shown,
                self.target.injected_failure(),
            );
        }
        self.judge.add_named(&mut rules, operation, named);
        Stop::Diverged(Box::new(Divergence {
            step: operation.map(|_| self.steps),
            operation: operation.map(|operation| Text(operation).to_string()),
            outcome: operation
                .zip(outcome)
                .map(|(operation, outcome)| self.shown(operation, outcome)),
            expected,
            seen,
            rules,
            difference: match self.tells_differences {
                true => difference(&world.render(), &shown.render()),
                false => String::new(),
            },
            crashed: matches!(outcome, Some(Outcome::Crash(_))),
        }))
    }

    fn shown(&self, operation: &Operation, outcome: &Outcome) -> String {
        let places = Places::new(&self.after.config);
        places.outcome(operation, outcome)
    }
}

/// The lines in which two worlds differ.
fn difference(expected: &str, seen: &str) -> String {
    let changes = TextDiff::from_lines(expected, seen);
    let mut text = String::new();
    for change in changes.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => continue,
        };
        let _ = write!(text, "{sign} {}", change.value());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::without_numbers;

    #[test]
    fn words_of_one_crash_are_the_same_wherever_it_happens() {
        let words = "WARNING: CPU: 0 PID: 41 at mm/nommu.c:123 set+0x12/0x3c, ffffffff80001234";
        assert_eq!(
            without_numbers(words),
            "WARNING: CPU: N PID: N at mm/nommu.c:N set+N/N, N"
        );
    }
}
