//! `/proc/maps` and `/proc/<pid>/maps` (lines 147-151), as text in Linux's format.
//!
//! A line is `start-end rwxp offset major:minor inode`, then the path at column 73. Files are
//! on device 00:01 and their inode is their number; segments are on 00:02 likewise; anonymous
//! memory is 00:00 0. The fourth letter is `p` for private; for shared mappings it is `s`, and
//! for the regions of shared mappings `S`, as Linux prints there.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::flags::Protection;
use crate::forest::Root;
use crate::memory::Memory;
use crate::region::RegionHandle;
use crate::request::{Object, Pid};
use crate::space::MappingHandle;
use crate::view::MappingView;
use core::fmt;

/// How far a listing has been read; begins as [`MapsPosition::default`]. It stays meaningful
/// when mappings come and go between two reads: each entry that stays is read exactly once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapsPosition {
    /// The bounds of the next entry, or lower.
    start: u64,
    end: u64,
    /// Entries of exactly these bounds that were read.
    equals: u32,
    /// Bytes of the next entry's line that were read.
    within: usize,
}

/// Column of the path: Linux pads to the width of the fields of a 64-bit system.
const PATH_COLUMN: usize = 73;

/// Prints the part of a line that is wanted.
struct Line<'a> {
    /// Bytes not wanted at the beginning.
    skip: usize,
    out: &'a mut [u8],
    written: usize,
    /// Bytes of the line so far.
    length: usize,
}

impl Line<'_> {
    fn put(&mut self, bytes: &[u8]) {
        self.length += bytes.len();
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        let bytes = &bytes[skipped..];
        let room = &mut self.out[self.written..];
        let count = bytes.len().min(room.len());
        room[..count].copy_from_slice(&bytes[..count]);
        self.written += count;
    }

    /// A number in digits of a base, at least so many of them.
    fn number<const BASE: u64>(&mut self, mut number: u64, least: usize) {
        let mut digits = [b'0'; 20];
        let mut first = digits.len();
        while number > 0 {
            first -= 1;
            digits[first] = b"0123456789abcdef"[(number % BASE) as usize];
            number /= BASE;
        }
        self.put(&digits[first.min(digits.len() - least)..]);
    }
}

impl<M: Memory> Engine<M> {
    /// Reads on in the list of all regions, anonymous memory and private copies among them
    /// (lines 147-148). Returns how many bytes were put into `chunk`: none only at the end.
    ///
    /// # Errors
    ///
    /// None so far.
    pub fn read_system_maps(&self, position: &mut MapsPosition, chunk: &mut [u8]) -> Result<usize> {
        Ok(
            self.read_list(self.by_address, position, chunk, |line, handle| {
                let region = self.region(RegionHandle(handle));
                let view = MappingView {
                    start: region.start,
                    end: region.end,
                    protection: region.protection,
                    shared: region.shared,
                    object: region.object,
                    offset: region.offset,
                };
                self.print_line(line, &view, b'S')
            }),
        )
    }

    /// Reads on in the list of a process's mappings (lines 150-151). Returns how many bytes
    /// were put into `chunk`: none only at the end.
    ///
    /// # Errors
    ///
    /// `ESRCH` when the process does not live.
    pub fn read_process_maps(
        &self,
        process: Pid,
        position: &mut MapsPosition,
        chunk: &mut [u8],
    ) -> Result<usize> {
        let process = self.process(process).map_err(|_| Errno::ESRCH)?;
        let root = self.spaces[process.space].mappings;
        Ok(self.read_list(root, position, chunk, |line, handle| {
            let view = self.mapping_view(MappingHandle(handle));
            self.print_line(line, &view, b's')
        }))
    }

    fn read_list(
        &self,
        root: Root,
        position: &mut MapsPosition,
        chunk: &mut [u8],
        print: impl Fn(&mut Line<'_>, u32) -> fmt::Result,
    ) -> usize {
        let mut done = 0;
        let mut equals = position.equals;
        for entry in self.forest.iter_from(root, position.start, position.end) {
            if done == chunk.len() {
                break;
            }
            if (entry.start, entry.end) != (position.start, position.end) {
                *position = MapsPosition {
                    start: entry.start,
                    end: entry.end,
                    equals: 0,
                    within: 0,
                };
            } else if equals > 0 {
                // Read before.
                equals -= 1;
                continue;
            }
            let mut line = Line {
                skip: position.within,
                out: &mut chunk[done..],
                written: 0,
                length: 0,
            };
            // Writing to a line cannot fail.
            let _ = print(&mut line, entry.id as u32);
            let Line {
                written, length, ..
            } = line;
            done += written;
            position.within += written;
            if position.within < length {
                break;
            }
            position.within = 0;
            position.equals += 1;
        }
        done
    }

    fn print_line(&self, line: &mut Line<'_>, view: &MappingView, shared: u8) -> fmt::Result {
        let letter = |bit, letter| {
            if view.protection.contains(bit) {
                letter
            } else {
                b'-'
            }
        };
        let (minor, inode) = match view.object {
            None => (0, 0),
            Some(Object::File(number)) => (1, number.0),
            Some(Object::Segment(number)) => (2, number.0),
        };
        line.number::<16>(view.start, 8);
        line.put(b"-");
        line.number::<16>(view.end, 8);
        line.put(&[
            b' ',
            letter(Protection::READ, b'r'),
            letter(Protection::WRITE, b'w'),
            letter(Protection::EXEC, b'x'),
            if view.shared { shared } else { b'p' },
            b' ',
        ]);
        line.number::<16>(view.offset, 8);
        line.put(b" 00:");
        line.number::<16>(minor, 2);
        line.put(b" ");
        line.number::<10>(u64::from(inode), 1);
        line.put(b" ");
        if view.object.is_some() {
            let padding = PATH_COLUMN.saturating_sub(line.length).max(1);
            line.put(&[b' '; PATH_COLUMN][..padding]);
        }
        match view.object {
            None => {}
            Some(Object::File(number)) => {
                if let Some(slot) = self.files.numbered(number) {
                    let file = self.files.get(slot);
                    let mut parts = file.path.as_str().split('\n');
                    line.put(parts.next().unwrap_or("").as_bytes());
                    for part in parts {
                        // A line is a line.
                        line.put(b"\\012");
                        line.put(part.as_bytes());
                    }
                    if !file.linked {
                        line.put(b" (deleted)");
                    }
                }
            }
            Some(Object::Segment(number)) => {
                let key = self.segments.get(number).map_or(0, |segment| segment.key);
                line.put(b"/SYSV");
                line.number::<16>(u64::from(key), 8);
                line.put(b" (deleted)");
            }
        }
        line.put(b"\n");
        Ok(())
    }
}
