//! A world as few bytes, for sets of worlds.

use super::World;
use super::file::File;
use super::page::Page;
use super::process::{OpenFileNumber, OpenTarget};
use super::region::Origin;
use super::space::{Backing, Mapping, SpaceNumber};
use crate::observation::Object;
use crate::op::Answer;

impl World {
    /// Appends a canonical encoding: equal exactly when two worlds of one configuration differ
    /// at most in how regions, address spaces and open files are numbered.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        self.encode_state(bytes);
        // A name that was never bound stands for 0, as one whose call failed.
        let mappings = &self.names.mappings;
        let bound = mappings
            .iter()
            .rposition(|&at| at != 0)
            .map_or(0, |last| last + 1);
        number(bytes, bound as u64);
        mappings[..bound].iter().for_each(|&at| number(bytes, at));
        let segments = &self.names.segments;
        let bound = segments
            .iter()
            .rposition(Option::is_some)
            .map_or(0, |last| last + 1);
        number(bytes, bound as u64);
        for &name in &segments[..bound] {
            number(bytes, name.map_or(0, |name| u64::from(name) + 1));
        }
    }

    /// Appends the encoding without what names stand for, for an explorer that chooses its
    /// addresses from the state.
    pub fn encode_state(&self, bytes: &mut Vec<u8>) {
        number(bytes, self.config.trim);
        number(bytes, self.files.len() as u64);
        for file in self.files.iter() {
            encode_file(file, bytes);
        }
        number(bytes, self.segments.len() as u64);
        for segment in self.segments.iter() {
            flag(bytes, segment.dead);
            if segment.dead {
                continue;
            }
            optional(bytes, segment.key.map(u64::from));
            number(bytes, segment.size);
            optional(bytes, segment.start);
            number(bytes, segment.attached.into());
            flag(bytes, segment.removed);
            encode_pages(&segment.pages, bytes);
        }
        number(bytes, self.regions.len() as u64);
        for region in self.regions.iter() {
            number(bytes, region.start);
            number(bytes, region.end - region.start);
            number(bytes, region.top - region.end);
            bytes.push(region.protection.bits());
            match region.origin {
                Origin::Anonymous => bytes.push(0),
                Origin::Copy {
                    file,
                    offset,
                    reusable,
                } => {
                    bytes.push(1 + u8::from(reusable));
                    number(bytes, file.0.into());
                    number(bytes, offset);
                }
            }
            number(bytes, region.users.into());
            encode_pages(&region.pages, bytes);
        }
        self.encode_processes(bytes);
    }

    /// Spaces and open files are numbered in the order in which processes lead to them.
    fn encode_processes(&self, bytes: &mut Vec<u8>) {
        let mut spaces: Vec<SpaceNumber> = Vec::new();
        let mut open_files: Vec<OpenFileNumber> = Vec::new();
        number(bytes, self.processes.len() as u64);
        for state in self.processes.iter() {
            flag(bytes, state.alive);
            if !state.alive {
                continue;
            }
            number(bytes, place(&mut spaces, state.space));
            optional(bytes, state.waits_for.map(|process| process.0.into()));
            optional(bytes, state.tracer.map(|process| process.0.into()));
            number(bytes, state.descriptors.len() as u64);
            for (name, &open) in state.descriptors.iter() {
                number(bytes, name.0.into());
                number(bytes, place(&mut open_files, open));
            }
        }
        for open in open_files {
            let open = &self.open_files[usize::from(open.0)];
            match open.target {
                OpenTarget::Pipe => number(bytes, 0),
                OpenTarget::Socket => number(bytes, 1),
                OpenTarget::File(file) => number(bytes, u64::from(file.0) + 2),
            }
            bytes.push(u8::from(open.readable) | u8::from(open.writable) << 1);
        }
        for space in spaces {
            let mappings = &self.spaces[usize::from(space.0)].mappings;
            number(bytes, mappings.len() as u64);
            for mapping in mappings {
                encode_mapping(mapping, bytes);
            }
        }
    }
}

/// Where a value is in a list that it is added to if it is not there.
fn place<T: PartialEq>(list: &mut Vec<T>, value: T) -> u64 {
    let found = list.iter().position(|other| *other == value);
    found.unwrap_or_else(|| {
        list.push(value);
        list.len() - 1
    }) as u64
}

fn encode_mapping(mapping: &Mapping, bytes: &mut Vec<u8>) {
    number(bytes, mapping.start);
    number(bytes, mapping.end.wrapping_sub(mapping.start));
    let direct = mapping.backing == Backing::Direct;
    let flags =
        u8::from(mapping.shared) << 3 | u8::from(direct) << 4 | u8::from(mapping.shareable) << 5;
    bytes.push(mapping.protection.bits() | flags);
    match mapping.object {
        None => number(bytes, 0),
        Some(Object::File(file)) => number(bytes, 1 + 2 * u64::from(file)),
        Some(Object::Segment(segment)) => number(bytes, 2 + 2 * u64::from(segment)),
    }
    number(bytes, mapping.offset);
    number(bytes, mapping.granted.start);
    number(bytes, mapping.granted.end);
    bytes.push(mapping.granted.protection.bits());
}

fn encode_file(file: &File, bytes: &mut Vec<u8>) {
    flag(bytes, file.dead);
    if file.dead {
        return;
    }
    let path = file.path.as_ref().map_or("", |path| &path.0);
    number(bytes, path.len() as u64);
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(file.kind as u8);
    number(bytes, file.size);
    optional(bytes, file.memory);
    if let Some(driver) = file.driver {
        optional(bytes, driver.capabilities.map(|can| can.bits().into()));
        for answer in [driver.area, driver.mmap] {
            match answer {
                Answer::Absent => number(bytes, 0),
                Answer::Ok => number(bytes, 1),
                Answer::Error(errno) => number(bytes, 2 + errno as u64),
            }
        }
        flag(bytes, driver.readable);
        flag(bytes, driver.busy);
        for calls in [driver.area_calls, driver.mmap_calls, driver.close_calls] {
            number(bytes, calls.into());
        }
    }
    number(bytes, file.pages.len() as u64);
    for page in &file.pages {
        number(bytes, page.index.into());
        optional(bytes, page.address);
        encode_page(&page.contents, bytes);
    }
}

fn encode_pages(pages: &[Page], bytes: &mut Vec<u8>) {
    number(bytes, pages.len() as u64);
    for page in pages {
        encode_page(page, bytes);
    }
}

fn encode_page(page: &Page, bytes: &mut Vec<u8>) {
    match page {
        Page::Unknown => bytes.push(0),
        Page::Known(contents) => match contents.iter().all(|&byte| byte == contents[0]) {
            true => bytes.extend([1, contents[0]]),
            false => {
                bytes.push(2);
                bytes.extend_from_slice(contents);
            }
        },
    }
}

/// Seven bits at a time, the lowest first.
fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn optional(bytes: &mut Vec<u8>, value: Option<u64>) {
    flag(bytes, value.is_some());
    if let Some(value) = value {
        number(bytes, value);
    }
}

fn flag(bytes: &mut Vec<u8>, value: bool) {
    bytes.push(value.into());
}
