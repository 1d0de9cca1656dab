use crate::system::{P1, PAGE, R, RW, RX, System, private, shared};
use nommu_engine::{Errno, FileNumber, MapRequest, Object, OpenFlags, Protection};

/// The byte that a file has at the start.
fn initial(number: u64, offset: u64) -> u8 {
    ((17 * number + 31 * (offset / PAGE) + offset) % 251 + 1) as u8
}

#[test]
fn a_copy_has_the_file_and_zeroes_beyond_its_end() {
    let mut system = System::new();
    system.soil();
    let fd = system.open("/disk/a", OpenFlags::READ);
    let size = 2 * PAGE + PAGE / 2;
    for protection in [R, RW] {
        let start = system.map(&private(fd, protection, 1, 3));
        let bytes = system.load(start, 3 * PAGE);
        for (at, &byte) in bytes.iter().enumerate() {
            let offset = PAGE + at as u64;
            let expected = if offset < size { initial(3, offset) } else { 0 };
            assert_eq!(byte, expected, "byte {offset:#x} of the file");
        }
    }
}

#[test]
fn a_mapping_beyond_the_end_is_zeroes() {
    let mut system = System::new();
    system.soil();
    let fd = system.open("/disk/a", OpenFlags::READ);
    for first in [3, 100, (u64::MAX / PAGE) - 1] {
        let start = system.map(&private(fd, R, first, 2));
        assert_eq!(system.load(start, 2 * PAGE), [0; 2 * PAGE as usize]);
    }
    system.cannot_map(&private(fd, R, u64::MAX / PAGE, 2), Errno::EOVERFLOW);
}

#[test]
fn a_read_only_mapping_is_used_again_across_processes() {
    let mut system = System::new();
    let fd = system.open("/disk/b", OpenFlags::READ);
    let start = system.map(&private(fd, RX, 0, 4));
    assert_eq!(system.map(&private(fd, RX, 2, 2)), start + 2 * PAGE);
    assert_eq!(
        system.map(&private(fd, R, 1, 2)),
        start + PAGE,
        "it may do more"
    );
    assert_eq!(system.free_pages(), 60);
    system.caller = P1;
    let fd = system.open("/disk/b", OpenFlags::READ);
    assert_eq!(system.map(&private(fd, R, 0, 4)), start);
    let view = system.engine.mappings(P1).next().unwrap();
    assert_eq!(view.object, Some(Object::File(FileNumber(4))));
    system.caller = nommu_engine::Pid(0);
    system.engine.exit(system.caller).unwrap();
    system.agrees();
    system.caller = P1;
    assert_eq!(system.load(start, 1), [initial(4, 0)]);
    assert_eq!(system.free_pages(), 60);
}

#[test]
fn it_is_not_used_again_without_the_permission_or_the_pages() {
    let mut system = System::new();
    let fd = system.open("/disk/b", OpenFlags::READ);
    let start = system.map(&private(fd, R, 0, 2));
    assert_ne!(system.map(&private(fd, RX, 0, 2)), start);
    assert_ne!(system.map(&private(fd, R, 1, 2)), start + PAGE);
    system.unmap(start, 2);
    let nothing = system.map(&private(fd, Protection::empty(), 3, 1));
    assert_ne!(system.map(&private(fd, R, 3, 1)), nothing);
}

#[test]
fn a_writable_mapping_is_nobody_elses() {
    let mut system = System::new();
    let fd = system.open("/disk/b", OpenFlags::READ);
    let one = system.map(&private(fd, RW, 0, 1));
    let other = system.map(&private(fd, RW, 0, 1));
    let reader = system.map(&private(fd, R, 0, 1));
    assert!(one != other && one != reader && other != reader);
    system.store(one, &[0xff]);
    assert_eq!(system.load(other, 1), [initial(4, 0)]);
    assert_eq!(system.load(reader, 1), [initial(4, 0)]);
    assert_eq!(system.read(fd, 0, 1), [initial(4, 0)]);
}

#[test]
fn writes_do_not_reach_a_copy() {
    let mut system = System::new();
    let fd = system.open("/disk/b", OpenFlags::READ | OpenFlags::WRITE);
    let start = system.map(&private(fd, R, 0, 4));
    system.write(fd, 0, &[9; 10]);
    system.resize(fd, 0);
    assert_eq!(system.load(start, 1), [initial(4, 0)]);
    assert_eq!(system.read(fd, 0, 100), []);
}

#[test]
fn what_is_not_memory_is_not_mapped_shared() {
    let mut system = System::new();
    for path in ["/disk/a", "/dev/blk0"] {
        let fd = system.open(path, OpenFlags::READ | OpenFlags::WRITE);
        system.cannot_map(&shared(fd, R, 0, 1), Errno::ENODEV);
        system.map(&private(fd, R, 0, 1));
    }
    let (reading, writing) = system.engine.pipe(system.caller).unwrap();
    let socket = system.engine.socket(system.caller).unwrap();
    for fd in [reading, writing, socket] {
        system.cannot_map(&shared(fd, R, 0, 1), Errno::ENODEV);
        system.cannot_map(&private(fd, R, 0, 1), Errno::ENODEV);
    }
}

#[test]
fn rom_is_used_where_it_is() {
    let mut system = System::new();
    let fd = system.open("/rom/a", OpenFlags::READ);
    let start = system.map(&private(fd, RX, 0, 4));
    assert_eq!(start % PAGE, PAGE / 4, "lines 111-113");
    assert_eq!(system.free_pages(), 64);
    assert_eq!(system.load(start + PAGE, 1), [initial(5, PAGE)]);
    assert_eq!(system.load(start + 4 * PAGE - 1, 1), [0]);
    assert_eq!(system.map(&private(fd, R, 2, 1)), start + 2 * PAGE);
    let store = system
        .engine
        .store(system.caller, start, nommu_engine::Source::Bytes(&[1]));
    assert_eq!(store, Err(Errno::EFAULT));
    system.cannot_unmap(start + 1, 4 * PAGE, Errno::EINVAL);
    system.unmap(start, 4);
    let copied = system.map(&private(fd, R, 3, 2));
    assert_eq!(copied % PAGE, 0, "beyond the file there is no ROM");
}

#[test]
fn memory_devices_are_mapped_shared() {
    let mut system = System::new();
    let fd = system.open("/dev/ram0", OpenFlags::READ | OpenFlags::WRITE);
    let start = system.map(&shared(fd, RW, 1, 2));
    system.store(start, &[42]);
    assert_eq!(system.read(fd, PAGE, 1), [42]);
    system.cannot_map(&shared(fd, RW, 3, 2), Errno::ENODEV);
    let copy = system.map(&private(fd, R, 1, 1));
    system.write(fd, PAGE, &[43]);
    assert_eq!(system.load(copy, 1), [42]);
    assert_eq!(system.load(start, 1), [43]);
}

#[test]
fn descriptors_permit() {
    let mut system = System::new();
    let only_written = system.open("/disk/a", OpenFlags::WRITE);
    system.cannot_map(&private(only_written, R, 0, 1), Errno::EACCES);
    system.memory_file("/ram/a", PAGE);
    let only_read = system.open("/ram/a", OpenFlags::READ);
    system.cannot_map(&shared(only_read, RW, 0, 1), Errno::EACCES);
    system.map(&shared(only_read, R, 0, 1));
    system.map(&private(only_read, RW, 0, 1));
}

#[test]
fn a_length_is_rounded_to_pages_of_the_file() {
    let mut system = System::new();
    let fd = system.open("/rom/b", OpenFlags::READ);
    let request = MapRequest {
        length: 1,
        ..private(fd, R, 0, 0)
    };
    let start = system.map(&request);
    assert_eq!(system.mapped(), [(start, start + PAGE)]);
}

#[test]
fn opening_is_permitted_or_not() {
    let mut system = System::new();
    let (read, write) = (OpenFlags::READ, OpenFlags::WRITE);
    let create = read | OpenFlags::CREATE;
    for (path, flags, error) in [
        ("/ram/none", read, Errno::ENOENT),
        ("/none/a", create, Errno::ENOENT),
        ("/ram/", create, Errno::ENOENT),
        ("/ram/a/b", create, Errno::ENOENT),
        ("", create, Errno::ENOENT),
        ("/rom/none", create, Errno::EACCES),
        ("/dev/none", create, Errno::EACCES),
        ("/ram", write, Errno::EISDIR),
        ("/rom/a", write, Errno::EROFS),
        ("/dev/mtd0", write, Errno::EACCES),
        ("/ram/none", OpenFlags::CREATE, Errno::EINVAL),
        ("/disk/a", read | OpenFlags::TRUNCATE, Errno::EINVAL),
    ] {
        let result = system.engine.open(system.caller, path, flags);
        assert_eq!(result, Err(error), "{path:?} {flags:?}");
    }
    let directory = system.open("/ram", read);
    let mut out = Vec::new();
    let result = system.engine.read(system.caller, directory, 0, 1, &mut out);
    assert_eq!(result, Err(Errno::EISDIR));
}

#[test]
fn the_lowest_descriptor_is_given() {
    let mut system = System::new();
    let descriptors: Vec<_> = (0..3)
        .map(|_| system.open("/disk/a", OpenFlags::READ))
        .collect();
    system.engine.close(system.caller, descriptors[1]).unwrap();
    assert_eq!(
        system.engine.dup(system.caller, descriptors[2]),
        Ok(descriptors[1])
    );
    let closed = system.engine.close(system.caller, nommu_engine::Fd(7));
    assert_eq!(closed, Err(Errno::EBADF));
}
