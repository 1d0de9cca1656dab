//! Files: opening, changing, reading.

use super::Generator;
use super::source::Source;
use nommu_model::op::{
    Call, Descriptor, Fill, MapFlags, Mmap, OpenFlags, Operation, Process, Protection,
};
use nommu_model::world::World;
use nommu_model::world::file::{File, Kind};

/// The largest block that a kernel's allocator gives out, in bytes, and more of them than there are
/// in a machine that is judged.
const LARGEST_BLOCK: u64 = 4 << 20;
const LARGEST_BLOCKS: usize = 16;
/// Bytes of a memory-backed file whose pages a kernel's target can list.
const LISTED: u64 = 16 << 20;

impl Generator {
    pub(super) fn open(&mut self, source: &mut Source<'_, '_>) -> Call {
        let path = self.path(source);
        let read_only = path.0.starts_with("/rom") || &*path.0 == "/dev/mtd0";
        let mut flags = if source.rarely(self.focus.strange) {
            source.pick(&[OpenFlags::WRITE, OpenFlags::READ])
        } else if read_only || source.rarely(16) {
            OpenFlags::READ
        } else {
            OpenFlags::READ | OpenFlags::WRITE
        };
        let made = path.0.starts_with("/ram/") || path.0.starts_with("/disk/");
        flags.set(
            OpenFlags::CREATE,
            made != source.rarely(self.focus.strange / 2),
        );
        if flags.contains(OpenFlags::WRITE) && source.rarely(16) {
            flags |= OpenFlags::TRUNCATE;
        }
        Call::Open {
            result: self.new_descriptor(),
            path,
            flags,
        }
    }

    pub(super) fn close(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        match self.descriptor(world, process, source) {
            Some(descriptor) => Call::Close(descriptor),
            None => self.open(source),
        }
    }

    pub(super) fn dup(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        match self.descriptor(world, process, source) {
            Some(descriptor) => Call::Dup {
                result: self.new_descriptor(),
                descriptor,
            },
            None => self.open(source),
        }
    }

    pub(super) fn read(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let Some(descriptor) = self.descriptor(world, process, source) else {
            return self.open(source);
        };
        let file = world
            .opened(process, descriptor)
            .and_then(|opened| opened.file);
        let size = file.map_or(0, |file| file.size).min(1 << 12);
        Call::Read {
            descriptor,
            offset: self.position(file, source),
            length: self.count(size, source),
        }
    }

    pub(super) fn write(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let Some(descriptor) = self.descriptor(world, process, source) else {
            return self.open(source);
        };
        let file = world
            .opened(process, descriptor)
            .and_then(|opened| opened.file);
        let size = self.focus.header.page_size;
        let mut data = Fill {
            byte: self.letter(source),
            count: self.count(2 * size, source),
        };
        let offset = self.position(file, source);
        let room = (1u64 << 30).saturating_sub(offset);
        if room > 0 && room <= size && source.evenly() {
            // Up to the largest size that a file can have, or a byte more.
            data.count = room + source.below(2) as u64;
        } else if source.rarely(10) {
            // More than there are pages.
            data.count = ((self.focus.header.pages + 1) * size).min(1 << 17);
        }
        let mut offset = self.position(file, source);
        let is_listed = world.config.window.is_some() || !(LISTED..1 << 62).contains(&offset);
        if file.is_some_and(|file| file.kind == Kind::MemoryBacked) && !is_listed {
            offset %= LISTED / 2;
        }
        Call::Write {
            descriptor,
            offset,
            data,
        }
    }

    pub(super) fn ftruncate(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let Some(descriptor) = self.descriptor(world, process, source) else {
            return self.open(source);
        };
        let file = world
            .opened(process, descriptor)
            .and_then(|opened| opened.file);
        let length = self.file_size(world, file, source);
        if let Some(file) = file
            && file.kind == Kind::MemoryBacked
            && file.size == 0
            && world.config.window.is_none()
            && source.rarely(4)
        {
            return self.grow_without_memory(process, descriptor);
        }
        Call::Ftruncate { descriptor, length }
    }

    /// Growth of an empty file where there is no memory for it: how much a machine has is not
    /// known, so that all of its largest blocks are taken first.
    fn grow_without_memory(&mut self, process: Process, descriptor: Descriptor) -> Call {
        let growth = Call::Ftruncate {
            descriptor,
            length: LARGEST_BLOCK,
        };
        self.planned.push(Operation::Call(process, growth));
        for _ in 1..LARGEST_BLOCKS {
            let block = self.largest_block();
            self.planned.push(Operation::Call(process, block));
        }
        self.largest_block()
    }

    fn largest_block(&mut self) -> Call {
        Call::Mmap(Mmap {
            result: self.new_mapping(),
            address: None,
            length: LARGEST_BLOCK,
            protection: Protection::READ | Protection::WRITE,
            flags: MapFlags::PRIVATE,
            descriptor: None,
            offset: 0,
        })
    }

    pub(super) fn truncate(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        let path = self.path(source);
        let named = |file: &&File| file.path.as_ref() == Some(&path);
        let file = world.files.iter().map(|file| &**file).find(named);
        let length = self.file_size(world, file, source);
        Call::Truncate { path, length }
    }

    pub(super) fn pipe_or_socket(&mut self, source: &mut Source<'_, '_>) -> Call {
        if source.evenly() {
            Call::Pipe {
                reading: self.new_descriptor(),
                writing: self.new_descriptor(),
            }
        } else {
            Call::Socket {
                result: self.new_descriptor(),
            }
        }
    }
}
