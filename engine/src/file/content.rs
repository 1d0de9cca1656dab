//! Where a file's bytes are, and how to walk them.

use super::{File, FileSlot, Runs, Sparse};
use crate::engine::Engine;
use crate::memory::Memory;
use crate::request::Source;
use crate::units::PageSize;

/// Where a file's bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// It has none: a directory.
    None,
    /// Somewhere that cannot be mapped.
    Sparse(Sparse),
    /// In pages of the window.
    Runs(Runs),
    /// In memory from this address on, all of them.
    At(u64),
}

impl Clone for Content {
    fn clone(&self) -> Self {
        match self {
            Content::None => Content::None,
            Content::Sparse(sparse) => Content::Sparse(sparse.clone()),
            Content::Runs(runs) => Content::Runs(runs.clone()),
            Content::At(start) => Content::At(*start),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        match (&mut *self, source) {
            (Content::Sparse(sparse), Content::Sparse(source)) => sparse.clone_from(source),
            (Content::Runs(runs), Content::Runs(source)) => runs.clone_from(source),
            _ => *self = source.clone(),
        }
    }
}

/// The next bytes of a file.
pub(crate) enum Piece<'a> {
    /// A hole, or past the end.
    Zeroes,
    /// These.
    Bytes(&'a [u8]),
    /// What is in memory at this address.
    Memory(u64),
}

impl File {
    /// The bytes from an offset on, as far as they are in one place: what and how many, at
    /// least one and at most `most`.
    fn piece(&self, page: PageSize, window: u64, offset: u64, most: u64) -> (Piece<'_>, u64) {
        if offset >= self.size {
            return (Piece::Zeroes, most);
        }
        let most = most.min(self.size - offset);
        let number = page.whole(offset);
        let within = page.within(offset);
        let in_page = most.min(page.bytes() - within);
        match &self.content {
            Content::None => (Piece::Zeroes, most),
            Content::At(start) => (Piece::Memory(start + offset), most),
            Content::Sparse(sparse) => match sparse.page(number, page.bytes() as usize) {
                Some(bytes) => {
                    let from = within as usize;
                    (Piece::Bytes(&bytes[from..from + in_page as usize]), in_page)
                }
                None => (Piece::Zeroes, in_page),
            },
            Content::Runs(runs) => match runs.at_or_after(number) {
                None => (Piece::Zeroes, most),
                Some(run) if run.first > number => {
                    (Piece::Zeroes, most.min(page.span(run.first) - offset))
                }
                Some(run) => {
                    let into = offset - page.span(run.first);
                    let rest = page.span(u64::from(run.count)) - into;
                    let start = window + page.span(u64::from(run.page.0)) + into;
                    (Piece::Memory(start), most.min(rest))
                }
            },
        }
    }
}

impl<M: Memory> Engine<M> {
    /// Copies a file's bytes out, zeroes past its end.
    pub(crate) fn copy_out(&self, slot: FileSlot, offset: u64, bytes: &mut [u8]) {
        let file = self.files.get(slot);
        let mut rest = bytes;
        let mut offset = offset;
        while !rest.is_empty() {
            let (piece, count) =
                file.piece(self.page, self.window_start, offset, rest.len() as u64);
            let (now, later) = rest.split_at_mut(count as usize);
            match piece {
                Piece::Zeroes => now.fill(0),
                Piece::Bytes(bytes) => now.copy_from_slice(bytes),
                Piece::Memory(address) => self.memory.read(address, now),
            }
            offset = offset.wrapping_add(count);
            rest = later;
        }
    }

    /// Copies a file's bytes into memory; what lies past its end is cleared (lines 50-53).
    pub(crate) fn copy_to_memory(
        &mut self,
        slot: FileSlot,
        offset: u64,
        address: u64,
        length: u64,
    ) {
        let file = self.files.get(slot);
        let mut done = 0;
        while done < length {
            let from = offset.wrapping_add(done);
            let to = address + done;
            let (piece, count) = file.piece(self.page, self.window_start, from, length - done);
            match piece {
                Piece::Zeroes => self.memory.fill(to, count, 0),
                Piece::Bytes(bytes) => self.memory.write(to, bytes),
                Piece::Memory(from) => self.memory.copy(from, to, count),
            }
            done += count;
        }
    }

    /// Puts bytes into a file whose pages are all there, within its size.
    pub(crate) fn copy_in(&mut self, slot: FileSlot, offset: u64, source: Source<'_>, count: u64) {
        let page = self.page;
        let size = page.bytes() as usize;
        let file = self.files.get_mut(slot);
        let mut done = 0;
        while done < count {
            let at = offset + done;
            let number = page.whole(at);
            let within = page.within(at);
            let mut now = (count - done).min(page.bytes() - within);
            let address = match &mut file.content {
                Content::None => return,
                Content::At(start) => {
                    // All of them, at once.
                    now = count;
                    *start + at
                }
                Content::Runs(runs) => match runs.page(number) {
                    Some(place) => self.window_start + page.span(u64::from(place.0)) + within,
                    None => return,
                },
                Content::Sparse(sparse) => {
                    if let Some(bytes) = sparse.page_mut(number, size) {
                        let place = &mut bytes[within as usize..(within + now) as usize];
                        match source {
                            Source::Fill { byte, .. } => place.fill(byte),
                            Source::Bytes(bytes) => {
                                place.copy_from_slice(&bytes[done as usize..(done + now) as usize])
                            }
                        }
                    }
                    done += now;
                    continue;
                }
            };
            match source {
                Source::Fill { byte, .. } => self.memory.fill(address, now, byte),
                Source::Bytes(bytes) => self
                    .memory
                    .write(address, &bytes[done as usize..(done + now) as usize]),
            }
            done += now;
        }
    }
}
