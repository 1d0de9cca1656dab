//! What the shards of campaigns counted, added up.
//!
//! Reads what `campaign --format json` writes, and takes care that nothing is counted twice.

use crate::lockstep::{RuleTally, Tally};
use crate::trace::PROFILES;
use nommu_model::rules;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The report of one shard, as far as it is added up.
#[derive(Clone, Debug, Deserialize)]
struct ShardReport {
    target: String,
    seed: u64,
    /// `1/4`
    shard: String,
    profile: String,
    operations: u64,
    /// How often each rule held.
    rules: BTreeMap<String, u64>,
    /// How often each rule was broken that was.
    violated: BTreeMap<String, u64>,
}

/// Counts of several shards.
#[derive(Clone, Debug, Default)]
pub struct Shards {
    /// What they counted together.
    pub tally: Tally,
    /// By seed: how many parts there are, and which were added.
    parts: BTreeMap<u64, (u64, BTreeSet<u64>)>,
    /// The profile of all of them.
    profile: Option<String>,
}

/// A report that cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct ShardError {
    /// The file, as its reader names it.
    pub file: String,
    /// What was found, and what was expected.
    pub problem: String,
}

impl Shards {
    /// Adds a report; `file` is how a problem names where it came from.
    ///
    /// # Errors
    ///
    /// When it is no report of a campaign on the engine, was added already, or does not belong
    /// to what was added.
    pub fn add(&mut self, file: &str, text: &str) -> Result<(), ShardError> {
        let problem = |problem: String| ShardError {
            file: file.to_owned(),
            problem,
        };
        let report: ShardReport = serde_json::from_str(text).map_err(|error| {
            problem(format!(
                "expected what `campaign --format json` writes: {error}"
            ))
        })?;
        if report.target != "engine" {
            let words = format!(
                "found a campaign on {}, expected one on engine",
                report.target
            );
            return Err(problem(words));
        }
        if !PROFILES.contains(&&*report.profile) {
            let words = format!(
                "found the profile `{}`, expected one of {}",
                report.profile,
                PROFILES.join(", ")
            );
            return Err(problem(words));
        }
        let profile = self.profile.get_or_insert_with(|| report.profile.clone());
        if *profile != report.profile {
            let words = format!(
                "found the profile {}, expected {profile} as before",
                report.profile
            );
            return Err(problem(words));
        }
        let tally = tally(&report).map_err(problem)?;
        self.part(&report).map_err(problem)?;
        self.tally.merge(&tally);
        Ok(())
    }

    /// Notes which part of its seed a report is of.
    fn part(&mut self, report: &ShardReport) -> Result<(), String> {
        let ShardReport { seed, shard, .. } = report;
        let read = || {
            let (index, count) = shard.split_once('/')?;
            let (index, count): (u64, u64) = (index.parse().ok()?, count.parse().ok()?);
            (index < count).then_some((index, count))
        };
        let (index, count) =
            read().ok_or_else(|| format!("found the shard `{shard}`, expected one such as 0/4"))?;
        let (parts, added) = self
            .parts
            .entry(*seed)
            .or_insert_with(|| (count, BTreeSet::new()));
        if *parts != count {
            return Err(format!(
                "found part {shard} of seed {seed}, expected one of {parts} parts as before"
            ));
        }
        if !added.insert(index) {
            return Err(format!("found part {shard} of seed {seed} a second time"));
        }
        Ok(())
    }

    /// Parts that were not added, such as `3/4 of seed 0`.
    pub fn missing(&self) -> Vec<String> {
        let parts = self.parts.iter();
        parts
            .flat_map(|(seed, (count, added))| {
                (0..*count)
                    .filter(|index| !added.contains(index))
                    .map(move |index| format!("{index}/{count} of seed {seed}"))
            })
            .collect()
    }
}

/// The counts of a report, in the order of the table of rules.
fn tally(report: &ShardReport) -> Result<Tally, String> {
    for id in report.rules.keys().chain(report.violated.keys()) {
        if rules::find(id).is_none() {
            return Err(format!("found the rule `{id}`, which there is not"));
        }
    }
    let count = |counts: &BTreeMap<String, u64>, id: &str| counts.get(id).copied().unwrap_or(0);
    let rules = rules::all().map(|rule| RuleTally {
        held: count(&report.rules, rule.id),
        broken: count(&report.violated, rule.id),
    });
    Ok(Tally::of_rules(report.operations, rules.collect()))
}

#[cfg(test)]
mod tests {
    use super::Shards;

    fn report(shard: &str, seed: u64, held: u64) -> String {
        format!(
            "{{\"target\": \"engine\", \"seed\": {seed}, \"shard\": \"{shard}\", \
             \"profile\": \"documented\", \"operations\": 10, \
             \"rules\": {{\"no-fork\": {held}}}, \"violated\": {{\"no-fork\": 1}}}}"
        )
    }

    #[test]
    fn counts_are_added_and_what_is_missing_is_known() {
        let mut shards = Shards::default();
        shards.add("a", &report("0/3", 7, 2)).expect("it is sound");
        shards.add("b", &report("2/3", 7, 3)).expect("it is sound");
        shards.add("c", &report("0/1", 8, 4)).expect("it is sound");
        assert_eq!(shards.missing(), ["1/3 of seed 7"]);
        assert_eq!(shards.tally.performed, 30);
        let held: u64 = shards.tally.rules.iter().map(|rule| rule.held).sum();
        let broken: u64 = shards.tally.rules.iter().map(|rule| rule.broken).sum();
        assert_eq!((held, broken), (9, 3));
    }

    #[test]
    fn nothing_is_counted_twice_or_mixed_up() {
        let sound = report("0/2", 0, 1);
        let wrong = [
            (sound.clone(), "found part 0/2 of seed 0 a second time"),
            (report("1/3", 0, 1), "expected one of 2 parts as before"),
            (report("2/2", 1, 1), "expected one such as 0/4"),
            (
                sound.replace("engine", "linux-6.12"),
                "expected one on engine",
            ),
            (
                sound.replace("no-fork", "no-spoon"),
                "found the rule `no-spoon`",
            ),
            (
                sound.replace("documented", "linux-6.1"),
                "expected documented as before",
            ),
            (
                sound.replace("documented", "other"),
                "expected one of documented",
            ),
            (
                "{}".to_owned(),
                "expected what `campaign --format json` writes",
            ),
        ];
        let mut shards = Shards::default();
        shards.add("first", &sound).expect("it is sound");
        let before = format!("{:?}", shards.tally);
        for (text, expected) in wrong {
            let error = shards.add("file", &text).expect_err(expected).to_string();
            assert!(error.starts_with("file: "), "{error}");
            assert!(error.contains(expected), "{error}");
            assert_eq!(format!("{:?}", shards.tally), before);
        }
    }
}
