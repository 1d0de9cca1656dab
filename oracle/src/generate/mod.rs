//! One generator of operations for campaigns, proptest, quickcheck and fuzzers.
//!
//! It turns bytes into operations, with an eye on the world that they meet: most have a
//! meaning there, some are wrong on purpose, and every input is repaired rather than refused.
//! Each trace has a [`Focus`]. What it was meant to reach is tested, so that it cannot
//! silently stop getting there.
//!
//! Start reading at [`Generator::next`].

mod ending;
mod files;
mod focus;
mod memory;
mod numbers;
mod processes;
mod source;
mod system;
#[cfg(test)]
mod tests;

pub use focus::{Family, Focus};
pub use source::{Source, Weights};

use arbitrary::Unstructured;
use nommu_model::op::{
    Address, Call, Descriptor, MappingName, Operation, Path, Process, SegmentName,
};
use nommu_model::world::World;
use nommu_model::world::space::Mapping;

/// What is settled for all traces.
#[derive(Clone, Debug)]
pub struct Options {
    /// Operations of a trace at most, its end not counted.
    pub length: usize,
    /// Bytes of a page; by trace, if not given.
    pub page_size: Option<u64>,
    /// Pages; by trace, if not given.
    pub pages: Option<u64>,
    /// The trim watermark at the start; by trace, if not given.
    pub trim: Option<u64>,
    /// Whether uninitialised memory is configured; by trace, if not given.
    pub uninitialized: Option<bool>,
    /// The profile that traces are judged by.
    pub profile: String,
    /// Whether programs only touch what they have mapped: on a real machine without an MMU, a
    /// stray store may hit anything.
    pub careful: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            length: 100,
            page_size: None,
            pages: None,
            trim: None,
            uninitialized: None,
            profile: "documented".to_owned(),
            careful: false,
        }
    }
}

impl Options {
    /// Bytes that are enough for a trace.
    pub fn bytes(&self) -> usize {
        self.length * 24 + 64
    }
}

/// Makes one trace.
#[derive(Clone, Debug)]
pub struct Generator {
    focus: Focus,
    careful: bool,
    /// How often each kind is made, by the focus.
    kinds: Weights<Kind>,
    made: usize,
    mappings: u16,
    descriptors: u16,
    segments: u16,
    processes: u16,
    /// Operations of the end.
    ending: Option<usize>,
    /// Operations to follow the last one, nearest last.
    planned: Vec<Operation>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    MapAnonymous,
    MapFile,
    Unmap,
    Remap,
    Load,
    Store,
    Open,
    Close,
    Dup,
    Read,
    Write,
    Ftruncate,
    Truncate,
    Unlink,
    PipeOrSocket,
    Fork,
    Vfork,
    Clone,
    Exec,
    Exit,
    Attach,
    Detach,
    Peek,
    Poke,
    Shmget,
    Shmat,
    Shmdt,
    ShmRemove,
    ShmStat,
    FutexWait,
    FutexWake,
    SystemMaps,
    ProcessMaps,
    Trim,
    Driver,
    Unsupported,
}

/// How often something is repeated in a trace that has repetitions, of 256.
const REPEATED: u8 = 12;

/// Kinds that every trace has.
const ALWAYS: [(u16, Kind); 3] = [(60, Kind::Unmap), (16, Kind::Load), (30, Kind::Store)];

/// Kinds of each family, in the order of [`Family::ALL`].
const KINDS: [&[(u16, Kind)]; 10] = [
    &[(12, Kind::MapAnonymous), (5, Kind::Remap)],
    &[
        (14, Kind::MapFile),
        (4, Kind::Open),
        (2, Kind::Close),
        (1, Kind::Dup),
        (2, Kind::Read),
        (3, Kind::Write),
        (4, Kind::Ftruncate),
        (2, Kind::Truncate),
        (1, Kind::Unlink),
        (1, Kind::Remap),
    ],
    &[(5, Kind::Driver), (5, Kind::MapFile)],
    &[
        (1, Kind::Fork),
        (2, Kind::Vfork),
        (2, Kind::Clone),
        (3, Kind::Exec),
        (2, Kind::Exit),
    ],
    &[
        (2, Kind::Attach),
        (1, Kind::Detach),
        (2, Kind::Peek),
        (3, Kind::Poke),
    ],
    &[
        (3, Kind::Shmget),
        (4, Kind::Shmat),
        (2, Kind::Shmdt),
        (1, Kind::ShmRemove),
        (1, Kind::ShmStat),
    ],
    &[(2, Kind::FutexWait), (1, Kind::FutexWake)],
    &[(1, Kind::SystemMaps), (1, Kind::ProcessMaps)],
    &[(3, Kind::Trim), (3, Kind::MapAnonymous), (2, Kind::Remap)],
    &[(1, Kind::PipeOrSocket), (1, Kind::Unsupported)],
];

impl Generator {
    /// Begins a trace.
    pub fn new(bytes: &mut Unstructured<'_>, options: &Options) -> Self {
        let focus = Focus::choose(&mut Source::new(bytes), options);
        let families = focus.shares.iter().zip(KINDS);
        let kinds = families
            .filter(|&(&share, _)| share > 0)
            .flat_map(|(share, family)| {
                family
                    .iter()
                    .map(move |(weight, kind)| (weight * share, *kind))
            });
        let kinds = ALWAYS.into_iter().chain(kinds).collect();
        let mut generator = Self {
            processes: focus.header.processes,
            focus,
            careful: options.careful,
            kinds,
            made: 0,
            mappings: 0,
            descriptors: 0,
            segments: 0,
            ending: None,
            planned: Vec::new(),
        };
        if generator.focus.hoards {
            generator.plan_hoard();
        }
        generator
    }

    /// What the trace is about.
    pub fn focus(&self) -> &Focus {
        &self.focus
    }

    /// The next operation, for a system that is in this state; none at the end.
    pub fn next(&mut self, world: &World, bytes: &mut Unstructured<'_>) -> Option<Operation> {
        if self.ending.is_none() {
            let source = &mut Source::new(bytes);
            if self.made < self.focus.length && !source.is_empty() {
                if let Some(operation) = self.planned.pop()
                    && world.performable(&operation).is_ok()
                {
                    self.made += 1;
                    return Some(operation);
                }
                if let Some(operation) = self.operation(world, source) {
                    self.made += 1;
                    return Some(operation);
                }
            }
            self.ending = Some(0);
        }
        self.end(world)
    }

    fn operation(&mut self, world: &World, source: &mut Source<'_, '_>) -> Option<Operation> {
        let kind = source.among(&self.kinds);
        match kind {
            Kind::Trim => return Some(self.trim(source)),
            Kind::Driver => return Some(self.driver(source)),
            _ => {}
        }
        let process = self.caller(world, source)?;
        let call = match kind {
            Kind::MapAnonymous => self.map_anonymous(world, source),
            Kind::MapFile => self.map_file(world, process, source),
            Kind::Unmap => self.unmap(world, process, source),
            Kind::Remap => self.remap(world, process, source),
            Kind::Load => self.load(world, process, source),
            Kind::Store => self.store(world, process, source),
            Kind::Open => self.open(source),
            Kind::Close => self.close(world, process, source),
            Kind::Dup => self.dup(world, process, source),
            Kind::Read => self.read(world, process, source),
            Kind::Write => self.write(world, process, source),
            Kind::Ftruncate => self.ftruncate(world, process, source),
            Kind::Truncate => self.truncate(world, source),
            Kind::Unlink => Call::Unlink(self.path(source)),
            Kind::PipeOrSocket => self.pipe_or_socket(source),
            Kind::Fork => Call::Fork {
                result: self.new_process(world),
            },
            Kind::Vfork => Call::Vfork {
                result: self.new_process(world),
            },
            Kind::Clone => Call::Clone {
                result: self.new_process(world),
                shares_memory: !source.rarely(self.focus.strange),
            },
            Kind::Exec => self.exec(world, source),
            Kind::Exit => self.exit(world, process, source),
            Kind::Attach => Call::PtraceAttach(self.other(world, process, source)),
            Kind::Detach => Call::PtraceDetach(self.tracee(world, process, source)),
            Kind::Peek => self.peek(world, process, source),
            Kind::Poke => self.poke(world, process, source),
            Kind::Shmget => self.shmget(world, source),
            Kind::Shmat => self.shmat(world, source),
            Kind::Shmdt => self.shmdt(world, process, source),
            Kind::ShmRemove => self.shm_remove(world, source),
            Kind::ShmStat => self.shm_stat(world, source),
            Kind::FutexWait => self.futex_wait(world, process, source),
            Kind::FutexWake => Call::FutexWake {
                address: self.word(world, process, source),
                count: source.pick(&[1, 0, 7, u32::MAX]),
            },
            Kind::SystemMaps => Call::SystemMaps {
                chunk: self.chunk(source),
            },
            Kind::ProcessMaps => Call::ProcessMaps {
                process: self.anyone(world, process, source),
                chunk: self.chunk(source),
            },
            Kind::Unsupported => self.unsupported(world, process, source),
            Kind::Trim | Kind::Driver => return None,
        };
        if self.focus.repeats && source.rarely(REPEATED) {
            self.repeat(process, &call, source);
        }
        Some(Operation::Call(process, call))
    }

    /// Plans the same many times more: what is counted in few bits, or kept in a short table, goes
    /// wrong after so many.
    fn repeat(&mut self, process: Process, call: &Call, source: &mut Source<'_, '_>) {
        let times = source.pick(&[24, 8, 16, 40]);
        self.plan(process, call, times);
    }

    /// Plans the same so many times, each under a new name.
    fn plan(&mut self, process: Process, call: &Call, times: u16) {
        let mut planned = Vec::new();
        for time in 1..=times {
            let mut again = call.clone();
            match &mut again {
                Call::Mmap(mmap) => mmap.result = self.new_mapping(),
                Call::Shmat { result, .. } => *result = self.new_mapping(),
                Call::Open { result, .. } | Call::Dup { result, .. } => {
                    *result = self.new_descriptor();
                }
                Call::Clone { result, .. } => result.0 += time,
                _ => return,
            }
            planned.push(Operation::Call(process, again));
        }
        self.planned.extend(planned.into_iter().rev());
    }

    /// A process that can call; one that is traced or that has mappings rather than another.
    fn caller(&self, world: &World, source: &mut Source<'_, '_>) -> Option<Process> {
        let count = runnable(world).count();
        if count == 0 {
            return None;
        }
        runnable(world).nth(source.below(count))
    }

    fn new_mapping(&mut self) -> MappingName {
        self.mappings += 1;
        MappingName(self.mappings - 1)
    }

    fn new_descriptor(&mut self) -> Descriptor {
        self.descriptors += 1;
        Descriptor(self.descriptors - 1)
    }

    fn new_segment(&mut self) -> SegmentName {
        self.segments += 1;
        SegmentName(self.segments - 1)
    }

    /// Children are numbered without gaps, as the world counts them.
    fn new_process(&mut self, world: &World) -> Process {
        let next = world.processes.len() as u16;
        self.processes = next + 1;
        Process(next)
    }

    /// One of the paths that the trace is about, or sometimes another.
    fn path(&mut self, source: &mut Source<'_, '_>) -> Path {
        if source.rarely(self.focus.strange) {
            return Path(
                source
                    .pick(&[
                        "/ram/missing",
                        "/ram",
                        "/disk",
                        "/rom",
                        "/rom/missing",
                        "/dev/missing",
                        "/nowhere/a",
                        // Names that begin as others do, or end before them.
                        "/ram/ab",
                        "/disk/ab",
                        "/rom/ab",
                        "/rom/a-name-longer-than-32-letters",
                        "/dev/chr",
                        "/disk/a",
                        "/ram/b",
                        "/rom/a",
                        "/dev/chr1",
                        "/dev/mtd0",
                    ])
                    .into(),
            );
        }
        let place = source.below(self.focus.paths.len());
        self.focus.paths[place].clone()
    }

    /// One of a process's mappings.
    fn mapping<'w>(
        &self,
        world: &'w World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Option<&'w Mapping> {
        let mappings = &world.space_of(process)?.mappings;
        if mappings.is_empty() {
            return None;
        }
        Some(&mappings[source.below(mappings.len())])
    }

    /// An address as a trace would write it: from the call that returned it, or one near it.
    fn named(&self, world: &World, address: u64) -> Address {
        let mut best: Option<(u64, usize)> = None;
        for (index, &start) in world.names.mappings.iter().enumerate() {
            if start == 0 {
                continue;
            }
            let distance = address.abs_diff(start);
            if best.is_none_or(|(least, _)| distance <= least) {
                best = Some((distance, index));
            }
        }
        match best {
            Some((_, index)) if index < usize::from(self.mappings) => Address::Of(
                MappingName(index as u16),
                address.wrapping_sub(world.names.mappings[index]) as i64,
            ),
            _ => Address::Absolute(address),
        }
    }

    /// An address that was returned at some time, or nothing like one.
    fn stale(&mut self, source: &mut Source<'_, '_>) -> Address {
        let size = self.focus.header.page_size;
        if self.mappings == 0 || source.rarely(60) {
            return Address::Absolute(source.pick(&[
                0,
                size,
                1,
                0u64.wrapping_sub(size),
                u64::MAX,
                1 << 30,
                1 << 63,
            ]));
        }
        let name = MappingName(source.below(usize::from(self.mappings)) as u16);
        let offset = match source.below(4) {
            0 | 1 => 0,
            2 => size as i64,
            _ => -(size as i64),
        };
        Address::Of(name, offset)
    }
}

/// Processes that can call.
fn runnable(world: &World) -> impl Iterator<Item = Process> {
    (0..)
        .zip(world.processes.iter())
        .filter(|(_, state)| state.alive && state.waits_for.is_none())
        .map(|(number, _)| Process(number))
}
