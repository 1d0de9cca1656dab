//! The search against a naive one, and against counts worked out by hand.

use super::checkpoint;
use super::toy::{Call, Pages};
use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A system that is written down step by step.
#[derive(Clone, Debug)]
struct Graph {
    /// By state, where each of its actions leads.
    steps: Vec<Vec<Leads>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leads {
    To(usize),
    ToNoting(usize, usize),
    Wrong(u8),
}

const NOTES: usize = 3;

impl System for Graph {
    type State = usize;
    type Packed = Box<[u8]>;
    type Action = (usize, usize);
    type Violation = u8;

    fn name(&self) -> String {
        "a graph".to_owned()
    }

    fn identity(&self) -> String {
        format!("{:?}", self.steps)
    }

    fn notes(&self) -> usize {
        NOTES
    }

    fn initial(&self) -> usize {
        0
    }

    fn actions(&self, state: &usize, actions: &mut Vec<(usize, usize)>) {
        actions.extend((0..self.steps[*state].len()).map(|number| (*state, number)));
    }

    fn advance(
        &self,
        from: &usize,
        &(state, number): &(usize, usize),
        into: &mut usize,
        notes: &mut dyn Notes,
    ) -> Result<Moved, u8> {
        assert_eq!(*from, state, "an action of this state");
        assert_eq!(*into, state, "a copy of the state");
        *into = match self.steps[state][number] {
            Leads::To(target) => target,
            Leads::ToNoting(target, note) => {
                notes.note(note);
                target
            }
            Leads::Wrong(violation) => {
                *into = usize::MAX;
                return Err(violation);
            }
        };
        match *into == state {
            true => Ok(Moved::Nowhere),
            false => Ok(Moved::Somewhere),
        }
    }

    fn canonical(&self, state: &usize, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&state.to_le_bytes());
    }

    fn pack(&self, state: &usize) -> Box<[u8]> {
        state.to_le_bytes().into()
    }

    fn unpack(&self, packed: &Box<[u8]>, into: &mut usize) {
        *into = usize::from_le_bytes((**packed).try_into().expect("as packed"));
    }

    fn heap_bytes(&self, packed: &Box<[u8]>) -> usize {
        packed.len()
    }
}

/// What a search of a graph must find, by the simplest means: a queue of paths.
#[derive(Debug, Default)]
struct Expected {
    levels: Vec<u64>,
    transitions: u64,
    violations: Vec<(u8, Vec<(usize, usize)>)>,
    notes: [u64; NOTES],
    witnesses: [Option<Vec<(usize, usize)>>; NOTES],
}

fn naive(graph: &Graph) -> Expected {
    let mut expected = Expected {
        levels: vec![1],
        transitions: 1,
        ..Expected::default()
    };
    let mut seen = BTreeSet::from([0]);
    let mut wrong = BTreeSet::new();
    let mut queue = VecDeque::from([(0, Vec::new())]);
    while let Some((state, path)) = queue.pop_front() {
        for (number, &leads) in graph.steps[state].iter().enumerate() {
            let mut path = path.clone();
            path.push((state, number));
            expected.transitions += 1;
            let target = match leads {
                Leads::To(target) => target,
                Leads::ToNoting(target, note) => {
                    expected.notes[note] += 1;
                    expected.witnesses[note].get_or_insert(path.clone());
                    target
                }
                Leads::Wrong(violation) => {
                    if wrong.insert(violation) {
                        expected.violations.push((violation, path));
                    }
                    continue;
                }
            };
            if seen.insert(target) {
                expected.levels.resize(path.len() + 1, 0);
                expected.levels[path.len()] += 1;
                queue.push_back((target, path));
            }
        }
    }
    expected
}

fn graphs() -> impl Strategy<Value = Graph> {
    (1..60usize).prop_flat_map(|states| {
        let leads = prop_oneof![
            20 => (0..states).prop_map(Leads::To),
            3 => (0..states, 0..NOTES).prop_map(|(target, note)| Leads::ToNoting(target, note)),
            1 => (0..3u8).prop_map(Leads::Wrong),
        ];
        let actions = proptest::collection::vec(leads, 0..6);
        proptest::collection::vec(actions, states).prop_map(|steps| Graph { steps })
    })
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("at least one thread")
}

/// A search that looks at each violation and whose chunks are small.
fn search<'a>(count: usize, chunk: u64) -> Search<'a> {
    Search {
        past_violations: true,
        chunk,
        ..Search::new(threads(count))
    }
}

#[track_caller]
fn assert_complete(graph: &Graph, report: &Report<u8>) {
    let expected = naive(graph);
    assert_eq!(report.ending, Ending::Exhausted);
    let Statistics {
        states,
        transitions,
        levels,
        complete_depth,
        notes,
        memory_bytes: _,
    } = &report.statistics;
    assert_eq!(*states, expected.levels.iter().sum::<u64>());
    assert_eq!(*transitions, expected.transitions);
    assert_eq!(*levels, expected.levels);
    assert_eq!(*complete_depth as usize, expected.levels.len() - 1);
    assert_eq!(*notes, expected.notes);
    let path = |origin| report.path(graph, origin);
    let violations: Vec<_> = report.violations.iter().collect();
    let violations = violations
        .iter()
        .map(|found| (found.what, path(found.origin)));
    assert_eq!(violations.collect::<Vec<_>>(), expected.violations);
    let witnesses = report.witnesses.iter().map(|witness| witness.map(path));
    assert_eq!(witnesses.collect::<Vec<_>>(), expected.witnesses);
}

/// Properties are tried with the same cases each time.
pub(super) fn seeded() -> proptest::test_runner::Config {
    proptest::test_runner::Config {
        rng_seed: proptest::test_runner::RngSeed::Fixed(0),
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(seeded())]

    #[test]
    fn finds_what_a_naive_search_finds(graph in graphs(), count in 1..4usize, chunk in 1..200u64) {
        let report = search(count, chunk).run(&graph).expect("no checkpoint");
        assert_complete(&graph, &report);
    }

    #[test]
    fn threads_change_nothing(graph in graphs(), chunk in 1..200u64, past_violations: bool) {
        let run = |count| {
            let search = Search { past_violations, ..search(count, chunk) };
            search.run(&graph).expect("no checkpoint")
        };
        let one = run(1);
        prop_assert_eq!(&one, &run(2));
        prop_assert_eq!(&one, &run(3));
    }

    #[test]
    fn the_first_violation_is_the_least(graph in graphs(), count in 1..4usize, chunk in 1..200u64) {
        let search = Search { past_violations: false, ..search(count, chunk) };
        let report = search.run(&graph).expect("no checkpoint");
        let expected = naive(&graph).violations.into_iter().next();
        prop_assert_eq!(
            report.ending,
            if expected.is_some() { Ending::Violation } else { Ending::Exhausted }
        );
        let found = report.violations.first();
        let found = found.map(|found| (found.what, report.path(&graph, found.origin)));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn an_interrupted_search_goes_on_as_if_it_had_not_been(
        graph in graphs(),
        count in 1..3usize,
        chunk in 1..50u64,
        chunks in 1..40usize,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("checkpoint");
        let interrupt = AtomicBool::new(false);
        let mut left = chunks;
        let mut stop = |_: &Progress| {
            left -= 1;
            interrupt.store(left == 0, Ordering::Relaxed);
        };
        let first = Search {
            interrupt: Some(&interrupt),
            progress: Some(&mut stop),
            checkpoints: Some(Checkpoints { path: path.clone(), every: Duration::MAX }),
            ..search(count, chunk)
        };
        let first = first.run(&graph).expect("the checkpoint is written");
        let whole = search(1, chunk).run(&graph).expect("no checkpoint");
        if first.ending == Ending::Exhausted {
            prop_assert_eq!(first, whole);
        } else {
            prop_assert_eq!(first.ending, Ending::Interrupted);
            assert_truthful(&first, &whole);
            let second = search(count, chunk).resume(&graph, &path);
            prop_assert_eq!(second.expect("the checkpoint is read"), whole);
        }
    }

    #[test]
    fn a_limited_search_says_what_it_proved(
        graph in graphs(),
        chunk in 1..50u64,
        more_bytes in 0..2_000u64,
        depth_limit in 0..20u32,
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("checkpoint");
        let whole = search(1, chunk).run(&graph).expect("no checkpoint");
        let limited = Search {
            memory_limit_bytes: Some(EMPTY_TABLES_BYTES + more_bytes),
            depth_limit: Some(depth_limit),
            checkpoints: Some(Checkpoints { path: path.clone(), every: Duration::MAX }),
            ..search(2, chunk)
        };
        let limited = limited.run(&graph).expect("the checkpoint is written");
        match limited.ending {
            Ending::Exhausted => prop_assert_eq!(limited, whole),
            Ending::DepthLimit => {
                prop_assert_eq!(limited.statistics.complete_depth, depth_limit);
                prop_assert_eq!(limited.statistics.levels.len(), depth_limit as usize + 1);
            }
            Ending::MemoryLimit => {
                prop_assert!(limited.statistics.memory_bytes <= EMPTY_TABLES_BYTES + more_bytes);
                assert_truthful(&limited, &whole);
                let resumed = search(2, chunk).resume(&graph, &path);
                prop_assert_eq!(resumed.expect("the checkpoint is read"), whole);
            }
            Ending::Violation | Ending::TransitionLimit | Ending::Interrupted => panic!("nothing asked for that"),
        }
    }
}

/// What the tables of a small search take.
const EMPTY_TABLES_BYTES: u64 = 256 * (64 + 128) * 8;

/// What an unfinished search claims to have proved is so.
fn assert_truthful(part: &Report<u8>, whole: &Report<u8>) {
    let depth = part.statistics.complete_depth;
    let complete = ..=depth as usize;
    assert_eq!(
        part.statistics.levels[complete],
        whole.statistics.levels[complete]
    );
    let within = |report: &Report<u8>| -> BTreeMap<u8, Origin> {
        let found = report.violations.iter();
        let found = found.filter(|found| found.origin.level < depth);
        found.map(|found| (found.what, found.origin)).collect()
    };
    assert_eq!(within(part), within(whole));
}

#[track_caller]
fn assert_toy(pages: u32, states: u64, transitions: u64) {
    let one = Search::new(threads(1))
        .run(&Pages { count: pages })
        .expect("no checkpoint");
    assert_eq!(one.ending, Ending::Exhausted);
    assert_eq!(one.statistics.states, states);
    assert_eq!(one.statistics.transitions, transitions);
    // All pages in runs of one.
    assert_eq!(one.statistics.levels.len(), pages as usize + 1);
    assert_eq!(one.statistics.complete_depth, pages);
    let two = Search::new(threads(2))
        .run(&Pages { count: pages })
        .expect("no checkpoint");
    assert_eq!(format!("{one:?}"), format!("{two:?}"));
}

#[test]
fn pages_have_as_many_states_as_they_can_have() {
    // Four pages have 28 states with 54 runs in all. Each run can be unmapped, each unmap is
    // undone by a map, and the initial state counts as one transition.
    assert_toy(4, 28, 2 * 54 + 1);
    assert_toy(8, 28 * 28, 2 * 2 * 54 * 28 + 1);
    assert_toy(12, 21_952, 254_017);
    assert_toy(16, 614_656, 9_483_265);
}

#[test]
fn what_four_pages_can_do_is_what_the_text_says() {
    let pages = Pages { count: 4 };
    let mut calls = Vec::new();
    pages.actions(&pages.initial(), &mut calls);
    let map = |start, length| Call::Map { start, length };
    assert_eq!(
        calls,
        [
            map(0, 1),
            map(1, 1),
            map(2, 1),
            map(3, 1),
            map(0, 2),
            map(2, 2),
            map(0, 3),
            map(0, 4)
        ]
    );
    let full = pages.initial().after(map(0, 3)).after(map(3, 1));
    calls.clear();
    pages.actions(&full, &mut calls);
    assert_eq!(calls, [Call::Unmap { start: 0 }, Call::Unmap { start: 3 }]);
    assert_eq!(full.after(calls[0]), pages.initial().after(map(3, 1)));
}

/// A checkpoint of four pages, after one level.
fn checkpoint_of_four_pages() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint");
    let search = Search {
        depth_limit: Some(1),
        checkpoints: Some(Checkpoints {
            path: path.clone(),
            every: Duration::MAX,
        }),
        ..Search::new(threads(1))
    };
    search
        .run(&Pages { count: 4 })
        .expect("the checkpoint is written");
    std::fs::read(path).expect("the checkpoint is there")
}

#[track_caller]
fn assert_refused(bytes: &[u8], pages: u32, expected: &str) {
    let result = checkpoint::parse(Path::new("a"), &Pages { count: pages }, bytes);
    assert_eq!(result.expect_err("not usable").to_string(), expected);
}

#[test]
fn a_checkpoint_that_cannot_be_used_is_refused_by_name() {
    let whole = checkpoint_of_four_pages();
    assert_refused(
        b"#! nommu-trace v1",
        4,
        "checkpoint a: this is no checkpoint: \
         expected it to begin with \"nommu-oracle checkpoint \"",
    );
    let mut newer = whole.clone();
    let version = newer
        .iter()
        .position(|&byte| byte == b'2')
        .expect("a version");
    newer[version] = b'7';
    assert_refused(
        &newer,
        4,
        "checkpoint a: version 7 was found, expected version 2",
    );
    assert_refused(
        &whole,
        8,
        "checkpoint a: it was made of 4 pages (c0c7a049b19231c7deab011af2a4e82b), \
         expected 8 pages (0f38c4518d0482e16b355646fee07f1d)",
    );
}

#[test]
fn a_torn_checkpoint_is_found_out_wherever_it_is_torn() {
    let whole = checkpoint_of_four_pages();
    assert_refused(
        &whole[..25],
        4,
        "checkpoint a: torn: its first line does not end with a version",
    );
    assert_refused(
        &whole[..30],
        4,
        "checkpoint a: torn: it ends before its payload",
    );
    let pages = Pages { count: 4 };
    for end in 0..whole.len() {
        checkpoint::parse(Path::new("a"), &pages, &whole[..end]).expect_err("it is torn");
    }
    for place in 0..whole.len() {
        let mut other = whole.clone();
        other[place] ^= 0x10;
        checkpoint::parse(Path::new("a"), &pages, &other).expect_err("it is damaged");
    }
    let mut other = whole.clone();
    *other.last_mut().expect("not empty") ^= 1;
    assert_refused(
        &other,
        4,
        "checkpoint a: torn: its payload does not have the hash at its end",
    );
}

#[test]
fn a_checkpoint_of_a_system_that_changed_is_refused() {
    /// Pages that forget to say that they are other pages.
    struct Changed;
    impl System for Changed {
        type State = u8;
        type Packed = u8;
        type Action = u8;
        type Violation = u8;
        fn name(&self) -> String {
            "4 pages".to_owned()
        }
        fn identity(&self) -> String {
            Pages { count: 4 }.identity()
        }
        fn notes(&self) -> usize {
            0
        }
        fn initial(&self) -> u8 {
            0
        }
        fn actions(&self, _state: &u8, actions: &mut Vec<u8>) {
            actions.extend(0..8);
        }
        fn advance(
            &self,
            _from: &u8,
            action: &u8,
            state: &mut u8,
            _notes: &mut dyn Notes,
        ) -> Result<Moved, u8> {
            *state = *action + 1;
            Ok(Moved::Somewhere)
        }
        fn canonical(&self, state: &u8, bytes: &mut Vec<u8>) {
            bytes.push(*state);
        }
        fn pack(&self, state: &u8) -> u8 {
            *state
        }
        fn unpack(&self, packed: &u8, into: &mut u8) {
            *into = *packed;
        }
        fn heap_bytes(&self, _packed: &u8) -> usize {
            0
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("checkpoint");
    std::fs::write(&path, checkpoint_of_four_pages()).expect("it is written");
    let error = Search::new(threads(1)).resume(&Changed, &path);
    let error = error.expect_err("not usable").to_string();
    assert_eq!(
        error.replace(&path.display().to_string(), "a"),
        "checkpoint a: 4 pages no longer takes the steps that it was made of: \
         search again from the start"
    );
}
