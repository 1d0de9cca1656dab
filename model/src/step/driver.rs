//! What drivers are asked (lines 202-229).

use super::{Answer, Refusal, refuse};
use crate::observation::Sight;
use crate::op::{self, Capabilities};
use crate::world::World;
use crate::world::file::{File, FileNumber, Kind};
use std::ops::RangeInclusive;

/// What may be done with a file's memory, and whether it can be read into other memory.
pub(super) fn capabilities(file: &File) -> Capabilities {
    use Capabilities as Can;
    match file.kind {
        Kind::Directory => Can::empty(),
        Kind::Regular | Kind::Block => Can::COPY,
        Kind::MemoryBacked | Kind::MemoryBlock => Can::all(),
        Kind::ExecuteInPlace => Can::all() - Can::WRITE,
        Kind::Character | Kind::Mtd => {
            let Some(driver) = file.driver else {
                return Can::empty();
            };
            // Lines 211-214: readable and writable, not executable, and only shareable
            // directly, unless the driver says otherwise.
            let default = Can::DIRECT | Can::READ | Can::WRITE;
            let mut can = driver.capabilities.unwrap_or(default);
            // Lines 204-205: without the operation there is no address to map at.
            if driver.area == op::Answer::Absent {
                can -= Can::DIRECT;
            }
            // Lines 156-160.
            if !driver.readable {
                can -= Can::COPY;
            }
            can
        }
    }
}

/// Records how often a device's driver was asked during an operation, and holds that to what
/// was due. Files without a driver are never asked.
pub(super) fn asked(
    world: &mut World,
    number: FileNumber,
    area: RangeInclusive<u32>,
    mmap: RangeInclusive<u32>,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let Some(driver) = world.file(number).driver else {
        return Ok(());
    };
    let seen = answer
        .sight
        .contains(Sight::DRIVERS)
        .then(|| {
            answer
                .seen
                .drivers
                .iter()
                .find(|driver| driver.number == number.0)
        })
        .flatten();
    let (asked_area, asked_mmap) = match seen {
        Some(seen) => (
            seen.area_calls.wrapping_sub(driver.area_calls),
            seen.mmap_calls.wrapping_sub(driver.mmap_calls),
        ),
        None => (*area.start(), *mmap.start()),
    };
    for (rule, operation, asked, due) in [
        (
            "driver-asked-for-address",
            "get_unmapped_area",
            asked_area,
            area,
        ),
        ("driver-mmap-called", "mmap", asked_mmap, mmap),
    ] {
        if !due.contains(&asked) {
            let rules: &[_] = match due.end() {
                0 => &[rule, "driver-share-without-notice"],
                _ => &[rule],
            };
            return Err(refuse(
                rules,
                format!("the driver's {operation} is called {} times", times(&due)),
                format!("it was called {asked} times"),
            ));
        }
    }
    if (asked_area, asked_mmap) != (0, 0) {
        let file = &mut *world.files[usize::from(number.0)];
        if let Some(driver) = &mut file.driver {
            driver.area_calls = driver.area_calls.wrapping_add(asked_area);
            driver.mmap_calls = driver.mmap_calls.wrapping_add(asked_mmap);
        }
    }
    Ok(())
}

fn times(due: &RangeInclusive<u32>) -> String {
    match (due.start(), due.end()) {
        (least, most) if least == most => most.to_string(),
        (least, most) => format!("{least} to {most}"),
    }
}

/// As [`asked`], for a call that an injected failure cut short: any driver may have been asked
/// once.
pub(super) fn adopt_counts(world: &mut World, answer: &Answer<'_>) -> Result<(), Refusal> {
    if !answer.sight.contains(Sight::DRIVERS) {
        return Ok(());
    }
    for seen in &answer.seen.drivers {
        if usize::from(seen.number) < world.files.len() {
            asked(world, FileNumber(seen.number), 0..=1, 0..=1, answer)?;
        }
    }
    Ok(())
}
