use crate::system::{P0, P1, PAGE, System};
use nommu_engine::{Errno, SegmentFlags, SegmentNumber};

const CREATE: SegmentFlags = SegmentFlags::CREATE;

#[track_caller]
fn attached(system: &System, segment: SegmentNumber) -> u32 {
    system.engine.shm_stat(P0, segment).unwrap().attached
}

#[test]
fn a_segment_is_contiguous_and_cleared() {
    let mut system = System::with(|config| config.trim = 0);
    system.soil();
    let segment = system.engine.shmget(P0, 1, 2 * PAGE + 1, CREATE).unwrap();
    assert_eq!(system.free_pages(), 61);
    let address = system.engine.shmat(P0, segment, false).unwrap();
    assert_eq!(system.load(address, 3 * PAGE), [0; 3 * PAGE as usize]);
    system.store(address, &[3]);
    system.caller = P1;
    let again = system.engine.shmat(P1, segment, true).unwrap();
    assert_eq!(again, address);
    assert_eq!(system.load(again, 1), [3]);
    system.agrees();
}

#[test]
fn each_attachment_is_its_own() {
    let mut system = System::new();
    let segment = system.engine.shmget(P0, 1, PAGE, CREATE).unwrap();
    let address = system.engine.shmat(P0, segment, false).unwrap();
    system.engine.shmat(P0, segment, false).unwrap();
    assert_eq!(attached(&system, segment), 2);
    system.engine.shmdt(P0, address).unwrap();
    assert_eq!(attached(&system, segment), 1);
    system.unmap(address, 1);
    assert_eq!(attached(&system, segment), 0);
    assert_eq!(system.engine.shmdt(P0, address), Err(Errno::EINVAL));
}

#[test]
fn a_removed_segment_goes_with_its_last_attachment() {
    let mut system = System::new();
    let segment = system.engine.shmget(P0, 1, PAGE, CREATE).unwrap();
    system.engine.shmat(P0, segment, false).unwrap();
    let address = system.engine.shmat(P1, segment, false).unwrap();
    system.engine.shm_remove(P0, segment).unwrap();
    assert_ne!(system.engine.shmget(P0, 1, PAGE, CREATE), Ok(segment));
    system.engine.exit(P0).unwrap();
    system.agrees();
    assert_eq!(system.engine.shm_stat(P1, segment).unwrap().attached, 1);
    system.engine.shmdt(P1, address).unwrap();
    assert_eq!(system.engine.shm_stat(P1, segment), Err(Errno::EINVAL));
    assert_eq!(system.engine.shmat(P1, segment, false), Err(Errno::EINVAL));
    assert_eq!(system.free_pages(), 63);
    system.agrees();
}

#[test]
fn keys_find_segments() {
    let mut system = System::new();
    let mut get = |key, size, flags| system.engine.shmget(P0, key, size, flags);
    let exclusive = CREATE | SegmentFlags::EXCLUSIVE;
    assert_eq!(get(1, PAGE, SegmentFlags::empty()), Err(Errno::ENOENT));
    assert_eq!(get(1, 0, CREATE), Err(Errno::EINVAL));
    assert_eq!(get(1, u64::MAX, CREATE), Err(Errno::EINVAL));
    assert_eq!(get(1, 65 * PAGE, CREATE), Err(Errno::ENOMEM));
    let segment = get(1, PAGE, exclusive).unwrap();
    assert_eq!(get(1, PAGE, exclusive), Err(Errno::EEXIST));
    assert_eq!(get(1, PAGE + 1, CREATE), Err(Errno::EINVAL));
    assert_eq!(get(1, PAGE, SegmentFlags::empty()), Ok(segment));
    let private = get(0, PAGE, SegmentFlags::empty()).unwrap();
    assert_ne!(get(0, PAGE, SegmentFlags::empty()), Ok(private));
}
