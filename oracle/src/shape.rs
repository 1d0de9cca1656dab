//! What kind of thing an operation asks for.
//!
//! Two divergences with the same broken rule are one class only if they come from operations of
//! one shape: a copy that is refused for flash has nothing to do with one that is refused for a
//! regular file. And what is known to break a machine has a shape by which it can be left out.

use crate::lockstep::OperationKind;
use nommu_model::observation::Object;
use nommu_model::op::{Call, MapFlags, Mmap, Operation, Process, Protection};
use nommu_model::world::World;
use nommu_model::world::file::{FileNumber, Kind};
use nommu_model::world::process::OpenTarget;
use nommu_model::world::space::Mapping;
use std::fmt::Write;

/// Bytes from which on a length is far beyond any memory.
const HUGE: u64 = 1 << 24;

/// The shape of an operation on a world, in words.
pub fn of(world: &World, operation: &Operation) -> String {
    let mut shape = OperationKind::of(operation).name().to_owned();
    let Operation::Call(process, call) = operation else {
        return shape;
    };
    let said = match call {
        Call::Mmap(asked) => Some(mmap(world, *process, asked)),
        Call::Munmap { address, length } => {
            Some(munmap(world, *process, world.address(*address), *length))
        }
        Call::Mremap {
            address,
            old_length,
            new_length,
            ..
        } => {
            let change = match new_length.cmp(old_length) {
                std::cmp::Ordering::Less => "less",
                std::cmp::Ordering::Equal => "as much",
                std::cmp::Ordering::Greater => "more",
            };
            let start = world.address(*address);
            Some(format!("{change} of {}", at(world, *process, start)))
        }
        Call::Load { address, .. }
        | Call::Store { address, .. }
        | Call::FutexWait { address, .. }
        | Call::FutexWake { address, .. } => {
            Some(at(world, *process, world.address(*address)).to_owned())
        }
        Call::PtracePeek {
            process, address, ..
        }
        | Call::PtracePoke {
            process, address, ..
        } => Some(at(world, *process, world.address(*address)).to_owned()),
        Call::Read { descriptor, .. }
        | Call::Write { descriptor, .. }
        | Call::Ftruncate { descriptor, .. } => {
            let opened = world.opened(*process, *descriptor);
            Some(
                opened
                    .map_or("nothing", |opened| target(world, opened.open.target))
                    .into(),
            )
        }
        Call::Clone { shares_memory, .. } if !shares_memory => Some("without memory".into()),
        _ => None,
    };
    if let Some(said) = said {
        let _ = write!(shape, " {said}");
    }
    shape
}

fn mmap(world: &World, process: Process, asked: &Mmap) -> String {
    let object = match asked.descriptor {
        None => "anonymous",
        Some(descriptor) => world
            .opened(process, descriptor)
            .map_or("nothing", |opened| target(world, opened.open.target)),
    };
    let mut said = object.to_owned();
    if asked.length >= HUGE {
        said.push_str(", huge");
        // What is not trimmed is another number of pages altogether.
        if world.config.trim == 0 {
            said.push_str(", not trimmed");
        }
    }
    if asked.descriptor.is_some() {
        said.push_str(match asked.flags.contains(MapFlags::SHARED) {
            true => ", shared",
            false => ", private",
        });
        if asked.protection.contains(Protection::WRITE) {
            said.push_str(", writable");
        }
    }
    said
}

fn munmap(world: &World, process: Process, start: u64, length: u64) -> String {
    let end = start.saturating_add(length);
    let mappings = || {
        world
            .space_of(process)
            .into_iter()
            .flat_map(|space| &space.mappings)
    };
    let touched = || mappings().filter(|mapping| mapping.start < end && start < mapping.end);
    let mut of = touched();
    match (of.next(), of.next()) {
        (None, _) => "nothing".into(),
        (Some(_), Some(_)) => "several".into(),
        (Some(one), None) => {
            let part = match (one.start.cmp(&start), one.end.cmp(&end)) {
                (std::cmp::Ordering::Equal, std::cmp::Ordering::Equal) => "all",
                (std::cmp::Ordering::Greater, _) | (_, std::cmp::Ordering::Less) => "more than",
                _ => "a part",
            };
            format!("{part} of {}", backing(world, one))
        }
    }
}

/// What is mapped at an address.
fn at(world: &World, process: Process, address: u64) -> &'static str {
    let mut mappings = world
        .space_of(process)
        .into_iter()
        .flat_map(|space| &space.mappings);
    mappings
        .find(|mapping| mapping.contains(address, 1))
        .map_or("nothing", |mapping| backing(world, mapping))
}

fn backing(world: &World, mapping: &Mapping) -> &'static str {
    match mapping.object {
        None => "anonymous",
        Some(Object::Segment(_)) => "a segment",
        Some(Object::File(number)) => world
            .files
            .get(usize::from(number))
            .map_or("nothing", |_| kind(world.file(FileNumber(number)).kind)),
    }
}

fn target(world: &World, target: OpenTarget) -> &'static str {
    match target {
        OpenTarget::File(number) => kind(world.file(number).kind),
        OpenTarget::Pipe => "a pipe",
        OpenTarget::Socket => "a socket",
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "a directory",
        Kind::Regular => "a regular file",
        Kind::MemoryBacked => "a memory-backed file",
        Kind::ExecuteInPlace => "an execute-in-place file",
        Kind::Block => "a block device",
        Kind::MemoryBlock => "a memory-backed block device",
        Kind::Character => "a character device",
        Kind::Mtd => "flash",
    }
}
