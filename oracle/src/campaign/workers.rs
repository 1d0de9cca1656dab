//! The threads of a campaign, and how their results come together.

use super::runner::{BATCH, Runner, Stopped, TraceResult};
use super::{Hangs, Plan, Progress, Report};
use crate::target::pulse::{self, Pulse, Watch};
use crate::target::{Target, TargetError};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches of each thread that may be done before one that is not.
const AHEAD: u64 = 64;

/// Runs a campaign on as many threads as its plan says.
pub(super) fn run<T: Target + 'static>(
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
        report: Report::default(),
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
