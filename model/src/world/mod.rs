//! The state that the contract talks about: who owns which page, what each mapping shows,
//! what each process, file, segment and driver is.
//!
//! A world is plain data. What may be asked of it lives beside each part; what changes it is
//! in [`crate::step`] alone. Where an implementation's answer left something open, the world
//! says so ([`page::Page::Unknown`], an unknown page address) until an observation settles it.

pub mod compare;
pub mod config;
pub mod contents;
pub mod file;
mod initial;
pub mod memory;
mod observe;
pub mod page;
pub mod performable;
pub mod process;
pub mod region;
mod render;
mod seen;
pub mod segment;
pub mod shared;
pub mod space;

#[cfg(test)]
mod tests;

use crate::observation::Object;
use crate::op::{Descriptor, MappingName, Process, SegmentName};
pub use initial::Objects;

use config::Config;
use file::{File, FileNumber};
use memory::Memory;
use process::{OpenFile, ProcessState};
use region::{Region, RegionId};
use segment::Segment;
use shared::Shared;
use space::Space;
use std::sync::Arc;

/// Everything at one moment.
///
/// To keep the world before each step, use `before.clone_from(&world)`: only what the step
/// changed costs anything.
#[derive(Debug, PartialEq, Eq)]
pub struct World {
    /// What was fixed when the system was made, but for the trim watermark.
    pub config: Shared<Config>,
    /// Files and devices by [`FileNumber`]; one that is gone for good is [`File::dead`].
    pub files: Shared<Vec<Shared<File>>>,
    /// SysV segments by number.
    pub segments: Shared<Vec<Segment>>,
    /// Memory of its own: anonymous memory and private copies, by address.
    pub regions: Shared<Vec<Shared<Region>>>,
    /// Address spaces; one without a live process is empty.
    pub spaces: Shared<Vec<Shared<Space>>>,
    /// Processes by [`Process`]; they stay listed when they are dead.
    pub processes: Shared<Vec<ProcessState>>,
    /// Open file descriptions; one without a descriptor is free to be used again.
    pub open_files: Shared<Vec<OpenFile>>,
    /// What the names of a trace stand for.
    pub names: Shared<Names>,
    /// Who owns each page; follows from the rest, and is kept so that it need not be searched.
    pub memory: Shared<Memory>,
    /// What the next region is called.
    pub next_region: RegionId,
    /// A page of zeroes, shared by all that is cleared.
    zero: Arc<[u8]>,
}

impl Clone for World {
    fn clone(&self) -> Self {
        World {
            config: self.config.clone(),
            files: self.files.clone(),
            segments: self.segments.clone(),
            regions: self.regions.clone(),
            spaces: self.spaces.clone(),
            processes: self.processes.clone(),
            open_files: self.open_files.clone(),
            names: self.names.clone(),
            memory: self.memory.clone(),
            next_region: self.next_region,
            zero: self.zero.clone(),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        let World {
            config,
            files,
            segments,
            regions,
            spaces,
            processes,
            open_files,
            names,
            memory,
            next_region,
            zero,
        } = self;
        config.clone_from(&source.config);
        files.clone_from(&source.files);
        segments.clone_from(&source.segments);
        regions.clone_from(&source.regions);
        spaces.clone_from(&source.spaces);
        processes.clone_from(&source.processes);
        open_files.clone_from(&source.open_files);
        names.clone_from(&source.names);
        memory.clone_from(&source.memory);
        *next_region = source.next_region;
        if !Arc::ptr_eq(zero, &source.zero) {
            zero.clone_from(&source.zero);
        }
    }
}

/// What calls returned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `m0`, `m1`...: addresses; 0 where the call failed.
    pub mappings: Vec<u64>,
    /// `s0`, `s1`...: segment numbers; none where the call failed.
    pub segments: Vec<Option<u16>>,
}

/// The file behind a descriptor, in one look.
#[derive(Clone, Copy, Debug)]
pub struct Opened<'a> {
    /// How it was opened.
    pub open: &'a OpenFile,
    /// What it is; none for a pipe or a socket.
    pub file: Option<&'a File>,
}

impl World {
    /// Whether both are the same but for what names of mappings stand for and what regions are
    /// called: so that whoever gives addresses and no names finds no difference, now or later.
    /// Cheap where they have most in common.
    pub fn is_still(&self, other: &Self) -> bool {
        let World {
            config,
            files,
            segments,
            regions,
            spaces,
            processes,
            open_files,
            names,
            memory,
            next_region: _,
            zero,
        } = self;
        *regions == other.regions
            && *spaces == other.spaces
            && *memory == other.memory
            && *files == other.files
            && *processes == other.processes
            && *open_files == other.open_files
            && *segments == other.segments
            && names.segments == other.names.segments
            && *config == other.config
            && *zero == other.zero
    }

    /// Whose the page at an address is.
    pub fn owner(&self, address: u64) -> memory::Owner {
        self.memory.owner(address)
    }

    /// Whether a run of 2^`order` pages can be had; see [`Memory::can_serve`].
    pub fn can_serve(&self, order: u32) -> Option<bool> {
        self.memory.can_serve(order)
    }

    /// The largest order that can be had; see [`Memory::largest_free_order`].
    pub fn largest_free_order(&self) -> Option<u32> {
        self.memory.largest_free_order()
    }

    /// The address that a trace's expression stands for.
    pub fn address(&self, address: crate::op::Address) -> u64 {
        match address {
            crate::op::Address::Of(name, offset) => {
                self.mapping_name(name).wrapping_add_signed(offset)
            }
            crate::op::Address::Absolute(address) => address,
        }
    }

    /// What a mapping's name stands for; 0 where its call failed or never came.
    pub fn mapping_name(&self, name: MappingName) -> u64 {
        self.names
            .mappings
            .get(usize::from(name.0))
            .copied()
            .unwrap_or(0)
    }

    /// The segment that a name stands for, if its call succeeded.
    pub fn segment_name(&self, name: SegmentName) -> Option<&Segment> {
        let number = (*self.names.segments.get(usize::from(name.0))?)?;
        self.segments.get(usize::from(number))
    }

    /// A process, dead or alive, if it was ever made.
    pub fn process(&self, process: Process) -> Option<&ProcessState> {
        self.processes.get(usize::from(process.0))
    }

    /// A live process's address space.
    pub fn space_of(&self, process: Process) -> Option<&Space> {
        let state = self.process(process)?;
        state
            .alive
            .then(|| &*self.spaces[usize::from(state.space.0)])
    }

    /// What a process's descriptor stands for, if it is open there.
    pub fn opened(&self, process: Process, descriptor: Descriptor) -> Option<Opened<'_>> {
        let state = self.process(process)?;
        let index = state.descriptors.get(&descriptor)?;
        let open = &self.open_files[usize::from(index.0)];
        Some(Opened {
            open,
            file: open.target.file().map(|number| self.file(number)),
        })
    }

    /// A file or device.
    pub fn file(&self, number: FileNumber) -> &File {
        &self.files[usize::from(number.0)]
    }

    /// Whether any mapping is of bytes of a file from `start` on and before `end`, whoever has it.
    pub fn is_mapped(&self, file: FileNumber, start: u64, end: u64) -> bool {
        let mut mappings = self.spaces.iter().flat_map(|space| &space.mappings);
        mappings.any(|mapping| {
            let length = mapping.end - mapping.start;
            mapping.object == Some(Object::File(file.0))
                && mapping.offset < end
                && start < mapping.offset.saturating_add(length)
        })
    }

    /// A region, by what identifies it.
    pub fn region(&self, id: RegionId) -> Option<&Region> {
        self.regions
            .iter()
            .map(|region| &**region)
            .find(|region| region.id == id)
    }
}
