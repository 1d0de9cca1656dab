//! What a mapping of a file may share (lines 41-43 and 220-222).

use super::map_plan::Wanted;
use crate::observation::Object;
use crate::op::Protection;
use crate::world::World;
use crate::world::region::Origin;
use crate::world::space::{Backing, Granted};

/// What a mapping would share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Existing {
    pub(super) start: u64,
    pub(super) backing: Backing,
    pub(super) granted: Granted,
}

/// How strongly an existing mapping is to be re-used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reuse {
    /// It covers the range, and permits all that is wanted.
    Due,
    /// It was granted at least the range, or a deviation overlooks what it permits.
    Allowed,
}

impl Wanted {
    /// What is granted to a mapping of memory that is set up for it.
    pub(super) fn granted(&self, world: &World) -> Granted {
        granted(
            self.offset,
            self.pages << world.page_shift(),
            self.protection,
        )
    }
}

impl World {
    /// An existing mapping or copy that a request may share, and that a condition accepts.
    pub(super) fn find_existing(
        &self,
        wanted: &Wanted,
        reuse: Reuse,
        accepts: impl Fn(&Existing) -> bool,
    ) -> Option<Existing> {
        // Lines 59-67; and a traced process's private memory may be written to.
        let alone = wanted.traced || wanted.protection.contains(Protection::WRITE);
        if alone && !wanted.shared {
            return None;
        }
        let lax = reuse == Reuse::Allowed && self.config.deviates("reuse-ignores-permissions");
        let end = wanted.offset + ((wanted.pages - 1) << self.page_shift());
        let covers = |start: u64, bytes: u64| start <= wanted.offset && end - start < bytes;
        let permits = |protection: Protection| lax || protection.contains(wanted.protection);
        let from_copy = reuse == Reuse::Allowed && self.config.deviates("shared-served-from-copy");
        if !wanted.shared || from_copy {
            let copies = self.regions.iter().filter_map(|region| {
                let Origin::Copy {
                    file,
                    offset,
                    reusable: true,
                } = region.origin
                else {
                    return None;
                };
                let fits = file == wanted.file
                    && covers(offset, region.end - region.start)
                    && permits(region.protection);
                fits.then(|| Existing {
                    start: region.start + (wanted.offset - offset),
                    backing: Backing::Region(region.id),
                    granted: granted(offset, region.end - region.start, region.protection),
                })
            });
            if let Some(found) = copies.into_iter().find(|found| accepts(found)) {
                return Some(found);
            }
        }
        let object = Some(Object::File(wanted.file.0));
        self.spaces
            .iter()
            .flat_map(|space| &space.mappings)
            .filter(|mapping| {
                mapping.backing == Backing::Direct
                    && mapping.object == object
                    && mapping.shareable
                    && mapping.shared == wanted.shared
                    && match reuse {
                        Reuse::Due => {
                            permits(mapping.protection)
                                && covers(mapping.offset, mapping.end - mapping.start)
                        }
                        Reuse::Allowed => {
                            let granted = mapping.granted;
                            permits(granted.protection)
                                && covers(granted.start, granted.end - granted.start)
                        }
                    }
            })
            .map(|mapping| Existing {
                start: mapping
                    .start
                    .wrapping_add(wanted.offset)
                    .wrapping_sub(mapping.offset),
                backing: Backing::Direct,
                granted: mapping.granted,
            })
            .find(|found| accepts(found))
    }
}

fn granted(offset: u64, bytes: u64, protection: Protection) -> Granted {
    Granted {
        start: offset,
        end: offset.saturating_add(bytes),
        protection,
    }
}

impl World {
    /// An existing mapping or copy that a request may share at an address.
    pub(super) fn existing_at(&self, wanted: &Wanted, start: u64) -> Option<Existing> {
        let here = |found: &Existing| found.start == start;
        self.find_existing(wanted, Reuse::Due, here)
            .or_else(|| self.find_existing(wanted, Reuse::Allowed, here))
    }

    /// All that was granted to the mappings that a direct mapping may share.
    pub(super) fn granted_together(&self, wanted: &Wanted, existing: &Existing) -> Granted {
        if existing.backing != Backing::Direct {
            return existing.granted;
        }
        let together = std::cell::Cell::new(existing.granted);
        for reuse in [Reuse::Due, Reuse::Allowed] {
            // Accepting none, so that all are asked.
            self.find_existing(wanted, reuse, |found| {
                if found.backing == Backing::Direct && found.start == existing.start {
                    together.set(together.get().with(found.granted));
                }
                false
            });
        }
        together.get()
    }
}
