use super::bench::*;
use crate::op::*;
use crate::outcome::{Errno, Outcome};
use crate::world::contents::Expected;
use crate::world::memory::Owner;

fn private(bench: &mut Bench, length: u64) -> Operation {
    bench.mmap(length, "rw", MapFlags::PRIVATE, None, 0)
}

#[test]
fn is_one_cleared_run_of_whole_pages() {
    let mut bench = Bench::new();
    let operation = private(&mut bench, PAGE + 1);
    bench.accepts(operation, at(page(2)));
    let mapping = bench.world.spaces[0].mappings[0];
    assert_eq!((mapping.start, mapping.end), (page(2), page(4)));
    let zeroes = [0; PAGE as usize];
    assert_eq!(bench.world.expected_page(page(3)), Expected::Bytes(&zeroes));
    assert_eq!(bench.world.expected_page(page(4)), Expected::Anything);
}

#[test]
fn shared_is_listed_as_private() {
    let mut bench = Bench::new();
    let operation = bench.mmap(PAGE, "rw", MapFlags::SHARED, None, 0);
    bench.accepts(operation, at(page(0)));
    assert!(!bench.world.spaces[0].mappings[0].shared);
}

#[test]
fn has_to_be_aligned() {
    let mut bench = Bench::new();
    let operation = private(&mut bench, PAGE);
    bench.refuses(
        operation.clone(),
        at(page(0) + 1),
        "anonymous-page-aligned: allowed is only: a page-aligned address; \
         seen is success at 0x1001",
    );
    let operation = private(&mut bench, 3 * PAGE);
    bench.refuses(
        operation,
        at(page(1)),
        "power-of-two-granule, rounds-to-power-of-two: \
         allowed is only: an address aligned to 4 pages; seen is success at 0x1010",
    );
}

#[test]
fn takes_only_free_memory() {
    let mut bench = Bench::new();
    bench.anonymous(4, 1);
    let operation = private(&mut bench, 3 * PAGE);
    bench.refuses(
        operation.clone(),
        at(page(4)),
        "anonymous-page-aligned, one-owner: allowed is only: 4 free pages; \
         seen is success at 0x1040, where 0x1040 belongs to region 0",
    );
    bench.refuses(
        operation,
        at(BASE - 4 * PAGE),
        "anonymous-page-aligned, one-owner: allowed is only: 4 free pages; \
         seen is success at 0xfc0, where 0xfc0 belongs to no memory that mappings are made from",
    );
}

#[test]
fn trims_at_the_watermark() {
    // Pages kept of a granule of 4 for 3, and of 8 for 5 and for 6.
    for (trim, kept) in [
        (0, [4, 8, 8]),
        (1, [3, 5, 6]),
        (2, [4, 5, 6]),
        (3, [4, 5, 8]),
        (4, [4, 8, 8]),
    ] {
        for (pages, kept) in [3, 5, 6].into_iter().zip(kept) {
            let mut bench = Bench::with(|config| config.trim = trim);
            let operation = private(&mut bench, pages * PAGE);
            bench.accepts(operation, at(page(8)));
            let free = bench.world.memory.free_pages();
            assert_eq!(free, Some(16 - kept), "{pages} pages, watermark {trim}");
        }
    }
}

#[test]
fn fails_for_want_of_memory_exactly_when_no_granule_is_free() {
    let mut bench = Bench::new();
    for index in [0, 4, 8, 12] {
        bench.anonymous(index, 1);
    }
    let operation = private(&mut bench, 3 * PAGE);
    bench.accepts(operation.clone(), error(Errno::ENOMEM));
    bench.refuses(
        operation,
        at(page(1)),
        "out-of-memory-justified: allowed are only: ENOMEM (out-of-memory-justified); \
         seen is success at 0x1010",
    );
    let operation = private(&mut bench, 2 * PAGE);
    bench.refuses(
        operation,
        error(Errno::ENOMEM),
        "out-of-memory-justified: allowed are only: success; seen is ENOMEM",
    );
}

#[test]
fn any_error_that_is_due_will_do() {
    let mut bench = Bench::new();
    let both = MapFlags::SHARED | MapFlags::PRIVATE | MapFlags::FIXED;
    let operation = bench.mmap(u64::MAX, "rw", both, None, 0);
    bench.accepts(operation.clone(), error(Errno::EINVAL));
    bench.accepts(operation.clone(), error(Errno::ENOMEM));
    bench.refuses(
        operation,
        at(page(0)),
        "no-fixed, mmap-needs-type, mmap-length-overflow: \
         allowed are only: EINVAL (no-fixed), EINVAL (mmap-needs-type), \
         ENOMEM (mmap-length-overflow); \
         seen is success at 0x1000",
    );
}

#[test]
fn arguments_that_are_wrong() {
    let mut bench = Bench::new();
    let operation = bench.mmap(0, "rw", MapFlags::PRIVATE, None, 0);
    bench.accepts(operation, error(Errno::EINVAL));
    let operation = bench.mmap(PAGE, "rw", MapFlags::PRIVATE, None, 1);
    bench.accepts(operation, error(Errno::EINVAL));
    let operation = bench.mmap(PAGE, "rw", MapFlags::PRIVATE, Some(Descriptor(9)), 0);
    bench.accepts(operation, error(Errno::EBADF));
    let operation = bench.mmap((1 << 63) + 1, "rw", MapFlags::PRIVATE, None, 0);
    bench.accepts(operation.clone(), error(Errno::ENOMEM));
    bench.refuses(
        operation,
        error(Errno::EOVERFLOW),
        "mmap-length-overflow, out-of-memory-justified: \
         allowed are only: ENOMEM (mmap-length-overflow), ENOMEM (out-of-memory-justified); \
         seen is EOVERFLOW",
    );
    let beyond = u64::MAX - PAGE + 1;
    let operation = bench.mmap(beyond, "rw", MapFlags::PRIVATE, None, 2 * PAGE);
    bench.accepts(operation.clone(), error(Errno::ENOMEM));
    bench.accepts(operation, error(Errno::EOVERFLOW));
}

fn hinted(bench: &mut Bench) -> Operation {
    let mut operation = bench.mmap(PAGE, "r", MapFlags::PRIVATE, None, 0);
    if let Operation::Call(_, Call::Mmap(call)) = &mut operation {
        call.address = Some(Address::Absolute(page(3)));
    }
    operation
}

#[test]
fn a_particular_address_is_refused_unless_hints_are_ignored() {
    let mut bench = Bench::new();
    let operation = hinted(&mut bench);
    bench.accepts(operation.clone(), error(Errno::EINVAL));
    bench.refuses(
        operation,
        at(page(3)),
        "no-address-hint: allowed are only: EINVAL (no-address-hint); seen is success at 0x1030",
    );
    let mut bench = Bench::with(|config| config.deviations.push("address-hint-ignored".into()));
    let operation = hinted(&mut bench);
    bench.accepts(operation.clone(), error(Errno::EINVAL));
    bench.accepts(operation, at(page(0)));
}

#[test]
fn uninitialized_memory_is_undetermined_only_where_it_is_permitted() {
    for permitted in [false, true] {
        let mut bench = Bench::with(|config| config.uninitialized = permitted);
        let flags = MapFlags::PRIVATE | MapFlags::UNINITIALIZED;
        let operation = bench.mmap(PAGE, "rw", flags, None, 0);
        bench.accepts(operation, at(page(0)));
        let unknown = bench.world.expected_page(page(0)) == Expected::Anything;
        assert_eq!(unknown, permitted);
    }
}

#[test]
fn without_a_window_any_place_and_any_want_of_memory_is_believed() {
    let mut bench = Bench::with(|config| config.window = None);
    let operation = private(&mut bench, 3 * PAGE);
    bench.accepts(operation.clone(), error(Errno::ENOMEM));
    bench.accepts(operation, at(0x70));
    assert!(matches!(bench.world.owner(0x80), Owner::Region(_)));
    let operation = private(&mut bench, 2 * PAGE);
    bench.refuses(
        operation,
        at(0x90),
        "anonymous-page-aligned, one-owner: allowed is only: 2 free pages; \
         seen is success at 0x90, where 0x90 belongs to region 0",
    );
}

#[test]
fn a_crash_and_a_wrong_kind_of_answer_are_refused() {
    let mut bench = Bench::new();
    let operation = private(&mut bench, PAGE);
    bench.refuses(
        operation.clone(),
        Outcome::Crash("Oops".to_owned()),
        "errors-change-nothing: allowed is only: an answer; seen is a crash: Oops",
    );
    bench.refuses(
        operation.clone(),
        done(),
        "anonymous-contiguous: allowed is only: an address; seen is success",
    );
    bench.accepts(operation, Outcome::Unsupported);
    assert!(bench.world.regions.is_empty());
}
