//! A system: everything that the calls act on.

use crate::buddy::Buddy;
use crate::budget::Budget;
use crate::config::Config;
use crate::copy::clone_in_place;
use crate::error::{Errno, Result};
use crate::file::{Files, OpenFile};
use crate::forest::{Forest, Root};
use crate::memory::Memory;
use crate::process::Process;
use crate::region::Region;
use crate::segment::Segments;
use crate::slab::Slab;
use crate::space::{Mapping, Space};
use crate::units::{PageCount, PageSize};
use alloc::vec::Vec;

/// A system without an MMU.
///
/// Calls are methods, named as the system calls are; the first argument is the process that
/// calls, which gets `ESRCH` when it is dead or waits for a child by vfork. A call that fails
/// has changed nothing but the counters of the drivers that it asked.
#[derive(Debug)]
pub struct Engine<M> {
    pub(crate) config: Config,
    pub(crate) page: PageSize,
    pub(crate) window_start: u64,
    pub(crate) memory: M,
    pub(crate) buddy: Buddy,
    pub(crate) budget: Budget,
    /// `vm.nr_trim_pages`.
    pub(crate) trim: u64,
    /// Where regions and mappings are found: all regions by address, the regions of each file
    /// by page, the mappings of each address space by address.
    pub(crate) forest: Forest,
    pub(crate) regions: Slab<Region>,
    /// All regions.
    pub(crate) by_address: Root,
    /// Pages from the start to the top of each region that is memory of its own.
    pub(crate) copied_pages: u64,
    pub(crate) mappings: Slab<Mapping>,
    /// The age of the next mapping.
    pub(crate) next_age: u32,
    pub(crate) spaces: Slab<Space>,
    pub(crate) processes: Vec<Process>,
    pub(crate) open_files: Slab<OpenFile>,
    pub(crate) files: Files,
    pub(crate) segments: Segments,
}

clone_in_place!(Engine<M> {
    config,
    page,
    window_start,
    memory,
    buddy,
    budget,
    trim,
    forest,
    regions,
    by_address,
    copied_pages,
    mappings,
    next_age,
    spaces,
    processes,
    open_files,
    files,
    segments,
});

impl<M: Memory> Engine<M> {
    /// Makes a system in memory that covers [`Config::layout`].
    ///
    /// # Errors
    ///
    /// `EINVAL` for a configuration that cannot be; `ENOMEM`.
    pub fn new(config: Config, memory: M) -> Result<Self> {
        let layout = config.layout()?;
        let mut engine = Self {
            config,
            page: PageSize::new(config.page_size).ok_or(Errno::EINVAL)?,
            window_start: layout.window_start,
            memory,
            buddy: Buddy::new(PageCount(config.pages))?,
            budget: Budget::default(),
            trim: config.trim,
            forest: Forest::new(),
            regions: Slab::new(),
            by_address: Root::EMPTY,
            copied_pages: 0,
            mappings: Slab::new(),
            next_age: 0,
            spaces: Slab::new(),
            processes: Vec::new(),
            open_files: Slab::new(),
            files: Files::new(),
            segments: Segments::default(),
        };
        engine.make_builtin_files(&config, layout.devices_start)?;
        engine.begin(config)?;
        Ok(engine)
    }

    /// Makes of a system without processes, made with as much memory, one of this configuration:
    /// what else it says, and its processes. Whoever starts many systems need not make the files
    /// of each.
    ///
    /// # Errors
    ///
    /// `EINVAL` when there is other memory, or a process; `ENOMEM`.
    pub fn begin(&mut self, config: Config) -> Result<()> {
        let (ours, theirs) = (&self.config, &config);
        if (ours.page_size, ours.pages) != (theirs.page_size, theirs.pages)
            || !self.processes.is_empty()
        {
            return Err(Errno::EINVAL);
        }
        self.config = config;
        self.trim = config.trim;
        for _ in 0..config.processes {
            let space = self.new_space()?;
            self.processes.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
            self.add_process(space, Vec::new());
        }
        Ok(())
    }

    /// What the system was made from; the trim watermark may have changed since.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Physical memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Physical memory, to be changed behind the engine's back.
    pub fn memory_mut(&mut self) -> &mut M {
        &mut self.memory
    }

    /// Physical memory, without the engine.
    pub fn into_memory(self) -> M {
        self.memory
    }

    /// Sets `vm.nr_trim_pages` (lines 277-283): 0 never trims, n trims an excess of at least
    /// n pages.
    ///
    /// # Errors
    ///
    /// `EINVAL` for what an `int` does not hold.
    pub fn set_trim(&mut self, pages: u64) -> Result<()> {
        if i32::try_from(pages).is_err() {
            return Err(Errno::EINVAL);
        }
        self.trim = pages;
        Ok(())
    }

    /// `vm.nr_trim_pages`.
    pub fn trim(&self) -> u64 {
        self.trim
    }

    /// Makes the n-th allocation from now, of pages or of a record, fail with `ENOMEM`; 1 is
    /// the next one, 0 takes it back.
    pub fn fail_allocation(&mut self, n: u64) {
        self.budget.fail(n);
    }

    /// Whether that has happened since it was asked for.
    pub fn allocation_failed(&self) -> bool {
        self.budget.failed()
    }
}
