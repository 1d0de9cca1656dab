//! The rules and profiles that commands judge by.

use nommu_model::rules;
use nommu_model::world::config::Config;
use nommu_oracle::report::conformance::{RuleVerdict, Verdict};
use nommu_oracle::specs::specs;
use nommu_oracle::trace::Header;

/// The rules' ids, in the order of the table.
pub fn rule_ids() -> Vec<&'static str> {
    rules::all().map(|rule| rule.id).collect()
}

/// What a profile accepts besides the document.
pub fn deviations(profile: &str) -> Vec<String> {
    specs().profile(profile).unwrap_or_default()
}

/// The system that a header describes, judged by its own profile or by another.
pub fn config(header: &Header, profile: Option<&str>) -> Config {
    header.config(deviations(profile.unwrap_or(&header.profile)))
}

/// Every rule in the order of the table, without a verdict yet.
pub fn rules() -> Vec<RuleVerdict> {
    rules::all()
        .map(|rule| RuleVerdict {
            id: rule.id.into(),
            section: rule.section.into(),
            lines: lines_of(rule.id),
            verdict: Verdict::NotExercised,
            applied: 0,
            observable: true,
            broken: Vec::new(),
        })
        .collect()
}

/// A rule's lines in the document.
pub fn lines_of(rule: &str) -> String {
    specs()
        .rule(rule)
        .map_or(String::new(), |rule| rule.lines.to_string())
}
