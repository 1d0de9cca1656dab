//! Building and judging many faults, side by side.
//!
//! A build needs all of a copy of the workspace, and judging only what was built: while one
//! worker builds in a copy, others judge.

use super::Arguments;
use super::judge::{self, Budget, Score, Scored};
use super::patch::Fault;
use super::tree::Tree;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Workers that share a copy.
const WORKERS: usize = 3;

/// What is done and what is not.
struct Progress {
    waiting: VecDeque<usize>,
    scores: Vec<Option<Scored>>,
    done: usize,
    started: Instant,
    /// When the first build was done, which takes longer than all others.
    warm: Option<Instant>,
    /// Why what was found could not be kept.
    problem: Option<String>,
}

/// What keeps the scores that there are so far, in the order of the faults: who is interrupted
/// loses none.
pub type Keep<'a> = dyn Fn(&[Scored]) -> Result<(), String> + Sync + 'a;

/// Judges faults side by side; the scores are in the order of the faults, and kept after each.
///
/// # Errors
///
/// When there can be no copy of the workspace, and when the scores cannot be kept: then no more
/// are judged.
pub fn score_all(
    workspace: &Path,
    arguments: &Arguments,
    faults: &[Fault],
    keep: &Keep<'_>,
) -> Result<Vec<Scored>, String> {
    let budget = Budget {
        seed: arguments.seed,
        seconds: arguments.seconds,
        depth: arguments.depth,
    };
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = arguments.jobs.map_or_else(cores, usize::from);
    let jobs = jobs.min(faults.len()).max(1);
    let trees: Result<Vec<Mutex<Tree>>, String> = (0..jobs.div_ceil(WORKERS))
        .map(|number| Tree::new(workspace, number).map(Mutex::new))
        .collect();
    let trees = trees?;
    eprintln!(
        "{} faults, {jobs} at a time; the first build, of everything, takes minutes",
        faults.len()
    );
    let progress = Mutex::new(Progress {
        waiting: (0..faults.len()).collect(),
        scores: vec![None; faults.len()],
        done: 0,
        started: Instant::now(),
        warm: None,
        problem: None,
    });
    std::thread::scope(|scope| {
        for worker in 0..jobs {
            let (tree, progress) = (&trees[worker / WORKERS], &progress);
            scope.spawn(move || {
                while let Some(index) = work(tree, progress, faults, budget) {
                    let mut progress = lock(progress);
                    tell(&mut progress, index);
                    if let Err(problem) = keep(&progress.so_far()) {
                        progress.waiting.clear();
                        progress.problem = Some(problem);
                    }
                }
            });
        }
    });
    let progress = progress
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    match progress.problem {
        Some(problem) => Err(problem),
        None => Ok(progress.so_far()),
    }
}

impl Progress {
    /// The scores that there are.
    fn so_far(&self) -> Vec<Scored> {
        self.scores.iter().flatten().cloned().collect()
    }
}

/// Builds and judges the next fault; none when there is none.
fn work(
    tree: &Mutex<Tree>,
    progress: &Mutex<Progress>,
    faults: &[Fault],
    budget: Budget,
) -> Option<usize> {
    let (index, root, program) = {
        let tree = lock(tree);
        let index = lock(progress).waiting.pop_front()?;
        let program = tree.program(&faults[index].file, &index.to_string());
        lock(progress).warm.get_or_insert_with(Instant::now);
        (index, tree.root().to_owned(), program)
    };
    let score = program.and_then(|program| {
        let score = judge::judge(&root, &program, budget);
        // It is large, and can be built again.
        let _ = std::fs::remove_file(program);
        score
    });
    let score = score.unwrap_or_else(Score::Unusable);
    lock(progress).scores[index] = Some(Scored::new(&faults[index], score));
    Some(index)
}

/// Says what came of a fault, and how long the rest will take.
fn tell(progress: &mut Progress, index: usize) {
    progress.done += 1;
    let (done, all) = (progress.done, progress.scores.len());
    let line = progress.scores[index].as_ref().map(Scored::line);
    let since = progress.warm.unwrap_or(progress.started).elapsed();
    let left = since.div_f64(done as f64).mul_f64((all - done) as f64);
    let elapsed = clock(progress.started.elapsed());
    eprintln!(
        "{done}/{all} {elapsed}, {} left: {}",
        clock(left),
        line.unwrap_or_default()
    );
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

/// What a worker left behind that panicked is as good as what others leave.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
