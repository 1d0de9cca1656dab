//! truncate and ftruncate (lines 72-85 and 247-262).

use super::due::Due;
use super::file::LARGEST_FILE;
use super::mmap::owe_memory;
use super::{Answer, Caller, Refusal, done, refuse};
use crate::op::{Descriptor, Path};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::file::{FileNumber, Kind};
use crate::world::memory::Owner;

pub(super) fn ftruncate(
    world: &mut World,
    caller: Caller,
    descriptor: Descriptor,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let opened = world.opened(caller.process, descriptor);
    let mut number = None;
    match opened {
        None => due.must("descriptor-errors", &[Errno::EBADF]),
        Some(opened) => {
            number = opened.open.target.file();
            let read_only = !opened.open.writable;
            due.must_if(read_only, "file-errors", &[Errno::EINVAL, Errno::EBADF]);
            due.must_if(number.is_none(), "file-errors", &[Errno::EINVAL]);
        }
    }
    resize(world, number, length, due, answer)
}

pub(super) fn truncate(
    world: &mut World,
    path: &Path,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = world.find_file(path);
    due.must_if(number.is_none(), "file-errors", &[Errno::ENOENT]);
    resize(world, number, length, due, answer)
}

fn resize(
    world: &mut World,
    number: Option<FileNumber>,
    length: u64,
    mut due: Due,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    due.must_if(length > LARGEST_FILE, "file-errors", &[Errno::EFBIG]);
    if length > i64::MAX as u64 {
        due.may(&[Errno::EINVAL]);
    }
    if let Some(number) = number {
        owe_resizing(world, number, length, &mut due);
    }
    let Some(value) = due.judge(answer, "file-errors")? else {
        return Ok(());
    };
    done(value, "file-errors")?;
    let Some(number) = number else { return Ok(()) };
    let size = world.file(number).size;
    if length < size {
        world.shrink_file(number, length);
    } else if length > size && size == 0 && world.file(number).kind == Kind::MemoryBacked {
        gather(world, number, length, answer)?;
    } else if length > size {
        // Growth of what is not empty only changes the size: what is new is a hole.
        world.expose_tail(number, length, answer);
        world.files[usize::from(number.0)].size = length;
    }
    Ok(())
}

fn owe_resizing(world: &World, number: FileNumber, length: u64, due: &mut Due) {
    let file = world.file(number);
    match file.kind {
        Kind::Directory => due.must("file-errors", &[Errno::EISDIR, Errno::EINVAL]),
        Kind::ExecuteInPlace => {
            due.must("file-errors", &[Errno::EROFS, Errno::EINVAL, Errno::EACCES]);
        }
        Kind::Block | Kind::MemoryBlock | Kind::Character | Kind::Mtd => {
            due.must("file-errors", &[Errno::EINVAL]);
            due.may(&[Errno::EACCES]);
        }
        Kind::Regular | Kind::MemoryBacked => {
            let covered = world.covers_cut(number, length);
            due.must_if(covered, "truncate-under-mapping", &[Errno::ETXTBSY]);
            // Lines 255-258.
            let gathers = file.kind == Kind::MemoryBacked && file.size == 0 && length > 0;
            if gathers && length <= LARGEST_FILE {
                owe_memory(world, length.div_ceil(world.page_size()), due);
            }
        }
    }
}

/// Lines 255-258: growth of an empty memory-backed file gathers pages that can be mapped as
/// one run, cleared whole.
fn gather(
    world: &mut World,
    number: FileNumber,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    const RULE: &str = "grow-gathers-contiguous";
    let pages = length.div_ceil(world.page_size());
    let shown = world.shown_file(number, answer);
    if let Some(shown) = shown {
        let Some(start) = shown.page(0) else {
            return Err(refuse(
                &[RULE],
                format!("{pages} pages in a row"),
                "a hole at the first page",
            ));
        };
        world.place(start, pages, super::allocate::Excess::GivenBack, RULE)?;
        for index in 0..pages {
            let expected = start + (index << world.page_shift());
            let address = shown.page(index);
            if address != Some(expected) {
                return Err(refuse(
                    &[RULE],
                    format!("page {index} at {expected:#x}, behind the one before it"),
                    match address {
                        Some(address) => format!("page {index} at {address:#x}"),
                        None => format!("a hole at page {index}"),
                    },
                ));
            }
        }
    }
    world.files[usize::from(number.0)].size = length;
    for index in 0..pages {
        let zero = world.zero_page();
        world.add_file_page(number, index, zero, RULE, answer)?;
    }
    Ok(())
}

impl World {
    /// Whether a mapping of a file's own pages shows any page that shrinking it cuts or cuts
    /// into.
    pub(super) fn covers_cut(&self, number: FileNumber, length: u64) -> bool {
        let from = length & !(self.page_size() - 1);
        let lax = self.config.deviates("truncate-under-private-direct");
        length < self.file(number).size
            && self
                .direct_mappings(number, from)
                .any(|mapping| mapping.shared || !lax)
    }

    /// Cuts a file: pages wholly beyond the new end are given back, and the rest of the last
    /// one is cleared.
    pub(super) fn shrink_file(&mut self, number: FileNumber, length: u64) {
        if length >= self.file(number).size {
            return;
        }
        let page_size = self.page_size();
        let kept = length.div_ceil(page_size);
        let file = &mut *self.files[usize::from(number.0)];
        file.size = length;
        let split = file
            .pages
            .partition_point(|page| u64::from(page.index) < kept);
        let cut = file.pages.split_off(split);
        let tail = (length & (page_size - 1)) as usize;
        if tail != 0
            && let Some(last) = file.pages.last_mut()
            && u64::from(last.index) + 1 == kept
        {
            let length = page_size as usize - tail;
            last.contents.fill(tail, length, 0, page_size as usize);
        }
        for address in cut.iter().filter_map(|page| page.address) {
            self.memory.give_page(address, Owner::Free);
        }
    }
}
