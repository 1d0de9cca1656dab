//! Files and devices: what they are, where their bytes are, who refers to them.

pub(crate) mod builtin;
mod content;
mod open;
mod runs;
mod rw;
mod sparse;
mod table;
mod truncate;

pub(crate) use content::Content;
pub(crate) use open::{OpenFile, Target};
pub(crate) use runs::Runs;
pub(crate) use rw::resize;
pub(crate) use sparse::Sparse;
pub(crate) use table::Files;

use crate::copy::clone_in_place;
use crate::driver::Driver;
use crate::engine::Engine;
use crate::flags::Capabilities;
use crate::forest::Root;
use crate::memory::Memory;
use crate::region::ShareClass;
use crate::request::FileNumber;
use alloc::string::String;

/// The largest that a file can be, in bytes.
pub(crate) const LARGEST_FILE: u64 = 1 << 30;

/// What kind of object a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file on a disk.
    Regular,
    /// A regular file in memory, as ramfs has them.
    MemoryBacked,
    /// A file in ROM that is used where it is; not page aligned (lines 111-113).
    ExecuteInPlace,
    /// A block device.
    Block,
    /// A block device that is memory (lines 92-95).
    MemoryBlock,
    /// A character device.
    Character,
    /// Flash.
    Mtd,
}

/// A file's place in the table of those that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileSlot(pub u32);

/// A file or device.
#[derive(Debug)]
pub(crate) struct File {
    pub number: FileNumber,
    pub kind: Kind,
    pub path: Path,
    /// Whether the path leads here.
    pub linked: bool,
    pub size: u64,
    pub content: Content,
    pub driver: Option<Driver>,
    /// Open files that stand for it.
    pub opens: u32,
    /// Regions of it, copies included.
    pub regions: u32,
    /// Regions that are its own memory.
    pub direct_regions: u32,
    /// Its regions that later mappings may re-use or that keep it from shrinking, by pages of
    /// the file.
    pub shares: [Root; ShareClass::COUNT],
    /// The next file by number.
    pub next: Option<FileSlot>,
    /// The file before it by number.
    pub previous: Option<FileSlot>,
}

clone_in_place!(File {
    number,
    kind,
    path,
    linked,
    size,
    content,
    driver,
    opens,
    regions,
    direct_regions,
    shares,
    next,
    previous,
});

/// Where a file is, or was before it was unlinked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Builtin(&'static str),
    Made(String),
}

impl Clone for Path {
    fn clone(&self) -> Self {
        match self {
            Path::Builtin(path) => Path::Builtin(path),
            Path::Made(path) => Path::Made(path.clone()),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        match (&mut *self, source) {
            (Path::Made(path), Path::Made(source)) => path.clone_from(source),
            _ => *self = source.clone(),
        }
    }
}

impl Path {
    pub fn as_str(&self) -> &str {
        match self {
            Path::Builtin(path) => path,
            Path::Made(path) => path,
        }
    }
}

impl File {
    pub fn new(number: FileNumber, kind: Kind, path: Path, size: u64, content: Content) -> Self {
        Self {
            number,
            kind,
            path,
            linked: true,
            size,
            content,
            driver: None,
            opens: 0,
            regions: 0,
            direct_regions: 0,
            shares: [Root::EMPTY; ShareClass::COUNT],
            next: None,
            previous: None,
        }
    }

    /// How it may be mapped (lines 45-51 and 211-214).
    pub fn capabilities(&self) -> Capabilities {
        use Capabilities as C;
        match self.kind {
            Kind::Directory => C::empty(),
            Kind::Regular | Kind::Block => C::COPY,
            Kind::MemoryBacked | Kind::MemoryBlock => C::all(),
            Kind::ExecuteInPlace => C::all() - C::WRITE,
            Kind::Character | Kind::Mtd => match &self.driver {
                Some(driver) => driver.capabilities(),
                None => C::empty(),
            },
        }
    }

    pub fn is_busy(&self) -> bool {
        self.driver.is_some_and(|driver| driver.busy)
    }

    pub fn is_device(&self) -> bool {
        matches!(
            self.kind,
            Kind::Block | Kind::MemoryBlock | Kind::Character | Kind::Mtd
        )
    }

    /// Whether its memory can be stored to.
    pub fn is_read_only_memory(&self) -> bool {
        matches!(self.kind, Kind::ExecuteInPlace | Kind::Mtd)
    }

    /// Whether nothing leads to it any more.
    fn is_unreachable(&self) -> bool {
        !self.linked && self.opens == 0 && self.regions == 0
    }
}

impl<M: Memory> Engine<M> {
    /// Forgets a file that nothing leads to, and gives back its pages.
    pub(crate) fn release_file(&mut self, slot: FileSlot) {
        if !self.files.get(slot).is_unreachable() {
            return;
        }
        if let Some(mut file) = self.files.remove(slot)
            && let Content::Runs(runs) = &mut file.content
        {
            let buddy = &mut self.buddy;
            runs.truncate(0, |page, count| buddy.free(page, count));
        }
    }
}
