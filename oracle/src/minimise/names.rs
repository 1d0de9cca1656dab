//! The names of a trace: none unbound, all numbered from 0.

use nommu_model::op::{
    Address, Call, Descriptor, MappingName, OpenFlags, Operation, Path, Process, SegmentName,
};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What may be done to each name of an operation. A name that is bound is asked for with
/// `true`. None takes the operation out.
pub struct Renaming<'a> {
    pub process: &'a mut dyn FnMut(Process, bool) -> Option<Process>,
    pub mapping: &'a mut dyn FnMut(MappingName, bool) -> Option<MappingName>,
    pub descriptor: &'a mut dyn FnMut(Descriptor, bool) -> Option<Descriptor>,
    pub segment: &'a mut dyn FnMut(SegmentName, bool) -> Option<SegmentName>,
}

/// Renames everything in an operation: what it uses first, then what it binds.
pub fn rename(operation: &Operation, renaming: &mut Renaming<'_>) -> Option<Operation> {
    let Operation::Call(caller, call) = operation else {
        return Some(operation.clone());
    };
    let caller = (renaming.process)(*caller, false)?;
    let mut call = call.clone();
    match &mut call {
        Call::Mmap(call) => {
            if let Some(at) = &mut call.address {
                address(at, renaming)?;
            }
            if let Some(descriptor) = &mut call.descriptor {
                *descriptor = (renaming.descriptor)(*descriptor, false)?;
            }
            call.result = (renaming.mapping)(call.result, true)?;
        }
        Call::Mremap {
            result,
            address: at,
            new_address,
            ..
        } => {
            address(at, renaming)?;
            if let Some(at) = new_address {
                address(at, renaming)?;
            }
            *result = (renaming.mapping)(*result, true)?;
        }
        Call::Munmap { address: at, .. }
        | Call::Load { address: at, .. }
        | Call::Store { address: at, .. }
        | Call::Shmdt(at)
        | Call::FutexWait { address: at, .. }
        | Call::FutexWake { address: at, .. }
        | Call::Unsupported { address: at, .. } => address(at, renaming)?,
        Call::Open { result, .. } | Call::Socket { result } => {
            *result = (renaming.descriptor)(*result, true)?;
        }
        Call::Pipe { reading, writing } => {
            *reading = (renaming.descriptor)(*reading, true)?;
            *writing = (renaming.descriptor)(*writing, true)?;
        }
        Call::Dup { result, descriptor } => {
            *descriptor = (renaming.descriptor)(*descriptor, false)?;
            *result = (renaming.descriptor)(*result, true)?;
        }
        Call::Close(descriptor)
        | Call::Read { descriptor, .. }
        | Call::Write { descriptor, .. }
        | Call::Ftruncate { descriptor, .. } => {
            *descriptor = (renaming.descriptor)(*descriptor, false)?;
        }
        Call::Fork { result } | Call::Vfork { result } | Call::Clone { result, .. } => {
            *result = (renaming.process)(*result, true)?;
        }
        Call::PtraceAttach(process)
        | Call::PtraceDetach(process)
        | Call::ProcessMaps { process, .. } => {
            *process = (renaming.process)(*process, false)?;
        }
        Call::PtracePeek {
            process,
            address: at,
            ..
        }
        | Call::PtracePoke {
            process,
            address: at,
            ..
        } => {
            *process = (renaming.process)(*process, false)?;
            address(at, renaming)?;
        }
        Call::Shmget { result, .. } => *result = (renaming.segment)(*result, true)?,
        Call::Shmat {
            result, segment, ..
        } => {
            *segment = (renaming.segment)(*segment, false)?;
            *result = (renaming.mapping)(*result, true)?;
        }
        Call::ShmRemove(segment) | Call::ShmStat(segment) => {
            *segment = (renaming.segment)(*segment, false)?;
        }
        Call::Truncate { .. }
        | Call::Unlink(_)
        | Call::Exec { .. }
        | Call::Exit
        | Call::SystemMaps { .. } => {}
    }
    Some(Operation::Call(caller, call))
}

fn address(address: &mut Address, renaming: &mut Renaming<'_>) -> Option<()> {
    if let Address::Of(name, _) = address {
        *name = (renaming.mapping)(*name, false)?;
    }
    Some(())
}

/// The last operation, and before it only those that bind the names which it needs.
pub fn needed(operations: &[Operation]) -> Vec<Operation> {
    let mut wanted = BTreeSet::new();
    let mut kept = Vec::new();
    for (place, operation) in operations.iter().enumerate().rev() {
        let (bound, used) = named(operation);
        let is_last = place + 1 == operations.len();
        if is_last || bound.iter().any(|name| wanted.contains(name)) {
            wanted.extend(used);
            kept.push(operation.clone());
        }
    }
    kept.reverse();
    kept
}

/// A name: the letter of its sort, and its number.
type Name = (char, u16);

/// The names that an operation binds, and those that it uses.
fn named(operation: &Operation) -> (Vec<Name>, Vec<Name>) {
    let names = RefCell::new((Vec::new(), Vec::new()));
    let note = |letter: char, number: u16, is_bound: bool| {
        let mut names = names.borrow_mut();
        match is_bound {
            true => names.0.push((letter, number)),
            false => names.1.push((letter, number)),
        }
    };
    rename(
        operation,
        &mut Renaming {
            process: &mut |name, is_bound| {
                note('p', name.0, is_bound);
                Some(name)
            },
            mapping: &mut |name, is_bound| {
                note('m', name.0, is_bound);
                Some(name)
            },
            descriptor: &mut |name, is_bound| {
                note('f', name.0, is_bound);
                Some(name)
            },
            segment: &mut |name, is_bound| {
                note('s', name.0, is_bound);
                Some(name)
            },
        },
    );
    names.into_inner()
}

/// Numbers names in the order they are bound, and takes out what uses a name that nothing
/// binds. Processes that exist from the start keep theirs.
pub fn normalise(operations: &[Operation], processes: u16) -> Vec<Operation> {
    let mut mappings = BTreeMap::new();
    let mut descriptors = BTreeMap::new();
    let mut segments = BTreeMap::new();
    let mut born: BTreeMap<Process, Process> = (0..processes)
        .map(|number| (Process(number), Process(number)))
        .collect();
    let mut kept = Vec::with_capacity(operations.len());
    for operation in operations {
        let renamed = rename(
            operation,
            &mut Renaming {
                process: &mut |name, binds| number(&mut born, name, binds, Process),
                mapping: &mut |name, binds| number(&mut mappings, name, binds, MappingName),
                descriptor: &mut |name, binds| number(&mut descriptors, name, binds, Descriptor),
                segment: &mut |name, binds| number(&mut segments, name, binds, SegmentName),
            },
        );
        kept.extend(renamed);
    }
    kept
}

fn number<N: Copy + Ord>(
    known: &mut BTreeMap<N, N>,
    name: N,
    binds: bool,
    make: fn(u16) -> N,
) -> Option<N> {
    if binds {
        let next = make(known.len() as u16);
        known.insert(name, next);
        return Some(next);
    }
    known.get(&name).copied()
}

/// How many processes there are, those that are made included.
pub fn processes(operations: &[Operation], initial: u16) -> u16 {
    let born = |operation: &&Operation| {
        matches!(
            operation,
            Operation::Call(
                _,
                Call::Fork { .. } | Call::Vfork { .. } | Call::Clone { .. }
            )
        )
    };
    initial + operations.iter().filter(born).count() as u16
}

/// Lets one process do what another does; who makes a process stays who it is.
pub fn merge_process(operations: &[Operation], from: u16, into: u16) -> Vec<Operation> {
    map_processes(operations, |process, binds| {
        Some(if process == Process(from) && !binds {
            Process(into)
        } else {
            process
        })
    })
}

/// Takes out a process that exists from the start, with what it does.
pub fn remove_process(operations: &[Operation], gone: u16) -> Vec<Operation> {
    map_processes(operations, |process, _| match process.0.cmp(&gone) {
        std::cmp::Ordering::Less => Some(process),
        std::cmp::Ordering::Equal => None,
        std::cmp::Ordering::Greater => Some(Process(process.0 - 1)),
    })
}

fn map_processes(
    operations: &[Operation],
    mut map: impl FnMut(Process, bool) -> Option<Process>,
) -> Vec<Operation> {
    operations
        .iter()
        .filter_map(|operation| {
            rename(
                operation,
                &mut Renaming {
                    process: &mut map,
                    mapping: &mut |name, _| Some(name),
                    descriptor: &mut |name, _| Some(name),
                    segment: &mut |name, _| Some(name),
                },
            )
        })
        .collect()
}

/// Lets one descriptor be used where another is.
pub fn merge_descriptor(
    operations: &[Operation],
    from: Descriptor,
    into: Descriptor,
) -> Vec<Operation> {
    operations
        .iter()
        .filter_map(|operation| {
            rename(
                operation,
                &mut Renaming {
                    process: &mut |name, _| Some(name),
                    mapping: &mut |name, _| Some(name),
                    descriptor: &mut |name, binds| {
                        Some(if name == from && !binds { into } else { name })
                    },
                    segment: &mut |name, _| Some(name),
                },
            )
        })
        .collect()
}

/// Opens an object once, for all that it was opened for twice. None where it was not.
pub fn merge_opened(
    operations: &[Operation],
    from: Descriptor,
    into: Descriptor,
) -> Option<Vec<Operation>> {
    let opened = |wanted: Descriptor| {
        operations.iter().position(|operation| {
            matches!(operation, Operation::Call(_, Call::Open { result, .. }) if *result == wanted)
        })
    };
    let (first, second) = (opened(into)?, opened(from)?);
    let mut merged = merge_descriptor(operations, from, into);
    if first > second || merged.len() != operations.len() {
        return None;
    }
    let Operation::Call(
        _,
        Call::Open {
            path, flags: more, ..
        },
    ) = merged.remove(second)
    else {
        return None;
    };
    match &mut merged[first] {
        Operation::Call(
            _,
            Call::Open {
                path: same, flags, ..
            },
        ) if *same == path => {
            *flags |= more;
            Some(merged)
        }
        _ => None,
    }
}

/// How many descriptors are bound.
pub fn descriptors(operations: &[Operation]) -> u16 {
    let mut count = 0;
    for operation in operations {
        if let Operation::Call(_, call) = operation {
            count += match call {
                Call::Open { .. } | Call::Socket { .. } | Call::Dup { .. } => 1,
                Call::Pipe { .. } => 2,
                _ => 0,
            };
        }
    }
    count
}

/// Paths of a trace for which a plainer one of the same kind could stand.
pub fn plainer_paths(operations: &[Operation]) -> Vec<(Path, Path)> {
    const PLAINER: [(&str, &str); 14] = [
        ("/ram/b", "/ram/a"),
        ("/ram/missing", "/ram/a"),
        ("/disk/c", "/disk/a"),
        ("/disk/b", "/disk/a"),
        ("/disk/c", "/ram/a"),
        ("/disk/a", "/ram/a"),
        ("/rom/b", "/rom/a"),
        ("/rom/missing", "/rom/a"),
        ("/dev/chr1", "/dev/chr0"),
        ("/dev/mtd0", "/dev/chr0"),
        ("/dev/mtd0", "/rom/a"),
        ("/dev/ram0", "/ram/a"),
        ("/dev/blk0", "/disk/a"),
        ("/dev/missing", "/ram/missing"),
    ];
    let used = |wanted: &str| {
        let mut paths = operations.iter().filter_map(path);
        paths.any(|path| &*path.0 == wanted)
    };
    PLAINER
        .iter()
        .filter(|(from, _)| used(from))
        .map(|&(from, into)| (Path(from.into()), Path(into.into())))
        .collect()
}

fn path(operation: &Operation) -> Option<&Path> {
    match operation {
        Operation::Driver(path, _) => Some(path),
        Operation::Call(
            _,
            Call::Open { path, .. }
            | Call::Truncate { path, .. }
            | Call::Exec { path, .. }
            | Call::Unlink(path),
        ) => Some(path),
        _ => None,
    }
}

/// Makes a file where it is opened.
pub fn create(operations: &[Operation], made: &Path) -> Vec<Operation> {
    let mut operations = operations.to_vec();
    for operation in &mut operations {
        if let Operation::Call(_, Call::Open { path, flags, .. }) = operation
            && path == made
        {
            *flags |= OpenFlags::CREATE;
        }
    }
    operations
}

/// Puts one path in another's place.
pub fn replace_path(operations: &[Operation], from: &Path, into: &Path) -> Vec<Operation> {
    let mut operations = operations.to_vec();
    for operation in &mut operations {
        match operation {
            Operation::Driver(path, _)
            | Operation::Call(
                _,
                Call::Open { path, .. }
                | Call::Truncate { path, .. }
                | Call::Exec { path, .. }
                | Call::Unlink(path),
            ) if path == from => *path = into.clone(),
            _ => {}
        }
    }
    operations
}
