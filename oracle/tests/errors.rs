//! What is told to those who ask for what cannot be done, and the exit status.

mod command;

use command::{run, run_in};
use insta::assert_snapshot;
use std::fs;

#[test]
fn options_that_are_wrong() {
    let wrong: &[&[&str]] = &[
        &[],
        &["juggle"],
        &["replay"],
        &["replay", "a.trace", "--target", "linux"],
        &["replay", "a.trace", "--target", "exec:"],
        &["replay", "a.trace", "--profile", "posix"],
        &["replay", "a.trace", "--format", "xml"],
        &["explain", "privat-read-reuse"],
        &["explain", "nonsense"],
        &["campaign", "--seed", "-1"],
        &["campaign", "--jobs", "0"],
        &["campaign", "--operations", "1", "--time", "1"],
        &["campaign", "--shard", "2/2"],
        &["campaign", "--shard", "half"],
        &["campaign", "--pages", "0"],
        &["campaign", "--page-size", "4095"],
        &["campaign", "--pages", "18446744073709551615"],
    ];
    let mut told = String::new();
    for arguments in wrong {
        let ran = run(arguments);
        assert_eq!(ran.status, 2, "{arguments:?}");
        assert_eq!(ran.output, "", "{arguments:?}");
        // clap's help follows where there is no argument at all.
        let errors = ran.errors.lines().take_while(|line| !line.is_empty());
        told.push_str(&format!("nommu-oracle {}\n", arguments.join(" ")));
        for line in errors {
            told.push_str(&format!("    {line}\n"));
        }
    }
    assert_snapshot!(told);
}

#[test]
fn files_that_are_wrong() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |name: &str, text: &[u8]| {
        fs::write(folder.path().join(name), text).expect("it can be written");
    };
    fs::create_dir(folder.path().join("empty")).expect("it can be made");
    fs::create_dir(folder.path().join("many")).expect("it can be made");
    write("many/1.trace", b"p0  exit(\n");
    write("many/2.trace", b"p0  exit()\n");
    write("many/3.trace", b"#! nommu-trace v1 pages=many\n");
    write("bytes.trace", b"p0  m0 = mmap(len=\xff\xfe)\n");
    let mut told = String::new();
    for arguments in [
        ["replay", "missing.trace"],
        ["replay", "empty"],
        ["replay", "many"],
        ["replay", "bytes.trace"],
        ["minimise", "many"],
        ["minimise", "bytes.trace"],
        ["conform", "--corpus=many"],
        ["conform", "--corpus=missing"],
    ] {
        let ran = run_in(folder.path(), &arguments, b"");
        told.push_str(&format!(
            "nommu-oracle {}\n{}\n",
            arguments.join(" "),
            ran.text()
        ));
        assert_eq!(ran.status, 2, "{}", ran.text());
    }
    assert_snapshot!(told);
}

#[test]
fn targets_that_cannot_be_run() {
    let folder = tempfile::tempdir().expect("there is room");
    let trace = b"p0  exit()\n";
    for target in ["exec:./not-there", "exec:false"] {
        let ran = run_in(folder.path(), &["replay", "-", "--target", target], trace);
        assert_eq!(ran.status, 3, "{}", ran.text());
        assert!(ran.errors.contains(target), "{}", ran.text());
    }
}
