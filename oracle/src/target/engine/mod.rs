//! The engine as a target.
//!
//! Every write of the engine to its memory goes through [`TrackedMemory`], so that which pages
//! may have changed is known exactly. What the engine shows is collected together with the
//! outcome: a panic of either is an outcome of that step.

mod convert;
mod maps;
mod memory;
pub(crate) mod panics;
mod pristine;
mod snapshot;

pub use memory::{TrackedMemory, UNCLEARED};
pub use snapshot::Snapshot;

use super::{Target, TargetError, Touched};
use nommu_engine::{
    Config as EngineConfig, Engine, Fd, FileNumber, MapRequest, MapsPosition, Pid, SegmentNumber,
};
use nommu_model::observation::{
    Contents, FilePageView, FileView, FreeBlock, Observation, ProcessView, Sight,
};
use nommu_model::op::{Address, Call, Descriptor, Operation, Process, UnsupportedCall};
use nommu_model::outcome::{Outcome, Value};
use nommu_model::world::config::Config;
use pristine::Pristine;

/// The engine, behind the interface that everything judged has.
pub struct EngineTarget {
    system: Option<System>,
    /// What systems look like before their first operation, by what their memory is.
    pristine: Vec<Pristine>,
    touched: Vec<u64>,
    /// Does wrong before an operation, to see that it is noticed.
    #[cfg(test)]
    pub fault: Option<Fault>,
}

/// Does something wrong to an engine that is about to perform an operation.
#[cfg(test)]
pub type Fault = fn(&mut Engine<TrackedMemory>, &Operation);

/// A system that runs.
struct System {
    engine: Engine<TrackedMemory>,
    config: EngineConfig,
    names: Names,
    seen: Observation,
    /// Its words, once it died.
    dead: Option<String>,
    injected: bool,
    bytes: Vec<u8>,
}

/// What the names of a trace stand for in the engine.
#[derive(Debug, Default)]
struct Names {
    /// By [`Process`].
    processes: Vec<Option<Pid>>,
    /// By [`Pid`].
    named: Vec<Process>,
    /// By [`Process`], then [`Descriptor`].
    descriptors: Vec<Vec<Fd>>,
    mappings: Vec<u64>,
    segments: Vec<SegmentNumber>,
}

impl Clone for Names {
    fn clone(&self) -> Self {
        let Self {
            processes,
            named,
            descriptors,
            mappings,
            segments,
        } = self;
        Self {
            processes: processes.clone(),
            named: named.clone(),
            descriptors: descriptors.clone(),
            mappings: mappings.clone(),
            segments: segments.clone(),
        }
    }

    /// Asks for no memory where there is as much already.
    fn clone_from(&mut self, source: &Self) {
        self.processes.clone_from(&source.processes);
        self.named.clone_from(&source.named);
        self.descriptors.clone_from(&source.descriptors);
        self.mappings.clone_from(&source.mappings);
        self.segments.clone_from(&source.segments);
    }
}

/// No descriptor has this number.
const CLOSED: Fd = Fd(u32::MAX);
/// No process has this number.
const NOBODY: Pid = Pid(u32::MAX);
/// No segment has this number.
const NO_SEGMENT: SegmentNumber = SegmentNumber(u32::MAX);
/// Sizes of memory whose beginning is kept.
const PRISTINE_LIMIT: usize = 64;
/// Bytes of a line of a listing at most, for the longest path with all its letters escaped: a
/// listing with more for each entry does not end.
const LINE_LIMIT: usize = 1 << 14;
/// Bytes of a listing that are read at once at most.
const CHUNK_LIMIT: u64 = 1 << 14;

impl EngineTarget {
    /// An engine that [`Target::reset`] has to start.
    pub fn new() -> Self {
        Self {
            system: None,
            pristine: Vec::new(),
            touched: Vec::new(),
            #[cfg(test)]
            fault: None,
        }
    }

    /// The engine, to be changed behind everybody's back.
    pub fn engine_mut(&mut self) -> Option<&mut Engine<TrackedMemory>> {
        self.system.as_mut().map(|system| &mut system.engine)
    }

    fn start(&mut self, config: EngineConfig) -> Result<System, String> {
        if let Some(system) = self.system.take()
            && let Some(pristine) =
                (self.pristine.iter_mut()).find(|pristine| pristine.fits(&system.config))
        {
            pristine.keep(system);
        }
        let known = (self.pristine.iter()).position(|pristine| pristine.fits(&config));
        let place = match known {
            Some(place) => place,
            None => {
                if self.pristine.len() == PRISTINE_LIMIT {
                    self.pristine.remove(0);
                }
                self.pristine.push(Pristine::new(config)?);
                self.pristine.len() - 1
            }
        };
        let mut system = self.pristine[place].start(config)?;
        if let Err(words) = panics::watch(|| system.observe()) {
            system.dead = Some(words);
        }
        Ok(system)
    }
}

impl Default for EngineTarget {
    fn default() -> Self {
        Self::new()
    }
}

impl Target for EngineTarget {
    fn name(&self) -> &str {
        "engine"
    }

    fn sight(&self) -> Sight {
        Sight::all()
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        let error = |problem| TargetError {
            target: "engine".to_owned(),
            problem,
        };
        let pages = config.window.map_or(0, |window| window.pages);
        let wanted = EngineConfig {
            page_size: config.page_size,
            pages: u32::try_from(pages)
                .map_err(|_| error(format!("found {pages} pages, expected at most 2^30")))?,
            trim: config.trim,
            uninitialized: config.uninitialized,
            processes: config.processes,
        };
        let system = self.start(wanted).map_err(error)?;
        let layout = wanted.layout().expect("it was made");
        let window = config
            .window
            .map_or(layout.window_start, |window| window.start);
        if window != layout.window_start {
            return Err(error(format!(
                "found a window at {window:#x}, expected {:#x}",
                layout.window_start
            )));
        }
        self.system = Some(system);
        Ok(())
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        let Some(system) = &mut self.system else {
            return Err(TargetError {
                target: "engine".to_owned(),
                problem: "found an operation before a system was made".to_owned(),
            });
        };
        if let Some(words) = &system.dead {
            return Ok(Outcome::Crash(words.clone()));
        }
        let failed_before = system.engine.allocation_failed();
        #[cfg(test)]
        let fault = self.fault;
        let outcome = panics::watch(|| {
            #[cfg(test)]
            if let Some(fault) = fault {
                fault(&mut system.engine, operation);
            }
            let outcome = system.perform(operation);
            system.observe();
            outcome
        });
        system.injected = !failed_before && system.engine.allocation_failed();
        Ok(outcome.unwrap_or_else(|words| {
            system.dead = Some(words.clone());
            Outcome::Crash(words)
        }))
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        if let Some(system) = &mut self.system {
            std::mem::swap(&mut system.seen, observation);
        }
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        match &mut self.system {
            Some(system) => {
                system.engine.memory_mut().take_touched(&mut self.touched);
                Touched::Pages(&self.touched)
            }
            None => Touched::All,
        }
    }

    fn can_fail_allocations(&self) -> bool {
        true
    }

    fn fail_allocation(&mut self, n: u64) -> bool {
        if let Some(system) = &mut self.system {
            system.engine.fail_allocation(n);
        }
        self.system.is_some()
    }

    fn injected_failure(&self) -> bool {
        self.system.as_ref().is_some_and(|system| system.injected)
    }
}

impl Contents for EngineTarget {
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool {
        match &self.system {
            Some(system) => system.engine.memory().show(address, bytes),
            None => false,
        }
    }

    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool {
        let Some(system) = &self.system else {
            return false;
        };
        let number = FileNumber(u32::from(number));
        // Lockstep asks for files that there are. An engine that knows nothing of one shows what
        // no file holds, so that this is not taken for a target that cannot show any.
        if panics::watch(|| system.engine.file_contents(number, offset, bytes)) != Ok(true) {
            bytes.fill(memory::UNCLEARED);
        }
        true
    }
}

impl Names {
    /// Names of so many processes, and of nothing else.
    fn begin(&mut self, processes: u16) {
        self.processes.clear();
        self.named.clear();
        self.descriptors.iter_mut().for_each(Vec::clear);
        self.descriptors
            .resize_with(usize::from(processes), Vec::new);
        self.mappings.clear();
        self.segments.clear();
        for number in 0..processes {
            self.processes.push(Some(Pid(u32::from(number))));
            self.named.push(Process(number));
        }
    }

    /// Whether all but those of mappings stand for the same.
    fn are_still(&self, other: &Self) -> bool {
        let Self {
            processes,
            named,
            descriptors,
            mappings: _,
            segments,
        } = self;
        *processes == other.processes
            && *named == other.named
            && *descriptors == other.descriptors
            && *segments == other.segments
    }

    fn pid(&self, process: Process) -> Pid {
        let pid = self.processes.get(usize::from(process.0)).copied();
        pid.flatten().unwrap_or(NOBODY)
    }

    fn fd(&self, process: Process, descriptor: Descriptor) -> Fd {
        let descriptors = self.descriptors.get(usize::from(process.0));
        descriptors
            .and_then(|descriptors| descriptors.get(usize::from(descriptor.0)))
            .copied()
            .unwrap_or(CLOSED)
    }

    fn bind_fd(&mut self, process: Process, descriptor: Descriptor, fd: Fd) {
        let descriptors = &mut self.descriptors[usize::from(process.0)];
        put(descriptors, usize::from(descriptor.0), fd, CLOSED);
    }

    fn bind_child(&mut self, parent: Process, child: Process, pid: Pid) {
        let inherited = self.descriptors[usize::from(parent.0)].clone();
        let place = usize::from(child.0);
        put(&mut self.processes, place, Some(pid), None);
        put(&mut self.descriptors, place, inherited, Vec::new());
        put(&mut self.named, pid.0 as usize, child, Process(u16::MAX));
    }

    fn address(&self, address: Address) -> u64 {
        match address {
            Address::Of(name, offset) => self
                .mappings
                .get(usize::from(name.0))
                .copied()
                .unwrap_or(0)
                .wrapping_add_signed(offset),
            Address::Absolute(address) => address,
        }
    }

    fn segment(&self, name: nommu_model::op::SegmentName) -> SegmentNumber {
        let number = self.segments.get(usize::from(name.0)).copied();
        number.unwrap_or(NO_SEGMENT)
    }
}

fn put<T: Clone>(list: &mut Vec<T>, place: usize, value: T, missing: T) {
    if list.len() <= place {
        list.resize(place + 1, missing);
    }
    list[place] = value;
}

impl System {
    fn perform(&mut self, operation: &Operation) -> Outcome {
        match operation {
            Operation::Call(process, call) => self.call(*process, call),
            Operation::SetTrim(pages) => done(self.engine.set_trim(*pages)),
            Operation::Driver(path, script) => {
                done(self.engine.set_driver(&path.0, &convert::script(script)))
            }
        }
    }

    fn call(&mut self, process: Process, call: &Call) -> Outcome {
        let names = &mut self.names;
        let engine = &mut self.engine;
        let pid = names.pid(process);
        match *call {
            Call::Mmap(ref call) => {
                let request = MapRequest {
                    address: call.address.map_or(0, |address| names.address(address)),
                    length: call.length,
                    protection: convert::protection(call.protection),
                    flags: convert::map_flags(call.flags),
                    descriptor: call
                        .descriptor
                        .map(|descriptor| names.fd(process, descriptor)),
                    offset: call.offset,
                };
                let result = engine.mmap(pid, &request);
                self.bind_address(call.result, result)
            }
            Call::Munmap { address, length } => {
                done(engine.munmap(pid, names.address(address), length))
            }
            Call::Mremap {
                result: name,
                address,
                old_length,
                new_length,
                flags,
                new_address,
            } => {
                let result = engine.mremap(
                    pid,
                    names.address(address),
                    old_length,
                    new_length,
                    convert::remap_flags(flags),
                    new_address.map_or(0, |address| names.address(address)),
                );
                self.bind_address(name, result)
            }
            Call::Load { address, length } => {
                let address = names.address(address);
                let result = engine.load(pid, address, length, &mut self.bytes);
                self.bytes(result)
            }
            Call::Store { address, data } => {
                done(engine.store(pid, names.address(address), convert::source(&data)))
            }
            Call::Open {
                result: name,
                ref path,
                flags,
            } => {
                let result = engine.open(pid, &path.0, convert::open_flags(flags));
                convert::outcome(result, |fd| {
                    names.bind_fd(process, name, fd);
                    Value::Done
                })
            }
            Call::Pipe { reading, writing } => convert::outcome(engine.pipe(pid), |ends| {
                names.bind_fd(process, reading, ends.0);
                names.bind_fd(process, writing, ends.1);
                Value::Done
            }),
            Call::Socket { result } => convert::outcome(engine.socket(pid), |fd| {
                names.bind_fd(process, result, fd);
                Value::Done
            }),
            Call::Close(descriptor) => {
                let result = engine.close(pid, names.fd(process, descriptor));
                if result.is_ok() {
                    names.bind_fd(process, descriptor, CLOSED);
                }
                done(result)
            }
            Call::Dup { result, descriptor } => {
                convert::outcome(engine.dup(pid, names.fd(process, descriptor)), |fd| {
                    names.bind_fd(process, result, fd);
                    Value::Done
                })
            }
            Call::Read {
                descriptor,
                offset,
                length,
            } => {
                let fd = names.fd(process, descriptor);
                let result = engine.read(pid, fd, offset, length, &mut self.bytes);
                self.bytes(result)
            }
            Call::Write {
                descriptor,
                offset,
                data,
            } => {
                let fd = names.fd(process, descriptor);
                let source = convert::source(&data);
                convert::outcome(engine.write(pid, fd, offset, source), Value::Count)
            }
            Call::Ftruncate { descriptor, length } => {
                done(engine.ftruncate(pid, names.fd(process, descriptor), length))
            }
            Call::Truncate { ref path, length } => done(engine.truncate(pid, &path.0, length)),
            Call::Unlink(ref path) => done(engine.unlink(pid, &path.0)),
            Call::Fork { result } => {
                let made = engine.fork(pid);
                self.bind_child(process, result, made)
            }
            Call::Vfork { result } => {
                let made = engine.vfork(pid);
                self.bind_child(process, result, made)
            }
            Call::Clone {
                result,
                shares_memory,
            } => {
                let made = engine.clone_process(pid, shares_memory);
                self.bind_child(process, result, made)
            }
            Call::Exec { ref path, stack } => done(engine.exec(pid, &path.0, stack)),
            Call::Exit => done(engine.exit(pid)),
            Call::PtraceAttach(tracee) => done(engine.ptrace_attach(pid, names.pid(tracee))),
            Call::PtraceDetach(tracee) => done(engine.ptrace_detach(pid, names.pid(tracee))),
            Call::PtracePeek {
                process: tracee,
                address,
                length,
            } => {
                let (tracee, address) = (names.pid(tracee), names.address(address));
                let result = engine.ptrace_peek(pid, tracee, address, length, &mut self.bytes);
                self.bytes(result)
            }
            Call::PtracePoke {
                process: tracee,
                address,
                data,
            } => {
                let (tracee, address) = (names.pid(tracee), names.address(address));
                let source = convert::source(&data);
                let result = engine.ptrace_poke(pid, tracee, address, source);
                convert::outcome(result, Value::Count)
            }
            Call::Shmget {
                result,
                key,
                size,
                flags,
            } => {
                let found = engine.shmget(pid, key, size, convert::segment_flags(flags));
                let place = usize::from(result.0);
                let number = found.unwrap_or(NO_SEGMENT);
                put(&mut names.segments, place, number, NO_SEGMENT);
                convert::outcome(found, |_| Value::Done)
            }
            Call::Shmat {
                result: name,
                segment,
                read_only,
            } => {
                let result = engine.shmat(pid, names.segment(segment), read_only);
                self.bind_address(name, result)
            }
            Call::Shmdt(address) => done(engine.shmdt(pid, names.address(address))),
            Call::ShmRemove(segment) => done(engine.shm_remove(pid, names.segment(segment))),
            Call::ShmStat(segment) => {
                let result = engine.shm_stat(pid, names.segment(segment));
                convert::outcome(result, |view| Value::Segment {
                    size: view.size,
                    attached: u64::from(view.attached),
                })
            }
            Call::FutexWait { address, expected } => {
                done(engine.futex_wait(pid, names.address(address), expected))
            }
            Call::FutexWake { address, count } => {
                let result = engine.futex_wake(pid, names.address(address), count);
                convert::outcome(result, |woken| Value::Count(u64::from(woken)))
            }
            Call::SystemMaps { chunk } => {
                let engine = &*engine;
                let entries = engine.regions().count();
                let text = listing(&mut self.bytes, chunk, entries, |position, bytes| {
                    engine.read_system_maps(position, bytes)
                });
                match text.and_then(|()| maps::listing(&self.bytes).map_err(Outcome::Crash)) {
                    Ok(lines) => Outcome::Ok(Value::Regions(
                        lines.into_iter().map(maps::region).collect(),
                    )),
                    Err(outcome) => outcome,
                }
            }
            Call::ProcessMaps {
                process: whose,
                chunk,
            } => {
                let engine = &*engine;
                let whose = names.pid(whose);
                let entries = engine.mappings(whose).count();
                let text = listing(&mut self.bytes, chunk, entries, |position, bytes| {
                    engine.read_process_maps(whose, position, bytes)
                });
                match text.and_then(|()| maps::listing(&self.bytes).map_err(Outcome::Crash)) {
                    Ok(lines) => Outcome::Ok(Value::Mappings(lines)),
                    Err(outcome) => outcome,
                }
            }
            Call::Unsupported {
                call,
                address,
                length,
            } => {
                let address = names.address(address);
                done(match call {
                    UnsupportedCall::Mprotect => engine.mprotect(pid, address, length),
                    UnsupportedCall::Msync => engine.msync(pid, address, length),
                    UnsupportedCall::Mlock => engine.mlock(pid, address, length),
                    UnsupportedCall::Madvise => engine.madvise(pid, address, length),
                    UnsupportedCall::Mincore => engine.mincore(pid, address, length),
                })
            }
        }
    }

    fn bind_address(
        &mut self,
        name: nommu_model::op::MappingName,
        result: nommu_engine::Result<u64>,
    ) -> Outcome {
        let place = usize::from(name.0);
        put(&mut self.names.mappings, place, result.unwrap_or(0), 0);
        convert::outcome(result, Value::Address)
    }

    fn bind_child(
        &mut self,
        parent: Process,
        child: Process,
        result: nommu_engine::Result<Pid>,
    ) -> Outcome {
        convert::outcome(result, |pid| {
            self.names.bind_child(parent, child, pid);
            Value::Done
        })
    }

    fn bytes(&mut self, result: nommu_engine::Result<()>) -> Outcome {
        convert::outcome(result, |()| Value::Bytes(self.bytes.clone()))
    }

    /// Collects what is to be seen, in memory that is used again.
    fn observe(&mut self) {
        let engine = &self.engine;
        let seen = &mut self.seen;
        let mut count = 0;
        for pid in engine.processes() {
            if seen.processes.len() == count {
                seen.processes.push(ProcessView {
                    process: Process(0),
                    mappings: Vec::new(),
                });
            }
            let view = &mut seen.processes[count];
            let named = self.names.named.get(pid.0 as usize);
            view.process = named.copied().unwrap_or(Process(u16::MAX));
            view.mappings.clear();
            let mappings = engine.mappings(pid);
            view.mappings
                .extend(mappings.map(|mapping| convert::mapping(&mapping)));
            count += 1;
        }
        seen.processes.truncate(count);
        seen.regions.clear();
        let regions = engine.regions().map(|region| convert::region(&region));
        seen.regions.extend(regions);
        seen.free.clear();
        let free = engine.free_blocks();
        seen.free.extend(free.map(|block| FreeBlock {
            start: block.start,
            order: block.order,
        }));
        seen.copied_pages = engine.copied_pages();
        let page_size = self.config.page_size;
        seen.drivers.clear();
        let mut count = 0;
        for (file, runs) in engine.files_with_runs() {
            if seen.files.len() == count {
                seen.files.push(FileView {
                    number: 0,
                    size: 0,
                    pages: Vec::new(),
                });
            }
            let view = &mut seen.files[count];
            view.number = file.number.0 as u16;
            view.size = file.size;
            seen.drivers
                .extend(file.driver.as_ref().map(convert::driver));
            view.pages.clear();
            for run in runs {
                view.pages.extend((0..run.pages).map(|index| FilePageView {
                    index: (run.first_page + index) as u32,
                    address: run.start + index * page_size,
                }));
            }
            count += 1;
        }
        seen.files.truncate(count);
        seen.segments.clear();
        let segments = engine.segments();
        seen.segments
            .extend(segments.map(|segment| convert::segment(&segment)));
    }
}

fn done(result: nommu_engine::Result<()>) -> Outcome {
    convert::outcome(result, |()| Value::Done)
}

/// Reads a listing of so many entries to its end, so many bytes at a time; 0 is as many as
/// there are.
fn listing(
    text: &mut Vec<u8>,
    chunk: u64,
    entries: usize,
    mut read: impl FnMut(&mut MapsPosition, &mut [u8]) -> nommu_engine::Result<usize>,
) -> Result<(), Outcome> {
    text.clear();
    let chunk = match chunk {
        0 => CHUNK_LIMIT,
        chunk => chunk.min(CHUNK_LIMIT),
    } as usize;
    let limit = LINE_LIMIT * (entries + 1);
    let mut position = MapsPosition::default();
    loop {
        let length = text.len();
        if length > limit {
            return Err(Outcome::Crash("a listing that does not end".to_owned()));
        }
        text.resize(length + chunk, 0);
        let count = read(&mut position, &mut text[length..]);
        match count {
            Ok(count) if count <= chunk => {
                text.truncate(length + count);
                if count == 0 {
                    return Ok(());
                }
            }
            Ok(count) => {
                let words = format!("a read of {count} bytes into {chunk}");
                return Err(Outcome::Crash(words));
            }
            Err(error) => return Err(convert::outcome(Err::<(), _>(error), |()| Value::Done)),
        }
    }
}

#[cfg(test)]
mod tests;
