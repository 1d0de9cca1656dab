//! What rules look at, put the way they think of it.

use super::bytes::{first_other, first_unlike};
use super::{Step, due};
use crate::observation::Object;
use crate::op::{
    Address, Answer, Call, Capabilities, MapFlags, Mmap, Operation, Process, Protection,
};
use crate::outcome::Errno::{self, EINVAL, EOVERFLOW};
use crate::outcome::{Outcome, Value};
use crate::world::World;
use crate::world::file::{Driver, File, FileNumber, Kind};
use crate::world::page::Page;
use crate::world::process::{OpenFile, OpenTarget};
use crate::world::region::{Origin, Region};
use crate::world::shared::Shared;
use crate::world::space::{Backing, Mapping, Space};

/// A call of mmap.
pub struct Request<'a> {
    /// Who calls.
    pub process: Process,
    /// Its arguments.
    pub mmap: &'a Mmap,
    /// Whole pages asked for; none where rounding passes 2^64.
    pub pages: Option<u64>,
    /// The file behind the descriptor, if it is one.
    pub file: Option<(FileNumber, &'a File)>,
    /// What the descriptor stands for; none when there is none, or a bad one.
    pub open: Option<&'a OpenFile>,
    /// Whether something is wrong with the request whatever the state of memory: then an error
    /// is due, and nothing else is demanded of it.
    pub wrong: bool,
    /// Whether nothing is, and it was not refused for what lies past all files.
    sound: bool,
}

impl<'a> Request<'a> {
    pub(super) fn of(step: &Step<'a>) -> Option<Self> {
        let Operation::Call(process, Call::Mmap(mmap)) = step.operation else {
            return None;
        };
        let before = step.before;
        let opened = mmap
            .descriptor
            .and_then(|descriptor| before.opened(*process, descriptor));
        let file = opened.and_then(|opened| Some((opened.open.target.file()?, opened.file?)));
        let mut request = Request {
            process: *process,
            mmap,
            pages: before.config.pages(mmap.length).filter(|_| mmap.length > 0),
            file,
            open: opened.map(|opened| opened.open),
            wrong: false,
            sound: false,
        };
        request.wrong = due::mmap(before, &request).next().is_some();
        let is_past_files =
            step.failed_with(&[EINVAL, EOVERFLOW]) && due::is_past_files(before, &request);
        request.sound = !request.wrong && !is_past_files;
        Some(request)
    }

    /// Whether it is for anonymous memory.
    pub fn is_anonymous(&self) -> bool {
        self.mmap.descriptor.is_none()
    }

    /// Whether it is for an object, to be shared.
    pub fn is_shared(&self) -> bool {
        !self.is_anonymous() && self.mmap.flags.contains(MapFlags::SHARED)
    }

    /// Whether it is for an object, private and not writable (lines 34-57).
    pub fn is_private_read(&self) -> bool {
        self.is_private() && !self.writes()
    }

    /// Whether it is for an object, private and writable (lines 59-67).
    pub fn is_private_write(&self) -> bool {
        self.is_private() && self.writes()
    }

    fn is_private(&self) -> bool {
        !self.is_anonymous() && self.mmap.flags.contains(MapFlags::PRIVATE)
    }

    fn writes(&self) -> bool {
        self.mmap.protection.contains(Protection::WRITE)
    }

    /// What the object permits, less what it has no operation for (lines 156-160, 205-206).
    pub fn capabilities(&self) -> Capabilities {
        self.file
            .map_or(Capabilities::empty(), |(_, file)| capabilities(file))
    }

    /// Whether a direct mapping may have the protection asked for.
    pub fn permitted(&self) -> bool {
        let needs = [
            (Protection::READ, Capabilities::READ),
            (Protection::WRITE, Capabilities::WRITE),
            (Protection::EXEC, Capabilities::EXEC),
        ];
        let capabilities = self.capabilities();
        needs.iter().all(|&(protection, capability)| {
            !self.mmap.protection.contains(protection) || capabilities.contains(capability)
        })
    }

    /// The scripted driver behind the object.
    pub fn driver(&self) -> Option<&'a Driver> {
        self.file?.1.driver.as_ref()
    }

    /// Whether the caller is traced.
    pub fn traced(&self, world: &World) -> bool {
        world
            .process(self.process)
            .is_some_and(|state| state.tracer.is_some())
    }

    /// The address after the last byte of the object that is asked for.
    pub fn end(&self, world: &World) -> Option<u64> {
        self.mmap
            .offset
            .checked_add(self.pages?.checked_mul(world.page_size())?)
    }

    /// Whether the object has all the pages asked for.
    pub fn inside(&self, world: &World) -> bool {
        let size = self.file.map_or(0, |(_, file)| file.size);
        self.end(world)
            .is_some_and(|end| end <= page_up(world, size))
    }

    /// Whether memory that was set up for these pages of the object, and for all that is asked
    /// for, may still be shown by a mapping made alike (lines 41-43 and 221-222). Which of
    /// several mappings a third one shares cannot be seen, so that this is more than what has
    /// to be shared.
    pub fn may_share(&self, world: &World) -> bool {
        let Some((number, _)) = self.file else {
            return false;
        };
        if self.is_private_write() || self.is_private_read() && self.traced(world) {
            return false;
        }
        mappings(world).any(|(_, mapping)| {
            if file_of(mapping.object) != Some(number)
                || !mapping.shareable
                || mapping.shared != self.is_shared()
            {
                return false;
            }
            let (first, length, has) = match mapping.backing {
                Backing::Direct => {
                    let granted = mapping.granted;
                    let length = granted.end.wrapping_sub(granted.start);
                    (granted.start, length, granted.protection)
                }
                Backing::Region(id) => match world.region(id) {
                    Some(region) => {
                        let into = mapping.start - region.start;
                        let first = mapping.offset.wrapping_sub(into);
                        (first, region.end - region.start, region.protection)
                    }
                    None => return false,
                },
            };
            self.within(world, first, length) && has.contains(self.mmap.protection)
        })
    }

    /// Whether all that is asked for lies in this part of the object. The last byte that there
    /// is may be one of it.
    pub fn within(&self, world: &World, first: u64, length: u64) -> bool {
        let wanted = self
            .pages
            .and_then(|pages| pages.checked_mul(world.page_size()));
        let into = self.mmap.offset.checked_sub(first);
        into.zip(wanted)
            .is_some_and(|(into, wanted)| into <= length && wanted <= length - into)
    }

    /// Whether the object can serve these pages where they are, as far as its kind and its
    /// driver tell: contiguous pages that exist, or a driver that agrees.
    pub fn can_be_direct(&self, world: &World) -> Option<bool> {
        let Some((_, file)) = self.file else {
            return Some(false);
        };
        if !self.capabilities().contains(Capabilities::DIRECT) || !self.permitted() {
            return Some(false);
        }
        if !self.inside(world) {
            return Some(false);
        }
        if let Some(driver) = &file.driver {
            return Some(!driver.busy && driver.area == Answer::Ok && driver.mmap == Answer::Ok);
        }
        match file.kind {
            Kind::MemoryBacked => {
                let first = self.mmap.offset / world.page_size();
                contiguous(world, file, first, first + self.pages?)
            }
            _ => Some(true),
        }
    }
}

/// What an object permits, less what it has no operation for.
pub fn capabilities(file: &File) -> Capabilities {
    use Capabilities as C;
    match (file.kind, &file.driver) {
        (_, Some(driver)) => {
            let mut capabilities = driver
                .capabilities
                .unwrap_or(C::DIRECT | C::READ | C::WRITE);
            if driver.area == Answer::Absent {
                capabilities.remove(C::DIRECT);
            }
            if !driver.readable {
                capabilities.remove(C::COPY);
            }
            capabilities
        }
        (Kind::Regular | Kind::Block, _) => C::COPY,
        (Kind::MemoryBacked | Kind::MemoryBlock, _) => C::all(),
        (Kind::ExecuteInPlace, _) => C::COPY | C::DIRECT | C::READ | C::EXEC,
        (Kind::Directory | Kind::Character | Kind::Mtd, _) => C::empty(),
    }
}

/// Whether a file has these pages and they follow each other in memory; none where their
/// addresses are not known.
pub fn contiguous(world: &World, file: &File, first: u64, after: u64) -> Option<bool> {
    let mut expected = None;
    for index in first..after {
        let Some(page) = file.page(index) else {
            return Some(false);
        };
        let address = page.address?;
        if expected.is_some_and(|expected| expected != address) {
            return Some(false);
        }
        expected = Some(address.wrapping_add(world.page_size()));
    }
    Some(true)
}

/// Rounded up to whole pages, as far as that goes.
pub fn page_up(world: &World, bytes: u64) -> u64 {
    bytes
        .checked_next_multiple_of(world.page_size())
        .unwrap_or(u64::MAX)
}

/// The least power of two that so many pages need, as an order.
pub fn order(pages: u64) -> u32 {
    pages
        .checked_next_power_of_two()
        .map_or(64, u64::trailing_zeros)
}

/// What munmap or mremap is about: the range, and what it hits.
pub struct Unmapping {
    /// Who calls.
    pub process: Process,
    /// First byte.
    pub start: u64,
    /// After the last byte, rounded up to pages; none where that passes 2^64 or the length is 0.
    pub end: Option<u64>,
    /// The mapping that has exactly these bounds.
    pub exact: Option<Mapping>,
    /// The anonymous mapping that all of the range lies in.
    pub around: Option<Mapping>,
}

impl Unmapping {
    pub(super) fn of(step: &Step<'_>) -> Option<Self> {
        let (process, address, length) = match step.operation {
            Operation::Call(process, Call::Munmap { address, length }) => {
                (*process, *address, *length)
            }
            Operation::Call(
                process,
                Call::Mremap {
                    address,
                    old_length,
                    ..
                },
            ) => (*process, *address, *old_length),
            _ => return None,
        };
        let world = step.before;
        let start = world.address(address);
        let end = (length > 0)
            .then(|| start.checked_add(length.checked_next_multiple_of(world.page_size())?))
            .flatten();
        let space = world.space_of(process)?;
        let exact = space
            .mappings
            .iter()
            .find(|mapping| mapping.start == start && Some(mapping.end) == end)
            .copied();
        let around = space
            .mappings
            .iter()
            .find(|mapping| {
                mapping.object.is_none()
                    && mapping.start <= start
                    && end.is_some_and(|end| end <= mapping.end)
            })
            .copied();
        Some(Unmapping {
            process,
            start,
            end,
            exact,
            around,
        })
    }
}

/// What mmap or shmat made.
pub struct Made<'a> {
    /// What is at the address that was returned, of the length asked for.
    mapping: &'a Mapping,
    /// The region that it is in, and whether it is a new one.
    region: Option<(&'a Region, bool)>,
}

impl<'a> Made<'a> {
    pub(super) fn of(step: &Step<'a>) -> Option<Self> {
        let start = step.address()?;
        let request = step.request();
        let length = match step.call()?.1 {
            Call::Mmap(_) => request?.pages?.checked_mul(step.after.page_size())?,
            _ => 0,
        };
        let protection = request.map(|request| request.mmap.protection);
        let fits = |mapping: &&Mapping| {
            mapping.start == start
                && (length == 0 || mapping.end.wrapping_sub(start) == length)
                && protection.is_none_or(|protection| mapping.protection == protection)
        };
        let mapping = step.space_after()?.mappings.iter().rfind(fits)?;
        let region = match mapping.backing {
            Backing::Region(id) => step.after.region(id),
            Backing::Direct => None,
        };
        let is_new = |region: &Region| {
            !step.before.regions.iter().any(|old| {
                old.id == region.id || old.start == region.start && old.top > region.start
            })
        };
        Some(Made {
            mapping,
            region: region.map(|region| (region, is_new(region))),
        })
    }
}

impl<'a> Step<'a> {
    /// The call of mmap, if it is one.
    pub fn request(&self) -> Option<&Request<'a>> {
        self.request.as_ref()
    }

    /// The call of mmap with which nothing is wrong, if it is one.
    pub fn sound_request(&self) -> Option<&Request<'a>> {
        self.request.as_ref().filter(|request| request.sound)
    }

    /// The call of mmap with which nothing is wrong, if it is for an object, private and not
    /// writable.
    pub fn private_read_request(&self) -> Option<&Request<'a>> {
        let request = self.sound_request()?;
        request.is_private_read().then_some(request)
    }

    /// What munmap or mremap is about, if it is one of them.
    pub fn unmapping(&self) -> Option<&Unmapping> {
        self.unmapping.as_ref()
    }

    /// The call and who makes it.
    pub fn call(&self) -> Option<(Process, &'a Call)> {
        match self.operation {
            Operation::Call(process, call) => Some((*process, call)),
            _ => None,
        }
    }

    /// Whether it succeeded.
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Ok(_))
    }

    /// The error, if it failed.
    pub fn error(&self) -> Option<Errno> {
        match self.outcome {
            Outcome::Error(errno) => Some(*errno),
            _ => None,
        }
    }

    /// Whether it failed with one of these.
    pub fn failed_with(&self, allowed: &[Errno]) -> bool {
        self.error().is_some_and(|errno| allowed.contains(&errno))
    }

    /// Whether it failed because an allocation was made to fail.
    pub fn failed_by_injection(&self) -> bool {
        self.injected_failure && self.error() == Some(Errno::ENOMEM)
    }

    /// Whether it was not answered: the system ended, or complained.
    pub fn crashed(&self) -> bool {
        matches!(self.outcome, Outcome::Crash(_))
    }

    /// The address that was returned.
    pub fn address(&self) -> Option<u64> {
        match self.outcome {
            Outcome::Ok(Value::Address(address)) => Some(*address),
            _ => None,
        }
    }

    /// The outcome, in messages.
    pub fn answer(&self) -> String {
        match self.outcome {
            Outcome::Ok(Value::Address(address)) => format!("address {address:#x}"),
            Outcome::Ok(Value::Count(count)) => format!("count {count}"),
            Outcome::Ok(_) => "success".to_owned(),
            Outcome::Error(errno) => errno.name().to_owned(),
            Outcome::Crash(_) => "a crash".to_owned(),
            Outcome::Unsupported => "unsupported".to_owned(),
        }
    }

    /// The caller's address space before.
    pub fn space(&self) -> Option<&'a Space> {
        self.before.space_of(self.call()?.0)
    }

    /// The caller's address space after.
    pub fn space_after(&self) -> Option<&'a Space> {
        self.after.space_of(self.call()?.0)
    }

    /// The mapping that mmap or shmat made.
    pub fn made(&self) -> Option<&'a Mapping> {
        self.made.as_ref().map(|made| made.mapping)
    }

    /// The region that the mapping made is in, and whether it is a new one.
    pub fn made_region(&self) -> Option<(&'a Region, bool)> {
        self.made.as_ref()?.region
    }

    /// The region that mmap made for the mapping, if it made one.
    pub fn new_region(&self) -> Option<&'a Region> {
        let (region, is_new) = self.made_region()?;
        is_new.then_some(region)
    }
}

/// The bytes of a region's page that are known.
pub fn known(page: &Page) -> Option<&[u8]> {
    match page {
        Page::Known(bytes) => Some(bytes),
        Page::Unknown => None,
    }
}

/// The first byte of a region from `from` to its end that is known not to be zero.
pub fn first_dirty(world: &World, region: &Region, from: u64) -> Option<u64> {
    let size = world.page_size();
    for (index, page) in (0..).zip(&region.pages) {
        let start = region.start + index * size;
        if start >= region.end {
            break;
        }
        let skip = from.saturating_sub(start).min(size) as usize;
        if let Some(bytes) = known(page)
            && let Some(place) = first_other(&bytes[skip..], 0)
        {
            return Some(start + (skip + place) as u64);
        }
    }
    None
}

/// The first byte at which a copy differs from the file it was made from, up to the end of the
/// file: where, what it is, and what the file has.
pub fn first_difference(
    world: &World,
    region: &Region,
    file: &File,
    offset: u64,
) -> Option<(u64, u8, u8)> {
    let size = world.page_size();
    let mut start = region.start;
    for page in &region.pages {
        let at = offset + (start - region.start);
        if start >= region.end || at >= file.size {
            break;
        }
        let length = (file.size - at).min(size) as usize;
        if let Some(bytes) = known(page) {
            let wanted = file.page(at / size).map(|page| &page.contents);
            let wanted = match wanted {
                None => None,
                Some(page) => match known(page) {
                    Some(wanted) => Some(wanted),
                    None => {
                        start += size;
                        continue;
                    }
                },
            };
            let unlike = match wanted {
                Some(wanted) => first_unlike(&bytes[..length], wanted),
                None => first_other(&bytes[..length], 0),
            };
            if let Some(place) = unlike {
                let wanted = wanted.map_or(0, |wanted| wanted[place]);
                return Some((start + place as u64, bytes[place], wanted));
            }
        }
        start += size;
    }
    None
}

/// The file that an object is, if it is one.
pub fn file_of(object: Option<Object>) -> Option<FileNumber> {
    match object? {
        Object::File(number) => Some(FileNumber(number)),
        Object::Segment(_) => None,
    }
}

/// Mappings of live address spaces, with the space they are in. A space that nobody lives in
/// is empty.
pub fn mappings(world: &World) -> impl Iterator<Item = (usize, &Mapping)> {
    world
        .spaces
        .iter()
        .enumerate()
        .flat_map(|(number, space)| space.mappings.iter().map(move |mapping| (number, mapping)))
}

/// Regions, each with what it is in another world, if it is there. Most are at the place behind
/// that of the one before.
pub fn side_by_side<'a>(
    regions: &'a [Shared<Region>],
    others: &'a [Shared<Region>],
) -> impl Iterator<Item = (&'a Shared<Region>, Option<&'a Shared<Region>>)> {
    let mut next = 0;
    regions.iter().map(move |region| {
        let is_it = |other: &Shared<Region>| other.is_same(region) || other.id == region.id;
        let place = match others.get(next).is_some_and(is_it) {
            true => Some(next),
            false => others.iter().position(is_it),
        };
        next = place.map_or(next, |place| place + 1);
        (region, place.map(|place| &others[place]))
    })
}

/// The file that a region is a copy of.
pub fn copied_file(region: &Region) -> Option<(FileNumber, u64, bool)> {
    match region.origin {
        Origin::Anonymous => None,
        Origin::Copy {
            file,
            offset,
            reusable,
        } => Some((file, offset, reusable)),
    }
}

/// The file that a descriptor of a process stands for.
pub fn target(
    world: &World,
    process: Process,
    descriptor: crate::op::Descriptor,
) -> Option<(&OpenFile, Option<(FileNumber, &File)>)> {
    let opened = world.opened(process, descriptor)?;
    let file = match opened.open.target {
        OpenTarget::File(number) => Some((number, opened.file?)),
        _ => None,
    };
    Some((opened.open, file))
}

/// The mapping of a process that all of a range lies in.
pub fn around(world: &World, process: Process, address: u64, length: u64) -> Option<&Mapping> {
    world
        .space_of(process)?
        .mappings
        .iter()
        .find(|mapping| mapping.contains(address, length))
}

/// The address that an expression stands for.
pub fn at(step: &Step<'_>, address: Address) -> u64 {
    step.before.address(address)
}
