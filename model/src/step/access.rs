//! What programs do to their memory: loads and stores.

use super::due::Due;
use super::{Answer, Caller, Refusal, done, refuse, transfer, wrong_value};
use crate::observation::{Object, Sight};
use crate::op::{Address, Fill};
use crate::outcome::{Errno, Value};
use crate::world::World;
use crate::world::contents::Expected;
use crate::world::file::{FileNumber, Kind};
use crate::world::page::Page;
use crate::world::space::{Backing, Mapping, SpaceNumber};

pub(super) fn load(
    world: &World,
    caller: Caller,
    address: Address,
    length: u64,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let start = world.address(address);
    let mapping = world.mapping_of(caller.space, start, length);
    let mut due = Due::default();
    let outside = length > 0 && mapping.is_none();
    due.must_if(outside, "access-outside-mapping", &[Errno::EFAULT]);
    let Some(value) = due.judge(answer, "load-sees-stores")? else {
        return Ok(());
    };
    let bytes = bytes_of(value, length, "load-sees-stores")?;
    match mapping {
        Some(mapping) => world.holds(&mapping, start, bytes, "load-sees-stores"),
        None => Ok(()),
    }
}

pub(super) fn store(
    world: &mut World,
    caller: Caller,
    address: Address,
    data: Fill,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let start = world.address(address);
    let mapping = world.mapping_of(caller.space, start, data.count);
    let mut due = Due::default();
    if data.count > 0 {
        match &mapping {
            None => due.must("access-outside-mapping", &[Errno::EFAULT]),
            // There is no protection (line 56), but ROM and flash take no stores.
            Some(mapping) => {
                let refused = !world.takes_stores(mapping);
                due.must_if(refused, "access-outside-mapping", &[Errno::EFAULT]);
            }
        }
    }
    let Some(value) = due.judge(answer, "private-stores-visible")? else {
        return Ok(());
    };
    done(value, "private-stores-visible")?;
    if let Some(mapping) = mapping {
        hold_private_mappings(world, &mapping, start, data)?;
        world.fill(&mapping, start, data, answer);
    }
    Ok(())
}

/// Line 84: what is stored to a shared mapping of a memory-backed file is written to the file.
fn hold_private_mappings(
    world: &World,
    mapping: &Mapping,
    start: u64,
    data: Fill,
) -> Result<(), Refusal> {
    let Some(Object::File(number)) = mapping.object else {
        return Ok(());
    };
    let number = FileNumber(number);
    let is_file = mapping.shared
        && mapping.backing == Backing::Direct
        && world.file(number).kind == Kind::MemoryBacked;
    if !is_file || world.config.deviates("private-shows-shared-memory") {
        return Ok(());
    }
    let mut at = mapping.offset + (start - mapping.start);
    let end = at + data.count;
    while at < end {
        let page_end = (at | (world.page_size() - 1)) + 1;
        let count = end.min(page_end) - at;
        transfer::hold_private_mappings(world, number, at, Fill { count, ..data })?;
        at += count;
    }
    Ok(())
}

/// The bytes that a call returned, of which there have to be so many.
pub(super) fn bytes_of<'a>(
    value: &'a Value,
    length: u64,
    rule: &'static str,
) -> Result<&'a [u8], Refusal> {
    match value {
        Value::Bytes(bytes) if bytes.len() as u64 == length => Ok(bytes),
        _ => Err(wrong_value(value, &format!("{length} bytes"), rule)),
    }
}

impl World {
    /// A mapping of an address space that a whole range lies inside; none for an empty range.
    pub(super) fn mapping_of(
        &self,
        space: SpaceNumber,
        start: u64,
        length: u64,
    ) -> Option<Mapping> {
        if length == 0 {
            return None;
        }
        let mappings = &self.spaces[usize::from(space.0)].mappings;
        mappings
            .iter()
            .take_while(|mapping| mapping.start <= start)
            .find(|mapping| mapping.contains(start, length))
            .copied()
    }

    /// Whether a program's stores reach what a mapping shows.
    pub(super) fn takes_stores(&self, mapping: &Mapping) -> bool {
        match (mapping.backing, mapping.object) {
            (Backing::Direct, Some(Object::File(number))) => {
                self.files[usize::from(number)].kind.takes_stores()
            }
            _ => true,
        }
    }

    /// Holds bytes that were read to what a mapping shows.
    pub(super) fn holds(
        &self,
        mapping: &Mapping,
        start: u64,
        bytes: &[u8],
        rule: &'static str,
    ) -> Result<(), Refusal> {
        let page_size = self.page_size() as usize;
        let mut rest = bytes;
        let mut address = start;
        while !rest.is_empty() {
            let (expected, offset) = self.mapped_page(mapping, address);
            let length = rest.len().min(page_size - offset);
            let (now, later) = rest.split_at(length);
            if let Expected::Bytes(page) = expected {
                agree(address, &page[offset..offset + length], now, rule)?;
            }
            rest = later;
            address = address.wrapping_add(length as u64);
        }
        Ok(())
    }

    /// Writes the same byte over a range inside a mapping.
    pub(super) fn fill(&mut self, mapping: &Mapping, start: u64, data: Fill, answer: &Answer<'_>) {
        let page_size = self.page_size();
        let mut done = 0;
        while done < data.count {
            let address = start.wrapping_add(done);
            let offset = (address - mapping.start) & (page_size - 1);
            let length = (data.count - done).min(page_size - offset);
            // What is around the bytes in a page that nothing determined is determined now.
            let unknown = length < page_size
                && matches!(self.mapped_page(mapping, address).0, Expected::Anything);
            let adopted = match unknown && answer.sight.contains(Sight::CONTENTS) {
                true => self.adopt(address - offset, answer),
                false => Page::Unknown,
            };
            if let Some(page) = self.mapped_page_mut(mapping, address) {
                if unknown {
                    *page = adopted;
                }
                page.fill(
                    offset as usize,
                    length as usize,
                    data.byte,
                    page_size as usize,
                );
            }
            done += length;
        }
    }
}

/// Holds bytes that were read to those that were due.
pub(super) fn agree(
    address: u64,
    expected: &[u8],
    seen: &[u8],
    rule: &'static str,
) -> Result<(), Refusal> {
    if expected == seen {
        return Ok(());
    }
    let at = expected
        .iter()
        .zip(seen)
        .position(|(expected, seen)| expected != seen);
    let at = at.unwrap_or(0);
    Err(refuse(
        &[rule],
        format!(
            "allowed is only: byte {:#04x} at {:#x}",
            expected[at],
            address.wrapping_add(at as u64)
        ),
        format!("byte {:#04x}", seen[at]),
    ))
}

impl Page {
    /// Writes the same byte over a part of a page.
    pub(super) fn fill(&mut self, offset: usize, length: usize, byte: u8, page_size: usize) {
        match self {
            _ if length == page_size => *self = Page::Known(vec![byte; page_size].into()),
            Page::Known(bytes) => {
                std::sync::Arc::make_mut(bytes)[offset..offset + length].fill(byte);
            }
            Page::Unknown => {}
        }
    }
}
