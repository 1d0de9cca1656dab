//! Arguments of calls that take many, and the handles that processes hold.

use crate::error::Errno;
use crate::flags::{Capabilities, MapFlags, Protection};

/// A process. Numbers count from 0 and are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pid(pub u32);

/// A descriptor of one process: the lowest that is free, as POSIX has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fd(pub u32);

/// A file or device, in the order they were made; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u32);

/// A SysV segment, in the order they were made; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u32);

/// What a mapping or region shows, unless it is anonymous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// A file or device.
    File(FileNumber),
    /// A SysV segment.
    Segment(SegmentNumber),
}

/// Arguments of mmap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapRequest {
    /// A particular address; 0 asks for none.
    pub address: u64,
    /// Bytes.
    pub length: u64,
    /// What it is for.
    pub protection: Protection,
    /// How.
    pub flags: MapFlags,
    /// The object; none for anonymous memory.
    pub descriptor: Option<Fd>,
    /// Byte offset into the object.
    pub offset: u64,
}

impl Default for Fd {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

/// Bytes to put somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// These.
    Bytes(&'a [u8]),
    /// One value, many times.
    Fill {
        /// The value.
        byte: u8,
        /// How often.
        count: u64,
    },
}

impl Source<'_> {
    /// How many bytes.
    pub fn count(&self) -> u64 {
        match *self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Fill { count, .. } => count,
        }
    }
}

/// What a driver's operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The driver does not have the operation. For `mmap`, the same as `ENOSYS`.
    Absent,
    /// It agrees.
    Ok,
    /// It refuses.
    Error(Errno),
}

/// What changes in a driver's script; absent fields stay as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The capabilities that it declares; `Some(None)` declares none (lines 211-214).
    pub capabilities: Option<Option<Capabilities>>,
    /// What `get_unmapped_area` answers.
    pub area: Option<Answer>,
    /// What `mmap` answers.
    pub mmap: Option<Answer>,
    /// Whether it has a read method.
    pub read: Option<bool>,
    /// Whether the device shows its status in place of its data (lines 235-244).
    pub busy: Option<bool>,
}
