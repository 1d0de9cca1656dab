//! The rules and profiles that commands judge by.

use nommu_model::world::config::Config;
use nommu_oracle::report::conformance::RuleVerdict;
use nommu_oracle::trace::Header;

/// The rules' ids, in the order of the table.
pub fn rule_ids() -> Vec<&'static str> {
    Vec::new()
}

/// What a profile accepts besides the document.
pub fn deviations(profile: &str) -> Vec<String> {
    let _ = profile;
    Vec::new()
}

/// The system that a header describes, judged by its own profile or by another.
pub fn config(header: &Header, profile: Option<&str>) -> Config {
    header.config(deviations(profile.unwrap_or(&header.profile)))
}

/// Every rule, without a verdict yet.
pub fn rules() -> Vec<RuleVerdict> {
    Vec::new()
}
