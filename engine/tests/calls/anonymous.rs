use crate::system::{P1, PAGE, System, anonymous};
use nommu_engine::{Errno, MapFlags, MapRequest, OpenFlags};

#[test]
fn it_is_contiguous_and_aligned() {
    let mut system = System::new();
    for pages in [1, 2, 3, 5, 8] {
        let address = system.map(&anonymous(pages));
        assert_eq!(address % PAGE, 0);
        assert_eq!(
            system.load(address, pages * PAGE).len() as u64,
            pages * PAGE
        );
    }
}

#[test]
fn shared_is_as_private() {
    let mut system = System::new();
    let request = MapRequest {
        flags: MapFlags::SHARED,
        ..anonymous(2)
    };
    let address = system.map(&request);
    let view = system.engine.mappings(system.caller).next().unwrap();
    assert!(!view.shared);
    assert_eq!((view.object, view.offset), (None, 0));
    system.unmap(address + PAGE, 1);
}

#[test]
fn it_is_cleared() {
    let mut system = System::new();
    system.soil();
    let address = system.map(&MapRequest {
        length: 2 * PAGE + 1,
        ..anonymous(0)
    });
    assert_eq!(system.load(address, 3 * PAGE), vec![0; 3 * PAGE as usize]);
}

#[track_caller]
fn is_cleared_when(uninitialized: bool) -> bool {
    let mut system = System::with(|config| config.uninitialized = uninitialized);
    system.soil();
    let address = system.map(&MapRequest {
        flags: MapFlags::PRIVATE | MapFlags::UNINITIALIZED,
        ..anonymous(2)
    });
    system.load(address, 2 * PAGE).iter().all(|&byte| byte == 0)
}

#[test]
fn it_is_uninitialized_only_where_that_is_configured() {
    assert!(is_cleared_when(false));
    assert!(!is_cleared_when(true));
}

/// Pages that a mapping of so many takes under a watermark.
#[track_caller]
fn taken(trim: u64, pages: u64) -> u64 {
    let mut system = System::with(|config| config.trim = trim);
    let before = system.free_pages();
    let address = system.map(&anonymous(pages));
    let taken = before - system.free_pages();
    assert_eq!(system.engine.copied_pages(), taken);
    system.unmap(address, pages);
    assert_eq!(system.free_pages(), before);
    assert_eq!(system.engine.free_blocks().count(), 1);
    taken
}

#[test]
fn the_excess_is_given_back_from_the_watermark_on() {
    assert_eq!(taken(1, 3), 3);
    assert_eq!(taken(2, 3), 4);
    assert_eq!(taken(2, 6), 6);
    assert_eq!(taken(0, 5), 8);
    assert_eq!(taken(3, 5), 5);
    assert_eq!(taken(4, 5), 8);
}

#[test]
fn memory_runs_out_exactly_when_no_granule_is_free() {
    let mut system = System::with(|config| config.pages = 7);
    system.cannot_map(&anonymous(5), Errno::ENOMEM);
    system.map(&anonymous(3));
    system.map(&anonymous(2));
    system.cannot_map(&anonymous(2), Errno::ENOMEM);
    system.map(&anonymous(1));
    system.map(&anonymous(1));
    system.cannot_map(&anonymous(1), Errno::ENOMEM);
}

#[test]
fn arguments_are_checked() {
    let mut system = System::new();
    let fixed = MapFlags::PRIVATE | MapFlags::FIXED;
    let both = MapFlags::PRIVATE | MapFlags::SHARED;
    let cases = [
        (
            MapRequest {
                flags: fixed,
                ..anonymous(1)
            },
            Errno::EINVAL,
        ),
        (
            MapRequest {
                address: 0x5000,
                ..anonymous(1)
            },
            Errno::EINVAL,
        ),
        (
            MapRequest {
                flags: both,
                ..anonymous(1)
            },
            Errno::EINVAL,
        ),
        (
            MapRequest {
                flags: MapFlags::empty(),
                ..anonymous(1)
            },
            Errno::EINVAL,
        ),
        (anonymous(0), Errno::EINVAL),
        (
            MapRequest {
                offset: 1,
                ..anonymous(1)
            },
            Errno::EINVAL,
        ),
        (
            MapRequest {
                length: u64::MAX,
                ..anonymous(1)
            },
            Errno::ENOMEM,
        ),
        (
            MapRequest {
                length: 1 << 63,
                ..anonymous(1)
            },
            Errno::ENOMEM,
        ),
        (
            MapRequest {
                length: 1 << 40,
                ..anonymous(1)
            },
            Errno::ENOMEM,
        ),
        (
            MapRequest {
                offset: PAGE.wrapping_neg(),
                ..anonymous(2)
            },
            Errno::EOVERFLOW,
        ),
    ];
    for (request, error) in cases {
        system.cannot_map(&request, error);
    }
    system.map(&MapRequest {
        offset: PAGE.wrapping_neg(),
        ..anonymous(1)
    });
}

#[test]
fn it_is_reached_within_one_mapping_only() {
    let mut system = System::new();
    let address = system.map(&anonymous(2));
    let after = system.map(&anonymous(2));
    assert_eq!(after, address + 2 * PAGE, "the two are beside each other");
    system.store(address + 2 * PAGE - 4, &[1, 2, 3, 4]);
    system.cannot_load(address + 2 * PAGE - 4, 5);
    system.cannot_load(address - 1, 2);
    system.cannot_load(address, u64::MAX);
    assert_eq!(system.load(u64::MAX, 0), []);
    system.caller = P1;
    system.cannot_load(address, 1);
}

#[test]
fn a_descriptor_makes_it_no_longer_anonymous() {
    let mut system = System::new();
    let fd = system.open("/ram", OpenFlags::READ);
    let request = MapRequest {
        descriptor: Some(fd),
        ..anonymous(1)
    };
    system.cannot_map(&request, Errno::ENODEV);
    system.engine.close(system.caller, fd).unwrap();
    system.cannot_map(&request, Errno::EBADF);
}
