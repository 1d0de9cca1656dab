//! What a wrong trace is told.

use crate::trace::{LINE_LIMIT, Trace};
use insta::assert_snapshot;

/// The report of what is wrong with a text.
#[track_caller]
fn report(text: impl AsRef<[u8]>) -> String {
    match Trace::parse("wrong.trace", text.as_ref()) {
        Ok(trace) => panic!("nothing is wrong with it: {trace}"),
        Err(problem) => format!("{problem}\n\n{}", problem.report(false)),
    }
}

/// The sentences for many texts, each of one line.
fn sentences(texts: &[&str]) -> String {
    texts
        .iter()
        .map(|text| match Trace::parse("t", text.as_bytes()) {
            Ok(_) => format!("{text}\n    nothing is wrong with it\n"),
            Err(problem) => {
                let help = problem
                    .help
                    .as_ref()
                    .map(|help| format!("\n    help: {help}"));
                format!("{text}\n    {problem}{}\n", help.unwrap_or_default())
            }
        })
        .collect()
}

#[test]
fn a_word_that_is_no_call() {
    assert_snapshot!(report("p0  m0 = mmpa(len=0x1000)\n"));
}

#[test]
fn a_name_that_nothing_binds() {
    assert_snapshot!(report("\n# second\np0  munmap(m0, 0x1000)\n"));
}

#[test]
fn a_name_that_is_bound_twice() {
    assert_snapshot!(report(
        "p0  f0 = socket()\np0  f1 = socket()\np0  f0 = open(\"/ram/a\", r)\n"
    ));
}

#[test]
fn bytes_that_are_no_text() {
    assert_snapshot!(report(b"p0  exit() # \xc3\xa9 \xff\xfe\n"));
}

#[test]
fn a_line_that_is_too_long() {
    assert_snapshot!(report("#".repeat(LINE_LIMIT + 1)));
}

#[test]
fn a_memory_that_is_too_large() {
    assert_snapshot!(report("#! nommu-trace v1 page=65536 pages=16385\n"));
}

#[test]
fn a_column_counts_characters() {
    let problem = Trace::parse("t", "p0  é".as_bytes()).expect_err("no call begins so");
    assert_eq!((problem.line, problem.column), (1, 5));
    let problem = Trace::parse("t", "p0  store(0, \"é\" é".as_bytes()).expect_err("one byte");
    assert_eq!((problem.line, problem.column), (1, 14));
}

#[test]
fn headers() {
    let told = sentences(&[
        "#!",
        "#!/bin/sh",
        "#! nommu-trace",
        "#! nommu-trace v2",
        "#! nommu-trace v1 page",
        "#! nommu-trace v1 page=",
        "#! nommu-trace v1 page=4095",
        "#! nommu-trace v1 page=8",
        "#! nommu-trace v1 pages=0",
        "#! nommu-trace v1 pages=18446744073709551616",
        "#! nommu-trace v1 pages=18446744073709551615",
        "#! nommu-trace v1 trim=-1",
        "#! nommu-trace v1 uninitialized=true",
        "#! nommu-trace v1 profile=linux",
        "#! nommu-trace v1 processes=0",
        "#! nommu-trace v1 processes=70000",
        "#! nommu-trace v1 failure=often",
        "#! nommu-trace v1 page=4096 page=4096",
        "#! nommu-trace v1 colour=red",
        "#! nommu-trace v1\n#! nommu-trace v1",
        "p0  exit()\n#! nommu-trace v1",
    ]);
    assert_snapshot!(told);
}

#[test]
fn operations() {
    let told = sentences(&[
        "exit()",
        "p1  exit()",
        "p00  exit()",
        "p65536  exit()",
        "p0",
        "p0  exit",
        "p0  exit(",
        "p0  exit() exit()",
        "p0  exit(0)",
        "p0  m0",
        "p0  m0 =",
        "p0  m0 = m1 = mmap(len=1, prot=r, flags=private)",
        "p0  mmap(len=0x1000, prot=rw, flags=private)",
        "p0  f0 = mmap(len=0x1000, prot=rw, flags=private)",
        "p0  m0 = munmap(0, 0)",
        "p0  f0 = pipe()",
        "p0  f0 f0 = pipe()",
        "p0  f0 f1 f2 = pipe()",
        "p0  m0 = mmap()",
        "p0  m0 = mmap(len=0x1000)",
        "p0  m0 = mmap(len=0x1000, prot=rw)",
        "p0  m0 = mmap(len=0x1000, len=0x1000)",
        "p0  m0 = mmap(len=0x1000, prot=rr, flags=private)",
        "p0  m0 = mmap(len=0x1000, prot=rwz, flags=private)",
        "p0  m0 = mmap(len=0x1000, prot=rw, flags=private|private)",
        "p0  m0 = mmap(len=0x1000, prot=rw, flags=privat)",
        "p0  m0 = mmap(size=0x1000, prot=rw, flags=private)",
        "p0  m0 = mmap(len=0x10000000000000000, prot=rw, flags=private)",
        "p0  m0 = mmap(len=4k, prot=rw, flags=private)",
        "p0  m0 = mmap(len=-1, prot=rw, flags=private)",
        "p0  m0 = mmap(len=0x1000, prot=rw, flags=private, fd=3)",
        "p0  f0 = socket()\np0  m0 = mmap(len=1, prot=r, flags=private|anonymous, fd=f0)",
        "p0  munmap(0, 0",
        "p0  munmap(q, 0)",
        "p0  load(0)",
        "p0  store(0, \"\"*4)",
        "p0  store(0, \"AB\"*4)",
        "p0  store(0, \"\\q\"*4)",
        "p0  store(0, \"A*4)",
        "p0  store(0, A*4)",
        "p0  f0 = open(/ram/a, r)",
        "p0  f0 = open(\"ram\", r)",
        "p0  f0 = open(\"/ram/../x\", r)",
        "p0  f0 = open(\"/ram/a/b\", r)",
        "p0  f0 = open(\"/ram/a\")",
        "p0  f0 = open(\"/ram/a\", create)",
        "p0  f0 = open(\"/ram/a\", x)",
        "p0  fork()",
        "p1  = spawn(p0)",
        "p0  = fork(p0)",
        "p1  = fork(p1)",
        "p1  = clone(p0, files)",
        "p0  s0 = shmget(1, 0x1000)",
        "p0  s0 = shmget(key=4294967296, size=1)",
        "p0  s0 = shmget(key=1, size=1)\np0  shmctl(s0, destroy)",
        "p0  maps(0)",
        "p0  futex_wait(0, 0x100000000)",
        "sysctl vm.overcommit=1",
        "sysctl vm.nr_trim_pages=many",
        "driver chr0 area=ok",
        "driver \"/dev/ram0\" area=ok",
        "driver \"/dev/chr0\" area=maybe",
        "driver \"/dev/chr0\" mmap=absent",
        "driver \"/dev/chr0\" read=1",
        "driver \"/dev/chr0\" colour=red",
        "driver \"/dev/chr0\" busy=yes busy=no",
        "p0  store(m18446744073709551616, \"A\")",
        "p0  exit() ;",
    ]);
    assert_snapshot!(told);
}
