//! Allocating and freeing pages, beside the two allocators of `buddy_system_allocator`.
//!
//! All three manage 2^20 pages and do the same steps. `Heap` keeps its lists inside the pages;
//! here they are 64 bytes, so that the three fit in memory.

mod measure;
mod random;

use buddy_system_allocator::{FrameAllocator, Heap};
use measure::{ROUNDS, nanoseconds};
use nommu_engine::{Buddy, Order, PageCount, PageIndex};
use random::Random;
use std::alloc::Layout;
use std::ptr::NonNull;

const PAGES: u32 = 1 << 20;
const PAGE: usize = 64;

/// What the three have in common.
trait Allocator {
    const NAME: &'static str;
    fn new() -> Self;
    fn allocate(&mut self, order: u8) -> u32;
    fn free(&mut self, page: u32, order: u8);
}

impl Allocator for Buddy {
    const NAME: &'static str = "nommu-engine";

    fn new() -> Self {
        Buddy::new(PageCount(PAGES)).unwrap()
    }

    fn allocate(&mut self, order: u8) -> u32 {
        Buddy::allocate(self, Order(order)).unwrap().0
    }

    fn free(&mut self, page: u32, order: u8) {
        Buddy::free(self, PageIndex(page), Order(order).pages());
    }
}

impl Allocator for FrameAllocator<33> {
    const NAME: &'static str = "FrameAllocator";

    fn new() -> Self {
        let mut allocator = FrameAllocator::new();
        allocator.add_frame(0, PAGES as usize);
        allocator
    }

    fn allocate(&mut self, order: u8) -> u32 {
        self.alloc(1 << order).unwrap() as u32
    }

    fn free(&mut self, page: u32, order: u8) {
        self.dealloc(page as usize, 1 << order);
    }
}

/// The heap, and the memory that it manages.
struct OwnedHeap {
    heap: Heap<33>,
    start: *mut u8,
}

impl OwnedHeap {
    const MEMORY: Layout = match Layout::from_size_align(PAGES as usize * PAGE, 1 << 26) {
        Ok(layout) => layout,
        Err(_) => panic!("no such layout"),
    };

    fn layout(order: u8) -> Layout {
        Layout::from_size_align(PAGE << order, PAGE << order).unwrap()
    }
}

impl Drop for OwnedHeap {
    fn drop(&mut self) {
        // SAFETY: it was allocated with this layout, and the heap goes with it.
        unsafe { std::alloc::dealloc(self.start, Self::MEMORY) }
    }
}

impl Allocator for OwnedHeap {
    const NAME: &'static str = "Heap";

    fn new() -> Self {
        // SAFETY: the layout has a size; the memory is the heap's alone until it is dropped.
        unsafe {
            let start = std::alloc::alloc_zeroed(Self::MEMORY);
            assert!(!start.is_null());
            let mut heap = Heap::new();
            heap.init(start as usize, Self::MEMORY.size());
            Self { heap, start }
        }
    }

    fn allocate(&mut self, order: u8) -> u32 {
        let block = self.heap.alloc(Self::layout(order)).unwrap();
        ((block.as_ptr() as usize - self.start as usize) / PAGE) as u32
    }

    fn free(&mut self, page: u32, order: u8) {
        // SAFETY: callers free what they allocated, with the same order.
        unsafe {
            let block = NonNull::new_unchecked(self.start.add(page as usize * PAGE));
            self.heap.dealloc(block, Self::layout(order));
        }
    }
}

/// One page, allocated and freed, while so many single pages are allocated.
fn one_page<A: Allocator>(live: u64) -> f64 {
    const STEPS: u64 = 10_000;
    let mut allocator = A::new();
    for _ in 0..live {
        allocator.allocate(0);
    }
    nanoseconds(STEPS, || {
        for _ in 0..STEPS {
            let page = allocator.allocate(std::hint::black_box(0));
            allocator.free(std::hint::black_box(page), 0);
        }
    })
}

/// What is done to a number of live blocks: which of them goes, and the order of what comes.
/// Nothing is done twice, or the processor would learn it by heart.
fn replacements(live: u64, orders: u64, steps: u64) -> Vec<(usize, u8)> {
    let mut random = Random::new();
    (0..steps * (ROUNDS as u64 + 1))
        .map(|_| (random.below(live) as usize, random.below(orders) as u8))
        .collect()
}

fn live_blocks<A: Allocator>(allocator: &mut A, live: u64, orders: u64) -> Vec<(u32, u8)> {
    let mut random = Random::new();
    (0..live)
        .map(|_| {
            let order = random.below(orders) as u8;
            (allocator.allocate(order), order)
        })
        .collect()
}

/// One block freed and another allocated, at random, so many of them live at any time.
fn replacing<A: Allocator>(live: u64, orders: u64, steps: u64) -> f64 {
    let mut allocator = A::new();
    let mut blocks = live_blocks(&mut allocator, live, orders);
    let replacements = replacements(live, orders, steps);
    let mut rounds = replacements.chunks(steps as usize);
    nanoseconds(steps, || {
        for &(index, order) in rounds.next().unwrap() {
            let (page, old) = blocks[index];
            allocator.free(page, old);
            blocks[index] = (allocator.allocate(order), order);
        }
    })
}

/// A sixteenth of the blocks freed, at random, then as many allocated.
fn in_batches<A: Allocator>(live: u64, orders: u64) -> f64 {
    let mut allocator = A::new();
    let mut blocks = live_blocks(&mut allocator, live, orders);
    let batch = live / 16;
    let replacements = replacements(live, orders, batch);
    let mut rounds = replacements.chunks(batch as usize);
    nanoseconds(batch, || {
        let batch = rounds.next().unwrap();
        let from = blocks.len() - batch.len();
        for (count, &(index, _)) in batch.iter().enumerate() {
            let last = blocks.len() - 1 - count;
            blocks.swap(index % (last + 1), last);
            let (page, old) = blocks[last];
            allocator.free(page, old);
        }
        for (place, &(_, order)) in blocks[from..].iter_mut().zip(batch) {
            *place = (allocator.allocate(order), order);
        }
    })
}

fn row(name: &str, ours: f64, frame: f64, heap: f64) {
    let ratio = frame.min(heap) / ours;
    println!("{name:<42} {ours:>12.1} {heap:>12.1} {frame:>14.1} {ratio:>11.1}x");
}

fn main() {
    println!(
        "nanoseconds per step, 2^20 pages; the last column is the better of the two others over ours"
    );
    println!(
        "{:<42} {:>12} {:>12} {:>14} {:>12}",
        "",
        Buddy::NAME,
        OwnedHeap::NAME,
        FrameAllocator::NAME,
        "ratio"
    );
    for live in [0, 100, 10_000, 1_000_000] {
        row(
            &format!("one page, {live} others live"),
            one_page::<Buddy>(live),
            one_page::<FrameAllocator<33>>(live),
            one_page::<OwnedHeap>(live),
        );
    }
    for (live, orders) in [(100, 1), (10_000, 1), (900_000, 1), (100, 4), (100_000, 4)] {
        const STEPS: u64 = 5_000;
        row(
            &format!("{}, replaced, {live} live", sizes(orders)),
            replacing::<Buddy>(live, orders, STEPS),
            replacing::<FrameAllocator<33>>(live, orders, STEPS),
            replacing::<OwnedHeap>(live, orders, STEPS),
        );
    }
    for (live, orders) in [(1_600, 1), (100_000, 1), (1_600, 4), (100_000, 4)] {
        row(
            &format!("{}, in batches, {live} live", sizes(orders)),
            in_batches::<Buddy>(live, orders),
            in_batches::<FrameAllocator<33>>(live, orders),
            in_batches::<OwnedHeap>(live, orders),
        );
    }
}

fn sizes(orders: u64) -> &'static str {
    match orders {
        1 => "churn of 1 page",
        _ => "churn of 1 to 8 pages",
    }
}
