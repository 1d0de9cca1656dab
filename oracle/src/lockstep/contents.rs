//! Holding the bytes that a target shows against those that have to be there.

use super::Lockstep;
use crate::target::{Target, Touched};
use nommu_model::observation::Sight;
use nommu_model::op::{Call, Operation};
use nommu_model::step::RuleId;
use nommu_model::step::blame::{Byte, blame};
use nommu_model::world::World;
use nommu_model::world::compare::Mismatch;
use nommu_model::world::contents::Expected;
use nommu_model::world::file::{File, FileNumber, FilePage, Kind};
use std::fmt::Write;

/// Memory that comparisons use again.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    pages: Vec<u64>,
}

/// A wrong byte.
pub(super) struct Found {
    byte: Byte,
    /// What is wrong.
    pub mismatch: Mismatch,
}

/// Bytes that a message shows.
const SHOWN: usize = 8;

impl<T: Target> Lockstep<T> {
    /// Compares what the last operation may have changed.
    pub(super) fn compare_touched(&mut self, operation: &Operation, found: &mut Vec<Found>) {
        self.buffer.pages.clear();
        let everything = match self.target.touched() {
            Touched::All => true,
            Touched::Pages(pages) => {
                self.buffer.pages.extend_from_slice(pages);
                false
            }
        };
        if everything {
            let from = found.len();
            self.compare_everything(found);
            return self.blame(operation, &mut found[from..]);
        }
        self.add_shown_anew(operation);
        let Buffer { bytes, pages } = &mut self.buffer;
        bytes.resize(self.after.page_size() as usize, 0);
        let mut devices = false;
        for &page in &*pages {
            let outside = self.after.config.window.is_some_and(|window| {
                page.wrapping_sub(window.start) >= window.pages * self.after.page_size()
            });
            if outside {
                devices = true;
            } else {
                compare_page(&self.target, &self.after, page, bytes, found);
            }
        }
        if devices || !self.before.files.is_same(&self.after.files) {
            self.compare_changed_files(devices, found);
        }
        self.blame(operation, found);
    }

    /// Adds the pages of memory that are shown now and were not before: nobody touched what
    /// should have been cleared or copied and was not.
    fn add_shown_anew(&mut self, operation: &Operation) {
        let (before, after) = (&self.before, &self.after);
        let Some(window) = after.config.window else {
            return;
        };
        let size = after.page_size();
        let pages = &mut self.buffer.pages;
        let touched = pages.len();
        if !before.segments.is_same(&after.segments) {
            for segment in after.segments.iter().skip(before.segments.len()) {
                let start = segment.start.into_iter();
                let count = segment.pages.len() as u64;
                pages.extend(
                    start.flat_map(|start| (0..count).map(move |page| start + page * size)),
                );
            }
        }
        if !before.files.is_same(&after.files) {
            add_pages_of_files(before, after, pages);
        }
        if before.regions.is_same(&after.regions) {
            if pages.len() > touched {
                pages.sort_unstable();
                pages.dedup();
            }
            return;
        }
        let behind = window.start.saturating_add(window.pages * size);
        let remaps = matches!(operation, Operation::Call(_, Call::Mremap { .. }));
        for region in after.regions.iter() {
            let from = match before.next_region <= region.id {
                true => region.start,
                false if remaps => before.region(region.id).map_or(region.end, |old| old.end),
                false => region.end,
            };
            if region.start < window.start || region.end > behind || from >= region.end {
                continue;
            }
            let shown = (region.end - from) / size;
            pages.extend((0..shown).map(|page| from + page * size));
        }
        if pages.len() > touched {
            pages.sort_unstable();
            pages.dedup();
        }
    }

    /// Compares the files that the model changed, and those in device memory if that changed.
    fn compare_changed_files(&mut self, devices: bool, found: &mut Vec<Found>) {
        let bytes = &mut self.buffer.bytes;
        let files = self.after.files.iter().zip(self.before.files.iter());
        for (number, (file, before)) in (0..).zip(files) {
            if !file.is_same(before) || devices && is_device(file) {
                compare_file(&self.target, &self.after, number, bytes, found);
            }
        }
    }

    /// Names the rules that say what a wrong byte has to be.
    fn blame(&self, operation: &Operation, found: &mut [Found]) {
        for found in found {
            found.mismatch.rules = blame(&self.before, &self.after, operation, found.byte);
        }
    }

    /// Compares all contents that are to be seen.
    pub(super) fn compare_everything(&mut self, found: &mut Vec<Found>) {
        if !self.sight().contains(Sight::CONTENTS) {
            return;
        }
        let bytes = &mut self.buffer.bytes;
        let world = &self.after;
        let size = world.page_size();
        bytes.resize(size as usize, 0);
        for region in world.regions.iter() {
            for page in 0..(region.end - region.start) / size {
                let address = region.start + page * size;
                compare_page(&self.target, world, address, bytes, found);
            }
        }
        for segment in world.segments.iter().filter(|segment| !segment.dead) {
            let pages = segment.pages.len() as u64;
            for page in segment
                .start
                .into_iter()
                .flat_map(|start| (0..pages).map(move |page| start + page * size))
            {
                compare_page(&self.target, world, page, bytes, found);
            }
        }
        for number in 0..world.files.len() as u16 {
            compare_file(&self.target, world, number, bytes, found);
        }
    }
}

/// Adds the pages that memory-backed files have now and had not before, and the last ones of
/// those that changed: of the last page, what lies behind the end of the file counts too.
fn add_pages_of_files(before: &World, after: &World, pages: &mut Vec<u64>) {
    for (number, file) in after.files.iter().enumerate() {
        let old = before.files.get(number);
        if file.kind != Kind::MemoryBacked || old.is_some_and(|old| file.is_same(old)) {
            continue;
        }
        let had = |page: &&FilePage| {
            let old = old.and_then(|old| old.page(page.index.into()));
            old.is_some_and(|old| old.address == page.address)
        };
        let anew = file.pages.iter().filter(|page| !had(page));
        let shown = anew.chain(file.pages.last());
        pages.extend(shown.filter_map(|page| page.address));
    }
}

fn is_device(file: &File) -> bool {
    matches!(
        file.kind,
        Kind::ExecuteInPlace | Kind::MemoryBlock | Kind::Character | Kind::Mtd
    )
}

/// Compares one page of memory.
fn compare_page<T: Target>(
    target: &T,
    world: &World,
    address: u64,
    bytes: &mut [u8],
    found: &mut Vec<Found>,
) {
    let Expected::Bytes(expected) = world.expected_page(address) else {
        return;
    };
    if target.memory(address, bytes) {
        let byte = |at: usize| Byte::Memory(address + at as u64);
        compare_bytes(byte, expected, bytes, found);
    }
}

/// Compares what there is of a file, and what lies behind its end.
fn compare_file<T: Target>(
    target: &T,
    world: &World,
    number: u16,
    bytes: &mut [u8],
    found: &mut Vec<Found>,
) {
    let file = world.file(FileNumber(number));
    if file.dead || file.kind == Kind::Directory {
        return;
    }
    let size = world.page_size();
    let last = file.size.div_ceil(size);
    let present = file.pages.iter().map(|page| u64::from(page.index));
    let mut hole = 0;
    let mut compare = |index: u64| {
        let Expected::Bytes(expected) = world.expected_file_page(FileNumber(number), index) else {
            return;
        };
        if target.file(number, index * size, bytes) {
            let byte = |at: usize| Byte::File(FileNumber(number), index * size + at as u64);
            compare_bytes(byte, expected, bytes, found);
        }
    };
    for index in present {
        if index == hole {
            hole += 1;
        }
        compare(index);
    }
    // The first hole stands for all, and what lies behind the end for the rest.
    if hole < last {
        compare(hole);
        compare(last - 1);
    }
}

/// Compares bytes; where fewer are expected than there are, zeroes follow.
fn compare_bytes(
    byte: impl Fn(usize) -> Byte,
    expected: &[u8],
    seen: &[u8],
    found: &mut Vec<Found>,
) {
    let known = expected.len().min(seen.len());
    // All of the rest is looked at, as it is nearly always zeroes, in few instructions.
    let rest = seen[known..].iter().fold(0, |rest, &byte| rest | byte);
    if seen[..known] == expected[..known] && rest == 0 {
        return;
    }
    let wanted = |at: usize| expected.get(at).copied().unwrap_or(0);
    let Some(at) = (0..seen.len()).find(|&at| seen[at] != wanted(at)) else {
        return;
    };
    let end = (at + SHOWN).min(seen.len());
    let expected: Vec<u8> = (at..end).map(wanted).collect();
    let byte = byte(at);
    let component = match byte {
        Byte::Memory(address) => format!("memory at {address:#x}"),
        Byte::File(number, offset) => format!("file {} at {offset:#x}", number.0),
    };
    let mismatch = Mismatch {
        component,
        expected: hexadecimal(&expected),
        seen: hexadecimal(&seen[at..end]),
        rules: vec![RuleId("others-untouched")],
    };
    found.push(Found { byte, mismatch });
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x} ");
    }
    text.trim_end().to_owned()
}
