//! The optimised implementation of no-MMU memory mapping that the model judges. SIGNATURES ONLY
//! IN THIS COMMIT: bodies follow.
#![no_std]
#![forbid(unsafe_code)]
#![allow(unused_variables, missing_docs, dead_code, clippy::all)]
extern crate alloc;
mod config;
mod error;
mod flags;
mod memory;
mod request;
mod units;
mod view;
pub mod file {
    /// Kinds of objects.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Kind {
        Directory,
        Regular,
        MemoryBacked,
        ExecuteInPlace,
        Block,
        MemoryBlock,
        Character,
        Mtd,
    }
    pub(crate) mod builtin {
        pub fn device_pages() -> u64 {
            0
        }
    }
}
use alloc::vec::Vec;
pub use config::{Config, Layout};
pub use error::{Errno, Result};
pub use file::Kind;
pub use flags::*;
pub use memory::{FlatMemory, Memory};
pub use request::*;
pub use units::*;
pub use view::*;

#[derive(Clone)]
pub struct Engine<M> {
    m: M,
}

/// Where a reader of a listing is. Plain data: start with `MapsPosition::default()`.
#[derive(Clone, Copy, Debug, Default)]
pub struct MapsPosition {}

#[allow(unreachable_code)]
impl<M: Memory> Engine<M> {
    pub fn new(config: Config, memory: M) -> Result<Self> {
        todo!()
    } // memory must cover config.layout()
    pub fn config(&self) -> &Config {
        todo!()
    }
    pub fn memory(&self) -> &M {
        todo!()
    }
    pub fn memory_mut(&mut self) -> &mut M {
        todo!()
    }
    pub fn into_memory(self) -> M {
        todo!()
    }

    // Calls. A caller that is dead, never made or suspended gets ESRCH.
    pub fn mmap(&mut self, pid: Pid, request: &MapRequest) -> Result<u64> {
        todo!()
    }
    pub fn munmap(&mut self, pid: Pid, address: u64, length: u64) -> Result<()> {
        todo!()
    }
    pub fn mremap(
        &mut self,
        pid: Pid,
        address: u64,
        old_length: u64,
        new_length: u64,
        flags: RemapFlags,
        new_address: u64,
    ) -> Result<u64> {
        todo!()
    }
    /// `out` is cleared, then holds what was read. Also for read and peek.
    pub fn load(&self, pid: Pid, address: u64, length: u64, out: &mut Vec<u8>) -> Result<()> {
        todo!()
    }
    pub fn store(&mut self, pid: Pid, address: u64, source: Source<'_>) -> Result<()> {
        todo!()
    }
    pub fn open(&mut self, pid: Pid, path: &str, flags: OpenFlags) -> Result<Fd> {
        todo!()
    }
    pub fn pipe(&mut self, pid: Pid) -> Result<(Fd, Fd)> {
        todo!()
    }
    pub fn socket(&mut self, pid: Pid) -> Result<Fd> {
        todo!()
    }
    pub fn close(&mut self, pid: Pid, fd: Fd) -> Result<()> {
        todo!()
    }
    pub fn dup(&mut self, pid: Pid, fd: Fd) -> Result<Fd> {
        todo!()
    }
    pub fn read(
        &self,
        pid: Pid,
        fd: Fd,
        offset: u64,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        todo!()
    }
    pub fn write(&mut self, pid: Pid, fd: Fd, offset: u64, source: Source<'_>) -> Result<u64> {
        todo!()
    }
    pub fn ftruncate(&mut self, pid: Pid, fd: Fd, length: u64) -> Result<()> {
        todo!()
    }
    pub fn truncate(&mut self, pid: Pid, path: &str, length: u64) -> Result<()> {
        todo!()
    }
    pub fn unlink(&mut self, pid: Pid, path: &str) -> Result<()> {
        todo!()
    }
    pub fn fork(&mut self, pid: Pid) -> Result<Pid> {
        todo!()
    }
    pub fn vfork(&mut self, pid: Pid) -> Result<Pid> {
        todo!()
    }
    pub fn clone_process(&mut self, pid: Pid, shares_memory: bool) -> Result<Pid> {
        todo!()
    }
    pub fn exec(&mut self, pid: Pid, path: &str, stack: u64) -> Result<()> {
        todo!()
    }
    pub fn exit(&mut self, pid: Pid) -> Result<()> {
        todo!()
    }
    pub fn ptrace_attach(&mut self, pid: Pid, tracee: Pid) -> Result<()> {
        todo!()
    }
    pub fn ptrace_detach(&mut self, pid: Pid, tracee: Pid) -> Result<()> {
        todo!()
    }
    pub fn ptrace_peek(
        &self,
        pid: Pid,
        tracee: Pid,
        address: u64,
        length: u64,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        todo!()
    }
    pub fn ptrace_poke(
        &mut self,
        pid: Pid,
        tracee: Pid,
        address: u64,
        source: Source<'_>,
    ) -> Result<u64> {
        todo!()
    }
    pub fn shmget(
        &mut self,
        pid: Pid,
        key: u32,
        size: u64,
        flags: SegmentFlags,
    ) -> Result<SegmentNumber> {
        todo!()
    }
    pub fn shmat(&mut self, pid: Pid, segment: SegmentNumber, read_only: bool) -> Result<u64> {
        todo!()
    }
    pub fn shmdt(&mut self, pid: Pid, address: u64) -> Result<()> {
        todo!()
    }
    pub fn shm_remove(&mut self, pid: Pid, segment: SegmentNumber) -> Result<()> {
        todo!()
    }
    pub fn shm_stat(&self, pid: Pid, segment: SegmentNumber) -> Result<SegmentView> {
        todo!()
    }
    pub fn futex_wait(&self, pid: Pid, address: u64, expected: u32) -> Result<()> {
        todo!()
    }
    pub fn futex_wake(&self, pid: Pid, address: u64, count: u32) -> Result<u32> {
        todo!()
    }
    pub fn mprotect(&self, pid: Pid, address: u64, length: u64) -> Result<()> {
        todo!()
    }
    pub fn msync(&self, pid: Pid, address: u64, length: u64) -> Result<()> {
        todo!()
    }
    pub fn mlock(&self, pid: Pid, address: u64, length: u64) -> Result<()> {
        todo!()
    }
    pub fn madvise(&self, pid: Pid, address: u64, length: u64) -> Result<()> {
        todo!()
    }
    pub fn mincore(&self, pid: Pid, address: u64, length: u64) -> Result<()> {
        todo!()
    }
    /// Text of /proc/maps and /proc/<pid>/maps in Linux's no-MMU format:
    /// `start-end rwxp offset major:minor inode   path\n`. Device 00:01 is files (inode = file number),
    /// 00:02 segments (inode = segment number), 00:00 inode 0 anonymous. Last letter of the flags: p private,
    /// s shared mapping (S for shared regions in /proc/maps, as Linux prints there).
    /// Returns bytes put into `chunk`; 0 at the end.
    pub fn read_system_maps(&self, position: &mut MapsPosition, chunk: &mut [u8]) -> Result<usize> {
        todo!()
    }
    pub fn read_process_maps(
        &self,
        process: Pid,
        position: &mut MapsPosition,
        chunk: &mut [u8],
    ) -> Result<usize> {
        todo!()
    }
    // Events.
    pub fn set_trim(&mut self, pages: u64) {
        todo!()
    }
    pub fn set_driver(&mut self, path: &str, script: &Script) -> Result<()> {
        todo!()
    } // ENOENT/ENODEV: not a scripted device
    /// Makes the n-th allocation from now (1 is the next), of pages or of a record, fail; 0 takes that back.
    pub fn fail_allocation(&mut self, n: u64) {
        todo!()
    }
    /// Whether it has failed since it was asked to.
    pub fn allocation_failed(&self) -> bool {
        todo!()
    }

    // Inspection: iterators over what is kept in order anyway.
    pub fn is_alive(&self, pid: Pid) -> bool {
        todo!()
    }
    pub fn is_runnable(&self, pid: Pid) -> bool {
        todo!()
    }
    pub fn processes(&self) -> impl Iterator<Item = Pid> + '_ {
        core::iter::empty()
    } // live ones, in order
    pub fn mappings(&self, pid: Pid) -> impl Iterator<Item = MappingView> + '_ {
        core::iter::empty()
    } // by start, then end
    pub fn regions(&self) -> impl Iterator<Item = RegionView> + '_ {
        core::iter::empty()
    } // by start, then end
    pub fn free_blocks(&self) -> impl Iterator<Item = FreeBlockView> + '_ {
        core::iter::empty()
    } // by address
    pub fn copied_pages(&self) -> u64 {
        todo!()
    }
    pub fn files(&self) -> impl Iterator<Item = FileView> + '_ {
        core::iter::empty()
    } // by number
    pub fn file_runs(&self, number: FileNumber) -> impl Iterator<Item = FileRunView> + '_ {
        core::iter::empty()
    }
    /// Bytes of a file, zeroes past its end; false when there is no such file (any more).
    pub fn file_contents(&self, number: FileNumber, offset: u64, bytes: &mut [u8]) -> bool {
        todo!()
    }
    pub fn segments(&self) -> impl Iterator<Item = SegmentView> + '_ {
        core::iter::empty()
    } // by number
    pub fn drivers(&self) -> impl Iterator<Item = DriverView> + '_ {
        core::iter::empty()
    } // by device
    /// First contradiction in the engine's own records, for tests.
    pub fn check(&self) -> core::result::Result<(), &'static str> {
        todo!()
    }
}
