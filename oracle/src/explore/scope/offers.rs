//! Which operations a scope has in a world.
//!
//! Addresses are numbers here and names are the least that are unused, so that what was there
//! once leaves no mark. [`crate::explore::product`] puts the names of a trace in their place.
//!
//! Where two operations can only differ in the name of a thing (one of two equal descriptors,
//! one of two equal mappings), the first is taken.

use super::{MmapOffer, MremapOffer, Part, Scope, SegmentsOffer, Spot};
use nommu_model::op::{
    Address, Call, Descriptor, Fill, MapFlags, MappingName, Mmap, Operation, Process, RemapFlags,
    Script, SegmentFlags, SegmentName, UnsupportedCall,
};
use nommu_model::world::World;
use nommu_model::world::file::FileNumber;
use nommu_model::world::space::Mapping;

/// What an access reads or writes.
const ACCESS_BYTES: u64 = 4;
/// Bytes that a listing is read by, in one piece and in many.
const LISTING_CHUNKS: [u64; 2] = [0, 7];
/// All that one process names at once is below this.
const DESCRIPTORS: u16 = 64;

impl Scope {
    /// Appends every operation, in a fixed order.
    pub fn operations(&self, world: &World, operations: &mut Vec<Operation>) {
        for number in 0..world.processes.len() {
            let process = Process(number as u16);
            let state = &world.processes[number];
            if state.alive && state.waits_for.is_none() {
                let mut offers = Offers {
                    scope: self,
                    world,
                    process,
                    operations,
                };
                offers.memory();
                offers.files();
                offers.processes();
                offers.segments();
                offers.listings();
                offers.templates();
            }
        }
        for &trim in &self.trim {
            if trim != world.config.trim {
                operations.push(Operation::SetTrim(trim));
            }
        }
        self.drivers(world, operations);
        self.settings(operations);
    }

    fn drivers(&self, world: &World, operations: &mut Vec<Operation>) {
        for offer in &self.drivers {
            let file = world
                .files
                .iter()
                .find(|file| file.path.as_ref() == Some(&offer.path));
            let Some(driver) = file.and_then(|file| file.driver) else {
                continue;
            };
            let mut tell = |script| operations.push(Operation::Driver(offer.path.clone(), script));
            for &area in offer.area.iter().filter(|&&area| area != driver.area) {
                tell(Script {
                    area: Some(area),
                    ..Script::default()
                });
            }
            for &mmap in offer.mmap.iter().filter(|&&mmap| mmap != driver.mmap) {
                tell(Script {
                    mmap: Some(mmap),
                    ..Script::default()
                });
            }
            for &capabilities in &offer.capabilities {
                if capabilities != driver.capabilities {
                    tell(Script {
                        capabilities: Some(capabilities),
                        ..Script::default()
                    });
                }
            }
            for &read in offer.read.iter().filter(|&&read| read != driver.readable) {
                tell(Script {
                    read: Some(read),
                    ..Script::default()
                });
            }
            for &busy in offer.busy.iter().filter(|&&busy| busy != driver.busy) {
                tell(Script {
                    busy: Some(busy),
                    ..Script::default()
                });
            }
        }
    }
}

/// The operations of one process.
pub(super) struct Offers<'a> {
    pub(super) scope: &'a Scope,
    pub(super) world: &'a World,
    pub(super) process: Process,
    pub(super) operations: &'a mut Vec<Operation>,
}

impl<'a> Offers<'a> {
    pub(super) fn call(&mut self, call: Call) {
        self.operations.push(Operation::Call(self.process, call));
    }

    pub(super) fn mappings_of(&self, process: Process) -> &'a [Mapping] {
        match self.world.space_of(process) {
            Some(space) => &space.mappings,
            None => &[],
        }
    }

    /// Mappings of the process that can be told apart.
    fn mappings(&self) -> impl Iterator<Item = &'a Mapping> + use<'a> {
        let mappings = self.mappings_of(self.process);
        let before = std::iter::once(None).chain(mappings.iter().map(Some));
        mappings
            .iter()
            .zip(before)
            .filter(|&(mapping, before)| Some(mapping) != before)
            .map(|(mapping, _)| mapping)
    }

    fn has_room(&self, mappings: usize) -> bool {
        self.mappings_of(self.process).len() + mappings <= self.scope.most.mappings
    }

    fn memory(&mut self) {
        for offer in &self.scope.mmap {
            if self.has_room(1) {
                self.mmap(offer);
            }
        }
        for mapping in self.mappings() {
            for &part in &self.scope.munmap {
                self.munmap(mapping, part);
            }
            if let Some(offer) = &self.scope.mremap {
                self.mremap(mapping, offer);
            }
            self.access(mapping);
        }
    }

    fn mmap(&mut self, offer: &MmapOffer) {
        for descriptor in self.mapped_by(offer) {
            for &length in &offer.lengths {
                for &protection in &offer.protections {
                    for &flags in &offer.flags {
                        for &offset in &offer.offsets {
                            let fixed = flags.contains(MapFlags::FIXED);
                            let window = self.world.config.window;
                            let start = window.map_or(0, |window| window.start);
                            let mut mmap = Mmap {
                                result: MappingName(0),
                                address: fixed.then_some(Address::Absolute(start)),
                                length,
                                protection,
                                flags,
                                descriptor,
                                offset,
                            };
                            self.call(Call::Mmap(mmap.clone()));
                            if offer.hint {
                                mmap.address = (!fixed).then_some(Address::Absolute(start));
                                self.call(Call::Mmap(mmap));
                            }
                        }
                    }
                }
            }
        }
    }

    /// The descriptors that an offer maps; none stands for anonymous memory.
    fn mapped_by(&self, offer: &MmapOffer) -> Vec<Option<Descriptor>> {
        if offer.is_anonymous() {
            return vec![None];
        }
        let wanted = |&(_, file): &(Descriptor, Option<FileNumber>)| match file {
            None => offer.unnamed,
            Some(file) => {
                let path = self.world.file(file).path.as_ref();
                let paths = offer.paths.as_ref();
                path.is_some_and(|path| paths.is_some_and(|paths| paths.contains(path)))
            }
        };
        let descriptors = self.descriptors().into_iter().filter(wanted);
        let mut mapped: Vec<_> = descriptors
            .map(|(descriptor, _)| Some(descriptor))
            .collect();
        if offer.foreign {
            mapped.extend(self.foreign().map(Some));
        }
        mapped
    }

    /// A descriptor that another process has open, for a process that has none: so that what
    /// descriptors are called does not matter.
    fn foreign(&self) -> Option<Descriptor> {
        let own = &self.world.processes[usize::from(self.process.0)].descriptors;
        let alive = self.world.processes.iter().filter(|other| other.alive);
        let mut names = alive.flat_map(|other| other.descriptors.keys());
        names.next().copied().filter(|_| own.is_empty())
    }

    fn munmap(&mut self, mapping: &Mapping, part: Part) {
        let page = self.world.config.page_size;
        let (start, end) = (mapping.start, mapping.end);
        let pages = (end - start) / page;
        let (address, length) = match part {
            Part::Whole => (start, end - start),
            Part::Head if pages > 1 => (start, page),
            Part::Tail if pages > 1 => (end - page, page),
            Part::Middle if pages > 2 => (start + page, page),
            Part::Beyond => (start, end - start + page),
            Part::Byte => (start, 1),
            Part::Nothing => (start, 0),
            Part::Unaligned => (start + 1, end - start - 1),
            Part::Head | Part::Tail | Part::Middle => return,
        };
        // A hole makes two mappings of one.
        let more = usize::from(part == Part::Middle);
        if self.has_room(more) {
            let address = Address::Absolute(address);
            self.call(Call::Munmap { address, length });
        }
    }

    fn mremap(&mut self, mapping: &Mapping, offer: &MremapOffer) {
        let page = self.world.config.page_size;
        let whole = mapping.end - mapping.start;
        let mut lengths = vec![whole];
        if offer.parts && whole > page {
            lengths.push(whole - page);
        }
        for old_length in lengths {
            for &new_length in &offer.lengths {
                for &flags in &offer.flags {
                    let address = Address::Absolute(mapping.start);
                    let fixed = flags.contains(RemapFlags::FIXED);
                    self.call(Call::Mremap {
                        result: MappingName(0),
                        address,
                        old_length,
                        new_length,
                        flags,
                        new_address: fixed.then_some(Address::Absolute(mapping.start + page)),
                    });
                }
            }
        }
    }

    fn access(&mut self, mapping: &Mapping) {
        for address in self.places(mapping) {
            if self.scope.access.load {
                let length = ACCESS_BYTES;
                self.call(Call::Load { address, length });
            }
            for &byte in &self.scope.access.store {
                let data = fill(byte);
                self.call(Call::Store { address, data });
            }
            for &expected in &self.scope.access.futex {
                self.call(Call::FutexWait { address, expected });
            }
            if !self.scope.access.futex.is_empty() {
                self.call(Call::FutexWake { address, count: 1 });
            }
        }
    }

    /// Where a mapping is accessed.
    fn places(&self, mapping: &Mapping) -> impl Iterator<Item = Address> + use<'a> {
        let page = self.world.config.page_size;
        let (start, end) = (mapping.start, mapping.end);
        let spots = self.scope.access.at.iter();
        spots.filter_map(move |spot| {
            let address = match spot {
                Spot::First => start,
                Spot::Last => end - ACCESS_BYTES,
                Spot::Pages if end - start > page => start + page - ACCESS_BYTES / 2,
                Spot::Pages => return None,
                Spot::Across => end - ACCESS_BYTES + 1,
                Spot::Beyond => end,
            };
            Some(Address::Absolute(address))
        })
    }

    /// Descriptors of the process that can be told apart, with what they stand for.
    pub(super) fn descriptors(&self) -> Vec<(Descriptor, Option<FileNumber>)> {
        let state = &self.world.processes[usize::from(self.process.0)];
        let mut seen = Vec::new();
        let mut descriptors = Vec::new();
        for (&descriptor, number) in state.descriptors.iter() {
            let open = self.world.open_files[usize::from(number.0)];
            // Closing one of two that stand for one open file leaves it open.
            let same = (open.target, open.readable, open.writable, open.descriptors);
            if !seen.contains(&same) {
                seen.push(same);
                descriptors.push((descriptor, open.target.file()));
            }
        }
        descriptors
    }

    /// Names for so many more descriptors, where there is room.
    pub(super) fn unused<const N: usize>(&self) -> Option<[Descriptor; N]> {
        let state = &self.world.processes[usize::from(self.process.0)];
        if state.descriptors.len() + N > self.scope.most.descriptors {
            return None;
        }
        let unused = (0..DESCRIPTORS).map(Descriptor);
        let mut unused = unused.filter(|name| !state.descriptors.contains_key(name));
        let names: Vec<Descriptor> = unused.by_ref().take(N).collect();
        names.try_into().ok()
    }

    fn files(&mut self) {
        if let Some([result]) = self.unused() {
            for offer in &self.scope.open {
                for path in &offer.paths {
                    for &flags in &offer.flags {
                        let path = path.clone();
                        self.call(Call::Open {
                            result,
                            path,
                            flags,
                        });
                    }
                }
            }
            if self.scope.files.unnamed {
                self.call(Call::Socket { result });
            }
        }
        if self.scope.files.unnamed
            && let Some([reading, writing]) = self.unused()
        {
            self.call(Call::Pipe { reading, writing });
        }
        for (descriptor, _) in self.descriptors() {
            self.file(descriptor);
        }
        for path in &self.scope.files.truncate_paths {
            for &length in &self.scope.files.truncate {
                let path = path.clone();
                self.call(Call::Truncate { path, length });
            }
        }
        for path in &self.scope.files.unlink {
            self.call(Call::Unlink(path.clone()));
        }
    }

    fn file(&mut self, descriptor: Descriptor) {
        let offer = &self.scope.files;
        if offer.close {
            self.call(Call::Close(descriptor));
        }
        if offer.dup
            && let Some([result]) = self.unused()
        {
            self.call(Call::Dup { result, descriptor });
        }
        for &length in &offer.truncate {
            self.call(Call::Ftruncate { descriptor, length });
        }
        for &offset in &offer.offsets {
            if let Some(length) = offer.read {
                self.call(Call::Read {
                    descriptor,
                    offset,
                    length,
                });
            }
            for &data in &offer.write {
                self.call(Call::Write {
                    descriptor,
                    offset,
                    data,
                });
            }
        }
    }

    fn processes(&mut self) {
        let offer = &self.scope.processes;
        let alive = self.world.processes.iter().filter(|other| other.alive);
        let alive = alive.count();
        let result = Process(self.world.processes.len() as u16);
        if offer.fork {
            self.call(Call::Fork { result });
        }
        if alive < self.scope.most.processes {
            if offer.vfork {
                self.call(Call::Vfork { result });
            }
            if offer.clone {
                self.call(Call::Clone {
                    result,
                    shares_memory: true,
                });
            }
        }
        if offer.clone {
            self.call(Call::Clone {
                result,
                shares_memory: false,
            });
        }
        for path in &offer.exec {
            for &stack in &offer.stack {
                let path = path.clone();
                self.call(Call::Exec { path, stack });
            }
        }
        // Without a process nothing happens any more.
        if offer.exit && alive > 1 {
            self.call(Call::Exit);
        }
        if offer.ptrace {
            self.ptrace();
        }
    }

    fn ptrace(&mut self) {
        for number in 0..self.world.processes.len() {
            let process = Process(number as u16);
            if !self.world.processes[number].alive {
                continue;
            }
            self.call(Call::PtraceAttach(process));
            self.call(Call::PtraceDetach(process));
            for mapping in self.mappings_of(process) {
                for address in self.places(mapping) {
                    let length = ACCESS_BYTES;
                    self.call(Call::PtracePeek {
                        process,
                        address,
                        length,
                    });
                    for &byte in &self.scope.access.store {
                        self.call(Call::PtracePoke {
                            process,
                            address,
                            data: fill(byte),
                        });
                    }
                }
            }
        }
    }

    fn segments(&mut self) {
        let Some(offer) = &self.scope.segments else {
            return;
        };
        self.shmget(offer);
        for number in 0..self.world.segments.len() {
            if self.world.segments[number].dead {
                continue;
            }
            let segment = SegmentName(number as u16);
            if self.has_room(1) {
                let result = MappingName(0);
                self.call(Call::Shmat {
                    result,
                    segment,
                    read_only: false,
                });
                if offer.read_only {
                    self.call(Call::Shmat {
                        result,
                        segment,
                        read_only: true,
                    });
                }
            }
            self.call(Call::ShmRemove(segment));
            self.call(Call::ShmStat(segment));
        }
        for mapping in self.mappings() {
            self.call(Call::Shmdt(Address::Absolute(mapping.start)));
        }
    }

    pub(super) fn shmget(&mut self, offer: &SegmentsOffer) {
        let alive = self.world.segments.iter().filter(|segment| !segment.dead);
        let has_room = alive.count() < self.scope.most.segments;
        for &key in &offer.keys {
            let mut segments = self.world.segments.iter();
            let found = segments.position(|segment| {
                key != 0 && !segment.dead && !segment.removed && segment.key == Some(key)
            });
            // A segment's name is its number.
            let unused = SegmentName(self.world.segments.len() as u16);
            let known = found.map_or(unused, |number| SegmentName(number as u16));
            for &flags in &offer.flags {
                let creates = key == 0 || flags.contains(SegmentFlags::CREATE);
                if found.is_none() && creates && !has_room {
                    continue;
                }
                for &size in &offer.sizes {
                    // One that fails must not unbind the name of one that exists.
                    let fails = found.is_some_and(|number| {
                        let flags_say = SegmentFlags::CREATE | SegmentFlags::EXCLUSIVE;
                        flags.contains(flags_say) || size > self.world.segments[number].size
                    });
                    let result = if fails { unused } else { known };
                    self.call(Call::Shmget {
                        result,
                        key,
                        size,
                        flags,
                    });
                }
            }
        }
    }

    fn listings(&mut self) {
        if self.scope.maps {
            for chunk in LISTING_CHUNKS {
                self.call(Call::SystemMaps { chunk });
                self.call(Call::ProcessMaps {
                    process: self.process,
                    chunk,
                });
            }
        }
        if self.scope.unsupported {
            let window = self.world.config.window;
            let address = Address::Absolute(window.map_or(0, |window| window.start));
            let length = self.world.config.page_size;
            for call in [
                UnsupportedCall::Mprotect,
                UnsupportedCall::Msync,
                UnsupportedCall::Mlock,
                UnsupportedCall::Madvise,
                UnsupportedCall::Mincore,
            ] {
                self.call(Call::Unsupported {
                    call,
                    address,
                    length,
                });
            }
        }
    }
}

fn fill(byte: u8) -> Fill {
    Fill {
        byte,
        count: ACCESS_BYTES,
    }
}
