//! Which rules say what a byte has to be, for bytes that are something else.

use super::RuleId;
use crate::op::{Call, Operation};
use crate::world::World;
use crate::world::file::{FileNumber, Kind};
use crate::world::memory::Owner;
use crate::world::region::{Origin, Region};

/// A byte that can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Byte {
    /// Of memory, at this address.
    Memory(u64),
    /// Of a file, at this offset.
    File(FileNumber, u64),
}

/// The rules that a wrong byte breaks after a step, the most telling first: judged by who owns
/// it, since when, and what the operation was about.
pub fn blame(before: &World, after: &World, operation: &Operation, byte: Byte) -> Vec<RuleId> {
    let call = match operation {
        Operation::Call(_, call) => call,
        Operation::SetTrim(_) | Operation::Driver(..) => return rules(&["others-untouched"]),
    };
    let found = match byte {
        Byte::File(number, offset) => file(before, number, offset, call),
        Byte::Memory(address) => match after.owner(address) {
            Owner::Region(_) => match after.region_at(address) {
                Some(found) => region(before, after, found, address, call),
                None => &["others-untouched"],
            },
            Owner::File(number, page) => {
                file(before, number, u64::from(page) * after.page_size(), call)
            }
            Owner::Segment(number) => {
                let is_new = before.segments.len() <= usize::from(number);
                if is_new {
                    &["sysv-shared-memory"]
                } else {
                    stored(call)
                }
            }
            Owner::Free | Owner::Outside => match call {
                Call::Write { .. } => &["file-write"],
                _ => stored(call),
            },
        },
    };
    rules(found)
}

fn rules(ids: &[&'static str]) -> Vec<RuleId> {
    ids.iter().map(|id| RuleId(id)).collect()
}

/// What is there already changes by stores alone.
fn stored(call: &Call) -> &'static [&'static str] {
    match call {
        Call::Store { .. } => &["load-sees-stores", "private-stores-visible"],
        Call::PtracePoke { .. } => &["ptrace-within-mapping", "load-sees-stores"],
        _ => &["others-untouched"],
    }
}

fn region(
    before: &World,
    after: &World,
    region: &Region,
    address: u64,
    call: &Call,
) -> &'static [&'static str] {
    // A region that munmap split off was there before.
    let is_new = region.id >= before.next_region && !matches!(call, Call::Munmap { .. });
    match (region.origin, call) {
        // Lines 121-145.
        (Origin::Anonymous, _) if is_new => &["anonymous-cleared", "uninitialized-permitted"],
        // Lines 50-54 and 59-67.
        (Origin::Copy { file, offset, .. }, _) if is_new => {
            let at = offset.saturating_add(address - region.start);
            let writable = region.protection.contains(crate::op::Protection::WRITE);
            match (at >= after.file(file).size, writable) {
                (true, _) => &["private-copy-clears-tail"],
                (false, true) => &["private-write-copy"],
                (false, false) => &["private-read-copy"],
            }
        }
        (_, Call::Mremap { .. }) => &["growth-cleared", "mremap-in-place"],
        // Lines 55-57.
        (
            Origin::Copy { .. },
            Call::Write { .. } | Call::Ftruncate { .. } | Call::Truncate { .. } | Call::Open { .. },
        ) => &["private-ignores-file-writes"],
        _ => stored(call),
    }
}

fn file(before: &World, number: FileNumber, offset: u64, call: &Call) -> &'static [&'static str] {
    let known = before.files.get(usize::from(number.0));
    let backed = known.is_some_and(|file| file.kind == Kind::MemoryBacked);
    let size = known.map_or(0, |file| file.size);
    match call {
        Call::Write { .. } => &["file-write"],
        Call::Ftruncate { length, .. } | Call::Truncate { length, .. } if *length > size => {
            match backed && size == 0 {
                // Lines 255-258.
                true => &["grow-gathers-contiguous"],
                // What was there before the file was cut shows again.
                false => &["shrink-frees-pages"],
            }
        }
        Call::Ftruncate { .. } | Call::Truncate { .. } | Call::Open { .. } => {
            &["shrink-frees-pages"]
        }
        Call::Store { .. } if backed && offset <= size => {
            &["memory-file-shared", "load-sees-stores"]
        }
        _ => stored(call),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Contents, Observation, Sight};
    use crate::op::{Address, Fill, MappingName, Process};
    use crate::op::{MapFlags, Mmap, Protection};
    use crate::outcome::{Outcome, Value};
    use crate::step::{Answer, step};
    use crate::world::config::{Config, Window};

    struct Blank;

    impl Contents for Blank {
        fn memory(&self, _: u64, _: &mut [u8]) -> bool {
            false
        }
        fn file(&self, _: u16, _: u64, _: &mut [u8]) -> bool {
            false
        }
    }

    #[test]
    fn tells_what_was_not_cleared_from_what_was_stored() {
        let mut world = World::new(Config {
            page_size: 16,
            window: Some(Window {
                start: 0x100,
                pages: 8,
            }),
            trim: 1,
            uninitialized: false,
            processes: 1,
            deviations: Vec::new(),
        });
        let operation = Operation::Call(
            Process(0),
            Call::Mmap(Mmap {
                result: MappingName(0),
                address: None,
                length: 16,
                protection: Protection::READ,
                flags: MapFlags::PRIVATE,
                descriptor: None,
                offset: 0,
            }),
        );
        let before = world.clone();
        let answer = Answer {
            outcome: &Outcome::Ok(Value::Address(0x100)),
            seen: &Observation::default(),
            sight: Sight::empty(),
            contents: &Blank,
            injected_failure: false,
        };
        step(&mut world, &operation, &answer).unwrap();
        let ids = |operation: &Operation, before: &World, address: u64| -> Vec<&str> {
            let rules = blame(before, &world, operation, Byte::Memory(address));
            rules.iter().map(|rule| rule.0).collect()
        };
        assert_eq!(
            ids(&operation, &before, 0x100),
            ["anonymous-cleared", "uninitialized-permitted"]
        );
        let store = Operation::Call(
            Process(0),
            Call::Store {
                address: Address::Absolute(0x100),
                data: Fill { byte: 1, count: 1 },
            },
        );
        assert_eq!(
            ids(&store, &world, 0x100),
            ["load-sees-stores", "private-stores-visible"]
        );
        assert_eq!(ids(&operation, &world, 0x100), ["others-untouched"]);
    }
}
