//! Address spaces and what is mapped in them.

use super::region::RegionId;
use crate::observation::{MappingView, Object};
use crate::op::Protection;

/// An address space's place in [`super::World::spaces`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceNumber(pub u16);

/// The mappings that processes with shared memory have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// By start, then end, then order of making. Mappings of one object may overlap.
    pub mappings: Vec<Mapping>,
}

/// One mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Address of the first byte. Page aligned, but for a direct mapping (lines 111-113).
    pub start: u64,
    /// Address after the last byte; a whole number of pages from the start.
    pub end: u64,
    /// What it may be used for.
    pub protection: Protection,
    /// Whether it is a shared mapping of an object. Anonymous memory is private always
    /// (lines 29-32).
    pub shared: bool,
    /// What is mapped; none for anonymous memory.
    pub object: Option<Object>,
    /// Byte offset into the object; 0 for anonymous memory.
    pub offset: u64,
    /// Whose memory it shows.
    pub backing: Backing,
    /// Whether a later mapping may share it: it is shared, or private and not writable; but no
    /// copy that was made for a traced process.
    pub shareable: bool,
    /// The part of the object that was granted when its memory was set up, in offsets into the
    /// object; a mapping that re-uses others takes over all that was granted to them. It is as
    /// much as may still be set up when they are gone. Empty for anonymous memory.
    pub granted: Granted,
}

/// What was granted of an object: a range in bytes, and what it may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Offset of the first byte.
    pub start: u64,
    /// Offset after the last byte.
    pub end: u64,
    /// What it may be used for.
    pub protection: Protection,
}

impl Granted {
    /// What anonymous memory was granted: nothing of any object.
    pub const NOTHING: Granted = Granted {
        start: 0,
        end: 0,
        protection: Protection::empty(),
    };

    /// All that was granted to either of two mappings of the same memory. Which of several a
    /// third one shares, or munmap takes, cannot be seen: what it may count on is this.
    pub fn with(self, other: Granted) -> Granted {
        Granted {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
            protection: self.protection | other.protection,
        }
    }
}

/// Whose memory a mapping shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backing {
    /// A region's.
    Region(RegionId),
    /// The object's own.
    Direct,
}

impl Mapping {
    /// Whether the whole range lies inside.
    pub fn contains(&self, address: u64, length: u64) -> bool {
        address >= self.start && address < self.end && length <= self.end - address
    }

    /// As a target would list it.
    pub fn view(&self) -> MappingView {
        MappingView {
            start: self.start,
            end: self.end,
            protection: self.protection,
            shared: self.shared,
            object: self.object,
            offset: self.offset,
        }
    }
}
