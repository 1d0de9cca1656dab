use super::bench::*;
use crate::observation::{DriverView, Sight};
use crate::op::*;
use crate::outcome::Errno;

const BOTH: OpenFlags = OpenFlags::READ.union(OpenFlags::WRITE);
const SHARED: MapFlags = MapFlags::SHARED;
const PRIVATE: MapFlags = MapFlags::PRIVATE;
/// Where `/dev/chr0` has its memory, in these tests.
const DEVICE: u64 = 0x8000;

fn driver(script: Script) -> Operation {
    Operation::Driver(Path("/dev/chr0".into()), script)
}

fn asked(bench: &mut Bench, area_calls: u32, mmap_calls: u32, close_calls: u32) {
    bench.sight |= Sight::DRIVERS;
    bench.seen.drivers = vec![DriverView {
        number: 9,
        area_calls,
        mmap_calls,
        close_calls,
    }];
}

#[test]
fn the_driver_is_asked_once_and_told_at_the_end() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/chr0", BOTH);
    asked(&mut bench, 1, 1, 0);
    let operation = bench.mmap(2 * PAGE, "rw", SHARED, Some(file), 0);
    bench.accepts(operation, at(DEVICE));
    // A part of it is shared without notice.
    let part = bench.mmap(PAGE, "r", SHARED, Some(file), PAGE);
    bench.accepts(part.clone(), at(DEVICE + PAGE));
    asked(&mut bench, 2, 1, 0);
    bench.refuses(
        part,
        at(DEVICE + PAGE),
        "driver-asked-for-address, driver-share-without-notice: \
         the driver's get_unmapped_area is called 0 times; seen is it was called 1 times",
    );
    bench.accepts(munmap(DEVICE, 2 * PAGE), done());
    let close_calls = |bench: &Bench| bench.world.files[9].driver.unwrap().close_calls;
    assert_eq!(close_calls(&bench), 0);
    bench.accepts(munmap(DEVICE + PAGE, PAGE), done());
    assert_eq!(close_calls(&bench), 1);
}

#[test]
fn the_driver_decides() {
    for (script, shared, private) in [
        (
            Script {
                area: Some(Answer::Error(Errno::ENXIO)),
                ..Script::default()
            },
            Errno::ENXIO,
            error(Errno::ENXIO),
        ),
        (
            Script {
                area: Some(Answer::Error(Errno::ENOSYS)),
                ..Script::default()
            },
            Errno::ENODEV,
            at(page(0)),
        ),
        (
            Script {
                mmap: Some(Answer::Error(Errno::EIO)),
                ..Script::default()
            },
            Errno::EIO,
            error(Errno::EIO),
        ),
        (
            Script {
                mmap: Some(Answer::Error(Errno::ENOSYS)),
                ..Script::default()
            },
            Errno::ENODEV,
            at(page(0)),
        ),
        (
            Script {
                area: Some(Answer::Absent),
                ..Script::default()
            },
            Errno::ENODEV,
            at(page(0)),
        ),
    ] {
        let mut bench = Bench::new();
        let file = bench.open("/dev/chr0", BOTH);
        let all = Some(Some(Capabilities::all()));
        let script = Script {
            capabilities: all,
            ..script
        };
        bench.accepts(driver(script), done());
        let operation = bench.mmap(PAGE, "r", SHARED, Some(file), 0);
        bench.accepts(operation, error(shared));
        let operation = bench.mmap(PAGE, "r", PRIVATE, Some(file), 0);
        bench.accepts(operation, private);
    }
}

#[test]
fn what_may_be_direct_and_is_willing_has_to_be() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/mtd0", OpenFlags::READ);
    let operation = bench.mmap(PAGE, "rx", PRIVATE, Some(file), PAGE);
    bench.refuses(
        operation.clone(),
        at(page(0)),
        "private-read-direct, one-owner: allowed is only: memory of the object's own; \
         seen is success at 0x1000",
    );
    bench.accepts(operation, at(DEVICE + PAGE));
}

#[test]
fn defaults_are_neither_executable_nor_copied() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/chr0", BOTH);
    let operation = bench.mmap(PAGE, "rx", SHARED, Some(file), 0);
    bench.refuses(
        operation,
        at(DEVICE),
        "driver-default-capabilities: allowed are only: EACCES (driver-default-capabilities), \
         ENODEV (driver-default-capabilities), EINVAL (driver-default-capabilities); \
         seen is success at 0x8000",
    );
    let operation = bench.mmap(PAGE, "rw", PRIVATE, Some(file), 0);
    bench.accepts(operation, error(Errno::ENODEV));
    // Nothing but directly can it be mapped privately.
    let operation = bench.mmap(PAGE, "r", PRIVATE, Some(file), 0);
    bench.accepts(operation, at(DEVICE));
}

#[test]
fn beyond_the_device_there_is_nothing() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/chr0", BOTH);
    let operation = bench.mmap(2 * PAGE, "r", SHARED, Some(file), 3 * PAGE);
    bench.accepts(operation.clone(), error(Errno::EINVAL));
    bench.refuses(
        operation,
        at(DEVICE),
        "driver-address-error: allowed are only: EINVAL (driver-address-error); \
         seen is success at 0x8000",
    );
}

#[test]
fn a_busy_device_is_not_shown() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/chr0", BOTH);
    let busy = |busy| {
        driver(Script {
            busy: Some(busy),
            ..Script::default()
        })
    };
    let operation = bench.mmap(PAGE, "r", SHARED, Some(file), 0);
    bench.accepts(operation.clone(), at(DEVICE));
    bench.accepts(busy(true), error(Errno::EBUSY));
    bench.refuses(
        busy(true),
        done(),
        "busy-not-visible: allowed are only: EBUSY (busy-not-visible); seen is success",
    );
    bench.accepts(munmap(DEVICE, PAGE), done());
    bench.accepts(busy(true), done());
    bench.accepts(operation, error(Errno::EBUSY));
    let read = call(Call::Read {
        descriptor: file,
        offset: 0,
        length: 1,
    });
    bench.accepts(read, error(Errno::EBUSY));
}

#[test]
fn a_futex_in_device_memory_is_refused() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/chr0", BOTH);
    let operation = bench.mmap(PAGE, "rw", SHARED, Some(file), 0);
    bench.accepts(operation, at(DEVICE));
    let wake = call(Call::FutexWake {
        address: Address::Absolute(DEVICE),
        count: 1,
    });
    bench.accepts(wake.clone(), error(Errno::EFAULT));
    bench.refuses(
        wake,
        count(0),
        "futex-io-mapping: allowed are only: EFAULT (futex-io-mapping), \
         EINVAL (futex-io-mapping); seen is success with a count of 0",
    );
}

#[test]
fn a_memory_backed_block_device_is_mapped_where_it_is() {
    let mut bench = Bench::new();
    let file = bench.open("/dev/ram0", BOTH);
    let operation = bench.mmap(4 * PAGE, "rw", SHARED, Some(file), 0);
    bench.refuses(
        operation.clone(),
        error(Errno::ENODEV),
        "memory-blockdev-shared: allowed are only: success; seen is ENODEV",
    );
    bench.accepts(operation, at(DEVICE));
    let operation = bench.mmap(2 * PAGE, "rw", SHARED, Some(file), 3 * PAGE);
    bench.accepts(operation, error(Errno::ENODEV));
}
