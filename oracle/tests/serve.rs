//! The engine behind the protocol, asked by this program and by others.

mod command;

use command::{Ran, run, run_in};
use insta::assert_snapshot;
use std::path::Path;

/// The engine as a program.
fn served() -> String {
    format!("exec:{} serve", env!("CARGO_BIN_EXE_nommu-oracle"))
}

/// What a command says of the engine, and of the engine as a program under the same name.
fn both(arguments: &[&str]) -> [Ran; 2] {
    ["engine", &served()].map(|target| {
        let ran = run(&[arguments, &["--target", target]].concat());
        let output = ran.output.replace(target, "the engine");
        Ran { output, ..ran }
    })
}

#[test]
fn the_engine_conforms_through_pipes_as_it_does_within() {
    let [within, through] = both(&["conform", "--format", "json"]);
    assert_eq!(within.status, 0, "{}", within.text());
    assert_eq!(through.text(), within.text());
}

#[test]
fn every_step_of_a_trace_is_the_same_through_pipes() {
    let [within, through] = both(&["replay", "--step", "corpus/regressions"]);
    assert_eq!(within.status, 0, "{}", within.text());
    assert_eq!(through.text(), within.text());
}

#[test]
fn allocations_fail_through_pipes_as_they_do_within() {
    let folder = "corpus/conformance/no-mmu-mremap";
    let [within, through] = both(&["replay", "--failures", folder]);
    assert_eq!(within.status, 0, "{}", within.text());
    assert!(within.output.contains(" allocations failed"));
    assert_eq!(through.text(), within.text());
}

/// What it answers, and what it says when it ends.
#[track_caller]
fn answers(questions: &[u8]) -> String {
    run_in(Path::new("."), &["serve"], questions).text()
}

const BEGIN: &str = "nommu-protocol 1\nreset page=4096 pages=4 start=0x40000000 trim=1 uninitialized=no processes=1\n";

#[test]
fn a_conversation() {
    let questions = [
        "p0  m0 = mmap(len=0x3000, prot=rw, flags=private)",
        "p0  store(m0+0x10, \"A\"*3)",
        "show memory 0x4000000f 5",
        "show memory 0x0 5",
        "fail 1",
        "p0  m1 = mmap(len=0x1000, prot=r, flags=private)",
        "p0  f0 = open(\"/ram/a\", create|rw)",
        "p0  write(f0, off=0x0, \"B\"*2)",
        "show file 12 0x1 3",
        "p0  maps(p0)",
        "p0  exit()",
        "reset page=16 trim=0 uninitialized=yes processes=2",
        "end",
        "p0  exit()",
    ];
    assert_snapshot!(answers(
        format!("{BEGIN}{}\n", questions.join("\n")).as_bytes()
    ));
}

#[test]
fn questions_that_make_no_sense_are_answered_so() {
    let questions = [
        "hello",
        "reset",
        "reset page=4096 trim=1 uninitialized=perhaps processes=1",
        "reset page=4096 pages=4 trim=1 uninitialized=no processes=1",
        "reset page=4096 page=4096 trim=1 uninitialized=no processes=1",
        "reset page=5 trim=1 uninitialized=no processes=1",
        "reset page=4096 trim=1 uninitialized=no processes=0",
        "reset page=4096 pages=0xffffffffffffffff start=0x40000000 trim=1 uninitialized=no processes=1",
        "reset page=4096 pages=4 start=0x1000 trim=1 uninitialized=no processes=1",
        "p0  exit()",
        "show memory 0x40000000 1",
        "fail 1",
    ];
    let after = [
        "p0  mmap()",
        "p0  exit() p0",
        "p77777  exit()",
        "show",
        "show memory 0x40000000",
        "show memory 0x40000000 0xffffffffffffffff",
        "show file 99999 0x0 1",
        "fail",
        "fail x",
        "",
        "p9  m7 = mmap(len=0x1000, prot=r, flags=private, fd=f3)",
        "p0  munmap(m65535, 0x1000)",
    ];
    let before = questions.join("\n");
    let after = after.join("\n");
    assert_snapshot!(answers(
        format!(
            "nommu-protocol 1\n{before}\n{}{after}\n",
            BEGIN.split_once('\n').unwrap().1
        )
        .as_bytes()
    ));
}

#[test]
fn what_is_no_conversation_ends_it() {
    let long = vec![b'a'; (1 << 20) + 2];
    let cases: [&[u8]; 7] = [
        b"",
        b"hello\n",
        b"nommu-protocol 2\nreset\n",
        b"nommu-proto",
        b"nommu-protocol 1\n\xff\xfe\nend\n",
        b"nommu-protocol 1\nrese",
        &[b"nommu-protocol 1\n", long.as_slice()].concat(),
    ];
    assert_snapshot!(cases.map(answers).join("\n"));
}
