//! What a trace asks an implementation to do.
//!
//! Everything symbolic stays symbolic: a mapping is named by the call that made it
//! ([`MappingName`]), a descriptor by the call that opened it, so that one trace means the
//! same on every implementation. The text form of these types is `specs/trace.md`.

use bitflags::bitflags;

/// `p3`: a process. Processes that exist from the start come first, then each creating call
/// names the next, whether or not it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process(pub u16);

/// `m3`: what a call that returns an address returned. A call that failed binds address 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingName(pub u16);

/// `f3`: a descriptor, as bound by the call that made it. A child made by vfork or clone
/// inherits its parent's descriptors under the same names; elsewhere the name is a bad
/// descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Descriptor(pub u16);

/// `s3`: a SysV shared memory segment, as bound by `shmget`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName(pub u16);

/// An address as a trace writes it. Arithmetic wraps at 2^64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// `m3+0x10`, `m3-0x1000`: bytes from what a call returned.
    Of(MappingName, i64),
    /// `0x1234`: a number.
    Absolute(u64),
}

bitflags! {
    /// What a mapping may be used for. No bit is `none`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Protection: u8 {
        /// `r`, PROT_READ.
        const READ = 1;
        /// `w`, PROT_WRITE.
        const WRITE = 2;
        /// `x`, PROT_EXEC.
        const EXEC = 4;
    }

    /// Flags of mmap. `shared` and `private` may both be absent, or both be given: that is
    /// an error an implementation must notice.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct MapFlags: u8 {
        /// `shared`, MAP_SHARED.
        const SHARED = 1;
        /// `private`, MAP_PRIVATE.
        const PRIVATE = 2;
        /// `fixed`, MAP_FIXED.
        const FIXED = 4;
        /// `uninitialized`, MAP_UNINITIALIZED (lines 138-142).
        const UNINITIALIZED = 8;
    }

    /// Flags of mremap.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct RemapFlags: u8 {
        /// `maymove`, MREMAP_MAYMOVE.
        const MAYMOVE = 1;
        /// `fixed`, MREMAP_FIXED; goes with a new address.
        const FIXED = 2;
    }

    /// Flags of open.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct OpenFlags: u8 {
        /// `r`: for reading.
        const READ = 1;
        /// `w`: for writing. `rw` is both.
        const WRITE = 2;
        /// `create`: make the file if it is not there.
        const CREATE = 4;
        /// `truncate`: cut it to nothing.
        const TRUNCATE = 8;
    }

    /// Flags of shmget.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct SegmentFlags: u8 {
        /// `create`, IPC_CREAT.
        const CREATE = 1;
        /// `exclusive`, IPC_EXCL.
        const EXCLUSIVE = 2;
    }

    /// What a backing device can do (lines 45-51, 211-214).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Capabilities: u8 {
        /// `copy`, NOMMU_MAP_COPY: it can be read into memory.
        const COPY = 1;
        /// `direct`, NOMMU_MAP_DIRECT: it can be mapped where it is.
        const DIRECT = 2;
        /// `read`, NOMMU_MAP_READ: a direct mapping may be readable.
        const READ = 4;
        /// `write`, NOMMU_MAP_WRITE: a direct mapping may be writable.
        const WRITE = 8;
        /// `exec`, NOMMU_MAP_EXEC: a direct mapping may be executable.
        const EXEC = 16;
    }
}

/// Bytes to write: `"A"*16`, one byte value and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fill {
    /// The value of every byte.
    pub byte: u8,
    /// How many bytes.
    pub count: u64,
}

/// One operation of a trace: a system call by a process, or something that happens to the
/// system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `p0  munmap(m0, 0x1000)`.
    Call(Process, Call),
    /// `sysctl vm.nr_trim_pages=4`: the trim watermark in pages (line 283).
    SetTrim(u64),
    /// `driver "/dev/chr0" area=enosys`: a character device's driver changes its answers.
    Driver(Path, Script),
}

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `m0 = mmap(len=0x1000, prot=rw, flags=private)`; no `fd` means anonymous memory.
    Mmap(Mmap),
    /// `munmap(m0, 0x1000)`.
    Munmap {
        /// First byte.
        address: Address,
        /// Bytes.
        length: u64,
    },
    /// `m1 = mremap(m0, 0x1000, 0x2000, maymove)`.
    Mremap {
        /// Names what the call returns.
        result: MappingName,
        /// First byte of the mapping.
        address: Address,
        /// Its length in bytes.
        old_length: u64,
        /// The length wanted, in bytes.
        new_length: u64,
        /// Flags.
        flags: RemapFlags,
        /// Where to, with [`RemapFlags::FIXED`].
        new_address: Option<Address>,
    },
    /// `load(m0+0x10, 0x8)`: the program reads its memory.
    Load {
        /// First byte.
        address: Address,
        /// Bytes.
        length: u64,
    },
    /// `store(m0, "A"*16)`: the program writes its memory.
    Store {
        /// First byte.
        address: Address,
        /// What to write.
        data: Fill,
    },
    /// `f0 = open("/ram/a", create|rw)`.
    Open {
        /// Names the descriptor.
        result: Descriptor,
        /// What to open.
        path: Path,
        /// How.
        flags: OpenFlags,
    },
    /// `f0 f1 = pipe()`: the reading and the writing end.
    Pipe {
        /// Names the reading end.
        reading: Descriptor,
        /// Names the writing end.
        writing: Descriptor,
    },
    /// `f0 = socket()`.
    Socket {
        /// Names the descriptor.
        result: Descriptor,
    },
    /// `close(f0)`.
    Close(Descriptor),
    /// `f1 = dup(f0)`.
    Dup {
        /// Names the new descriptor.
        result: Descriptor,
        /// What is duplicated.
        descriptor: Descriptor,
    },
    /// `read(f0, off=0x0, len=0x10)`, at a position (pread).
    Read {
        /// The file.
        descriptor: Descriptor,
        /// Byte offset.
        offset: u64,
        /// Bytes.
        length: u64,
    },
    /// `write(f0, off=0x0, "A"*16)`, at a position (pwrite).
    Write {
        /// The file.
        descriptor: Descriptor,
        /// Byte offset.
        offset: u64,
        /// What to write.
        data: Fill,
    },
    /// `ftruncate(f0, 0x3000)`.
    Ftruncate {
        /// The file.
        descriptor: Descriptor,
        /// The new size in bytes.
        length: u64,
    },
    /// `truncate("/ram/a", 0x3000)`.
    Truncate {
        /// The file.
        path: Path,
        /// The new size in bytes.
        length: u64,
    },
    /// `unlink("/ram/a")`.
    Unlink(Path),
    /// `p1  = fork(p0)` (line 13: there is none).
    Fork {
        /// Names the child.
        result: Process,
    },
    /// `p1  = vfork(p0)`: the parent is suspended until the child execs or exits.
    Vfork {
        /// Names the child.
        result: Process,
    },
    /// `p1  = clone(p0, vm)`; `clone(p0)` is without CLONE_VM.
    Clone {
        /// Names the child.
        result: Process,
        /// Whether CLONE_VM is given (line 14).
        shares_memory: bool,
    },
    /// `exec("/rom/a", stack=0x1000)`: replaces the program.
    Exec {
        /// The program.
        path: Path,
        /// Bytes of stack and heap to map for it.
        stack: u64,
    },
    /// `exit()`.
    Exit,
    /// `ptrace_attach(p1)`: the tracee keeps running.
    PtraceAttach(Process),
    /// `ptrace_detach(p1)`.
    PtraceDetach(Process),
    /// `ptrace_peek(p1, m0, 0x8)`: reads a tracee's memory.
    PtracePeek {
        /// The tracee.
        process: Process,
        /// First byte, in the tracee.
        address: Address,
        /// Bytes.
        length: u64,
    },
    /// `ptrace_poke(p1, m0, "A"*4)`: writes a tracee's memory.
    PtracePoke {
        /// The tracee.
        process: Process,
        /// First byte, in the tracee.
        address: Address,
        /// What to write.
        data: Fill,
    },
    /// `s0 = shmget(key=1, size=0x2000, create)`; `key=private` is IPC_PRIVATE.
    Shmget {
        /// Names the segment.
        result: SegmentName,
        /// The key; 0 is IPC_PRIVATE.
        key: u32,
        /// Bytes.
        size: u64,
        /// Flags.
        flags: SegmentFlags,
    },
    /// `m0 = shmat(s0)`, `shmat(s0, readonly)`.
    Shmat {
        /// Names what the call returns.
        result: MappingName,
        /// The segment.
        segment: SegmentName,
        /// Whether SHM_RDONLY is given.
        read_only: bool,
    },
    /// `shmdt(m0)`.
    Shmdt(Address),
    /// `shmctl(s0, remove)`, IPC_RMID.
    ShmRemove(SegmentName),
    /// `shmctl(s0, stat)`, IPC_STAT.
    ShmStat(SegmentName),
    /// `futex_wait(m0+0x4, 0)`: waits no time at all, so it answers EAGAIN where the word
    /// differs from `expected` and ETIMEDOUT where it does not.
    FutexWait {
        /// The word.
        address: Address,
        /// What it is expected to hold.
        expected: u32,
    },
    /// `futex_wake(m0+0x4, 1)`.
    FutexWake {
        /// The word.
        address: Address,
        /// How many waiters to wake at most.
        count: u32,
    },
    /// `maps()`: reads `/proc/maps` (lines 147-148), at most `chunk` bytes at a time.
    SystemMaps {
        /// Bytes of one read; 0 is as many as there are.
        chunk: u64,
    },
    /// `maps(p1)`: reads `/proc/<pid>/maps` (lines 150-151), at most `chunk` bytes at a time.
    ProcessMaps {
        /// Whose.
        process: Process,
        /// Bytes of one read; 0 is as many as there are.
        chunk: u64,
    },
    /// `mprotect(m0, 0x1000)` and its like, which no-MMU systems do not have.
    Unsupported {
        /// Which.
        call: UnsupportedCall,
        /// First byte.
        address: Address,
        /// Bytes.
        length: u64,
    },
}

/// Arguments of mmap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mmap {
    /// Names what the call returns.
    pub result: MappingName,
    /// `addr=`: a particular address, if one is asked for.
    pub address: Option<Address>,
    /// `len=`: bytes.
    pub length: u64,
    /// `prot=`.
    pub protection: Protection,
    /// `flags=`.
    pub flags: MapFlags,
    /// `fd=`: the object; none for anonymous memory.
    pub descriptor: Option<Descriptor>,
    /// `off=`: byte offset into the object.
    pub offset: u64,
}

/// Calls that need an MMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnsupportedCall {
    /// Changes protection.
    Mprotect,
    /// Writes back.
    Msync,
    /// Pins.
    Mlock,
    /// Advises.
    Madvise,
    /// Asks what is resident.
    Mincore,
}

/// An absolute path. The first component says what kind of object it is; see
/// [`crate::world::file::Kind`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub std::sync::Arc<str>);

/// What changes in a scripted driver; absent fields stay as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Script {
    /// `capabilities=direct|read`; `capabilities=default` declares none (lines 212-214).
    pub capabilities: Option<Option<Capabilities>>,
    /// `area=`: what `get_unmapped_area` answers.
    pub area: Option<Answer>,
    /// `mmap=`: what `mmap` answers; it cannot be absent.
    pub mmap: Option<Answer>,
    /// `read=yes|no`: whether it has a read method (line 156).
    pub read: Option<bool>,
    /// `busy=yes|no`: whether the device shows its status in place of its data (line 233).
    pub busy: Option<bool>,
}

/// What a driver's operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// `absent`: the driver does not have the operation.
    Absent,
    /// `ok`.
    Ok,
    /// `enosys`, or any other error by its name in small letters.
    Error(crate::outcome::Errno),
}
