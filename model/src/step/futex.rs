//! Futexes (lines 171-177).

use super::due::Due;
use super::{Answer, Caller, Refusal, wrong_value};
use crate::observation::Object;
use crate::op::Address;
use crate::outcome::{Errno, Value};
use crate::world::World;
use crate::world::contents::Expected;
use crate::world::file::Kind;
use crate::world::space::{Backing, Mapping};

/// Bytes of a futex word.
const WORD: u64 = 4;

pub(super) fn wait(
    world: &World,
    caller: Caller,
    address: Address,
    expected: u32,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let start = world.address(address);
    let mut due = Due::default();
    let mapping = owe_word(world, caller, start, &mut due);
    if let Some(mapping) = mapping.filter(|_| !due.is_required()) {
        // It waits no time at all, so that it never succeeds.
        match world.word(&mapping, start) {
            Some(word) if word == expected => due.must("futex-supported", &[Errno::ETIMEDOUT]),
            Some(_) => due.must("futex-supported", &[Errno::EAGAIN]),
            None => due.must("futex-supported", &[Errno::EAGAIN, Errno::ETIMEDOUT]),
        }
    }
    due.judge(answer, "futex-supported")?;
    Ok(())
}

pub(super) fn wake(
    world: &World,
    caller: Caller,
    address: Address,
    answer: &Answer<'_>,
) -> Result<(), Refusal> {
    let start = world.address(address);
    let mut due = Due::default();
    owe_word(world, caller, start, &mut due);
    match due.judge(answer, "futex-supported")? {
        // Nobody ever waits.
        None | Some(Value::Count(0)) => Ok(()),
        Some(value) => Err(wrong_value(value, "a count of 0", "futex-supported")),
    }
}

/// The mapping that a word lies in, and the errors that it owes.
fn owe_word(world: &World, caller: Caller, start: u64, due: &mut Due) -> Option<Mapping> {
    due.must_if(
        !start.is_multiple_of(WORD),
        "futex-supported",
        &[Errno::EINVAL],
    );
    let Some(mapping) = world.mapping_of(caller.space, start, WORD) else {
        // Lines 174-175.
        due.must("futex-outside-mapping", &[Errno::EFAULT]);
        return None;
    };
    if let (Backing::Direct, Some(Object::File(number))) = (mapping.backing, mapping.object) {
        match world.files[usize::from(number)].kind {
            // Lines 175-177: such as an I/O chardev mapping.
            Kind::Character => {
                due.must("futex-io-mapping", &[Errno::EFAULT, Errno::EINVAL]);
            }
            Kind::Mtd => due.may(&[Errno::EFAULT, Errno::EINVAL]),
            _ => {}
        }
    }
    Some(mapping)
}

impl World {
    /// The word at an address in a mapping, if it is determined.
    fn word(&self, mapping: &Mapping, start: u64) -> Option<u32> {
        let mut bytes = [0; WORD as usize];
        for (address, byte) in (start..).zip(&mut bytes) {
            match self.mapped_page(mapping, address) {
                (Expected::Bytes(page), offset) => *byte = page[offset],
                (Expected::Anything, _) => return None,
            }
        }
        Some(u32::from_le_bytes(bytes))
    }
}
