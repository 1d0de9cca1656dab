//! `check` as it is used: results, several scopes, what is wrong with a scope or a checkpoint.

mod command;

use command::{run, run_in};
use insta::assert_snapshot;
use std::fs;
use std::path::Path;

const ONE_PAGE: &str = "\
about = \"One page.\"
munmap = [\"whole\"]
[system]
pages = 1
[most]
mappings = 1
[[mmap]]
pages = [1]
protection = [\"rw\"]
flags = [\"private\"]
";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("it can be written");
    path.to_str().expect("it is text").to_owned()
}

#[test]
fn a_scope_is_explored() {
    let folder = tempfile::tempdir().expect("there is room");
    write(folder.path(), "one.toml", ONE_PAGE);
    let ran = run_in(folder.path(), &["check", "--scope", "one.toml"], b"");
    assert_snapshot!(ran.text());
}

#[test]
fn a_folder_of_scopes_ends_with_a_table() {
    let folder = tempfile::tempdir().expect("there is room");
    let scopes = folder.path().join("scopes");
    fs::create_dir(&scopes).expect("it can be made");
    write(&scopes, "b.toml", ONE_PAGE);
    write(
        &scopes,
        "a.toml",
        &ONE_PAGE.replace("pages = 1\n", "pages = 2\n"),
    );
    write(&scopes, "notes.txt", "no scope");
    let arguments = ["check", "--scope", "scopes", "--format", "json"];
    let ran = run_in(folder.path(), &arguments, b"");
    assert_eq!(ran.status, 0, "{}", ran.text());
    let json: serde_json::Value = serde_json::from_str(&ran.output).expect("it is JSON");
    let lines = json["summary"]["scopes"].as_array().expect("a list");
    let names: Vec<&str> = lines
        .iter()
        .filter_map(|line| line["scope"].as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    let never = json["summary"]["rules_without_witness"].as_array();
    let never = never.expect("a list");
    assert!(never.iter().any(|rule| rule == "no-fork"), "{never:?}");
    let words = run_in(folder.path(), &["check", "--scope", "scopes"], b"").output;
    assert!(words.contains("\nscope     states  transitions"), "{words}");
    assert!(words.contains("never performed: "), "{words}");
}

#[test]
fn scopes_that_are_wrong() {
    let folder = tempfile::tempdir().expect("there is room");
    fs::create_dir(folder.path().join("empty")).expect("it can be made");
    for (name, text) in [
        ("nothing.toml", String::new()),
        ("idle.toml", "about = \"Idle.\"\n".to_owned()),
        ("closed.toml", format!("{ONE_PAGE}[files]\nclose = true\n")),
        (
            "profile.toml",
            ONE_PAGE.replace("pages = 1\n", "profile = \"posix\"\n"),
        ),
        (
            "nowhere.toml",
            ONE_PAGE.replace("mappings = 1", "mappings = 0"),
        ),
        (
            "twice.toml",
            ONE_PAGE.replace("[\"rw\"]", "[\"rw\", \"r\", \"wr\"]"),
        ),
        (
            "same.toml",
            ONE_PAGE.replace("pages = [1]\n", "pages = [1]\nbytes = [8, 16]\n"),
        ),
        ("trims.toml", format!("trim = [0, 2, 0]\n{ONE_PAGE}")),
        (
            "tables.toml",
            format!(
                "{ONE_PAGE}{}",
                &ONE_PAGE[ONE_PAGE.find("[[mmap]]").expect("it maps")..]
            ),
        ),
        (
            "path.toml",
            format!("{ONE_PAGE}[[open]]\npaths = [\"/ram/../a\"]\nflags = [\"r\"]\n"),
        ),
        (
            "flags.toml",
            format!("{ONE_PAGE}[[open]]\npaths = [\"/ram/a\"]\nflags = [\"create\"]\n"),
        ),
    ] {
        write(folder.path(), name, &text);
    }
    let mut told = String::new();
    for name in [
        "missing.toml",
        "empty",
        "nothing.toml",
        "idle.toml",
        "closed.toml",
        "profile.toml",
        "nowhere.toml",
        "twice.toml",
        "same.toml",
        "trims.toml",
        "tables.toml",
        "path.toml",
        "flags.toml",
    ] {
        let ran = run_in(folder.path(), &["check", "--scope", name], b"");
        assert_eq!(ran.status, 2, "{name}");
        assert_eq!(ran.output, "", "{name}");
        told.push_str(&format!("{name}\n    {}\n", ran.errors.trim_end()));
    }
    assert_snapshot!(told);
}

#[test]
fn checkpoints_that_are_wrong() {
    let folder = tempfile::tempdir().expect("there is room");
    let larger = ONE_PAGE.replace("pages = 1\n", "pages = 4\n");
    let larger = larger.replace("mappings = 1", "mappings = 4");
    write(folder.path(), "larger.toml", &larger);
    write(folder.path(), "other.toml", ONE_PAGE);
    let check = |scope: &str, more: &[&str]| {
        let arguments = ["check", "--scope", scope, "--checkpoint", "kept"];
        let arguments: Vec<&str> = arguments.iter().chain(more).copied().collect();
        run_in(folder.path(), &arguments, b"")
    };
    let whole = run_in(folder.path(), &["check", "--scope", "larger.toml"], b"");
    assert_eq!(check("larger.toml", &["--depth", "2"]).status, 0);
    let resumed = check("larger.toml", &["--resume"]);
    assert_eq!(resumed.output, whole.output);
    assert_eq!(check("larger.toml", &["--depth", "2"]).status, 0);
    let mut told = check("other.toml", &["--resume"]).errors;
    let kept = folder.path().join("kept");
    let bytes = fs::read(&kept).expect("it is there");
    fs::write(&kept, &bytes[..bytes.len() - 1]).expect("it can be written");
    told += &check("larger.toml", &["--resume"]).errors;
    fs::write(&kept, b"something else").expect("it can be written");
    told += &check("larger.toml", &["--resume"]).errors;
    fs::remove_file(&kept).expect("it can be removed");
    told += &check("larger.toml", &["--resume"]).errors;
    let nowhere = [
        "check",
        "--scope",
        "larger.toml",
        "--checkpoint",
        "none/kept",
    ];
    let nowhere = run_in(folder.path(), &nowhere, b"");
    assert_eq!(nowhere.output, "");
    told += &nowhere.errors;
    // What systems are told apart by depends on which rules there are.
    let plain = told.split_inclusive('(').map(|part| {
        let hash = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        match hash {
            32 => format!("...{}", &part[hash..]),
            _ => part.to_owned(),
        }
    });
    assert_snapshot!(plain.collect::<String>());
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let scope = concat!(env!("CARGO_MANIFEST_DIR"), "/../specs/scopes/segments.toml");
    let outputs = ["1", "2", "3"].map(|threads| {
        let arguments = ["check", "--scope", scope, "--depth", "5", "--witnesses"];
        let more = ["--threads", threads, "--format", "json"];
        let ran = run(&[&arguments[..], &more].concat());
        assert_eq!(ran.status, 0, "{}", ran.text());
        ran.output
    });
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
}
