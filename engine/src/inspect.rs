//! Looking at a system from outside, between two calls.
//!
//! Everything here walks what is kept in order anyway: nothing is collected or sorted.

use crate::engine::Engine;
use crate::file::{Content, File};
use crate::forest::Root;
use crate::memory::Memory;
use crate::region::RegionHandle;
use crate::request::{FileNumber, Pid};
use crate::space::MappingHandle;
use crate::view::{
    DriverView, FileRunView, FileView, FreeBlockView, MappingView, RegionView, SegmentView,
};

impl<M: Memory> Engine<M> {
    /// Whether a process lives.
    pub fn is_alive(&self, pid: Pid) -> bool {
        self.process(pid).is_ok()
    }

    /// Whether a process can call: it lives, and waits for no child.
    pub fn is_runnable(&self, pid: Pid) -> bool {
        self.caller(pid).is_ok()
    }

    /// The live processes, in order.
    pub fn processes(&self) -> impl Iterator<Item = Pid> + '_ {
        let alive = |(_, process): &(usize, &crate::process::Process)| process.alive;
        self.processes
            .iter()
            .enumerate()
            .filter(alive)
            .map(|(index, _)| Pid(index as u32))
    }

    /// The mappings of a process by start, then end; none when it does not live.
    pub fn mappings(&self, pid: Pid) -> impl Iterator<Item = MappingView> + '_ {
        let root = match self.process(pid) {
            Ok(process) => self.spaces[process.space].mappings,
            Err(_) => Root::EMPTY,
        };
        self.forest
            .iter(root)
            .map(|found| self.mapping_view(MappingHandle(found.id as u32)))
    }

    /// The regions by start, then end.
    pub fn regions(&self) -> impl Iterator<Item = RegionView> + '_ {
        self.forest.iter(self.by_address).map(|found| {
            let region = self.region(RegionHandle(found.id as u32));
            RegionView {
                start: region.start,
                end: region.end,
                top: region.top,
                protection: region.protection,
                shared: region.shared,
                object: region.object,
                offset: region.offset,
                copy: region.copy,
                users: region.users,
            }
        })
    }

    /// The free blocks, by address.
    pub fn free_blocks(&self) -> impl Iterator<Item = FreeBlockView> + '_ {
        self.buddy
            .free_blocks()
            .map(|(first, order)| FreeBlockView {
                start: self.page_address(first),
                order: order.0,
            })
    }

    /// Pages of anonymous memory and private copies, those that are kept beyond what was
    /// asked for included.
    pub fn copied_pages(&self) -> u64 {
        self.copied_pages
    }

    /// The files that have a name, are open or are mapped, by number.
    pub fn files(&self) -> impl Iterator<Item = FileView> + '_ {
        self.files.iter().map(|(_, file)| file_view(file))
    }

    /// The same, each with where it keeps its pages.
    pub fn files_with_runs(
        &self,
    ) -> impl Iterator<Item = (FileView, impl Iterator<Item = FileRunView> + '_)> + '_ {
        self.files
            .iter()
            .map(|(_, file)| (file_view(file), self.runs_of(file)))
    }

    /// Where a memory-backed file keeps its pages; nothing for any other file.
    pub fn file_runs(&self, number: FileNumber) -> impl Iterator<Item = FileRunView> + '_ {
        let slot = self.files.numbered(number).into_iter();
        slot.flat_map(|slot| self.runs_of(self.files.get(slot)))
    }

    fn runs_of<'a>(&'a self, file: &'a File) -> impl Iterator<Item = FileRunView> + 'a {
        let runs = match &file.content {
            Content::Runs(runs) => runs.iter(),
            _ => [].iter(),
        };
        runs.map(|run| FileRunView {
            first_page: run.first,
            start: self.page_address(run.page),
            pages: u64::from(run.count),
        })
    }

    /// Copies a file's bytes, zeroes past its end, whoever asks. False when there is no such
    /// file (any more).
    pub fn file_contents(&self, number: FileNumber, offset: u64, bytes: &mut [u8]) -> bool {
        match self.files.numbered(number) {
            Some(slot) => {
                self.copy_out(slot, offset, bytes);
                true
            }
            None => false,
        }
    }

    /// The segments that exist, by number.
    pub fn segments(&self) -> impl Iterator<Item = SegmentView> + '_ {
        self.segments
            .iter()
            .map(|segment| self.segment_view(segment))
    }

    /// What drivers were asked, by device.
    pub fn drivers(&self) -> impl Iterator<Item = DriverView> + '_ {
        self.files().filter_map(|file| file.driver)
    }
}

fn file_view(file: &File) -> FileView {
    FileView {
        number: file.number,
        kind: file.kind,
        size: file.size,
        linked: file.linked,
        driver: file.driver.as_ref().map(|driver| DriverView {
            number: file.number,
            area_calls: driver.area_calls,
            mmap_calls: driver.mmap_calls,
            close_calls: driver.close_calls,
        }),
    }
}
