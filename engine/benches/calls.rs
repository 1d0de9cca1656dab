//! What calls, and looking at everything after each, cost in a small system: 64 pages of 4096
//! bytes, three processes, a dozen mappings.

mod measure;

use measure::nanoseconds;
use nommu_engine::{
    Config, Engine, Fd, FlatMemory, MapFlags, MapRequest, OpenFlags, Pid, Protection, RemapFlags,
    SegmentFlags, Source,
};
use std::hint::black_box;

const PAGE: u64 = 4096;
const PID: Pid = Pid(0);
const STEPS: u64 = 1000;

type System = Engine<FlatMemory>;

const READ_WRITE: Protection = Protection::READ.union(Protection::WRITE);

const ANONYMOUS: MapRequest = MapRequest {
    address: 0,
    length: PAGE,
    protection: READ_WRITE,
    flags: MapFlags::PRIVATE,
    descriptor: None,
    offset: 0,
};

fn of_file(descriptor: Fd, flags: MapFlags, protection: Protection) -> MapRequest {
    MapRequest {
        protection,
        flags,
        descriptor: Some(descriptor),
        ..ANONYMOUS
    }
}

struct Files {
    memory: Fd,
    disk: Fd,
    rom: Fd,
}

fn system() -> (System, Files) {
    let config = Config {
        processes: 3,
        uninitialized: true,
        ..Config::default()
    };
    let memory = FlatMemory::new(&config).unwrap();
    let mut system = Engine::new(config, memory).unwrap();
    let all = OpenFlags::READ | OpenFlags::WRITE | OpenFlags::CREATE;
    let files = Files {
        memory: system.open(PID, "/ram/a", all).unwrap(),
        disk: system.open(PID, "/disk/a", OpenFlags::READ).unwrap(),
        rom: system.open(PID, "/rom/a", OpenFlags::READ).unwrap(),
    };
    system.ftruncate(PID, files.memory, 3 * PAGE).unwrap();
    for pid in 0..3 {
        for pages in 1..4 {
            let length = pages * PAGE;
            let request = MapRequest {
                length,
                ..ANONYMOUS
            };
            system.mmap(Pid(pid), &request).unwrap();
        }
    }
    let shared = of_file(files.memory, MapFlags::SHARED, READ_WRITE);
    system.mmap(PID, &shared).unwrap();
    let text = of_file(files.rom, MapFlags::PRIVATE, Protection::READ);
    system.mmap(PID, &text).unwrap();
    system.shmget(PID, 1, PAGE, SegmentFlags::CREATE).unwrap();
    (system, files)
}

/// Everything that can be looked at, contents aside, into buffers that are used again.
#[derive(Default)]
struct Seen {
    mappings: Vec<nommu_engine::MappingView>,
    regions: Vec<nommu_engine::RegionView>,
    free: Vec<nommu_engine::FreeBlockView>,
    files: Vec<nommu_engine::FileView>,
    runs: Vec<nommu_engine::FileRunView>,
    segments: Vec<nommu_engine::SegmentView>,
    drivers: Vec<nommu_engine::DriverView>,
}

fn look(system: &System, seen: &mut Seen) {
    seen.mappings.clear();
    for pid in system.processes() {
        seen.mappings.extend(system.mappings(pid));
    }
    seen.regions.clear();
    seen.regions.extend(system.regions());
    seen.free.clear();
    seen.free.extend(system.free_blocks());
    seen.files.clear();
    seen.runs.clear();
    for file in system.files() {
        seen.files.push(file);
        seen.runs.extend(system.file_runs(file.number));
    }
    seen.segments.clear();
    seen.segments.extend(system.segments());
    seen.drivers.clear();
    seen.drivers.extend(system.drivers());
}

fn row(name: &str, calls: u64, mut work: impl FnMut(&mut System, &Files)) {
    let (mut system, files) = system();
    let cost = nanoseconds(STEPS * calls, || {
        for _ in 0..STEPS {
            work(&mut system, &files);
        }
    });
    println!("{name:<52} {cost:>9.1}");
}

fn map_and_unmap(system: &mut System, request: &MapRequest) {
    let address = system.mmap(PID, black_box(request)).unwrap();
    system.munmap(PID, address, request.length).unwrap();
}

fn main() {
    println!("nanoseconds per call (of the calls in a row, each counted)");
    let uninitialized = MapRequest {
        flags: MapFlags::PRIVATE.union(MapFlags::UNINITIALIZED),
        ..ANONYMOUS
    };
    row("mmap, munmap: anonymous page, cleared", 2, |system, _| {
        map_and_unmap(system, &ANONYMOUS);
    });
    row(
        "mmap, munmap: anonymous page, not cleared",
        2,
        |system, _| {
            map_and_unmap(system, &uninitialized);
        },
    );
    row(
        "mmap, munmap: shared memory-backed file",
        2,
        |system, files| {
            map_and_unmap(system, &of_file(files.memory, MapFlags::SHARED, READ_WRITE));
        },
    );
    row(
        "mmap, munmap: private copy of a file's page",
        2,
        |system, files| {
            map_and_unmap(system, &of_file(files.disk, MapFlags::PRIVATE, READ_WRITE));
        },
    );
    row(
        "mmap, munmap: re-used direct mapping",
        2,
        |system, files| {
            map_and_unmap(
                system,
                &of_file(files.rom, MapFlags::PRIVATE, Protection::READ),
            );
        },
    );
    row("mmap, munmap middle, munmap rest twice", 4, |system, _| {
        let request = MapRequest {
            length: 3 * PAGE,
            ..uninitialized
        };
        let address = system.mmap(PID, &request).unwrap();
        system.munmap(PID, address + PAGE, PAGE).unwrap();
        system.munmap(PID, address, PAGE).unwrap();
        system.munmap(PID, address + 2 * PAGE, PAGE).unwrap();
    });
    row("mmap, mremap twice, munmap", 4, |system, _| {
        let request = MapRequest {
            length: 2 * PAGE,
            ..uninitialized
        };
        let address = system.mmap(PID, &request).unwrap();
        let flags = RemapFlags::MAYMOVE;
        system
            .mremap(PID, address, 2 * PAGE, PAGE, flags, 0)
            .unwrap();
        system
            .mremap(PID, address, PAGE, 2 * PAGE, flags, 0)
            .unwrap();
        system.munmap(PID, address, 2 * PAGE).unwrap();
    });
    let (system_, _) = system();
    let address = system_.mappings(PID).next().unwrap().start;
    let mut out = Vec::new();
    row("store, load: 16 bytes", 2, |system, _| {
        let source = Source::Fill { byte: 7, count: 16 };
        system.store(PID, black_box(address), source).unwrap();
        system.load(PID, address, 16, &mut out).unwrap();
    });
    row(
        "write, read: 16 bytes of a memory-backed file",
        2,
        |system, files| {
            let source = Source::Fill { byte: 7, count: 16 };
            system.write(PID, files.memory, PAGE, source).unwrap();
            system.read(PID, files.memory, PAGE, 16, &mut out).unwrap();
        },
    );
    row("open, close", 2, |system, _| {
        let fd = system.open(PID, "/disk/b", OpenFlags::READ).unwrap();
        system.close(PID, fd).unwrap();
    });
    row(
        "open, ftruncate to 3 pages, close, unlink",
        4,
        |system, _| {
            let flags = OpenFlags::WRITE | OpenFlags::CREATE;
            let fd = system.open(PID, "/ram/b", flags).unwrap();
            system.ftruncate(PID, fd, 3 * PAGE).unwrap();
            system.close(PID, fd).unwrap();
            system.unlink(PID, "/ram/b").unwrap();
        },
    );
    row("shmget, shmat, shmdt, shmctl remove", 4, |system, _| {
        let segment = system.shmget(PID, 0, PAGE, SegmentFlags::empty()).unwrap();
        let address = system.shmat(PID, segment, false).unwrap();
        system.shmdt(PID, address).unwrap();
        system.shm_remove(PID, segment).unwrap();
    });
    row("a call that fails: munmap of nothing", 1, |system, _| {
        let _ = black_box(system.munmap(PID, black_box(0x1000), PAGE));
    });
    let mut seen = Seen::default();
    row("looking at everything, contents aside", 1, |system, _| {
        look(system, black_box(&mut seen));
    });
    println!(
        "(that is {} mappings, {} regions, {} free blocks, {} files)",
        seen.mappings.len(),
        seen.regions.len(),
        seen.free.len(),
        seen.files.len()
    );
    let (system, _) = system_and_copy();
    let clones = nanoseconds(STEPS, || {
        for _ in 0..STEPS {
            black_box(system.clone());
        }
    });
    println!(
        "{:<52} {clones:>9.1}",
        "clone of a system with 64 pages of 16 bytes"
    );
}

/// A system as the exhaustive checker has them: what is cloned is mostly records.
fn system_and_copy() -> (System, u64) {
    let config = Config {
        page_size: 16,
        processes: 2,
        ..Config::default()
    };
    let memory = FlatMemory::new(&config).unwrap();
    let mut system = Engine::new(config, memory).unwrap();
    let mut last = 0;
    for pages in 1..4 {
        let request = MapRequest {
            length: pages * 16,
            ..ANONYMOUS
        };
        last = system.mmap(PID, &request).unwrap();
    }
    (system, last)
}
