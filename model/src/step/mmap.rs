//! mmap: its arguments, and anonymous memory.

use super::allocate::Excess;
use super::due::Due;
use super::map_file;
use super::map_plan::Wanted;
use super::{Answer, Caller, Refusal, address, bind, driver};
use crate::op::{MapFlags, Mmap, Protection};
use crate::outcome::Errno;
use crate::world::World;
use crate::world::file::Kind;
use crate::world::region::Origin;
use crate::world::space::{Backing, Granted, Mapping};

pub(super) fn mmap(
    world: &mut World,
    caller: Caller,
    call: &Mmap,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let mut due = Due::default();
    arguments(world, call, &mut due);
    let pages = world.config.pages(call.length).unwrap_or(0);
    let start = if call.descriptor.is_none() {
        anonymous(world, caller, call, pages, due, answer)?
    } else {
        file(world, caller, call, pages, due, answer)?
    };
    if let Some(start) = start {
        bind(world, call.result, start);
    }
    Ok(())
}

/// The errors that the arguments owe, whatever is mapped.
fn arguments(world: &World, call: &Mmap, due: &mut Due) {
    // Lines 153-154.
    due.must_if(
        call.flags.contains(MapFlags::FIXED),
        "no-fixed",
        &[Errno::EINVAL],
    );
    let hint = call.address.map_or(0, |hint| world.address(hint));
    if hint != 0 {
        if world.config.deviates("address-hint-ignored") {
            due.may(&[Errno::EINVAL]);
        } else {
            due.must("no-address-hint", &[Errno::EINVAL]);
        }
    }
    let types = call.flags & (MapFlags::SHARED | MapFlags::PRIVATE);
    let one_type = types == MapFlags::SHARED || types == MapFlags::PRIVATE;
    due.must_if(!one_type, "mmap-needs-type", &[Errno::EINVAL]);
    due.must_if(call.length == 0, "mmap-zero-length", &[Errno::EINVAL]);
    let page_size = world.page_size();
    let rounded = call.length.checked_next_multiple_of(page_size);
    let end = |rounded: u64| u128::from(call.offset) + u128::from(rounded);
    // The first byte that may not be counted is 2^64 itself.
    let past_end = rounded.is_some_and(|rounded| end(rounded) > 1 << 64);
    due.must_if(past_end, "mmap-offset-overflow", &[Errno::EOVERFLOW]);
    match rounded.filter(|&rounded| rounded <= 1 << 63) {
        None => due.must("mmap-length-overflow", &[Errno::ENOMEM]),
        // Sizes of files are signed numbers elsewhere: none has this many bytes.
        Some(rounded) if call.descriptor.is_some() && end(rounded) >= 1 << 63 => {
            due.may(&[Errno::EOVERFLOW, Errno::EINVAL]);
        }
        Some(_) => {}
    }
    let aligned = call.offset.is_multiple_of(page_size);
    due.must_if(!aligned, "mmap-offset-aligned", &[Errno::EINVAL]);
}

/// Lines 24-32: one contiguous run of pages, shared or private alike.
fn anonymous(
    world: &mut World,
    caller: Caller,
    call: &Mmap,
    pages: u64,
    mut due: Due,
    answer: &Answer<'_>,
) -> Result<Option<u64>, Refusal> {
    if call.length != 0 {
        owe_memory(world, pages, &mut due);
    }
    let Some(value) = due.judge(answer, "anonymous-contiguous")? else {
        return Ok(None);
    };
    let start = address(value, "anonymous-contiguous")?;
    // Lines 138-142: the flag counts only where the configuration permits it.
    let cleared = !(call.flags.contains(MapFlags::UNINITIALIZED) && world.config.uninitialized);
    map_anonymous(
        world,
        caller,
        start,
        pages,
        call.protection,
        cleared,
        answer,
    )?;
    Ok(Some(start))
}

/// Makes an anonymous mapping of a new region.
pub(super) fn map_anonymous(
    world: &mut World,
    caller: Caller,
    start: u64,
    pages: u64,
    protection: Protection,
    cleared: bool,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    // Line 115: always page aligned.
    let placed = world.place(start, pages, Excess::Trimmed, "anonymous-page-aligned")?;
    // Lines 121-123.
    let (contents, slack) = if cleared {
        (vec![world.zero_page(); pages as usize], world.zero_page())
    } else {
        let addresses = (0..pages).map(|page| start + (page << world.page_shift()));
        let contents = addresses.map(|at| world.adopt(at, answer)).collect();
        (contents, crate::world::page::Page::Unknown)
    };
    let region = world.add_region(placed, protection, Origin::Anonymous, contents, slack);
    world.insert_mapping(
        caller.space,
        Mapping {
            start,
            end: start + (pages << world.page_shift()),
            protection,
            shared: false,
            object: None,
            offset: 0,
            backing: Backing::Region(region),
            shareable: false,
            granted: Granted::NOTHING,
        },
    );
    Ok(())
}

/// Owes ENOMEM where memory lacks, and only there.
pub(super) fn owe_memory(world: &World, pages: u64, due: &mut Due) {
    match world.lacks(pages) {
        Some(true) => due.must("out-of-memory-justified", &[Errno::ENOMEM]),
        Some(false) => {}
        None => due.may(&[Errno::ENOMEM]),
    }
}

fn file(
    world: &mut World,
    caller: Caller,
    call: &Mmap,
    pages: u64,
    mut due: Due,
    answer: &Answer<'_>,
) -> Result<Option<u64>, Refusal> {
    let shared = call.flags.contains(MapFlags::SHARED);
    let writes = call.protection.contains(Protection::WRITE);
    let opened = call
        .descriptor
        .and_then(|descriptor| world.opened(caller.process, descriptor));
    let mut number = None;
    match opened {
        None => due.must("mmap-bad-descriptor", &[Errno::EBADF]),
        Some(opened) => {
            number = opened.open.target.file();
            // Lines 156-160 name pipes, fifos and sockets; a directory is as unmappable.
            let mappable = opened.file.is_some_and(|file| file.kind != Kind::Directory);
            due.must_if(!mappable, "mmap-unmappable", &[Errno::ENODEV]);
            let permitted = opened.open.readable && (opened.open.writable || !shared || !writes);
            due.must_if(!permitted, "mmap-permission", &[Errno::EACCES]);
        }
    }
    let Some(number) = number.filter(|_| !due.is_required()) else {
        due.judge(answer, "mmap-unmappable")?;
        if let Some(number) = number {
            driver::asked(world, number, 0..=1, 0..=1, answer)?;
        }
        return Ok(None);
    };
    let wanted = Wanted {
        file: number,
        offset: call.offset,
        pages,
        protection: call.protection,
        shared,
        traced: world.processes[usize::from(caller.process.0)]
            .tracer
            .is_some(),
    };
    map_file::mmap(world, caller, &wanted, due, answer)
}
