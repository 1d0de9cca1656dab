//! What kernels once answered to the conformance corpus (`corpus/transcripts/`), held against the
//! model: each trace is agreed with, or shows a deviation that is known.

mod command;

use command::run;
use std::fmt::Write;

/// What a kernel's records come to: each trace that it does not agree with, the rules it breaks,
/// and the deviations that this is known as.
#[track_caller]
fn check(kernel: &str) {
    let records = format!("corpus/transcripts/{kernel}");
    let asked = ["conform", "--target", kernel, "--records", &records];
    let ran = run(&[&asked[..], &["--format", "json"]].concat());
    let report: serde_json::Value = serde_json::from_str(&ran.output).unwrap_or_else(|error| {
        panic!("{error}: {}", ran.text());
    });
    let traces = report["traces"].as_array().expect("there are traces");
    assert!(traces.len() > 150, "only {} are on record", traces.len());
    let mut text = String::new();
    for trace in traces.iter().filter(|trace| !trace["diverged"].is_null()) {
        let name = trace["trace"].as_str().expect("it has a name");
        let _ = writeln!(text, "{name}");
        for rule in report["rules"].as_array().into_iter().flatten() {
            let all = rule["broken"].as_array().into_iter().flatten();
            for broken in all.filter(|broken| broken["trace"] == name) {
                let rule = rule["id"].as_str().expect("it has an id");
                let known: Vec<&str> = (broken["known"].as_array().into_iter().flatten())
                    .filter_map(|id| id.as_str())
                    .collect();
                let known = match known.as_slice() {
                    [] => "new".to_owned(),
                    known => known.join(", "),
                };
                let _ = writeln!(text, "    {rule}: {known}");
            }
        }
    }
    assert!(!text.contains(": new\n"), "{text}");
    insta::assert_snapshot!(kernel, text);
}

#[test]
fn linux_6_12() {
    check("linux-6.12");
}

#[test]
fn linux_6_1() {
    check("linux-6.1");
}
