//! A page allocator so small that its states can be counted by hand.
//!
//! Each of P pages is free, the first of a run, or continues one. *Map* takes a run of 1 to 4
//! free pages at an address aligned to its length rounded up to a power of two; *unmap* gives
//! back a run by its first page. Four pages with an aligned start are independent of all
//! others, and have 28 states: so there are 28^(P/4).

use super::system::{Moved, Notes, System};
use std::convert::Infallible;

/// The system.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// How many pages: at most 32, a multiple of 4.
    pub count: u32,
}

/// Every page at one moment, one bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Allocation {
    /// Pages that are not free.
    pub used: u32,
    /// Pages that begin a run.
    pub first: u32,
}

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Takes a run of pages.
    Map {
        /// Its first page.
        start: u8,
        /// How many.
        length: u8,
    },
    /// Gives back the run that begins at this page.
    Unmap {
        /// Its first page.
        start: u8,
    },
}

/// By length less one: where a run of it may start.
const ALIGNED: [u32; 4] = [0xffff_ffff, 0x5555_5555, 0x1111_1111, 0x1111_1111];

impl Pages {
    /// Appends every call that can be made.
    #[inline]
    pub fn calls(&self, from: Allocation, calls: &mut Vec<Call>) {
        let free = !from.used & u32::MAX.checked_shr(32 - self.count).unwrap_or(0);
        // A bit for each page from which on so many are free.
        let mut runs = u32::MAX;
        for length in 1..=4u8 {
            runs &= free >> (length - 1);
            let mut starts = runs & ALIGNED[usize::from(length) - 1];
            while starts != 0 {
                calls.push(Call::Map {
                    start: starts.trailing_zeros() as u8,
                    length,
                });
                starts &= starts - 1;
            }
        }
        let mut first = from.first;
        while first != 0 {
            calls.push(Call::Unmap {
                start: first.trailing_zeros() as u8,
            });
            first &= first - 1;
        }
    }
}

impl Allocation {
    /// What a call leads to.
    #[inline]
    #[must_use]
    pub fn after(self, call: Call) -> Self {
        match call {
            Call::Map { start, length } => Self {
                used: self.used | ((1 << length) - 1) << start,
                first: self.first | 1 << start,
            },
            Call::Unmap { start } => {
                let continues = self.used & !self.first;
                let length = 1 + (continues >> start >> 1).trailing_ones();
                let run = ((1 << length) - 1) << start;
                Self {
                    used: self.used & !run,
                    first: self.first & !(1 << start),
                }
            }
        }
    }
}

impl System for Pages {
    type State = Allocation;
    type Packed = Allocation;
    type Action = Call;
    type Violation = Infallible;

    fn name(&self) -> String {
        format!("{} pages", self.count)
    }

    fn identity(&self) -> String {
        format!("toy {}", self.count)
    }

    fn notes(&self) -> usize {
        0
    }

    fn initial(&self) -> Allocation {
        Allocation::default()
    }

    #[inline]
    fn actions(&self, state: &Allocation, actions: &mut Vec<Call>) {
        self.calls(*state, actions);
    }

    #[inline]
    fn advance(
        &self,
        from: &Allocation,
        action: &Call,
        state: &mut Allocation,
        _notes: &mut dyn Notes,
    ) -> Result<Moved, Infallible> {
        *state = from.after(*action);
        Ok(Moved::Somewhere)
    }

    #[inline]
    fn canonical(&self, state: &Allocation, bytes: &mut Vec<u8>) {
        let both = u64::from(state.used) << 32 | u64::from(state.first);
        bytes.extend_from_slice(&both.to_le_bytes());
    }

    fn pack(&self, state: &Allocation) -> Allocation {
        *state
    }

    fn unpack(&self, packed: &Allocation, into: &mut Allocation) {
        *into = *packed;
    }

    fn heap_bytes(&self, _packed: &Allocation) -> usize {
        0
    }
}
