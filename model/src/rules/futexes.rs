//! Lines 171-177: futexes.

use super::view;
use super::{Kinds, Step, Verdict, rules};
use crate::op::{Call, Process};
use crate::outcome::Errno::*;
use crate::outcome::{Outcome, Value};
use crate::world::contents::Expected;
use crate::world::file::Kind;
use crate::world::space::{Backing, Mapping};
use Verdict::{NotApplicable, Violated};

rules! { "futexes":
    "futex-supported": Kinds::FUTEX, 80, futex_supported;
    "futex-outside-mapping": Kinds::FUTEX, 90, futex_outside_mapping;
    "futex-io-mapping": Kinds::FUTEX, 90, futex_io_mapping;
}

/// Bytes of a futex.
const WORD: u64 = 4;

struct Futex<'a> {
    address: u64,
    mapping: Option<&'a Mapping>,
    /// What the caller expects; none for a wake.
    expected: Option<u32>,
}

fn futex<'a>(step: &Step<'a>) -> Option<Futex<'a>> {
    let (process, call): (Process, _) = step.call()?;
    let (address, expected) = match call {
        Call::FutexWait { address, expected } => (address, Some(*expected)),
        Call::FutexWake { address, .. } => (address, None),
        _ => return None,
    };
    let address = view::at(step, *address);
    // One that is not aligned is an error of its own.
    if !address.is_multiple_of(WORD) {
        return None;
    }
    Some(Futex {
        address,
        mapping: view::around(step.before, process, address, WORD),
        expected,
    })
}

fn is_io(step: &Step<'_>, mapping: &Mapping) -> bool {
    mapping.backing == Backing::Direct
        && view::file_of(mapping.object)
            .is_some_and(|number| step.before.file(number).kind == Kind::Character)
}

/// Flash is memory to read and a device to command: the document does not say.
fn is_either(step: &Step<'_>, mapping: &Mapping) -> bool {
    mapping.backing == Backing::Direct
        && view::file_of(mapping.object)
            .is_some_and(|number| step.before.file(number).kind == Kind::Mtd)
}

/// Line 174: futexes are supported.
fn futex_supported(step: &Step<'_>) -> Verdict {
    let Some(futex) = futex(step) else {
        return NotApplicable;
    };
    let Some(mapping) = futex.mapping else {
        return NotApplicable;
    };
    if is_io(step, mapping) || is_either(step, mapping) {
        return NotApplicable;
    }
    let Some(expected) = futex.expected else {
        let none = matches!(step.outcome, Outcome::Ok(Value::Count(0)));
        return Verdict::demand(none, || {
            format!("{}, expected 0 processes woken", step.answer())
        });
    };
    let (page, place) = step.before.mapped_page(mapping, futex.address);
    let Expected::Bytes(bytes) = page else {
        return Verdict::demand(step.failed_with(&[EAGAIN, ETIMEDOUT]), || {
            format!("{}, expected EAGAIN or ETIMEDOUT", step.answer())
        });
    };
    let word = (0..WORD as usize).rev().fold(0, |word, byte| {
        word << 8 | u32::from(bytes.get(place + byte).copied().unwrap_or(0))
    });
    let due = if word == expected { ETIMEDOUT } else { EAGAIN };
    Verdict::demand(step.error() == Some(due), || {
        format!("{}, expected {due}: the word is {word:#x}", step.answer())
    })
}

/// Lines 174-176: an address outside the caller's mappings is an error.
fn futex_outside_mapping(step: &Step<'_>) -> Verdict {
    match futex(step) {
        Some(Futex {
            mapping: None,
            address,
            ..
        }) => Verdict::demand(step.failed_with(&[EFAULT]), || {
            format!(
                "{}, expected EFAULT: nothing is mapped at {address:#x}",
                step.answer()
            )
        }),
        _ => NotApplicable,
    }
}

/// Lines 176-177: so is one in a mapping that does not support futexes.
fn futex_io_mapping(step: &Step<'_>) -> Verdict {
    let Some(mapping) = futex(step).and_then(|futex| futex.mapping) else {
        return NotApplicable;
    };
    if !is_io(step, mapping) {
        return NotApplicable;
    }
    match step.failed_with(&[EFAULT, EINVAL]) {
        true => Verdict::Holds,
        false => Violated(format!(
            "{}, expected EFAULT: it is device memory",
            step.answer()
        )),
    }
}
