//! The engine seen through the vocabulary.

use super::*;
use crate::trace::Trace;
use nommu_model::outcome::Value;

/// Performs a trace on a fresh engine and returns the outcomes.
#[track_caller]
fn outcomes(target: &mut EngineTarget, text: &str) -> Vec<Outcome> {
    let trace = Trace::parse("test", text.as_bytes()).expect("a sound trace");
    let config = trace.header.config(Vec::new());
    target.reset(&config).expect("it can be run");
    trace
        .operations()
        .map(|operation| target.perform(operation).expect("it can be reached"))
        .collect()
}

#[test]
fn answers_in_the_vocabulary() {
    let mut target = EngineTarget::new();
    let answers = outcomes(
        &mut target,
        "#! nommu-trace v1 page=64 pages=8\n\
         p0  m0 = mmap(len=0x40, prot=rw, flags=private)\n\
         p0  store(m0, \"A\"*4)\n\
         p0  load(m0, 0x5)\n\
         p0  maps(p0)\n\
         p0  munmap(m0, 0x40)\n\
         p0  munmap(m0, 0x40)\n",
    );
    assert_eq!(answers[2], Outcome::Ok(Value::Bytes(b"AAAA\0".to_vec())));
    let Outcome::Ok(Value::Mappings(mappings)) = &answers[3] else {
        panic!("{answers:?}");
    };
    assert_eq!(mappings.len(), 1);
    assert_eq!(
        answers[5],
        Outcome::Error(nommu_model::outcome::Errno::EINVAL)
    );
}

#[test]
fn tells_which_pages_were_written() {
    let mut target = EngineTarget::new();
    let answers = outcomes(
        &mut target,
        "#! nommu-trace v1 page=64 pages=8\np0  m0 = mmap(len=0x80, prot=rw, flags=private)\n",
    );
    let Outcome::Ok(Value::Address(start)) = answers[0] else {
        panic!("{answers:?}");
    };
    let Touched::Pages(pages) = target.touched() else {
        panic!("it knows");
    };
    assert_eq!(pages, [start, start + 64]);
    let Touched::Pages(pages) = target.touched() else {
        panic!("it knows");
    };
    assert!(pages.is_empty());
}

#[test]
fn is_the_same_after_each_reset() {
    let mut target = EngineTarget::new();
    let text = "#! nommu-trace v1 page=64 pages=8 uninitialized=yes\n\
         p0  m0 = mmap(len=0x100, prot=rw, flags=private|uninitialized)\n\
         p0  load(m0, 0x100)\n\
         p0  store(m0, \"A\"*256)\n";
    let first = outcomes(&mut target, text);
    assert_eq!(first[1], Outcome::Ok(Value::Bytes(vec![UNCLEARED; 256])));
    assert_eq!(outcomes(&mut target, text), first);
}
