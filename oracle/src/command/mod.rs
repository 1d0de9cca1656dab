//! The subcommands, a file each, and what they have in common.

mod campaign;
mod check;
mod conform;
mod contract;
mod coverage;
mod explain;
mod input;
mod minimise;
mod output;
mod progress;
mod replay;
mod serve;
mod survey;

use clap::{Parser, Subcommand, ValueEnum};
use nommu_oracle::findings::NotFiled;
use nommu_oracle::target::TargetError;
use nommu_oracle::target::factory::TargetName;
use std::process::ExitCode;

/// Judges implementations of memory mapping without an MMU by Linux's document.
///
/// Every operation goes to an implementation and to a model of the document. After each, what
/// was answered and what can be seen must be what the document allows.
#[derive(Debug, Parser)]
#[command(
    name = "nommu-oracle",
    version,
    arg_required_else_help = true,
    after_help = "\
Exit status: 0 agrees, 1 diverges, 2 misuse or unreadable input, 3 the target could not be run.

Examples:
  nommu-oracle campaign --operations 1000000      judge the engine by a million random operations
  nommu-oracle conform --target linux-6.12        a verdict on every rule for a real kernel
  nommu-oracle replay --step corpus/regressions   what happens in each recorded trace, step by step
  nommu-oracle explain private-read-reuse         what a rule says, and which lines it comes from"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Campaign(campaign::Arguments),
    Check(check::Arguments),
    Replay(replay::Arguments),
    Minimise(minimise::Arguments),
    Conform(conform::Arguments),
    Explain(explain::Arguments),
    Coverage(coverage::Arguments),
    Serve(serve::Arguments),
}

/// What a command came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Agrees,
    Diverges,
}

/// Why a command came to nothing.
#[derive(Debug)]
enum Failure {
    /// What was asked for cannot be done or read; the whole message.
    Misuse(String),
    /// The target could not be run.
    Target(TargetError),
    /// What was found could not be kept.
    NotFiled(NotFiled),
    /// Nobody reads what is written.
    Output(std::io::Error),
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        Self::Target(error)
    }
}

impl From<NotFiled> for Failure {
    fn from(error: NotFiled) -> Self {
        Self::NotFiled(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// Which implementation.
#[derive(Clone, Debug, clap::Args)]
struct TargetArguments {
    /// What is judged: `engine`, `linux-6.12`, `linux-6.1`, or `exec:COMMAND` for a program
    /// that speaks the protocol of specs/protocol.md
    #[arg(long, value_name = "TARGET", default_value = "engine")]
    target: TargetName,
}

/// Which reading of the contract.
#[derive(Clone, Debug, clap::Args)]
struct ProfileArguments {
    /// Judge by this profile in place of what a trace's header says: `documented`,
    /// `linux-6.12` or `linux-6.1`
    #[arg(long, value_name = "PROFILE", value_parser = clap::builder::PossibleValuesParser::new(nommu_oracle::trace::PROFILES))]
    profile: Option<String>,
}

/// Does what the arguments ask for.
pub fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Campaign(arguments) => campaign::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Minimise(arguments) => minimise::run(&arguments),
        Command::Conform(arguments) => conform::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Coverage(arguments) => coverage::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
    };
    match done {
        Ok(Verdict::Agrees) => ExitCode::SUCCESS,
        Ok(Verdict::Diverges) => ExitCode::from(1),
        Err(failure) => report(&failure),
    }
}

fn report(failure: &Failure) -> ExitCode {
    match failure {
        Failure::Misuse(message) => {
            anstream::eprintln!("{}", message.trim_end());
            ExitCode::from(2)
        }
        Failure::Target(error) => {
            output::error(error);
            ExitCode::from(3)
        }
        Failure::NotFiled(error) => {
            output::error(error);
            ExitCode::from(2)
        }
        // A closed pipe is how `head` says that it has enough.
        Failure::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Failure::Output(error) => {
            output::error(&format!("cannot write the output: {error}"));
            ExitCode::from(2)
        }
    }
}
