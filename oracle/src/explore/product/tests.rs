//! Model and engine within scopes small enough to be known.

use super::*;
use crate::explore::check::{Checked, check, given_up};
use crate::explore::shipped::QUICK;
use crate::explore::{Search, Trail, scope};
use crate::target::pulse;
use crate::trace::Trace;
use nommu_model::op::Call;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[track_caller]
fn read(text: &str) -> Scope {
    scope::read("tiny.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn shipped(name: &str) -> Scope {
    let path = format!("{}/../specs/scopes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    scope::read(&format!("{name}.toml"), &text).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn explored(product: &Product, threads: usize, depth: Option<u32>, witnesses: bool) -> Checked {
    let mut search = Search::new(NonZeroUsize::new(threads).expect("some"));
    search.depth_limit = depth;
    search.past_violations = true;
    check(product, search, None, witnesses).expect("no checkpoint")
}

#[track_caller]
fn product(scope: Scope) -> Product {
    let config = scope.header.config(Vec::new());
    Product::new(scope, &config).unwrap_or_else(|stop| panic!("{stop}"))
}

const ONE_PAGE: &str = r#"
about = "One page."
munmap = ["whole"]
[system]
pages = 1
[most]
mappings = 1
[[mmap]]
pages = [1]
protection = ["rw"]
flags = ["private"]
"#;

#[test]
fn one_page_has_three_states() {
    // Free and never cleared; mapped; free and cleared. From each, one operation: map, unmap,
    // map again, which is the second.
    let checked = explored(&product(read(ONE_PAGE)), 1, None, false);
    assert!(checked.exhausted);
    assert_eq!((checked.states, checked.transitions), (3, 1 + 3));
    assert_eq!(checked.levels, [1, 1, 1]);
}

#[test]
fn a_byte_that_may_be_stored_doubles_what_a_page_can_be() {
    // Free pages are uncleared, cleared or hold the byte; mapped ones are cleared or hold it.
    // Storing is possible when mapped, and unmapping; mapping clears.
    let text = format!("{ONE_PAGE}[access]\nat = [\"first\"]\nstore = [\"A\"]\n");
    let checked = explored(&product(read(&text)), 1, None, false);
    assert_eq!((checked.states, checked.transitions), (3 + 2, 1 + 3 + 4));
}

#[test]
fn two_pages_have_seven_states() {
    // Page by page `.` for never used, `0` for free and cleared, `M` for mapped, and what was freed
    // last, which is served first: `..`, `M.` and `MM`; `0.` after one page, `00` after two; from
    // there `M0`, and `00` after one page. From a free state two operations, else one.
    let text = ONE_PAGE.replace("pages = 1\n", "pages = 2\n");
    let text = text.replace("pages = [1]", "pages = [1, 2]");
    let checked = explored(&product(read(&text)), 1, None, false);
    assert_eq!((checked.states, checked.transitions), (7, 1 + 4 * 2 + 3));
    assert_eq!(checked.levels, [1, 2, 2, 1, 1]);
}

const ONE_FILE: &str = r#"
about = "One file."
[system]
pages = 1
[most]
mappings = 1
descriptors = 1
[[open]]
paths = ["/disk/a"]
flags = ["r"]
[files]
close = true
"#;

#[test]
fn a_file_that_is_opened_has_two_states_and_with_two_descriptors_three() {
    // From closed to open and back. With two descriptors either can be closed, which is the same.
    let checked = explored(&product(read(ONE_FILE)), 1, None, false);
    assert_eq!((checked.states, checked.transitions), (2, 1 + 2));
    let text = ONE_FILE.replace("descriptors = 1", "descriptors = 2");
    let checked = explored(&product(read(&text)), 1, None, false);
    assert_eq!((checked.states, checked.transitions), (3, 1 + 1 + 2 + 1));
}

#[test]
fn a_file_that_is_mapped_has_six_states() {
    // The page was never used, is a copy of the file, or was one; the file is open or not, and
    // keeps its mapping when it is closed. Only what is open can be mapped.
    let mmap = "[[mmap]]\npaths = [\"/disk/a\"]\npages = [1]\nprotection = [\"r\"]\n\
                flags = [\"private\"]\n";
    let text = format!("munmap = [\"whole\"]\n{ONE_FILE}{mmap}");
    let checked = explored(&product(read(&text)), 1, None, false);
    assert_eq!((checked.states, checked.transitions), (6, 1 + 3 + 4 + 3));
}

#[test]
fn two_processes_with_one_page_have_the_states_of_one() {
    // Either can have the page: that is one state. The other is refused then.
    let text = ONE_PAGE.replace("pages = 1\n", "pages = 1\nprocesses = 2\n");
    let checked = explored(&product(read(&text)), 1, None, false);
    assert_eq!((checked.states, checked.transitions), (3, 1 + 3 * 2));
}

#[test]
fn a_step_that_leads_nowhere_leaves_what_was_there() {
    for name in names() {
        let product = product(shipped(name));
        let (mut from, mut into) = (product.initial(), product.initial());
        let (mut nowhere, mut somewhere) = (0, 0);
        for seed in 0..400usize {
            let mut actions = Vec::new();
            product.actions(&from, &mut actions);
            let operation = &actions[seed.wrapping_mul(7919) % actions.len()];
            product.copy(&from, &mut into);
            let moved = product
                .advance(&from, operation, &mut into, &mut Unnoted)
                .unwrap_or_else(|broken| panic!("{name} {operation:?}: {broken:?}"));
            let [before, after] = [&from, &into].map(|state| {
                let mut bytes = Vec::new();
                product.canonical(state, &mut bytes);
                let mut actions = Vec::new();
                product.actions(state, &mut actions);
                (bytes, actions)
            });
            if moved == Moved::Nowhere {
                assert_eq!(before, after, "{name} {operation:?}");
                nowhere += 1;
            } else {
                somewhere += 1;
            }
            std::mem::swap(&mut from, &mut into);
        }
        assert!(nowhere > 0 && somewhere > 0, "{name} {nowhere} {somewhere}");
    }
}

#[test]
fn what_is_hidden_is_looked_at_when_a_step_seems_to_lead_nowhere() {
    // A refused unmapping turns the watermark, which only the engine's state shows at once.
    let mut faulty = product(shipped("anonymous"));
    faulty.fault = Some(|lockstep, operation| {
        let refused = matches!(
            operation,
            Operation::Call(_, Call::Munmap { length: 0, .. })
        );
        if refused && let Some(engine) = lockstep.target_mut().engine_mut() {
            engine.set_trim(2).expect("it is small");
        }
    });
    let mut search = Search::new(NonZeroUsize::MIN);
    search.depth_limit = Some(4);
    let checked = check(&faulty, search, None, false).expect("no checkpoint");
    // Mapping, the refusal, and a mapping with an excess of one page.
    assert_eq!(checked.violations[0].operations, 3);
}

/// The scopes that are shipped.
fn names() -> impl Iterator<Item = &'static str> {
    QUICK.iter().map(|(name, _)| *name)
}

#[test]
fn threads_change_no_byte() {
    for name in names() {
        let product = product(shipped(name));
        let [one, two] = [1, 2].map(|threads| explored(&product, threads, Some(4), true));
        assert_eq!(
            serde_json::to_string(&one).expect("plain data"),
            serde_json::to_string(&two).expect("plain data")
        );
        assert_eq!(one.to_string(), two.to_string());
    }
}

#[test]
fn what_is_left_out_changes_no_finding() {
    for name in names() {
        let with = explored(&product(shipped(name)), 2, Some(4), false);
        let scope = Scope {
            reduces: false,
            ..shipped(name)
        };
        let without = explored(&product(scope), 2, Some(4), false);
        assert!(with.states <= without.states, "{name}");
        let reached = |checked: &Checked| {
            let applied = checked.rules.iter().filter(|rule| rule.applied > 0);
            let rules: Vec<&str> = applied.map(|rule| rule.id).collect();
            let violations = checked.violations.iter();
            let mut broken: Vec<(Vec<String>, usize)> = violations
                .map(|violation| (violation.rules.clone(), violation.operations))
                .collect();
            broken.sort();
            let answers: Vec<(&str, Vec<String>)> = checked
                .outcomes
                .iter()
                .map(|(operation, answers)| (*operation, answers.keys().cloned().collect()))
                .collect();
            (rules, broken, answers)
        };
        assert_eq!(reached(&with), reached(&without), "{name}");
    }
}

#[test]
fn reduction_makes_processes_and_segments_fewer() {
    for name in ["sharing", "processes", "segments"] {
        let with = explored(&product(shipped(name)), 2, Some(4), false);
        let scope = Scope {
            reduces: false,
            ..shipped(name)
        };
        let without = explored(&product(scope), 2, Some(4), false);
        assert!(with.states < without.states, "{name}: {}", with.states);
    }
}

#[test]
fn every_witness_is_a_trace_that_runs() {
    for name in names() {
        let checked = explored(&product(shipped(name)), 2, Some(4), true);
        for rule in &checked.rules {
            let Some(witness) = &rule.witness else {
                continue;
            };
            let trace = Trace::parse(rule.id, witness.as_bytes()).expect("a trace");
            assert_eq!(trace.to_string(), *witness);
            let mut lockstep = Lockstep::new(EngineTarget::new());
            let config = trace.header.config(Vec::new());
            let performed = lockstep.run(&config, trace.operations());
            let performed = performed.unwrap_or_else(|stop| panic!("{name} {}: {stop}", rule.id));
            assert_eq!(
                performed,
                trace.operations().len() as u64,
                "{name} {}",
                rule.id
            );
        }
    }
}

fn is_mmap_of(operation: &Operation, pages: u64) -> bool {
    matches!(operation, Operation::Call(_, Call::Mmap(mmap)) if mmap.length == 16 * pages)
}

#[track_caller]
fn shortest(fault: fn(&mut Lockstep<EngineTarget>, &Operation)) -> (Vec<String>, String) {
    let mut faulty = product(shipped("anonymous"));
    faulty.fault = Some(fault);
    let mut search = Search::new(NonZeroUsize::new(2).expect("some"));
    search.depth_limit = Some(5);
    let checked = check(&faulty, search, None, false).expect("no checkpoint");
    assert_eq!(checked.violations.len(), 1);
    let violation = &checked.violations[0];
    (violation.rules.clone(), violation.trace.clone())
}

#[test]
fn a_fault_of_the_engine_gives_the_shortest_trace() {
    // Beside another mapping, what is not asked for is not given back.
    let (rules, trace) = shortest(|lockstep, operation| {
        let busy = !lockstep.world().regions.is_empty();
        if busy
            && is_mmap_of(operation, 3)
            && let Some(engine) = lockstep.target_mut().engine_mut()
        {
            engine.set_trim(0).expect("it is small");
        }
    });
    assert!(!rules.is_empty());
    assert_eq!(
        trace,
        "#! nommu-trace v1 page=16 pages=8 trim=1 uninitialized=no profile=documented\n\
         p0  m0 = mmap(len=0x10, prot=rw, flags=private)\n\
         p0  m1 = mmap(len=0x30, prot=rw, flags=private)\n"
    );
}

#[test]
fn a_step_that_never_ends_is_told_with_the_shortest_trace() {
    static ENOUGH: AtomicBool = AtomicBool::new(false);
    let limit = Duration::from_secs(2);
    let told = [1, 2].map(|threads| {
        let mut faulty = product(shipped("anonymous"));
        faulty.fault = Some(|lockstep, operation| {
            let busy = !lockstep.world().regions.is_empty();
            if busy && is_mmap_of(operation, 3) {
                pulse::during(|| {
                    while !ENOUGH.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                });
            }
        });
        let (faulty, trail) = (Arc::new(faulty), Arc::new(Trail::default()));
        let (own, left) = (Arc::clone(&faulty), Arc::clone(&trail));
        let ended = pulse::attend(limit, move || {
            let mut search = Search::new(NonZeroUsize::new(threads).expect("some"));
            search.trail = Some(&left);
            check(&own, search, None, false)
        });
        assert!(ended.is_none(), "it hangs");
        let path = trail.hangs(limit).expect("a worker hangs");
        assert!(given_up(&faulty, &trail, &path, false, |_| None).is_none());
        let silence = Divergence {
            step: Some(1),
            operation: None,
            outcome: None,
            expected: "an answer".to_owned(),
            seen: "none".to_owned(),
            rules: Vec::new(),
            difference: String::new(),
            crashed: true,
        };
        given_up(&faulty, &trail, &path, true, |_| Some(silence)).expect("it was judged")
    });
    ENOUGH.store(true, Ordering::Relaxed);
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0].complete_depth, 1);
    assert_eq!(told[0].ending, "an operation does not end");
    assert!(!told[0].exhausted);
    for rule in &told[0].rules {
        assert_eq!(rule.witness.is_some(), rule.applied > 0, "{}", rule.id);
    }
    assert_eq!(told[0].violations.len(), 1);
    let violation = &told[0].violations[0];
    assert_eq!(violation.operations, 2);
    assert_eq!(
        violation.trace,
        "#! nommu-trace v1 page=16 pages=8 trim=1 uninitialized=no profile=documented\n\
         p0  m0 = mmap(len=0x10, prot=rw, flags=private)\n\
         p0  m1 = mmap(len=0x30, prot=rw, flags=private)\n"
    );
}

#[test]
fn a_fault_of_the_model_gives_the_shortest_trace() {
    // Where the watermark is 2, the model believes that nothing is trimmed.
    let (rules, trace) = shortest(|lockstep, operation| {
        let wrong = lockstep.world().config.trim == 2;
        if wrong && is_mmap_of(operation, 5) {
            lockstep.world_mut().config.trim = 0;
        }
    });
    assert!(!rules.is_empty());
    assert_eq!(
        trace,
        "#! nommu-trace v1 page=16 pages=8 trim=1 uninitialized=no profile=documented\n\
         sysctl vm.nr_trim_pages=2\n\
         p0  m0 = mmap(len=0x50, prot=rw, flags=private)\n"
    );
}
