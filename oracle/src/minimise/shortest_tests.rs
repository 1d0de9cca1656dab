//! Faults whose shortest trace is known.

use super::neighbours::Lengths;
use super::shortest::limit;
use super::{Proof, shortest};
use crate::campaign::{self, Plan};
use crate::lockstep::Lockstep;
use crate::target::engine::{EngineTarget, Fault, TrackedMemory};
use crate::trace::Trace;
use nommu_engine::{Engine, Memory};
use nommu_model::op::{Address, Call, Operation};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

fn target(fault: Fault) -> EngineTarget {
    let mut target = EngineTarget::new();
    target.fault = Some(fault);
    target
}

/// What campaigns from several seeds find of a fault, made as short as can be.
#[track_caller]
fn found(fault: Fault) -> Vec<(Vec<String>, Proof, String)> {
    let mut found = Vec::new();
    for seed in 0..6 {
        let plan = Plan {
            seed,
            operations: Some(400_000),
            ..Plan::default()
        };
        let report = campaign::run(&plan, move || target(fault), |_| ControlFlow::Continue(()));
        let report = report.expect("the engine can be run");
        let Some(first) = report.found else {
            continue;
        };
        let mut lockstep = Lockstep::new(target(fault));
        let made = shortest(&mut lockstep, &first.trace, &[], first.failure);
        let (minimised, proof) = made
            .expect("the engine can be run")
            .expect("it diverges again");
        let rules = minimised.divergence.signature();
        found.push((rules, proof, minimised.trace.to_string()));
    }
    assert!(found.len() > 2, "too few of the campaigns find it");
    found
}

/// All of the campaigns that find the same rules broken must come to one text, of which is
/// proved that there is nothing shorter.
#[track_caller]
fn assert_one_text(fault: Fault, expected: &[(&[&str], &str)]) {
    let mut texts: BTreeMap<Vec<String>, BTreeSet<String>> = BTreeMap::new();
    for (rules, proof, text) in found(fault) {
        assert_eq!(proof, Proof::Shortest, "{text}");
        let operations = text.lines().skip(1).collect::<Vec<_>>().join("\n");
        texts.entry(rules).or_default().insert(operations);
    }
    let expected: BTreeMap<Vec<String>, BTreeSet<String>> = expected
        .iter()
        .map(|(rules, text)| {
            let rules = rules.iter().map(|&rule| rule.to_owned()).collect();
            (rules, BTreeSet::from([(*text).to_owned()]))
        })
        .collect();
    assert_eq!(texts, expected);
}

fn mapped(engine: &Engine<TrackedMemory>) -> usize {
    engine.regions().count()
}

#[test]
fn what_is_not_trimmed_beside_another_mapping() {
    assert_one_text(
        |engine, operation| {
            if let Operation::Call(_, Call::Mmap(_)) = operation
                && mapped(engine) > 0
            {
                engine.set_trim(0).expect("it is small");
            }
        },
        &[
            (
                &[
                    "pages-conserved",
                    "rounds-to-power-of-two",
                    "trim-watermark",
                ],
                "p0  m0 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  m1 = mmap(len=0x5000, prot=r, flags=private)",
            ),
            (
                &[
                    "pages-conserved",
                    "trim-default-aggressive",
                    "trim-watermark",
                ],
                "p0  m0 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  m1 = mmap(len=0x3000, prot=r, flags=private)",
            ),
        ],
    );
}

#[test]
fn a_stray_write_when_something_is_unmapped() {
    assert_one_text(
        |engine, operation| {
            if let Operation::Call(_, Call::Munmap { length, .. }) = operation
                && *length > 0
                && mapped(engine) > 1
            {
                let first = engine.regions().next().map(|region| region.start);
                if let Some(start) = first {
                    engine.memory_mut().fill(start, 1, 0x66);
                }
            }
        },
        &[
            (
                &["errors-change-nothing", "others-untouched"],
                "p0  m0 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  m1 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  munmap(m0, 0x2000)",
            ),
            (
                &["others-untouched"],
                "p0  m0 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  m1 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  munmap(m1, 0x1000)",
            ),
        ],
    );
}

#[test]
fn a_file_that_is_closed_too_early() {
    assert_one_text(
        |engine, operation| {
            if let Operation::Call(_, Call::Close(_)) = operation
                && mapped(engine) > 0
            {
                let first = engine.regions().next().map(|region| region.start);
                if let Some(start) = first {
                    engine.memory_mut().fill(start, 1, 0x66);
                }
            }
        },
        &[(
            &["others-untouched"],
            "p0  f0 = open(\"/rom/a\", r)\n\
             p0  m0 = mmap(len=0x1000, prot=r, flags=private)\n\
             p0  close(f0)",
        )],
    );
}

#[test]
fn a_process_that_exits_beside_another() {
    assert_one_text(
        |engine, operation| {
            if let Operation::Call(_, Call::Exit) = operation
                && engine.processes().count() > 1
                && mapped(engine) > 0
            {
                engine.set_trim(engine.trim() + 1).expect("it is small");
                let first = engine.regions().next().map(|region| region.start);
                if let Some(start) = first {
                    engine.memory_mut().fill(start, 1, 0x66);
                }
            }
        },
        &[(
            &["others-untouched"],
            "p0  m0 = mmap(len=0x1000, prot=r, flags=private)\n\
             p1  exit()",
        )],
    );
}

#[test]
fn a_tail_that_is_cut_after_the_head() {
    // The length of the mapping and the place of its tail only shrink together.
    let fault: Fault = |engine, operation| {
        let page = engine.config().page_size;
        let is_tail = matches!(
            operation,
            Operation::Call(_, Call::Munmap { address: Address::Of(_, offset), length })
                if *offset as u64 >= 2 * page && *length == page
        );
        let mut starts = engine.regions().map(|region| region.start);
        let odd = starts.find(|start| start / page % 2 == 1);
        drop(starts);
        if let Some(start) = odd
            && is_tail
        {
            engine.memory_mut().fill(start, 1, 0x66);
        }
    };
    let text = b"p0  m0 = mmap(len=0x5000, prot=r, flags=private)\n\
        p0  munmap(m0, 0x1000)\n\
        p0  munmap(m0+0x4000, 0x1000)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let mut lockstep = Lockstep::new(target(fault));
    let made = shortest(&mut lockstep, &trace, &[], 0).expect("it can be run");
    let (minimised, proof) = made.expect("it diverges");
    assert_eq!(proof, Proof::Shortest);
    insta::assert_snapshot!(minimised.trace, @r"
    #! nommu-trace v1 page=4096 pages=64 trim=1 uninitialized=no profile=documented
    p0  m0 = mmap(len=0x3000, prot=r, flags=private)
    p0  munmap(m0, 0x1000)
    p0  munmap(m0+0x2000, 0x1000)
    ");
    // What is told in the end says where the worlds differ.
    assert_ne!(minimised.divergence.difference, "");
}

#[test]
fn nothing_is_shorter_than_no_operation() {
    assert_eq!(limit(None, Lengths::Own, 0), Some(0));
    assert_eq!(limit(None, Lengths::All, 0), None);
    assert_eq!(limit(None, Lengths::All, 3), Some(2));
    let empty = Trace::new(Default::default(), Vec::new());
    assert_eq!(limit(Some(&empty), Lengths::Own, 3), None);
}

#[test]
fn a_trace_that_agrees_is_left_alone() {
    let text = b"p0  m0 = mmap(len=0x1000, prot=rw, flags=private)\n";
    let trace = Trace::parse("test", text).expect("a sound trace");
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let made = shortest(&mut lockstep, &trace, &[], 0).expect("it can be run");
    assert!(made.is_none());
}
