//! Drivers of character devices and flash, which answer as they are told to.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::file::Kind;
use crate::flags::Capabilities;
use crate::memory::Memory;
use crate::request::{Answer, Script};

/// A driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    pub capabilities: Option<Capabilities>,
    pub area: Answer,
    pub mmap: Answer,
    pub readable: bool,
    pub busy: bool,
    pub area_calls: u32,
    pub mmap_calls: u32,
    pub close_calls: u32,
}

impl Driver {
    /// A driver that agrees to everything that is within its device's capabilities.
    pub fn new(capabilities: Option<Capabilities>) -> Self {
        Self {
            capabilities,
            area: Answer::Ok,
            mmap: Answer::Ok,
            readable: true,
            busy: false,
            area_calls: 0,
            mmap_calls: 0,
            close_calls: 0,
        }
    }

    /// What it permits: what it declares, less what it has no operation for.
    pub fn capabilities(&self) -> Capabilities {
        // Lines 212-214: by default readable and writable, not executable, only direct.
        let default = Capabilities::DIRECT | Capabilities::READ | Capabilities::WRITE;
        let mut capabilities = self.capabilities.unwrap_or(default);
        if self.area == Answer::Absent {
            // Lines 205-206: without the operation nothing can be placed.
            capabilities.remove(Capabilities::DIRECT);
        }
        if !self.readable {
            // Lines 156-160.
            capabilities.remove(Capabilities::COPY);
        }
        capabilities
    }

    /// Asks for a direct mapping (lines 205-231). None is the answer `ENOSYS`: it does not
    /// want to handle it.
    pub fn ask(&mut self, inside: bool) -> Result<Option<()>> {
        self.area_calls = self.area_calls.saturating_add(1);
        match self.area {
            Answer::Absent | Answer::Error(Errno::ENOSYS) => return Ok(None),
            Answer::Error(error) => return Err(error),
            Answer::Ok if !inside => return Err(Errno::EINVAL),
            Answer::Ok => {}
        }
        self.mmap_calls = self.mmap_calls.saturating_add(1);
        match self.mmap {
            Answer::Absent | Answer::Error(Errno::ENOSYS) => Ok(None),
            Answer::Error(error) => Err(error),
            Answer::Ok => Ok(Some(())),
        }
    }
}

impl<M: Memory> Engine<M> {
    /// A driver changes its answers.
    ///
    /// # Errors
    ///
    /// `ENOENT`; `ENODEV` when this has no driver; `EBUSY` when the device would become busy
    /// while a direct mapping shows it (lines 235-244).
    pub fn set_driver(&mut self, path: &str, script: &Script) -> Result<()> {
        let slot = self.files.find(path).ok_or(Errno::ENOENT)?;
        let file = self.files.get_mut(slot);
        if !matches!(file.kind, Kind::Character | Kind::Mtd) {
            return Err(Errno::ENODEV);
        }
        let mapped = file.direct_regions > 0;
        let driver = file.driver.as_mut().ok_or(Errno::ENODEV)?;
        if script.busy == Some(true) && mapped {
            return Err(Errno::EBUSY);
        }
        driver.capabilities = script.capabilities.unwrap_or(driver.capabilities);
        driver.area = script.area.unwrap_or(driver.area);
        driver.mmap = script.mmap.unwrap_or(driver.mmap);
        driver.readable = script.read.unwrap_or(driver.readable);
        driver.busy = script.busy.unwrap_or(driver.busy);
        Ok(())
    }
}
