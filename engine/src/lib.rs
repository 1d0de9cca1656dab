//! The optimised implementation of no-MMU memory mapping that the model judges.
//!
//! It does what Linux's *No-MMU memory mapping support* says (`nommu-mmap.rst` as of Linux
//! 6.12; line numbers in these comments are its), with data structures that a kernel could
//! use: a [`buddy`](Buddy) allocator that coalesces at once, regions that are found by file
//! and offset and by address in logarithmic time, mappings per address space. Where the
//! document leaves a choice, it makes one; it knows nothing of the model that judges whether
//! it might.
//!
//! Start with [`Engine`], then `mmap.rs`, which says for each kind of object what a mapping of
//! it is, and `region.rs`, which owns the pages. One concept is one file; the calls are methods
//! of [`Engine`] in files of their names.
//!
//! Memory is reached through [`Memory`] by physical address. Every allocation can fail and be
//! made to ([`Engine::fail_allocation`]), and a call that fails has changed nothing: what it
//! needs is reserved first, then nothing fails any more.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod access;
mod buddy;
mod budget;
mod check;
mod config;
mod copy;
mod driver;
mod engine;
mod error;
mod exec;
mod file;
mod flags;
mod forest;
mod futex;
mod inspect;
mod memory;
mod mmap;
mod mremap;
mod munmap;
mod proc_maps;
mod process;
mod ptrace;
mod region;
mod request;
mod segment;
mod slab;
mod space;
mod state;
mod units;
mod unsupported;
mod view;

pub use buddy::Buddy;
pub use config::{Config, Layout};
pub use engine::Engine;
pub use error::{Errno, Result};
pub use file::Kind;
pub use flags::{Capabilities, MapFlags, OpenFlags, Protection, RemapFlags, SegmentFlags};
pub use memory::{FlatMemory, Memory};
pub use proc_maps::MapsPosition;
pub use request::{Answer, Fd, FileNumber, MapRequest, Object, Pid, Script, SegmentNumber, Source};
pub use state::Labels;
pub use units::{Order, PageCount, PageIndex, PageSize};
pub use view::{
    DriverView, FileRunView, FileView, FreeBlockView, MappingView, RegionView, SegmentView,
};
