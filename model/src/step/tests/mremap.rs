use super::bench::*;
use crate::op::*;
use crate::outcome::Errno;

fn mremap(address: u64, old: u64, new: u64, flags: RemapFlags) -> Operation {
    call(Call::Mremap {
        result: MappingName(99),
        address: Address::Absolute(address),
        old_length: old,
        new_length: new,
        flags,
        new_address: None,
    })
}

const NONE: RemapFlags = RemapFlags::empty();

#[test]
fn shrinks_and_grows_within_the_granule() {
    let mut bench = Bench::with(|config| config.trim = 0);
    bench.anonymous(0, 3);
    bench.accepts(store(page(2), 7, PAGE), done());
    bench.accepts(mremap(page(0), 3 * PAGE, 2 * PAGE, NONE), at(page(0)));
    assert_eq!(bench.world.memory.free_pages(), Some(12));
    bench.accepts(load(page(2), 1), error(Errno::EFAULT));
    bench.accepts(mremap(page(0), 2 * PAGE, 4 * PAGE, NONE), at(page(0)));
    // What was never mapped is clear; what was is there still, or clear.
    bench.accepts(load(page(3), 1), read(&[0]));
    bench.accepts(load(page(2), 1), read(&[7]));
    bench.accepts(load(page(2), 1), read(&[0]));
}

#[test]
fn a_region_that_is_kept_keeps_its_end() {
    let mut bench = Bench::with(|config| config.deviations.push("mremap-keeps-region".into()));
    bench.anonymous(0, 3);
    bench.accepts(mremap(page(0), 3 * PAGE, PAGE, NONE), at(page(0)));
    assert_eq!(bench.world.regions[0].end, page(3));
    bench.accepts(mremap(page(0), PAGE, 2 * PAGE, NONE), at(page(0)));
    assert_eq!(bench.world.regions[0].end, page(3));
}

#[test]
fn beyond_the_granule_there_is_nothing() {
    let mut bench = Bench::new();
    bench.anonymous(0, 3);
    let operation = mremap(page(0), 3 * PAGE, 4 * PAGE, RemapFlags::MAYMOVE);
    bench.accepts(operation.clone(), error(Errno::ENOMEM));
    bench.refuses(
        operation,
        at(page(8)),
        "mremap-beyond-granule: allowed are only: ENOMEM (mremap-beyond-granule); \
         seen is success at 0x1080",
    );
}

#[test]
fn stays_where_it_is() {
    let mut bench = Bench::new();
    bench.anonymous(0, 4);
    bench.refuses(
        mremap(page(0), 4 * PAGE, PAGE, RemapFlags::MAYMOVE),
        at(page(8)),
        "mremap-in-place: allowed is only: 0x1000, as moving is not supported; \
         seen is success at 0x1080",
    );
}

#[test]
fn acts_on_a_whole_mapping() {
    let mut bench = Bench::new();
    bench.anonymous(0, 4);
    for operation in [
        mremap(page(0), PAGE, PAGE, NONE),
        mremap(page(1), 3 * PAGE, PAGE, NONE),
        mremap(page(0) + 1, 4 * PAGE, PAGE, NONE),
        mremap(page(0), 0, PAGE, NONE),
        mremap(page(0), 4 * PAGE, 0, NONE),
        mremap(page(0), u64::MAX, PAGE, NONE),
        mremap(page(8), PAGE, PAGE, NONE),
    ] {
        bench.accepts(operation, error(Errno::EINVAL));
    }
    bench.refuses(
        mremap(page(0), PAGE, PAGE, NONE),
        at(page(0)),
        "mremap-exact-match: allowed are only: EINVAL (mremap-exact-match); \
         seen is success at 0x1000",
    );
}

#[test]
fn fixed_is_ignored_where_nothing_moves() {
    let mut bench = Bench::new();
    bench.anonymous(0, 4);
    let fixed = |to: u64| {
        call(Call::Mremap {
            result: MappingName(99),
            address: Address::Absolute(page(0)),
            old_length: 4 * PAGE,
            new_length: 4 * PAGE,
            flags: RemapFlags::FIXED | RemapFlags::MAYMOVE,
            new_address: Some(Address::Absolute(to)),
        })
    };
    bench.accepts(fixed(page(0)), at(page(0)));
    bench.accepts(fixed(page(8)), error(Errno::EINVAL));
    bench.refuses(
        fixed(page(8)),
        at(page(8)),
        "mremap-fixed: allowed are only: EINVAL (mremap-fixed); seen is success at 0x1080",
    );
}

#[test]
fn what_may_be_shared_keeps_its_size() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(2 * PAGE, "r", MapFlags::PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(0)));
    let operation = mremap(page(0), 2 * PAGE, PAGE, NONE);
    bench.accepts(operation.clone(), error(Errno::EPERM));
    bench.refuses(
        operation,
        at(page(0)),
        "mremap-shared-refused: allowed are only: EPERM (mremap-shared-refused); \
         seen is success at 0x1000",
    );
    // A private writable copy is nobody else's.
    let operation = bench.mmap(2 * PAGE, "rw", MapFlags::PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(2)));
    bench.accepts(mremap(page(2), 2 * PAGE, PAGE, NONE), at(page(2)));
}
