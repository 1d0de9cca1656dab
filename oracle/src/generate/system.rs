//! Segments, futexes, listings, drivers, and what is not there.

use super::Generator;
use super::source::Source;
use nommu_model::observation::Object;
use nommu_model::op::{
    Address, Answer, Call, Capabilities, Operation, Path, Process, Script, SegmentFlags,
    SegmentName, UnsupportedCall,
};
use nommu_model::outcome::Errno;
use nommu_model::world::World;
use nommu_model::world::contents::Expected;

impl Generator {
    pub(super) fn trim(&mut self, source: &mut Source<'_, '_>) -> Operation {
        Operation::SetTrim(source.weighted(&[
            (4, 0),
            (4, 1),
            (4, 2),
            (3, 3),
            (1, 4),
            (1, 7),
            (1, 8),
            (1, 64),
            // The ends of what an int holds.
            (1, (1 << 31) - 1),
            (1, 1 << 31),
            (1, 1 << 32),
            (1, u64::MAX),
        ]))
    }

    pub(super) fn driver(&mut self, source: &mut Source<'_, '_>) -> Operation {
        let scripted = |path: &&Path| matches!(&*path.0, "/dev/chr0" | "/dev/chr1" | "/dev/mtd0");
        let path = match self.focus.paths.iter().find(scripted) {
            Some(path) if !source.rarely(40) => path.clone(),
            _ => Path(source.pick(&["/dev/chr0", "/dev/mtd0", "/dev/chr1"]).into()),
        };
        let mut script = Script::default();
        let answer = |source: &mut Source<'_, '_>| match source.below(8) {
            0..=2 => Answer::Ok,
            3..=5 => Answer::Error(Errno::ENOSYS),
            _ => Answer::Error(source.pick(&[
                Errno::EINVAL,
                Errno::EBUSY,
                Errno::ENODEV,
                Errno::ENOMEM,
                Errno::EIO,
                Errno::EAGAIN,
            ])),
        };
        match source.below(8) {
            0..=2 => {
                script.capabilities = Some(match source.below(8) {
                    0 | 1 => None,
                    2 | 3 => Some(Capabilities::all()),
                    4 => Some(Capabilities::all() - Capabilities::DIRECT),
                    5 => Some(Capabilities::all() - Capabilities::COPY),
                    6 => Some(
                        Capabilities::COPY
                            | Capabilities::DIRECT
                            | Capabilities::READ
                            | Capabilities::EXEC,
                    ),
                    _ => Some(Capabilities::from_bits_truncate(source.byte())),
                });
            }
            3 | 4 => {
                script.area = Some(if source.rarely(50) {
                    Answer::Absent
                } else {
                    answer(source)
                });
            }
            5 => script.mmap = Some(answer(source)),
            6 => script.read = Some(source.evenly()),
            _ => script.busy = Some(source.evenly()),
        }
        if source.rarely(40) {
            script.capabilities = Some(Some(Capabilities::all()));
        }
        Operation::Driver(path, script)
    }

    pub(super) fn shmget(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        let flags = source.weighted(&[
            (12, SegmentFlags::CREATE),
            (2, SegmentFlags::empty()),
            (2, SegmentFlags::all()),
            // Without the other flag it means nothing.
            (1, SegmentFlags::EXCLUSIVE),
        ]);
        Call::Shmget {
            result: self.new_segment(),
            key: source.weighted(&[(4, 1), (2, 0), (1, 2), (1, u32::MAX)]),
            size: self.length(world, source),
            flags,
        }
    }

    /// A segment's name, one of a segment that lives rather than another.
    fn segment(&mut self, world: &World, source: &mut Source<'_, '_>) -> Option<SegmentName> {
        if self.segments == 0 {
            return None;
        }
        let first = source.below(usize::from(self.segments)) as u16;
        let lives = |name: &SegmentName| {
            world
                .segment_name(*name)
                .is_some_and(|segment| !segment.dead)
        };
        if source.rarely(self.focus.strange) {
            return Some(SegmentName(first));
        }
        let names = (first..self.segments).chain(0..first).map(SegmentName);
        names.clone().find(lives)
    }

    pub(super) fn shmat(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        match self.segment(world, source) {
            Some(segment) => Call::Shmat {
                result: self.new_mapping(),
                segment,
                read_only: source.rarely(60),
            },
            None => self.shmget(world, source),
        }
    }

    pub(super) fn shmdt(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        if source.rarely(self.focus.strange) {
            return Call::Shmdt(self.stale(source));
        }
        let segments = || {
            world
                .space_of(process)
                .into_iter()
                .flat_map(|space| &space.mappings)
                .filter(|mapping| matches!(mapping.object, Some(Object::Segment(_))))
        };
        let count = segments().count().min(256);
        let mapping = if count == 0 {
            None
        } else {
            segments().nth(source.below(count))
        };
        match mapping {
            Some(mapping) => {
                let size = self.focus.header.page_size;
                // Sometimes in the middle of it, where nothing is attached.
                let into = match source.below(16) {
                    0 => source.pick(&[1, size / 2, size]),
                    _ => 0,
                };
                Call::Shmdt(self.named(world, mapping.start + into))
            }
            None => self.shmat(world, source),
        }
    }

    pub(super) fn shm_remove(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        match self.segment(world, source) {
            Some(segment) => Call::ShmRemove(segment),
            None => self.shmget(world, source),
        }
    }

    pub(super) fn shm_stat(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        match self.segment(world, source) {
            Some(segment) => Call::ShmStat(segment),
            None => self.shmget(world, source),
        }
    }

    /// The address of a futex.
    pub(super) fn word(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Address {
        let Some(mapping) = self.mapping(world, process, source).copied() else {
            return self.stale(source);
        };
        let whole = mapping.end - mapping.start;
        let from = match source.below(16) {
            0..=9 => source.between(0, whole / 4 - 1) * 4,
            10 | 11 => whole - 4,
            12 => whole,
            13 => source.between(0, whole - 1),
            14 => whole - 2,
            _ => 0u64.wrapping_sub(4),
        };
        self.named(world, mapping.start.wrapping_add(from))
    }

    pub(super) fn futex_wait(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let address = self.word(world, process, source);
        let place = world.address(address);
        let size = self.focus.header.page_size;
        let within = (place % size) as usize;
        let holds = match world.expected_page(place - place % size) {
            Expected::Bytes(bytes) => bytes
                .get(within..within + 4)
                .and_then(|word| word.try_into().ok())
                .map(u32::from_le_bytes),
            Expected::Anything => None,
        };
        Call::FutexWait {
            address,
            expected: match holds {
                Some(word) if source.evenly() => word,
                _ => source.pick(&[0, 1, 0x4141_4141]),
            },
        }
    }

    pub(super) fn chunk(&mut self, source: &mut Source<'_, '_>) -> u64 {
        source.pick(&[0, 1, 7, 64, 4096])
    }

    pub(super) fn unsupported(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let (address, length) = self.run(world, process, source);
        Call::Unsupported {
            call: source.pick(&[
                UnsupportedCall::Mprotect,
                UnsupportedCall::Msync,
                UnsupportedCall::Mlock,
                UnsupportedCall::Madvise,
                UnsupportedCall::Mincore,
            ]),
            address,
            length,
        }
    }
}
