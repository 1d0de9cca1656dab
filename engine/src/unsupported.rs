//! Calls that need an MMU.

use crate::engine::Engine;
use crate::error::{Errno, Result};
use crate::memory::Memory;
use crate::request::Pid;

macro_rules! unsupported {
    ($($(#[$meta:meta])* $call:ident)*) => {
        impl<M: Memory> Engine<M> {
            $(
                $(#[$meta])*
                ///
                /// # Errors
                ///
                /// `ENOSYS`, always.
                pub fn $call(&self, pid: Pid, _address: u64, _length: u64) -> Result<()> {
                    self.caller(pid)?;
                    Err(Errno::ENOSYS)
                }
            )*
        }
    };
}

unsupported! {
    /// Would change protection.
    mprotect
    /// Would write back.
    msync
    /// Would pin.
    mlock
    /// Would advise.
    madvise
    /// Would say what is resident.
    mincore
}
