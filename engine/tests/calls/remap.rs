use crate::system::{P1, PAGE, R, RW, System, anonymous, private, shared};
use nommu_engine::{Errno, OpenFlags, RemapFlags, Result};

fn remap(system: &mut System, address: u64, old: u64, new: u64) -> Result<u64> {
    let flags = RemapFlags::MAYMOVE;
    let result = system
        .engine
        .mremap(system.caller, address, old, new, flags, 0);
    system.agrees();
    result
}

#[test]
fn it_grows_into_what_is_kept_and_no_further() {
    let mut system = System::with(|config| config.trim = 0);
    system.soil();
    let start = system.map(&anonymous(5));
    system.store(start, &[5]);
    assert_eq!(remap(&mut system, start, 5 * PAGE, 8 * PAGE), Ok(start));
    assert_eq!(
        system.load(start + 5 * PAGE, 3 * PAGE),
        [0; 3 * PAGE as usize]
    );
    assert_eq!(system.load(start, 1), [5]);
    assert_eq!(
        remap(&mut system, start, 8 * PAGE, 9 * PAGE),
        Err(Errno::ENOMEM)
    );
    assert_eq!(system.mapped(), [(start, start + 8 * PAGE)]);
}

#[test]
fn what_was_trimmed_is_not_there_to_grow_into() {
    let mut system = System::new();
    let start = system.map(&anonymous(3));
    assert_eq!(
        remap(&mut system, start, 3 * PAGE, 4 * PAGE),
        Err(Errno::ENOMEM)
    );
}

#[test]
fn it_shrinks_in_place_and_keeps_the_pages() {
    let mut system = System::new();
    let start = system.map(&anonymous(4));
    assert_eq!(remap(&mut system, start, 4 * PAGE, PAGE + 1), Ok(start));
    assert_eq!(system.mapped(), [(start, start + 2 * PAGE)]);
    assert_eq!(system.free_pages(), 60);
    system.cannot_load(start + 2 * PAGE, 1);
    assert_eq!(remap(&mut system, start, 2 * PAGE, 4 * PAGE), Ok(start));
    system.unmap(start, 4);
    assert_eq!(system.free_pages(), 64);
}

#[test]
fn it_needs_a_whole_mapping() {
    let mut system = System::new();
    let start = system.map(&anonymous(4));
    for (address, old, new) in [
        (start, 3 * PAGE, PAGE),
        (start + PAGE, 3 * PAGE, PAGE),
        (start, 0, PAGE),
        (start, 4 * PAGE, 0),
        (start + 1, 4 * PAGE, PAGE),
        (start, u64::MAX, PAGE),
        (start, 4 * PAGE, u64::MAX),
    ] {
        assert_eq!(remap(&mut system, address, old, new), Err(Errno::EINVAL));
    }
    assert_eq!(
        remap(&mut system, start, 4 * PAGE, 1 << 63),
        Err(Errno::ENOMEM)
    );
    assert_eq!(remap(&mut system, start, 3 * PAGE + 1, 4 * PAGE), Ok(start));
}

#[test]
fn fixed_is_ignored_where_nothing_moves() {
    let mut system = System::new();
    let start = system.map(&anonymous(4));
    let flags = RemapFlags::MAYMOVE | RemapFlags::FIXED;
    let old = 4 * PAGE;
    let mut to = |address| {
        system
            .engine
            .mremap(system.caller, start, old, old, flags, address)
    };
    assert_eq!(to(start), Ok(start));
    assert_eq!(to(start + 8 * PAGE), Err(Errno::EINVAL));
}

#[test]
fn what_may_be_shared_stays_as_it_is() {
    let mut system = System::new();
    let disk = system.open("/disk/b", OpenFlags::READ);
    let memory = system.memory_file("/ram/a", 3 * PAGE);
    let copy = system.map(&private(disk, R, 0, 2));
    let direct = system.map(&shared(memory, RW, 0, 2));
    for start in [copy, direct] {
        assert_eq!(remap(&mut system, start, 2 * PAGE, PAGE), Err(Errno::EPERM));
    }
    let own = system.map(&private(disk, RW, 0, 2));
    assert_eq!(remap(&mut system, own, 2 * PAGE, PAGE), Ok(own));
    system.engine.ptrace_attach(P1, system.caller).unwrap();
    let traced = system.map(&private(disk, R, 0, 2));
    assert_eq!(remap(&mut system, traced, 2 * PAGE, PAGE), Ok(traced));
}
