//! The scope around a trace: everything that could be done with what the trace names.

use super::arguments;
use crate::explore::scope::templates::{address, descriptor};
use crate::explore::scope::{AccessOffer, FilesOffer, Most, ProcessesOffer, Scope, Template};
use crate::lockstep::{Lockstep, Stop};
use crate::target::engine::EngineTarget;
use crate::trace::{Header, Text, Trace};
use nommu_model::op::{
    Address, Answer, Call, Descriptor, Fill, MapFlags, MappingName, Mmap, OpenFlags, Operation,
    Path, Process, Protection, Script,
};
use nommu_model::world::World;
use std::collections::BTreeSet;

/// Of lengths up to so many pages, all that are shorter are tried as well.
pub const PAGES: u64 = 8;
/// Variants of one operation at most.
const VARIANTS: usize = 96;

/// The scope of a trace in a system. Everything is only limited by the length of sequences.
pub fn scope(header: &Header, operations: &[Operation], templates: Vec<Template>) -> Scope {
    let trace = Trace::new(header.clone(), operations.to_vec());
    let most = operations.len();
    Scope {
        name: "what a trace names".to_owned(),
        text: trace.to_string(),
        about: "Everything that could be done with what a trace names.".to_owned(),
        header: header.clone(),
        depth: None,
        most: Most {
            mappings: 2 * most,
            processes: usize::from(header.processes) + most,
            descriptors: 2 * most,
            segments: most,
        },
        mmap: Vec::new(),
        munmap: Vec::new(),
        mremap: None,
        access: AccessOffer::default(),
        open: Vec::new(),
        files: FilesOffer::default(),
        processes: ProcessesOffer::default(),
        segments: None,
        trim: Vec::new(),
        drivers: Vec::new(),
        maps: false,
        unsupported: false,
        paths_alike: false,
        keys_alike: false,
        reduces: true,
        templates,
    }
}

/// Which lengths are tried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lengths {
    /// Those of the trace, and less.
    Own,
    /// As many pages as there are in a window of [`PAGES`], the trace's own or not: what becomes
    /// of the rest of a granule depends on it.
    All,
}

/// The kinds of operations that a trace has, each with every argument that any of them has and
/// the plainest ones, and what often does the same with fewer operations. The order depends on
/// what they are and not on where the trace has them, so that of several traces for one fault
/// the same is found first.
pub fn templates(
    header: &Header,
    operations: &[Operation],
    target: EngineTarget,
    lengths: Lengths,
) -> Vec<Template> {
    let own = generalised(header, operations, target);
    let page = header.page_size;
    let mut values = Values::of(&own, page);
    if lengths == Lengths::All {
        values.offer_all(page);
    }
    let mut all: Vec<Template> = Vec::new();
    let mut add = |operation: Operation, gone: bool| {
        let known = all.iter_mut().find(|known| known.operation == operation);
        match known {
            Some(known) => known.gone |= gone,
            None => all.push(Template { operation, gone }),
        }
    };
    // Many a fault only needs some memory, and it matters little how it came.
    add(plain_memory(page), false);
    for call in likely(&own, header.pages * page, &values.lengths) {
        add(Operation::Call(Process(0), call), false);
    }
    for Template { operation, gone } in &own {
        for variant in values.variants(operation) {
            add(variant, *gone);
        }
        add(operation.clone(), *gone);
    }
    all.sort_by_cached_key(|template| {
        let text = Text(&template.operation).to_string();
        (rank(&template.operation), text.len(), text)
    });
    all
}

/// How plain a kind of operation is: memory comes from `mmap` rather than from anything else, and
/// descriptors from `open`.
fn rank(operation: &Operation) -> u8 {
    match operation {
        Operation::Call(_, Call::Mmap(_)) => 5,
        Operation::Call(_, Call::Pipe { .. } | Call::Socket { .. } | Call::Exec { .. }) => 9,
        _ => match arguments::order(operation) {
            earlier @ 0..5 => earlier,
            later => later + 1,
        },
    }
}

/// Calls that do at once what some of a trace's do together: a program that is mapped needs no
/// descriptor, and an end gives back whatever there is.
fn likely(own: &[Template], memory: u64, lengths: &[u64]) -> Vec<Call> {
    let any = |is: &dyn Fn(&Call) -> bool| {
        let calls = own.iter().filter_map(|template| match &template.operation {
            Operation::Call(_, call) => Some(call),
            _ => None,
        });
        calls.into_iter().any(is)
    };
    let mut calls = Vec::new();
    if any(&|call: &Call| matches!(call, Call::Exec { .. })) {
        for stack in [0, memory, 2 * memory] {
            calls.extend(programs(stack));
        }
    } else if any(&|call: &Call| matches!(call, Call::Mmap(mmap) if mmap.descriptor.is_some())) {
        calls.extend(programs(0));
    }
    if any(&|call: &Call| matches!(call, Call::Munmap { .. } | Call::Close(_) | Call::Exit)) {
        calls.push(Call::Exit);
        if any(&|call: &Call| matches!(call, Call::Open { .. })) {
            calls.push(Call::Close(Descriptor(0)));
        }
    }
    // What is stored through a shared mapping of a file can be written to the file.
    let is_shared = |call: &Call| {
        matches!(call, Call::Mmap(mmap) if mmap.descriptor.is_some()
            && mmap.flags.contains(MapFlags::SHARED))
    };
    if any(&|call: &Call| matches!(call, Call::Store { .. })) && any(&is_shared) {
        calls.extend(lengths.iter().map(|&count| Call::Write {
            descriptor: Descriptor(0),
            offset: 0,
            data: Fill { byte: b'A', count },
        }));
    }
    calls
}

/// Runs the plainest programs.
fn programs(stack: u64) -> impl Iterator<Item = Call> {
    ["/rom/a", "/disk/a"]
        .into_iter()
        .map(move |path| Call::Exec {
            path: Path(path.into()),
            stack,
        })
}

/// Opens the plainest files in each of some ways.
fn opens(result: Descriptor, flags: &[OpenFlags]) -> impl Iterator<Item = Call> {
    let files = [
        ("/ram/a", OpenFlags::CREATE),
        ("/rom/a", OpenFlags::empty()),
    ];
    files.into_iter().flat_map(move |(path, more)| {
        flags.iter().map(move |&flags| Call::Open {
            result,
            path: Path(path.into()),
            flags: flags | more,
        })
    })
}

/// A call of another kind that is judged alike and is plainer.
fn plainer_kind(call: &Call) -> Option<Call> {
    match *call {
        Call::FutexWait { address, .. } => Some(Call::FutexWake { address, count: 1 }),
        Call::PtracePoke {
            process, address, ..
        } => Some(Call::PtracePeek {
            process,
            address,
            length: 1,
        }),
        _ => None,
    }
}

/// Ways to set a driver that is set.
fn plain_scripts(own: &Script) -> Vec<Script> {
    let none = Script::default();
    let busy = Some(true);
    let mut scripts = vec![Script { busy, ..none }];
    scripts.extend([own.area, Some(Answer::Absent)].map(|area| Script { area, ..none }));
    let Script {
        mmap, capabilities, ..
    } = *own;
    scripts.push(Script { mmap, ..none });
    scripts.push(Script {
        capabilities,
        ..none
    });
    scripts.retain(|script| *script != none);
    scripts
}

fn plain_memory(page: u64) -> Operation {
    let mmap = Mmap {
        result: MappingName(0),
        address: None,
        length: page,
        protection: Protection::READ,
        flags: MapFlags::PRIVATE,
        descriptor: None,
        offset: 0,
    };
    Operation::Call(Process(0), Call::Mmap(mmap))
}

/// The operations with the names of what they are about taken out: addresses count from the
/// beginning of the mapping they are in.
fn generalised(header: &Header, operations: &[Operation], target: EngineTarget) -> Vec<Template> {
    let mut lockstep = Lockstep::new(target);
    let config = header.config(Vec::new());
    let mut performs = lockstep.reset(&config).is_ok();
    let mut templates = Vec::new();
    for operation in operations {
        templates.push(template(operation, lockstep.world(), header.page_size));
        performs = performs && !matches!(lockstep.step(operation), Err(Stop::Diverged(_)));
    }
    templates
}

fn template(operation: &Operation, world: &World, page: u64) -> Template {
    let mut operation = operation.clone();
    let mut gone = false;
    if let Operation::Call(caller, call) = &mut operation {
        let whose = match call {
            Call::PtracePeek { process, .. } | Call::PtracePoke { process, .. } => *process,
            _ => *caller,
        };
        for which in 0..2 {
            let Some(place) = address(call, which) else {
                continue;
            };
            let Address::Of(name, _) = *place else {
                continue;
            };
            let at = world.address(*place);
            let mappings = world
                .space_of(whose)
                .map_or(&[][..], |space| &space.mappings);
            let within = mappings
                .iter()
                .rev()
                .find(|mapping| mapping.start <= at && at <= mapping.end);
            let offset = match within {
                Some(mapping) => at - mapping.start,
                None => {
                    gone = true;
                    at % page
                }
            };
            *place = Address::Of(name, offset as i64);
        }
        if let Some(descriptor) = descriptor(call) {
            gone |= world.opened(*caller, *descriptor).is_none();
        }
        // Which process it is does not matter: all of them are tried.
        *caller = Process(0);
    }
    Template { operation, gone }
}

/// The arguments that a trace has, plainest first.
#[derive(Default)]
struct Values {
    lengths: Vec<u64>,
    offsets: Vec<u64>,
    map_offsets: Vec<u64>,
    protections: Vec<Protection>,
    flags: Vec<MapFlags>,
    /// Files that are opened, by their paths.
    paths: Vec<Path>,
}

impl Values {
    fn of(templates: &[Template], page: u64) -> Self {
        let mut lengths = BTreeSet::from([page]);
        let mut offsets = BTreeSet::from([0]);
        let mut map_offsets = BTreeSet::from([0]);
        let mut values = Values {
            protections: vec![Protection::READ, Protection::READ | Protection::WRITE],
            flags: vec![MapFlags::PRIVATE],
            ..Values::default()
        };
        for template in templates {
            let Operation::Call(_, call) = &template.operation else {
                continue;
            };
            match call {
                Call::Mmap(mmap) => {
                    lengths.insert(mmap.length);
                    map_offsets.insert(mmap.offset);
                    if !values.protections.contains(&mmap.protection) {
                        values.protections.push(mmap.protection);
                    }
                    if !values.flags.contains(&mmap.flags) {
                        values.flags.push(mmap.flags);
                    }
                }
                Call::Munmap { length, .. }
                | Call::Ftruncate { length, .. }
                | Call::Truncate { length, .. } => {
                    lengths.insert(*length);
                }
                Call::Open { path, .. } if !values.paths.contains(path) => {
                    values.paths.push(path.clone());
                }
                Call::Write { offset, .. } => {
                    map_offsets.insert(*offset);
                }
                Call::Mremap {
                    old_length,
                    new_length,
                    ..
                } => lengths.extend([*old_length, *new_length]),
                _ => {}
            }
            for which in 0..2 {
                if let Some(Address::Of(_, offset)) = address(&mut call.clone(), which) {
                    offsets.insert(*offset as u64);
                }
            }
        }
        let most = lengths
            .iter()
            .copied()
            .filter(|length| *length <= PAGES * page);
        let most = most.max().unwrap_or(page).div_ceil(page);
        lengths.extend((1..=most).map(|pages| pages * page));
        // Whole pages are plainer than parts.
        let plainest_first = |numbers: BTreeSet<u64>| {
            let (mut whole, parts): (Vec<u64>, Vec<u64>) = numbers
                .into_iter()
                .partition(|number| number.is_multiple_of(page));
            whole.extend(parts);
            whole
        };
        lengths.remove(&0);
        values.lengths = plainest_first(lengths);
        values.offsets = plainest_first(offsets);
        values.map_offsets = plainest_first(map_offsets);
        values
    }

    /// Has every length that a window of few pages has, in the place of other variety.
    fn offer_all(&mut self, page: u64) {
        self.lengths = (1..=PAGES).map(|pages| pages * page).collect();
        self.map_offsets.truncate(1);
        self.protections.truncate(2);
    }

    /// The operation with other arguments, each in the place of its own. What would be too many
    /// is left out from the end.
    fn variants(&self, operation: &Operation) -> Vec<Operation> {
        let (process, call) = match operation {
            Operation::Call(process, call) => (process, call),
            Operation::Driver(path, script) => {
                let scripts = plain_scripts(script).into_iter();
                return scripts
                    .map(|script| Operation::Driver(path.clone(), script))
                    .collect();
            }
            Operation::SetTrim(_) => return Vec::new(),
        };
        let mut calls = Vec::new();
        match call {
            Call::Mmap(mmap) => self.mmaps(mmap, &mut calls),
            Call::Munmap { address, .. } => {
                for address in self.places(*address) {
                    let lengths = self.lengths.iter();
                    calls.extend(lengths.map(|&length| Call::Munmap { address, length }));
                }
                // Nothing is mapped at 0: that is plainer than any other way to ask for too much.
                let nothing = self.lengths.first().map(|&length| Call::Munmap {
                    address: Address::Absolute(0),
                    length,
                });
                let place = calls.len().min(1);
                calls.splice(place..place, nothing);
            }
            Call::Mremap { .. } => self.mremaps(call, &mut calls),
            Call::Open { result, flags, .. } => {
                let writes = OpenFlags::READ | OpenFlags::WRITE;
                calls.extend(opens(*result, &[OpenFlags::READ, writes, *flags]));
            }
            // Where any descriptor will do.
            Call::Pipe {
                reading: result, ..
            }
            | Call::Socket { result } => calls.extend(opens(*result, &[OpenFlags::READ])),
            Call::Ftruncate { .. } | Call::Truncate { .. } => self.resizes(call, &mut calls),
            Call::Write {
                descriptor, data, ..
            } => {
                let counts = self.lengths.iter().map(|&length| length + 1);
                for count in [1].into_iter().chain(counts) {
                    for &offset in &self.map_offsets {
                        calls.push(Call::Write {
                            descriptor: *descriptor,
                            offset,
                            data: Fill { count, ..*data },
                        });
                    }
                }
            }
            Call::ProcessMaps { process, .. } => {
                calls.extend([0, 1].map(|chunk| Call::ProcessMaps {
                    process: *process,
                    chunk,
                }))
            }
            Call::Load { .. }
            | Call::Store { .. }
            | Call::FutexWait { .. }
            | Call::FutexWake { .. }
            | Call::PtracePeek { .. }
            | Call::PtracePoke { .. }
            | Call::Unsupported { .. } => {
                let mut call = call.clone();
                let Some(own) = address(&mut call, 0).copied() else {
                    return Vec::new();
                };
                for other in self.places(own) {
                    if let Some(place) = address(&mut call, 0) {
                        *place = other;
                    }
                    calls.extend(plainer_kind(&call));
                    calls.push(call.clone());
                }
            }
            _ => {}
        }
        calls.truncate(VARIANTS);
        let calls = calls.into_iter();
        calls.map(|call| Operation::Call(*process, call)).collect()
    }

    fn places(&self, own: Address) -> Vec<Address> {
        match own {
            // An address of nothing can often be that of something.
            Address::Absolute(_) => {
                let mut places = self.places(Address::Of(MappingName(0), 0));
                places.push(own);
                places
            }
            Address::Of(name, _) => {
                let offsets = self.offsets.iter();
                let within = offsets.map(|&offset| Address::Of(name, offset as i64));
                // Nothing is mapped there: plainer than where something was, or ends.
                within.chain([Address::Absolute(0)]).collect()
            }
        }
    }

    fn resizes(&self, own: &Call, calls: &mut Vec<Call>) {
        let own = match own {
            Call::Truncate { path, .. } => Some(path),
            _ => None,
        };
        for &length in self.lengths.iter().chain(&[0]) {
            let paths = own.into_iter().chain(&self.paths);
            calls.extend(paths.map(|path| Call::Truncate {
                path: path.clone(),
                length,
            }));
            calls.push(Call::Ftruncate {
                descriptor: Descriptor(0),
                length,
            });
        }
    }

    fn mmaps(&self, own: &Mmap, calls: &mut Vec<Call>) {
        let lengths = match own.length {
            0 => &[0][..],
            _ => &self.lengths,
        };
        let offsets = match own.descriptor {
            None => &[own.offset][..],
            Some(_) => &self.map_offsets,
        };
        for &length in lengths {
            for &offset in offsets {
                for &protection in &self.protections {
                    for &flags in &self.flags {
                        calls.push(Call::Mmap(Mmap {
                            length,
                            offset,
                            protection,
                            flags,
                            ..own.clone()
                        }));
                    }
                }
            }
        }
    }

    fn mremaps(&self, own: &Call, calls: &mut Vec<Call>) {
        for &old in &self.lengths {
            for &new in &self.lengths {
                let mut call = own.clone();
                if let Call::Mremap {
                    old_length,
                    new_length,
                    ..
                } = &mut call
                {
                    (*old_length, *new_length) = (old, new);
                }
                calls.push(call);
            }
        }
    }
}
