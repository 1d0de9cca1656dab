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
