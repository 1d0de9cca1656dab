//! What is said of a patch from elsewhere: all that is known.

use super::judge::{Caught, Method, Score, Scored};
use std::fmt::Write;

/// What caught it, how fast, by which rules, and the trace that shows it.
pub fn report(scored: &Scored) -> String {
    let caught = match &scored.score {
        Score::Caught(caught) => caught,
        Score::Missed => return format!("{}: not caught", scored.fault),
        Score::Unusable(problem) => return format!("{}: {problem}", scored.fault),
    };
    let mut text = format!("{}: caught by {}", scored.fault, caught.rules[0]);
    if !scored.expected.is_empty() {
        let place = match place(caught, &scored.expected) {
            Place::First => "as expected",
            Place::Among => "the rule expected is among those broken",
            Place::Elsewhere => "the rule expected is broken where another method caught it",
            Place::Nowhere => "the rule expected is not broken",
        };
        let _ = write!(text, " (expected {}: {place})", scored.expected);
    }
    for (method, found) in caught.by.iter().zip(&caught.found) {
        let how = match method {
            Method::Campaign => format!(
                "after {} operations and {:.2} seconds, minimised in {:.1} seconds to {}",
                caught.operations, caught.seconds, caught.minimising, found.operations
            ),
            Method::Scopes => format!("by a sequence of {} operations", found.operations),
            Method::Corpus => "by its traces".to_owned(),
        };
        let rules = found.rules.join(", ");
        let _ = write!(text, "\n  {:8}  {how}: {rules}", method.words());
    }
    for method in Method::ALL {
        if !caught.by.contains(&method) {
            let _ = write!(text, "\n  {:8}  not", method.words());
        }
    }
    if let Some(trace) = caught.text() {
        let _ = write!(text, "\n\n{}", trace.trim_end());
    }
    text
}

/// All of them in a sentence.
pub fn summary(scores: &[Scored]) -> String {
    let caught: Vec<(&Scored, &Caught)> = scores
        .iter()
        .filter_map(|scored| Some((scored, scored.caught()?)))
        .collect();
    let mut text = format!(
        "caught {} of {} patches from elsewhere",
        caught.len(),
        scores.len()
    );
    let traces: Vec<u64> = caught.iter().map(|(_, caught)| caught.trace).collect();
    if let Some(longest) = traces.iter().max() {
        let mean = traces.iter().sum::<u64>() as f64 / traces.len() as f64;
        let _ = write!(
            text,
            "; shortest traces of {mean:.1} operations on average, {longest} at most"
        );
    }
    let expecting = || {
        caught
            .iter()
            .filter(|(scored, _)| !scored.expected.is_empty())
    };
    if expecting().count() > 0 {
        let first = expecting()
            .filter(|(scored, caught)| matches!(place(caught, &scored.expected), Place::First));
        let _ = write!(
            text,
            "; of {} with an expected rule {} by that rule first",
            expecting().count(),
            first.count()
        );
    }
    text
}

/// Where the expected rule is among those that were broken.
enum Place {
    First,
    Among,
    Elsewhere,
    Nowhere,
}

fn place(caught: &Caught, expected: &str) -> Place {
    match caught.rules.iter().position(|rule| rule == expected) {
        Some(0) => Place::First,
        Some(_) => Place::Among,
        None if caught.also.iter().any(|rule| rule == expected) => Place::Elsewhere,
        None => Place::Nowhere,
    }
}
