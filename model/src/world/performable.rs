//! Whether an operation can be performed at all.

use super::World;
use crate::op::{Answer, Call, Descriptor, OpenFlags, Operation, Path, Process};

/// An operation that no target is asked to perform in this world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPerformable {
    /// Why.
    pub reason: String,
}

/// Processes, files, segments and open files are numbered up to here: a limit on what a world
/// costs.
const MOST_NUMBERED: usize = 1 << 14;

impl World {
    /// Whether targets are asked to perform an operation here. A process that is dead or
    /// suspended calls nothing; lockstep leaves such operations out, on all targets alike.
    ///
    /// # Errors
    ///
    /// With the reason why not.
    pub fn performable(&self, operation: &Operation) -> Result<(), NotPerformable> {
        match self.hindrance(operation) {
            None => Ok(()),
            Some(reason) => Err(NotPerformable { reason }),
        }
    }

    fn hindrance(&self, operation: &Operation) -> Option<String> {
        match operation {
            Operation::Call(process, call) => self
                .suspended(*process)
                .or_else(|| self.misnamed(*process, call)),
            Operation::SetTrim(_) => None,
            Operation::Driver(path, script) => {
                let mut files = self.files.iter();
                let has_driver =
                    files.any(|file| file.path.as_ref() == Some(path) && file.driver.is_some());
                if !has_driver {
                    return Some(format!("{} has no scripted driver", path.0));
                }
                let absent = script.mmap == Some(Answer::Absent);
                absent.then(|| "a driver's mmap operation cannot be absent".to_owned())
            }
        }
    }

    fn suspended(&self, process: Process) -> Option<String> {
        let number = process.0;
        match self.process(process) {
            None => Some(format!("p{number} was never made")),
            Some(state) if !state.alive => Some(format!("p{number} is dead")),
            Some(state) => state
                .waits_for
                .map(|child| format!("p{number} waits until p{} execs or exits", child.0)),
        }
    }

    fn misnamed(&self, process: Process, call: &Call) -> Option<String> {
        match call {
            Call::Fork { result } | Call::Vfork { result } | Call::Clone { result, .. } => {
                let next = self.processes.len();
                if usize::from(result.0) != next {
                    return Some(format!("the next process is p{next}, not p{}", result.0));
                }
                full(next, "processes")
            }
            Call::Open {
                result,
                path,
                flags,
            } => self
                .bound(process, *result)
                .or_else(|| malformed(path))
                .or_else(|| {
                    let modes = OpenFlags::READ | OpenFlags::WRITE;
                    (!flags.intersects(modes)).then(|| "open needs r or w".to_owned())
                })
                .or_else(|| {
                    let cuts = flags.contains(OpenFlags::TRUNCATE);
                    let writes = flags.contains(OpenFlags::WRITE);
                    (cuts && !writes).then(|| "open with truncate needs w".to_owned())
                })
                .or_else(|| full(self.files.len(), "files"))
                .or_else(|| full(self.open_files.len(), "open files")),
            Call::Pipe { reading, writing } => (reading == writing)
                .then(|| "the ends of a pipe need two names".to_owned())
                .or_else(|| self.bound(process, *reading))
                .or_else(|| self.bound(process, *writing))
                .or_else(|| full(self.open_files.len(), "open files")),
            Call::Socket { result } => self
                .bound(process, *result)
                .or_else(|| full(self.open_files.len(), "open files")),
            Call::Dup { result, .. } => self.bound(process, *result),
            Call::Truncate { path, .. } | Call::Unlink(path) | Call::Exec { path, .. } => {
                malformed(path)
            }
            Call::Shmget { .. } => full(self.segments.len(), "segments"),
            _ => None,
        }
    }

    fn bound(&self, process: Process, name: Descriptor) -> Option<String> {
        let state = self.process(process)?;
        let is_bound = state.descriptors.contains_key(&name);
        is_bound.then(|| format!("f{} is open in p{} already", name.0, process.0))
    }
}

fn full(count: usize, what: &str) -> Option<String> {
    (count >= MOST_NUMBERED).then(|| format!("there are {MOST_NUMBERED} {what} already"))
}

/// Paths are `/directory` or `/directory/name`.
fn malformed(path: &Path) -> Option<String> {
    let mut parts = path.0.split('/');
    let rooted = parts.next() == Some("");
    let directory = parts.next().is_some_and(|part| !part.is_empty());
    let name = parts.next();
    let whole = match name {
        Some(name) => !name.is_empty(),
        // Devices have a directory that is none of the objects.
        None => &*path.0 != "/dev",
    };
    let well_formed = rooted && directory && whole && parts.next().is_none();
    (!well_formed).then(|| format!("{} is not /directory/name", path.0))
}
