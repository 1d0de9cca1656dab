//! Who owns which page.
//!
//! Everything here follows from the regions, files and segments of a world. It is kept up to
//! date because the hottest questions (is this run free, may ENOMEM be answered, whose byte is
//! this) would otherwise search all of them.

use super::config::{Config, Window};
use super::file::FileNumber;
use super::region::RegionId;
use crate::observation::FreeBlock;
use std::collections::BTreeMap;

/// Whose a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Nobody's.
    Free,
    /// A region's, slack included.
    Region(RegionId),
    /// A memory-backed file's: which page of which.
    File(FileNumber, u32),
    /// A SysV segment's.
    Segment(u16),
    /// Not memory that mappings are made from.
    Outside,
}

impl Owner {
    /// In messages.
    pub(crate) fn name(self) -> String {
        match self {
            Owner::Free => "nobody".to_owned(),
            Owner::Region(id) => format!("region {}", id.0),
            Owner::File(number, page) => format!("page {page} of file {}", number.0),
            Owner::Segment(number) => format!("segment {number}"),
            Owner::Outside => "no memory that mappings are made from".to_owned(),
        }
    }
}

/// The owner of every page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The known memory, if it is known.
    window: Option<Window>,
    /// A page's size is two to the power of this.
    page_shift: u32,
    /// Owners of the window's pages.
    owners: Vec<Owner>,
    /// One bit for each page of the window, set when it is free.
    free: Vec<u64>,
    /// How many are free.
    free_pages: u64,
    /// Owners of known pages by address, where the window is not known.
    elsewhere: BTreeMap<u64, Owner>,
}

/// Windows are cut to so many pages: a limit on what a world costs.
const MOST_PAGES: u64 = 1 << 24;

impl Memory {
    /// All of it free.
    pub(crate) fn new(config: &Config) -> Self {
        let pages = config
            .window
            .map_or(0, |window| window.pages.min(MOST_PAGES)) as usize;
        let mut free = vec![u64::MAX; pages.div_ceil(64)];
        if !pages.is_multiple_of(64) {
            free[pages / 64] = (1 << (pages % 64)) - 1;
        }
        Self {
            window: config.window.map(|window| Window {
                pages: pages as u64,
                ..window
            }),
            page_shift: config.page_size.trailing_zeros(),
            owners: vec![Owner::Free; pages],
            free,
            free_pages: pages as u64,
            elsewhere: BTreeMap::new(),
        }
    }

    /// Bytes of a page.
    fn page_size(&self) -> u64 {
        1 << self.page_shift
    }

    /// The index of the window's page that an address lies in.
    fn index(&self, address: u64) -> Option<usize> {
        let offset = address.checked_sub(self.window?.start)? >> self.page_shift;
        (offset < self.owners.len() as u64).then_some(offset as usize)
    }

    /// Whose the page at an address is.
    pub fn owner(&self, address: u64) -> Owner {
        if self.window.is_none() {
            let page = address & !(self.page_size() - 1);
            return *self.elsewhere.get(&page).unwrap_or(&Owner::Free);
        }
        self.index(address)
            .map_or(Owner::Outside, |index| self.owners[index])
    }

    /// The first page of a run that is not free, with its owner. A run that leaves the
    /// address space ends [`Owner::Outside`].
    pub fn first_taken(&self, start: u64, pages: u64) -> Option<(u64, Owner)> {
        if self.window.is_none() {
            let Some(end) = pages
                .checked_mul(self.page_size())
                .and_then(|bytes| start.checked_add(bytes))
            else {
                return Some((start, Owner::Outside));
            };
            let mut taken = self.elsewhere.range(start..end);
            return taken.next().map(|(&page, &owner)| (page, owner));
        }
        let mut address = start;
        for _ in 0..pages {
            let owner = self.owner(address);
            if owner != Owner::Free {
                return Some((address, owner));
            }
            address = address.wrapping_add(self.page_size());
        }
        None
    }

    /// The first page of a run that is not this owner's, with its owner.
    pub fn first_not(&self, owner: Owner, start: u64, pages: u64) -> Option<(u64, Owner)> {
        let run = self.index(start).and_then(|first| {
            let after = first.checked_add(usize::try_from(pages).ok()?)?;
            self.owners.get(first..after)
        });
        if let Some(run) = run {
            let place = run.iter().position(|&other| other != owner)?;
            return Some((start + ((place as u64) << self.page_shift), run[place]));
        }
        (0..pages)
            .map(|page| start.wrapping_add(page << self.page_shift))
            .map(|address| (address, self.owner(address)))
            .find(|&(_, other)| other != owner)
    }

    /// Gives a run of pages to an owner. Pages outside the window are left out.
    pub(crate) fn give(&mut self, start: u64, pages: u64, owner: Owner) {
        for page in 0..pages {
            self.give_page(start.wrapping_add(page << self.page_shift), owner);
        }
    }

    /// Gives one page to an owner.
    pub(crate) fn give_page(&mut self, address: u64, owner: Owner) {
        if self.window.is_none() {
            if owner == Owner::Free {
                self.elsewhere.remove(&address);
            } else {
                self.elsewhere.insert(address, owner);
            }
            return;
        }
        let Some(index) = self.index(address) else {
            return;
        };
        let bit = 1 << (index % 64);
        let word = &mut self.free[index / 64];
        let was_free = *word & bit != 0;
        if owner == Owner::Free {
            *word |= bit;
            self.free_pages += u64::from(!was_free);
        } else {
            *word &= !bit;
            self.free_pages -= u64::from(was_free);
        }
        self.owners[index] = owner;
    }

    /// How many pages are free; none where the window is not known.
    pub fn free_pages(&self) -> Option<u64> {
        self.window.map(|_| self.free_pages)
    }

    /// Whether a naturally aligned run of 2^`order` free pages exists: exactly then an
    /// allocator that coalesces eagerly can serve that order. None where the window is not
    /// known.
    pub fn can_serve(&self, order: u32) -> Option<bool> {
        self.window?;
        if order >= 32 {
            return Some(false);
        }
        if order >= 6 {
            let words = 1 << (order - 6);
            return Some(
                self.free
                    .chunks_exact(words)
                    .any(|run| run.iter().all(|&word| word == u64::MAX)),
            );
        }
        Some(self.free.iter().any(|&word| aligned_runs(word, order) != 0))
    }

    /// The largest order that can be served; none when nothing is free or nothing is known.
    pub fn largest_free_order(&self) -> Option<u32> {
        (0..=24)
            .rev()
            .find(|&order| self.can_serve(order) == Some(true))
    }

    /// The free pages as an allocator that coalesces eagerly holds them: the largest naturally
    /// aligned blocks, by address.
    pub fn free_blocks(&self) -> FreeBlocks<'_> {
        FreeBlocks {
            memory: self,
            page: 0,
        }
    }

    /// Free pages from this one on.
    fn free_run(&self, page: usize) -> usize {
        let mut length = 0;
        let mut page = page;
        while let Some(&word) = self.free.get(page / 64) {
            let run = (word >> (page % 64)).trailing_ones() as usize;
            length += run;
            page += run;
            if run == 0 || !page.is_multiple_of(64) {
                break;
            }
        }
        length
    }

    /// The first free page at or after this one.
    fn next_free(&self, page: usize) -> Option<usize> {
        let mut index = page / 64;
        let mut word = *self.free.get(index)? & (u64::MAX << (page % 64));
        while word == 0 {
            index += 1;
            word = *self.free.get(index)?;
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }
}

/// Marks each bit that begins a naturally aligned run of 2^`order` set bits.
fn aligned_runs(word: u64, order: u32) -> u64 {
    const BEGINS: [u64; 6] = [
        u64::MAX,
        0x5555_5555_5555_5555,
        0x1111_1111_1111_1111,
        0x0101_0101_0101_0101,
        0x0001_0001_0001_0001,
        0x0000_0001_0000_0001,
    ];
    let mut runs = word;
    for step in 0..order {
        runs &= runs >> (1 << step);
    }
    runs & BEGINS[order as usize]
}

/// The free blocks by address; see [`Memory::free_blocks`].
#[derive(Clone, Debug)]
pub struct FreeBlocks<'a> {
    memory: &'a Memory,
    page: usize,
}

impl Iterator for FreeBlocks<'_> {
    type Item = FreeBlock;

    fn next(&mut self) -> Option<FreeBlock> {
        let window = self.memory.window?;
        let page = self.memory.next_free(self.page)?;
        let run = self.memory.free_run(page);
        // The window's start is aligned to its size, so that an index is aligned as its
        // address is.
        let order = run.ilog2().min(page.trailing_zeros());
        self.page = page + (1 << order);
        Some(FreeBlock {
            start: window.start + ((page as u64) << self.memory.page_shift),
            order: order as u8,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0x10000;

    fn memory(pages: u64) -> Memory {
        Memory::new(&Config {
            page_size: 16,
            window: Some(Window {
                start: START,
                pages,
            }),
            trim: 1,
            uninitialized: false,
            processes: 1,
            deviations: Vec::new(),
        })
    }

    /// The free blocks as an allocator finds them that frees one page after the other and
    /// joins buddies as long as there are any.
    fn coalesced(memory: &Memory, pages: u64) -> Vec<FreeBlock> {
        let mut blocks: Vec<(u64, u8)> = (0..pages)
            .filter(|page| memory.owner(START + page * 16) == Owner::Free)
            .map(|page| (page, 0))
            .collect();
        while let Some((first, second)) = blocks.iter().enumerate().find_map(|(index, block)| {
            let buddy = (block.0 ^ (1 << block.1), block.1);
            let other = blocks.iter().position(|other| *other == buddy)?;
            (index < other).then_some((index, other))
        }) {
            blocks[first].1 += 1;
            blocks.remove(second);
        }
        blocks.sort_unstable();
        let start = |page: u64| START + page * 16;
        let blocks = blocks.into_iter();
        blocks
            .map(|(page, order)| FreeBlock {
                start: start(page),
                order,
            })
            .collect()
    }

    #[test]
    fn free_blocks_are_what_eager_coalescing_leaves() {
        let mut seed = 1_u64;
        for pages in [1, 5, 8, 37, 64, 65, 130] {
            let mut memory = memory(pages);
            for _ in 0..200 {
                seed = seed
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                let (page, length) = ((seed >> 33) % pages, 1 + (seed >> 20) % 9);
                let owner = match seed >> 60 {
                    0..8 => Owner::Segment(0),
                    _ => Owner::Free,
                };
                memory.give(START + page * 16, length, owner);
                let expected = coalesced(&memory, pages);
                let blocks: Vec<_> = memory.free_blocks().collect();
                assert_eq!(blocks, expected);
                let free: u64 = expected.iter().map(|block| 1 << block.order).sum();
                assert_eq!(memory.free_pages(), Some(free));
                let largest = expected.iter().map(|block| u32::from(block.order)).max();
                assert_eq!(memory.largest_free_order(), largest);
                for order in 0..9 {
                    let can = largest.is_some_and(|largest| largest >= order);
                    assert_eq!(memory.can_serve(order), Some(can), "order {order}");
                }
            }
        }
    }

    #[test]
    fn a_run_that_leaves_the_window_is_taken() {
        let memory = memory(4);
        assert_eq!(memory.first_taken(START, 4), None);
        let end = START + 4 * 16;
        assert_eq!(memory.first_taken(START, 5), Some((end, Owner::Outside)));
        assert_eq!(
            memory.first_taken(u64::MAX, 2),
            Some((u64::MAX, Owner::Outside))
        );
    }
}
