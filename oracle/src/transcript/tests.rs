//! What a run looks like.

use super::{Answered, Entry, Transcript, show_bytes};
use crate::trace::{Header, Trace};
use insta::assert_snapshot;
use nommu_model::observation::{MappingView, Object, Observation, ProcessView};
use nommu_model::op::{Process, Protection};
use nommu_model::outcome::{Errno, Outcome, Value};

fn mapping(start: u64, pages: u64, object: Option<Object>) -> MappingView {
    MappingView {
        start,
        end: start + pages * 0x1000,
        protection: Protection::READ,
        shared: false,
        object,
        offset: 0,
    }
}

fn seen(mappings: Vec<MappingView>) -> Observation {
    Observation {
        processes: vec![ProcessView {
            process: Process(0),
            mappings,
        }],
        ..Observation::default()
    }
}

#[test]
fn addresses_are_relative_to_names() {
    let text = "
p0  m0 = mmap(len=0x3000, prot=r, flags=private)
p0  munmap(m0, 0x1000)
p0  m1 = mmap(len=0x1000, prot=r, flags=private)
p0  munmap(m0+0x1000, 0x2000)
p0  m2 = mmap(len=0x1000, prot=r, flags=private)
p0  m3 = mmap(len=0x0, prot=r, flags=private)
p0  exit()
p0  exit()
";
    let trace = Trace::parse("t", text.as_bytes()).expect("it is a trace");
    let config = Header::default().config(Vec::new());
    let base = Header::WINDOW_START;
    let address = |address| Answered::Outcome(Outcome::Ok(Value::Address(address)));
    let done = || Answered::Outcome(Outcome::Ok(Value::Done));
    let rom = mapping(0x10_0400, 1, Some(Object::File(5)));
    let steps = [
        (address(base), vec!["a", "b"], vec![mapping(base, 3, None)]),
        (done(), vec!["a"], vec![mapping(base + 0x1000, 2, None)]),
        (
            address(base + 0x1000),
            vec!["a", "c"],
            vec![
                mapping(base + 0x1000, 2, None),
                mapping(base + 0x1000, 1, None),
            ],
        ),
        (
            done(),
            vec!["a"],
            vec![mapping(base + 0x1000, 1, None), rom],
        ),
        (
            address(base + 0x8000),
            vec!["a"],
            vec![
                mapping(base + 0x1000, 1, None),
                mapping(base + 0x8000, 1, None),
            ],
        ),
        (
            Answered::Outcome(Outcome::Error(Errno::EINVAL)),
            vec!["a", "mmap-zero-length"],
            vec![
                mapping(base + 0x1000, 1, None),
                mapping(base + 0x8000, 1, None),
            ],
        ),
        (done(), vec!["a"], vec![]),
        (Answered::Skipped("p0 is dead".into()), vec![], vec![]),
    ];
    let mut transcript = Transcript::new(&config);
    for (operation, (answer, held, mappings)) in trace.operations().zip(steps) {
        transcript.step(&Entry {
            operation,
            answer,
            held,
            after: &seen(mappings),
        });
    }
    assert_snapshot!(transcript.finish());
}

#[test]
fn bytes_are_shown_by_what_they_are_made_of() {
    let many: Vec<u8> = (0..100).collect();
    let shown = [
        show_bytes(b""),
        show_bytes(b"AAAA"),
        show_bytes(b"\0\0BB\xff"),
        show_bytes(&many[..8]),
        show_bytes(&many),
    ];
    assert_snapshot!(shown.join("\n"));
}
