//! `cargo xtask faults`: whether the oracle catches bugs, as a figure.
//!
//! Each fault of `corpus/faults/` is put into a scratch copy of the engine, built, and judged
//! by a campaign, by exploring the scopes and by the conformance corpus, as any implementation
//! would be.

mod judge;
mod patch;
mod scores;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use judge::{Budget, Score, Scored, words};
use patch::{CANARY, CONTROL, Fault};
use scores::Scores;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tree::Tree;

/// Put seeded faults into the engine, and count what catches them.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only these faults; the canary and the control are always among them
    #[arg(value_name = "FAULT")]
    only: Vec<String>,
    /// Seconds that a campaign may take for one fault
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Operations of the sequences of each scope that are explored for one fault; 0 for none
    #[arg(long, value_name = "OPERATIONS", default_value_t = 5)]
    depth: u32,
    /// The seed of the campaigns
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Faults judged at once, each in a copy and on a core of its own
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: u16,
    /// Keep the scores in corpus/faults/scores.json; those of other faults there stay
    #[arg(long)]
    update: bool,
    /// Also write the scores, times among them, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Scores the faults.
///
/// # Errors
///
/// A patch that does not apply or build; a canary that lives, a control that is caught; what
/// could not be read or written.
pub fn run(workspace: &Path, arguments: &Arguments) -> Result<(), String> {
    let all = patch::read(&workspace.join("corpus/faults"))?;
    let mut faults = all.clone();
    for name in &arguments.only {
        if !faults.iter().any(|fault| fault.id == *name) {
            return Err(format!(
                "corpus/faults/{name}.patch: there is no such fault"
            ));
        }
    }
    if !arguments.only.is_empty() {
        faults.retain(|fault| {
            [CANARY, CONTROL].contains(&fault.id.as_str()) || arguments.only.contains(&fault.id)
        });
    }
    let scores = score_all(workspace, arguments, &faults)?;
    print_table(&scores);
    let mut kept = Scores::default();
    if arguments.update {
        let file = Scores::file(workspace);
        kept = Scores::read(&file)?;
        kept.update(&all, &scores);
        std::fs::write(&file, kept.render()?)
            .map_err(|error| format!("{}: {error}", file.display()))?;
    } else {
        kept.update(&all, &scores);
    }
    println!("\n{}", kept.summarise());
    // A part of the faults says nothing of what the rules catch.
    if kept.faults.len() < all.len() {
        println!(
            "{} of {} patches have a score",
            kept.faults.len(),
            all.len()
        );
    } else {
        let silent = kept.silent_rules();
        if !silent.is_empty() {
            println!("rules that caught nothing: {}", silent.join(", "));
        }
    }
    if let Some(file) = &arguments.json {
        let json = serde_json::to_string_pretty(&scores).map_err(|error| error.to_string())?;
        std::fs::write(file, json + "\n")
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    verdict(&scores)
}

/// Judges faults side by side; the scores are in the order of the faults.
fn score_all(
    workspace: &Path,
    arguments: &Arguments,
    faults: &[Fault],
) -> Result<Vec<Scored>, String> {
    let budget = Budget {
        seed: arguments.seed,
        seconds: arguments.seconds,
        depth: arguments.depth,
    };
    let next = AtomicUsize::new(0);
    let scores: Mutex<Vec<Option<Scored>>> = Mutex::new(vec![None; faults.len()]);
    let work = |worker: usize| -> Result<(), String> {
        let tree = Tree::new(workspace, worker)?;
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(fault) = faults.get(index) else {
                return Ok(());
            };
            let scored = judge::score(&tree, fault, budget);
            eprintln!("{}/{} {}", index + 1, faults.len(), scored.line());
            if let Ok(mut scores) = scores.lock() {
                scores[index] = Some(scored);
            }
        }
    };
    let results: Vec<Result<(), String>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..usize::from(arguments.jobs))
            .map(|worker| scope.spawn(move || work(worker)))
            .collect();
        let panicked = || Err("a worker ended before its time".to_owned());
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(|_| panicked()))
            .collect()
    });
    for result in results {
        result?;
    }
    let scores = scores
        .into_inner()
        .map_err(|_| "a worker ended before its time".to_owned())?;
    Ok(scores.into_iter().flatten().collect())
}

fn print_table(scores: &[Scored]) {
    let mut table = Table::new();
    let heads = [
        "fault",
        "expected rule",
        "caught by",
        "rule",
        "operations",
        "seconds",
        "trace",
    ];
    table.load_style(NOTHING).set_header(heads);
    for scored in scores {
        let expected = scored.expected.clone();
        let row = match &scored.score {
            Score::Caught(caught) => [
                scored.fault.clone(),
                expected,
                words(&caught.by),
                caught.rules.first().cloned().unwrap_or_default(),
                caught.operations.to_string(),
                format!("{:.1}", caught.seconds),
                caught.trace.to_string(),
            ],
            Score::Missed => missing(scored, "not caught"),
            Score::Unusable(problem) => missing(scored, problem.lines().next().unwrap_or_default()),
        };
        table.add_row(row);
    }
    println!("{table}");
}

fn missing(scored: &Scored, why: &str) -> [String; 7] {
    let mut row: [String; 7] = Default::default();
    row[0].clone_from(&scored.fault);
    row[1].clone_from(&scored.expected);
    why.clone_into(&mut row[2]);
    row
}

fn verdict(scores: &[Scored]) -> Result<(), String> {
    let unusable: Vec<&str> = scores
        .iter()
        .filter(|scored| matches!(scored.score, Score::Unusable(_)))
        .map(|scored| scored.fault.as_str())
        .collect();
    if !unusable.is_empty() {
        return Err(format!(
            "these patches do not apply, build or run: {}",
            unusable.join(", ")
        ));
    }
    let caught = |id: &str| {
        scores
            .iter()
            .find(|scored| scored.fault == id)
            .map(|scored| scored.caught().is_some())
    };
    match (caught(CANARY), caught(CONTROL)) {
        (Some(true), Some(false)) => Ok(()),
        (Some(false), _) => Err("the canary lives: a fault that cannot be missed was".to_owned()),
        (_, Some(true)) => Err("the control was caught: a change without effect".to_owned()),
        _ => Err("corpus/faults has no canary or no control".to_owned()),
    }
}
