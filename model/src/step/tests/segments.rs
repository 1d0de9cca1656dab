use super::bench::*;
use crate::op::*;
use crate::outcome::{Errno, Outcome, Value};

const NAME: SegmentName = SegmentName(0);

fn get(key: u32, size: u64, flags: SegmentFlags) -> Operation {
    call(Call::Shmget {
        result: NAME,
        key,
        size,
        flags,
    })
}

fn attach(process: u16, read_only: bool) -> Operation {
    by(
        process,
        Call::Shmat {
            result: MappingName(process),
            segment: NAME,
            read_only,
        },
    )
}

fn stat(attached: u64) -> Outcome {
    Outcome::Ok(Value::Segment {
        size: PAGE + 1,
        attached,
    })
}

/// A segment of two pages at page 2.
fn made() -> Bench {
    let mut bench = Bench::new();
    bench.shows_segment(0, PAGE + 1, page(2));
    bench.accepts(get(7, PAGE + 1, SegmentFlags::CREATE), done());
    bench
}

#[test]
fn every_attachment_counts() {
    let mut bench = made();
    bench.accepts(attach(0, false), at(page(2)));
    bench.accepts(attach(0, true), at(page(2)));
    bench.accepts(attach(1, false), at(page(2)));
    bench.accepts(call(Call::ShmStat(NAME)), stat(3));
    bench.refuses(
        call(Call::ShmStat(NAME)),
        stat(1),
        "sysv-shared-memory: allowed is only: size 0x11 and 3 attached; \
         seen is success with size 0x11 and 1 attached",
    );
    bench.accepts(store(page(2), 1, 1), done());
    let there = Call::Load {
        address: Address::Absolute(page(2)),
        length: 1,
    };
    bench.accepts(by(1, there), read(&[1]));
    bench.refuses(
        attach(1, false),
        at(page(4)),
        "sysv-shared-memory: allowed is only: 0x1020, where the segment is; \
         seen is success at 0x1040",
    );
}

#[test]
fn a_removed_segment_goes_with_its_last_attachment() {
    let mut bench = made();
    bench.accepts(attach(0, false), at(page(2)));
    bench.accepts(call(Call::ShmRemove(NAME)), done());
    // Its key finds nothing any more.
    bench.accepts(get(7, PAGE, SegmentFlags::empty()), error(Errno::ENOENT));
    assert_eq!(bench.world.memory.free_pages(), Some(14));
    bench.accepts(call(Call::Shmdt(Address::Absolute(page(2)))), done());
    assert_eq!(bench.world.memory.free_pages(), Some(16));
    bench.accepts(attach(0, false), error(Errno::EIDRM));
    bench.refuses(
        attach(0, false),
        at(page(2)),
        "shm-errors: allowed are only: EINVAL (shm-errors), EIDRM (shm-errors); \
         seen is success at 0x1020",
    );
}

#[test]
fn errors() {
    let mut bench = made();
    let both = SegmentFlags::CREATE | SegmentFlags::EXCLUSIVE;
    for (operation, errno) in [
        (get(7, PAGE, both), Errno::EEXIST),
        (get(7, 3 * PAGE, SegmentFlags::CREATE), Errno::EINVAL),
        (get(8, 0, SegmentFlags::CREATE), Errno::EINVAL),
        (get(8, PAGE, SegmentFlags::empty()), Errno::ENOENT),
        (get(0, 1 << 40, SegmentFlags::empty()), Errno::ENOSPC),
        (get(0, 16 * PAGE, SegmentFlags::empty()), Errno::ENOMEM),
        (call(Call::Shmdt(Address::Absolute(page(2)))), Errno::EINVAL),
    ] {
        bench.accepts(operation, error(errno));
    }
}
