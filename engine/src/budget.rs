//! Failing an allocation on purpose.

use crate::error::{Errno, Result};

/// Counts allocations, and makes one of them fail when asked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Which allocation from now fails; 0 is none.
    fails_in: u64,
    failed: bool,
}

impl Budget {
    /// Makes the n-th allocation from now fail; 0 takes that back.
    pub fn fail(&mut self, n: u64) {
        self.fails_in = n;
        self.failed = false;
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Every allocation, of a record or of pages, asks here first.
    #[inline]
    pub fn spend(&mut self) -> Result<()> {
        if self.fails_in == 0 {
            return Ok(());
        }
        self.fails_in -= 1;
        if self.fails_in > 0 {
            return Ok(());
        }
        self.failed = true;
        Err(Errno::ENOMEM)
    }

    /// What decides which allocation fails.
    pub fn write_state(&self, mut write: impl FnMut(u64)) {
        write(self.fails_in);
        write(u64::from(self.failed));
    }
}
