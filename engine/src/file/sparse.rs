//! Bytes of a file that is not in the window: what was never written takes no room.

use crate::copy::clone_in_place;
use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// Pages that were written, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sparse {
    /// Which pages of the file there are.
    pages: Vec<u64>,
    /// Their bytes, in the same order.
    bytes: Vec<u8>,
}

clone_in_place!(Sparse { pages, bytes });

impl Sparse {
    /// The pages that were written, in order.
    pub fn pages(&self) -> &[u64] {
        &self.pages
    }

    /// The bytes of those pages.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of a page, if it was ever written.
    pub fn page(&self, page: u64, size: usize) -> Option<&[u8]> {
        let index = self.pages.binary_search(&page).ok()?;
        self.bytes.get(index * size..(index + 1) * size)
    }

    pub fn page_mut(&mut self, page: u64, size: usize) -> Option<&mut [u8]> {
        let index = self.pages.binary_search(&page).ok()?;
        self.bytes.get_mut(index * size..(index + 1) * size)
    }

    /// Makes pages, zeroed, where there are none.
    pub fn make(&mut self, first: u64, after: u64, size: usize) -> Result<()> {
        let is_missing = |page: &u64| self.pages.binary_search(page).is_err();
        let missing = (first..after).filter(is_missing).count();
        let bytes = missing.checked_mul(size).ok_or(Errno::ENOMEM)?;
        self.pages.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
        self.bytes.try_reserve(bytes).map_err(|_| Errno::ENOMEM)?;
        for page in first..after {
            if let Err(index) = self.pages.binary_search(&page) {
                self.pages.insert(index, page);
                let old = self.bytes.len();
                self.bytes.resize(old + size, 0);
                self.bytes
                    .copy_within(index * size..old, (index + 1) * size);
                self.bytes[index * size..(index + 1) * size].fill(0);
            }
        }
        Ok(())
    }

    /// Forgets what lies beyond so many bytes.
    pub fn truncate(&mut self, length: u64, size: usize) {
        let holding = length.div_ceil(size as u64);
        let kept = self.pages.partition_point(|&page| page < holding);
        self.pages.truncate(kept);
        self.bytes.truncate(kept * size);
        let within = (length % size as u64) as usize;
        if within != 0
            && let Some(page) = self.page_mut(holding - 1, size)
        {
            page[within..].fill(0);
        }
    }
}
