//! What can be opened: files and devices.

use super::page::Page;
use crate::op::{Answer, Capabilities, Path};

/// A file's place in [`super::World::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u16);

/// What kind of object a path names, by its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `/ram`, `/disk`, `/rom`: a directory, which cannot be mapped.
    Directory,
    /// `/disk/...`: a regular file; it can be copied and never mapped directly.
    Regular,
    /// `/ram/...`: a memory-backed regular file (ramfs).
    MemoryBacked,
    /// `/rom/...`: an execute-in-place file; its data is not page aligned (lines 111-113).
    ExecuteInPlace,
    /// `/dev/blk0`: a block device that is not memory.
    Block,
    /// `/dev/ram0`: a memory-backed block device, contiguous from the start (lines 92-95).
    MemoryBlock,
    /// `/dev/chr0`, `/dev/chr1`: a character device with a scripted driver.
    Character,
    /// `/dev/mtd0`: flash, read only.
    Mtd,
}

/// A file or device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its kind.
    pub kind: Kind,
    /// Its name; none when it was unlinked.
    pub path: Option<Path>,
    /// Bytes. A device's is fixed.
    pub size: u64,
    /// Pages that something was put into, by their index. What is missing is a hole, which
    /// reads as zeroes. None lies wholly beyond the size.
    pub pages: Vec<FilePage>,
    /// Address of the first byte of a device or execute-in-place file that is memory, once an
    /// answer told it. Memory-backed files have an address for each page instead.
    pub memory: Option<u64>,
    /// What its driver does; for character devices and MTD.
    pub driver: Option<Driver>,
    /// It has no name, descriptor or mapping left: its pages are given back.
    pub dead: bool,
}

/// One page of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePage {
    /// Which: its offset in pages.
    pub index: u32,
    /// Its bytes.
    pub contents: Page,
    /// Where a memory-backed file keeps it, if that is known.
    pub address: Option<u64>,
}

impl File {
    /// A page by its index; none for a hole.
    pub fn page(&self, index: u64) -> Option<&FilePage> {
        let place = self.place(index).ok()?;
        Some(&self.pages[place])
    }

    /// Where a page is in [`File::pages`], or where it would be.
    pub(crate) fn place(&self, index: u64) -> Result<usize, usize> {
        // Files without holes are the common case: there a page is at its own index.
        if let Ok(index) = usize::try_from(index)
            && let Some(page) = self.pages.get(index)
            && page.index as usize == index
        {
            return Ok(index);
        }
        self.pages
            .binary_search_by(|page| u64::from(page.index).cmp(&index))
    }
}

/// A scripted driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Driver {
    /// What it declares; none for the default of lines 212-214.
    pub capabilities: Option<Capabilities>,
    /// What `get_unmapped_area` answers.
    pub area: Answer,
    /// What `mmap` answers.
    pub mmap: Answer,
    /// Whether it can be read.
    pub readable: bool,
    /// Whether it shows its status in place of its data.
    pub busy: bool,
    /// How often `get_unmapped_area` was called.
    pub area_calls: u32,
    /// How often `mmap` was called.
    pub mmap_calls: u32,
    /// How often it was told that the last mapping is gone.
    pub close_calls: u32,
}
