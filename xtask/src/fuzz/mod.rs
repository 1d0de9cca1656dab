//! `cargo xtask fuzz`: every fuzz target for a while, from seeds to regressions.
//!
//! The targets are built by cargo-fuzz and run by libFuzzer. What they judge is
//! [`nommu_oracle::fuzz`], which also makes the seeds, and a regression of what crashes.

mod build;
mod canary;
mod corpus;
mod run;

use build::Build;
use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use corpus::Corpus;
use nommu_oracle::fuzz::{Harness, keep};
use run::Run;
use std::path::{Path, PathBuf};

/// Run the fuzz targets, keep and minimise their corpus, and make a regression of each crash.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask fuzz                               every target for a minute
  cargo xtask fuzz --time 3600 lockstep trace    two of them for an hour each
  cargo xtask fuzz --keep fuzz/artifacts/trace/crash-0123 trace
  cargo xtask fuzz --canary                      that a seeded crash becomes a regression

What is found is minimised and kept: traces in corpus/regressions, other inputs in
corpus/regressions/inputs. The corpus stays in fuzz/corpus, seeds in fuzz/seeds; neither is for git.")]
pub struct Arguments {
    /// Which targets: lockstep, lockstep_tiny, sweep, trace, protocol, specs, scope; all unless
    /// said otherwise
    #[arg(value_name = "TARGET")]
    targets: Vec<Harness>,
    /// Seconds for each target
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    time: u64,
    /// Make the seeds afresh, of the corpus and the specs as they are now; they are made anyway
    /// where there are none
    #[arg(long)]
    seeds: bool,
    /// Make the seeds, and nothing else
    #[arg(long, conflicts_with_all = ["time", "keep", "canary"])]
    only_seeds: bool,
    /// A sanitizer, such as `address`; takes a nightly toolchain. There is no unsafe code here
    /// for it to find anything in
    #[arg(long, value_name = "NAME", default_value = "none")]
    sanitizer: String,
    /// Make a regression of one input of one target, and nothing else
    #[arg(long, value_name = "FILE", conflicts_with = "time")]
    keep: Option<PathBuf>,
    /// Put a fault into a copy of the workspace, and see that fuzzing there ends in a regression
    #[arg(long, conflicts_with = "keep")]
    canary: bool,
}

/// Fuzzes.
///
/// # Errors
///
/// What crashed, or what could not be built, read or written.
pub fn run(workspace: &Path, arguments: &Arguments) -> Result<(), String> {
    if let Some(file) = &arguments.keep {
        return keep_one(workspace, file, &arguments.targets);
    }
    if arguments.canary {
        return canary::run(workspace, arguments.time);
    }
    let harnesses = match arguments.targets.as_slice() {
        [] => Harness::ALL.to_vec(),
        some => some.to_vec(),
    };
    let corpora: Vec<Corpus> = (harnesses.iter())
        .map(|&harness| Corpus::new(workspace, harness))
        .collect();
    for corpus in &corpora {
        corpus.seed(arguments.seeds || arguments.only_seeds)?;
    }
    if arguments.only_seeds {
        return Ok(());
    }
    let build = Build::new(workspace, &arguments.sanitizer, &harnesses)?;
    let mut runs = Vec::new();
    for corpus in &corpora {
        let ended = run::run(&build, corpus, arguments.time)?;
        for words in &ended.kept {
            eprintln!("{}: {words}", corpus.harness);
        }
        corpus.minimise(&build)?;
        runs.push(ended);
    }
    print(&corpora, &runs);
    let crashed: Vec<&str> = (corpora.iter().zip(&runs))
        .filter(|(_, run)| !run.kept.is_empty())
        .map(|(corpus, _)| corpus.harness.name())
        .collect();
    if crashed.is_empty() {
        Ok(())
    } else {
        Err(format!("these crashed: {}", crashed.join(", ")))
    }
}

/// Makes a regression of one input.
fn keep_one(workspace: &Path, file: &Path, targets: &[Harness]) -> Result<(), String> {
    let &[harness] = targets else {
        return Err(format!(
            "found {} targets, expected the one that {} is an input of",
            targets.len(),
            file.display()
        ));
    };
    let input = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let kept = keep(harness, &input, &workspace.join(REGRESSIONS));
    println!("{}", kept.map_err(|error| error.to_string())?);
    Ok(())
}

/// Where regressions are kept.
const REGRESSIONS: &str = "corpus/regressions";

fn print(corpora: &[Corpus], runs: &[Run]) {
    let mut table = Table::new();
    let heads = ["target", "executions", "a second", "seeds", "corpus", ""];
    table.load_style(NOTHING).set_header(heads);
    for (corpus, run) in corpora.iter().zip(runs) {
        table.add_row([
            corpus.harness.name().to_owned(),
            run.executions.to_string(),
            run.rate.to_string(),
            corpus.seeds().to_string(),
            corpus.inputs().to_string(),
            match run.kept.len() {
                0 => "no crash".to_owned(),
                _ => "crashed".to_owned(),
            },
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}
