//! What was performed, and which rules had a say.

use nommu_model::op::{Call, Operation};
use nommu_model::outcome::{Errno, Outcome};

macro_rules! kinds {
    ($($name:literal: $pattern:pat,)*) => {
        /// What an operation is called.
        fn kind_of(operation: &Operation) -> usize {
            let mut kind = 0;
            $(
                if matches!(operation, $pattern) {
                    return kind;
                }
                kind += 1;
            )*
            kind
        }

        const KINDS: &[&str] = &[$($name),*];
    };
}

kinds! {
    "mmap": Operation::Call(_, Call::Mmap(_)),
    "munmap": Operation::Call(_, Call::Munmap { .. }),
    "store": Operation::Call(_, Call::Store { .. }),
    "load": Operation::Call(_, Call::Load { .. }),
    "open": Operation::Call(_, Call::Open { .. }),
    "ftruncate": Operation::Call(_, Call::Ftruncate { .. }),
    "mremap": Operation::Call(_, Call::Mremap { .. }),
    "exit": Operation::Call(_, Call::Exit),
    "shmat": Operation::Call(_, Call::Shmat { .. }),
    "shmget": Operation::Call(_, Call::Shmget { .. }),
    "shmdt": Operation::Call(_, Call::Shmdt(_)),
    "driver": Operation::Driver(..),
    "sysctl": Operation::SetTrim(_),
    "pipe": Operation::Call(_, Call::Pipe { .. }),
    "socket": Operation::Call(_, Call::Socket { .. }),
    "close": Operation::Call(_, Call::Close(_)),
    "dup": Operation::Call(_, Call::Dup { .. }),
    "read": Operation::Call(_, Call::Read { .. }),
    "write": Operation::Call(_, Call::Write { .. }),
    "truncate": Operation::Call(_, Call::Truncate { .. }),
    "unlink": Operation::Call(_, Call::Unlink(_)),
    "fork": Operation::Call(_, Call::Fork { .. }),
    "vfork": Operation::Call(_, Call::Vfork { .. }),
    "clone": Operation::Call(_, Call::Clone { .. }),
    "exec": Operation::Call(_, Call::Exec { .. }),
    "ptrace_attach": Operation::Call(_, Call::PtraceAttach(_)),
    "ptrace_detach": Operation::Call(_, Call::PtraceDetach(_)),
    "ptrace_peek": Operation::Call(_, Call::PtracePeek { .. }),
    "ptrace_poke": Operation::Call(_, Call::PtracePoke { .. }),
    "shmctl remove": Operation::Call(_, Call::ShmRemove(_)),
    "shmctl stat": Operation::Call(_, Call::ShmStat(_)),
    "futex_wait": Operation::Call(_, Call::FutexWait { .. }),
    "futex_wake": Operation::Call(_, Call::FutexWake { .. }),
    "maps": Operation::Call(_, Call::SystemMaps { .. }),
    "maps of a process": Operation::Call(_, Call::ProcessMaps { .. }),
    "unsupported": Operation::Call(_, Call::Unsupported { .. }),
}

/// What kind of operation one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationKind(u8);

impl OperationKind {
    /// The kind of an operation.
    pub fn of(operation: &Operation) -> Self {
        Self(kind_of(operation) as u8)
    }

    /// Every kind.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..KINDS.len() as u8).map(Self)
    }

    /// The one with this place among [`OperationKind::all`].
    pub fn numbered(number: usize) -> Self {
        Self(number as u8)
    }

    /// Its place among [`OperationKind::all`].
    pub fn number(self) -> usize {
        usize::from(self.0)
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        KINDS[usize::from(self.0)]
    }
}

/// What kind of answer one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeClass {
    /// It succeeded.
    Ok,
    /// It failed.
    Error(Errno),
    /// The target cannot do it.
    Unsupported,
    /// It could not be performed.
    Skipped,
}

const CLASSES: usize = Errno::ALL.len() + 3;

impl OutcomeClass {
    /// How many there are.
    pub const COUNT: usize = CLASSES;

    /// The class of an answer.
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Ok(_) => OutcomeClass::Ok,
            Outcome::Error(errno) => OutcomeClass::Error(*errno),
            Outcome::Unsupported | Outcome::Crash(_) => OutcomeClass::Unsupported,
        }
    }

    /// Its place among all.
    pub fn number(self) -> usize {
        self.index()
    }

    /// The one with this place among all.
    pub fn numbered(number: usize) -> Self {
        Self::at(number)
    }

    fn index(self) -> usize {
        match self {
            OutcomeClass::Ok => 0,
            OutcomeClass::Unsupported => 1,
            OutcomeClass::Skipped => 2,
            OutcomeClass::Error(errno) => 3 + errno as usize,
        }
    }

    fn at(index: usize) -> Self {
        match index {
            0 => OutcomeClass::Ok,
            1 => OutcomeClass::Unsupported,
            2 => OutcomeClass::Skipped,
            _ => OutcomeClass::Error(Errno::ALL[index - 3]),
        }
    }
}

impl std::fmt::Display for OutcomeClass {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            OutcomeClass::Ok => formatter.write_str("ok"),
            OutcomeClass::Error(errno) => errno.fmt(formatter),
            OutcomeClass::Unsupported => formatter.write_str("unsupported"),
            OutcomeClass::Skipped => formatter.write_str("skipped"),
        }
    }
}

/// Counts of what was performed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Operations that were performed.
    pub performed: u64,
    /// By kind, then by class; empty when nothing was counted.
    outcomes: Vec<u64>,
    /// For each rule, in the order of the table: how often it held and was broken.
    pub rules: Vec<RuleTally>,
}

/// How often a rule had a say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleTally {
    /// It applied and held.
    pub held: u64,
    /// It was broken.
    pub broken: u64,
}

impl Tally {
    /// What a report says of so many operations and of the rules, in the order of the table.
    pub fn of_rules(performed: u64, rules: Vec<RuleTally>) -> Self {
        Self {
            performed,
            outcomes: Vec::new(),
            rules,
        }
    }

    pub(super) fn count(&mut self, operation: &Operation, outcome: &Outcome) {
        self.performed += 1;
        self.add(OperationKind::of(operation), OutcomeClass::of(outcome));
    }

    pub(super) fn skip(&mut self, operation: &Operation) {
        self.add(OperationKind::of(operation), OutcomeClass::Skipped);
    }

    fn add(&mut self, kind: OperationKind, class: OutcomeClass) {
        if self.outcomes.is_empty() {
            self.outcomes.resize(KINDS.len() * CLASSES, 0);
        }
        self.outcomes[usize::from(kind.0) * CLASSES + class.index()] += 1;
    }

    /// Adds the counts of another.
    pub fn merge(&mut self, other: &Tally) {
        self.performed += other.performed;
        self.outcomes
            .resize(self.outcomes.len().max(other.outcomes.len()), 0);
        for (ours, theirs) in self.outcomes.iter_mut().zip(&other.outcomes) {
            *ours += theirs;
        }
        self.rules.resize(
            self.rules.len().max(other.rules.len()),
            RuleTally::default(),
        );
        for (ours, theirs) in self.rules.iter_mut().zip(&other.rules) {
            ours.held += theirs.held;
            ours.broken += theirs.broken;
        }
    }

    /// How often a kind of operation ended so.
    pub fn outcome(&self, kind: OperationKind, class: OutcomeClass) -> u64 {
        let place = usize::from(kind.0) * CLASSES + class.index();
        self.outcomes.get(place).copied().unwrap_or(0)
    }

    /// Everything that was seen at least once, by kind, then by class.
    pub fn outcomes(&self) -> impl Iterator<Item = (OperationKind, OutcomeClass, u64)> + '_ {
        let place = |(index, &count): (usize, &u64)| {
            let kind = OperationKind((index / CLASSES) as u8);
            (kind, OutcomeClass::at(index % CLASSES), count)
        };
        self.outcomes
            .iter()
            .enumerate()
            .map(place)
            .filter(|&(_, _, count)| count > 0)
    }
}
