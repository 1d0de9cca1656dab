//! Errors that are due whatever the state of memory.

use super::view::Request;
use crate::op::{MapFlags, Protection};
use crate::outcome::Errno::{self, *};
use crate::world::World;
use crate::world::file::Kind;

/// Something wrong with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The rule that says so.
    pub rule: &'static str,
    /// What is wrong.
    pub what: &'static str,
    /// What it may be answered with.
    pub errors: &'static [Errno],
}

const fn due(rule: &'static str, what: &'static str, errors: &'static [Errno]) -> Due {
    Due { rule, what, errors }
}

/// Whether it is about a part of a file that none can have where sizes are signed. It may be
/// answered with EINVAL or EOVERFLOW.
pub fn is_past_files(world: &World, request: &Request<'_>) -> bool {
    let size = u128::from(world.page_size());
    let length = u128::from(request.mmap.length).next_multiple_of(size);
    request.mmap.descriptor.is_some() && u128::from(request.mmap.offset) + length >= 1 << 63
}

/// What is wrong with a call of mmap. Any of these may be noticed first.
pub fn mmap(world: &World, request: &Request<'_>) -> impl Iterator<Item = Due> + use<> {
    let call = request.mmap;
    let flags = call.flags;
    let length = request
        .pages
        .and_then(|pages| pages.checked_mul(world.page_size()));
    let kind = request.file.map(|(_, file)| file.kind);
    let bad = call.descriptor.is_some() && request.open.is_none();
    let mappable = kind.is_some_and(|kind| kind != Kind::Directory);
    let writes = call.protection.contains(Protection::WRITE);
    let permission = request.open.is_some_and(|open| {
        !open.readable || flags.contains(MapFlags::SHARED) && writes && !open.writable
    });
    let particular = call
        .address
        .is_some_and(|address| world.address(address) != 0);
    let wrong = [
        flags.contains(MapFlags::FIXED),
        particular && !world.config.deviates("address-hint-ignored"),
        flags.contains(MapFlags::SHARED) == flags.contains(MapFlags::PRIVATE),
        call.length == 0,
        call.length > 0 && length.is_none_or(|length| length > 1 << 63),
        length.is_some_and(|length| u128::from(call.offset) + u128::from(length) > 1 << 64),
        !call.offset.is_multiple_of(world.page_size()),
        bad,
        request.open.is_some() && !mappable,
        permission && mappable,
    ];
    let due = wrong.into_iter().zip(&MMAP);
    due.filter(|(wrong, _)| *wrong).map(|(_, due)| *due)
}

/// Errors of mmap that say which of these is wrong.
pub const TELLING: [Errno; 3] = [EOVERFLOW, EBADF, EACCES];

/// What such an error says.
pub fn saying(error: Errno) -> Option<&'static Due> {
    MMAP.iter().find(|due| due.errors == [error])
}

/// All that may be wrong with a call of mmap, in the order in which it is looked at.
static MMAP: [Due; 10] = [
    due("no-fixed", "MAP_FIXED is given", &[EINVAL]),
    due(
        "no-address-hint",
        "a particular address is asked for",
        &[EINVAL],
    ),
    due(
        "mmap-needs-type",
        "it is not one of shared and private",
        &[EINVAL],
    ),
    due("mmap-zero-length", "the length is 0", &[EINVAL]),
    due(
        "mmap-length-overflow",
        "there are no addresses for the length",
        &[ENOMEM],
    ),
    due(
        "mmap-offset-overflow",
        "offset plus length passes 2^64",
        &[EOVERFLOW],
    ),
    due(
        "mmap-offset-aligned",
        "the offset is not a whole number of pages",
        &[EINVAL],
    ),
    due(
        "mmap-bad-descriptor",
        "the descriptor is not open",
        &[EBADF],
    ),
    due(
        "mmap-unmappable",
        "the object is no file or device",
        &[ENODEV],
    ),
    due(
        "mmap-permission",
        "the descriptor was not opened for it",
        &[EACCES],
    ),
];
