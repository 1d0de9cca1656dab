use crate::system::{PAGE, R, RW, System, anonymous, private, shared};
use nommu_engine::{Errno, OpenFlags, Source};

#[test]
fn growth_from_nothing_gathers_cleared_contiguous_pages() {
    let mut system = System::with(|config| config.trim = 0);
    system.soil();
    let fd = system.memory_file("/ram/a", 2 * PAGE + 1);
    assert_eq!(system.free_pages(), 61, "whatever the watermark says");
    let start = system.map(&shared(fd, RW, 0, 3));
    assert_eq!(system.load(start, 3 * PAGE), [0; 3 * PAGE as usize]);
    let number = system.engine.files().last().unwrap().number;
    let runs: Vec<_> = system.engine.file_runs(number).collect();
    assert_eq!((runs.len(), runs[0].start, runs[0].pages), (1, start, 3));
}

#[test]
fn growth_without_a_run_changes_nothing() {
    let mut system = System::new();
    system.map(&anonymous(33));
    let fd = system.memory_file("/ram/a", 0);
    let result = system.engine.ftruncate(system.caller, fd, 17 * PAGE);
    assert_eq!(result, Err(Errno::ENOMEM));
    assert_eq!(system.engine.files().last().unwrap().size, 0);
    system.resize(fd, 16 * PAGE);
}

#[test]
fn later_growth_makes_holes() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", PAGE);
    system.resize(fd, 3 * PAGE);
    assert_eq!(system.free_pages(), 63);
    system.cannot_map(&shared(fd, R, 0, 3), Errno::ENODEV);
    let start = system.map(&shared(fd, R, 0, 1));
    assert_eq!(system.read(fd, PAGE, 2 * PAGE), [0; 2 * PAGE as usize]);
    system.write(fd, 2 * PAGE, &[1]);
    assert_eq!(
        system.free_pages(),
        62,
        "the page that was written, and no other"
    );
    system.cannot_map(&shared(fd, R, 1, 2), Errno::ENODEV);
    system.write(fd, PAGE, &[1]);
    system.unmap(start, 1);
}

#[test]
fn a_shared_mapping_is_the_file() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 3 * PAGE);
    let start = system.map(&shared(fd, RW, 0, 3));
    let again = system.map(&shared(fd, RW, 1, 2));
    assert_eq!(again, start + PAGE);
    system.store(again, &[1, 2, 3]);
    assert_eq!(system.read(fd, PAGE, 3), [1, 2, 3]);
    system.write(fd, PAGE, &[4]);
    assert_eq!(system.load(start + PAGE, 3), [4, 2, 3]);
    let copy = system.map(&private(fd, R, 1, 1));
    system.store(again, &[9]);
    assert_eq!(system.load(copy, 1), [4]);
    system.cannot_map(&shared(fd, R, 2, 2), Errno::ENODEV);
}

#[test]
fn what_is_mapped_shared_is_not_cut() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 4 * PAGE);
    let start = system.map(&shared(fd, RW, 1, 2));
    let mut resize = |length| system.engine.ftruncate(system.caller, fd, length);
    assert_eq!(resize(3 * PAGE), Ok(()));
    assert_eq!(resize(3 * PAGE - 1), Err(Errno::ETXTBSY));
    assert_eq!(resize(0), Err(Errno::ETXTBSY));
    assert_eq!(resize(3 * PAGE + 5), Ok(()));
    let flags = OpenFlags::WRITE | OpenFlags::TRUNCATE;
    let open = system.engine.open(system.caller, "/ram/a", flags);
    assert_eq!(open, Err(Errno::ETXTBSY));
    system.unmap(start, 2);
    let copy = system.map(&private(fd, R, 0, 2));
    system.open("/ram/a", flags);
    assert_eq!(system.free_pages(), 62);
    system.unmap(copy, 2);
    assert_eq!(system.free_pages(), 64);
}

#[test]
fn a_large_mapping_that_went_is_not_granted_again_after_a_cut() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 8 * PAGE);
    let large = system.map(&shared(fd, RW, 0, 8));
    let small = system.map(&shared(fd, RW, 0, 4));
    system.unmap(large, 8);
    system.resize(fd, 4 * PAGE);
    system.cannot_map(&shared(fd, RW, 0, 8), Errno::ENODEV);
    assert_eq!(system.map(&shared(fd, RW, 0, 4)), small);
}

#[test]
fn cutting_frees_pages_and_clears_the_last() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 3 * PAGE);
    system.write(fd, 0, &[7; 3 * PAGE as usize]);
    system.resize(fd, PAGE + 3);
    assert_eq!(system.free_pages(), 62);
    system.resize(fd, 2 * PAGE);
    let mut expected = [0; PAGE as usize];
    expected[..3].fill(7);
    assert_eq!(system.read(fd, PAGE, PAGE), expected);
}

#[test]
fn it_lives_while_it_is_open_or_mapped() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 2 * PAGE);
    let start = system.map(&shared(fd, RW, 0, 2));
    system.engine.unlink(system.caller, "/ram/a").unwrap();
    let again = system.engine.open(system.caller, "/ram/a", OpenFlags::READ);
    assert_eq!(again, Err(Errno::ENOENT));
    system.store(start, &[5]);
    assert_eq!(system.read(fd, 0, 1), [5]);
    system.engine.close(system.caller, fd).unwrap();
    assert_eq!(system.load(start, 1), [5]);
    assert_eq!(system.free_pages(), 62);
    system.unmap(start, 2);
    assert_eq!(system.free_pages(), 64);
    assert_eq!(system.engine.files().count(), 12);
}

#[test]
fn writing_takes_a_page_at_a_time_and_stops_where_there_is_none() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 0);
    system.map(&anonymous(32));
    system.map(&anonymous(16));
    system.map(&anonymous(8));
    system.map(&anonymous(4));
    system.map(&anonymous(2));
    let fill = Source::Fill {
        byte: 3,
        count: 4 * PAGE,
    };
    let written = system.engine.write(system.caller, fd, PAGE / 2, fill);
    assert_eq!(written, Ok(PAGE + PAGE / 2));
    assert_eq!(system.engine.files().last().unwrap().size, 2 * PAGE);
    let written = system.engine.write(system.caller, fd, 2 * PAGE, fill);
    assert_eq!(written, Err(Errno::ENOMEM));
    system.agrees();
}

#[test]
fn files_end_somewhere() {
    let mut system = System::new();
    let fd = system.memory_file("/ram/a", 0);
    let one = Source::Bytes(&[1]);
    let mut write = |offset| system.engine.write(system.caller, fd, offset, one);
    assert_eq!(write(1 << 30), Err(Errno::EFBIG));
    assert_eq!(write(i64::MAX as u64), Err(Errno::EFBIG));
    assert_eq!(write(u64::MAX), Err(Errno::EINVAL));
    assert_eq!(write((1 << 30) - 1), Ok(1));
    let resize = system.engine.ftruncate(system.caller, fd, (1 << 30) + 1);
    assert_eq!(resize, Err(Errno::EFBIG));
    assert_eq!(system.free_pages(), 63);
    system.agrees();
}
