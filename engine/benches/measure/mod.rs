//! Timing, for tables to be read side by side.

use std::time::{Duration, Instant};

/// How often [`nanoseconds`] does its work to measure it, after once to warm up.
pub const ROUNDS: usize = 60;

/// Nanoseconds that one of `count` steps takes: the least of several rounds of `work`, which
/// does them all. The least is what the code costs; the rest is what else the machine does,
/// so a round should be shorter than the time slices of a busy machine.
pub fn nanoseconds(count: u64, mut work: impl FnMut()) -> f64 {
    work();
    let fastest = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    let fastest = fastest.min().unwrap_or(Duration::ZERO);
    fastest.as_secs_f64() * 1e9 / count as f64
}
