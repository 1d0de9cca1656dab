//! Answers that no system gives, to operations that no program makes: nothing panics, and what
//! is accepted leaves a world that agrees with itself.

use super::bench::*;
use crate::observation::{MappingView, Object, RegionView, Sight};
use crate::op::*;
use crate::outcome::{Errno, Outcome, Value};

/// A linear congruential generator: the same numbers for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) % sides
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len() as u64) as usize]
    }

    fn number(&mut self) -> u64 {
        let small = self.roll(6 * PAGE);
        match self.roll(8) {
            0 => u64::MAX - small,
            1 => (1 << 63) + small,
            2 => (1 << self.roll(64)) - self.roll(2),
            3 => small,
            _ => PAGE * self.roll(5),
        }
    }

    fn place(&mut self) -> u64 {
        match self.roll(4) {
            0 => self.number(),
            1 => page(self.roll(18)) + self.roll(2),
            2 => 0x8000 + PAGE * self.roll(4),
            _ => page(self.roll(16)),
        }
    }

    fn address(&mut self) -> Address {
        match self.roll(3) {
            0 => Address::Of(MappingName(self.roll(8) as u16), self.number() as i64),
            _ => Address::Absolute(self.place()),
        }
    }

    fn fill(&mut self) -> Fill {
        let count = self.number();
        let count = if count > 1 << 20 && count <= 1 << 30 {
            3
        } else {
            count
        };
        bytes(self.roll(256) as u8, count)
    }

    fn path(&mut self) -> Path {
        let paths = [
            "/ram/a",
            "/ram/b",
            "/disk/a",
            "/disk/n",
            "/rom/a",
            "/dev/ram0",
            "/dev/chr0",
            "/dev/mtd0",
        ];
        Path(self.pick(&paths).into())
    }

    fn descriptor(&mut self) -> Descriptor {
        Descriptor(self.roll(12) as u16)
    }

    fn protection(&mut self) -> Protection {
        Protection::from_bits_truncate(self.roll(8) as u8)
    }

    fn operation(&mut self, next: u16) -> Operation {
        let process = self.roll(u64::from(next) + 1) as u16;
        let result = MappingName(self.roll(8) as u16);
        let other = Process(self.roll(5) as u16);
        let segment = SegmentName(self.roll(3) as u16);
        let descriptor = self.descriptor();
        by(
            process,
            match self.roll(25) {
                0..=4 => Call::Mmap(Mmap {
                    result,
                    address: (self.roll(20) == 0).then(|| self.address()),
                    length: self.number(),
                    protection: self.protection(),
                    flags: MapFlags::from_bits_truncate(self.pick(&[1, 2, 2, 2, 3, 6, 10])),
                    descriptor: (self.roll(3) > 0).then_some(descriptor),
                    offset: self.number(),
                }),
                5 => Call::Munmap {
                    address: self.address(),
                    length: self.number(),
                },
                6 => Call::Mremap {
                    result,
                    address: self.address(),
                    old_length: self.number(),
                    new_length: self.number(),
                    flags: RemapFlags::from_bits_truncate(self.roll(4) as u8),
                    new_address: (self.roll(2) == 0).then(|| self.address()),
                },
                7 => Call::Load {
                    address: self.address(),
                    length: self.number(),
                },
                8 => Call::Store {
                    address: self.address(),
                    data: self.fill(),
                },
                9..=10 => Call::Open {
                    result: descriptor,
                    path: self.path(),
                    flags: OpenFlags::from_bits_truncate(self.pick(&[1, 3, 7, 7, 15])),
                },
                11 => Call::Close(descriptor),
                12 => Call::Read {
                    descriptor,
                    offset: self.number(),
                    length: self.number(),
                },
                13 => Call::Write {
                    descriptor,
                    offset: self.number(),
                    data: self.fill(),
                },
                14..=15 => Call::Ftruncate {
                    descriptor,
                    length: self.number(),
                },
                16 => Call::Unlink(self.path()),
                17 => Call::Clone {
                    result: Process(next),
                    shares_memory: true,
                },
                18 => Call::Exec {
                    path: self.path(),
                    stack: self.number(),
                },
                19 => Call::PtraceAttach(other),
                20 => Call::PtracePeek {
                    process: other,
                    address: self.address(),
                    length: self.number(),
                },
                21 => Call::PtracePoke {
                    process: other,
                    address: self.address(),
                    data: self.fill(),
                },
                22 => Call::Shmget {
                    result: segment,
                    key: self.roll(3) as u32,
                    size: self.number(),
                    flags: SegmentFlags::CREATE,
                },
                23 => Call::Shmat {
                    result,
                    segment,
                    read_only: self.roll(2) == 0,
                },
                _ => Call::Shmdt(self.address()),
            },
        )
    }

    fn outcome(&mut self) -> Outcome {
        match self.roll(10) {
            0..=4 => at(self.place()),
            5 => count(self.number()),
            6 => read(&vec![0; self.roll(40) as usize]),
            7 => error(self.pick(Errno::ALL)),
            8 => Outcome::Ok(Value::Segment {
                size: self.number(),
                attached: 1,
            }),
            _ => done(),
        }
    }

    fn mapping(&mut self) -> MappingView {
        MappingView {
            start: self.place(),
            end: self.place(),
            protection: self.protection(),
            shared: self.roll(2) == 0,
            object: (self.roll(2) == 0).then(|| Object::File(self.roll(14) as u16)),
            offset: self.number(),
        }
    }

    fn show(&mut self, bench: &mut Bench) {
        bench.sight = Sight::from_bits_truncate(self.roll(1 << 10) as u16) - Sight::FREE_BLOCKS;
        let pages: Vec<_> = (0..4)
            .map(|_| (self.roll(4) > 0).then(|| self.roll(17)))
            .collect();
        let (file, segment) = (12 + self.roll(2) as u16, self.roll(3) as u16);
        let (sight, place, size) = (bench.sight, self.place(), self.number());
        bench.shows_file(file, size, &pages);
        bench.shows_segment(segment, size, place);
        let mappings = (0..self.roll(3)).map(|_| self.mapping()).collect();
        bench.shows_mappings(self.roll(4) as u16, mappings);
        bench.seen.regions = vec![RegionView {
            start: place,
            end: self.place(),
            top: size,
            protection: self.protection(),
            object: None,
            offset: size,
            copy: true,
            users: 1,
        }];
        bench.sight = sight;
    }
}

#[test]
fn nothing_panics() {
    let mut accepted = 0;
    for seed in 0..100 {
        let mut dice = Dice(seed);
        let mut bench = Bench::with(|config| {
            config.trim = seed % 3;
            if seed % 4 == 0 {
                config.window = None;
            }
        });
        for _ in 0..300 {
            let operation = dice.operation(bench.world.processes.len() as u16);
            if bench.world.performable(&operation).is_err() {
                continue;
            }
            for _ in 0..4 {
                dice.show(&mut bench);
                let outcome = dice.outcome();
                let before = bench.world.clone();
                if bench.try_step(&operation, &outcome) {
                    accepted += usize::from(!matches!(outcome, Outcome::Error(_)));
                    break;
                }
                bench.world = before;
            }
            let seen = bench.world.observe();
            assert_eq!(bench.world.compare(&seen, Sight::all()), Ok(()));
        }
        assert!(!bench.world.render().is_empty());
    }
    assert!(accepted > 1000, "only {accepted} answers were accepted");
}
