//! Memory of its own: anonymous memory and private copies.

use super::file::FileNumber;
use super::page::Page;
use crate::op::Protection;

/// Identifies a region for ever: regions count from 0 in the order they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionId(pub u32);

/// A contiguous run of pages that belongs to one mapping or is shared by several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Which.
    pub id: RegionId,
    /// Address of the first byte; page aligned.
    pub start: u64,
    /// Address after the last page asked for.
    pub end: u64,
    /// Address after the last page allocated; what lies between is slack, kept until the
    /// region goes (lines 115-119).
    pub top: u64,
    /// What its first mapping asked for.
    pub protection: Protection,
    /// Where its contents came from.
    pub origin: Origin,
    /// Mappings that show it.
    pub users: u32,
    /// Contents from `start` to `top`. What slack holds here is what growth may expose: what
    /// was there before a shrinking mremap, or zeroes.
    pub pages: Vec<Page>,
}

/// Where a region's contents came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Anonymous memory.
    Anonymous,
    /// A private copy of a file.
    Copy {
        /// The file.
        file: FileNumber,
        /// Byte offset into it of the region's start.
        offset: u64,
        /// Whether it may be re-used: made for a mapping that is not writable, by a process
        /// that was not traced (lines 41-43).
        reusable: bool,
    },
}
