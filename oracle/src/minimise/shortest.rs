//! Whether there is a shorter trace that breaks the same rules.
//!
//! What is left of a trace when nothing more can be left out need not be the shortest there is:
//! a fault may show in another way, which no small change leads to. So everything that could be
//! done with what the trace names is searched, shortest first, for a sequence with fewer
//! operations that breaks the same rules (`neighbours.rs` says what that is). The search is as
//! that of `check`, and ends after so many transitions, never after some time: it gives the same
//! everywhere.
//!
//! It goes on in a system that is as small as the fault allows, with pages of 16 bytes where
//! that makes no difference.

use super::neighbours::{Lengths, PAGES};
use super::{Minimised, arguments, minimise, names, neighbours};
use crate::explore::product::{Product, State, trace};
use crate::explore::{Moved, Notes, Search, System};
use crate::lockstep::{Divergence, Lockstep, Stop};
use crate::target::TargetError;
use crate::target::engine::EngineTarget;
use crate::trace::{Header, Trace};
use nommu_model::op::Operation;
use serde::{Serialize, Serializer};
use std::num::NonZeroUsize;

/// What is known of the length of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// No sequence of fewer operations breaks the same rules, with what the trace names.
    Shortest,
    /// No single operation can be left out; and none of at most so many operations breaks the
    /// same rules.
    Minimal(u32),
    /// It was made shorter, and there was no time to make it 1-minimal.
    Partial,
    /// Nothing: it was not minimised.
    Unknown,
}

impl Proof {
    /// What the length alone says of a trace that is 1-minimal.
    pub fn of_single(trace: &Trace) -> Self {
        match trace.lines.len() {
            0 | 1 => Proof::Shortest,
            _ => Proof::Minimal(0),
        }
    }
}

impl std::fmt::Display for Proof {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Proof::Shortest => formatter.write_str("shortest (proved)"),
            Proof::Partial => formatter.write_str("shortened, perhaps not 1-minimal"),
            Proof::Unknown => formatter.write_str("not minimised"),
            Proof::Minimal(0) => formatter.write_str("1-minimal"),
            Proof::Minimal(most) => {
                write!(formatter, "1-minimal, and none has at most {most}")
            }
        }
    }
}

impl Serialize for Proof {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Transitions that are looked at for one trace: less than a second's.
const TRANSITIONS: u64 = 60_000;
/// Transitions of a chunk.
const CHUNK: u64 = 1 << 12;
/// Shorter traces that are gone on from at most.
const ROUNDS: usize = 8;

/// Makes a trace that diverges on an engine plainer, and then looks for one that is shorter, until
/// there is none. None when it does not diverge.
///
/// # Errors
///
/// When the engine cannot be made so.
pub fn shortest(
    lockstep: &mut Lockstep<EngineTarget>,
    trace: &Trace,
    deviations: &[String],
    failure: u64,
) -> Result<Option<(Minimised, Proof)>, TargetError> {
    let Some(mut best) = minimise(lockstep, trace, deviations, failure)? else {
        return Ok(None);
    };
    let mut seen = vec![best.trace.to_string()];
    for _ in 0..ROUNDS {
        let Hunted { found, proof } = hunt(lockstep, &best, deviations)?;
        let Some(other) = found else {
            return Ok(Some((best, proof)));
        };
        let shown = other.lines.len();
        let failure = best.failure;
        let plainer = minimise(lockstep, &other, deviations, failure)?;
        let wanted = best.divergence.signature();
        let plainer = plainer.filter(|plainer| plainer.divergence.signature() == wanted);
        let own = best.trace.lines.len();
        let Some(plainer) = plainer.filter(|plainer| plainer.trace.lines.len() <= own) else {
            return Ok(Some((best, Proof::Minimal(shown.saturating_sub(1) as u32))));
        };
        let text = plainer.trace.to_string();
        if seen.contains(&text) {
            return Ok(Some((best, proof)));
        }
        seen.push(text);
        best = plainer;
    }
    let Hunted { proof, .. } = hunt(lockstep, &best, deviations)?;
    Ok(Some((best, proof)))
}

/// What came of a search.
struct Hunted {
    /// Of the traces that are at most as long, the first.
    found: Option<Trace>,
    proof: Proof,
}

fn hunt(
    lockstep: &mut Lockstep<EngineTarget>,
    minimised: &Minimised,
    deviations: &[String],
) -> Result<Hunted, TargetError> {
    let length = minimised.trace.lines.len() as u32;
    let mut header = minimised.trace.header.clone();
    header.failure = minimised.failure;
    let operations: Vec<Operation> = minimised.trace.operations().cloned().collect();
    let signature = minimised.divergence.signature();
    let mut small = Small {
        lockstep,
        deviations,
        signature: &signature,
    };
    let (header, operations) = small.system(header, operations);
    let at_end = minimised.divergence.step.is_none();
    let templates = |lengths, engine| neighbours::templates(&header, &operations, engine, lengths);
    let own = templates(Lengths::Own, lockstep.target().fresh());
    let all = templates(Lengths::All, lockstep.target().fresh());
    let mut hunted = Hunted {
        found: None,
        proof: Proof::Shortest,
    };
    let born = names::processes(&operations, 0);
    for (header, lengths) in headers(header.clone(), born, &operations) {
        // What was found in a plainer system has to be beaten in the next, and what the trace
        // does not name has to be shorter.
        let Some(length) = limit(hunted.found.as_ref(), lengths, length) else {
            continue;
        };
        let config = header.config(deviations.to_vec());
        let templates = match lengths {
            Lengths::Own => &own,
            Lengths::All => &all,
        };
        let scope = neighbours::scope(&header, &operations, templates.clone());
        let product = match Product::on(lockstep.target().fresh(), scope, &config) {
            Ok(product) => product,
            Err(Stop::Target(error)) => return Err(error),
            // It diverges before anything is performed: nothing is shorter.
            Err(Stop::Diverged(_)) => continue,
        };
        let prey = Prey {
            product: &product,
            signature: &signature,
            at_end,
        };
        let bytes = header.page_size * header.pages;
        let transitions = TRANSITIONS / (1 + bytes / 4096);
        let here = prey.hunt(length, transitions);
        if here.found.is_some() || hunted.found.is_none() && lengths == Lengths::Own {
            hunted = here;
        }
    }
    Ok(hunted)
}

/// Operations of a trace that is looked for at most; none where there can be no such trace.
pub(super) fn limit(found: Option<&Trace>, lengths: Lengths, own: u32) -> Option<u32> {
    match (found, lengths) {
        (Some(trace), _) => (trace.lines.len() as u32).checked_sub(1),
        (None, Lengths::All) => own.checked_sub(1),
        (None, Lengths::Own) => Some(own),
    }
}

/// The systems in which a shorter trace is looked for: of the usual size, with the processes that
/// the trace makes there from the start, the plainest, those with a watermark that the trace sets,
/// its own, and one of few pages in which every length is tried.
fn headers(own: Header, born: u16, operations: &[Operation]) -> Vec<(Header, Lengths)> {
    let plain = Header {
        trim: Header::default().trim,
        uninitialized: Header::default().uninitialized,
        ..own.clone()
    };
    let populated = Header {
        processes: own.processes + born,
        ..plain.clone()
    };
    // Whoever makes a process need not be another's neighbour.
    let alone = Header {
        processes: 1,
        ..plain.clone()
    };
    // Some of what is plainest needs more room than the trace does.
    let roomy = Header {
        pages: Header::default().pages,
        ..plain.clone()
    };
    let mut headers = match own.processes > 1 && born > 0 {
        true => vec![alone],
        false => Vec::new(),
    };
    headers.extend([roomy, populated, plain.clone()]);
    headers.retain(Header::fits);
    headers.extend(operations.iter().filter_map(|operation| match operation {
        Operation::SetTrim(trim) => Some(Header {
            trim: *trim,
            ..plain.clone()
        }),
        _ => None,
    }));
    let narrow = Header {
        pages: PAGES,
        ..plain
    };
    headers.push(own);
    headers.dedup();
    let mut headers: Vec<_> = headers
        .into_iter()
        .map(|header| (header, Lengths::Own))
        .collect();
    headers.push((narrow, Lengths::All));
    headers
}

/// Looks for the smallest system in which a trace diverges in the same way.
struct Small<'a> {
    lockstep: &'a mut Lockstep<EngineTarget>,
    deviations: &'a [String],
    signature: &'a [String],
}

impl Small<'_> {
    fn system(
        &mut self,
        mut header: Header,
        mut operations: Vec<Operation>,
    ) -> (Header, Vec<Operation>) {
        if header.page_size > 16 {
            let scaled = arguments::rescale(&operations, header.page_size, 16);
            let smaller = Header {
                page_size: 16,
                ..header.clone()
            };
            if self.diverges(&smaller, &scaled) {
                (header, operations) = (smaller, scaled);
            }
        }
        let pages = [1, 2, 4, 8, 16, 32].into_iter();
        for pages in pages.filter(|&pages| pages < header.pages) {
            let smaller = Header {
                pages,
                ..header.clone()
            };
            if self.diverges(&smaller, &operations) {
                return (smaller, operations);
            }
        }
        (header, operations)
    }

    fn diverges(&mut self, header: &Header, operations: &[Operation]) -> bool {
        let config = header.config(self.deviations.to_vec());
        if !header.fits() || self.lockstep.reset(&config).is_err() {
            return false;
        }
        if header.failure > 0 {
            use crate::target::Target;
            self.lockstep.target_mut().fail_allocation(header.failure);
        }
        let last = operations.len().saturating_sub(1);
        for (number, operation) in operations.iter().enumerate() {
            if let Err(stop) = self.lockstep.step(operation) {
                return number == last && self.is_the_same(&stop);
            }
        }
        match self.lockstep.finish() {
            Ok(()) => false,
            Err(stop) => self.is_the_same(&stop),
        }
    }

    fn is_the_same(&self, stop: &Stop) -> bool {
        let signature = |divergence: &Divergence| divergence.signature();
        matches!(stop, Stop::Diverged(divergence) if signature(divergence) == self.signature)
    }
}

/// The product, where only one way to go wrong is of interest.
struct Prey<'a> {
    product: &'a Product,
    signature: &'a [String],
    /// Whether what is wrong may only show when a trace ends.
    at_end: bool,
}

impl Prey<'_> {
    fn hunt(&self, length: u32, transitions: u64) -> Hunted {
        let mut none_of = 0;
        for depth in 1..=length {
            let mut search = Search::new(NonZeroUsize::MIN);
            search.depth_limit = Some(depth);
            search.transition_limit = Some(transitions);
            search.past_violations = true;
            search.chunk = CHUNK;
            let report = search.run(self).expect("no checkpoint is written");
            let found = report
                .violations
                .iter()
                .find(|found| found.what == Seen::Wanted);
            if let Some(found) = found {
                let operations = report.path(self, found.origin);
                return Hunted {
                    found: Some(trace(self.product, &operations)),
                    proof: Proof::Shortest,
                };
            }
            if report.statistics.complete_depth < depth
                && report.ending == crate::explore::Ending::TransitionLimit
            {
                break;
            }
            none_of = depth;
        }
        Hunted {
            found: None,
            proof: match none_of + 1 >= length {
                true => Proof::Shortest,
                false => Proof::Minimal(none_of),
            },
        }
    }
}

/// What went wrong with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    /// What is looked for.
    Wanted,
    /// Something else.
    Other,
}

impl System for Prey<'_> {
    const REBUILDS: bool = Product::REBUILDS;

    type State = State;
    type Packed = <Product as System>::Packed;
    type Action = Operation;
    type Violation = Seen;

    fn name(&self) -> String {
        self.product.name()
    }

    fn identity(&self) -> String {
        self.product.identity()
    }

    fn notes(&self) -> usize {
        0
    }

    fn initial(&self) -> State {
        self.product.initial()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Operation>) {
        self.product.actions(state, actions);
    }

    fn copy(&self, from: &State, into: &mut State) {
        self.product.copy(from, into);
    }

    fn advance(
        &self,
        from: &State,
        operation: &Operation,
        state: &mut State,
        _notes: &mut dyn Notes,
    ) -> Result<Moved, Seen> {
        let attempt = self.product.attempt(from, operation, state, self.at_end);
        attempt.map_err(
            |disagreement| match disagreement.signature == self.signature {
                true => Seen::Wanted,
                false => Seen::Other,
            },
        )
    }

    fn canonical(&self, state: &State, bytes: &mut Vec<u8>) {
        self.product.canonical(state, bytes);
    }

    fn pack(&self, state: &State) -> Self::Packed {
        self.product.pack(state)
    }

    fn unpack(&self, packed: &Self::Packed, into: &mut State) {
        self.product.unpack(packed, into);
    }

    fn heap_bytes(&self, packed: &Self::Packed) -> usize {
        self.product.heap_bytes(packed)
    }
}
