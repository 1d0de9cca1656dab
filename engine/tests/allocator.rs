//! Laws of the allocator, against one that looks at every page.

use nommu_engine::{Buddy, Order, PageCount, PageIndex};
use quickcheck::{Gen, QuickCheck};

/// Which pages are taken, and nothing else.
struct Naive(Vec<bool>);

impl Naive {
    fn run_is_free(&self, first: usize, count: usize) -> bool {
        self.0[first..first + count].iter().all(|&taken| !taken)
    }

    /// Whether an aligned run of 2^order pages is free.
    fn has(&self, order: u8) -> bool {
        let count = 1 << order;
        let starts = (0..self.0.len()).step_by(count);
        starts
            .filter(|start| start + count <= self.0.len())
            .any(|start| self.run_is_free(start, count))
    }

    /// The canonical decomposition of the free pages: the largest aligned runs.
    fn blocks(&self) -> Vec<(usize, u8)> {
        let mut blocks = Vec::new();
        let mut page = 0;
        while page < self.0.len() {
            let fits = |&order: &u8| {
                let count = 1 << order;
                page % count == 0 && page + count <= self.0.len() && self.run_is_free(page, count)
            };
            match (0..20).take_while(fits).last() {
                Some(order) => {
                    blocks.push((page, order));
                    page += 1 << order;
                }
                None => page += 1,
            }
        }
        blocks
    }

    fn set(&mut self, first: usize, count: usize, taken: bool) {
        for page in &mut self.0[first..first + count] {
            assert_ne!(*page, taken, "a page is handed out or given back twice");
            *page = taken;
        }
    }
}

#[track_caller]
fn agree(buddy: &Buddy, naive: &Naive) {
    let blocks: Vec<_> = buddy
        .free_blocks()
        .map(|(first, order)| (first.0 as usize, order.0))
        .collect();
    assert_eq!(blocks, naive.blocks(), "free blocks are not coalesced");
    let free = naive.0.iter().filter(|&&taken| !taken).count();
    assert_eq!(buddy.free_pages().0 as usize, free);
    for (page, &taken) in naive.0.iter().enumerate() {
        assert_eq!(buddy.is_free(PageIndex(page as u32)), !taken);
    }
}

fn law(pages: u32, steps: &[(u8, u8, u8)]) {
    let mut buddy = Buddy::new(PageCount(pages)).unwrap();
    let mut naive = Naive(vec![false; pages as usize]);
    let mut live: Vec<(usize, usize)> = Vec::new();
    agree(&buddy, &naive);
    for &(kind, which, size) in steps {
        if kind % 5 < 3 || live.is_empty() {
            let order = size % 9;
            match buddy.allocate(Order(order)) {
                None => assert!(!naive.has(order), "a run of order {order} was there"),
                Some(first) => {
                    let (first, count) = (first.0 as usize, 1 << order);
                    assert_eq!(first % count, 0, "a block is not aligned to its size");
                    naive.set(first, count, true);
                    live.push((first, count));
                }
            }
        } else {
            // All of it, or its end, or its beginning.
            let index = usize::from(which) % live.len();
            let (first, count) = live.swap_remove(index);
            let cut = usize::from(size) % count;
            let (given, kept) = match kind % 5 {
                3 if cut > 0 => ((first + cut, count - cut), Some((first, cut))),
                4 if cut > 0 => ((first, cut), Some((first + cut, count - cut))),
                _ => ((first, count), None),
            };
            buddy.free(PageIndex(given.0 as u32), PageCount(given.1 as u32));
            naive.set(given.0, given.1, false);
            live.extend(kept);
        }
        agree(&buddy, &naive);
    }
    for (first, count) in live {
        buddy.free(PageIndex(first as u32), PageCount(count as u32));
    }
    let whole = Naive(vec![false; pages as usize]);
    agree(&buddy, &whole);
}

#[test]
fn no_overlap_conservation_alignment_coalescing() {
    fn of_any_window(pages: u16, steps: Vec<(u8, u8, u8)>) {
        law(u32::from(pages % 700), &steps);
    }
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(100, 0))
        .quickcheck(of_any_window as fn(u16, Vec<(u8, u8, u8)>));
}

#[test]
fn windows_of_any_size() {
    let mut random = 7u32;
    for pages in [0, 1, 2, 3, 31, 63, 64, 65, 100, 127, 128, 4095, 4096, 4097] {
        let steps: Vec<_> = (0..300)
            .map(|_| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let [_, kind, which, size] = random.to_le_bytes();
                (kind, which, size)
            })
            .collect();
        law(pages, &steps);
    }
}

#[test]
fn the_whole_window_is_one_block() {
    for order in 0..=20 {
        let pages = Order(order).pages();
        let mut buddy = Buddy::new(pages).unwrap();
        assert_eq!(buddy.allocate(Order(order)), Some(PageIndex(0)));
        assert_eq!(buddy.allocate(Order(0)), None);
        buddy.free(PageIndex(0), pages);
        let blocks: Vec<_> = buddy.free_blocks().collect();
        assert_eq!(blocks, [(PageIndex(0), Order(order))]);
    }
}

#[test]
fn orders_beyond_any_window() {
    let mut buddy = Buddy::new(PageCount(64)).unwrap();
    for order in 7..=255 {
        assert_eq!(buddy.allocate(Order(order)), None);
    }
}
