//! What a system is before the first operation.

use crate::op::Process;

/// The fixed facts of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a page; a power of two, at least 16.
    pub page_size: u64,
    /// The memory that mappings are made from, where it is known; none for a machine whose
    /// free memory cannot be seen. Without it, whether ENOMEM was due is not decidable.
    pub window: Option<Window>,
    /// `vm.nr_trim_pages` in pages: 0 never trims, n trims an excess of at least n
    /// (lines 277-283).
    pub trim: u64,
    /// Whether CONFIG_MMAP_ALLOW_UNINITIALIZED is on (line 141).
    pub uninitialized: bool,
    /// Processes that exist from the start, each with an address space of its own.
    pub processes: u16,
    /// Which deviations are accepted besides the documented behaviour, by their ids, sorted.
    pub deviations: Vec<String>,
}

/// A run of pages of which every one has one known owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Address of the first byte, aligned to the window's length rounded up to a power of two
    /// of pages.
    pub start: u64,
    /// How many pages.
    pub pages: u64,
}

impl Config {
    /// Whether a deviation is accepted.
    pub fn deviates(&self, id: &str) -> bool {
        self.deviations
            .binary_search_by(|known| known.as_str().cmp(id))
            .is_ok()
    }

    /// Pages that hold so many bytes; none where rounding up to a page passes 2^64.
    pub fn pages(&self, length: u64) -> Option<u64> {
        Some(length.checked_add(self.page_size - 1)? / self.page_size)
    }

    /// The process that exists first.
    pub const FIRST: Process = Process(0);
}
