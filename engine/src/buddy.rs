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
//! its six orders are its aligned runs of set bits. The words of a level are listed by their
//! largest block, so the search for a block never looks at a word that cannot serve it.
//!
//! The block that was freed last is the likeliest to be wanted next, and to be in a cache: it
//! is put aside for the next allocation of its order. Whoever looks at the free blocks sees it
//! merged, and an allocation of another order merges it first, so that nothing fails for its
//! sake.
//!
//! Nothing is kept in the pages themselves.

use crate::copy::clone_in_place;
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
#[derive(Debug, PartialEq, Eq)]
pub struct Buddy {
    pages: u32,
    free_pages: u32,
    /// The run freed last, if it was a block and was not taken or merged since.
    aside: Option<Block>,
    /// Which lists have words, by [`List::number`].
    listed: u64,
    levels: [Level; LEVELS],
    /// The ends of all lists, by [`List::number`]; then the words of all levels.
    words: Vec<Word>,
}

clone_in_place!(Buddy {
    pages,
    free_pages,
    aside,
    listed,
    levels,
    words,
});

/// An aligned run of 2^order pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Block {
    first: PageIndex,
    order: Order,
}

/// Where a level's words are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Level {
    /// How many bits it has.
    units: u32,
    /// Its first word.
    first: u32,
}

/// 64 bits of a level. The words of a list are a ring, which its end closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    bits: u64,
    next: u32,
    previous: u32,
    largest: Largest,
}

/// The largest block in a word: its order, plus one; 0 when there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Largest(u8);

impl Largest {
    const NONE: Largest = Largest(0);
    const HALF: Largest = Largest(ORDERS);
}

/// The words of a level that have the same largest block.
#[derive(Clone, Copy)]
struct List {
    level: usize,
    largest: Largest,
}

impl List {
    /// How many numbers there are.
    const COUNT: u32 = 8 * LEVELS as u32;
    /// Numbers of the lists of words that have a block.
    const WITH_BLOCKS: u64 = u64::MAX / 0xff * 0xfe;

    /// In the order of what its words can serve.
    fn number(self) -> u32 {
        8 * self.level as u32 + u32::from(self.largest.0)
    }
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
        let mut length = List::COUNT;
        for (index, level) in levels.iter_mut().enumerate() {
            level.units = pages.0 >> (u32::from(ORDERS) * index as u32);
            level.first = length;
            length += level.units.div_ceil(UNITS);
        }
        let mut words = Vec::new();
        words
            .try_reserve_exact(length as usize)
            .map_err(|_| Errno::ENOMEM)?;
        words.extend((0..length).map(|number| Word {
            bits: 0,
            next: number,
            previous: number,
            largest: Largest::NONE,
        }));
        let mut buddy = Self {
            pages: pages.0,
            free_pages: pages.0,
            aside: None,
            listed: 0,
            levels,
            words,
        };
        for level in 0..LEVELS {
            for unit in (0..buddy.levels[level].units).step_by(UNITS as usize) {
                let word = buddy.place(level, unit);
                buddy.enlist(level, word, Largest::NONE);
            }
        }
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
    /// put aside, or else of the words whose largest block is the least that serves, the one
    /// listed last gives its smallest that serves, the lowest of these.
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
        let target = usize::from(order.0 / ORDERS);
        if target >= LEVELS {
            return None;
        }
        let within = order.0 % ORDERS;
        let least = List {
            level: target,
            largest: Largest(within + 1),
        };
        let serving = self.listed & List::WITH_BLOCKS & (FULL << least.number());
        if serving == 0 {
            return None;
        }
        let list = serving.trailing_zeros();
        let mut level = list as usize / 8;
        let word = self.words[list as usize].next;
        let taken = if level == target { within } else { 0 };
        let Fit { bit, left } = best_fit(self.words[word as usize].bits, taken);
        self.words[word as usize].bits &= !(run(taken) << bit);
        self.relist(level, word, left);
        let mut unit = (word - self.levels[level].first) * UNITS + bit;
        // What was one free run of the level above is taken apart: the first of its blocks
        // goes down, the rest stays. It always leaves the upper half.
        while level > target {
            level -= 1;
            unit *= UNITS;
            let taken = if level == target { within } else { 0 };
            let word = self.place(level, unit);
            self.words[word as usize].bits = !run(taken);
            self.relist(level, word, Largest::HALF);
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
                self.merge_bits(level, first_word * UNITS, from & to);
                return;
            }
            if from != FULL {
                self.merge_bits(level, first_word * UNITS, from);
                first = (first_word + 1) * UNITS;
            }
            if to != FULL {
                self.merge_bits(level, last_word * UNITS, to);
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
        let bits = run(block.order.0 % ORDERS) << bit;
        let place = self.place(level, unit);
        let word = &mut self.words[place as usize];
        let new = word.bits | bits;
        if new == FULL {
            self.merge_bits(level, unit, bits);
            return;
        }
        // The largest block is the one it was, or the one that this is now a part of.
        word.bits = new;
        let largest = word.largest.max(block_around(new, bit));
        self.relist(level, place, largest);
    }

    /// Sets bits of the word that a unit is in.
    fn merge_bits(&mut self, mut level: usize, mut unit: u32, mut bits: u64) {
        loop {
            let place = self.place(level, unit);
            let word = &mut self.words[place as usize];
            word.bits |= bits;
            if word.bits != FULL {
                let largest = largest_block(word.bits);
                self.relist(level, place, largest);
                return;
            }
            // A word that can be full is a unit of the next level.
            word.bits = 0;
            self.relist(level, place, Largest::NONE);
            level += 1;
            unit /= UNITS;
            bits = 1 << (unit % UNITS);
        }
    }

    /// The word that a unit is in.
    fn place(&self, level: usize, unit: u32) -> u32 {
        self.levels[level].first + unit / UNITS
    }

    /// Moves a word to the list of what is now its largest block.
    #[inline]
    fn relist(&mut self, level: usize, word: u32, largest: Largest) {
        let Word {
            next,
            previous,
            largest: old,
            ..
        } = self.words[word as usize];
        if old == largest {
            return;
        }
        // Without branches: whether a list has other words is anyone's guess.
        self.words[previous as usize].next = next;
        self.words[next as usize].previous = previous;
        let old = List {
            level,
            largest: old,
        };
        self.listed &= !(u64::from(next == previous) << old.number());
        self.enlist(level, word, largest);
    }

    #[inline]
    fn enlist(&mut self, level: usize, word: u32, largest: Largest) {
        let list = List { level, largest }.number();
        let next = self.words[list as usize].next;
        self.words[list as usize].next = word;
        self.words[next as usize].previous = word;
        let word = &mut self.words[word as usize];
        word.next = next;
        word.previous = list;
        word.largest = largest;
        self.listed |= 1 << list;
    }

    /// What the words would be if the block put aside were merged.
    fn merged(&self) -> Merged {
        let mut words = [None; LEVELS];
        let Some(Block { first, order }) = self.aside else {
            return Merged(words);
        };
        let lowest = usize::from(order.0 / ORDERS);
        let mut unit = first.0 >> (u32::from(ORDERS) * lowest as u32);
        let mut bits = run(order.0 % ORDERS);
        for (level, seen) in words.iter_mut().enumerate().skip(lowest) {
            let place = self.place(level, unit);
            let new = self.words[place as usize].bits | bits << (unit % UNITS);
            if new != FULL {
                *seen = Some((place, new));
                break;
            }
            *seen = Some((place, 0));
            unit /= UNITS;
            bits = 1;
        }
        Merged(words)
    }

    /// The bits around a unit, as anyone but the allocator itself sees them.
    fn seen(&self, merged: &Merged, level: usize, unit: u32) -> u64 {
        let place = self.place(level, unit);
        match merged.0[level] {
            Some((merged, bits)) if merged == place => bits,
            _ => self.words[place as usize].bits,
        }
    }

    /// Which pages are free, and how they are listed.
    pub fn write_state(&self, mut write: impl FnMut(u64)) {
        write(u64::from(self.free_pages));
        match self.aside {
            None => write(u64::MAX),
            Some(block) => {
                write(u64::from(block.first.0));
                write(u64::from(block.order.0));
            }
        }
        write(self.listed);
        let (ends, words) = self.words.split_at(List::COUNT as usize);
        // Most lists are empty; which are not is said, and then only these are written.
        let is_used = |&(number, word): &(u32, &Word)| {
            let empty = Word {
                bits: 0,
                next: number,
                previous: number,
                largest: Largest::NONE,
            };
            *word != empty
        };
        let used = || (0..).zip(ends).filter(is_used);
        write(used().fold(0, |all, (number, _)| all | 1 << number));
        for word in used().map(|(_, word)| word).chain(words) {
            write(word.bits);
            write(u64::from(word.next) << 32 | u64::from(word.previous));
            write(word.largest.0.into());
        }
    }

    /// Whether a page is free.
    pub fn is_free(&self, page: PageIndex) -> bool {
        let is_set = |(index, level): (usize, &Level)| {
            let unit = page.0 >> (u32::from(ORDERS) * index as u32);
            unit < level.units
                && self.words[self.place(index, unit) as usize].bits >> (unit % UNITS) & 1 == 1
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
        while page < self.pages {
            // The page's run at the highest level that says something about it.
            let highest = (page.trailing_zeros() / u32::from(ORDERS)).min(LEVELS as u32 - 1);
            for index in (0..=highest as usize).rev() {
                let unit = page >> (u32::from(ORDERS) * index as u32);
                if unit >= self.levels[index].units {
                    continue;
                }
                let word = self.seen(merged, index, unit);
                let bit = unit % UNITS;
                let units = (word >> bit).trailing_ones();
                if units == 0 {
                    continue;
                }
                // The largest aligned run of set bits that begins here.
                let order = units.ilog2().min(bit.trailing_zeros()) as u8;
                return Some((PageIndex(page), Order(order + ORDERS * index as u8)));
            }
            // Taken, or the beginning of something taken: on to the next set bit of its word.
            let word = self.seen(merged, 0, page);
            let rest = word & (FULL << (page % UNITS));
            page = page / UNITS * UNITS;
            if rest == 0 {
                page += UNITS;
            } else {
                page += rest.trailing_zeros();
            }
        }
        None
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
            for unit in (0..facts.units).step_by(UNITS as usize) {
                let word = &self.words[self.place(level, unit) as usize];
                if word.largest != largest_block(word.bits) {
                    return Err("a word is not listed under its largest block");
                }
            }
            for largest in (0..=ORDERS).map(Largest) {
                let list = List { level, largest }.number();
                let mut word = self.words[list as usize].next;
                if (word != list) != (self.listed >> list & 1 == 1) {
                    return Err("a list of words is not known to have words, or to have none");
                }
                while word != list {
                    let Word {
                        next,
                        largest: listed,
                        ..
                    } = self.words[word as usize];
                    if listed != largest || self.words[next as usize].previous != word {
                        return Err("a list of words is broken");
                    }
                    word = next;
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
fn largest_block(word: u64) -> Largest {
    let pairs = word & word >> 1 & STARTS[1];
    let fours = pairs & pairs >> 2 & STARTS[2];
    let eights = fours & fours >> 4 & STARTS[3];
    let sixteens = eights & eights >> 8 & STARTS[4];
    let halves = sixteens & sixteens >> 16 & STARTS[5];
    let any = |blocks: u64| u8::from(blocks != 0);
    // Without branches: which way they would go is anyone's guess.
    Largest(any(word) + any(pairs) + any(fours) + any(eights) + any(sixteens) + any(halves))
}

/// The block that a free bit is in, of a word that is not full.
#[inline]
fn block_around(word: u64, bit: u32) -> Largest {
    let is_free = |order: u8| {
        let block = run(order) << (bit & !((1 << order) - 1));
        u8::from(word & block == block)
    };
    Largest(1 + is_free(1) + is_free(2) + is_free(3) + is_free(4) + is_free(5))
}

/// A block within a word.
struct Fit {
    /// Where it begins.
    bit: u32,
    /// The largest block of the word without it.
    left: Largest,
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
        left: Largest((u8::BITS - left.leading_zeros()) as u8),
    }
}
