//! SysV shared memory (lines 166-168).

use super::page::Page;

/// A segment. Its pages are one contiguous run, cleared when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The key it is found by; none for a private one or one that was removed.
    pub key: Option<u32>,
    /// Bytes.
    pub size: u64,
    /// Address of the first page, where known.
    pub start: Option<u64>,
    /// Mappings of it.
    pub attached: u32,
    /// Contents.
    pub pages: Vec<Page>,
    /// It goes with its last attachment.
    pub removed: bool,
    /// It is gone, and so are its pages.
    pub dead: bool,
}
