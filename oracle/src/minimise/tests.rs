//! What is left of a trace.

use super::*;
use crate::target::engine::EngineTarget;
use crate::trace::Trace;

#[test]
fn a_trace_that_agrees_is_not_minimised() {
    let text = b"p0  m0 = mmap(len=0x1000, prot=rw, flags=private)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let minimised = minimise(&mut lockstep, &trace, &[], 0).expect("it can be run");
    assert!(minimised.is_none());
}

#[test]
fn names_are_numbered_as_they_are_bound() {
    let text = b"#! nommu-trace v1 processes=2\n\
        p1  f7 = open(\"/ram/a\", create|rw)\n\
        p1  m9 = mmap(len=0x1000, prot=r, flags=private, fd=f7)\n\
        p1  m4 = mmap(len=0x1000, prot=r, flags=private)\n\
        p1  munmap(m4+0x10, 0x1000)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let mut operations: Vec<Operation> = trace.operations().cloned().collect();
    let names = |operations: &[Operation]| {
        let trace = Trace::new(trace.header.clone(), operations.to_vec());
        trace.to_string()
    };
    let normal = names::normalise(&operations, 2);
    insta::assert_snapshot!(names(&normal), @r#"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented processes=2
    p1  f0 = open("/ram/a", create|rw)
    p1  m0 = mmap(len=0x1000, prot=r, flags=private, fd=f0, off=0x0)
    p1  m1 = mmap(len=0x1000, prot=r, flags=private)
    p1  munmap(m1+0x10, 0x1000)
    "#);
    // What nothing binds takes what uses it along.
    operations.remove(0);
    insta::assert_snapshot!(names(&names::normalise(&operations, 2)), @r"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented processes=2
    p1  m0 = mmap(len=0x1000, prot=r, flags=private)
    p1  munmap(m0+0x10, 0x1000)
    ");
}

#[test]
fn lengths_follow_the_page() {
    let text = b"#! nommu-trace v1 page=16\n\
        p0  m0 = mmap(len=0x2f, prot=r, flags=private, off=0xfffffffffffffff0)\n\
        p0  load(m0-0x20, 0x11)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let scaled = arguments::rescale(&operations, 16, 4096);
    let trace = Trace::new(Header::default(), scaled);
    insta::assert_snapshot!(trace.to_string(), @r"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  m0 = mmap(len=0x2fff, prot=r, flags=private, off=0xfffffffffffff000)
    p0  load(m0-0x2000, 0x1001)
    ");
}

#[test]
fn what_is_opened_twice_is_opened_once_for_both() {
    let text = b"p0  f0 = open(\"/ram/a\", create|r)\n\
        p0  f1 = open(\"/ram/a\", w)\n\
        p0  ftruncate(f1, 0x1000)\n\
        p0  f2 = open(\"/ram/b\", create|r)\n\
        p0  read(f0, off=0x0, len=0x1)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let merged = names::merge_opened(&operations, Descriptor(1), Descriptor(0));
    let merged = merged.expect("they are of one object");
    insta::assert_snapshot!(Trace::new(Header::default(), merged).to_string(), @r#"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  f0 = open("/ram/a", create|rw)
    p0  ftruncate(f0, 0x1000)
    p0  f2 = open("/ram/b", create|r)
    p0  read(f0, off=0x0, len=0x1)
    "#);
    let others = names::merge_opened(&operations, Descriptor(2), Descriptor(0));
    assert!(others.is_none());
}

#[test]
fn all_arguments_are_made_plain_at_once_but_not_what_they_are_of() {
    let text = b"#! nommu-trace v1 pages=12 trim=0\n\
        p0  f0 = open(\"/ram/a\", create|rw)\n\
        p0  ftruncate(f0, 0x5123)\n\
        p0  m0 = mmap(len=0x3000, prot=rx, flags=shared, fd=f0, off=0x1000)\n\
        p0  m1 = mmap(len=0x777, prot=rwx, flags=private|uninitialized)\n\
        p0  munmap(m1+0x10, 0x2000)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let plainest = |kept| {
        let plain = arguments::plainest(&operations, kept, &trace.header);
        Trace::new(Header::default(), plain).to_string()
    };
    insta::assert_snapshot!(plainest(0), @r#"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  f0 = open("/ram/a", create|rw)
    p0  ftruncate(f0, 0x1000)
    p0  m0 = mmap(len=0x1000, prot=r, flags=shared, fd=f0, off=0x0)
    p0  m1 = mmap(len=0x1000, prot=rw, flags=private)
    p0  munmap(m1, 0x1000)
    "#);
    insta::assert_snapshot!(plainest(1), @r#"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  f0 = open("/ram/a", create|rw)
    p0  ftruncate(f0, 0x1000)
    p0  m0 = mmap(len=0x1000, prot=r, flags=shared, fd=f0, off=0x0)
    p0  m1 = mmap(len=0x1000, prot=rw, flags=private)
    p0  munmap(m1+0x10, 0x2000)
    "#);
}

#[test]
fn what_is_behind_moves_with_the_end() {
    let text = b"p0  m0 = mmap(len=0x3000, prot=r, flags=private)\n\
        p0  munmap(m0+0x2000, 0x1000)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let shifts = arguments::shifts(&operations, 0x1000);
    assert_eq!(
        shifts,
        [(0x2000, 0x1000), (0x3000, 0x2000), (0x3000, 0x1000)]
    );
    let less = arguments::map_numbers(&operations, |value| match value {
        0x2000.. => value - 0x1000,
        _ => value,
    });
    insta::assert_snapshot!(Trace::new(trace.header, less), @r"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  m0 = mmap(len=0x2000, prot=r, flags=private)
    p0  munmap(m0+0x1000, 0x1000)
    ");
}

#[test]
fn a_file_in_memory_is_made_where_it_is_opened() {
    let text = b"p0  f0 = open(\"/ram/a\", r)\np0  f1 = open(\"/disk/a\", r)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let made = names::create(&operations, &nommu_model::op::Path("/ram/a".into()));
    insta::assert_snapshot!(Trace::new(trace.header, made), @r#"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  f0 = open("/ram/a", create|r)
    p0  f1 = open("/disk/a", r)
    "#);
}
