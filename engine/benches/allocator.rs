//! Allocating and freeing pages, beside the two allocators of `buddy_system_allocator`.
//!
//! All three manage 2^20 pages and do the same steps. `Heap` keeps its lists inside the pages;
//! here they are 64 bytes, so that the three fit in memory.

mod measure;

use buddy_system_allocator::{FrameAllocator, Heap};
use measure::{Random, nanoseconds};
use nommu_engine::{Buddy, Order, PageCount, PageIndex};
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
    const STEPS: u64 = 100_000;
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

/// Blocks of random sizes replaced by blocks of others, so many of them at any time.
fn churn<A: Allocator>(live: u64, orders: u64, steps: u64) -> f64 {
    let mut allocator = A::new();
    let mut random = Random::new();
    let mut blocks: Vec<(u32, u8)> = (0..live)
        .map(|_| {
            let order = random.below(orders) as u8;
            (allocator.allocate(order), order)
        })
        .collect();
    nanoseconds(steps, || {
        for _ in 0..steps {
            let index = random.below(live) as usize;
            let (page, order) = blocks[index];
            allocator.free(page, order);
            let order = random.below(orders) as u8;
            blocks[index] = (allocator.allocate(order), order);
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
    for (live, orders) in [
        (100, 1),
        (10_000, 1),
        (900_000, 1),
        (100, 4),
        (10_000, 4),
        (100_000, 4),
    ] {
        // Heap walks its free lists: it gets fewer steps, or it would take hours.
        let name = match orders {
            1 => format!("churn of one page, {live} live"),
            _ => format!("churn of 1 to 8 pages, {live} live"),
        };
        row(
            &name,
            churn::<Buddy>(live, orders, 100_000),
            churn::<FrameAllocator<33>>(live, orders, 100_000),
            churn::<OwnedHeap>(live, orders, if live > 1000 { 1_000 } else { 100_000 }),
        );
    }
}
