//! How far a campaign is: a line that changes on a terminal, a line now and then elsewhere.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// Lines that are written elsewhere than on a terminal, at most.
const LINES: u64 = 10;

/// Tells on standard error how far it is.
pub struct Progress {
    /// On a terminal.
    bar: Option<ProgressBar>,
    /// Operations until the end, if that is known.
    operations: Option<u64>,
    rules: usize,
    /// Lines that were written.
    lines: u64,
    /// Operations at which the next line is written.
    next: u64,
}

impl Progress {
    /// At the beginning.
    pub fn new(operations: Option<u64>, rules: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, style) = match operations {
                Some(operations) => (
                    ProgressBar::new(operations),
                    "{bar:24} {human_pos}/{human_len} operations, {per_sec}, {msg}, {eta} left",
                ),
                None => (
                    ProgressBar::new_spinner(),
                    "{spinner} {human_pos} operations, {per_sec}, {msg}, {elapsed}",
                ),
            };
            bar.enable_steady_tick(Duration::from_millis(200));
            bar.with_style(ProgressStyle::with_template(style).expect("the template is right"))
        });
        Self {
            bar,
            operations,
            rules,
            lines: 0,
            next: operations.map_or(1 << 20, |operations| operations / LINES),
        }
    }

    /// Takes in how far it is.
    pub fn tell(&mut self, operations: u64, rules: usize, traces: u64, divergences: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(operations);
            bar.set_message(format!(
                "{rules}/{} rules, {divergences} divergences",
                self.rules
            ));
            return;
        }
        if operations < self.next {
            return;
        }
        self.lines += 1;
        // Where the end is not known, lines come further and further apart.
        self.next = match self.operations {
            Some(all) => operations + all / LINES,
            None => operations * 2,
        };
        eprintln!(
            "{} operations, {traces} traces, {rules}/{} rules, {divergences} divergences",
            HumanCount(operations),
            self.rules
        );
    }

    /// Takes the line away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Tells on a terminal how many traces were run.
pub struct TraceProgress {
    bar: Option<ProgressBar>,
}

impl TraceProgress {
    /// At the beginning; nothing is told of what is done in no time.
    pub fn new(traces: usize, takes_long: bool) -> Self {
        let bar = (takes_long && std::io::stderr().is_terminal()).then(|| {
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len} traces, {eta} left");
            ProgressBar::new(traces as u64).with_style(style.expect("the template is right"))
        });
        Self { bar }
    }

    /// One more was run.
    pub fn step(&self) {
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
