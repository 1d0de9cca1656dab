use crate::system::{PAGE, R, RW, RX, System, anonymous, private, shared};
use nommu_engine::{Errno, OpenFlags};

#[test]
fn any_part_of_anonymous_memory_can_go() {
    let mut system = System::new();
    let start = system.map(&anonymous(8));
    let page = |number| start + number * PAGE;
    system.store(page(2), &[7]);
    system.store(page(5), &[8]);
    system.unmap(page(3), 2);
    assert_eq!(system.mapped(), [(start, page(3)), (page(5), page(8))]);
    system.unmap(start, 1);
    system.unmap(page(7), 1);
    assert_eq!(system.mapped(), [(page(1), page(3)), (page(5), page(7))]);
    assert_eq!(system.load(page(2), 1), [7]);
    assert_eq!(system.load(page(5), 1), [8]);
    assert_eq!(system.free_pages(), 60);
    system.cannot_unmap(page(2), 4 * PAGE, Errno::EINVAL);
    system.unmap(page(1), 2);
    system.unmap(page(5), 2);
    assert_eq!(system.engine.free_blocks().count(), 1);
}

#[test]
fn what_is_kept_goes_with_the_end_of_a_mapping() {
    let mut system = System::with(|config| config.trim = 0);
    let start = system.map(&anonymous(5));
    assert_eq!(system.free_pages(), 56);
    system.unmap(start, 1);
    assert_eq!(system.free_pages(), 57, "a head takes nothing else along");
    system.unmap(start + 2 * PAGE, 1);
    assert_eq!(system.free_pages(), 58, "nor does a middle");
    let tops: Vec<_> = system.engine.regions().map(|view| view.top).collect();
    assert_eq!(tops, [start + 2 * PAGE, start + 8 * PAGE]);
    system.unmap(start + 4 * PAGE, 1);
    assert_eq!(system.free_pages(), 62, "an end does");
    system.unmap(start + PAGE, 1);
    system.cannot_unmap(start + 3 * PAGE, 5 * PAGE, Errno::EINVAL);
    system.unmap(start + 3 * PAGE, 1);
    assert_eq!(system.free_pages(), 64);
}

#[test]
fn lengths_are_rounded_up() {
    let mut system = System::new();
    let start = system.map(&anonymous(2));
    system
        .engine
        .munmap(system.caller, start + PAGE, 1)
        .unwrap();
    assert_eq!(system.mapped(), [(start, start + PAGE)]);
    system.cannot_unmap(start, PAGE + 1, Errno::EINVAL);
    system.engine.munmap(system.caller, start, 1).unwrap();
}

#[test]
fn arguments_are_checked() {
    let mut system = System::new();
    let start = system.map(&anonymous(4));
    system.cannot_unmap(start, 0, Errno::EINVAL);
    system.cannot_unmap(start + 1, PAGE, Errno::EINVAL);
    system.cannot_unmap(start, u64::MAX, Errno::EINVAL);
    system.cannot_unmap(PAGE.wrapping_neg(), 2 * PAGE, Errno::EINVAL);
    system.cannot_unmap(start + 4 * PAGE, PAGE, Errno::EINVAL);
    system.cannot_unmap(start + 3 * PAGE, 2 * PAGE, Errno::EINVAL);
}

#[test]
fn a_file_mapping_goes_whole() {
    let mut system = System::new();
    let fd = system.open("/disk/b", OpenFlags::READ);
    let start = system.map(&private(fd, R, 0, 3));
    system.cannot_unmap(start, PAGE, Errno::EINVAL);
    system.cannot_unmap(start + PAGE, PAGE, Errno::EINVAL);
    let part = system.map(&private(fd, R, 0, 2));
    assert_eq!(part, start);
    system.unmap(start, 3);
    assert_eq!(system.mapped(), [(start, start + 2 * PAGE)]);
    assert_eq!(system.free_pages(), 61, "the part still needs it");
    system.unmap(start, 2);
    assert_eq!(system.free_pages(), 64);
}

#[test]
fn of_equal_mappings_one_goes() {
    let mut system = System::new();
    let fd = system.open("/disk/b", OpenFlags::READ);
    let start = system.map(&private(fd, R, 0, 2));
    assert_eq!(system.map(&private(fd, R, 0, 2)), start);
    assert_eq!(system.engine.regions().next().unwrap().users, 2);
    system.unmap(start, 2);
    system.unmap(start, 2);
    system.cannot_unmap(start, 2 * PAGE, Errno::EINVAL);
}

#[test]
fn a_split_that_cannot_be_recorded_changes_nothing() {
    for nth in 1..=2 {
        let mut system = System::new();
        let start = system.map(&anonymous(3));
        system.engine.fail_allocation(nth);
        system.cannot_unmap(start + PAGE, PAGE, Errno::ENOMEM);
        assert!(system.engine.allocation_failed());
        assert_eq!(system.mapped(), [(start, start + 3 * PAGE)]);
        system.unmap(start + PAGE, 1);
    }
}

#[test]
fn of_equal_mappings_the_oldest_goes() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", PAGE);
    // Records that were used before are used again in another order.
    let first = system.map(&shared(fd, R, 0, 1));
    system.map(&shared(fd, R, 0, 1));
    system.unmap(first, 1);
    system.unmap(first, 1);
    for protection in [R, RW, RX] {
        system.map(&shared(fd, protection, 0, 1));
    }
    for rest in [&[RW, RX][..], &[RX]] {
        system.unmap(first, 1);
        let left: Vec<_> = system.engine.mappings(system.caller).collect();
        let left: Vec<_> = left.iter().map(|view| view.protection).collect();
        assert_eq!(left, rest);
    }
}
