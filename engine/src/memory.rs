//! Physical memory, as the engine reaches it.

use crate::config::Config;
use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// Memory by physical address.
///
/// The engine only asks for bytes of the window and of device memory (see
/// [`crate::Layout`]), and keeps none of its own records there: what pages hold is what the
/// contract says, and nothing else.
pub trait Memory {
    /// Copies memory at `address` into `bytes`.
    fn read(&self, address: u64, bytes: &mut [u8]);
    /// Copies `bytes` to memory at `address`.
    fn write(&mut self, address: u64, bytes: &[u8]);
    /// Sets `length` bytes at `address` to `byte`.
    fn fill(&mut self, address: u64, length: u64, byte: u8);
    /// Copies `length` bytes; the two runs may overlap.
    fn copy(&mut self, from: u64, to: u64, length: u64);
}

/// Memory that is one vector.
#[derive(Clone, Debug)]
pub struct FlatMemory {
    start: u64,
    bytes: Vec<u8>,
}

impl FlatMemory {
    /// Memory for a system, zeroed.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a configuration that cannot be, `ENOMEM` where there is not so much.
    pub fn new(config: &Config) -> Result<Self> {
        let layout = config.layout()?;
        let length = usize::try_from(layout.length()).map_err(|_| Errno::ENOMEM)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(length, 0);
        Ok(Self {
            start: layout.window_start,
            bytes,
        })
    }

    /// All of it, from its lowest address.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn index(&self, address: u64) -> usize {
        address.wrapping_sub(self.start) as usize
    }

    fn run(&mut self, address: u64, length: u64) -> &mut [u8] {
        let start = self.index(address);
        &mut self.bytes[start..start + length as usize]
    }
}

impl Memory for FlatMemory {
    fn read(&self, address: u64, bytes: &mut [u8]) {
        let start = self.index(address);
        bytes.copy_from_slice(&self.bytes[start..start + bytes.len()]);
    }

    fn write(&mut self, address: u64, bytes: &[u8]) {
        self.run(address, bytes.len() as u64).copy_from_slice(bytes);
    }

    fn fill(&mut self, address: u64, length: u64, byte: u8) {
        self.run(address, length).fill(byte);
    }

    fn copy(&mut self, from: u64, to: u64, length: u64) {
        let from = self.index(from);
        let to = self.index(to);
        self.bytes.copy_within(from..from + length as usize, to);
    }
}
