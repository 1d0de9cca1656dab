//! Memory of its own: where it may be put, what it holds, and how much of it is kept.

use super::{Answer, Refusal, refuse};
use crate::observation::Sight;
use crate::op::Protection;
use crate::world::World;
use crate::world::memory::Owner;
use crate::world::page::Page;
use crate::world::region::{Origin, Region, RegionId};
use crate::world::shared::Shared;

/// More pages than this are never given: a limit on what a world costs, far above any window.
const MOST_PAGES: u64 = 1 << 20;

/// How an allocation's excess over what was asked for is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Excess {
    /// Kept, or given back, as the trim watermark says (lines 277-283).
    Trimmed,
    /// Given back always: what is no mapping has no use for it.
    GivenBack,
}

/// A run of pages that an allocation was answered with, and that it may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Address of the first byte.
    pub(super) start: u64,
    /// Pages asked for.
    pub(super) pages: u64,
    /// Pages kept.
    pub(super) kept: u64,
}

impl World {
    /// Pages that are allocated to serve so many (lines 115-117 and 272-273).
    fn granule(pages: u64) -> u64 {
        pages.checked_next_power_of_two().unwrap_or(u64::MAX)
    }

    /// Whether memory for so many pages cannot be had: exactly when no naturally aligned free
    /// run of the power of two that holds them exists. None where free memory is not known.
    pub(super) fn lacks(&self, pages: u64) -> Option<bool> {
        if pages > MOST_PAGES {
            return Some(true);
        }
        let order = World::granule(pages).trailing_zeros();
        self.can_serve(order).map(|can| !can)
    }

    /// Pages of a granule that stay allocated.
    fn kept(&self, pages: u64, excess: Excess) -> u64 {
        let granule = World::granule(pages);
        let watermark = self.config.trim;
        // Lines 277-283: by default any excess goes; 0 disables trimming; n is a watermark.
        let trims = match excess {
            Excess::GivenBack => true,
            Excess::Trimmed => watermark != 0 && granule - pages >= watermark,
        };
        if trims { pages } else { granule }
    }

    /// Whether an allocation of so many pages may be at an address, and what it keeps there.
    pub(super) fn place(
        &self,
        start: u64,
        pages: u64,
        excess: Excess,
        rule: &'static str,
    ) -> Result<Placed, Refusal> {
        let granule = World::granule(pages);
        if self.lacks(pages) == Some(true) {
            return Err(refuse(
                &["out-of-memory-justified", "power-of-two-granule"],
                format!("allowed are only: ENOMEM (no {granule} aligned pages are free)"),
                format!("success at {start:#x}"),
            ));
        }
        if !start.is_multiple_of(self.page_size()) {
            return Err(refuse(
                &[rule],
                "allowed is only: a page-aligned address",
                format!("success at {start:#x}"),
            ));
        }
        let kept = self.kept(pages, excess);
        // Where free memory is not known, neither is what else the granule holds.
        let searched = match self.config.window {
            Some(_) => granule,
            None => kept,
        };
        if let Some((page, owner)) = self.memory.first_taken(start, searched) {
            let expected = format!("allowed is only: {searched} free pages");
            let seen = format!(
                "success at {start:#x}, where {page:#x} belongs to {}",
                owner.name()
            );
            return Err(refuse(&[rule, "one-owner"], expected, seen));
        }
        if let Some(window) = self.config.window
            && !(start - window.start).is_multiple_of(granule << self.page_shift())
        {
            return Err(refuse(
                &["power-of-two-granule", "rounds-to-power-of-two"],
                format!("allowed is only: an address aligned to {granule} pages"),
                format!("success at {start:#x}"),
            ));
        }
        Ok(Placed { start, pages, kept })
    }

    /// Makes a region of what was placed, with the contents of what was asked for. What slack
    /// holds is zeroes or anything, as growth may expose it.
    pub(super) fn add_region(
        &mut self,
        placed: Placed,
        protection: Protection,
        origin: Origin,
        mut pages: Vec<Page>,
        slack: Page,
    ) -> RegionId {
        let id = self.next_region;
        self.next_region.0 = id.0.wrapping_add(1);
        pages.resize(placed.kept as usize, slack);
        self.memory
            .give(placed.start, placed.kept, Owner::Region(id));
        let region = Region {
            id,
            start: placed.start,
            end: placed.start + (placed.pages << self.page_shift()),
            top: placed.start + (placed.kept << self.page_shift()),
            protection,
            origin,
            users: 1,
            pages,
        };
        self.insert_region(region);
        id
    }

    /// Files a region under its address.
    pub(super) fn insert_region(&mut self, region: Region) {
        let index = self
            .regions
            .partition_point(|other| other.start < region.start);
        self.regions.insert(index, Shared::new(region));
    }

    /// What a page holds, as the implementation shows it: where the document leaves it open.
    pub(super) fn adopt(&self, address: u64, answer: &Answer<'_>) -> Page {
        if !answer.sight.contains(Sight::CONTENTS) {
            return Page::Unknown;
        }
        let mut bytes = self.zeroes().to_vec();
        match answer.contents.memory(address, &mut bytes) {
            true => Page::Known(bytes.into()),
            false => Page::Unknown,
        }
    }
}
