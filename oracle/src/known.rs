//! Which deviations a divergence is known as.

use crate::lockstep::Divergence;
use crate::specs::{Answer, Deviation, Ending, specs};

/// The deviations of a target, by its name.
pub fn deviations(target: &str) -> impl Iterator<Item = &'static Deviation> {
    let all = specs().deviations.iter();
    let target = target.to_owned();
    all.filter(move |known| known.target == target)
        .flat_map(|known| &known.deviations)
}

/// The deviations that break a rule which a divergence breaks.
pub fn concerned(target: &str, divergence: &Divergence) -> Vec<String> {
    let breaks = |rule: &String| divergence.rules.iter().any(|broken| broken.id == *rule);
    deviations(target)
        .filter(|deviation| deviation.rules.iter().any(breaks))
        .map(|deviation| deviation.id.clone())
        .collect()
}

/// The deviations that say of an operation of a [shape](crate::shape) that it is answered so, and
/// that this breaks a rule of the divergence: of its rules, the one that is broken most clearly of
/// which any deviation says so.
pub fn by_answer(target: &str, divergence: &Divergence, shape: &str) -> Vec<String> {
    let saying = |rule: &String| -> Vec<String> {
        deviations(target)
            .filter(|deviation| deviation.rules.contains(rule))
            .filter(|deviation| {
                let mut answers = deviation.answers.iter();
                answers.any(|answer| shows(answer, divergence, shape))
            })
            .map(|deviation| deviation.id.clone())
            .collect()
    };
    let rules = divergence.rules.iter();
    let mut found = rules.map(|rule| saying(&rule.id));
    found.find(|ids| !ids.is_empty()).unwrap_or_default()
}

/// Whether a divergence at an operation of a shape is an answer.
fn shows(answer: &Answer, divergence: &Divergence, shape: &str) -> bool {
    let (operation, rest) = shape.split_once(' ').unwrap_or((shape, ""));
    if operation != answer.operation || !answer.of.iter().all(|words| rest.contains(words)) {
        return false;
    }
    let outcome = divergence.outcome.as_deref().unwrap_or_default();
    let outcome = outcome.strip_prefix("= ").unwrap_or(outcome);
    match (&answer.ending, divergence.crashed) {
        (Ending::Crash(words), true) => outcome.contains(words),
        (Ending::Error(name), false) => outcome == name,
        (Ending::AnyError, false) => is_error(outcome),
        (Ending::Done, false) => !is_error(outcome),
        (Ending::Crash(_), false) => false,
        (Ending::Error(_) | Ending::AnyError | Ending::Done, true) => false,
    }
}

/// Whether an outcome, as it is shown, is the name of an error.
fn is_error(outcome: &str) -> bool {
    let mut letters = outcome.bytes();
    letters.next() == Some(b'E')
        && letters.all(|letter| letter.is_ascii_uppercase() || letter.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{by_answer, deviations};
    use crate::lockstep::{BrokenRule, Divergence};

    fn divergence(rule: &str, outcome: &str, crashed: bool) -> Divergence {
        Divergence {
            step: Some(3),
            operation: None,
            outcome: Some(outcome.into()),
            expected: String::new(),
            seen: String::new(),
            rules: vec![BrokenRule {
                id: rule.into(),
                lines: String::new(),
                words: String::new(),
            }],
            difference: String::new(),
            crashed,
        }
    }

    #[test]
    fn an_answer_is_known_by_rule_operation_and_ending() {
        let refused = divergence("file-errors", "= EACCES", false);
        assert_eq!(
            by_answer("linux-6.12", &refused, "unlink"),
            ["directory-unlink-eacces"]
        );
        assert!(by_answer("linux-6.12", &refused, "exit").is_empty());
        assert!(by_answer("engine", &refused, "unlink").is_empty());
        let done = divergence("file-errors", "= done", false);
        assert!(by_answer("linux-6.12", &done, "unlink").is_empty());
        let crash = divergence("file-errors", "= EACCES", true);
        assert!(by_answer("linux-6.12", &crash, "unlink").is_empty());
        let other = divergence("file-read", "= EACCES", false);
        assert!(by_answer("linux-6.12", &other, "unlink").is_empty());
    }

    #[test]
    fn one_answer_is_known_as_another_where_it_is_of_something_else() {
        let refused = divergence("private-read-copy", "= EINVAL", false);
        let known = |shape: &str| by_answer("linux-6.12", &refused, shape);
        assert_eq!(
            known("mmap a regular file, private"),
            ["inexact-overlap-refused"]
        );
        assert_eq!(
            known("mmap an execute-in-place file, private"),
            ["beyond-end-refused"]
        );
        assert_eq!(known("mmap flash, private"), ["mtd-copy-refused"]);
        assert!(known("mmap a memory-backed file, private").is_empty());
        assert!(known("munmap a part of a regular file").is_empty());
    }

    #[test]
    fn targets_have_deviations_of_their_own() {
        assert!(deviations("linux-6.12").count() > 0);
        assert_eq!(deviations("engine").count(), 0);
    }
}
