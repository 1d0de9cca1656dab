use crate::system::{PAGE, R, RW, RX, System, private, shared};
use nommu_engine::{Answer, Capabilities, DriverView, Errno, Fd, OpenFlags, Script};

const DEVICE: &str = "/dev/chr0";
const ENOSYS: Option<Answer> = Some(Answer::Error(Errno::ENOSYS));
const EACCES: Option<Answer> = Some(Answer::Error(Errno::EACCES));

fn device(script: Script) -> (System, Fd) {
    let mut system = System::new();
    system.script(DEVICE, script);
    let fd = system.open(DEVICE, OpenFlags::READ | OpenFlags::WRITE);
    (system, fd)
}

/// Everything, copies included.
fn all() -> Script {
    Script {
        capabilities: Some(Some(Capabilities::all())),
        ..Script::default()
    }
}

/// How often area, mmap and close were called.
fn calls(system: &System) -> (u32, u32, u32) {
    let DriverView {
        area_calls,
        mmap_calls,
        close_calls,
        ..
    } = system.engine.drivers().next().unwrap();
    (area_calls, mmap_calls, close_calls)
}

#[test]
fn by_default_it_is_read_and_written_directly_only() {
    let (mut system, fd) = device(Script::default());
    let start = system.map(&shared(fd, RW, 0, 4));
    system.store(start + PAGE, &[1, 2]);
    assert_eq!(system.read(fd, PAGE, 2), [1, 2]);
    system.cannot_map(&shared(fd, RX, 0, 1), Errno::EINVAL);
    system.cannot_map(&private(fd, RX, 0, 1), Errno::ENODEV);
    system.cannot_map(&private(fd, RW, 0, 1), Errno::ENODEV);
    assert_eq!(system.map(&private(fd, R, 1, 1)), start + PAGE);
}

#[test]
fn it_is_asked_for_the_address_and_then_to_map() {
    let (mut system, fd) = device(all());
    let start = system.map(&shared(fd, R, 0, 2));
    assert_eq!(calls(&system), (1, 1, 0));
    assert_eq!(system.map(&shared(fd, R, 1, 1)), start + PAGE);
    assert_eq!(calls(&system), (1, 1, 0), "shared without notifying it");
    system.map(&shared(fd, RW, 0, 2));
    assert_eq!(calls(&system), (2, 2, 0));
    system.unmap(start, 2);
    system.unmap(start, 2);
    assert_eq!(calls(&system), (2, 2, 0));
    system.unmap(start + PAGE, 1);
    assert_eq!(calls(&system), (2, 2, 1), "told when the last is gone");
}

#[test]
fn its_errors_are_passed_on() {
    let (mut system, fd) = device(Script {
        area: EACCES,
        ..all()
    });
    system.cannot_map(&shared(fd, R, 0, 1), Errno::EACCES);
    system.cannot_map(&private(fd, R, 0, 1), Errno::EACCES);
    assert_eq!(calls(&system), (2, 0, 0));
    let (mut system, fd) = device(Script {
        mmap: EACCES,
        ..all()
    });
    system.cannot_map(&shared(fd, R, 0, 1), Errno::EACCES);
    system.cannot_map(&private(fd, R, 0, 1), Errno::EACCES);
    assert_eq!(calls(&system), (2, 2, 0));
    let (mut system, fd) = device(all());
    system.cannot_map(&shared(fd, R, 3, 2), Errno::EINVAL);
    system.cannot_map(&private(fd, R, 4, 1), Errno::EINVAL);
    assert_eq!(system.free_pages(), 64);
}

#[test]
fn enosys_means_a_copy_where_one_may_be_made() {
    for script in [
        Script {
            area: ENOSYS,
            ..all()
        },
        Script {
            mmap: ENOSYS,
            ..all()
        },
        Script {
            area: Some(Answer::Absent),
            ..all()
        },
    ] {
        let (mut system, fd) = device(script);
        system.cannot_map(&shared(fd, R, 0, 1), Errno::ENODEV);
        system.map(&private(fd, R, 0, 1));
        assert_eq!(system.free_pages(), 63);
        let (mut system, fd) = device(Script {
            capabilities: Some(None),
            ..script
        });
        system.cannot_map(&private(fd, R, 0, 1), Errno::ENODEV);
        assert_eq!(system.free_pages(), 64);
    }
}

#[test]
fn without_a_read_method_there_is_no_copy() {
    let (mut system, fd) = device(Script {
        read: Some(false),
        ..all()
    });
    system.cannot_map(&private(fd, RW, 0, 1), Errno::ENODEV);
    system.map(&private(fd, R, 0, 1));
    let read = system.engine.read(system.caller, fd, 0, 1, &mut Vec::new());
    assert_eq!(read, Err(Errno::EINVAL));
}

#[test]
fn a_busy_device_is_not_shown() {
    let busy = Script {
        busy: Some(true),
        ..Script::default()
    };
    let (mut system, fd) = device(all());
    let copy = system.map(&private(fd, RW, 0, 1));
    system.script(DEVICE, busy);
    system.cannot_map(&shared(fd, R, 0, 1), Errno::EBUSY);
    system.cannot_map(&private(fd, R, 0, 1), Errno::EBUSY);
    system.cannot_map(&private(fd, RW, 0, 1), Errno::EBUSY);
    let read = system.engine.read(system.caller, fd, 0, 1, &mut Vec::new());
    assert_eq!(read, Err(Errno::EBUSY));
    system.unmap(copy, 1);
    let (mut system, fd) = device(all());
    let start = system.map(&private(fd, R, 0, 1));
    let refused = Script {
        mmap: EACCES,
        ..busy
    };
    assert_eq!(
        system.engine.set_driver(DEVICE, &refused),
        Err(Errno::EBUSY)
    );
    system.map(&shared(fd, R, 0, 1));
    system.unmap(start, 1);
}

#[test]
fn only_devices_with_drivers_have_scripts() {
    let mut system = System::new();
    for (path, error) in [("/dev/blk0", Errno::ENODEV), ("/none", Errno::ENOENT)] {
        assert_eq!(system.engine.set_driver(path, &all()), Err(error));
    }
    system.script("/dev/mtd0", all());
}

#[test]
fn flash_is_mapped_directly_and_not_written() {
    let mut system = System::new();
    let fd = system.open("/dev/mtd0", OpenFlags::READ);
    let start = system.map(&private(fd, RX, 0, 4));
    assert_eq!(system.free_pages(), 64);
    let one = nommu_engine::Source::Bytes(&[1]);
    assert_eq!(
        system.engine.store(system.caller, start, one),
        Err(Errno::EFAULT)
    );
}
