//! The seeded faults that there are: whether they can be used, and whether they are of use.

use super::patch::{self, CANARY, CONTROL, Fault};
use super::scores::Scores;
use nommu_model::rules;
use std::path::{Path, PathBuf};
use std::process::Command;

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("a workspace").to_owned()
}

fn faults() -> Vec<Fault> {
    patch::read(&workspace().join("corpus/faults")).expect("every patch is a fault")
}

#[test]
fn every_patch_applies_to_the_engine() {
    let root = workspace();
    let ceiling = root.parent().unwrap_or(&root);
    let mut wrong = Vec::new();
    for fault in faults() {
        // Says whether it would apply, and changes nothing.
        let output = Command::new("git")
            .args(["apply", "--check", "--verbose"])
            .arg(&fault.file)
            .current_dir(&root)
            .env("GIT_CEILING_DIRECTORIES", ceiling)
            .output()
            .expect("git runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // A patch to what lies outside is skipped, which is no failure.
        let checked = said.contains("Checking patch engine/");
        if !output.status.success() || !checked || said.contains("Skipped") {
            wrong.push(format!("{}: {}", fault.id, said.trim()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn patches_change_the_engine_only() {
    for fault in faults() {
        let text = std::fs::read_to_string(&fault.file).expect("it was read before");
        let files = text.lines().filter_map(|line| line.strip_prefix("+++ b/"));
        for file in files {
            assert!(file.starts_with("engine/src/"), "{}: {file}", fault.id);
        }
    }
}

#[test]
fn every_fault_expects_a_rule_that_exists() {
    for fault in faults().iter().filter(|fault| fault.id != CONTROL) {
        let rule = rules::find(&fault.rule);
        assert!(rule.is_some(), "{}: no rule is {}", fault.id, fault.rule);
    }
}

#[test]
fn every_rule_is_expected_by_a_fault() {
    let faults = faults();
    let expected = |id: &str| {
        let counts = |fault: &&Fault| ![CANARY, CONTROL].contains(&fault.id.as_str());
        faults.iter().filter(counts).any(|fault| fault.rule == id)
    };
    let without: Vec<&str> = rules::all()
        .map(|rule| rule.id)
        .filter(|id| !expected(id))
        .collect();
    assert!(without.is_empty(), "no fault is for {}", without.join(", "));
}

#[test]
fn scores_are_of_faults_that_there_are() {
    let file = Scores::file(&workspace());
    let scores = Scores::read(&file).expect("the scores are sound");
    let faults = faults();
    for kept in &scores.faults {
        let fault = faults.iter().find(|fault| fault.id == kept.fault);
        let rule = fault.map(|fault| &*fault.rule);
        assert_eq!(
            rule,
            Some(&*kept.expected),
            "{}: judge it again",
            kept.fault
        );
    }
    assert!(scores.faults.is_sorted_by(|a, b| a.fault < b.fault));
    assert_eq!(scores.summary, scores.summarise());
    let written = std::fs::read_to_string(file).expect("the scores are kept");
    assert_eq!(scores.render().as_deref(), Ok(&*written));
}

#[test]
fn the_canary_was_caught_and_the_control_was_not() {
    let scores = Scores::read(&Scores::file(&workspace())).expect("the scores are sound");
    let kept = |id: &str| scores.faults.iter().find(|kept| kept.fault == id);
    assert_eq!(kept(CANARY).map(|kept| kept.caught.is_empty()), Some(false));
    assert_eq!(kept(CONTROL).map(|kept| kept.caught.is_empty()), Some(true));
    // What diverges breaks a rule.
    for kept in &scores.faults {
        let is_caught = !kept.caught.is_empty();
        assert_eq!(!kept.rules.is_empty(), is_caught, "{}", kept.fault);
    }
}

#[test]
fn a_sample_is_spread_over_all() {
    let all: Vec<Fault> = faults();
    let references: Vec<&Fault> = all.iter().collect();
    let names = |count| -> Vec<&str> {
        super::spread(&references, count)
            .map(|fault| &*fault.id)
            .collect()
    };
    assert_eq!(names(10).len(), 10);
    assert_eq!(names(10), names(10));
    assert_eq!(names(2)[1], all[all.len() / 2].id);
    assert_eq!(names(100_000).len(), all.len());
}
