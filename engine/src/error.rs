//! Why a call failed.

use core::fmt;
use linux_raw_sys::errno;

/// An error number of Linux. Drivers may answer with any; the engine's own are the constants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(u16);

macro_rules! errnos {
    ($($name:ident)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno(errno::$name as u16);)*
        }

        impl Errno {
            /// Its name in capitals, for those that have a constant here.
            pub fn name(self) -> Option<&'static str> {
                $(if self == Errno::$name { return Some(stringify!($name)); })*
                None
            }
        }
    };
}

errnos! {
    EACCES EAGAIN EBADF EBUSY EEXIST EFAULT EFBIG EIDRM EINVAL EIO EISDIR ENODEV ENOENT ENOEXEC
    ENOMEM ENOSPC ENOSYS EOVERFLOW EPERM EROFS ESPIPE ESRCH ETIMEDOUT ETXTBSY
}

impl Errno {
    /// The error of this number.
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => formatter.write_str(name),
            None => write!(formatter, "errno {}", self.0),
        }
    }
}

impl core::error::Error for Errno {}

/// What a call returns.
pub type Result<T> = core::result::Result<T, Errno>;
