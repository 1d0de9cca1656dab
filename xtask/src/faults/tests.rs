//! The seeded faults that there are: whether they can be used, and whether they are of use.

use super::patch::{self, CANARY, CONTROL, Fault};
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
