use super::bench::*;
use crate::op::*;
use crate::outcome::Errno;
use crate::world::memory::Owner;

fn ranges(bench: &Bench) -> Vec<(u64, u64)> {
    let pages = |address: u64| (address - BASE) / PAGE;
    let mappings = bench.world.spaces[0].mappings.iter();
    mappings
        .map(|mapping| (pages(mapping.start), pages(mapping.end)))
        .collect()
}

#[test]
fn any_part_of_anonymous_memory() {
    let mut bench = Bench::new();
    bench.anonymous(0, 8);
    bench.accepts(munmap(page(3), 2 * PAGE), done());
    bench.accepts(munmap(page(0), PAGE), done());
    bench.accepts(munmap(page(7), 1), done());
    assert_eq!(ranges(&bench), [(1, 3), (5, 7)]);
    assert_eq!(bench.world.owner(page(3)), Owner::Free);
    assert_eq!(bench.world.memory.free_pages(), Some(12));
    bench.accepts(munmap(page(1), 2 * PAGE), done());
    bench.accepts(munmap(page(5), 2 * PAGE), done());
    assert!(bench.world.regions.is_empty());
    assert_eq!(bench.world.largest_free_order(), Some(4));
}

#[test]
fn slack_goes_with_the_end_it_is_behind() {
    let mut bench = Bench::with(|config| config.trim = 0);
    bench.anonymous(0, 5);
    assert_eq!(bench.world.memory.free_pages(), Some(8));
    bench.accepts(munmap(page(0), PAGE), done());
    assert_eq!(bench.world.memory.free_pages(), Some(9));
    // The middle goes alone, the end with what is behind it.
    bench.accepts(munmap(page(2), PAGE), done());
    assert_eq!(bench.world.memory.free_pages(), Some(10));
    bench.accepts(munmap(page(4), PAGE), done());
    assert_eq!(bench.world.memory.free_pages(), Some(14));
    assert_eq!(ranges(&bench), [(1, 2), (3, 4)]);
}

#[test]
fn contents_stay_where_they_are() {
    let mut bench = Bench::new();
    bench.anonymous(0, 4);
    bench.accepts(store(page(0), 1, PAGE), done());
    bench.accepts(store(page(3), 4, PAGE), done());
    bench.accepts(munmap(page(1), PAGE), done());
    bench.accepts(load(page(0), 2), read(&[1, 1]));
    bench.accepts(load(page(3), 2), read(&[4, 4]));
    bench.accepts(load(page(2), 2), read(&[0, 0]));
}

#[test]
fn nothing_there() {
    let mut bench = Bench::new();
    bench.anonymous(0, 2);
    bench.anonymous(2, 2);
    for (address, length) in [
        (page(8), PAGE),
        (page(0), 0),
        (page(0), u64::MAX),
        (page(0) + 1, PAGE),
        (page(1), 2 * PAGE),
        (u64::MAX - 1, PAGE),
    ] {
        bench.accepts(munmap(address, length), error(Errno::EINVAL));
    }
    bench.refuses(
        munmap(page(1), 2 * PAGE),
        done(),
        "munmap-anonymous-part: allowed are only: EINVAL (munmap-anonymous-part); \
         seen is success",
    );
    bench.refuses(
        munmap(page(0), PAGE),
        error(Errno::EINVAL),
        "munmap-releases: allowed are only: success; seen is EINVAL",
    );
}

#[test]
fn a_mapping_of_an_object_goes_whole() {
    let mut bench = Bench::new();
    let file = bench.open("/disk/b", OpenFlags::READ);
    let operation = bench.mmap(2 * PAGE, "r", MapFlags::PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(0)));
    bench.refuses(
        munmap(page(0), PAGE),
        done(),
        "munmap-object-exact: allowed are only: EINVAL (munmap-object-exact); seen is success",
    );
    // A second user, of a part of it: each goes by its own range.
    let operation = bench.mmap(PAGE, "r", MapFlags::PRIVATE, Some(file), 0);
    bench.accepts(operation, at(page(0)));
    bench.accepts(munmap(page(0), 2 * PAGE), done());
    assert_eq!(ranges(&bench), [(0, 1)]);
    assert_eq!(bench.world.regions[0].users, 1);
    assert_eq!(bench.world.memory.free_pages(), Some(14));
    bench.accepts(munmap(page(0), PAGE), done());
    assert_eq!(bench.world.memory.free_pages(), Some(16));
}
