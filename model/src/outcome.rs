//! What an implementation answered.

use crate::observation::{MappingView, RegionView};
use linux_raw_sys::errno;

/// The answer to one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It succeeded.
    Ok(Value),
    /// It failed.
    Error(Errno),
    /// The implementation died, hung or complained: its own words.
    Crash(String),
    /// The target cannot perform this operation; nothing was done.
    Unsupported,
}

/// What a successful operation returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing but success (a descriptor or process was made, or the call returns 0).
    Done,
    /// An address: mmap, mremap, shmat.
    Address(u64),
    /// A number of bytes or of processes: write, poke, futex wake.
    Count(u64),
    /// Bytes: load, read, peek. Shorter than asked for where the object ended.
    Bytes(Vec<u8>),
    /// `/proc/<pid>/maps`, in the order it was listed.
    Mappings(Vec<MappingView>),
    /// `/proc/maps`, in the order it was listed.
    Regions(Vec<RegionView>),
    /// shmctl stat.
    Segment {
        /// Bytes.
        size: u64,
        /// How many mappings are attached.
        attached: u64,
    },
}

macro_rules! errnos {
    ($($name:ident),* $(,)?) => {
        /// An error number, by its name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, clippy::upper_case_acronyms)]
        pub enum Errno { $($name),* }

        impl Errno {
            /// Every error number that the vocabulary has.
            pub const ALL: &[Errno] = &[$(Errno::$name),*];

            /// Its name, in capitals.
            pub fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name)),* }
            }

            /// Its number on Linux.
            pub fn number(self) -> u32 {
                match self { $(Errno::$name => errno::$name),* }
            }
        }
    };
}

errnos!(
    EPERM, ENOENT, ESRCH, EINTR, EIO, ENXIO, E2BIG, ENOEXEC, EBADF, ECHILD, EAGAIN, ENOMEM, EACCES,
    EFAULT, EBUSY, EEXIST, ENODEV, ENOTDIR, EISDIR, EINVAL, ENFILE, EMFILE, ENOTTY, ETXTBSY, EFBIG,
    ENOSPC, ESPIPE, EROFS, EPIPE, ERANGE, ENOSYS, EOVERFLOW, EOPNOTSUPP, ETIMEDOUT, EIDRM, EUCLEAN,
);

impl Errno {
    /// The error of this number, if the vocabulary has it.
    pub fn from_number(number: u32) -> Option<Errno> {
        Self::ALL
            .iter()
            .copied()
            .find(|errno| errno.number() == number)
    }

    /// The error of this name, in capitals or small letters.
    pub fn from_name(name: &str) -> Option<Errno> {
        Self::ALL
            .iter()
            .copied()
            .find(|errno| errno.name().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Display for Errno {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
