//! read and write, at a position.

use super::access::{agree, bytes_of};
use super::due::Due;
use super::file::LARGEST_FILE;
use super::{Answer, Caller, Refusal, refuse, wrong_value};
use crate::op::{Descriptor, Fill};
use crate::outcome::{Errno, Value};
use crate::world::World;
use crate::world::contents::Expected;
use crate::world::file::{FileNumber, Kind};
use crate::world::page::Page;
use crate::world::process::OpenTarget;

pub(super) fn read(
    world: &World,
    caller: Caller,
    descriptor: Descriptor,
    offset: u64,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = owe_reading(world, caller, descriptor, offset, length, &mut due);
    let Some(value) = due.judge(answer, "file-read")? else {
        return Ok(());
    };
    let Some(number) = number else { return Ok(()) };
    let length = length.min(world.file(number).size.saturating_sub(offset));
    let bytes = bytes_of(value, length, "file-read")?;
    let page_size = world.page_size();
    let mut rest = bytes;
    let mut at = offset;
    while !rest.is_empty() {
        let in_page = (at & (page_size - 1)) as usize;
        let length = rest.len().min(page_size as usize - in_page);
        let (now, later) = rest.split_at(length);
        if let Expected::Bytes(page) = world.file_page(number, at >> world.page_shift()) {
            agree(at, &page[in_page..in_page + length], now, "file-read")?;
        }
        rest = later;
        at += length as u64;
    }
    Ok(())
}

fn owe_reading(
    world: &World,
    caller: Caller,
    descriptor: Descriptor,
    offset: u64,
    length: u64,
    due: &mut Due,
) -> Option<FileNumber> {
    let Some(opened) = world.opened(caller.process, descriptor) else {
        due.must("descriptor-errors", &[Errno::EBADF]);
        if offset > i64::MAX as u64 {
            due.may(&[Errno::EINVAL]);
        }
        return None;
    };
    due.must_if(!opened.open.readable, "descriptor-errors", &[Errno::EBADF]);
    due.must_if(offset > i64::MAX as u64, "file-errors", &[Errno::EINVAL]);
    if length > i64::MAX as u64 {
        due.may(&[Errno::EINVAL]);
    }
    let OpenTarget::File(number) = opened.open.target else {
        due.must("file-errors", &[Errno::ESPIPE]);
        return None;
    };
    let file = world.file(number);
    due.must_if(
        file.kind == Kind::Directory,
        "file-errors",
        &[Errno::EISDIR],
    );
    if let Some(driver) = file.driver {
        // Line 156: no read method.
        due.must_if(!driver.readable, "file-errors", &[Errno::EINVAL]);
        due.must_if(
            driver.busy,
            "busy-not-visible",
            &[Errno::EBUSY, Errno::EAGAIN],
        );
    }
    Some(number)
}

pub(super) fn write(
    world: &mut World,
    caller: Caller,
    descriptor: Descriptor,
    offset: u64,
    data: Fill,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    let number = owe_writing(world, caller, descriptor, offset, data, &mut due);
    let room = number.map_or(Room::NONE, |number| room(world, number, offset, data.count));
    if number.is_some() && data.count > 0 {
        room.owe(&mut due, answer);
    }
    let Some(value) = due.judge(answer, "file-write")? else {
        return Ok(());
    };
    let Value::Count(count) = *value else {
        return Err(wrong_value(value, "a count", "file-write"));
    };
    if !room.allows(count, answer) {
        let rule = if count < room.most {
            "out-of-memory-justified"
        } else {
            "file-write"
        };
        return Err(refuse(
            &[rule],
            format!("allowed is only: a count of {}", room.most),
            format!("success with a count of {count}"),
        ));
    }
    if let Some(number) = number
        && count > 0
    {
        let data = Fill { count, ..data };
        put(world, number, offset, data, answer)?;
    }
    Ok(())
}

fn owe_writing(
    world: &World,
    caller: Caller,
    descriptor: Descriptor,
    offset: u64,
    data: Fill,
    due: &mut Due,
) -> Option<FileNumber> {
    let Some(opened) = world.opened(caller.process, descriptor) else {
        due.must("descriptor-errors", &[Errno::EBADF]);
        if offset > i64::MAX as u64 {
            due.may(&[Errno::EINVAL]);
        }
        return None;
    };
    due.must_if(!opened.open.writable, "descriptor-errors", &[Errno::EBADF]);
    due.must_if(offset > i64::MAX as u64, "file-errors", &[Errno::EINVAL]);
    if data.count > i64::MAX as u64 {
        due.may(&[Errno::EINVAL]);
    }
    let OpenTarget::File(number) = opened.open.target else {
        due.must("file-errors", &[Errno::ESPIPE]);
        return None;
    };
    // A character device has no write method here.
    let refuses = matches!(
        world.file(number).kind,
        Kind::Character | Kind::Mtd | Kind::Directory
    );
    due.must_if(refuses, "file-errors", &[Errno::EINVAL]);
    Some(number)
}

/// How much of a write there is room for.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// All that is asked for, as far as the file may be that large.
    all: u64,
    /// What can be written.
    most: u64,
    /// Whether less may be, as free memory is not known.
    less: bool,
    /// Whether the end of what a file may be cuts the write.
    too_large: bool,
}

impl Room {
    const NONE: Room = Room {
        all: 0,
        most: 0,
        less: false,
        too_large: false,
    };

    fn owe(&self, due: &mut Due, answer: &Answer<'_>) {
        match (self.all, self.most) {
            (0, _) if self.too_large => due.must("file-errors", &[Errno::EFBIG]),
            (0, _) => due.must("file-errors", &[Errno::ENOSPC]),
            (_, 0) => due.must("out-of-memory-justified", &[Errno::ENOMEM, Errno::ENOSPC]),
            _ => {}
        }
        if self.less || answer.injected_failure {
            due.may(&[Errno::ENOMEM, Errno::ENOSPC]);
        }
        // Refusing the whole of it is as good as writing what fits.
        if self.too_large {
            due.may(&[Errno::EFBIG]);
        }
    }

    fn allows(&self, count: u64, answer: &Answer<'_>) -> bool {
        let short = (self.less || answer.injected_failure) && count > 0;
        count == self.most || (short && count < self.most)
    }
}

/// Works out how much of a write can be done: a memory-backed file gets its pages one at a
/// time, in order, as long as any page is free.
fn room(world: &World, number: FileNumber, offset: u64, count: u64) -> Room {
    let file = world.file(number);
    let limit = match file.kind {
        Kind::Regular | Kind::MemoryBacked => LARGEST_FILE,
        _ => file.size,
    };
    let all = count.min(limit.saturating_sub(offset));
    let mut room = Room {
        all,
        most: all,
        less: false,
        too_large: all < count && limit == LARGEST_FILE,
    };
    if file.kind != Kind::MemoryBacked || all == 0 {
        return room;
    }
    let Some(mut free) = world.memory.free_pages() else {
        room.less = true;
        return room;
    };
    let shift = world.page_shift();
    for index in offset >> shift..=(offset + all - 1) >> shift {
        if file.page(index).is_none() {
            if free == 0 {
                room.most = (index << shift).saturating_sub(offset);
                break;
            }
            free -= 1;
        }
    }
    room
}

/// Writes bytes that there is room for.
fn put(
    world: &mut World,
    number: FileNumber,
    offset: u64,
    data: Fill,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let page_size = world.page_size();
    let end = offset + data.count;
    // What a mapping left behind the old end; the write covers some of it.
    world.expose_tail(number, end, answer);
    let mut at = offset;
    while at < end {
        let in_page = at & (page_size - 1);
        let length = (end - at).min(page_size - in_page);
        let index = at >> world.page_shift();
        let zero = world.zero_page();
        world.add_file_page(number, index, zero, "file-write", answer)?;
        if let Ok(place) = world.file(number).place(index) {
            if !world.config.deviates("direct-private-follows-writes") {
                let part = Fill {
                    count: length,
                    ..data
                };
                hold_private_mappings(world, number, at, part)?;
            }
            let file = &mut *world.files[usize::from(number.0)];
            let page = &mut file.pages[place].contents;
            page.fill(
                in_page as usize,
                length as usize,
                data.byte,
                page_size as usize,
            );
        }
        at += length;
    }
    let file = &mut *world.files[usize::from(number.0)];
    file.size = file.size.max(end);
    Ok(())
}

/// Lines 55-57: writes to the file do not affect a private mapping. One that is on the file's
/// own pages would see these, which lie in one page.
pub(super) fn hold_private_mappings(
    world: &World,
    number: FileNumber,
    at: u64,
    data: Fill,
) -> Result<(), Refusal> {
    let in_page = (at & (world.page_size() - 1)) as usize;
    let changes = match world.file_page(number, at >> world.page_shift()) {
        Expected::Bytes(bytes) => bytes[in_page..in_page + data.count as usize]
            .iter()
            .any(|&byte| byte != data.byte),
        Expected::Anything => false,
    };
    let mut private = world
        .direct_mappings(number, at)
        .filter(|mapping| !mapping.shared && mapping.offset <= at);
    match private.next().filter(|_| changes) {
        None => Ok(()),
        Some(mapping) => Err(refuse(
            &["private-ignores-file-writes"],
            format!(
                "the private mapping at {:#x} does not see the write",
                mapping.start
            ),
            "it is on the file's own page",
        )),
    }
}

impl World {
    /// All bytes of a file's page, past its end too.
    fn file_page(&self, number: FileNumber, index: u64) -> Expected<'_> {
        match self.file(number).page(index).map(|page| &page.contents) {
            Some(Page::Known(bytes)) => Expected::Bytes(bytes),
            Some(Page::Unknown) => Expected::Anything,
            None => Expected::Bytes(self.zeroes()),
        }
    }
}
