//! The whole state as bytes, for whoever compares systems: what is hidden included, names that
//! mean nothing left out.
//!
//! What is written is everything that a later call can depend on. What is left out, and why no
//! call can tell:
//!
//! - numbers of processes, files and segments, and how many there ever were: they are handles,
//!   passed in by the caller; [`Labels`] says in which order to write what they stand for;
//! - numbers of descriptors: they are handles too. Each process's are written in the order of
//!   what they stand for. Two of them that stand for equal open files cannot be told apart;
//! - places in the arenas and what was reserved there: neither is seen outside;
//! - ages of mappings: only their order counts, and mappings are written in it;
//! - paths that the labels call interchangeable, but not whether a file has its path;
//! - how often drivers were called: they are counted and never asked.
//!
//! What is still as it was in the system that everything began with is only said to be: the files
//! that exist from the start, and the memory of devices.

use crate::driver::Driver;
use crate::engine::Engine;
use crate::file::{Content, File, FileSlot, Path, Target};
use crate::memory::Memory;
use crate::region::RegionHandle;
use crate::request::{Answer, FileNumber, Object, Pid, SegmentNumber};
use crate::segment::Segment;
use alloc::vec::Vec;

/// In which order to write what is known by number. What exists and is not listed is written
/// too, by number.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// Live processes.
    pub processes: &'a [Pid],
    /// Files that were made, and exist.
    pub files: &'a [FileNumber],
    /// Segments that exist.
    pub segments: &'a [SegmentNumber],
    /// Whether the paths of the files that were made are as good as each other.
    pub paths_alike: bool,
    /// Whether the keys of the segments are.
    pub keys_alike: bool,
}

/// Says that a number has no label, before the number.
const UNLABELLED: u32 = 1 << 31;

impl Labels<'_> {
    fn process(&self, pid: Pid) -> u32 {
        let label = self.processes.iter().position(|&other| other == pid);
        label.map_or(pid.0 | UNLABELLED, |label| label as u32)
    }

    fn file(&self, number: FileNumber) -> u32 {
        let label = self.files.iter().position(|&other| other == number);
        label.map_or(number.0 | UNLABELLED, |label| label as u32)
    }

    fn segment(&self, number: SegmentNumber) -> u32 {
        let label = self.segments.iter().position(|&other| other == number);
        label.map_or(number.0 | UNLABELLED, |label| label as u32)
    }
}

impl<M: Memory> Engine<M> {
    /// Appends the state. Two systems that came from `start` and write the same go on alike.
    pub fn write_state(&self, start: &Self, labels: &Labels<'_>, bytes: &mut Vec<u8>) {
        let mut writer = Writer { bytes };
        writer.long(self.trim);
        self.budget.write_state(|number| writer.long(number));
        self.buddy.write_state(|word| writer.long(word));
        writer.long(self.copied_pages);
        let found = self.forest.iter(self.by_address);
        let regions: Vec<RegionHandle> = found.map(|found| RegionHandle(found.id as u32)).collect();
        self.write_regions(labels, &regions, &mut writer);
        self.write_processes(labels, &regions, &mut writer);
        self.write_files(start, labels, &regions, &mut writer);
        self.write_segments(labels, &mut writer);
        self.write_indices(labels, &mut writer);
        self.write_memory(start, &mut writer);
    }

    /// Whether every call goes on here as in `before`, which this was once a copy of: nothing
    /// is changed, with all that is hidden. False where only how it is kept may have changed.
    pub fn is_unchanged_since(&self, before: &Self) -> bool
    where
        M: PartialEq,
    {
        let Engine {
            config,
            page,
            window_start,
            memory,
            buddy,
            budget,
            trim,
            forest,
            regions,
            by_address,
            copied_pages,
            mappings,
            next_age,
            spaces,
            processes,
            open_files,
            files,
            segments,
        } = self;
        files.is_unchanged_since(&before.files)
            && *next_age == before.next_age
            && *copied_pages == before.copied_pages
            && *trim == before.trim
            && *by_address == before.by_address
            && *budget == before.budget
            && *buddy == before.buddy
            && *regions == before.regions
            && *mappings == before.mappings
            && *spaces == before.spaces
            && *processes == before.processes
            && *open_files == before.open_files
            && *segments == before.segments
            && *forest == before.forest
            && *memory == before.memory
            && *config == before.config
            && *page == before.page
            && *window_start == before.window_start
    }

    fn write_regions(
        &self,
        labels: &Labels<'_>,
        regions: &[RegionHandle],
        writer: &mut Writer<'_>,
    ) {
        writer.count(regions.len());
        for &handle in regions {
            let region = &self.regions[handle.0];
            writer.long(region.start);
            writer.long(region.end);
            writer.long(region.top);
            match region.object {
                None => writer.byte(0),
                Some(Object::File(number)) => {
                    writer.byte(1);
                    writer.word(labels.file(number));
                }
                Some(Object::Segment(number)) => {
                    writer.byte(2);
                    writer.word(labels.segment(number));
                }
            }
            writer.long(region.offset);
            writer.byte(region.protection.bits());
            writer.flags(&[
                region.shared,
                region.copy,
                region.uninitialized,
                region.share.is_some(),
            ]);
            writer.byte(region.share.map_or(u8::MAX, |class| class.index() as u8));
            writer.word(region.users);
        }
    }

    fn write_processes(
        &self,
        labels: &Labels<'_>,
        regions: &[RegionHandle],
        writer: &mut Writer<'_>,
    ) {
        let mut spaces = Vec::new();
        for &pid in labels.processes {
            let Some(process) = self.processes.get(pid.0 as usize) else {
                continue;
            };
            let known = spaces.iter().position(|&space| space == process.space);
            writer.count(known.unwrap_or(spaces.len()));
            if known.is_none() {
                spaces.push(process.space);
            }
            writer.flags(&[process.alive]);
            for other in [process.waits_for, process.waited_by, process.tracer] {
                writer.word(other.map_or(u32::MAX, |other| labels.process(other)));
            }
            writer.word(process.tracees);
            let opened = process.descriptors.iter().flatten();
            let mut opened: Vec<_> = opened
                .map(|&index| {
                    let open = &self.open_files[index];
                    let target = match open.target {
                        Target::File(slot) => labels.file(self.files.get(slot).number),
                        Target::Pipe => u32::MAX,
                        Target::Socket => u32::MAX - 1,
                    };
                    (target, open.readable, open.writable, open.references)
                })
                .collect();
            opened.sort_unstable();
            writer.count(opened.len());
            for (target, readable, writable, references) in opened {
                writer.word(target);
                writer.flags(&[readable, writable]);
                writer.word(references);
            }
        }
        for &space in &spaces {
            let space = &self.spaces[space];
            writer.word(space.users);
            writer.count(self.forest.iter(space.mappings).count());
            for found in self.forest.iter(space.mappings) {
                let mapping = &self.mappings[found.id as u32];
                writer.long(mapping.start);
                writer.long(mapping.end);
                writer.byte(mapping.protection.bits());
                writer.place(regions, mapping.region);
            }
        }
    }

    fn write_files(
        &self,
        start: &Self,
        labels: &Labels<'_>,
        regions: &[RegionHandle],
        writer: &mut Writer<'_>,
    ) {
        let labelled = labels.files.iter().copied();
        let others = self.files.iter().map(|(_, file)| file.number);
        let others = others.filter(|number| !labels.files.contains(number));
        for number in labelled.chain(others) {
            let Some(slot) = self.files.numbered(number) else {
                continue;
            };
            writer.word(labels.file(number));
            let before = start.files.numbered(number);
            let is_as_before =
                before.is_some_and(|before| self.files.get(slot).is_as(start.files.get(before)));
            writer.flags(&[is_as_before]);
            if !is_as_before {
                self.write_file(slot, labels, regions, writer);
            }
        }
        writer.word(u32::MAX);
    }

    fn write_file(
        &self,
        slot: FileSlot,
        labels: &Labels<'_>,
        regions: &[RegionHandle],
        writer: &mut Writer<'_>,
    ) {
        let file = self.files.get(slot);
        writer.byte(file.kind as u8);
        writer.flags(&[file.linked]);
        if file.linked
            && !labels.paths_alike
            && let Path::Made(path) = &file.path
        {
            writer.count(path.len());
            writer.bytes.extend_from_slice(path.as_bytes());
        }
        writer.long(file.size);
        writer.word(file.opens);
        writer.word(file.regions);
        writer.word(file.direct_regions);
        match &file.content {
            Content::None | Content::At(_) => {}
            Content::Sparse(sparse) => {
                writer.count(sparse.pages().len());
                sparse.pages().iter().for_each(|&page| writer.long(page));
                writer.bytes.extend_from_slice(sparse.bytes());
            }
            Content::Runs(runs) => {
                writer.count(runs.iter().count());
                for run in runs.iter() {
                    writer.long(run.first);
                    writer.word(run.page.0);
                    writer.word(run.count);
                }
            }
        }
        if let Some(driver) = &file.driver {
            writer.word(
                driver
                    .capabilities
                    .map_or(u32::MAX, |some| some.bits().into()),
            );
            writer.word(answer(driver.area));
            writer.word(answer(driver.mmap));
            writer.flags(&[driver.readable, driver.busy]);
        }
        for (class, &root) in file.shares.iter().enumerate() {
            if root.is_empty() {
                continue;
            }
            for found in self.forest.iter(root) {
                writer.count(class + 1);
                writer.long(found.start);
                writer.long(found.end);
                writer.place(regions, RegionHandle(found.id as u32));
            }
        }
        writer.byte(0);
    }

    fn write_segments(&self, labels: &Labels<'_>, writer: &mut Writer<'_>) {
        let others = self.segments.iter().map(|segment| segment.number);
        let others = others.filter(|number| !labels.segments.contains(number));
        for number in labels.segments.iter().copied().chain(others) {
            let Some(segment) = self.segments.get(number) else {
                continue;
            };
            writer.word(labels.segment(number));
            match labels.keys_alike {
                true => writer.flags(&[segment.key != 0]),
                false => writer.word(segment.key),
            }
            writer.long(segment.size);
            writer.word(segment.first.0);
            writer.word(segment.pages.0);
            writer.word(segment.attached);
            writer.flags(&[segment.removed]);
        }
        writer.word(u32::MAX);
    }

    /// What follows from the rest where records agree with each other. Where they do not, later
    /// calls can tell: something is kept to which nothing leads, or found that is not there.
    fn write_indices(&self, labels: &Labels<'_>, writer: &mut Writer<'_>) {
        writer.count(self.spaces.iter().count());
        writer.count(self.mappings.iter().count());
        writer.count(self.open_files.iter().count());
        writer.count(self.files.names());
        let keys = self.segments.keys();
        writer.count(keys.len());
        let label = |segment: Option<&Segment>| {
            segment.map_or(u32::MAX, |segment| labels.segment(segment.number))
        };
        let wrong = keys.iter().filter_map(|&(key, number)| {
            let found = self.segments.get(number);
            if found.is_some_and(|segment| segment.key == key) {
                return None;
            }
            let holder = self.segments.iter().find(|segment| segment.key == key);
            let key = if labels.keys_alike { 0 } else { key };
            Some([key, label(found), label(holder)])
        });
        let mut wrong: Vec<[u32; 3]> = wrong.collect();
        wrong.sort_unstable();
        wrong.iter().flatten().for_each(|&word| writer.word(word));
    }

    /// All of it, what is free too: a mapping that is not cleared shows it.
    fn write_memory(&self, start: &Self, writer: &mut Writer<'_>) {
        let Ok(layout) = self.config.layout() else {
            return;
        };
        let window = (layout.window_start, layout.window_length as usize);
        let devices = (layout.devices_start, layout.devices_length as usize);
        writer.memory(&self.memory, window);
        let before = writer.bytes.len();
        writer.memory(&start.memory, devices);
        let now = writer.bytes.len();
        writer.memory(&self.memory, devices);
        let is_as_before = writer.bytes[before..now] == writer.bytes[now..];
        // What is there now is written once, if at all.
        writer.bytes.drain(before..now);
        if is_as_before {
            writer.bytes.truncate(before);
        }
        writer.flags(&[is_as_before]);
    }
}

impl File {
    /// Whether all that is written of a file is the same in two systems, and no region shows it.
    fn is_as(&self, other: &Self) -> bool {
        let File {
            number,
            kind,
            path,
            linked,
            size,
            content,
            driver,
            opens,
            regions,
            direct_regions,
            shares,
            // Which files there are is written with each of them.
            next: _,
            previous: _,
        } = self;
        *opens == other.opens
            && *regions == other.regions
            && *direct_regions == other.direct_regions
            && shares
                .iter()
                .chain(&other.shares)
                .all(|root| root.is_empty())
            && *linked == other.linked
            && *size == other.size
            && *content == other.content
            && driver.map(Driver::uncounted) == other.driver.map(Driver::uncounted)
            && *number == other.number
            && *kind == other.kind
            && *path == other.path
    }
}

impl Driver {
    /// It, as if it had never been called.
    fn uncounted(self) -> Self {
        Self {
            area_calls: 0,
            mmap_calls: 0,
            close_calls: 0,
            ..self
        }
    }
}

fn answer(answer: Answer) -> u32 {
    match answer {
        Answer::Absent => u32::MAX,
        Answer::Ok => 0,
        Answer::Error(error) => 1 + u32::from(error.number()),
    }
}

/// Writes numbers.
struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Writer<'_> {
    #[inline]
    fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline]
    fn word(&mut self, word: u32) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }

    #[inline]
    fn long(&mut self, long: u64) {
        self.bytes.extend_from_slice(&long.to_le_bytes());
    }

    #[inline]
    fn count(&mut self, count: usize) {
        self.word(count as u32);
    }

    #[inline]
    fn flags(&mut self, flags: &[bool]) {
        self.byte(flags.iter().fold(0, |all, &flag| all << 1 | u8::from(flag)));
    }

    fn memory(&mut self, memory: &impl Memory, (start, length): (u64, usize)) {
        let before = self.bytes.len();
        self.bytes.resize(before + length, 0);
        memory.read(start, &mut self.bytes[before..]);
    }

    /// A region by its place among all.
    fn place(&mut self, regions: &[RegionHandle], region: RegionHandle) {
        let place = regions.iter().position(|&other| other == region);
        self.word(place.map_or(u32::MAX, |place| place as u32));
    }
}
