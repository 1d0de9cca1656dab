//! Any calls, in any order, leave the engine's records in agreement; and a call that fails
//! changes nothing that can be seen.

use nommu_engine::{
    Answer, Capabilities, Config, Engine, Errno, Fd, FileView, FlatMemory, MapFlags, MapRequest,
    MapsPosition, OpenFlags, Pid, Protection, RemapFlags, Script, SegmentFlags, SegmentNumber,
    Source,
};
use quickcheck::{Gen, QuickCheck};

const PAGE: u64 = 64;
const PATHS: [&str; 12] = [
    "/ram/a",
    "/ram/b",
    "/ram/c",
    "/disk/a",
    "/disk/b",
    "/rom/a",
    "/dev/ram0",
    "/dev/chr0",
    "/dev/mtd0",
    "/dev/blk0",
    "/ram",
    "/dev/chr1",
];

/// A choice of calls and arguments by a stream of random bytes.
struct Chooser<'a>(std::slice::Iter<'a, u8>);

impl Chooser<'_> {
    fn below(&mut self, limit: u64) -> u64 {
        let byte = u64::from(self.0.next().copied().unwrap_or(0));
        byte % limit
    }

    fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    fn length(&mut self) -> u64 {
        match self.below(16) {
            0 => 0,
            1 => u64::MAX - self.below(3) * 63,
            2 => 1 << self.below(64),
            3..=5 => self.below(250),
            _ => PAGE * (1 + self.below(7)),
        }
    }

    fn offset(&mut self) -> u64 {
        match self.below(12) {
            0 => u64::MAX - 63 - self.below(2) * 64,
            1 => self.below(250),
            2 => 1 << self.below(64),
            _ => PAGE * self.below(6),
        }
    }

    fn address(&mut self, known: &[u64]) -> u64 {
        let base = match known.len() as u64 {
            0 => 0,
            count => known[self.below(count) as usize],
        };
        match self.below(8) {
            0 => u64::MAX - self.below(5),
            1 => base + self.below(200),
            2 | 3 => base + PAGE * self.below(5),
            _ => base,
        }
    }

    fn protection(&mut self) -> Protection {
        Protection::from_bits_truncate(self.below(8) as u8)
    }

    fn answer(&mut self) -> Option<Answer> {
        match self.below(6) {
            0 => Some(Answer::Absent),
            1 => Some(Answer::Error(Errno::ENOSYS)),
            2 => Some(Answer::Error(Errno::EACCES)),
            3 => None,
            _ => Some(Answer::Ok),
        }
    }
}

/// Everything that can be seen, but for drivers' counters.
fn seen(engine: &Engine<FlatMemory>) -> String {
    let mut text = String::new();
    for pid in engine.processes() {
        let mappings: Vec<_> = engine.mappings(pid).collect();
        text += &format!("{pid:?} {mappings:?}\n");
    }
    for region in engine.regions() {
        text += &format!("{region:?}\n");
    }
    for file in engine.files() {
        let runs: Vec<_> = engine.file_runs(file.number).collect();
        let mut bytes = vec![0; file.size.min(PAGE * 20) as usize];
        engine.file_contents(file.number, 0, &mut bytes);
        let file = FileView {
            driver: None,
            ..file
        };
        text += &format!("{file:?} {runs:?} {bytes:?}\n");
    }
    let segments: Vec<_> = engine.segments().collect();
    let free: Vec<_> = engine.free_blocks().collect();
    text + &format!("{segments:?} {free:?} {}", engine.copied_pages())
}

#[derive(Default)]
struct Known {
    addresses: Vec<u64>,
    processes: u32,
}

/// One call. Whether it succeeded.
fn step(engine: &mut Engine<FlatMemory>, chooser: &mut Chooser<'_>, known: &mut Known) -> bool {
    let pid = Pid(chooser.below(u64::from(known.processes) + 1) as u32);
    let other = Pid(chooser.below(u64::from(known.processes) + 1) as u32);
    let fd = Fd(chooser.below(6) as u32);
    let path = PATHS[chooser.below(PATHS.len() as u64) as usize];
    let mut out = Vec::new();
    let fill = Source::Fill {
        byte: chooser.below(256) as u8,
        count: if chooser.below(20) == 0 {
            u64::MAX
        } else {
            chooser.below(200)
        },
    };
    match chooser.below(34) {
        0..=5 => {
            let request = MapRequest {
                length: chooser.length(),
                protection: chooser.protection(),
                flags: [
                    MapFlags::PRIVATE,
                    MapFlags::SHARED,
                    MapFlags::PRIVATE | MapFlags::UNINITIALIZED,
                    MapFlags::PRIVATE,
                ][chooser.below(4) as usize],
                descriptor: chooser.bool().then_some(fd),
                offset: if chooser.bool() { 0 } else { chooser.offset() },
                ..MapRequest::default()
            };
            let result = engine.mmap(pid, &request);
            known.addresses.extend(result.ok());
            result.is_ok()
        }
        6..=8 => {
            let address = chooser.address(&known.addresses);
            engine.munmap(pid, address, chooser.length()).is_ok()
        }
        9 | 10 => {
            let address = chooser.address(&known.addresses);
            let flags = RemapFlags::from_bits_truncate(chooser.below(4) as u32);
            let (old, new) = (chooser.length(), chooser.length());
            engine
                .mremap(pid, address, old, new, flags, address)
                .is_ok()
        }
        11 => {
            let address = chooser.address(&known.addresses);
            engine
                .load(pid, address, chooser.length(), &mut out)
                .is_ok()
        }
        12 | 13 => {
            let address = chooser.address(&known.addresses);
            engine.store(pid, address, fill).is_ok()
        }
        14 | 15 => {
            let flags = OpenFlags::from_bits_truncate(chooser.below(16) as u8);
            engine.open(pid, path, flags).is_ok()
        }
        16 => engine.close(pid, fd).is_ok(),
        17 => engine.dup(pid, fd).is_ok(),
        18 => {
            let offset = chooser.offset();
            engine
                .read(pid, fd, offset, chooser.length(), &mut out)
                .is_ok()
        }
        19 => {
            let offset = chooser.offset();
            engine.write(pid, fd, offset, fill).is_ok()
        }
        20 | 21 => engine.ftruncate(pid, fd, chooser.length()).is_ok(),
        22 => engine.truncate(pid, path, chooser.length()).is_ok(),
        23 => engine.unlink(pid, path).is_ok(),
        24 => {
            let child = match chooser.below(3) {
                0 => engine.vfork(pid),
                1 => engine.clone_process(pid, chooser.bool()),
                _ => engine.fork(pid),
            };
            known.processes += u32::from(child.is_ok());
            child.is_ok()
        }
        25 => engine.exec(pid, path, chooser.length()).is_ok(),
        26 if pid != Pid(0) => engine.exit(pid).is_ok(),
        27 => match chooser.bool() {
            true => engine.ptrace_attach(pid, other).is_ok(),
            false => engine.ptrace_detach(pid, other).is_ok(),
        },
        28 => {
            let address = chooser.address(&known.addresses);
            match chooser.bool() {
                true => engine.ptrace_poke(pid, other, address, fill).is_ok(),
                false => {
                    let length = chooser.length();
                    engine
                        .ptrace_peek(pid, other, address, length, &mut out)
                        .is_ok()
                }
            }
        }
        29 => {
            let flags = SegmentFlags::from_bits_truncate(chooser.below(4) as u8);
            let key = chooser.below(3) as u32;
            engine.shmget(pid, key, chooser.length(), flags).is_ok()
        }
        30 => {
            let segment = SegmentNumber(chooser.below(5) as u32);
            let result = engine.shmat(pid, segment, chooser.bool());
            known.addresses.extend(result.ok());
            result.is_ok()
        }
        31 => match chooser.bool() {
            true => engine
                .shm_remove(pid, SegmentNumber(chooser.below(5) as u32))
                .is_ok(),
            false => engine.shmdt(pid, chooser.address(&known.addresses)).is_ok(),
        },
        32 => {
            let script = Script {
                capabilities: (chooser.below(3) == 0)
                    .then(|| Some(Capabilities::from_bits_truncate(chooser.below(32) as u8))),
                area: chooser.answer(),
                mmap: chooser.answer(),
                read: Some(chooser.bool()),
                busy: Some(chooser.below(4) == 0),
            };
            engine.set_driver(path, &script).is_ok()
        }
        _ => {
            let _ = engine.set_trim(chooser.below(4));
            let address = chooser.address(&known.addresses);
            let _ = engine.futex_wait(pid, address, 0);
            let _ = engine.futex_wake(pid, address, 1);
            true
        }
    }
}

fn config(chooser: &mut Chooser<'_>) -> Config {
    Config {
        page_size: PAGE,
        pages: [16, 33, 64, 65, 100][chooser.below(5) as usize],
        trim: chooser.below(3),
        uninitialized: chooser.bool(),
        processes: 2,
    }
}

fn start(config: Config) -> (Engine<FlatMemory>, Known) {
    let memory = FlatMemory::new(&config).unwrap();
    let engine = Engine::new(config, memory).unwrap();
    let known = Known {
        processes: 2,
        ..Known::default()
    };
    (engine, known)
}

/// Long streams, since quickcheck's own grow slowly.
fn stream(seed: u64, length: usize) -> Vec<u8> {
    let mut generator = Gen::from_size_and_seed(length, seed);
    (0..length)
        .map(|_| *generator.choose(&BYTES).unwrap())
        .collect()
}

const BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut index = 0;
    while index < 256 {
        bytes[index] = index as u8;
        index += 1;
    }
    bytes
};

#[test]
fn records_agree_after_any_calls() {
    fn law(bytes: Vec<u8>) {
        let mut chooser = Chooser(bytes.iter());
        let (mut engine, mut known) = start(config(&mut chooser));
        while !chooser.0.as_slice().is_empty() {
            let before = seen(&engine);
            let succeeded = step(&mut engine, &mut chooser, &mut known);
            assert_eq!(engine.check(), Ok(()));
            if !succeeded {
                assert_eq!(
                    seen(&engine),
                    before,
                    "a call that failed changed something"
                );
            }
        }
    }
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(100, 0))
        .tests(100)
        .quickcheck(law as fn(Vec<u8>));
    for seed in 0..80 {
        law(stream(seed, 4000));
    }
}

#[test]
fn any_allocation_may_fail() {
    let mut fired = 0;
    for seed in 0..60 {
        let bytes = stream(seed, 3000);
        let mut chooser = Chooser(bytes.iter());
        let (mut engine, mut known) = start(config(&mut chooser));
        while !chooser.0.as_slice().is_empty() {
            let before = seen(&engine);
            engine.fail_allocation(1 + chooser.below(4));
            let succeeded = step(&mut engine, &mut chooser, &mut known);
            assert_eq!(engine.check(), Ok(()));
            if engine.allocation_failed() {
                fired += 1;
                assert!(!succeeded, "a call succeeded although an allocation failed");
                assert_eq!(seen(&engine), before);
            }
        }
    }
    assert!(fired > 300, "allocations failed {fired} times only");
}

#[test]
fn listings_are_the_same_in_chunks_of_any_size() {
    for seed in 0..20 {
        let bytes = stream(seed, 2000);
        let mut chooser = Chooser(bytes.iter());
        let (mut engine, mut known) = start(config(&mut chooser));
        while !chooser.0.as_slice().is_empty() {
            step(&mut engine, &mut chooser, &mut known);
        }
        let read = |size: usize, system: bool| {
            let mut position = MapsPosition::default();
            let mut text = Vec::new();
            let mut chunk = vec![0; size];
            loop {
                let count = match system {
                    true => engine.read_system_maps(&mut position, &mut chunk),
                    false => engine.read_process_maps(Pid(0), &mut position, &mut chunk),
                };
                match count.unwrap() {
                    0 => return String::from_utf8(text).unwrap(),
                    count => text.extend_from_slice(&chunk[..count]),
                }
            }
        };
        let whole = read(1 << 20, true);
        assert_eq!(whole.lines().count(), engine.regions().count());
        let own = read(1 << 20, false);
        assert_eq!(own.lines().count(), engine.mappings(Pid(0)).count());
        for size in [1, 2, 7, 50, 80, 81, 200] {
            assert_eq!(read(size, true), whole);
            assert_eq!(read(size, false), own);
        }
    }
}
