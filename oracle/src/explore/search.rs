//! The search: levels, chunks and limits.

use super::checkpoint::{self, CheckpointError, Saved};
use super::expand::{Bucket, Candidate, Discoveries, Level, Step, Worker};
use super::fingerprint::Fingerprint;
use super::frontier::Frontier;
use super::links::{LevelLinks, Origin, path};
use super::renew::{NoSuchStep, Renewed};
use super::replay::replay;
use super::report::{Ending, Found, Progress, Report, Statistics};
use super::system::System;
use super::trail::{Done, Trail};
use super::visited::{Shard, Visited};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How to search, and how far.
pub struct Search<'a> {
    /// Threads that share the work.
    pub threads: NonZeroUsize,
    /// Visits paths of at most so many steps.
    pub depth_limit: Option<u32>,
    /// Ends before states, fingerprints, links and candidates take more than this. Besides
    /// them, the process needs a few megabytes and what the allocator wastes.
    pub memory_limit_bytes: Option<u64>,
    /// Ends before a chunk when so many transitions were looked at.
    pub transition_limit: Option<u64>,
    /// Goes on after a violation, to find the first step of each that there is.
    pub past_violations: bool,
    /// Ends soon after this becomes true.
    pub interrupt: Option<&'a AtomicBool>,
    /// Is told how far the search has come, after each chunk.
    pub progress: Option<&'a mut (dyn FnMut(&Progress) + Send)>,
    /// Where others can read how far the search is, should it never end.
    pub trail: Option<&'a Trail>,
    /// Where to keep what a later search can go on from.
    pub checkpoints: Option<Checkpoints>,
    /// Transitions that a chunk is meant to have.
    pub(crate) chunk: u64,
}

/// When and where checkpoints are written. One is written as well when a search ends with work
/// left to do.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    /// The file, replaced as a whole each time.
    pub path: PathBuf,
    /// At least so long between two.
    pub every: Duration,
}

/// Transitions that a chunk is meant to have: enough that the threads seldom wait for each
/// other, and few enough that the candidates take little memory.
const CHUNK: u64 = 1 << 19;

impl Search<'_> {
    /// A search without limits.
    pub fn new(threads: NonZeroUsize) -> Self {
        Self {
            threads,
            depth_limit: None,
            memory_limit_bytes: None,
            transition_limit: None,
            past_violations: false,
            interrupt: None,
            progress: None,
            trail: None,
            checkpoints: None,
            chunk: CHUNK,
        }
    }

    /// Searches from the start.
    ///
    /// # Errors
    ///
    /// When a checkpoint could not be written.
    pub fn run<S: System>(self, system: &S) -> Result<Report<S::Violation>, CheckpointError> {
        let threads = self.threads;
        self.can_be_kept()?;
        in_pool(threads, || Run::new(system, threads).search(self))
    }

    /// Goes on from a checkpoint. The result is that of one uninterrupted search.
    ///
    /// # Errors
    ///
    /// When the checkpoint cannot be used, or another not be written.
    pub fn resume<S: System>(
        self,
        system: &S,
        path: &Path,
    ) -> Result<Report<S::Violation>, CheckpointError> {
        let threads = self.threads;
        self.can_be_kept()?;
        in_pool(threads, || {
            let saved = checkpoint::read(path, system)?;
            let run = Run::restore(system, threads, saved).map_err(|NoSuchStep| {
                CheckpointError::Changed {
                    path: path.to_owned(),
                    name: system.name(),
                }
            })?;
            run.search(self)
        })
    }

    fn can_be_kept(&self) -> Result<(), CheckpointError> {
        match &self.checkpoints {
            None => Ok(()),
            Some(checkpoints) => checkpoint::can_be_written(&checkpoints.path),
        }
    }
}

fn in_pool<T: Send>(threads: NonZeroUsize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.get())
        .build()
        .expect("the threads can be made")
        .install(work)
}

/// A search at one moment: between two chunks.
struct Run<'s, S: System> {
    system: &'s S,
    workers: Vec<Worker<S>>,
    visited: Visited,
    /// By level; the last is that of the level that is being expanded.
    links: Vec<LevelLinks>,
    /// What is left of the level that is being expanded.
    current: Frontier<S::Packed>,
    /// The level after it.
    next: Frontier<S::Packed>,
    states: u64,
    transitions: u64,
    notes: Vec<u64>,
    witnesses: Vec<Option<Origin>>,
    /// By note: the ways to the witnesses, where a trail is left. A witness stays what it is.
    ways: Vec<Option<Vec<u32>>>,
    violations: BTreeMap<S::Violation, Origin>,
    memory_bytes: u64,
}

/// Whether the search goes on.
enum Chunk {
    Done,
    Interrupted,
}

impl<'s, S: System> Run<'s, S> {
    fn new(system: &'s S, threads: NonZeroUsize) -> Self {
        let initial = system.initial();
        let mut bytes = Vec::new();
        system.canonical(&initial, &mut bytes);
        let mut visited = Visited::new();
        visited.insert(Fingerprint::of(&bytes));
        let packed = system.pack(&initial);
        let heap_bytes = system.heap_bytes(&packed);
        let mut current = Frontier::new();
        current.push(packed, heap_bytes);
        Self {
            system,
            workers: (0..threads.get()).map(|_| Worker::new(system)).collect(),
            visited,
            links: vec![LevelLinks::default()],
            current,
            next: Frontier::new(),
            states: 1,
            transitions: 1,
            notes: vec![0; system.notes()],
            witnesses: vec![None; system.notes()],
            ways: vec![None; system.notes()],
            violations: BTreeMap::new(),
            memory_bytes: 0,
        }
    }

    fn level(&self) -> u32 {
        u32::try_from(self.links.len() - 1).expect("fewer than 2^32 levels")
    }

    fn search(mut self, search: Search<'_>) -> Result<Report<S::Violation>, CheckpointError> {
        let Search {
            depth_limit,
            memory_limit_bytes,
            transition_limit,
            past_violations,
            interrupt,
            mut progress,
            trail,
            checkpoints,
            chunk,
            ..
        } = search;
        if let Some(trail) = trail {
            trail.is_as_far_as(self.done());
            for worker in &mut self.workers {
                worker.mark = Some(trail.mark());
            }
        }
        let mut written = Instant::now();
        let ending = loop {
            if !past_violations && !self.violations.is_empty() {
                break Ending::Violation;
            }
            if self.current.len() == 0 {
                if self.next.len() == 0 {
                    break Ending::Exhausted;
                }
                std::mem::swap(&mut self.current, &mut self.next);
                self.links.push(LevelLinks::default());
            }
            if depth_limit.is_some_and(|limit| self.level() >= limit) {
                break Ending::DepthLimit;
            }
            if interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
                break Ending::Interrupted;
            }
            if transition_limit.is_some_and(|limit| self.transitions >= limit) {
                break Ending::TransitionLimit;
            }
            let parents = self.plan(chunk);
            let memory_bytes = self.memory_bytes(parents);
            if memory_limit_bytes.is_some_and(|limit| memory_bytes > limit) {
                break Ending::MemoryLimit;
            }
            self.memory_bytes = self.memory_bytes.max(memory_bytes);
            match self.chunk(parents, interrupt) {
                Chunk::Interrupted => break Ending::Interrupted,
                Chunk::Done => {}
            }
            if let Some(trail) = trail {
                trail.is_as_far_as(self.done());
            }
            if let Some(progress) = &mut progress {
                progress(&Progress {
                    depth: self.level(),
                    frontier: (self.current.len() + self.next.len()) as u64,
                    states: self.states,
                    transitions: self.transitions,
                    memory_bytes,
                });
            }
            if let Some(checkpoints) = &checkpoints
                && written.elapsed() >= checkpoints.every
            {
                self.save(&checkpoints.path)?;
                written = Instant::now();
            }
        };
        let unfinished = match ending {
            Ending::Exhausted | Ending::Violation => false,
            Ending::DepthLimit
            | Ending::MemoryLimit
            | Ending::TransitionLimit
            | Ending::Interrupted => true,
        };
        if unfinished && let Some(checkpoints) = &checkpoints {
            self.save(&checkpoints.path)?;
        }
        Ok(self.report(ending))
    }

    /// What the chunks so far came to.
    fn done(&mut self) -> Done {
        for (way, witness) in self.ways.iter_mut().zip(&self.witnesses) {
            if way.is_none() {
                *way = witness.and_then(|origin| path(&self.links, origin));
            }
        }
        let mut origins: Vec<Origin> = self.violations.values().copied().collect();
        origins.sort();
        let paths = origins
            .iter()
            .filter_map(|&origin| path(&self.links, origin));
        Done {
            statistics: self.statistics(),
            violations: paths.collect(),
            witnesses: self.ways.clone(),
        }
    }

    fn report(self, ending: Ending) -> Report<S::Violation> {
        let statistics = self.statistics();
        let mut violations: Vec<Found<S::Violation>> = self
            .violations
            .into_iter()
            .map(|(what, origin)| Found { what, origin })
            .collect();
        violations.sort_by_key(|found| found.origin);
        if ending == Ending::Violation {
            // How many more the same chunk showed is an accident.
            violations.truncate(1);
        }
        Report {
            ending,
            statistics,
            violations,
            witnesses: self.witnesses,
            links: self.links,
        }
    }

    fn statistics(&self) -> Statistics {
        let mut levels = vec![1];
        levels.extend(
            self.links
                .iter()
                .map(|links| links.children)
                .filter(|&children| children > 0),
        );
        Statistics {
            states: self.states,
            transitions: self.transitions,
            levels,
            complete_depth: self.level(),
            notes: self.notes.clone(),
            memory_bytes: self.memory_bytes,
        }
    }

    /// How many parents the next chunk has. This must not depend on the number of threads: a
    /// search that ends early does so after a whole chunk.
    fn plan(&self, transitions: u64) -> usize {
        let expanded = self.states - (self.current.len() + self.next.len()) as u64;
        let actions = (self.transitions / expanded.max(1)).max(1);
        let parents = usize::try_from(transitions / actions).unwrap_or(usize::MAX);
        parents.clamp(1, self.current.len())
    }

    /// Memory as [`Statistics::memory_bytes`] reckons it, with so many parents in the chunk.
    fn memory_bytes(&self, parents: usize) -> u64 {
        let expanded = self.states - (self.current.len() + self.next.len()) as u64;
        let actions = self.transitions.div_ceil(expanded.max(1));
        let candidates = parents as u64 * actions * size_of::<Candidate>() as u64;
        let links: u64 = self.links.iter().map(LevelLinks::bytes).sum();
        self.visited.bytes() + links + self.current.bytes() + self.next.bytes() + candidates
    }

    fn chunk(&mut self, parents: usize, interrupt: Option<&AtomicBool>) -> Chunk {
        if !self.expand(parents, interrupt) {
            // As if this chunk had never begun.
            return Chunk::Interrupted;
        }
        let new = self.settle();
        let renewed = self
            .renew(&new, parents, false)
            .unwrap_or_else(|NoSuchStep| panic!("the same step twice has the same result"));
        self.append(renewed);
        self.collect(parents);
        Chunk::Done
    }

    /// Whether all of them were expanded.
    fn expand(&mut self, parents: usize, interrupt: Option<&AtomicBool>) -> bool {
        let system = self.system;
        let level = expanding(&self.links, &self.current);
        let complete = each_worker(&mut self.workers, parents, |worker, mut ranges| {
            worker.clear();
            let complete = ranges.all(|range| worker.expand(system, &level, range, interrupt));
            if let Some(mark) = &worker.mark {
                mark.rests();
            }
            complete
        });
        complete.into_iter().all(|complete| complete)
    }

    /// Takes all candidates, and returns by shard the first steps to new states, ascending.
    fn settle(&mut self) -> Vec<Vec<Step>> {
        let buckets = self.workers.iter().map(|worker| worker.buckets.as_slice());
        let buckets: Vec<&[Bucket]> = buckets.collect();
        self.visited
            .shards
            .par_iter_mut()
            .enumerate()
            .map(|(number, shard)| {
                let own = buckets.iter().map(|shards| shards[number].candidates());
                settle_shard(shard, own.collect())
            })
            .collect()
    }

    /// Makes new states from the first so many parents, in pieces that follow each other.
    fn renew(
        &mut self,
        new: &[Vec<Step>],
        parents: usize,
        with_fingerprints: bool,
    ) -> Result<Vec<Renewed<S::Packed>>, NoSuchStep> {
        let system = self.system;
        let level = expanding(&self.links, &self.current);
        let pieces = each_worker(&mut self.workers, parents, |worker, ranges| {
            let mut steps = Vec::new();
            ranges
                .map(|range| {
                    steps.clear();
                    for shard in new {
                        let start = shard.partition_point(|step| step.parent() < range.start);
                        let own = &shard[start..];
                        let count = own.partition_point(|step| step.parent() < range.end);
                        steps.extend_from_slice(&own[..count]);
                    }
                    steps.sort_unstable();
                    let start = range.start;
                    (
                        start,
                        worker.renew(system, &level, range, &steps, with_fingerprints),
                    )
                })
                .collect::<Vec<_>>()
        });
        let mut pieces: Vec<_> = pieces.into_iter().flatten().collect();
        pieces.sort_by_key(|&(start, _)| start);
        pieces.into_iter().map(|(_, piece)| piece).collect()
    }

    fn append(&mut self, renewed: Vec<Renewed<S::Packed>>) {
        let links = self.links.last_mut().expect("there is a level");
        for piece in renewed {
            links.append(&piece.links);
            self.states += piece.states.len() as u64;
            for (packed, heap_bytes) in piece.states {
                self.next.push(packed, heap_bytes);
            }
        }
    }

    /// Takes in what the workers saw besides states, and lets go of the parents.
    fn collect(&mut self, parents: usize) {
        let level = self.level();
        let links = self.links.last().expect("there is a level");
        let before = links.parents - parents as u64;
        let origin = |step: Step| Origin {
            level,
            state: before + step.parent() as u64,
            action: step.action(),
        };
        for worker in &self.workers {
            let Discoveries {
                transitions,
                violations,
                notes,
            } = &worker.found;
            self.transitions += transitions;
            for (violation, &step) in violations {
                let found = origin(step);
                self.violations
                    .entry(violation.clone())
                    .and_modify(|first| *first = found.min(*first))
                    .or_insert(found);
            }
            for (note, &(count, first)) in notes.iter().enumerate() {
                self.notes[note] += count;
                if let Some(first) = first.map(origin) {
                    let witness = self.witnesses[note].get_or_insert(first);
                    *witness = first.min(*witness);
                }
            }
        }
        let system = self.system;
        self.current
            .advance(parents, |packed| system.heap_bytes(packed));
    }

    fn save(&self, path: &Path) -> Result<(), CheckpointError> {
        let saved = Saved {
            transitions: self.transitions,
            memory_bytes: self.memory_bytes,
            digest: self.visited.digest(),
            notes: self.notes.clone(),
            witnesses: self.witnesses.clone(),
            violations: self.violations.values().copied().collect(),
            links: self.links.clone(),
        };
        checkpoint::write(path, self.system, &saved)
    }

    fn restore(system: &'s S, threads: NonZeroUsize, saved: Saved) -> Result<Self, NoSuchStep> {
        let mut run = Self::new(system, threads);
        run.links.clear();
        let last = saved.links.len() - 1;
        for (level, links) in saved.links.into_iter().enumerate() {
            let expanded = usize::try_from(links.parents).map_err(|_| NoSuchStep)?;
            if expanded > run.current.len() || (level < last && expanded < run.current.len()) {
                return Err(NoSuchStep);
            }
            run.links.push(LevelLinks::default());
            run.restore_level(&links, expanded)?;
            if level < last {
                std::mem::swap(&mut run.current, &mut run.next);
            }
        }
        if run.visited.digest() != saved.digest {
            return Err(NoSuchStep);
        }
        run.transitions = saved.transitions;
        run.memory_bytes = saved.memory_bytes;
        run.notes = saved.notes;
        run.witnesses = saved.witnesses;
        for origin in saved.violations {
            run.violations.insert(run.violation(origin)?, origin);
        }
        Ok(run)
    }

    fn restore_level(&mut self, links: &LevelLinks, expanded: usize) -> Result<(), NoSuchStep> {
        let mut children = links.iter().peekable();
        let mut done = 0;
        while done < expanded {
            let parents = (expanded - done).min(1 << 16);
            let mut steps = Vec::new();
            while let Some((parent, action)) =
                children.next_if(|&(parent, _)| parent < (done + parents) as u64)
            {
                steps.push(Step::new(parent as usize - done, action as usize));
            }
            let renewed = self.renew(&[steps], parents, true)?;
            for fingerprint in renewed.iter().flat_map(|piece| &piece.fingerprints) {
                if !self.visited.insert(*fingerprint) {
                    return Err(NoSuchStep);
                }
            }
            self.append(renewed);
            let system = self.system;
            self.current
                .advance(parents, |packed| system.heap_bytes(packed));
            done += parents;
        }
        Ok(())
    }

    /// What was wrong with a step, by taking it again.
    fn violation(&self, origin: Origin) -> Result<S::Violation, NoSuchStep> {
        let replayed = replay(self.system, &self.links, origin)?;
        replayed.result.err().ok_or(NoSuchStep)
    }
}

/// The level that is being expanded: the last links lead away from it.
fn expanding<'a, P>(links: &'a [LevelLinks], waiting: &'a Frontier<P>) -> Level<'a, P> {
    let (last, before) = links.split_last().expect("there is a level");
    Level {
        links: before,
        done: last.parents,
        waiting,
    }
}

/// Divides indices up among the threads, in pieces. Each worker's pieces ascend; who gets which is
/// an accident.
fn each_worker<W: Send, T: Send>(
    workers: &mut [W],
    count: usize,
    work: impl Fn(&mut W, Pieces<'_>) -> T + Sync,
) -> Vec<T> {
    let share = workers.len() * SHARES;
    let claimed = AtomicUsize::new(0);
    workers
        .par_iter_mut()
        .with_max_len(1)
        .map(|worker| {
            let pieces = Pieces {
                claimed: &claimed,
                share,
                count,
            };
            work(worker, pieces)
        })
        .collect()
}

/// Into how many pieces for each worker what is left is divided when one is claimed. So the first
/// are large, since what pieces of several workers come to has to be put in order, and the last
/// are small, since nobody is to wait long for another.
const SHARES: usize = 4;
/// Parents of the largest piece: what they come to is gathered in memory before it is kept.
const PIECE: usize = 4096;

/// The pieces that one worker claims, as it comes to them.
struct Pieces<'a> {
    claimed: &'a AtomicUsize,
    share: usize,
    count: usize,
}

impl Iterator for Pieces<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let after = |start: usize| {
            let left = self.count.checked_sub(start).filter(|&left| left > 0)?;
            Some(start + left.div_ceil(self.share).min(PIECE))
        };
        let claimed = self
            .claimed
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, after);
        let start = claimed.ok()?;
        Some(start..after(start)?)
    }
}

/// Candidates whose places are read at once.
const LOOKAHEAD: usize = 32;

/// Takes one shard's candidates in the order of steps. Each bucket is in that order already.
fn settle_shard(shard: &mut Shard, mut buckets: Vec<&[Candidate]>) -> Vec<Step> {
    let mut new = Vec::new();
    loop {
        buckets.retain(|bucket| !bucket.is_empty());
        let Some(least) = (0..buckets.len()).min_by_key(|&index| buckets[index][0].step) else {
            return new;
        };
        let others = buckets
            .iter()
            .enumerate()
            .filter(|&(index, _)| index != least);
        let bound = others.map(|(_, bucket)| bucket[0].step).min();
        let bucket = buckets[least];
        let count = bound.map_or(bucket.len(), |bound| {
            bucket.partition_point(|candidate| candidate.step < bound)
        });
        let (now, later) = bucket.split_at(count);
        for few in now.chunks(LOOKAHEAD) {
            // Where a key belongs is seldom in the cache. Asking for several at once, with no
            // branch between, lets the waits overlap.
            let touched = few.iter().fold(0, |all, next| all ^ shard.touch(next.key));
            std::hint::black_box(touched);
            for &Candidate { key, step } in few {
                if shard.insert(key) {
                    new.push(step);
                }
            }
        }
        buckets[least] = later;
    }
}
