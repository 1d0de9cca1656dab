//! Physical memory that knows which of its pages were written.

use nommu_engine::{Layout, Memory};

/// What a free page holds before anything was put there: not zero, so that memory that
/// should have been cleared and was not is seen at once.
pub const UNCLEARED: u8 = 0xd5;

/// Memory of a system, with the pages that were written since they were last asked for.
#[derive(Debug)]
pub struct TrackedMemory {
    start: u64,
    page_shift: u32,
    bytes: Vec<u8>,
    /// Since [`TrackedMemory::take_touched`].
    touched: PageSet,
    /// Since [`TrackedMemory::restore`].
    dirty: PageSet,
}

/// Memory is what it holds; what was written lately is no part of it.
impl PartialEq for TrackedMemory {
    fn eq(&self, other: &Self) -> bool {
        self.start == other.start
            && self.page_shift == other.page_shift
            && self.bytes == other.bytes
    }
}

impl Eq for TrackedMemory {}

impl Clone for TrackedMemory {
    fn clone(&self) -> Self {
        let Self {
            start,
            page_shift,
            bytes,
            touched,
            dirty,
        } = self;
        Self {
            start: *start,
            page_shift: *page_shift,
            bytes: bytes.clone(),
            touched: touched.clone(),
            dirty: dirty.clone(),
        }
    }

    /// Asks for no memory where there is as much already.
    fn clone_from(&mut self, source: &Self) {
        let Self {
            start,
            page_shift,
            bytes,
            touched,
            dirty,
        } = self;
        *start = source.start;
        *page_shift = source.page_shift;
        bytes.clone_from(&source.bytes);
        touched.clone_from(&source.touched);
        dirty.clone_from(&source.dirty);
    }
}

impl TrackedMemory {
    /// Memory that covers a layout. The window holds [`UNCLEARED`].
    pub fn new(layout: &Layout, page_size: u64) -> Self {
        let length = layout.length() as usize;
        let mut bytes = vec![0; length];
        bytes[..layout.window_length as usize].fill(UNCLEARED);
        let pages = length / page_size as usize;
        Self {
            start: layout.window_start,
            page_shift: page_size.trailing_zeros(),
            bytes,
            touched: PageSet::new(pages),
            dirty: PageSet::new(pages),
        }
    }

    /// Memory that must not be used, to stand in for one that is elsewhere.
    pub fn absent() -> Self {
        Self {
            start: 0,
            page_shift: 0,
            bytes: Vec::new(),
            touched: PageSet::default(),
            dirty: PageSet::default(),
        }
    }

    /// Makes it what it was when its devices held `devices`, which is what lies behind the
    /// window.
    pub fn restore(&mut self, window_length: usize, devices: &[u8]) {
        let size = 1usize << self.page_shift;
        let bytes = &mut self.bytes;
        let behind = bytes.len() - devices.len();
        self.dirty.drain(|page| {
            let from = page << size.trailing_zeros();
            let page = &mut bytes[from..from + size];
            if from < window_length {
                page.fill(UNCLEARED);
            } else if from >= behind {
                page.copy_from_slice(&devices[from - behind..from - behind + size]);
            } else {
                page.fill(0);
            }
        });
        self.touched.drain(|_| ());
    }

    /// Takes what it holds for what it held at the start.
    pub fn settle(&mut self) {
        self.forget_touched();
        self.dirty.drain(|_| ());
    }

    /// Forgets which pages were written since that was last asked.
    pub fn forget_touched(&mut self) {
        self.touched.drain(|_| ());
    }

    /// The bytes from an offset on.
    pub fn tail(&self, offset: usize) -> &[u8] {
        &self.bytes[offset..]
    }

    /// Moves the addresses of pages that were written since the last time to `pages`.
    pub fn take_touched(&mut self, pages: &mut Vec<u64>) {
        pages.clear();
        let (start, shift) = (self.start, self.page_shift);
        self.touched
            .drain(|page| pages.push(start + ((page as u64) << shift)));
    }

    /// Copies memory out, if there is memory.
    pub fn show(&self, address: u64, bytes: &mut [u8]) -> bool {
        let range = address
            .checked_sub(self.start)
            .and_then(|from| usize::try_from(from).ok())
            .and_then(|from| self.bytes.get(from..from.checked_add(bytes.len())?));
        match range {
            Some(range) => bytes.copy_from_slice(range),
            None => return false,
        }
        true
    }

    fn index(&self, address: u64) -> usize {
        address.wrapping_sub(self.start) as usize
    }

    /// Where a run begins, after noting that it is written.
    fn write_at(&mut self, address: u64, length: u64) -> usize {
        let from = self.index(address);
        if length > 0 {
            let first = from >> self.page_shift;
            let last = (from + length as usize - 1) >> self.page_shift;
            for page in first..=last {
                self.touched.insert(page);
                self.dirty.insert(page);
            }
        }
        from
    }
}

impl Memory for TrackedMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) {
        let from = self.index(address);
        bytes.copy_from_slice(&self.bytes[from..from + bytes.len()]);
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        let from = self.write_at(address, bytes.len() as u64);
        self.bytes[from..from + bytes.len()].copy_from_slice(bytes);
    }

    fn fill(&mut self, address: u64, length: u64, byte: u8) {
        let from = self.write_at(address, length);
        self.bytes[from..from + length as usize].fill(byte);
    }

    fn copy(&mut self, from: u64, to: u64, length: u64) {
        let to = self.write_at(to, length);
        let from = self.index(from);
        self.bytes.copy_within(from..from + length as usize, to);
    }
}

/// A set of pages that is emptied by visiting what is in it.
#[derive(Debug, Default)]
struct PageSet {
    bits: Vec<u64>,
    /// Words of `bits` that are not 0.
    words: Vec<u32>,
}

impl Clone for PageSet {
    fn clone(&self) -> Self {
        Self {
            bits: self.bits.clone(),
            words: self.words.clone(),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.bits.clone_from(&source.bits);
        self.words.clone_from(&source.words);
    }
}

impl PageSet {
    fn new(pages: usize) -> Self {
        Self {
            bits: vec![0; pages.div_ceil(64)],
            words: Vec::new(),
        }
    }

    fn insert(&mut self, page: usize) {
        let word = &mut self.bits[page / 64];
        if *word == 0 {
            self.words.push((page / 64) as u32);
        }
        *word |= 1 << (page % 64);
    }

    fn drain(&mut self, mut visit: impl FnMut(usize)) {
        for index in self.words.drain(..) {
            let word = &mut self.bits[index as usize];
            while *word != 0 {
                visit(index as usize * 64 + word.trailing_zeros() as usize);
                *word &= *word - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nommu_engine::Config;

    fn memory() -> (TrackedMemory, Layout) {
        let config = Config {
            page_size: 16,
            pages: 4,
            ..Config::default()
        };
        let layout = config.layout().expect("a sound configuration");
        (TrackedMemory::new(&layout, 16), layout)
    }

    #[test]
    fn tells_each_written_page_once() {
        let (mut memory, layout) = memory();
        let start = layout.window_start;
        memory.fill(start + 15, 2, 7);
        memory.write(start + 17, b"x");
        memory.copy(start, start + 48, 16);
        let mut pages = Vec::new();
        memory.take_touched(&mut pages);
        assert_eq!(pages, [start, start + 16, start + 48]);
        memory.take_touched(&mut pages);
        assert!(pages.is_empty());
    }

    #[test]
    fn is_restored_as_it_was() {
        let (mut memory, layout) = memory();
        memory.fill(layout.devices_start, 16, 9);
        memory.settle();
        let window = layout.window_length as usize;
        let devices = memory
            .tail((layout.devices_start - layout.window_start) as usize)
            .to_vec();
        let before = memory.bytes.clone();
        memory.fill(layout.window_start, 64, 1);
        memory.fill(layout.devices_start + 8, 16, 2);
        memory.restore(window, &devices);
        assert_eq!(memory.bytes, before);
    }
}
