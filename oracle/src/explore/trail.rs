//! Where a search is, readable while it runs: what a search performs may never end, and then the
//! search cannot say what it came to.
//!
//! **Invariant:** once every worker hangs or has nothing left to do, what a trail says is a
//! function of the system and the limits. The first step that hangs is come to by some worker,
//! since none waits for another and whoever hangs earlier would be the first itself.

use super::report::Statistics;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a search leaves behind as it goes.
#[derive(Debug, Default)]
pub struct Trail {
    /// As of the last chunk that is done, or of the beginning; none before that.
    done: Mutex<Option<Done>>,
    marks: Mutex<Vec<Arc<Mark>>>,
}

/// What is known of the chunks that are done.
#[derive(Clone, Debug)]
pub(super) struct Done {
    pub statistics: Statistics,
    /// The numbers of the actions that lead to each violation.
    pub violations: Vec<Vec<u32>>,
    /// By note: the same of the first step that it was taken of.
    pub witnesses: Vec<Option<Vec<u32>>>,
}

/// Where one worker is. Aligned so that no two threads write to one cache line.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Mark {
    /// The actions that lead to the state that is being expanded.
    parent: Mutex<Vec<u32>>,
    /// The number of the action that is being performed there, or [`IDLE`].
    action: AtomicU64,
}

const IDLE: u64 = u64::MAX;

impl Mark {
    fn new() -> Self {
        Self {
            parent: Mutex::new(Vec::new()),
            action: AtomicU64::new(IDLE),
        }
    }

    /// The worker comes to a state, and will begin with its first action.
    pub fn expands(&self, path: impl Iterator<Item = u32>) {
        let mut parent = locked(&self.parent);
        parent.clear();
        parent.extend(path);
        self.action.store(0, Ordering::Relaxed);
    }

    /// The worker begins with an action of that state.
    #[inline]
    pub fn performs(&self, action: usize) {
        self.action.store(action as u64, Ordering::Relaxed);
    }

    /// The worker has nothing to do.
    pub fn rests(&self) {
        self.action.store(IDLE, Ordering::Relaxed);
    }

    /// The actions up to and including the one that is being performed, if one is.
    fn path(&self) -> Option<Vec<u32>> {
        let parent = locked(&self.parent);
        let action = u32::try_from(self.action.load(Ordering::Relaxed)).ok()?;
        Some(parent.iter().copied().chain([action]).collect())
    }
}

impl Trail {
    /// A place for one more worker.
    pub(super) fn mark(&self) -> Arc<Mark> {
        let mark = Arc::new(Mark::new());
        locked(&self.marks).push(Arc::clone(&mark));
        mark
    }

    pub(super) fn is_as_far_as(&self, done: Done) {
        *locked(&self.done) = Some(done);
    }

    pub(super) fn done(&self) -> Option<Done> {
        locked(&self.done).clone()
    }

    /// The actions up to and including the first that does not end, where some worker is known to
    /// hang: waits until each of the others rests, or takes longer than `limit` for one as well.
    pub fn hangs(&self, limit: Duration) -> Option<Vec<u32>> {
        let paths = || -> Vec<_> { locked(&self.marks).iter().map(|mark| mark.path()).collect() };
        let mut seen = paths();
        let mut since = Instant::now();
        while seen.iter().flatten().count() > 1 && since.elapsed() < limit {
            std::thread::sleep((limit / 64).min(Duration::from_millis(20)));
            let now = paths();
            if now != seen {
                seen = now;
                since = Instant::now();
            }
        }
        // All of one level: the least is the one that the search comes to first.
        seen.into_iter().flatten().min()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_those_that_hang_is_the_first() {
        let trail = Trail::default();
        let marks = [trail.mark(), trail.mark(), trail.mark()];
        assert_eq!(trail.hangs(Duration::from_millis(5)), None);
        marks[0].expands([3, 1].into_iter());
        marks[0].performs(0);
        assert_eq!(trail.hangs(Duration::from_secs(60)), Some(vec![3, 1, 0]));
        marks[1].expands([2, 7].into_iter());
        marks[1].performs(5);
        marks[2].expands([0, 0].into_iter());
        marks[2].performs(9);
        marks[2].rests();
        assert_eq!(trail.hangs(Duration::from_millis(5)), Some(vec![2, 7, 5]));
    }
}
