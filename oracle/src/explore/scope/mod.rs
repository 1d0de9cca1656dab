//! What is explored: a small system, and every operation with every argument that is tried.
//!
//! A scope is a TOML file; `specs/scopes.md` is its reference. Sizes and offsets count pages
//! unless a key says bytes.

mod agree;
mod apart;
mod estimate;
mod offers;
mod read;
pub(crate) mod templates;
#[cfg(test)]
mod tests;
mod text;

pub use read::{ScopeError, read};
pub use templates::Template;

use crate::trace::Header;
use nommu_model::op::{
    Answer, Capabilities, Fill, MapFlags, OpenFlags, Path, Protection, RemapFlags, SegmentFlags,
};

/// A scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Scope {
    /// Its file's name.
    pub name: String,
    /// All of its text: what makes two scopes the same.
    pub text: String,
    /// What it is for.
    pub about: String,
    /// The system at the start.
    pub header: Header,
    /// Steps at most; none for all there are.
    pub depth: Option<u32>,
    /// What is never had more of.
    pub most: Most,
    /// Mappings that are asked for.
    pub mmap: Vec<MmapOffer>,
    /// Which parts of mappings are unmapped.
    pub munmap: Vec<Part>,
    /// How mappings are resized.
    pub mremap: Option<MremapOffer>,
    /// Where and how memory is used.
    pub access: AccessOffer,
    /// How files are opened.
    pub open: Vec<OpenOffer>,
    /// What is done with files.
    pub files: FilesOffer,
    /// What processes do.
    pub processes: ProcessesOffer,
    /// SysV shared memory.
    pub segments: Option<SegmentsOffer>,
    /// Values that the trim watermark is set to.
    pub trim: Vec<u64>,
    /// What drivers are told.
    pub drivers: Vec<DriverOffer>,
    /// Whether `/proc` is read.
    pub maps: bool,
    /// Whether calls are made that need an MMU.
    pub unsupported: bool,
    /// Whether what is offered for one path that files are made at, is offered for all in that
    /// folder.
    pub paths_alike: bool,
    /// Whether what is offered for one key of a segment is offered for all but the private.
    pub keys_alike: bool,
    /// Whether states that differ in names are one.
    pub reduces: bool,
    /// What a scope that is made of a trace has, in the place of everything above.
    pub templates: Vec<Template>,
}

/// What is never had more of: operations that would make more are not performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Mappings of one address space.
    pub mappings: usize,
    /// Live processes.
    pub processes: usize,
    /// Descriptors of one process.
    pub descriptors: usize,
    /// Segments that exist.
    pub segments: usize,
}

/// A kind of mmap; every combination is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MmapOffer {
    /// Files that are mapped, by each descriptor that stands for one; none is anonymous memory.
    pub paths: Option<Vec<Path>>,
    /// Whether pipes and sockets are.
    pub unnamed: bool,
    /// Whether a process that has no descriptor names another's.
    pub foreign: bool,
    /// Whether the first address of memory is asked for, too, without insisting; and where it is
    /// insisted on, also none.
    pub hint: bool,
    /// Lengths in bytes.
    pub lengths: Vec<u64>,
    /// Protections.
    pub protections: Vec<Protection>,
    /// Flags.
    pub flags: Vec<MapFlags>,
    /// Offsets in bytes.
    pub offsets: Vec<u64>,
}

impl MmapOffer {
    /// Whether it maps no file.
    pub fn is_anonymous(&self) -> bool {
        self.paths.is_none() && !self.unnamed && !self.foreign
    }
}

/// A part of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Its first page; of more than one.
    Head,
    /// Its last page; of more than one.
    Tail,
    /// Its second page; of more than two.
    Middle,
    /// All of it and the page after it.
    Beyond,
    /// Its first byte, which means its first page.
    Byte,
    /// Nothing.
    Nothing,
    /// All but its first byte.
    Unaligned,
}

/// How mappings are resized: each to every length with every flags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MremapOffer {
    /// New lengths in bytes.
    pub lengths: Vec<u64>,
    /// Flags.
    pub flags: Vec<RemapFlags>,
    /// Whether only a part is named, too.
    pub parts: bool,
}

/// Where and how memory is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessOffer {
    /// Where, in each mapping.
    pub at: Vec<Spot>,
    /// Whether it is read.
    pub load: bool,
    /// What is written.
    pub store: Vec<u8>,
    /// What futexes are expected to hold.
    pub futex: Vec<u32>,
}

/// A place in a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// The first bytes.
    First,
    /// The last bytes.
    Last,
    /// Half in the first page and half in the second; of more than one.
    Pages,
    /// All but one of the last bytes and the byte after them.
    Across,
    /// Right after the last byte.
    Beyond,
}

/// A kind of open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenOffer {
    /// What is opened.
    pub paths: Vec<Path>,
    /// How.
    pub flags: Vec<OpenFlags>,
}

/// What is done with open files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesOffer {
    /// Whether descriptors are closed.
    pub close: bool,
    /// Whether they are duplicated.
    pub dup: bool,
    /// Sizes in bytes that files are truncated to.
    pub truncate: Vec<u64>,
    /// What is truncated by its path, too.
    pub truncate_paths: Vec<Path>,
    /// What is written.
    pub write: Vec<Fill>,
    /// Offsets in bytes where it is written, and read if `read` is set.
    pub offsets: Vec<u64>,
    /// Bytes that are read at each offset.
    pub read: Option<u64>,
    /// What is unlinked.
    pub unlink: Vec<Path>,
    /// Whether pipes and sockets are made.
    pub unnamed: bool,
}

/// What processes do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessesOffer {
    /// Whether they call fork, which there is not.
    pub fork: bool,
    /// Whether they call vfork.
    pub vfork: bool,
    /// Whether they call clone.
    pub clone: bool,
    /// What they execute.
    pub exec: Vec<Path>,
    /// Bytes of stack.
    pub stack: Vec<u64>,
    /// Whether they exit.
    pub exit: bool,
    /// Whether they trace each other, with the accesses that [`AccessOffer`] has.
    pub ptrace: bool,
}

/// SysV shared memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentsOffer {
    /// Keys; 0 is private.
    pub keys: Vec<u32>,
    /// Sizes in bytes.
    pub sizes: Vec<u64>,
    /// Flags of shmget.
    pub flags: Vec<SegmentFlags>,
    /// Whether segments are attached read-only, too.
    pub read_only: bool,
}

/// What a driver is told, a setting at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriverOffer {
    /// Which device.
    pub path: Path,
    /// What `get_unmapped_area` is to answer.
    pub area: Vec<Answer>,
    /// What `mmap` is to answer.
    pub mmap: Vec<Answer>,
    /// What is declared.
    pub capabilities: Vec<Option<Capabilities>>,
    /// Whether it can be read.
    pub read: Vec<bool>,
    /// Whether it is busy.
    pub busy: Vec<bool>,
}
