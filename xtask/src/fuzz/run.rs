//! Running one target, and what becomes of what crashes.

use super::REGRESSIONS;
use super::build::Build;
use super::corpus::{Corpus, make, problem};
use nommu_oracle::findings::Filed;
use nommu_oracle::fuzz::keep_bytes;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How a run ended.
#[derive(Debug, Default)]
pub struct Run {
    /// Inputs that were judged.
    pub executions: u64,
    /// How many of them in a second.
    pub rate: u64,
    /// What was made of each that crashed.
    pub kept: Vec<String>,
}

/// Seconds that one input may take.
const SLOW: u32 = 10;
/// How often it is said how far it is.
const TELL: Duration = Duration::from_secs(10);
/// Lines that are shown of what a target says when it crashes.
const LAST_LINES: usize = 40;

/// Runs a target for so many seconds, or to its first crash.
///
/// # Errors
///
/// When it cannot be run.
pub fn run(build: &Build, corpus: &Corpus, seconds: u64) -> Result<Run, String> {
    let harness = corpus.harness;
    let artifacts = corpus.artifacts();
    make(&artifacts)?;
    make(&corpus.found())?;
    let before = crashes(&artifacts)?;
    let mut command = Command::new(build.program(harness));
    command
        .arg(format!("-max_total_time={}", seconds.max(1)))
        .arg(format!("-max_len={}", harness.longest()))
        .arg(format!("-timeout={SLOW}"))
        .arg(format!("-artifact_prefix={}/", artifacts.display()))
        .arg("-print_final_stats=1");
    match harness.dictionary() {
        Some(dictionary) => {
            let path = corpus.workspace.join("fuzz").join(dictionary);
            command.arg(format!("-dict={}", path.display()));
        }
        // A trace goes through so much code that weighing all of it takes longer than the trace.
        None => {
            command.arg("-entropic=0");
        }
    }
    let mut child = command
        .args([corpus.found(), corpus.seeded()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{harness}: {error}"))?;
    let mut run = Run::default();
    let mut last = Vec::new();
    if let Some(said) = child.stderr.take() {
        last = listen(harness.name(), BufReader::new(said), &mut run);
    }
    let status = child
        .wait()
        .map_err(|error| format!("{harness}: {error}"))?;
    let after = crashes(&artifacts)?;
    for artifact in after.difference(&before) {
        run.kept.push(keep(corpus, artifact)?);
    }
    if !status.success() {
        eprintln!("{}", last.join("\n"));
        if run.kept.is_empty() {
            return Err(format!("{harness}: {status}, and no input that crashes"));
        }
    }
    Ok(run)
}

/// Takes in what libFuzzer says, tells now and then how far it is, and returns its last lines.
fn listen(name: &str, said: impl BufRead, run: &mut Run) -> Vec<String> {
    let mut last: Vec<String> = Vec::new();
    let mut told = Instant::now();
    for line in said.split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        let stat = |key: &str| {
            let value = line.strip_prefix("stat::")?.strip_prefix(key)?;
            value.strip_prefix(':')?.trim().parse().ok()
        };
        if let Some(executions) = stat("number_of_executed_units") {
            run.executions = executions;
        }
        if let Some(rate) = stat("average_exec_per_sec") {
            run.rate = rate;
        }
        // `#4096 pulse cov: 3310 ft: 10044 corp: 431/99Kb exec/s: 2048 rss: 99Mb`
        if line.starts_with('#') && told.elapsed() >= TELL {
            told = Instant::now();
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            eprintln!("{name}: {}", words.join(" "));
        }
        if last.len() == LAST_LINES {
            last.remove(0);
        }
        last.push(line);
    }
    last
}

/// Inputs that crashed, took too long or too much memory.
fn crashes(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| problem(folder, &error))?;
    let mut found = BTreeSet::new();
    for entry in entries {
        let path = entry.map_err(|error| problem(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if ["crash-", "timeout-", "oom-"]
            .iter()
            .any(|kind| name.starts_with(kind))
        {
            found.insert(path);
        }
    }
    Ok(found)
}

/// Makes a regression of an input: in a process of its own, which it may take down with it.
/// What takes too long or too much memory is kept as it is.
fn keep(corpus: &Corpus, artifact: &Path) -> Result<String, String> {
    let name = artifact.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("crash-") {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let output = Command::new(program)
            .args(["fuzz", "--keep"])
            .arg(artifact)
            .arg(corpus.harness.name())
            .stderr(Stdio::inherit())
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
    }
    let input = std::fs::read(artifact).map_err(|error| problem(artifact, &error))?;
    let folder = corpus.workspace.join(REGRESSIONS);
    match keep_bytes(corpus.harness, &input, &folder).map_err(|error| error.to_string())? {
        Filed::New(path) => Ok(format!("kept as it is as {}", path.display())),
        Filed::Known(path) => Ok(format!("known already as {}", path.display())),
    }
}
