//! Processes and what they have open.

use super::file::FileNumber;
use super::shared::Shared;
use super::space::SpaceNumber;
use crate::op::{Descriptor, Process};
use std::collections::BTreeMap;

/// One process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessState {
    /// Whether it lives.
    pub alive: bool,
    /// Its address space.
    pub space: SpaceNumber,
    /// The vfork child that it waits for.
    pub waits_for: Option<Process>,
    /// Who traces it.
    pub tracer: Option<Process>,
    /// What it has open.
    pub descriptors: Shared<BTreeMap<Descriptor, OpenFileNumber>>,
}

/// An open file's place in [`super::World::open_files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenFileNumber(pub u16);

/// What descriptors stand for; shared by dup and by inheritance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// What is open.
    pub target: OpenTarget,
    /// Whether for reading.
    pub readable: bool,
    /// Whether for writing.
    pub writable: bool,
    /// Descriptors of live processes that stand for it.
    pub descriptors: u32,
}

/// What is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenTarget {
    /// A file, device or directory.
    File(FileNumber),
    /// A pipe's end.
    Pipe,
    /// A socket.
    Socket,
}

impl OpenTarget {
    /// The file, if it is one.
    pub fn file(self) -> Option<FileNumber> {
        match self {
            OpenTarget::File(number) => Some(number),
            OpenTarget::Pipe | OpenTarget::Socket => None,
        }
    }
}
