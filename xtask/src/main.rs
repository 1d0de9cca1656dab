//! What maintainers run: coverage, fault scoring, the kernel image, everything CI does.

mod kernel;

use clap::{Parser, Subcommand};
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
    /// The Linux kernels that are judged.
    #[command(subcommand)]
    Kernel(kernel::Command),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
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
