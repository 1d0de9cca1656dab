//! Names for addresses and objects.

use nommu_model::observation::{Object, Observation};
use nommu_model::op::{Call, MappingName, Operation};
use nommu_model::outcome::{Outcome, Value};
use nommu_model::world::config::{Config, Window};
use std::collections::BTreeMap;

/// Objects that exist at the start, by number (see `specs/trace.md`).
const INITIAL: &[&str] = &[
    "/ram",
    "/disk",
    "/rom",
    "/disk/a",
    "/disk/b",
    "/rom/a",
    "/rom/b",
    "/dev/blk0",
    "/dev/ram0",
    "/dev/chr0",
    "/dev/chr1",
    "/dev/mtd0",
];

/// What the names of a trace stand for, as far as it is still mapped.
#[derive(Clone, Debug)]
pub struct Places {
    page_size: u64,
    window: Option<Window>,
    /// In the order in which they were bound.
    named: Vec<Named>,
    /// Paths of files by number, as they were when the files were first seen.
    files: BTreeMap<u16, String>,
}

/// One name and the range that it was bound for.
#[derive(Clone, Copy, Debug)]
struct Named {
    name: MappingName,
    start: u64,
    end: u64,
}

impl Places {
    /// Nothing is named yet.
    pub fn new(config: &Config) -> Self {
        Self {
            page_size: config.page_size,
            window: config.window,
            named: Vec::new(),
            files: (0..)
                .zip(INITIAL.iter().map(|path| (*path).into()))
                .collect(),
        }
    }

    /// Takes in what a step bound, and forgets names of which nothing is mapped any more.
    pub fn after(&mut self, operation: &Operation, outcome: &Outcome, seen: &Observation) {
        if let Some((name, length)) = binds(operation)
            && let Outcome::Ok(Value::Address(start)) = *outcome
        {
            let end = match length {
                Some(length) => start.saturating_add(length),
                // A segment's length is not written in the call.
                None => end_of_mapping(seen, start).unwrap_or(start),
            };
            let end = end.checked_next_multiple_of(self.page_size).unwrap_or(end);
            self.named.push(Named { name, start, end });
        }
        if let Operation::Call(_, Call::Open { path, .. }) = operation {
            for file in &seen.files {
                self.files
                    .entry(file.number)
                    .or_insert_with(|| path.0.to_string());
            }
        }
        self.named.retain(|named| {
            (seen.processes.iter())
                .flat_map(|process| &process.mappings)
                .any(|mapping| mapping.start < named.end && named.start < mapping.end)
        });
    }

    /// How an object is written.
    pub fn object(&self, object: Object) -> String {
        match object {
            Object::File(number) => match self.files.get(&number) {
                Some(path) => path.clone(),
                None => format!("file {number}"),
            },
            Object::Segment(number) => format!("segment {number}"),
        }
    }

    /// How an address is written: by the first name for it, else relative to the last name
    /// for what it lies in, else relative to the memory that mappings are made from.
    pub fn name(&self, address: u64) -> String {
        self.known(address).unwrap_or_else(|| self.unnamed(address))
    }

    /// How an address is written that a call returned: as an existing place, or as new.
    pub fn returned(&self, operation: &Operation, address: u64) -> String {
        self.known(address).unwrap_or_else(|| {
            let Some((name, _)) = binds(operation) else {
                return self.unnamed(address);
            };
            let within = address % self.page_size;
            match within {
                0 => format!("m{}", name.0),
                _ => format!("m{}, {within:#x} into a page", name.0),
            }
        })
    }

    fn known(&self, address: u64) -> Option<String> {
        let exact = self.named.iter().find(|named| named.start == address);
        let around =
            || (self.named.iter().rev()).find(|named| (named.start..named.end).contains(&address));
        let named = exact.or_else(around)?;
        Some(match address - named.start {
            0 => format!("m{}", named.name.0),
            offset => format!("m{}+{offset:#x}", named.name.0),
        })
    }

    fn unnamed(&self, address: u64) -> String {
        if let Some(window) = self.window {
            let length = window.pages.saturating_mul(self.page_size);
            let offset = address.wrapping_sub(window.start);
            if offset < length {
                return format!("memory+{offset:#x}");
            }
        }
        format!("{address:#x}")
    }
}

/// The name that an operation binds, and how many bytes it stands for if the call says so.
fn binds(operation: &Operation) -> Option<(MappingName, Option<u64>)> {
    let Operation::Call(_, call) = operation else {
        return None;
    };
    match call {
        Call::Mmap(mmap) => Some((mmap.result, Some(mmap.length))),
        Call::Mremap {
            result, new_length, ..
        } => Some((*result, Some(*new_length))),
        Call::Shmat { result, .. } => Some((*result, None)),
        _ => None,
    }
}

fn end_of_mapping(seen: &Observation, start: u64) -> Option<u64> {
    (seen.processes.iter())
        .flat_map(|process| &process.mappings)
        .find(|mapping| mapping.start == start)
        .map(|mapping| mapping.end)
}
