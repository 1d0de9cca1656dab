//! What happens to the whole system: the trim watermark, drivers that change their answers,
//! and calls that it does not have.

use super::due::Due;
use super::{Answer, Refusal, describe, done, refuse};
use crate::op::{Path, Script};
use crate::outcome::{Errno, Outcome};
use crate::world::World;

/// Line 283.
pub(super) fn set_trim(world: &mut World, pages: u64, answer: &Answer<'_>) -> Result<(), Refusal> {
    if let Outcome::Unsupported = answer.outcome {
        return Ok(());
    }
    let mut due = Due::default();
    // The sysctl is a signed word on Linux.
    if pages > i32::MAX as u64 {
        due.may(&[Errno::EINVAL]);
    }
    let Some(value) = due.judge(answer, "trim-sysctl")? else {
        return Ok(());
    };
    done(value, "trim-sysctl")?;
    if world.config.trim != pages {
        world.config.trim = pages;
    }
    Ok(())
}

pub(super) fn driver(
    world: &mut World,
    path: &Path,
    script: &Script,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    if let Outcome::Unsupported = answer.outcome {
        return Ok(());
    }
    let number = world.find_file(path);
    let driver = number.and_then(|number| world.file(number).driver);
    let (Some(number), Some(mut driver)) = (number, driver) else {
        return Err(refuse(
            &["busy-not-visible"],
            "a device with a driver",
            describe(answer.outcome),
        ));
    };
    let mut due = Due::default();
    // Lines 239-244: a device that is mapped must not become busy.
    let becomes_busy = script.busy == Some(true) && !driver.busy;
    let shows = becomes_busy && world.is_mapped_directly(number);
    due.must_if(shows, "busy-not-visible", &[Errno::EBUSY]);
    let Some(value) = due.judge(answer, "busy-not-visible")? else {
        return Ok(());
    };
    done(value, "busy-not-visible")?;
    let before = driver;
    driver.capabilities = script.capabilities.unwrap_or(driver.capabilities);
    driver.area = script.area.unwrap_or(driver.area);
    driver.mmap = script.mmap.unwrap_or(driver.mmap);
    driver.readable = script.read.unwrap_or(driver.readable);
    driver.busy = script.busy.unwrap_or(driver.busy);
    if driver != before {
        world.files[usize::from(number.0)].driver = Some(driver);
    }
    Ok(())
}

/// There is no memory management unit to do these with.
pub(super) fn unsupported(answer: &Answer<'_>) -> Result<(), Refusal> {
    let mut due = Due::default();
    due.must("unsupported-calls", &[Errno::ENOSYS]);
    due.judge(answer, "unsupported-calls")?;
    Ok(())
}
