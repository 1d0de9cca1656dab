//! Families of operations.

use crate::op::{Call, Operation};
use bitflags::bitflags;

bitflags! {
    /// Families of operations, so that a step asks only the rules that can have a say.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Kinds: u32 {
        /// mmap.
        const MMAP = 1;
        /// munmap.
        const MUNMAP = 1 << 1;
        /// mremap.
        const MREMAP = 1 << 2;
        /// Load.
        const LOAD = 1 << 3;
        /// Store.
        const STORE = 1 << 4;
        /// open.
        const OPEN = 1 << 5;
        /// pipe, socket, close, dup.
        const DESCRIPTOR = 1 << 6;
        /// read.
        const READ = 1 << 7;
        /// write.
        const WRITE = 1 << 8;
        /// truncate and ftruncate.
        const TRUNCATE = 1 << 9;
        /// unlink.
        const UNLINK = 1 << 10;
        /// fork.
        const FORK = 1 << 11;
        /// vfork.
        const VFORK = 1 << 12;
        /// clone.
        const CLONE = 1 << 13;
        /// exec.
        const EXEC = 1 << 14;
        /// exit.
        const EXIT = 1 << 15;
        /// ptrace attach and detach.
        const TRACE = 1 << 16;
        /// ptrace peek.
        const PEEK = 1 << 17;
        /// ptrace poke.
        const POKE = 1 << 18;
        /// shmget.
        const SHMGET = 1 << 19;
        /// shmat.
        const SHMAT = 1 << 20;
        /// shmdt.
        const SHMDT = 1 << 21;
        /// shmctl.
        const SHMCTL = 1 << 22;
        /// futex.
        const FUTEX = 1 << 23;
        /// Reading /proc/maps.
        const SYSTEM_MAPS = 1 << 24;
        /// Reading /proc/<pid>/maps.
        const PROCESS_MAPS = 1 << 25;
        /// mprotect and its like.
        const UNSUPPORTED = 1 << 26;
        /// The sysctl.
        const TRIM = 1 << 27;
        /// A driver changes.
        const DRIVER = 1 << 28;
        /// What releases mappings.
        const RELEASES = Self::MUNMAP.bits() | Self::EXEC.bits() | Self::EXIT.bits() | Self::SHMDT.bits();
    }
}

impl Kinds {
    /// The family of an operation.
    pub fn of(operation: &Operation) -> Kinds {
        let call = match operation {
            Operation::SetTrim(_) => return Kinds::TRIM,
            Operation::Driver(..) => return Kinds::DRIVER,
            Operation::Call(_, call) => call,
        };
        match call {
            Call::Mmap(_) => Kinds::MMAP,
            Call::Munmap { .. } => Kinds::MUNMAP,
            Call::Mremap { .. } => Kinds::MREMAP,
            Call::Load { .. } => Kinds::LOAD,
            Call::Store { .. } => Kinds::STORE,
            Call::Open { .. } => Kinds::OPEN,
            Call::Pipe { .. } | Call::Socket { .. } | Call::Close(_) | Call::Dup { .. } => {
                Kinds::DESCRIPTOR
            }
            Call::Read { .. } => Kinds::READ,
            Call::Write { .. } => Kinds::WRITE,
            Call::Ftruncate { .. } | Call::Truncate { .. } => Kinds::TRUNCATE,
            Call::Unlink(_) => Kinds::UNLINK,
            Call::Fork { .. } => Kinds::FORK,
            Call::Vfork { .. } => Kinds::VFORK,
            Call::Clone { .. } => Kinds::CLONE,
            Call::Exec { .. } => Kinds::EXEC,
            Call::Exit => Kinds::EXIT,
            Call::PtraceAttach(_) | Call::PtraceDetach(_) => Kinds::TRACE,
            Call::PtracePeek { .. } => Kinds::PEEK,
            Call::PtracePoke { .. } => Kinds::POKE,
            Call::Shmget { .. } => Kinds::SHMGET,
            Call::Shmat { .. } => Kinds::SHMAT,
            Call::Shmdt(_) => Kinds::SHMDT,
            Call::ShmRemove(_) | Call::ShmStat(_) => Kinds::SHMCTL,
            Call::FutexWait { .. } | Call::FutexWake { .. } => Kinds::FUTEX,
            Call::SystemMaps { .. } => Kinds::SYSTEM_MAPS,
            Call::ProcessMaps { .. } => Kinds::PROCESS_MAPS,
            Call::Unsupported { .. } => Kinds::UNSUPPORTED,
        }
    }
}
