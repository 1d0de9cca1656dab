//! Pages of a memory-backed file.

use crate::error::{Errno, Result};
use crate::units::{PageCount, PageIndex};
use alloc::vec::Vec;

/// Which page of the window holds which page of the file, as runs: contiguous in both, as long
/// as can be, in order. So a part of the file is contiguous in memory exactly when one run
/// covers it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Runs(Vec<Run>);

impl Clone for Runs {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

/// A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// Its first page, counted in the file.
    pub first: u64,
    /// Where that is.
    pub page: PageIndex,
    pub count: u32,
}

impl Run {
    fn after(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

impl Runs {
    pub fn iter(&self) -> core::slice::Iter<'_, Run> {
        self.0.iter()
    }

    /// Makes sure that so many insertions cannot fail.
    pub fn reserve(&mut self, count: usize) -> Result<()> {
        self.0.try_reserve(count).map_err(|_| Errno::ENOMEM)
    }

    /// The run that a page of the file is in, or else the next one.
    pub fn at_or_after(&self, page: u64) -> Option<&Run> {
        self.0.get(self.runs_before(page))
    }

    /// How many runs end before a page of the file.
    fn runs_before(&self, page: u64) -> usize {
        self.0.partition_point(|run| run.after() <= page)
    }

    /// Where these pages of the file are, if they are contiguous.
    pub fn contiguous(&self, first: u64, after: u64) -> Option<PageIndex> {
        let run = self.at_or_after(first)?;
        (run.first <= first && after <= run.after())
            .then(|| PageIndex(run.page.0 + (first - run.first) as u32))
    }

    /// Where a page of the file is.
    pub fn page(&self, page: u64) -> Option<PageIndex> {
        // A run that begins no later and is not over has this page.
        self.contiguous(page, page)
    }

    /// Adds pages where there were none. Reserve first.
    pub fn insert(&mut self, first: u64, page: PageIndex, count: PageCount) {
        let mut run = Run {
            first,
            page,
            count: count.0,
        };
        let mut index = self.runs_before(first);
        if let Some(after) = self.0.get(index)
            && run.after() == after.first
            && run.page.0 + run.count == after.page.0
        {
            run.count += after.count;
            self.0.remove(index);
        }
        if index > 0
            && self.0[index - 1].after() == run.first
            && self.0[index - 1].page.0 + self.0[index - 1].count == run.page.0
        {
            index -= 1;
            self.0[index].count += run.count;
            return;
        }
        self.0.insert(index, run);
    }

    /// Gives up all pages of the file from the one given on.
    pub fn truncate(&mut self, pages: u64, mut give_back: impl FnMut(PageIndex, PageCount)) {
        while let Some(last) = self.0.last_mut() {
            if last.after() <= pages {
                return;
            }
            let keep = pages.saturating_sub(last.first) as u32;
            give_back(PageIndex(last.page.0 + keep), PageCount(last.count - keep));
            last.count = keep;
            if keep > 0 {
                return;
            }
            self.0.pop();
        }
    }
}
