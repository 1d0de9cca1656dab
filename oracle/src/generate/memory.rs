//! Mapping memory, and using it.

use super::source::Source;
use super::{Generator, runnable};
use nommu_model::observation::Object;
use nommu_model::op::{
    Address, Call, Descriptor, Fill, MapFlags, MappingName, Mmap, Operation, Process, Protection,
    RemapFlags,
};
use nommu_model::world::World;
use nommu_model::world::file::Kind;
use nommu_model::world::space::{Backing, Mapping};

/// How often a hoard takes how much, as a power of 2 of pages: most of 64 MiB, of which a kernel
/// that has no page left for itself would end processes.
const HOARD: (u16, u32) = (12, 10);

impl Generator {
    pub(super) fn map_anonymous(&mut self, world: &World, source: &mut Source<'_, '_>) -> Call {
        let mut flags = source.pick(&[MapFlags::PRIVATE, MapFlags::PRIVATE, MapFlags::SHARED]);
        if source.rarely(self.focus.uninitialized) {
            flags |= MapFlags::UNINITIALIZED;
        }
        let length = self.length(world, source);
        let mut call = Mmap {
            result: MappingName(0),
            address: None,
            length,
            protection: source.weighted(&[
                (6, Protection::READ.union(Protection::WRITE)),
                (3, Protection::READ),
                (3, Protection::all()),
                (1, Protection::empty()),
                (1, Protection::WRITE),
                (1, Protection::EXEC),
                (1, Protection::READ.union(Protection::EXEC)),
                (1, Protection::WRITE.union(Protection::EXEC)),
            ]),
            flags,
            descriptor: None,
            offset: 0,
        };
        if source.rarely(self.focus.strange / 2) {
            call.offset = match source.evenly() {
                true => self.strange_offset(source),
                false => self.offset(None, source),
            };
        }
        self.spoil(world, &mut call, source);
        // Where how much memory there is cannot be known, counts of pages may be cut off.
        if world.config.window.is_none() && world.config.trim == 0 && source.rarely(3) {
            call.length = (1 << source.between(43, 53)) + self.focus.header.page_size;
        }
        call.result = self.new_mapping();
        Call::Mmap(call)
    }

    /// Plans to take most of the memory that there is: what comes after finds little of it.
    pub(super) fn plan_hoard(&mut self) {
        let (times, order) = HOARD;
        let call = Call::Mmap(Mmap {
            result: MappingName(0),
            address: None,
            length: self.focus.header.page_size << order,
            protection: Protection::READ | Protection::WRITE,
            flags: MapFlags::PRIVATE,
            descriptor: None,
            offset: 0,
        });
        self.plan(Process(0), &call, times);
    }

    /// Now and then something is wrong with a request.
    fn spoil(&mut self, world: &World, call: &mut Mmap, source: &mut Source<'_, '_>) {
        if !source.rarely(self.focus.strange) {
            return;
        }
        match source.below(8) {
            0 => call.flags |= MapFlags::FIXED,
            1 => {
                call.flags |= MapFlags::FIXED;
                call.address = Some(self.stale(source));
            }
            2 | 3 => call.address = Some(self.stale(source)),
            4 => call.flags -= MapFlags::SHARED | MapFlags::PRIVATE,
            5 => call.flags |= MapFlags::SHARED | MapFlags::PRIVATE,
            6 => call.length = self.strange_length(source),
            _ => {
                // Where there is free memory.
                let free = world.memory.free_blocks().next();
                call.address = free.map(|block| Address::Absolute(block.start));
            }
        }
    }

    pub(super) fn map_file(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let Some(descriptor) = self.descriptor(world, process, source) else {
            return self.open(source);
        };
        let opened = world.opened(process, descriptor);
        let number = opened.and_then(|opened| opened.open.target.file());
        let file = opened.and_then(|opened| opened.file);
        let memory = file.filter(|file| {
            file.kind == Kind::MemoryBacked && opened.is_some_and(|opened| opened.open.writable)
        });
        if memory.is_some_and(|file| file.size == 0) && !source.rarely(40) {
            // Nothing can be mapped before there is something.
            return Call::Ftruncate {
                descriptor,
                length: self.length(world, source).min(1 << 30),
            };
        }
        let mut flags = source.pick(&[MapFlags::PRIVATE, MapFlags::SHARED, MapFlags::PRIVATE]);
        let mut protection = source.weighted(&[
            (6, Protection::READ),
            (4, Protection::READ.union(Protection::WRITE)),
            (3, Protection::READ.union(Protection::EXEC)),
            (1, Protection::all()),
            (1, Protection::empty()),
            (1, Protection::WRITE),
            (1, Protection::EXEC),
            (1, Protection::WRITE.union(Protection::EXEC)),
        ]);
        let size = self.focus.header.page_size;
        let (mut offset, mut length);
        let earlier = number.and_then(|number| mapping_of(world, number.0, source));
        if let Some(file) = memory
            && source.rarely(50)
        {
            // All of it, as memory that processes share.
            (offset, length) = (0, file.size.clamp(1, 1 << 20));
            flags = MapFlags::SHARED;
            protection = Protection::READ | Protection::WRITE;
        } else if let Some(earlier) = earlier
            && source.evenly()
        {
            // What has to do with a mapping that is there.
            offset = earlier.offset;
            length = earlier.end - earlier.start;
            let pages = length / size;
            match source.below(8) {
                0..=2 => {}
                3 => {
                    let skip = source.between(0, pages - 1);
                    offset = offset.wrapping_add(skip * size);
                    length -= skip * size;
                }
                4 => {
                    let skip = source.between(0, pages - 1);
                    offset = offset.wrapping_add(skip * size);
                    length = source.between(1, pages - skip) * size;
                }
                5 => length = source.between(1, pages) * size,
                6 => length = length.saturating_add(size),
                _ => offset = offset.wrapping_add(size),
            }
            // As the other, or for the other use: what one writes, the other must not see.
            match source.below(4) {
                0 | 1 => {
                    protection = earlier.protection;
                    flags = sharing(earlier.shared);
                }
                2 => {
                    flags = sharing(!earlier.shared);
                    protection = Protection::READ;
                    protection.set(Protection::WRITE, !earlier.shared);
                    self.plan_write(world, earlier, source);
                }
                _ => {}
            }
        } else {
            offset = self.offset(file, source);
            let end = file.map_or(size, |file| file.size).min(1 << 20);
            length = match source.below(8) {
                0..=2 => self.length(world, source),
                3..=5 => end.saturating_sub(offset).max(1),
                6 => end.saturating_sub(offset).saturating_add(size),
                _ => size,
            };
        }
        if source.rarely(self.focus.uninitialized) {
            flags |= MapFlags::UNINITIALIZED;
        }
        let mut call = Mmap {
            result: MappingName(0),
            address: None,
            length,
            protection,
            flags,
            descriptor: Some(descriptor),
            offset,
        };
        self.spoil(world, &mut call, source);
        call.result = self.new_mapping();
        Call::Mmap(call)
    }

    pub(super) fn unmap(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let size = self.focus.header.page_size;
        let mapping = self.mapping(world, process, source).copied();
        let Some(mapping) = mapping.filter(|_| !source.rarely(self.focus.strange / 2)) else {
            if mapping.is_none() && source.byte() < 240 {
                return self.map_anything(world, process, source);
            }
            return Call::Munmap {
                address: self.stale(source),
                length: self.length(world, source),
            };
        };
        let whole = mapping.end - mapping.start;
        let pages = whole / size;
        // Parts are more to the point where there may be parts.
        let ways = if mapping.object.is_none() && pages > 1 {
            16
        } else {
            28
        };
        let (from, length) = match source.below(ways) {
            0 | 1 => (0, source.between(1, pages) * size),
            2 | 3 => {
                let keep = source.between(0, pages - 1) * size;
                (keep, whole - keep)
            }
            4 | 5 => {
                let skip = source.between(0, pages - 1);
                (skip * size, source.between(1, pages - skip) * size)
            }
            6 => (0, whole - source.between(0, size - 1)),
            7 => (0, 1),
            8 if self.focus.strange > 0 => match source.below(8) {
                0 => (0, whole + size),
                1 => (0u64.wrapping_sub(size), whole + size),
                2 => (0u64.wrapping_sub(size), size),
                3 => (whole, size),
                // From within a page, also where all pages it touches are mapped.
                4 => {
                    let from = source.between(0, pages - 1) * size;
                    let within = source.pick(&[1, size / 2, size - 1]);
                    (from + within, source.pick(&[1, size, whole]))
                }
                5 => (0, self.strange_length(source)),
                6 => (whole - size, 2 * size),
                _ => self.neighbours(world, process, &mapping),
            },
            _ => (0, whole),
        };
        if mapping.shared && from == 0 && length == whole && source.rarely(60) {
            self.plan_cut(world, process, &mapping);
        }
        Call::Munmap {
            address: self.named(world, mapping.start.wrapping_add(from)),
            length,
        }
    }

    /// After the end of a mapping of a file, cuts the file where the others end: what they leave
    /// of it may go.
    fn plan_cut(&mut self, world: &World, process: Process, mapping: &Mapping) {
        let Some(Object::File(number)) = mapping.object else {
            return;
        };
        let Some(file) = world.files.get(usize::from(number)) else {
            return;
        };
        let Some(path) = file
            .path
            .clone()
            .filter(|_| file.kind == Kind::MemoryBacked)
        else {
            return;
        };
        let spaces = world.spaces.iter().flat_map(|space| &space.mappings);
        let others = spaces.filter(|other| other.object == mapping.object && *other != mapping);
        let length = others
            .map(|other| other.offset.saturating_add(other.end - other.start))
            .max()
            .unwrap_or(0);
        if length < file.size {
            self.planned
                .push(Operation::Call(process, Call::Truncate { path, length }));
        }
    }

    /// Plans that somebody whose mapping it is writes through a shared mapping.
    fn plan_write(&mut self, world: &World, mapping: &Mapping, source: &mut Source<'_, '_>) {
        if !mapping.shared || !mapping.protection.contains(Protection::WRITE) {
            return;
        }
        let owner = runnable(world).find(|&process| {
            let space = world.space_of(process);
            space.is_some_and(|space| space.mappings.contains(mapping))
        });
        let Some(owner) = owner else {
            return;
        };
        let call = Call::Store {
            address: self.named(world, mapping.start),
            data: Fill {
                byte: self.letter(source),
                count: 1,
            },
        };
        self.planned.push(Operation::Call(owner, call));
    }

    /// From the start of a mapping to the end of the next one.
    fn neighbours(&self, world: &World, process: Process, mapping: &Mapping) -> (u64, u64) {
        let next = world
            .space_of(process)
            .and_then(|space| space.mappings.iter().find(|next| next.start >= mapping.end));
        let end = next.map_or(mapping.end, |next| next.end);
        (0, end - mapping.start)
    }

    fn map_anything(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        match source.below(usize::from(self.focus.shares[0] + self.focus.shares[1]).max(1)) {
            below if below < usize::from(self.focus.shares[0]) => self.map_anonymous(world, source),
            _ if self.focus.shares[1] > 0 => self.map_file(world, process, source),
            _ => self.shmat(world, source),
        }
    }

    pub(super) fn remap(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let size = self.focus.header.page_size;
        let mapping = self.mapping(world, process, source).copied();
        let Some(mapping) = mapping.filter(|_| !source.rarely(self.focus.strange / 2)) else {
            if mapping.is_none() && source.byte() < 240 {
                return self.map_anything(world, process, source);
            }
            let address = self.stale(source);
            return Call::Mremap {
                result: self.new_mapping(),
                address,
                old_length: self.length(world, source),
                new_length: self.length(world, source),
                flags: RemapFlags::empty(),
                new_address: None,
            };
        };
        let whole = mapping.end - mapping.start;
        let top = match mapping.backing {
            Backing::Region(_) => world
                .region_at(mapping.start)
                .map_or(mapping.end, |region| region.top),
            Backing::Direct => mapping.end,
        };
        let granule = top.saturating_sub(mapping.start);
        let mut old_length = whole;
        let new_length = match source.below(16) {
            0..=3 => source.between(1, granule.max(size) / size) * size,
            4 | 5 => granule,
            6 | 7 => granule + size,
            8 => granule + 1,
            9 | 10 => whole + size,
            11 | 12 => whole.saturating_sub(size),
            13 => whole,
            14 => whole.saturating_sub(source.between(0, size)),
            _ => self.length(world, source),
        };
        let mut address = mapping.start;
        if source.rarely(self.focus.strange) {
            match source.below(5) {
                0 => old_length = whole.saturating_sub(size),
                1 => old_length += size,
                2 => address += size,
                3 => address += 1,
                _ => old_length = self.strange_length(source),
            }
        } else if source.rarely(20) {
            old_length -= source.between(0, size - 1);
        }
        let mut flags = RemapFlags::empty();
        flags.set(RemapFlags::MAYMOVE, source.evenly());
        let mut new_address = None;
        if source.rarely(24) {
            flags.set(RemapFlags::FIXED, true);
            new_address = Some(match source.below(3) {
                0 => self.named(world, address),
                1 => self.named(world, address.wrapping_add(size)),
                _ => self.stale(source),
            });
        }
        Call::Mremap {
            result: self.new_mapping(),
            address: self.named(world, address),
            old_length,
            new_length: if source.rarely(self.focus.strange / 2) {
                self.strange_length(source)
            } else {
                new_length
            },
            flags,
            new_address,
        }
    }

    pub(super) fn load(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        let (address, length) = self.run(world, process, source);
        Call::Load { address, length }
    }

    pub(super) fn store(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Call {
        // Memory that is given back dirty shows whether it is cleared again.
        if source.rarely(40)
            && let Some(&mapping) = self.mapping(world, process, source)
            && mapping.backing != Backing::Direct
        {
            let length = mapping.end - mapping.start;
            let address = self.named(world, mapping.start);
            self.planned
                .push(Operation::Call(process, Call::Munmap { address, length }));
            return Call::Store {
                address,
                data: Fill {
                    byte: self.letter(source),
                    count: length.min(1 << 17),
                },
            };
        }
        let (address, count) = self.run(world, process, source);
        Call::Store {
            address,
            data: Fill {
                byte: self.letter(source),
                count,
            },
        }
    }

    pub(super) fn letter(&mut self, source: &mut Source<'_, '_>) -> u8 {
        b'A' + source.below(26) as u8
    }

    /// Bytes of a mapping, or sometimes ones that are not all of it.
    pub(super) fn run(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> (Address, u64) {
        let size = self.focus.header.page_size;
        let Some(mapping) = self.mapping(world, process, source).copied() else {
            if self.careful {
                return (Address::Absolute(0), 0);
            }
            let address = self.stale(source);
            return (address, self.count(size, source));
        };
        let whole = mapping.end - mapping.start;
        let from = match source.below(8) {
            0..=2 => 0,
            3 | 4 => source.between(0, whole / size - 1) * size,
            5 => source.between(0, whole - 1),
            6 => whole - source.between(1, size),
            _ => whole - size,
        };
        let mut length = self.count(whole - from, source);
        if length > whole - from && (self.careful || !source.rarely(80)) {
            length = whole - from;
        }
        if !self.careful && source.rarely(self.focus.strange / 2) {
            return (self.stale(source), length);
        }
        (self.named(world, mapping.start + from), length)
    }

    /// One of a process's descriptors, or sometimes one that it has not.
    pub(super) fn descriptor(
        &mut self,
        world: &World,
        process: Process,
        source: &mut Source<'_, '_>,
    ) -> Option<Descriptor> {
        if self.descriptors > 0 && source.rarely(self.focus.strange / 2) {
            return Some(Descriptor(
                source.below(usize::from(self.descriptors)) as u16
            ));
        }
        let open = &world.process(process)?.descriptors;
        if open.is_empty() {
            return None;
        }
        let place = source.below(open.len());
        open.keys().nth(place).copied()
    }
}

fn sharing(shared: bool) -> MapFlags {
    match shared {
        true => MapFlags::SHARED,
        false => MapFlags::PRIVATE,
    }
}

/// A mapping of a file, anybody's.
pub(super) fn mapping_of<'w>(
    world: &'w World,
    number: u16,
    source: &mut Source<'_, '_>,
) -> Option<&'w Mapping> {
    let object = Some(Object::File(number));
    let of_it = || {
        world
            .spaces
            .iter()
            .flat_map(|space| &space.mappings)
            .filter(move |mapping| mapping.object == object)
    };
    let count = of_it().count().min(256);
    if count == 0 {
        return None;
    }
    of_it().nth(source.below(count))
}
