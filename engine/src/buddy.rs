//! The allocator of pages: a buddy allocator that coalesces at once.
//!
//! A block is 2^order pages, aligned to its size within the window; a free block whose buddy
//! is free too is always merged with it. So the set of free blocks is a function of the set of
//! free pages, and so is the next block that is handed out: two systems with the same pages
//! free go on alike, whatever their history.
//!
//! Six orders share one *level*. A level has one bit for each run of 64^level pages, set while
//! that run is free and is part of no free run of the next level. 64 bits are a word: all set,
//! they are cleared, and one bit of the next level is set instead (that is coalescing six
//! orders at once); taking a part of that again is the reverse. Within a word the blocks of
//! its six orders are its aligned runs of set bits. The words of a level are filed by their
//! largest block, so the search for a block never looks at a word that cannot serve it.
//!
//! Nothing is kept in the pages themselves.

use crate::error::{Errno, Result};
use crate::units::{Order, PageCount, PageIndex};
use alloc::vec::Vec;

/// Orders that share a level.
const ORDERS: u8 = 6;
/// Levels that any window needs: 64^6 passes the largest.
const LEVELS: usize = 6;
/// Bits of a word.
const UNITS: u32 = 64;
const FULL: u64 = u64::MAX;

/// For each order within a word, the bits where a block of it may begin.
const STARTS: [u64; 7] = [
    0xffff_ffff_ffff_ffff,
    0x5555_5555_5555_5555,
    0x1111_1111_1111_1111,
    0x0101_0101_0101_0101,
    0x0001_0001_0001_0001,
    0x0000_0001_0000_0001,
    0x0000_0000_0000_0001,
];

/// Free pages of a window.
#[derive(Clone, Debug)]
pub struct Buddy {
    pages: u32,
    free_pages: u32,
    /// Bit `6 * level + order` is set while a word of that level has that as its largest block.
    largest: u64,
    levels: [Level; LEVELS],
    /// The words of all levels, and the sets that they are filed in.
    table: Vec<u64>,
}

/// Where a level's words are.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// How many bits it has.
    units: u32,
    /// Its first word in the table.
    words: u32,
    /// Its first set in the table; the sets of the six orders follow each other.
    sets: u32,
    /// Words of one set.
    set_length: u32,
    /// A set is a tree of words, each bit telling whether a word below is not zero: how many
    /// words each of its layers has, lowest first.
    layers: [u32; 5],
    depth: u8,
}

/// A word of a level.
#[derive(Clone, Copy)]
struct Word {
    level: usize,
    index: u32,
}

impl Buddy {
    /// A window of so many pages, all of them free.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory for its tables.
    pub fn new(pages: PageCount) -> Result<Self> {
        let mut levels = [Level::default(); LEVELS];
        let mut length = 0;
        for (index, level) in levels.iter_mut().enumerate() {
            level.units = pages.0 >> (u32::from(ORDERS) * index as u32);
            let words = level.units.div_ceil(UNITS);
            level.words = length;
            length += words;
            level.sets = length;
            let mut layer = words;
            while layer > 0 {
                layer = layer.div_ceil(UNITS);
                level.layers[usize::from(level.depth)] = layer;
                level.depth += 1;
                level.set_length += layer;
                if layer == 1 {
                    break;
                }
            }
            length += level.set_length * u32::from(ORDERS);
        }
        let mut table = Vec::new();
        table
            .try_reserve_exact(length as usize)
            .map_err(|_| Errno::ENOMEM)?;
        table.resize(length as usize, 0);
        let mut buddy = Self {
            pages: pages.0,
            free_pages: 0,
            largest: 0,
            levels,
            table,
        };
        buddy.free(PageIndex(0), pages);
        Ok(buddy)
    }

    /// Pages of the window.
    pub fn pages(&self) -> PageCount {
        PageCount(self.pages)
    }

    /// Pages that are free.
    pub fn free_pages(&self) -> PageCount {
        PageCount(self.free_pages)
    }

    /// Takes a block out of the smallest that has one, filed by the largest in its word, at
    /// the lowest such address; none exactly when no aligned run of so many pages is free.
    #[inline]
    pub fn allocate(&mut self, order: Order) -> Option<PageIndex> {
        let at_least = self.largest.checked_shr(u32::from(order.0))? << order.0;
        if at_least == 0 {
            return None;
        }
        let found = at_least.trailing_zeros() as u8;
        let target = usize::from(order.0 / ORDERS);
        let mut level = usize::from(found / ORDERS);
        let word = Word {
            level,
            index: self.first(level, found % ORDERS),
        };
        let within = if level == target { order.0 % ORDERS } else { 0 };
        let old = self.word(word);
        let bit = best_fit(old, within);
        self.set_word(word, old, old & !(run(within) << bit));
        let mut unit = word.index * UNITS + bit;
        // What was one free run of the level above is taken apart: the first of its blocks
        // goes down, the rest stays. It always leaves the upper half, a block of order 5.
        while level > target {
            level -= 1;
            let within = if level == target { order.0 % ORDERS } else { 0 };
            let word = Word { level, index: unit };
            *self.word_mut(word) = !run(within);
            self.file(word, ORDERS - 1);
            unit *= UNITS;
        }
        self.free_pages -= order.pages().0;
        Some(PageIndex(unit << (u32::from(ORDERS) * target as u32)))
    }

    /// Gives back any run of pages that was taken: a block, a part of one, or parts of many.
    #[inline]
    pub fn free(&mut self, start: PageIndex, count: PageCount) {
        debug_assert!(self.is_taken(start, count), "freed twice, or not there");
        self.free_pages += count.0;
        let mut first = start.0;
        let mut after = start.0 + count.0;
        let mut level = 0;
        while first < after {
            let first_word = first / UNITS;
            let last_word = (after - 1) / UNITS;
            let from = FULL << (first % UNITS);
            let to = FULL >> (UNITS - 1 - (after - 1) % UNITS);
            if first_word == last_word {
                self.free_bits(level, first_word, from & to);
                return;
            }
            if from != FULL {
                self.free_bits(level, first_word, from);
                first = (first_word + 1) * UNITS;
            }
            if to != FULL {
                self.free_bits(level, last_word, to);
                after = last_word * UNITS;
            }
            // Words that are wholly free are single bits of the next level.
            first /= UNITS;
            after /= UNITS;
            level += 1;
        }
    }

    /// Whether a page is free.
    pub fn is_free(&self, page: PageIndex) -> bool {
        self.levels.iter().enumerate().any(|(index, level)| {
            let unit = page.0 >> (u32::from(ORDERS) * index as u32);
            unit < level.units && self.unit(index, unit)
        })
    }

    /// The free blocks, by address.
    pub fn free_blocks(&self) -> impl Iterator<Item = (PageIndex, Order)> + '_ {
        let mut page = 0;
        core::iter::from_fn(move || {
            let (start, order) = self.free_block_from(page)?;
            page = start.0 + order.pages().0;
            Some((start, order))
        })
    }

    /// The first free block that begins at a page or after it. The page must not be inside one.
    fn free_block_from(&self, mut page: u32) -> Option<(PageIndex, Order)> {
        'next: while page < self.pages {
            // The page's run at the highest level that says something about it.
            for index in (0..LEVELS).rev() {
                let shift = u32::from(ORDERS) * index as u32;
                let unit = page >> shift;
                let level = &self.levels[index];
                if page & ((1 << shift) - 1) != 0 || unit >= level.units {
                    continue;
                }
                let word = self.word(Word {
                    level: index,
                    index: unit / UNITS,
                });
                let bit = unit % UNITS;
                if word >> bit & 1 == 0 {
                    continue;
                }
                let order = (0..ORDERS)
                    .rev()
                    .find(|&order| {
                        STARTS[usize::from(order)] >> bit & 1 == 1
                            && word >> bit & run(order) == run(order)
                    })
                    .unwrap_or(0);
                return Some((PageIndex(page), Order(order + ORDERS * index as u8)));
            }
            // Taken, or the beginning of something taken: on to the next set bit of its word.
            let word = self.word(Word {
                level: 0,
                index: page / UNITS,
            });
            let rest = word & (FULL << (page % UNITS));
            page = page / UNITS * UNITS;
            if rest == 0 {
                page += UNITS;
            } else {
                page += rest.trailing_zeros();
            }
            continue 'next;
        }
        None
    }

    fn free_bits(&mut self, mut level: usize, mut index: u32, mut bits: u64) {
        loop {
            let word = Word { level, index };
            let old = self.word(word);
            if old | bits != FULL {
                self.set_word(word, old, old | bits);
                return;
            }
            // Coalesce. A word that can be full is a unit of the next level.
            *self.word_mut(word) = 0;
            if let Some(order) = largest_block(old) {
                self.unfile(word, order);
            }
            level += 1;
            bits = 1 << (index % UNITS);
            index /= UNITS;
        }
    }

    fn set_word(&mut self, word: Word, old: u64, new: u64) {
        *self.word_mut(word) = new;
        let before = largest_block(old);
        let after = largest_block(new);
        if before == after {
            return;
        }
        if let Some(order) = before {
            self.unfile(word, order);
        }
        if let Some(order) = after {
            self.file(word, order);
        }
    }

    fn word(&self, word: Word) -> u64 {
        self.table[(self.levels[word.level].words + word.index) as usize]
    }

    fn word_mut(&mut self, word: Word) -> &mut u64 {
        &mut self.table[(self.levels[word.level].words + word.index) as usize]
    }

    fn unit(&self, level: usize, unit: u32) -> bool {
        let word = Word {
            level,
            index: unit / UNITS,
        };
        self.word(word) >> (unit % UNITS) & 1 == 1
    }

    /// Files a word under its largest block.
    #[inline]
    fn file(&mut self, word: Word, order: u8) {
        let level = &self.levels[word.level];
        let mut layer = level.sets + u32::from(order) * level.set_length;
        let mut index = word.index;
        for &length in &level.layers[..usize::from(level.depth)] {
            let bits = &mut self.table[(layer + index / UNITS) as usize];
            let before = *bits;
            *bits |= 1 << (index % UNITS);
            if before != 0 {
                return;
            }
            layer += length;
            index /= UNITS;
        }
        self.largest |= 1 << (word.level as u8 * ORDERS + order);
    }

    #[inline]
    fn unfile(&mut self, word: Word, order: u8) {
        let level = &self.levels[word.level];
        let mut layer = level.sets + u32::from(order) * level.set_length;
        let mut index = word.index;
        for &length in &level.layers[..usize::from(level.depth)] {
            let bits = &mut self.table[(layer + index / UNITS) as usize];
            *bits &= !(1 << (index % UNITS));
            if *bits != 0 {
                return;
            }
            layer += length;
            index /= UNITS;
        }
        self.largest &= !(1 << (word.level as u8 * ORDERS + order));
    }

    /// The first word that is filed there; there must be one.
    #[inline]
    fn first(&self, level: usize, order: u8) -> u32 {
        let level = &self.levels[level];
        let mut layer = level.sets + (u32::from(order) + 1) * level.set_length;
        let mut index = 0;
        for &length in level.layers[..usize::from(level.depth)].iter().rev() {
            layer -= length;
            let bits = self.table[(layer + index) as usize];
            index = index * UNITS + bits.trailing_zeros();
        }
        index
    }

    fn is_taken(&self, start: PageIndex, count: PageCount) -> bool {
        start.0 <= self.pages
            && count.0 <= self.pages - start.0
            && !(start.0..start.0 + count.0).any(|page| self.is_free(PageIndex(page)))
    }

    /// The first contradiction in the tables.
    pub(crate) fn check(&self) -> core::result::Result<(), &'static str> {
        let mut free = 0u64;
        let mut last: Option<(PageIndex, Order)> = None;
        for (start, order) in self.free_blocks() {
            if start.0 & (order.pages().0 - 1) != 0 {
                return Err("a free block is not aligned to its size");
            }
            if let Some((before, size)) = last {
                if before.0 + size.pages().0 > start.0 {
                    return Err("free blocks overlap");
                }
                if size == order && before.0 ^ start.0 == order.pages().0 {
                    return Err("a free block and its buddy are not coalesced");
                }
            }
            free += u64::from(order.pages().0);
            last = Some((start, order));
        }
        if free != u64::from(self.free_pages) {
            return Err("the count of free pages is not that of the free blocks");
        }
        for (index, level) in self.levels.iter().enumerate() {
            for word in 0..level.units.div_ceil(UNITS) {
                let largest = largest_block(self.word(Word {
                    level: index,
                    index: word,
                }));
                for order in 0..ORDERS {
                    let set = level.sets + u32::from(order) * level.set_length;
                    let bits = self.table[(set + word / UNITS) as usize];
                    if (bits >> (word % UNITS) & 1 == 1) != (largest == Some(order)) {
                        return Err("a word is not filed under its largest block");
                    }
                }
            }
        }
        Ok(())
    }
}

/// The bits of a block.
fn run(order: u8) -> u64 {
    FULL >> (UNITS - (1 << order))
}

/// The order of the largest block in a word that is not full; none when it is empty.
#[inline]
fn largest_block(word: u64) -> Option<u8> {
    if word as u32 == u32::MAX || (word >> 32) as u32 == u32::MAX {
        return Some(5);
    }
    if word == 0 {
        return None;
    }
    let pairs = word & word >> 1 & STARTS[1];
    if pairs == 0 {
        return Some(0);
    }
    let fours = pairs & pairs >> 2 & STARTS[2];
    if fours == 0 {
        return Some(1);
    }
    let eights = fours & fours >> 4 & STARTS[3];
    if eights == 0 {
        return Some(2);
    }
    let sixteens = eights & eights >> 8 & STARTS[4];
    Some(if sixteens == 0 { 3 } else { 4 })
}

/// Where in a word the lowest of the smallest blocks of at least this order begins; there
/// must be one.
#[inline]
fn best_fit(word: u64, order: u8) -> u32 {
    let mut blocks = word;
    for smaller in 0..order {
        blocks &= blocks >> (1 << smaller) & STARTS[usize::from(smaller) + 1];
    }
    for order in order..ORDERS {
        let size = 1 << order;
        let larger = blocks & blocks >> size & STARTS[usize::from(order) + 1];
        let exact = blocks & !(larger | larger << size);
        if exact != 0 {
            return exact.trailing_zeros();
        }
        blocks = larger;
    }
    0
}
