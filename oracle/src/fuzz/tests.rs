//! That harnesses judge, that seeds come near, and that what crashes is kept.

use super::keep::{keep_divergence, keep_input, keep_panic};
use super::lockstep::judge_on;
use super::{Crash, Harness, Kept, keep_bytes, seeds};
use crate::findings::Filed;
use crate::lockstep::Lockstep;
use crate::lockstep::tests::faulty::{Fault, Faulty};
use crate::target::engine::panics;
use crate::trace::Trace;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::path::{Path, PathBuf};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Inputs of the longest length, and shorter ones.
fn random_inputs(harness: Harness, count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(move |number| {
        let mut random = ChaCha8Rng::seed_from_u64(number);
        let mut bytes = vec![0; harness.longest() / (1 + number as usize % 4)];
        random.fill_bytes(&mut bytes);
        bytes
    })
}

#[test]
fn names_are_read_as_they_are_written() {
    for harness in Harness::ALL {
        assert_eq!(harness.name().parse(), Ok(harness));
    }
    let error = "nothing".parse::<Harness>().expect_err("there is none");
    assert!(error.starts_with("found `nothing`, expected one of lockstep, "));
}

#[test]
fn random_inputs_are_fine() {
    for harness in Harness::ALL {
        for input in random_inputs(harness, 100) {
            if let Err(crash) = harness.try_judge(&input) {
                panic!("{harness}: {crash}");
            }
        }
    }
}

#[test]
fn seeds_are_fine_and_come_near() {
    for harness in Harness::ALL {
        let seeds = seeds(harness, &workspace()).expect("they can be made");
        assert!(seeds.len() > 5, "{harness}: {} seeds", seeds.len());
        let (mut operations, mut made, mut exact) = (0, 0, 0);
        for seed in &seeds {
            let origin = seed.origin.display();
            if let Err(crash) = harness.try_judge(&seed.bytes) {
                panic!("{harness}, {origin}: {crash}");
            }
            if let Some(near) = seed.near {
                operations += near.operations;
                made += near.made;
                exact += near.exact;
            }
        }
        // A short trace cannot hold all of a long one.
        let shares = match harness {
            Harness::Lockstep => Some((90, 60)),
            Harness::LockstepTiny => Some((85, 50)),
            Harness::Sweep => Some((60, 40)),
            Harness::Trace | Harness::Protocol | Harness::Specs | Harness::Scope => None,
        };
        let (least_made, least_exact) = shares.unwrap_or((0, 0));
        assert!(
            made * 100 >= operations * least_made && exact * 100 >= operations * least_exact,
            "{harness}: of {operations} operations {made} are made, {exact} exactly"
        );
    }
}

/// What a harness makes of a faulty engine is a minimised trace that still shows the fault.
#[track_caller]
fn check_kept(harness: Harness, fault: Fault, stem: &str, most: usize) {
    let folder = tempfile::tempdir().expect("there is room");
    let mut lockstep = Lockstep::new(Faulty::new(fault));
    let crash = random_inputs(harness, 20_000)
        .find_map(|input| judge_on(&mut lockstep, harness, &input).err())
        .expect("the fault is found");
    let Crash::Diverged(trace, divergence) = crash else {
        panic!("{crash}");
    };
    let kept = keep_divergence(&mut lockstep, harness, *trace, *divergence, folder.path());
    let Kept::Trace(Filed::New(path), count) = kept.expect("it can be kept") else {
        panic!("it is no new trace");
    };
    assert_eq!(path, folder.path().join(format!("{stem}.trace")));
    assert!(count <= most, "{count} operations");
    let text = std::fs::read(&path).expect("it is there");
    let trace = Trace::parse("kept", &text).expect("it is a trace");
    assert_eq!(trace.lines.len(), count);
    let config = trace.header.config(Vec::new());
    lockstep
        .run(&config, trace.operations())
        .expect_err("it shows the fault");
}

#[test]
fn a_fault_becomes_a_minimised_trace() {
    check_kept(Harness::Lockstep, Fault::Uncleared, "anonymous-cleared", 1);
    check_kept(
        Harness::LockstepTiny,
        Fault::WrongError,
        "mmap-zero-length",
        1,
    );
}

#[test]
fn a_panic_becomes_a_short_trace() {
    let folder = tempfile::tempdir().expect("there is room");
    let text = b"p0  maps()\np0  m0 = mmap(len=0x1000, prot=rw, flags=private)\n\
        p0  maps()\np0  munmap(m0, 0x1000)\np0  maps()\n";
    let trace = Trace::parse("test", text).expect("it is a trace");
    let target = || Faulty::new(Fault::Panic);
    let words = panics::watch(|| {
        let mut lockstep = Lockstep::new(target());
        lockstep.run(&trace.header.config(Vec::new()), trace.operations())
    });
    let words = words.expect_err("it panics");
    let kept = keep_panic(target, Harness::Lockstep, &trace, &words, folder.path());
    let kept = kept.expect("it can be kept");
    let Kept::Trace(Filed::New(path), 2) = &kept else {
        panic!("{kept}");
    };
    let text = std::fs::read_to_string(path).expect("it is there");
    assert!(text.contains("on purpose"), "{text}");
    let again = Trace::parse("kept", text.as_bytes()).expect("it is a trace");
    assert_eq!(again.lines.len(), 2);
}

#[test]
fn a_crash_of_a_reader_becomes_a_short_input() {
    let folder = tempfile::tempdir().expect("there is room");
    let judge = |input: &[u8]| match input.windows(2).any(|pair| pair == b"ab") {
        true => Err(Crash::Broke(format!("it has ab: {}", input.len()), None)),
        false => Ok(()),
    };
    let input = b"many bytes and ab and more";
    let kept = keep_input(judge, Harness::Scope, input, "it has ab: 26", folder.path());
    let kept = kept.expect("it can be kept");
    let Kept::Input(Filed::New(path), 2) = &kept else {
        panic!("{kept}");
    };
    assert_eq!(std::fs::read(path).expect("it is there"), b"ab");
}

#[test]
fn an_input_is_kept_once() {
    let folder = tempfile::tempdir().expect("there is room");
    let first = keep_bytes(Harness::Trace, b"#!\xff", folder.path()).expect("it can be kept");
    let again = keep_bytes(Harness::Trace, b"#!\xff", folder.path()).expect("it can be kept");
    assert_eq!(again, Filed::Known(first.path().to_owned()));
    let kept = std::fs::read(first.path()).expect("it is there");
    assert_eq!(kept, b"#!\xff");
    let inputs = folder.path().join("inputs/trace");
    assert_eq!(first.path().parent(), Some(&*inputs));
}
