//! Flags of the calls, with the values Linux gives them.

use bitflags::bitflags;
use linux_raw_sys::general;

bitflags! {
    /// What a mapping may be used for.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Protection: u8 {
        /// PROT_READ.
        const READ = general::PROT_READ as u8;
        /// PROT_WRITE.
        const WRITE = general::PROT_WRITE as u8;
        /// PROT_EXEC.
        const EXEC = general::PROT_EXEC as u8;
    }

    /// Flags of mmap. Whether there is an object is told by the descriptor, not by a flag.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MapFlags: u32 {
        /// MAP_SHARED.
        const SHARED = general::MAP_SHARED;
        /// MAP_PRIVATE.
        const PRIVATE = general::MAP_PRIVATE;
        /// MAP_FIXED.
        const FIXED = general::MAP_FIXED;
        /// MAP_UNINITIALIZED (lines 138-142).
        const UNINITIALIZED = general::MAP_UNINITIALIZED;
    }

    /// Flags of mremap.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct RemapFlags: u32 {
        /// MREMAP_MAYMOVE.
        const MAYMOVE = general::MREMAP_MAYMOVE;
        /// MREMAP_FIXED.
        const FIXED = general::MREMAP_FIXED;
    }

    /// How a file is opened.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct OpenFlags: u8 {
        /// For reading.
        const READ = 1;
        /// For writing.
        const WRITE = 2;
        /// O_CREAT.
        const CREATE = 4;
        /// O_TRUNC.
        const TRUNCATE = 8;
    }

    /// Flags of shmget.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SegmentFlags: u8 {
        /// IPC_CREAT.
        const CREATE = 1;
        /// IPC_EXCL.
        const EXCLUSIVE = 2;
    }

    /// What a backing device permits (lines 45-51 and 211-214).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Capabilities: u8 {
        /// NOMMU_MAP_COPY: it can be read into memory.
        const COPY = 1;
        /// NOMMU_MAP_DIRECT: it can be mapped where it is.
        const DIRECT = 2;
        /// NOMMU_MAP_READ: a direct mapping may be readable.
        const READ = 4;
        /// NOMMU_MAP_WRITE: a direct mapping may be writable.
        const WRITE = 8;
        /// NOMMU_MAP_EXEC: a direct mapping may be executable.
        const EXEC = 16;
    }
}

impl Capabilities {
    /// Whether a direct mapping may have this protection.
    pub(crate) fn permit(self, protection: Protection) -> bool {
        let needed = [
            (Protection::READ, Capabilities::READ),
            (Protection::WRITE, Capabilities::WRITE),
            (Protection::EXEC, Capabilities::EXEC),
        ];
        needed
            .iter()
            .all(|&(asked, capability)| !protection.contains(asked) || self.contains(capability))
    }
}
