use super::bench::*;
use crate::op::*;
use crate::outcome::Errno;
use crate::world::contents::Expected;

const PRIVATE: MapFlags = MapFlags::PRIVATE;

/// Byte `at` of `/disk/a`, which is two and a half pages long.
fn byte(at: u64) -> u8 {
    ((17 * 3 + 31 * (at / PAGE) + at) % 251 + 1) as u8
}

fn write(descriptor: Descriptor, offset: u64, data: Fill) -> Operation {
    call(Call::Write {
        descriptor,
        offset,
        data,
    })
}

#[test]
fn a_copy_is_cleared_beyond_the_end_of_the_file() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/a", OpenFlags::READ);
    let operation = bench.mmap(3 * PAGE, "r", PRIVATE, Some(file), PAGE);
    bench.accepts(operation, at(page(0)));
    let last: Vec<u8> = (0..16)
        .map(|at| if at < 8 { byte(2 * PAGE + at) } else { 0 })
        .collect();
    assert_eq!(bench.world.expected_page(page(1)), Expected::Bytes(&last));
    assert_eq!(
        bench.world.expected_page(page(2)),
        Expected::Bytes(&[0; 16])
    );
}

#[test]
fn a_copy_does_not_follow_the_file() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/a", OpenFlags::READ | OpenFlags::WRITE);
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(file), 0);
    bench.accepts(operation.clone(), at(page(0)));
    bench.accepts(write(file, 0, bytes(0xee, 1)), count(1));
    bench.accepts(load(page(0), 1), read(&[byte(0)]));
    // Nor is another one taken while the first can be re-used, by another process too.
    bench.accepts(operation.clone(), at(page(0)));
    assert_eq!(bench.world.regions[0].users, 2);
    bench.refuses(
        operation,
        at(page(1)),
        "private-read-reuse: allowed is only: 0x1000, where the same part is mapped already; \
         seen is success at 0x1010",
    );
}

#[test]
fn a_part_of_a_copy_is_found_by_its_offset() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(3 * PAGE, "rx", PRIVATE, Some(file), PAGE);
    bench.accepts(operation, at(page(4)));
    let operation = bench.mmap(PAGE, "x", PRIVATE, Some(file), 2 * PAGE);
    bench.accepts(operation, at(page(5)));
    // An overlap that is no part is a copy of its own.
    let operation = bench.mmap(2 * PAGE, "r", PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(0)));
}

#[test]
fn re_use_needs_the_permissions() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(0)));
    let operation = bench.mmap(PAGE, "rx", PRIVATE, Some(file), 0);
    bench.refuses(
        operation.clone(),
        at(page(0)),
        "private-read-permissions, private-read-copy, one-owner: \
         allowed is only: 1 free pages; \
         seen is success at 0x1000, where 0x1000 belongs to region 0",
    );
    bench.accepts(operation, at(page(1)));
}

#[test]
fn a_writable_copy_is_never_shared() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "rw", PRIVATE, Some(file), 0);
    bench.accepts(operation.clone(), at(page(0)));
    bench.refuses(
        operation,
        at(page(0)),
        "private-write-never-shared, private-write-copy, one-owner: \
         allowed is only: 1 free pages; \
         seen is success at 0x1000, where 0x1000 belongs to region 0",
    );
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(1)));
}

#[test]
fn a_traced_process_shares_nothing() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(file), 0);
    bench.accepts(operation.clone(), at(page(0)));
    bench.accepts(by(1, Call::PtraceAttach(Process(0))), done());
    bench.refuses(
        operation.clone(),
        at(page(0)),
        "traced-not-shared, private-read-copy, one-owner: \
         allowed is only: 1 free pages; \
         seen is success at 0x1000, where 0x1000 belongs to region 0",
    );
    bench.accepts(operation, at(page(1)));
}

#[test]
fn execute_in_place_is_direct_or_a_copy() {
    let mut bench = Bench::new();
    let file = bench.open("/rom/a", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "rx", PRIVATE, Some(file), PAGE);
    // Not page aligned, and out of the window: it is the file's own memory.
    bench.accepts(operation, at(0x9014));
    assert_eq!(bench.world.files[5].memory, Some(0x9004));
    let operation = bench.mmap(PAGE, "rx", PRIVATE, Some(file), 2 * PAGE);
    bench.accepts(operation.clone(), at(0x9024));
    bench.refuses(
        operation,
        at(0x9034),
        "private-read-reuse: allowed is only: 0x9024, where the same part is mapped already; \
         seen is success at 0x9034",
    );
    let operation = bench.mmap(PAGE, "rx", PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(0)));
    bench.accepts(store(0x9014, 1, 1), error(Errno::EFAULT));
}

#[test]
fn unmappable_objects() {
    let mut bench = Bench::new();
    let reading = Descriptor(bench.name());
    let writing = Descriptor(bench.name());
    bench.accepts(call(Call::Pipe { reading, writing }), done());
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(reading), 0);
    bench.accepts(operation.clone(), error(Errno::ENODEV));
    bench.refuses(
        operation,
        at(page(0)),
        "mmap-unmappable: allowed are only: ENODEV (mmap-unmappable); \
         seen is success at 0x1000",
    );
    let directory = bench.open("/ram", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(directory), 0);
    bench.accepts(operation, error(Errno::ENODEV));
    let unreadable = bench.open("/disk/a", OpenFlags::WRITE);
    let operation = bench.mmap(PAGE, "w", PRIVATE, Some(unreadable), 0);
    bench.accepts(operation, error(Errno::EACCES));
    let regular = bench.open("/disk/a", OpenFlags::READ | OpenFlags::WRITE);
    let operation = bench.mmap(PAGE, "r", MapFlags::SHARED, Some(regular), 0);
    bench.accepts(operation.clone(), error(Errno::ENODEV));
    bench.refuses(
        operation,
        at(page(0)),
        "regular-shared-refused: allowed are only: EACCES (regular-shared-refused), \
         ENODEV (regular-shared-refused), EINVAL (regular-shared-refused); \
         seen is success at 0x1000",
    );
}
