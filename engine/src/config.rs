//! What is fixed when a system is made.

use crate::error::{Errno, Result};
use crate::units::PageSize;

/// The facts of a system, and where its memory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Bytes of a page: a power of two, at least 16.
    pub page_size: u64,
    /// Pages that mappings are made from; any number up to 2^30.
    pub pages: u32,
    /// `vm.nr_trim_pages` at the start (lines 277-283).
    pub trim: u64,
    /// Whether CONFIG_MMAP_ALLOW_UNINITIALIZED is on (line 141).
    pub uninitialized: bool,
    /// Processes that exist from the start, each with an empty address space of its own.
    pub processes: u16,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            page_size: 4096,
            pages: 64,
            trim: 1,
            uninitialized: false,
            processes: 1,
        }
    }
}

/// Where physical memory lies: the window that pages are allocated from, then a page that
/// belongs to nothing, then what devices and ROM hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Address of the window, aligned to its length rounded up to a power of two.
    pub window_start: u64,
    /// Bytes of the window.
    pub window_length: u64,
    /// Address of the first device memory.
    pub devices_start: u64,
    /// Bytes of device memory.
    pub devices_length: u64,
}

impl Layout {
    /// Bytes from the start of the window to the end of device memory: what a
    /// [`crate::Memory`] must cover.
    pub fn length(&self) -> u64 {
        self.devices_start + self.devices_length - self.window_start
    }
}

impl Config {
    const LOWEST_WINDOW: u64 = 0x4000_0000;
    const MOST_PAGES: u32 = 1 << 30;
    const LARGEST_PAGE: u64 = 1 << 24;

    /// Where memory lies under this configuration.
    ///
    /// # Errors
    ///
    /// `EINVAL` when the size of a page or the number of pages cannot be.
    pub fn layout(&self) -> Result<Layout> {
        let page = PageSize::new(self.page_size).ok_or(Errno::EINVAL)?;
        if self.pages > Self::MOST_PAGES || self.page_size > Self::LARGEST_PAGE {
            return Err(Errno::EINVAL);
        }
        let span = u64::from(self.pages.next_power_of_two()) * self.page_size;
        let window_start = span.max(Self::LOWEST_WINDOW);
        let window_length = u64::from(self.pages) * self.page_size;
        Ok(Layout {
            window_start,
            window_length,
            devices_start: window_start + window_length + self.page_size,
            devices_length: crate::file::builtin::device_pages() * page.bytes(),
        })
    }
}
