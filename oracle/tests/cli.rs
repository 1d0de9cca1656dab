//! The command as it is used.

mod command;

use command::{run, run_in};
use insta::assert_snapshot;

const TRACE: &[u8] = b"\
#! nommu-trace v1 pages=8 processes=2
# Two processes, one file.
p0  f0 = open(\"/disk/a\", r)
p0  m0 = mmap(len=0x2000, prot=r, flags=private, fd=f0, off=0)
p1  munmap(m0, 0x2000)
p1  exit()
p1  exit()
p0  store(m0, \"A\"*16)
";

#[test]
fn help_teaches() {
    assert_snapshot!("help", run(&["--help"]).text());
    for subcommand in [
        "campaign", "check", "replay", "minimise", "conform", "explain", "coverage", "serve",
    ] {
        let told = run(&[subcommand, "--help"]).text();
        assert!(told.contains("Examples:"), "{told}");
        assert_snapshot!(format!("help_{subcommand}"), told);
    }
}

#[test]
fn a_trace_is_replayed_from_standard_input() {
    let folder = tempfile::tempdir().expect("there is room");
    assert_snapshot!(run_in(folder.path(), &["replay", "-"], TRACE).text());
}

#[test]
fn each_step_is_shown() {
    let folder = tempfile::tempdir().expect("there is room");
    let shown = run_in(folder.path(), &["replay", "--step", "-"], TRACE).text();
    assert_snapshot!(shown);
}

#[test]
fn steps_are_shown_to_programs() {
    let folder = tempfile::tempdir().expect("there is room");
    let arguments = ["replay", "--step", "--format", "json", "-"];
    let ran = run_in(folder.path(), &arguments, TRACE);
    let json: serde_json::Value = serde_json::from_str(&ran.output).expect("it is JSON");
    assert_eq!(json["traces"][0]["verdict"], "agrees");
    assert_eq!(json["traces"][0]["steps"].as_array().map(Vec::len), Some(6));
    assert_eq!(ran.status, 0);
}

#[test]
fn the_corpus_conforms() {
    let folder = tempfile::tempdir().expect("there is room");
    let junit = folder.path().join("junit.xml");
    let ran = run(&["conform", "--junit", junit.to_str().expect("it is text")]);
    assert_eq!(ran.status, 0, "{}", ran.text());
    let junit = std::fs::read_to_string(junit).expect("it was written");
    assert!(junit.starts_with("<?xml"), "{junit}");
    assert!(junit.contains("failures=\"0\""), "{junit}");
}

#[test]
fn the_number_of_jobs_changes_nothing() {
    let folder = tempfile::tempdir().expect("there is room");
    let with = |jobs: &str, format: &str| {
        let arguments = [
            "campaign",
            "--operations",
            "3000",
            "--seed",
            "5",
            "--jobs",
            jobs,
            "--format",
            format,
            "--findings",
            "found",
        ];
        run_in(folder.path(), &arguments, b"").output
    };
    for format in ["text", "json"] {
        let one = with("1", format);
        assert!(one.contains("operations"), "{one}");
        // The first may have filed a finding that the others know already.
        assert_eq!(with("2", format), with("3", format));
    }
}

/// Every allocation of every trace of the corpus fails once, and is dealt with.
#[test]
fn the_corpus_conforms_where_allocations_fail() {
    let ran = run(&["conform", "--failures", "--format", "json"]);
    assert_eq!(ran.status, 0, "{}", ran.text());
    let json: serde_json::Value = serde_json::from_str(&ran.output).expect("it is JSON");
    let traces = json["traces"].as_array().expect("there are traces");
    let counts = traces.iter().map(|trace| trace["allocations"].as_u64());
    let failed: Option<u64> = counts.sum();
    assert!(failed.is_some_and(|failed| failed > 1000), "{failed:?}");
}

#[test]
fn a_trace_is_replayed_where_allocations_fail() {
    let folder = tempfile::tempdir().expect("there is room");
    let arguments = ["replay", "--failures", "-"];
    let ran = run_in(folder.path(), &arguments, TRACE);
    assert_eq!(ran.status, 0, "{}", ran.text());
    assert!(ran.output.contains(" allocations failed"), "{}", ran.output);
}

/// What four shards report adds up to what one campaign does over the same traces.
#[test]
fn shards_add_up_to_the_whole() {
    let folder = tempfile::tempdir().expect("there is room");
    let campaign = |shard: &str| {
        let arguments = [
            "campaign", "--traces", "150", "--format", "json", "--shard", shard,
        ];
        let ran = run_in(folder.path(), &arguments, b"");
        assert_eq!(ran.status, 0, "{}", ran.text());
        let path = folder.path().join(shard.replace('/', "-"));
        std::fs::write(&path, ran.output).expect("it can be written");
        path.to_str().expect("it is text").to_owned()
    };
    let merge = |reports: &[String]| {
        let reports = reports.iter().map(String::as_str);
        let arguments: Vec<&str> = ["coverage", "--format", "json", "--merge"]
            .into_iter()
            .chain(reports)
            .collect();
        run(&arguments)
    };
    let whole = merge(&[campaign("0/1")]);
    assert_eq!((whole.status, &*whole.errors), (0, ""));
    let shards = ["0/4", "1/4", "2/4", "3/4"].map(campaign);
    let merged = merge(&shards);
    assert_eq!((merged.status, &*merged.errors), (0, ""));
    assert_eq!(merged.output, whole.output);
    let few = merge(&shards[1..3]);
    assert!(
        few.errors.contains("0/4 of seed 0, 3/4 of seed 0"),
        "{}",
        few.errors
    );
    let twice = merge(&[shards[1].clone(), shards[1].clone()]);
    assert_eq!(twice.status, 2, "{}", twice.text());
}

#[test]
fn what_does_not_diverge_is_not_minimised() {
    let folder = tempfile::tempdir().expect("there is room");
    assert_snapshot!(run_in(folder.path(), &["minimise", "-"], TRACE).text());
}

#[test]
fn rules_gaps_deviations_and_lines_are_explained() {
    let asked = [
        "private-read-reuse",
        "mmap-zero-length",
        "address-hint-ignored",
        "41-44",
    ];
    let told: Vec<String> = asked.map(|id| run(&["explain", id]).text()).into();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn every_id_that_is_listed_is_explained() {
    let listed = run(&["explain", "--format", "json"]).output;
    let ids: Vec<String> = serde_json::from_str(&listed).expect("it is JSON");
    assert!(ids.len() > 90, "{}", ids.len());
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let ran = run(&[&["explain", "--format", "json"], ids.as_slice()].concat());
    let told: Vec<serde_json::Value> = serde_json::from_str(&ran.output).expect("it is JSON");
    assert_eq!(told.len(), ids.len());
}

#[test]
fn coverage_is_reported_in_each_format() {
    let text = run(&["coverage"]);
    assert_eq!(text.status, 0, "{}", text.text());
    assert!(
        text.output.contains("private-read-reuse"),
        "{}",
        text.output
    );
    let markdown = run(&["coverage", "--format", "markdown"]).output;
    assert!(markdown.starts_with("# Coverage of "), "{markdown}");
    let json = run(&["coverage", "--format", "json", "--also", "engine"]).output;
    let json: serde_json::Value = serde_json::from_str(&json).expect("it is JSON");
    for rule in json["rules"].as_array().expect("there are rules") {
        assert_eq!(rule["targets"][0]["verdict"], "holds", "{rule}");
    }
}
