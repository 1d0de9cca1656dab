//! The `nommu-oracle` command.

use clap::{Parser, Subcommand};
use nommu_oracle::command::check::{Check, watch_interrupt};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

/// Judges implementations of memory mapping without an MMU.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(Check),
}

static INTERRUPT: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = watch_interrupt(&INTERRUPT) {
        eprintln!("error: {error}");
        return ExitCode::from(3);
    }
    match arguments.command {
        Command::Check(check) => check.run(&INTERRUPT),
    }
}
