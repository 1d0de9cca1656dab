//! Making a diverging trace as short and plain as it can be.
//!
//! What has to stay is the [`Divergence::signature`]: the rules that are broken. Everything
//! else goes: operations, then arguments, processes, objects, and what is special about the
//! system. Names are numbered from 0 in the order they are bound, so that one fault gives one
//! text, whatever trace it was found by. The result is 1-minimal: no single step of this
//! module makes it plainer.

mod arguments;
mod names;
mod neighbours;
mod shortest;
#[cfg(test)]
mod shortest_tests;
#[cfg(test)]
mod tests;

pub(crate) use arguments::rescale;
pub(crate) use names::{needed, normalise};
pub use shortest::{Proof, shortest};

use crate::lockstep::{Divergence, Lockstep, Stop};
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use nommu_model::op::{Descriptor, Operation};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;

/// A trace that diverges, as plain as it can be.
#[derive(Clone, Debug)]
pub struct Minimised {
    /// The trace.
    pub trace: Trace,
    /// Which allocation was made to fail; 0 for none.
    pub failure: u64,
    /// Its divergence.
    pub divergence: Divergence,
    /// How many traces were run to find it.
    pub runs: u64,
    /// Whether nothing makes it plainer, rather than that enough was spent.
    pub is_minimal: bool,
}

/// What may be spent.
#[derive(Clone, Copy)]
pub struct Cost<'a> {
    /// Traces that are run at most.
    pub limit: u64,
    /// How many of them a start of the target counts for.
    pub start: u64,
    /// How many of them one counts for in which the target hangs.
    pub hang: u64,
    /// Whether many steps are tried at once first. That takes fewer runs, and may end elsewhere.
    pub leaps: bool,
    /// Says when nobody waits for more.
    pub is_enough: &'a dyn Fn() -> bool,
}

/// Operations of a trace in which an earlier allocation may be made to fail instead.
const FEW: usize = 32;
/// How many allocations earlier: more than one or two operations make.
const EARLIER: u64 = 12;

/// A limit, far above what is ever needed.
const UNLIMITED: Cost<'_> = Cost {
    limit: 200_000,
    start: 0,
    hang: 0,
    leaps: false,
    is_enough: &|| false,
};

/// Makes a trace that diverges plainer. None when it does not diverge.
///
/// # Errors
///
/// When the target cannot be run.
pub fn minimise<T: Target>(
    lockstep: &mut Lockstep<T>,
    trace: &Trace,
    deviations: &[String],
    failure: u64,
) -> Result<Option<Minimised>, TargetError> {
    minimise_within(
        UNLIMITED,
        Divergence::signature,
        lockstep,
        trace,
        deviations,
        failure,
    )
}

/// The same, at a limited cost, and keeping what `kept` makes of the divergence. Where a
/// run takes long and there are few, the result may not be 1-minimal.
///
/// # Errors
///
/// When the target cannot be run.
pub fn minimise_within<T: Target>(
    cost: Cost<'_>,
    kept: fn(&Divergence) -> Vec<String>,
    lockstep: &mut Lockstep<T>,
    trace: &Trace,
    deviations: &[String],
    failure: u64,
) -> Result<Option<Minimised>, TargetError> {
    let operations: Vec<Operation> = trace.operations().cloned().collect();
    let starts = lockstep.target().effort().starts();
    let mut shrinker = Shrinker {
        lockstep,
        deviations,
        header: trace.header.clone(),
        operations,
        failure,
        signature: None,
        divergence: None,
        runs: 0,
        cost,
        tried: HashSet::new(),
        starts,
        kept,
        error: None,
    };
    // Where runs are cheap, words would be most of their cost.
    shrinker.lockstep.tell_differences(cost.leaps);
    shrinker.shrink();
    shrinker.lockstep.tell_differences(true);
    if !cost.leaps {
        shrinker.tell();
    }
    let is_minimal = !shrinker.is_over();
    if let Some(error) = shrinker.error {
        return Err(error);
    }
    let Shrinker {
        header,
        operations,
        failure,
        divergence,
        runs,
        ..
    } = shrinker;
    Ok(divergence.map(|divergence| Minimised {
        trace: Trace::new(header, operations),
        failure,
        divergence,
        runs,
        is_minimal,
    }))
}

/// Leaves out runs of operations, shorter and shorter ones, from the end. `keep` is given what is
/// left each time, and says what to go on with where that will do: no more than it was given.
pub(crate) fn leave_out<B>(
    mut operations: Vec<Operation>,
    mut keep: impl FnMut(Vec<Operation>) -> ControlFlow<B, Option<Vec<Operation>>>,
) -> ControlFlow<B> {
    let mut length = operations.len().next_power_of_two() / 2;
    while length > 0 {
        let mut end = operations.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let mut fewer = operations.clone();
            fewer.drain(start..end.min(fewer.len()));
            if let Some(kept) = keep(fewer)? {
                operations = kept;
            }
            end = start.min(operations.len());
        }
        length /= 2;
    }
    ControlFlow::Continue(())
}

struct Shrinker<'a, T> {
    lockstep: &'a mut Lockstep<T>,
    deviations: &'a [String],
    /// The plainest so far.
    header: Header,
    operations: Vec<Operation>,
    failure: u64,
    signature: Option<Vec<String>>,
    divergence: Option<Divergence>,
    runs: u64,
    cost: Cost<'a>,
    /// Hashes of what was tried.
    tried: HashSet<u64>,
    /// How often the target was started before.
    starts: u64,
    kept: fn(&Divergence) -> Vec<String>,
    error: Option<TargetError>,
}

impl<T: Target> Shrinker<'_, T> {
    fn shrink(&mut self) {
        let operations = names::normalise(&self.operations, self.header.processes);
        if !self.try_this(self.header.clone(), operations, self.failure) {
            // What cannot be read back is not worth keeping, but what was given may.
            let operations = self.operations.clone();
            if !self.try_this(self.header.clone(), operations, self.failure) {
                return;
            }
        }
        if self.cost.leaps {
            self.drop_operations();
            self.leap();
        }
        loop {
            let before = (self.header.clone(), self.operations.clone(), self.failure);
            self.drop_operations();
            self.plain_header();
            self.merge_processes();
            self.merge_objects();
            self.merge_descriptors();
            self.plain_numbers();
            self.plain_arguments();
            self.swap_operations();
            let after = (&self.header, &self.operations, self.failure);
            if after == (&before.0, &before.1, before.2) || self.is_over() {
                return;
            }
        }
    }

    /// Has the divergence of what is left say where the worlds differ.
    fn tell(&mut self) {
        if self.divergence.is_none() || self.error.is_some() {
            return;
        }
        let config = self.header.config(self.deviations.to_vec());
        let operations = std::mem::take(&mut self.operations);
        match self.run(&config, &operations, self.failure) {
            Err(Stop::Diverged(divergence)) => self.divergence = Some(*divergence),
            Err(Stop::Target(error)) => self.error = Some(error),
            // What shows only now and then was told of without.
            Ok(()) => {}
        }
        self.operations = operations;
    }

    fn is_over(&self) -> bool {
        let starts = self.lockstep.target().effort().starts() - self.starts;
        self.runs + starts * self.cost.start >= self.cost.limit
            || self.error.is_some()
            || (self.cost.is_enough)()
    }

    /// Whether this was not tried before. What is tried again would only do again what it did.
    fn is_untried(&mut self, header: &Header, operations: &[Operation], failure: u64) -> bool {
        let mut hasher = DefaultHasher::new();
        (header, operations, failure).hash(&mut hasher);
        self.tried.insert(hasher.finish())
    }

    /// Keeps a trace if it breaks the same rules.
    fn try_this(&mut self, header: Header, operations: Vec<Operation>, failure: u64) -> bool {
        if self.is_over() || !self.is_untried(&header, &operations, failure) {
            return false;
        }
        self.runs += 1;
        let config = header.config(self.deviations.to_vec());
        let (mut operations, divergence) = match self.diverges(&config, operations, failure) {
            Ok(Some(found)) => found,
            Ok(None) => return false,
            Err(error) => {
                self.error = Some(error);
                return false;
            }
        };
        if divergence.hangs() {
            self.runs += self.cost.hang;
        }
        let signature = (self.kept)(&divergence);
        match &self.signature {
            Some(wanted) if *wanted != signature => return false,
            Some(_) => {}
            None => self.signature = Some(signature),
        }
        if let Some(step) = divergence.step {
            operations.truncate(step + 1);
        }
        self.header = header;
        self.operations = operations;
        self.failure = failure;
        self.divergence = Some(divergence);
        true
    }

    #[allow(clippy::type_complexity)]
    fn diverges(
        &mut self,
        config: &nommu_model::world::config::Config,
        operations: Vec<Operation>,
        failure: u64,
    ) -> Result<Option<(Vec<Operation>, Divergence)>, TargetError> {
        let stop = match self.run(config, &operations, failure) {
            Ok(()) => return Ok(None),
            Err(stop) => stop,
        };
        match stop {
            Stop::Diverged(divergence) => Ok(Some((operations, *divergence))),
            Stop::Target(error) => Err(error),
        }
    }

    fn run(
        &mut self,
        config: &nommu_model::world::config::Config,
        operations: &[Operation],
        failure: u64,
    ) -> Result<(), Stop> {
        self.lockstep.reset(config)?;
        if failure > 0 {
            self.lockstep.target_mut().fail_allocation(failure);
        }
        for operation in operations {
            self.lockstep.step(operation)?;
        }
        self.lockstep.finish()
    }

    fn try_operations(&mut self, operations: Vec<Operation>) -> bool {
        let operations = names::normalise(&operations, self.header.processes);
        if operations == self.operations {
            return false;
        }
        // With fewer operations before it, the allocation that fails is an earlier one.
        let shorter = operations.len() < self.operations.len() && operations.len() <= FEW;
        let least = match shorter {
            true => self.failure.saturating_sub(EARLIER).max(1),
            false => self.failure,
        };
        (least.min(self.failure)..=self.failure)
            .rev()
            .any(|failure| self.try_this(self.header.clone(), operations.clone(), failure))
    }

    /// Leaves out runs of operations, and then pairs of them.
    fn drop_operations(&mut self) {
        let _: ControlFlow<()> = leave_out(self.operations.clone(), |fewer| {
            if self.is_over() {
                return ControlFlow::Break(());
            }
            let is_kept = self.try_operations(fewer);
            ControlFlow::Continue(is_kept.then(|| self.operations.clone()))
        });
        // Two that only go together, such as a mapping and its end.
        let mut first = 0;
        while self.operations.len() <= 24 && first < self.operations.len() {
            let mut second = first + 1;
            while second < self.operations.len() && !self.is_over() {
                let mut fewer = self.operations.clone();
                fewer.remove(second);
                fewer.remove(first);
                if !self.try_operations(fewer) {
                    second += 1;
                }
            }
            first += 1;
        }
    }

    /// Tries what most of the steps below come to where they do not matter: the plainest system,
    /// and the plainest arguments.
    fn leap(&mut self) {
        let plain = Header {
            page_size: self.header.page_size,
            processes: self.header.processes,
            profile: self.header.profile.clone(),
            ..Header::default()
        };
        for header in [plain, self.header.clone()] {
            for kept in [0, 1] {
                let operations = arguments::plainest(&self.operations, kept, &header);
                let operations = names::normalise(&operations, header.processes);
                if header.fits() && self.try_this(header.clone(), operations, self.failure) {
                    return;
                }
            }
            if header.fits() {
                self.try_this(header, self.operations.clone(), self.failure);
            }
        }
    }

    /// Takes back what is special about the system.
    fn plain_header(&mut self) {
        let plain = Header {
            profile: self.header.profile.clone(),
            ..Header::default()
        };
        let mut headers = Vec::new();
        let now = &self.header;
        // A page of the usual size; what is measured in pages grows with it.
        for page_size in [plain.page_size, 16] {
            headers.push(Header {
                page_size,
                ..now.clone()
            });
        }
        for pages in [plain.pages, 1, 2, 4, 8, 16, 32] {
            headers.push(Header {
                pages,
                ..now.clone()
            });
        }
        for trim in [plain.trim, 0, 2, 3] {
            headers.push(Header {
                trim,
                ..now.clone()
            });
        }
        headers.push(Header {
            uninitialized: plain.uninitialized,
            ..now.clone()
        });
        for part in 0..4 {
            // Each of a kind until one will do; none that is less plain than what there is.
            let range = [0..2, 2..9, 9..13, 13..14][part].clone();
            for header in &headers[range] {
                let same = match part {
                    0 => header.page_size == self.header.page_size,
                    1 => header.pages == self.header.pages,
                    2 => header.trim == self.header.trim,
                    _ => header.uninitialized == self.header.uninitialized,
                };
                if same {
                    break;
                }
                let mut header = header.clone();
                let scaled = if part == 0 {
                    arguments::rescale(&self.operations, self.header.page_size, header.page_size)
                } else {
                    header.page_size = self.header.page_size;
                    self.operations.clone()
                };
                let mut merged = self.header.clone();
                match part {
                    0 => merged.page_size = header.page_size,
                    1 => merged.pages = header.pages,
                    2 => merged.trim = header.trim,
                    _ => merged.uninitialized = header.uninitialized,
                }
                if merged.fits() && self.try_this(merged, scaled, self.failure) {
                    break;
                }
            }
        }
        if self.failure > 0 {
            let earlier = (0..self.failure).collect::<Vec<_>>();
            for failure in earlier {
                if self.try_this(self.header.clone(), self.operations.clone(), failure) {
                    break;
                }
            }
        }
    }

    /// Lets one process do what another did, and leaves out those that do nothing.
    fn merge_processes(&mut self) {
        let mut number = 1;
        while number < names::processes(&self.operations, self.header.processes) {
            for into in 0..number {
                let merged = names::merge_process(&self.operations, number, into);
                if self.try_operations(merged) {
                    break;
                }
            }
            number += 1;
        }
        while self.header.processes > 1 {
            let last = self.header.processes - 1;
            let mut header = self.header.clone();
            header.processes = last;
            let mut found = false;
            // Any of them may be the one that is not needed.
            for gone in (0..=last).rev() {
                let fewer = names::remove_process(&self.operations, gone);
                let fewer = names::normalise(&fewer, header.processes);
                if self.try_this(header.clone(), fewer, self.failure) {
                    found = true;
                    break;
                }
            }
            if !found {
                break;
            }
        }
    }

    /// Lets one object stand for another of its kind.
    fn merge_objects(&mut self) {
        for (from, into) in names::plainer_paths(&self.operations) {
            let merged = names::replace_path(&self.operations, &from, &into);
            // Files in memory are not there from the start.
            let made = names::create(&merged, &into);
            let _ = self.try_operations(merged) || self.try_operations(made);
        }
    }

    /// Lets one descriptor do for several of the same object.
    fn merge_descriptors(&mut self) {
        let mut number = 1;
        while number < names::descriptors(&self.operations) {
            for into in 0..number {
                let (from, into) = (Descriptor(number), Descriptor(into));
                let merged = names::merge_descriptor(&self.operations, from, into);
                if self.try_operations(merged) {
                    break;
                }
                let merged = names::merge_opened(&self.operations, from, into);
                if merged.is_some_and(|merged| self.try_operations(merged)) {
                    break;
                }
            }
            number += 1;
        }
    }

    /// Makes a length plainer in all its places at once.
    fn plain_numbers(&mut self) {
        let page = self.header.page_size;
        for (from, into) in arguments::common_numbers(&self.operations, page) {
            let replaced =
                arguments::map_numbers(
                    &self.operations,
                    |value| {
                        if value == from { into } else { value }
                    },
                );
            self.try_operations(replaced);
        }
        // There are many, and few where runs are dear.
        if !self.cost.leaps {
            for (least, less) in arguments::shifts(&self.operations, page) {
                let shift = |value| if value >= least { value - less } else { value };
                self.try_operations(arguments::map_numbers(&self.operations, shift));
            }
        }
    }

    /// Makes arguments plainer, one at a time.
    fn plain_arguments(&mut self) {
        let mut index = 0;
        while index < self.operations.len() && !self.is_over() {
            let plainer = arguments::plainer(&self.operations, index, &self.header);
            let mut changed = false;
            for operation in plainer {
                let mut operations = self.operations.clone();
                operations[index] = operation;
                if self.try_operations(operations) {
                    changed = true;
                    break;
                }
            }
            if !changed {
                index += 1;
            }
        }
    }

    /// Puts neighbours that do not depend on each other in a fixed order.
    fn swap_operations(&mut self) {
        let mut index = 1;
        while index < self.operations.len() && !self.is_over() {
            let pair = &self.operations[index - 1..=index];
            if arguments::order(&pair[1]) < arguments::order(&pair[0]) {
                let mut swapped = self.operations.clone();
                swapped.swap(index - 1, index);
                if self.try_operations(swapped) && index > 1 {
                    index -= 1;
                    continue;
                }
            }
            index += 1;
        }
    }
}
