//! What maintainers run: coverage, fault scoring, the kernel image, everything CI does.

mod coverage;
mod faults;
mod fuzz;
mod kernel;
mod mutants;

use clap::{Parser, Subcommand};
use std::path::Path;
use std::process::ExitCode;

/// What maintainers run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// What of the document is checked, and what another edition of it would change.
    Coverage(coverage::Arguments),
    /// Put seeded faults into the engine, and count what catches them.
    Faults(faults::Arguments),
    /// Run the fuzz targets, keep and minimise their corpus, and make a regression of each crash.
    Fuzz(fuzz::Arguments),
    /// Sum up a run of cargo-mutants, and see that every mutant that lives is explained.
    Mutants(mutants::Arguments),
    /// The Linux kernels that are judged.
    #[command(subcommand)]
    Kernel(kernel::Command),
}

fn main() -> ExitCode {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."));
    let done = match Arguments::parse().task {
        Task::Coverage(arguments) => coverage::run(workspace, &arguments),
        Task::Faults(arguments) => faults::run(workspace, &arguments),
        Task::Fuzz(arguments) => fuzz::run(workspace, &arguments),
        Task::Mutants(arguments) => mutants::run(workspace, &arguments),
        Task::Kernel(command) => kernel::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
