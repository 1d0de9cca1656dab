//! `nommu-oracle check`: explores scopes.

use crate::explore::check::{Checked, check};
use crate::explore::product::Product;
use crate::explore::scope;
use crate::explore::{Checkpoints, Progress, Search};
use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Explores every sequence of operations within a scope.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// A scope; may be given more than once
    #[arg(long, value_name = "FILE", required = true)]
    scope: Vec<PathBuf>,
    /// Threads that share the work
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Operations of a sequence at most
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// Ends before the search takes more memory, such as 512M or 4G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_limit: Option<u64>,
    /// Keeps what a later search can go on from in this file
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Goes on from what the file of --checkpoint holds
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Goes on after a violation, to find the shortest trace for each set of rules
    #[arg(long)]
    all: bool,
    /// Prints for each rule the shortest trace on which it applies
    #[arg(long)]
    witnesses: bool,
    /// Takes states for different that differ in names only
    #[arg(long)]
    no_reduction: bool,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// How a result is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A checkpoint is written at least this long after the last.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// Agrees, diverges, misuse, could not be run.
const DIVERGES: u8 = 1;
const MISUSE: u8 = 2;
const NOT_RUN: u8 = 3;

impl Check {
    /// Does it. `interrupt` ends the search early, with what was proved.
    pub fn run(&self, interrupt: &AtomicBool) -> ExitCode {
        let mut results = Vec::new();
        if self.checkpoint.is_some() && self.scope.len() > 1 {
            return problem(
                MISUSE,
                "found several scopes and one checkpoint, expected one scope",
            );
        }
        for path in &self.scope {
            match self.one(path, interrupt) {
                Ok(checked) => {
                    if self.format == Format::Text && print(&checked.to_string()).is_err() {
                        return ExitCode::from(NOT_RUN);
                    }
                    results.push(checked);
                }
                Err((status, words)) => return problem(status, &words),
            }
        }
        if self.format == Format::Json {
            let json = serde_json::to_string_pretty(&results).expect("plain data is serialized");
            if print(&(json + "\n")).is_err() {
                return ExitCode::from(NOT_RUN);
            }
        }
        match results.iter().all(|checked| checked.violations.is_empty()) {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(DIVERGES),
        }
    }

    fn one(&self, path: &Path, interrupt: &AtomicBool) -> Result<Checked, (u8, String)> {
        let misuse = |words: String| (MISUSE, words);
        let text = std::fs::read_to_string(path)
            .map_err(|error| misuse(format!("{}: {error}", path.display())))?;
        let mut scope = scope::read(&path.display().to_string(), &text)
            .map_err(|error| misuse(error.to_string()))?;
        scope.reduces = !self.no_reduction;
        let depth = [scope.depth, self.depth].into_iter().flatten().min();
        if let Some(warning) = scope.too_large_to_count() {
            eprintln!("warning: {}: {warning}", path.display());
        }
        let product = Product::new(scope).map_err(|stop| (NOT_RUN, stop.to_string()))?;
        let threads = self
            .threads
            .unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN));
        let line = Line::new(&product.scope().name);
        let mut show = |progress: &Progress| line.show(progress);
        let mut search = Search::new(threads);
        search.depth_limit = depth;
        search.memory_limit_bytes = self.memory_limit;
        search.past_violations = self.all;
        search.interrupt = Some(interrupt);
        search.progress = Some(&mut show);
        search.checkpoints = self.checkpoint.as_ref().map(|path| Checkpoints {
            path: path.clone(),
            every: CHECKPOINT_INTERVAL,
        });
        let resume = self.checkpoint.as_deref().filter(|_| self.resume);
        let checked = check(&product, search, resume, self.witnesses);
        line.bar.finish_and_clear();
        checked.map_err(|error| misuse(error.to_string()))
    }
}

/// The live progress line, on a terminal.
struct Line {
    bar: ProgressBar,
    start: Instant,
}

impl Line {
    fn new(scope: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{prefix}  {msg}");
        bar.set_style(style.expect("a sound template"));
        bar.set_prefix(scope.to_owned());
        Self {
            bar,
            start: Instant::now(),
        }
    }

    fn show(&self, progress: &Progress) {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(format!(
            "depth {}  frontier {}  states {}  {}/s  {}",
            progress.depth,
            HumanCount(progress.frontier),
            HumanCount(progress.states),
            HumanCount((progress.states as f64 / seconds) as u64),
            HumanBytes(progress.memory_bytes),
        ));
        self.bar.tick();
    }
}

fn print(text: &str) -> std::io::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())
}

fn problem(status: u8, words: &str) -> ExitCode {
    eprintln!("error: {words}");
    ExitCode::from(status)
}

/// A number of bytes, with a letter for its unit.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.strip_suffix(['K', 'M', 'G', 'T']) {
        Some(number) => {
            let place = "KMGT".find(&text[number.len()..]).unwrap_or(0);
            (number, 10 * (place as u32 + 1))
        }
        None => (text, 0),
    };
    let expected = || format!("found {text:?}, expected a number of bytes such as 512M or 4G");
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).ok_or_else(expected)
}

/// Makes an interrupt from the terminal end a search early.
///
/// # Errors
///
/// When another handler is there already.
pub fn watch_interrupt(interrupt: &'static AtomicBool) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| interrupt.store(true, Ordering::Relaxed))
}
