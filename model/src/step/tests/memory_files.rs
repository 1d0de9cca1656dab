use super::bench::*;
use crate::op::*;
use crate::outcome::Errno;
use crate::world::memory::Owner;

const BOTH: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);
const SHARED: MapFlags = MapFlags::SHARED;
/// The first file that a trace makes.
const FILE: u16 = 12;

fn ftruncate(descriptor: Descriptor, length: u64) -> Operation {
    call(Call::Ftruncate { descriptor, length })
}

/// `/ram/a`, of three pages at pages 4 to 6.
#[track_caller]
fn gathered() -> (Bench, Descriptor) {
    let mut bench = Bench::new();
    let file = bench.open("/ram/a", BOTH | OpenFlags::CREATE);
    bench.shows_file(FILE, 3 * PAGE, &[Some(4), Some(5), Some(6)]);
    bench.accepts(ftruncate(file, 3 * PAGE), done());
    (bench, file)
}

#[test]
fn growth_gathers_one_cleared_run() {
    let (mut bench, file) = gathered();
    assert_eq!(bench.world.memory.free_pages(), Some(13));
    assert!(matches!(bench.world.owner(page(5)), Owner::File(_, 1)));
    let operation = bench.mmap(2 * PAGE, "rw", SHARED, Some(file), PAGE);
    bench.accepts(operation, at(page(5)));
    bench.accepts(store(page(5), 3, 1), done());
    bench.accepts(
        call(Call::Read {
            descriptor: file,
            offset: PAGE,
            length: 2,
        }),
        read(&[3, 0]),
    );
}

#[test]
fn growth_that_gathers_no_run_is_refused() {
    let mut bench = Bench::new();
    let file = bench.open("/ram/a", BOTH | OpenFlags::CREATE);
    bench.shows_file(FILE, 2 * PAGE, &[Some(4), Some(6)]);
    bench.refuses(
        ftruncate(file, 2 * PAGE),
        done(),
        "grow-gathers-contiguous: page 1 at 0x1050, behind the one before it; \
         seen is page 1 at 0x1060",
    );
    bench.shows_file(FILE, 2 * PAGE, &[]);
    bench.refuses(
        ftruncate(file, 2 * PAGE),
        done(),
        "grow-gathers-contiguous: 2 pages in a row; seen is a hole at the first page",
    );
}

#[test]
fn a_mapping_is_on_the_pages_of_the_file_or_denied() {
    let (mut bench, file) = gathered();
    let operation = bench.mmap(PAGE, "rw", SHARED, Some(file), 0);
    bench.refuses(
        operation,
        at(page(0)),
        "memory-file-shared: allowed is only: 0x1040, where the object's memory is; \
         seen is success at 0x1000",
    );
    let operation = bench.mmap(2 * PAGE, "rw", SHARED, Some(file), 2 * PAGE);
    bench.accepts(operation.clone(), error(Errno::ENODEV));
    bench.refuses(
        operation,
        at(page(6)),
        "memory-file-shared-denied: allowed are only: ENODEV (memory-file-shared-denied), \
         EINVAL (memory-file-shared-denied); seen is success at 0x1060",
    );
}

#[test]
fn truncation_stops_at_mapped_pages() {
    let (mut bench, file) = gathered();
    let operation = bench.mmap(2 * PAGE, "rw", SHARED, Some(file), 0);
    bench.accepts(operation, at(page(4)));
    bench.accepts(ftruncate(file, 2 * PAGE), done());
    assert_eq!(bench.world.owner(page(6)), Owner::Free);
    bench.accepts(ftruncate(file, 2 * PAGE - 1), error(Errno::ETXTBSY));
    bench.refuses(
        ftruncate(file, PAGE),
        done(),
        "truncate-under-mapping: allowed are only: ETXTBSY (truncate-under-mapping); \
         seen is success",
    );
}

#[test]
fn writes_fill_holes_a_page_at_a_time() {
    let mut bench = Bench::new();
    bench.anonymous(0, 8);
    bench.anonymous(8, 4);
    bench.anonymous(12, 2);
    bench.anonymous(14, 1);
    let file = bench.open("/ram/a", BOTH | OpenFlags::CREATE);
    let operation = call(Call::Write {
        descriptor: file,
        offset: PAGE / 2,
        data: bytes(1, 2 * PAGE),
    });
    // One page is left, so that half a page can be written.
    bench.refuses(
        operation.clone(),
        count(2 * PAGE),
        "file-write: allowed is only: a count of 8; seen is success with a count of 32",
    );
    bench.shows_file(FILE, PAGE, &[Some(15)]);
    bench.accepts(operation.clone(), count(PAGE / 2));
    let operation = call(Call::Write {
        descriptor: file,
        offset: PAGE,
        data: bytes(1, 1),
    });
    bench.accepts(operation, error(Errno::ENOSPC));
}

#[test]
fn a_private_mapping_of_the_pages_must_not_see_writes() {
    let (mut bench, file) = gathered();
    let operation = bench.mmap(PAGE, "r", MapFlags::PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(4)));
    let same = call(Call::Write {
        descriptor: file,
        offset: 0,
        data: bytes(0, 2),
    });
    bench.accepts(same, count(2));
    let other = call(Call::Write {
        descriptor: file,
        offset: 0,
        data: bytes(1, 2),
    });
    bench.refuses(
        other.clone(),
        count(2),
        "private-ignores-file-writes: the private mapping at 0x1040 does not see the write; \
         seen is it is on the file's own page",
    );
    let id = "direct-private-follows-writes".to_owned();
    bench.world.config.deviations.push(id);
    bench.accepts(other, count(2));
}

#[test]
fn a_private_mapping_of_the_pages_must_not_see_stores_to_a_shared_one() {
    let (mut bench, file) = gathered();
    let operation = bench.mmap(3 * PAGE, "rw", SHARED, Some(file), 0);
    bench.accepts(operation, at(page(4)));
    let operation = bench.mmap(PAGE, "r", MapFlags::PRIVATE, Some(file), PAGE);
    bench.accepts(operation, at(page(5)));
    bench.accepts(store(page(4), 1, PAGE), done());
    bench.accepts(store(page(5), 0, PAGE), done());
    let seen = store(page(4), 1, PAGE + 1);
    bench.refuses(
        seen.clone(),
        done(),
        "private-ignores-file-writes: the private mapping at 0x1050 does not see the write; \
         seen is it is on the file's own page",
    );
    let id = "private-shows-shared-memory".to_owned();
    bench.world.config.deviations.push(id);
    bench.accepts(seen, done());
}

#[test]
fn an_unlinked_file_lives_as_long_as_it_is_used() {
    let (mut bench, file) = gathered();
    let operation = bench.mmap(PAGE, "rw", SHARED, Some(file), 0);
    bench.accepts(operation, at(page(4)));
    bench.accepts(call(Call::Unlink(Path("/ram/a".into()))), done());
    bench.accepts(call(Call::Close(file)), done());
    assert_eq!(bench.world.memory.free_pages(), Some(13));
    bench.accepts(munmap(page(4), PAGE), done());
    assert!(bench.world.files[usize::from(FILE)].dead);
    assert_eq!(bench.world.memory.free_pages(), Some(16));
}

#[test]
fn shrinking_clears_the_rest_of_the_last_page() {
    let (mut bench, file) = gathered();
    let write = call(Call::Write {
        descriptor: file,
        offset: 0,
        data: bytes(9, 3 * PAGE),
    });
    bench.accepts(write, count(3 * PAGE));
    bench.accepts(ftruncate(file, PAGE / 2), done());
    bench.shows_file(FILE, 2 * PAGE, &[Some(4)]);
    bench.accepts(ftruncate(file, 2 * PAGE), done());
    let all = call(Call::Read {
        descriptor: file,
        offset: 0,
        length: 100,
    });
    let mut expected = [0; 2 * PAGE as usize];
    expected[..8].fill(9);
    bench.accepts(all, read(&expected));
}
