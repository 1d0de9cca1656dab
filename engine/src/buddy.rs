//! The allocator of pages: a buddy allocator that coalesces at once.
//!
//! A block is 2^order pages, aligned to its size within the window; a free block whose buddy
//! is free too is merged with it. So the set of free blocks is a function of the set of free
//! pages.
//!
//! Six orders share one *level*. A level has one bit for each run of 64^level pages, set while
//! that run is free and is part of no free run of the next level. 64 bits are a word: all set,
//! they are cleared, and one bit of the next level is set instead (that is coalescing six
//! orders at once); taking a part of that again is the reverse. Within a word the blocks of
//! its six orders are its aligned runs of set bits. The words of a level are filed by their
//! largest block, so the search for a block never looks at a word that cannot serve it.
//!
//! The block that was freed last is the likeliest to be wanted next, and to be in a cache: it
//! is put aside for the next allocation of its order. Whoever looks at the free blocks sees it
//! merged, and an allocation of another order merges it first, so that nothing fails for its
//! sake.
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
    /// The run freed last, if it was a block and was not taken or merged since.
    aside: Option<Block>,
    /// Bit `6 * level + order` is set while a word of that level has that as its largest block.
    largest: u64,
    levels: [Level; LEVELS],
    /// The words of all levels, and the sets that they are filed in.
    table: Vec<u64>,
    /// What each word is filed under.
    filed: Vec<Filed>,
}

/// An aligned run of 2^order pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    first: PageIndex,
    order: Order,
}

/// What a word is filed under: the order of its largest block, plus one; 0 when it is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Filed(u8);

impl Filed {
    const NOT: Filed = Filed(0);
    const HALF: Filed = Filed(ORDERS);
}

/// Where a level's words are.
#[derive(Clone, Copy, Debug, Default)]
struct Level {
    /// How many bits it has.
    units: u32,
    /// Its first word in the table.
    words: u32,
    /// Its first word's place among the words of all levels.
    filed: u32,
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

/// What the words would be if the block put aside were merged: one word of each level at most.
struct Merged([Option<(u32, u64)>; LEVELS]);

impl Buddy {
    /// A window of so many pages, all of them free.
    ///
    /// # Errors
    ///
    /// `ENOMEM` when there is no memory for its tables.
    pub fn new(pages: PageCount) -> Result<Self> {
        let mut levels = [Level::default(); LEVELS];
        let mut length = 0;
        let mut filed_length = 0;
        for (index, level) in levels.iter_mut().enumerate() {
            level.units = pages.0 >> (u32::from(ORDERS) * index as u32);
            let words = level.units.div_ceil(UNITS);
            level.words = length;
            length += words;
            level.filed = filed_length;
            filed_length += words;
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
        let mut filed = Vec::new();
        filed
            .try_reserve_exact(filed_length as usize)
            .map_err(|_| Errno::ENOMEM)?;
        filed.resize(filed_length as usize, Filed::NOT);
        let mut buddy = Self {
            pages: pages.0,
            free_pages: pages.0,
            aside: None,
            largest: 0,
            levels,
            table,
            filed,
        };
        buddy.merge(PageIndex(0), pages);
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

    /// Takes a block; none exactly when no aligned run of so many pages is free. It is the one
    /// put aside, or else comes out of a smallest one, by the largest of the word that each is
    /// in, at the lowest such address.
    #[inline]
    pub fn allocate(&mut self, order: Order) -> Option<PageIndex> {
        if let Some(block) = self.aside.take() {
            if block.order == order {
                self.free_pages -= order.pages().0;
                return Some(block.first);
            }
            self.merge_block(block);
        }
        self.split(order)
    }

    fn split(&mut self, order: Order) -> Option<PageIndex> {
        let at_least = self.largest.checked_shr(u32::from(order.0))? << order.0;
        if at_least == 0 {
            return None;
        }
        let found = at_least.trailing_zeros() as u8;
        let target = usize::from(order.0 / ORDERS);
        let mut level = usize::from(found / ORDERS);
        let filed = Filed(found % ORDERS + 1);
        let word = Word {
            level,
            index: self.first(level, filed),
        };
        let within = if level == target { order.0 % ORDERS } else { 0 };
        let bits = self.word_mut(word);
        let fit = best_fit(*bits, within);
        *bits &= !(run(within) << fit.bit);
        self.refile(word, filed, fit.left);
        let mut unit = word.index * UNITS + fit.bit;
        // What was one free run of the level above is taken apart: the first of its blocks
        // goes down, the rest stays. It always leaves the upper half.
        while level > target {
            level -= 1;
            let within = if level == target { order.0 % ORDERS } else { 0 };
            let word = Word { level, index: unit };
            *self.word_mut(word) = !run(within);
            self.refile(word, Filed::NOT, Filed::HALF);
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
        if !count.0.is_power_of_two() || start.0 & (count.0 - 1) != 0 {
            self.merge(start, count);
            return;
        }
        let block = Block {
            first: start,
            order: Order(count.0.trailing_zeros() as u8),
        };
        if let Some(block) = self.aside.replace(block) {
            self.merge_block(block);
        }
    }

    fn merge(&mut self, start: PageIndex, count: PageCount) {
        let mut first = start.0;
        let mut after = start.0 + count.0;
        let mut level = 0;
        while first < after {
            let first_word = first / UNITS;
            let last_word = (after - 1) / UNITS;
            let from = FULL << (first % UNITS);
            let to = FULL >> (UNITS - 1 - (after - 1) % UNITS);
            if first_word == last_word {
                self.merge_bits(
                    Word {
                        level,
                        index: first_word,
                    },
                    from & to,
                );
                return;
            }
            if from != FULL {
                self.merge_bits(
                    Word {
                        level,
                        index: first_word,
                    },
                    from,
                );
                first = (first_word + 1) * UNITS;
            }
            if to != FULL {
                self.merge_bits(
                    Word {
                        level,
                        index: last_word,
                    },
                    to,
                );
                after = last_word * UNITS;
            }
            // Words that are wholly free are single bits of the next level.
            first /= UNITS;
            after /= UNITS;
            level += 1;
        }
    }

    fn merge_block(&mut self, block: Block) {
        let level = usize::from(block.order.0 / ORDERS);
        let unit = block.first.0 >> (u32::from(ORDERS) * level as u32);
        let bit = unit % UNITS;
        let word = Word {
            level,
            index: unit / UNITS,
        };
        let bits = run(block.order.0 % ORDERS) << bit;
        let new = self.word(word) | bits;
        if new == FULL {
            self.merge_bits(word, bits);
            return;
        }
        // The largest block is the one it was, or the one that this is now a part of.
        let filed = self.filed(word);
        *self.word_mut(word) = new;
        self.refile(word, filed, filed.max(block_around(new, bit)));
    }

    fn merge_bits(&mut self, mut word: Word, mut bits: u64) {
        loop {
            let new = self.word(word) | bits;
            let filed = self.filed(word);
            if new != FULL {
                *self.word_mut(word) = new;
                self.refile(word, filed, largest_block(new));
                return;
            }
            // A word that can be full is a unit of the next level.
            *self.word_mut(word) = 0;
            self.refile(word, filed, Filed::NOT);
            bits = 1 << (word.index % UNITS);
            word = Word {
                level: word.level + 1,
                index: word.index / UNITS,
            };
        }
    }

    /// What the tables would be if the block put aside were merged.
    fn merged(&self) -> Merged {
        let mut words = [None; LEVELS];
        let Some(Block { first, order }) = self.aside else {
            return Merged(words);
        };
        let lowest = usize::from(order.0 / ORDERS);
        let mut unit = first.0 >> (u32::from(ORDERS) * lowest as u32);
        let mut bits = run(order.0 % ORDERS);
        for (level, seen) in words.iter_mut().enumerate().skip(lowest) {
            let index = unit / UNITS;
            let new = self.word(Word { level, index }) | bits << (unit % UNITS);
            if new != FULL {
                *seen = Some((index, new));
                break;
            }
            *seen = Some((index, 0));
            unit = index;
            bits = 1;
        }
        Merged(words)
    }

    /// A word, as anyone but the allocator itself sees it.
    fn seen(&self, merged: &Merged, word: Word) -> u64 {
        match merged.0[word.level] {
            Some((index, bits)) if index == word.index => bits,
            _ => self.word(word),
        }
    }

    /// Which pages are free, and how they are filed.
    pub fn write_state(&self, mut write: impl FnMut(u64)) {
        write(u64::from(self.free_pages));
        match self.aside {
            None => write(u64::MAX),
            Some(block) => {
                write(u64::from(block.first.0));
                write(u64::from(block.order.0));
            }
        }
        write(self.largest);
        self.table.iter().for_each(|&word| write(word));
        self.filed.iter().for_each(|&filed| write(filed.0.into()));
    }

    /// Whether a page is free.
    pub fn is_free(&self, page: PageIndex) -> bool {
        let is_set = |(index, level): (usize, &Level)| {
            let unit = page.0 >> (u32::from(ORDERS) * index as u32);
            let word = Word {
                level: index,
                index: unit / UNITS,
            };
            unit < level.units && self.word(word) >> (unit % UNITS) & 1 == 1
        };
        let is_aside = self.aside.is_some_and(|block| {
            let into = page.0.wrapping_sub(block.first.0);
            into < block.order.pages().0
        });
        is_aside || self.levels.iter().enumerate().any(is_set)
    }

    /// The free blocks, by address.
    pub fn free_blocks(&self) -> impl Iterator<Item = (PageIndex, Order)> + '_ {
        let mut page = 0;
        let merged = self.merged();
        core::iter::from_fn(move || {
            let (start, order) = self.free_block_from(&merged, page)?;
            page = start.0 + order.pages().0;
            Some((start, order))
        })
    }

    /// The first free block that begins at a page or after it. The page must not be inside one.
    fn free_block_from(&self, merged: &Merged, mut page: u32) -> Option<(PageIndex, Order)> {
        'next: while page < self.pages {
            // The page's run at the highest level that says something about it.
            for index in (0..LEVELS).rev() {
                let shift = u32::from(ORDERS) * index as u32;
                let unit = page >> shift;
                let level = &self.levels[index];
                if page & ((1 << shift) - 1) != 0 || unit >= level.units {
                    continue;
                }
                let word = Word {
                    level: index,
                    index: unit / UNITS,
                };
                let word = self.seen(merged, word);
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
            let word = Word {
                level: 0,
                index: page / UNITS,
            };
            let word = self.seen(merged, word);
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

    fn word(&self, word: Word) -> u64 {
        self.table[(self.levels[word.level].words + word.index) as usize]
    }

    fn word_mut(&mut self, word: Word) -> &mut u64 {
        &mut self.table[(self.levels[word.level].words + word.index) as usize]
    }

    fn filed(&self, word: Word) -> Filed {
        self.filed[(self.levels[word.level].filed + word.index) as usize]
    }

    #[inline]
    fn refile(&mut self, word: Word, old: Filed, new: Filed) {
        if old == new {
            return;
        }
        self.filed[(self.levels[word.level].filed + word.index) as usize] = new;
        if old != Filed::NOT {
            self.unfile(word, old);
        }
        if new != Filed::NOT {
            self.file(word, new);
        }
    }

    fn file(&mut self, word: Word, filed: Filed) {
        let level = &self.levels[word.level];
        let mut layer = level.sets + u32::from(filed.0 - 1) * level.set_length;
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
        self.largest |= 1 << (word.level as u8 * ORDERS + filed.0 - 1);
    }

    fn unfile(&mut self, word: Word, filed: Filed) {
        let level = &self.levels[word.level];
        let mut layer = level.sets + u32::from(filed.0 - 1) * level.set_length;
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
        self.largest &= !(1 << (word.level as u8 * ORDERS + filed.0 - 1));
    }

    /// The first word that is filed there; there must be one.
    #[inline]
    fn first(&self, level: usize, filed: Filed) -> u32 {
        let level = &self.levels[level];
        let mut layer = level.sets + u32::from(filed.0) * level.set_length;
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
        for (level, facts) in self.levels.iter().enumerate() {
            for index in 0..facts.units.div_ceil(UNITS) {
                let largest = largest_block(self.word(Word { level, index }));
                if self.filed[(facts.filed + index) as usize] != largest {
                    return Err("a word is not filed under its largest block");
                }
                for order in 0..ORDERS {
                    let set = facts.sets + u32::from(order) * facts.set_length;
                    let bits = self.table[(set + index / UNITS) as usize];
                    if (bits >> (index % UNITS) & 1 == 1) != (largest.0 == order + 1) {
                        return Err("a word is not in the set of its largest block");
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

/// The largest block in a word that is not full.
#[inline]
fn largest_block(word: u64) -> Filed {
    let pairs = word & word >> 1 & STARTS[1];
    let fours = pairs & pairs >> 2 & STARTS[2];
    let eights = fours & fours >> 4 & STARTS[3];
    let sixteens = eights & eights >> 8 & STARTS[4];
    let halves = sixteens & sixteens >> 16 & STARTS[5];
    let any = |blocks: u64| u8::from(blocks != 0);
    // Without branches: which way they would go is anyone's guess.
    Filed(any(word) + any(pairs) + any(fours) + any(eights) + any(sixteens) + any(halves))
}

/// The block that a free bit is in, of a word that is not full.
#[inline]
fn block_around(word: u64, bit: u32) -> Filed {
    let is_free = |order: u8| {
        let block = run(order) << (bit & !((1 << order) - 1));
        u8::from(word & block == block)
    };
    Filed(1 + is_free(1) + is_free(2) + is_free(3) + is_free(4) + is_free(5))
}

/// A block within a word.
struct Fit {
    /// Where it begins.
    bit: u32,
    /// The largest block of the word without it.
    left: Filed,
}

/// The beginning of the lowest of the smallest blocks of at least this order; there must be
/// one.
#[inline]
fn best_fit(word: u64, order: u8) -> Fit {
    // For each order, where the blocks that are no part of a larger one begin.
    let mut exact = [0; ORDERS as usize];
    let mut present = 0;
    let mut blocks = word;
    for (size, exact) in exact.iter_mut().enumerate() {
        let larger = blocks & blocks >> (1 << size) & STARTS[size + 1];
        *exact = blocks & !(larger | larger << (1 << size));
        present |= u8::from(*exact != 0) << size;
        blocks = larger;
    }
    let found = (present >> order << order).trailing_zeros() as u8 % ORDERS;
    let candidates = exact[usize::from(found)];
    // What is not taken of a larger block is one block of each order in between.
    let halves = (1 << found) - (1 << order);
    let others = u8::from(candidates & candidates.wrapping_sub(1) != 0) << found;
    let left = present & !(1 << found) | halves | others;
    Fit {
        bit: candidates.trailing_zeros(),
        left: Filed((u8::BITS - left.leading_zeros()) as u8),
    }
}
