//! What is said of a target that is wrong, and what is kept.

mod command;

use command::{Ran, run_in};
use insta::assert_snapshot;
use std::fs;
use std::path::Path;

/// Runs a subcommand in a folder against a target that has fork().
fn against_wrong(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wrong-target.sh");
    fs::copy(script, folder.join("wrong.sh")).expect("it can be copied");
    let arguments = [arguments, &["--target", "exec:sh wrong.sh"]].concat();
    run_in(folder, &arguments, input)
}

const TRACE: &[u8] = b"\
p0  m0 = mmap(len=0x1000, prot=rw, flags=private)
p1  = clone(p0, vm)
p2  = fork(p0)
p0  exit()
";

#[test]
fn a_divergence_is_shown() {
    let folder = tempfile::tempdir().expect("there is room");
    let ran = against_wrong(folder.path(), &["replay", "-"], TRACE);
    assert_eq!(ran.status, 1);
    assert_snapshot!(ran.text());
}

#[test]
fn a_divergence_is_shown_to_programs() {
    let folder = tempfile::tempdir().expect("there is room");
    let ran = against_wrong(folder.path(), &["replay", "--format", "json", "-"], TRACE);
    let json: serde_json::Value = serde_json::from_str(&ran.output).expect("it is JSON");
    let trace = &json["traces"][0];
    assert_eq!(trace["verdict"], "diverges");
    assert_eq!(trace["line"], 3);
    assert_eq!(trace["divergence"]["rules"][0]["id"], "no-fork");
}

#[test]
fn allocations_fail_only_where_the_target_can_be_told() {
    let folder = tempfile::tempdir().expect("there is room");
    let ran = against_wrong(
        folder.path(),
        &["replay", "--failures", "-"],
        b"p0  exit()\n",
    );
    assert_eq!(ran.status, 3, "{}", ran.text());
    let expected = "expected a target that can be told to";
    assert!(ran.errors.contains(expected), "{}", ran.errors);
}

#[test]
fn a_divergence_is_minimised() {
    let folder = tempfile::tempdir().expect("there is room");
    let ran = against_wrong(folder.path(), &["minimise", "-"], TRACE);
    assert_eq!(ran.status, 1);
    assert_snapshot!(ran.text());
    // Into a file that is there already, nothing is written.
    fs::write(folder.path().join("there.trace"), "mine").expect("it can be written");
    let arguments = ["minimise", "-", "--output", "there.trace"];
    let ran = against_wrong(folder.path(), &arguments, TRACE);
    assert_eq!(ran.status, 2, "{}", ran.text());
    assert!(ran.errors.contains("there.trace"), "{}", ran.text());
    let there = fs::read_to_string(folder.path().join("there.trace"));
    assert_eq!(there.expect("it is there"), "mine");
}

#[test]
fn a_campaign_keeps_what_it_finds() {
    let folder = tempfile::tempdir().expect("there is room");
    let campaign = ["campaign", "--operations", "100000", "--jobs", "2"];
    let ran = against_wrong(folder.path(), &campaign, b"");
    assert_eq!(ran.status, 1, "{}", ran.text());
    assert!(
        ran.output
            .contains("kept as corpus/findings/exec/no-fork.trace"),
        "{}",
        ran.text()
    );
    let kept = folder.path().join("corpus/findings/exec/no-fork.trace");
    let text = fs::read(&kept).expect("it is there");
    let again = against_wrong(folder.path(), &["replay", "-"], &text);
    assert_eq!(again.status, 1, "{}", again.text());
    let ran = against_wrong(folder.path(), &campaign, b"");
    assert!(ran.output.contains("known already"), "{}", ran.text());
    let files = fs::read_dir(kept.parent().expect("it has a folder")).expect("it is there");
    assert_eq!(files.count(), 1);
}

#[test]
fn a_finding_that_cannot_be_kept_is_shown_first() {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("file"), "").expect("it can be written");
    let arguments = ["campaign", "--operations", "100000", "--findings", "file"];
    let ran = against_wrong(folder.path(), &arguments, b"");
    assert_eq!(ran.status, 1, "{}", ran.text());
    assert!(ran.output.contains("p1  = fork(p0)"), "{}", ran.text());
    assert!(
        ran.errors.contains("error: cannot make the folder file"),
        "{}",
        ran.text()
    );
}

#[test]
fn conformance_names_the_rule() {
    let folder = tempfile::tempdir().expect("there is room");
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/conformance");
    let corpus = format!("--corpus={}", corpus.display());
    let arguments = [
        "conform",
        &corpus,
        "--format",
        "json",
        "--junit",
        "junit.xml",
    ];
    let ran = against_wrong(folder.path(), &arguments, b"");
    assert_eq!(ran.status, 1, "{}", ran.errors);
    let json: serde_json::Value = serde_json::from_str(&ran.output).expect("it is JSON");
    let violated: Vec<&str> = (json["rules"].as_array().expect("there are rules").iter())
        .filter(|rule| rule["verdict"] == "violated")
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(violated, ["no-fork"]);
    let junit = fs::read_to_string(folder.path().join("junit.xml")).expect("it was written");
    assert!(junit.contains("failures=\"1\""), "{junit}");
}
