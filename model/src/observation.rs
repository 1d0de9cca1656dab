//! What can be seen of an implementation between two operations.
//!
//! An observation is plain data: no rule and no expectation. A part that a target cannot show
//! is absent from its [`Sight`], which is not the same as empty.

use crate::op::{Process, Protection};
use bitflags::bitflags;

bitflags! {
    /// What a target can show.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Sight: u16 {
        /// [`Observation::processes`].
        const MAPPINGS = 1;
        /// [`Observation::regions`].
        const REGIONS = 2;
        /// [`Observation::free`]: the free blocks of a memory of known size.
        const FREE_BLOCKS = 4;
        /// [`Observation::copied_pages`].
        const COPIED_PAGES = 8;
        /// [`Observation::files`]: sizes and links.
        const FILES = 16;
        /// [`FileView::pages`]: where memory-backed files keep their pages.
        const FILE_PAGES = 32;
        /// [`Observation::segments`].
        const SEGMENTS = 64;
        /// [`Observation::drivers`].
        const DRIVERS = 128;
        /// Contents of what is mapped and of files, through [`Contents`].
        const CONTENTS = 256;
        /// [`RegionView::top`] and [`RegionView::users`].
        const REGION_RECORDS = 512;
    }
}

/// What backs a mapping, as a target can tell: inode numbers in order of their making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A file or device: its place in [`crate::world::World::files`], the objects that
    /// exist from the start first, then files in the order of their creation.
    File(u16),
    /// A SysV segment, in the order of creation.
    Segment(u16),
}

/// One line of `/proc/<pid>/maps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingView {
    /// Address of the first byte.
    pub start: u64,
    /// Address after the last byte.
    pub end: u64,
    /// What it may be used for.
    pub protection: Protection,
    /// Whether it is a shared mapping of an object (`s` as against `p`).
    pub shared: bool,
    /// What is mapped; none for anonymous memory.
    pub object: Option<Object>,
    /// Byte offset into the object; 0 for anonymous memory.
    pub offset: u64,
}

/// One region of the system: one line of `/proc/maps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegionView {
    /// Address of the first byte.
    pub start: u64,
    /// Address after the last byte that was asked for.
    pub end: u64,
    /// Address after the last byte that is allocated; `end` where nothing is kept.
    pub top: u64,
    /// What it may be used for.
    pub protection: Protection,
    /// What it holds; none for anonymous memory.
    pub object: Option<Object>,
    /// Byte offset into the object; 0 for anonymous memory.
    pub offset: u64,
    /// Whether it is memory of its own (anonymous, or a private copy) and not on the object.
    pub copy: bool,
    /// Mappings that use it.
    pub users: u32,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessView {
    /// Which.
    pub process: Process,
    /// Its mappings by start, then end.
    pub mappings: Vec<MappingView>,
}

/// One file that has a name, is open or is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileView {
    /// Which, as in [`Object::File`].
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// Pages of a memory-backed file that are there, by index; what is missing is a hole. Empty
    /// for others.
    pub pages: Vec<FilePageView>,
}

impl FileView {
    /// Where a page is; none for a hole.
    pub fn page(&self, index: u64) -> Option<u64> {
        let place = self
            .pages
            .binary_search_by(|page| u64::from(page.index).cmp(&index));
        place.ok().map(|place| self.pages[place].address)
    }
}

/// One page of a memory-backed file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePageView {
    /// Which: its offset in pages.
    pub index: u32,
    /// Where it is in memory.
    pub address: u64,
}

/// One SysV segment that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentView {
    /// Which, as in [`Object::Segment`].
    pub number: u16,
    /// Bytes.
    pub size: u64,
    /// Attached mappings.
    pub attached: u32,
    /// Whether it goes with its last attachment.
    pub removed: bool,
    /// Address of its first page.
    pub start: u64,
}

/// What a scripted driver was asked, counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DriverView {
    /// The device, as in [`Object::File`].
    pub number: u16,
    /// Calls of `get_unmapped_area`.
    pub area_calls: u32,
    /// Calls of `mmap`.
    pub mmap_calls: u32,
    /// Calls of `close`: the last mapping is gone (lines 220-221).
    pub close_calls: u32,
}

/// A run of free pages that is one block of the allocator: 2^order pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FreeBlock {
    /// Address of the first byte.
    pub start: u64,
    /// Pages, as a power of two.
    pub order: u8,
}

/// Everything a target shows after an operation. Vectors are sorted as their types order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    /// Live processes, in order.
    pub processes: Vec<ProcessView>,
    /// Regions by start, then end.
    pub regions: Vec<RegionView>,
    /// Free blocks by address.
    pub free: Vec<FreeBlock>,
    /// Pages allocated for anonymous memory and private copies, slack included.
    pub copied_pages: u64,
    /// Files by number.
    pub files: Vec<FileView>,
    /// Segments by number.
    pub segments: Vec<SegmentView>,
    /// Drivers by device.
    pub drivers: Vec<DriverView>,
}

/// Reads bytes that a target shows: the contents of physical memory by address, and of files
/// by number and offset.
pub trait Contents {
    /// Copies memory at `address` into `bytes`; false where it cannot be shown.
    fn memory(&self, address: u64, bytes: &mut [u8]) -> bool;
    /// Copies a file's bytes at `offset` into `bytes`, zeroes past its end; false where it
    /// cannot be shown.
    fn file(&self, number: u16, offset: u64, bytes: &mut [u8]) -> bool;
}
