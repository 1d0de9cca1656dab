//! The names that a trace binds: what they look like, and which are bound so far.

use std::collections::BTreeSet;
use std::ops::Range;

/// What names are bound so far.
pub struct Names {
    /// Whether any name may be used and bound, whatever came before.
    pub(super) any: bool,
    processes: BTreeSet<u16>,
    descriptors: BTreeSet<u16>,
    mappings: BTreeSet<u16>,
    segments: BTreeSet<u16>,
}

impl Names {
    /// Only the processes that exist at the start.
    pub fn new(processes: u16) -> Self {
        Self {
            any: false,
            processes: (0..processes).collect(),
            descriptors: BTreeSet::new(),
            mappings: BTreeSet::new(),
            segments: BTreeSet::new(),
        }
    }

    /// All there can be, for an operation without the ones before it.
    pub fn any() -> Self {
        Self {
            any: true,
            ..Self::new(0)
        }
    }

    pub(super) fn of(&mut self, sort: Sort) -> &mut BTreeSet<u16> {
        match sort {
            Sort::Process => &mut self.processes,
            Sort::Descriptor => &mut self.descriptors,
            Sort::Mapping => &mut self.mappings,
            Sort::Segment => &mut self.segments,
        }
    }
}

/// What sort of thing a name stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Process,
    Descriptor,
    Mapping,
    Segment,
}

impl Sort {
    pub(super) fn letter(self) -> char {
        match self {
            Sort::Process => 'p',
            Sort::Descriptor => 'f',
            Sort::Mapping => 'm',
            Sort::Segment => 's',
        }
    }

    pub(super) fn expected(self) -> &'static str {
        match self {
            Sort::Process => "a process such as `p0`",
            Sort::Descriptor => "a descriptor such as `f0`",
            Sort::Mapping => "a mapping such as `m0`",
            Sort::Segment => "a segment such as `s0`",
        }
    }

    /// The number of a name of this sort.
    pub(super) fn number(self, word: &str) -> Option<u16> {
        let digits = word.strip_prefix(self.letter())?;
        let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        is_plain.then(|| digits.parse().ok()).flatten()
    }
}

/// A name that a call binds.
pub(super) struct Bound {
    pub(super) number: u16,
    pub(super) sort: Sort,
    pub(super) span: Range<usize>,
}
