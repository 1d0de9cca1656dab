//! What can be seen from outside, as plain data.

use crate::flags::Protection;
use crate::request::{FileNumber, Object, SegmentNumber};

/// One mapping of an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MappingView {
    /// Address of the first byte.
    pub start: u64,
    /// Address after the last byte.
    pub end: u64,
    /// What it is for.
    pub protection: Protection,
    /// Whether it is a shared mapping of an object; anonymous memory never is (lines 29-32).
    pub shared: bool,
    /// What is mapped; none for anonymous memory.
    pub object: Option<Object>,
    /// Byte offset into the object; 0 for anonymous memory.
    pub offset: u64,
}

/// One region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionView {
    /// Address of the first byte.
    pub start: u64,
    /// Address after the last byte that is mapped.
    pub end: u64,
    /// Address after the last byte that is allocated; `end` for a direct mapping.
    pub top: u64,
    /// What its first mapping was for.
    pub protection: Protection,
    /// Whether it was made by a shared mapping of an object.
    pub shared: bool,
    /// What it shows; none for anonymous memory.
    pub object: Option<Object>,
    /// Byte offset into the object; 0 for anonymous memory.
    pub offset: u64,
    /// Whether it is memory of its own, and not on the object.
    pub copy: bool,
    /// Mappings that use it.
    pub users: u32,
}

/// One block of free memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeBlockView {
    /// Address of the first byte.
    pub start: u64,
    /// Pages, as a power of two.
    pub order: u8,
}

/// One file that has a name, is open or is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileView {
    /// Which.
    pub number: FileNumber,
    /// What kind of object it is.
    pub kind: crate::file::Kind,
    /// Bytes.
    pub size: u64,
    /// Whether it has a name.
    pub linked: bool,
    /// What its driver was asked, if it has one.
    pub driver: Option<DriverView>,
}

/// Pages of a memory-backed file that follow each other in the file and in memory. Runs are
/// as long as can be, in the file's order; what no run covers is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileRunView {
    /// The first page, counted in the file.
    pub first_page: u64,
    /// Address of that page.
    pub start: u64,
    /// How many pages.
    pub pages: u64,
}

/// One segment that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentView {
    /// Which.
    pub number: SegmentNumber,
    /// The key it is found by; none for a private or a removed one.
    pub key: Option<u32>,
    /// Bytes, as asked for.
    pub size: u64,
    /// Attached mappings.
    pub attached: u32,
    /// Whether it goes with its last attachment.
    pub removed: bool,
    /// Address of its first page.
    pub start: u64,
}

/// What a driver was asked, since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverView {
    /// The device.
    pub number: FileNumber,
    /// Calls of `get_unmapped_area`.
    pub area_calls: u32,
    /// Calls of `mmap`.
    pub mmap_calls: u32,
    /// Calls of `close` (lines 220-221).
    pub close_calls: u32,
}
