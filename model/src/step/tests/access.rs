use super::bench::*;
use crate::op::*;
use crate::outcome::Errno;

#[test]
fn loads_see_stores() {
    let mut bench = Bench::new();
    bench.anonymous(0, 2);
    bench.accepts(store(page(1) - 2, 5, 4), done());
    bench.accepts(load(page(1) - 3, 6), read(&[0, 5, 5, 5, 5, 0]));
    bench.refuses(
        load(page(1) - 3, 6),
        read(&[0, 5, 5, 5, 6, 0]),
        "load-sees-stores: allowed is only: byte 0x05 at 0x1011; seen is byte 0x06",
    );
    bench.refuses(
        load(page(0), 2),
        read(&[0]),
        "load-sees-stores: allowed is only: 2 bytes; seen is success with 1 bytes",
    );
}

#[test]
fn outside_a_mapping_there_is_nothing() {
    let mut bench = Bench::new();
    bench.anonymous(0, 1);
    bench.anonymous(1, 1);
    for operation in [
        load(page(0), PAGE + 1),
        load(page(2), 1),
        store(page(1), 1, u64::MAX),
        store(u64::MAX, 1, 2),
    ] {
        bench.accepts(operation, error(Errno::EFAULT));
    }
    bench.refuses(
        load(page(0), PAGE + 1),
        read(&[0; 17]),
        "access-outside-mapping: allowed are only: EFAULT (access-outside-mapping); \
         seen is success with 17 bytes",
    );
    bench.accepts(load(page(9), 0), read(&[]));
    bench.accepts(store(page(9), 1, 0), done());
}

#[test]
fn there_is_no_protection() {
    let mut bench = Bench::new();
    let operation = bench.mmap(PAGE, "", MapFlags::PRIVATE, None, 0);
    bench.accepts(operation, at(page(0)));
    bench.accepts(store(page(0), 9, 1), done());
    bench.accepts(load(page(0), 1), read(&[9]));
}

#[test]
fn futexes() {
    let mut bench = Bench::new();
    bench.anonymous(0, 1);
    bench.accepts(store(page(0), 1, 4), done());
    let wait = |address, expected| {
        call(Call::FutexWait {
            address: Address::Absolute(address),
            expected,
        })
    };
    bench.accepts(wait(page(0), 0x0101_0101), error(Errno::ETIMEDOUT));
    bench.accepts(wait(page(0), 0), error(Errno::EAGAIN));
    bench.accepts(wait(page(0) + 2, 0), error(Errno::EINVAL));
    bench.accepts(wait(page(1), 0), error(Errno::EFAULT));
    bench.refuses(
        wait(page(0), 0),
        error(Errno::ETIMEDOUT),
        "futex-supported: allowed are only: EAGAIN (futex-supported); seen is ETIMEDOUT",
    );
    bench.refuses(
        wait(page(1), 0),
        error(Errno::EAGAIN),
        "futex-outside-mapping: allowed are only: EFAULT (futex-outside-mapping); \
         seen is EAGAIN",
    );
    let wake = call(Call::FutexWake {
        address: Address::Absolute(page(0)),
        count: 1,
    });
    bench.accepts(wake.clone(), count(0));
    bench.refuses(
        wake,
        count(1),
        "futex-supported: allowed is only: a count of 0; seen is success with a count of 1",
    );
}
