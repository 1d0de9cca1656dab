//! Many random traces, each from a fresh system.
//!
//! Trace i is a function of the seed and i alone. Threads work on batches of traces, results
//! are merged in the order of traces, and a campaign ends with the first divergence in that
//! order: what it says is the same for any number of threads.

use crate::generate::{Generator, Options};
use crate::lockstep::{Divergence, Lockstep, Stop, Tally};
use crate::sweep::sweep;
use crate::target::factory::AnyTarget;
use crate::target::pulse::{self, Pulse, Watch};
use crate::target::{Target, TargetError};
use crate::trace::{Header, Trace};
use arbitrary::Unstructured;
use nommu_model::op::Operation;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a campaign does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where all choices come from.
    pub seed: u64,
    /// Which part of the traces.
    pub shard: Shard,
    /// Threads.
    pub jobs: NonZeroUsize,
    /// Ends after the trace with which so many operations were performed.
    pub operations: Option<u64>,
    /// Ends after so many of the seed's traces, of which a shard runs its part.
    pub traces: Option<u64>,
    /// Ends after so long.
    pub time: Option<Duration>,
    /// What traces are made of.
    pub generator: Options,
    /// What is accepted besides the document, by the profile.
    pub deviations: Vec<String>,
    /// Which allocations are made to fail.
    pub failures: Failures,
}

/// Which allocations are made to fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Failures {
    /// None.
    #[default]
    None,
    /// One in every other trace.
    Some,
    /// Each, one at a time: a trace is run once without a failure, and once for each.
    Every,
}

/// Every n-th trace: parts of one whole, which have nothing in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: u64,
    /// Of how many.
    pub count: NonZeroU64,
}

impl Shard {
    /// All traces.
    pub const WHOLE: Shard = Shard {
        index: 0,
        count: NonZeroU64::MIN,
    };

    /// The trace at this place of the part.
    pub(crate) fn number(self, place: u64) -> u64 {
        (place.wrapping_mul(self.count.get())).wrapping_add(self.index)
    }

    /// How many of so many traces are in the part.
    fn share(self, traces: u64) -> u64 {
        traces.saturating_sub(self.index).div_ceil(self.count.get())
    }
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 0,
            shard: Shard::WHOLE,
            jobs: NonZeroUsize::MIN,
            operations: None,
            traces: None,
            time: None,
            generator: Options::default(),
            deviations: Vec::new(),
            failures: Failures::None,
        }
    }
}

/// How far a campaign is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Traces.
    pub traces: u64,
    /// Counts of all of them.
    pub tally: &'a Tally,
}

/// What a campaign came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Traces that were run, the last one included.
    pub traces: u64,
    /// Allocations that were made to fail one at a time, where every one is.
    pub allocations: u64,
    /// Counts of all of them.
    pub tally: Tally,
    /// The first divergence.
    pub found: Option<Found>,
}

/// A trace at whose end a target diverges.
#[derive(Clone, Debug)]
pub struct Found {
    /// Which trace.
    pub number: u64,
    /// Its operations up to the divergence.
    pub trace: Trace,
    /// Which allocation was made to fail; 0 for none.
    pub failure: u64,
    /// What went wrong.
    pub divergence: Divergence,
}

/// What is done about an operation that does not end.
pub struct Hangs<'a> {
    /// How long one may take.
    pub limit: Duration,
    /// Makes the same target where it can be ended, and ends it after that long.
    pub apart: &'a dyn Fn() -> AnyTarget,
}

/// Traces of a batch.
const BATCH: u64 = 16;
/// Batches of each thread that may be done before one that is not.
const AHEAD: u64 = 64;

/// Runs a campaign. `target` makes a target for each thread; `progress` is told after each
/// batch, in order, and can end it. An operation that never ends is waited for.
///
/// # Errors
///
/// When a target could not be run.
pub fn run<T: Target + 'static>(
    plan: &Plan,
    target: impl Fn() -> T + Send + Sync + 'static,
    progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Report, TargetError> {
    run_to_the_end(plan, None, target, progress)
}

/// The same, where an operation that does not end is what its trace comes to.
///
/// # Errors
///
/// When a target could not be run, and when an operation does not end and does when it is
/// performed again.
pub fn run_to_the_end<T: Target + 'static>(
    plan: &Plan,
    hangs: Option<Hangs<'_>>,
    target: impl Fn() -> T + Send + Sync + 'static,
    mut progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Report, TargetError> {
    let shared = Arc::new(Shared {
        plan: plan.clone(),
        target,
        next: AtomicU64::new(0),
        merged: AtomicU64::new(0),
        done: AtomicBool::new(false),
    });
    let (sender, receiver) = mpsc::sync_channel(4 * plan.jobs.get());
    let workers = (0..plan.jobs.get())
        .map(|_| Worker::start(&shared, sender.clone()))
        .collect();
    drop(sender);
    let mut merger = Merger {
        shared: &shared,
        hangs,
        workers,
        receiver,
        looked: Instant::now(),
        early: BTreeMap::new(),
        report: Report {
            traces: 0,
            allocations: 0,
            tally: Tally::default(),
            found: None,
        },
    };
    let ended = merger.merge(&mut progress);
    shared.done.store(true, Ordering::Relaxed);
    let Merger {
        hangs,
        workers,
        receiver,
        report,
        ..
    } = merger;
    // Threads that wait to send must not wait for ever.
    drop(receiver);
    for worker in workers {
        worker.join(hangs.as_ref());
    }
    ended.map(|()| report)
}

/// What all threads of a campaign share.
struct Shared<F> {
    plan: Plan,
    target: F,
    /// The first batch that nobody has begun.
    next: AtomicU64,
    /// Batches that are merged.
    merged: AtomicU64,
    done: AtomicBool,
}

/// The results of a batch, under its number.
type Batch = (u64, Vec<TraceResult>);

/// A thread that runs traces.
struct Worker {
    thread: JoinHandle<()>,
    /// Where it is: the place of a trace.
    place: Arc<AtomicU64>,
    pulse: Arc<OnceLock<Arc<Pulse>>>,
    watch: Option<Watch>,
    /// Whether it hangs, and nothing more is heard of it.
    lost: bool,
}

impl Worker {
    fn start<T: Target + 'static, F>(
        shared: &Arc<Shared<F>>,
        sender: mpsc::SyncSender<Batch>,
    ) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
    {
        let place = Arc::new(AtomicU64::new(0));
        let pulse = Arc::new(OnceLock::new());
        let (shared, at, own) = (Arc::clone(shared), Arc::clone(&place), Arc::clone(&pulse));
        let thread = std::thread::spawn(move || {
            let _ = own.set(pulse::own());
            let (plan, done) = (&shared.plan, &shared.done);
            let ahead = AHEAD * plan.jobs.get() as u64;
            let mut runner = Runner::new(plan, (shared.target)());
            while !done.load(Ordering::Relaxed) {
                let batch = shared.next.fetch_add(1, Ordering::Relaxed);
                // What is done before its turn is kept until then: not without end.
                while batch > shared.merged.load(Ordering::Relaxed) + ahead
                    && !done.load(Ordering::Relaxed)
                {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let places = batch * BATCH..(batch + 1) * BATCH;
                let results = runner.traces(places, &at, done);
                if sender.send((batch, results)).is_err() {
                    break;
                }
            }
        });
        Self {
            thread,
            place,
            pulse,
            watch: None,
            lost: false,
        }
    }

    /// Whether it hangs.
    fn hangs(&mut self, limit: Duration) -> bool {
        if self.watch.is_none() {
            self.watch = (self.pulse.get()).map(|pulse| Watch::new(Arc::clone(pulse)));
        }
        (self.watch.as_mut()).is_some_and(|watch| watch.is_still(limit))
    }

    /// Waits for its end, unless that does not come.
    fn join(mut self, hangs: Option<&Hangs<'_>>) {
        while let Some(hangs) = hangs
            && !self.thread.is_finished()
        {
            if self.lost || self.hangs(hangs.limit) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Err(panic) = self.thread.join() {
            std::panic::resume_unwind(panic);
        }
    }
}

/// Takes results in the order of batches until there is enough.
struct Merger<'a, F> {
    shared: &'a Arc<Shared<F>>,
    hangs: Option<Hangs<'a>>,
    workers: Vec<Worker>,
    receiver: mpsc::Receiver<Batch>,
    /// When the workers were last looked at.
    looked: Instant,
    /// Results before their turn.
    early: BTreeMap<u64, Vec<TraceResult>>,
    report: Report,
}

impl<T: Target, F: Fn() -> T> Merger<'_, F> {
    fn merge(
        &mut self,
        progress: &mut impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(), TargetError> {
        let shared = self.shared;
        let plan = &shared.plan;
        let started = Instant::now();
        let mut expected = 0;
        let share = plan.traces.map(|traces| plan.shard.share(traces));
        while share.is_none_or(|share| self.report.traces < share) {
            let Some(results) = self.results(expected)? else {
                return Ok(());
            };
            expected += 1;
            shared.merged.store(expected, Ordering::Relaxed);
            let report = &mut self.report;
            for result in results {
                report.traces += 1;
                report.allocations += result.allocations;
                report.tally.merge(&result.tally);
                match result.stop {
                    None => {}
                    Some(Stopped::Target(error)) => return Err(error),
                    Some(Stopped::Found(found)) => {
                        report.found = Some(*found);
                        return Ok(());
                    }
                }
                if plan
                    .operations
                    .is_some_and(|limit| report.tally.performed >= limit)
                {
                    return Ok(());
                }
            }
            let told = Progress {
                traces: report.traces,
                tally: &report.tally,
            };
            let late = plan.time.is_some_and(|limit| started.elapsed() >= limit);
            if progress(told).is_break() || late {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The results of a batch; none where nobody works any more.
    fn results(&mut self, expected: u64) -> Result<Option<Vec<TraceResult>>, TargetError> {
        loop {
            if let Some(results) = self.early.remove(&expected) {
                return Ok(Some(results));
            }
            let received = match &self.hangs {
                None => self
                    .receiver
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
                Some(hangs) => self.receiver.recv_timeout(pulse::interval(hangs.limit)),
            };
            match received {
                Ok((batch, results)) => {
                    self.early.insert(batch, results);
                }
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.look()?;
        }
    }

    /// Looks after the workers, if it is time. What one hangs in is done again, where it can be
    /// ended.
    fn look(&mut self) -> Result<(), TargetError> {
        let Some(hangs) = &self.hangs else {
            return Ok(());
        };
        if self.looked.elapsed() < pulse::interval(hangs.limit) {
            return Ok(());
        }
        let plan = &self.shared.plan;
        // The first in the order of traces may end the campaign: the others are seen to later.
        let hanging = (self.workers.iter_mut())
            .filter_map(|worker| (!worker.lost && worker.hangs(hangs.limit)).then_some(worker))
            .min_by_key(|worker| worker.place.load(Ordering::Relaxed));
        if let Some(worker) = hanging {
            let place = worker.place.load(Ordering::Relaxed);
            let batch = place / BATCH;
            let (at, done) = (AtomicU64::new(0), AtomicBool::new(false));
            let mut runner = Runner::new(plan, (hangs.apart)());
            let last = runner.traces(place..place + 1, &at, &done);
            if last.iter().all(|result| result.stop.is_none()) {
                if !worker.hangs(hangs.limit) {
                    // It was only slow.
                    return Ok(());
                }
                return Err(TargetError {
                    target: runner.lockstep.target().name().to_owned(),
                    problem: format!(
                        "found an operation of trace {} that does not end, and does when it is \
                         performed again in a process of its own",
                        plan.shard.number(place)
                    ),
                });
            }
            // What it did before is only in its own hands.
            let mut runner = Runner::new(plan, (self.shared.target)());
            let mut results = runner.traces(batch * BATCH..place, &at, &done);
            results.extend(last);
            self.early.insert(batch, results);
            worker.lost = true;
        }
        self.looked = Instant::now();
        Ok(())
    }
}

/// What one trace came to.
struct TraceResult {
    tally: Tally,
    allocations: u64,
    stop: Option<Stopped>,
}

enum Stopped {
    Found(Box<Found>),
    Target(TargetError),
}

/// Runs traces on one thread.
struct Runner<'p, T> {
    plan: &'p Plan,
    lockstep: Lockstep<T>,
    bytes: Vec<u8>,
    operations: Vec<Operation>,
}

impl<'p, T: Target> Runner<'p, T> {
    fn new(plan: &'p Plan, target: T) -> Self {
        Self {
            plan,
            lockstep: Lockstep::new(target),
            bytes: Vec::new(),
            operations: Vec::new(),
        }
    }

    /// Runs the traces at some places, up to the first that ends the campaign. Says where it is.
    fn traces(
        &mut self,
        places: Range<u64>,
        at: &AtomicU64,
        done: &AtomicBool,
    ) -> Vec<TraceResult> {
        let mut results = Vec::with_capacity(BATCH as usize);
        for place in places {
            if done.load(Ordering::Relaxed) {
                break;
            }
            let number = self.plan.shard.number(place);
            if self.plan.traces.is_some_and(|traces| number >= traces) {
                break;
            }
            at.store(place, Ordering::Relaxed);
            let (allocations, stop) = self.trace(number);
            let ends = stop.is_some();
            let tally = self.lockstep.take_tally();
            results.push(TraceResult {
                tally,
                allocations,
                stop,
            });
            if ends {
                break;
            }
        }
        results
    }

    /// Runs a trace. Says how many allocations of it were made to fail one at a time, and why
    /// there is nothing more to run.
    fn trace(&mut self, number: u64) -> (u64, Option<Stopped>) {
        let options = &self.plan.generator;
        let failure = random_bytes(self.plan.seed, number, options.bytes(), &mut self.bytes);
        let failure = match self.plan.failures {
            Failures::Some => failure,
            Failures::None | Failures::Every => 0,
        };
        let mut bytes = Unstructured::new(&self.bytes);
        let mut generator = Generator::new(&mut bytes, options);
        self.operations.clear();
        let result = drive(
            &mut self.lockstep,
            &mut generator,
            &mut bytes,
            &self.plan.deviations,
            failure,
            &mut self.operations,
        );
        let header = &generator.focus().header;
        match result {
            Err(Stop::Target(error)) => (0, Some(Stopped::Target(error))),
            Err(Stop::Diverged(divergence)) => {
                (0, Some(self.found(number, header, failure, *divergence)))
            }
            Ok(()) if self.plan.failures == Failures::Every => self.sweep(number, header),
            Ok(()) => (0, None),
        }
    }

    /// Runs the last trace once for each of its allocations, which fails.
    fn sweep(&mut self, number: u64, header: &Header) -> (u64, Option<Stopped>) {
        let config = header.config(self.plan.deviations.clone());
        match sweep(&mut self.lockstep, &config, &self.operations) {
            Err(error) => (0, Some(Stopped::Target(error))),
            Ok(swept) => {
                let found = swept.found.map(|(failure, divergence)| {
                    if let Some(step) = divergence.step {
                        self.operations.truncate(step + 1);
                    }
                    self.found(number, header, failure, divergence)
                });
                (swept.allocations, found)
            }
        }
    }

    fn found(
        &mut self,
        number: u64,
        header: &Header,
        failure: u64,
        divergence: Divergence,
    ) -> Stopped {
        Stopped::Found(Box::new(Found {
            number,
            trace: Trace::new(header.clone(), self.operations.drain(..)),
            failure,
            divergence,
        }))
    }
}

/// Runs what a generator makes of bytes, to the end or to the first divergence. Everything
/// that was asked is left in `operations`.
///
/// # Errors
///
/// As [`Lockstep::step`].
pub fn drive<T: Target>(
    lockstep: &mut Lockstep<T>,
    generator: &mut Generator,
    bytes: &mut Unstructured<'_>,
    deviations: &[String],
    failure: u64,
    operations: &mut Vec<Operation>,
) -> Result<(), Stop> {
    let config = generator.focus().header.config(deviations.to_vec());
    lockstep.reset(&config)?;
    if failure > 0 {
        lockstep.target_mut().fail_allocation(failure);
    }
    while let Some(operation) = generator.next(lockstep.world(), bytes) {
        operations.push(operation);
        lockstep.step(&operations[operations.len() - 1])?;
    }
    lockstep.finish()
}

/// The bytes of a trace, and which allocation fails in it: none in every other trace.
pub(crate) fn random_bytes(seed: u64, number: u64, count: usize, bytes: &mut Vec<u8>) -> u64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    bytes.resize(count, 0);
    random.fill_bytes(bytes);
    match random.next_u32() {
        odd if odd % 2 == 1 => 1 + u64::from(odd >> 1) % 64,
        _ => 0,
    }
}

/// The trace of a number, as the engine runs it, whether it diverges or not.
pub fn trace_of(
    plan: &Plan,
    number: u64,
    lockstep: &mut Lockstep<impl Target>,
) -> (Header, Vec<Operation>, Result<(), Stop>) {
    let mut bytes = Vec::new();
    random_bytes(plan.seed, number, plan.generator.bytes(), &mut bytes);
    let mut bytes = Unstructured::new(&bytes);
    let mut generator = Generator::new(&mut bytes, &plan.generator);
    let mut operations = Vec::new();
    let result = drive(
        lockstep,
        &mut generator,
        &mut bytes,
        &plan.deviations,
        0,
        &mut operations,
    );
    (generator.focus().header.clone(), operations, result)
}

#[cfg(test)]
mod tests;
