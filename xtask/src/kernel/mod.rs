//! `cargo xtask kernel`: the kernels that are judged.

mod build;
mod check;
mod configuration;
mod image;
mod measure;
mod packages;
mod rom;
mod trial;

use clap::{Subcommand, ValueEnum};
use std::fmt;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build a kernel and what it boots with into target/kernel/, once, and try it.
    Build {
        /// Which edition.
        edition: Edition,
        /// Build even if it was built from the same sources and switches before.
        #[arg(long)]
        again: bool,
    },
    /// Compare what a kernel answers to the conformance corpus with what is recorded in
    /// corpus/transcripts/.
    Check {
        /// Which edition.
        edition: Edition,
        /// Write the records anew.
        #[arg(long)]
        renew: bool,
        /// Only traces whose names contain one of these words.
        traces: Vec<String>,
    },
    /// Print the names of Debian's packages that a build needs and that are not installed.
    Packages {
        /// Which edition.
        edition: Edition,
    },
    /// Measure how fast a kernel answers; build with --release for the asking side's part.
    Measure {
        /// Which edition.
        edition: Edition,
    },
}

/// An edition of the kernel that Debian has the source of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Edition {
    /// Linux 6.1.
    #[value(name = "6.1")]
    V6_1,
    /// Linux 6.12.
    #[value(name = "6.12")]
    V6_12,
}

impl fmt::Display for Edition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Edition::V6_1 => "6.1",
            Edition::V6_12 => "6.12",
        })
    }
}

/// Does it.
///
/// # Errors
///
/// With what was found and what was expected.
pub fn run(command: &Command) -> Result<(), String> {
    match command {
        Command::Build { edition, again } => build::run_build(*edition, *again),
        Command::Check {
            edition,
            renew,
            traces,
        } => check::run(*edition, *renew, traces),
        Command::Packages { edition } => {
            for package in packages::missing(*edition) {
                println!("{package}");
            }
            Ok(())
        }
        Command::Measure { edition } => measure::run(*edition),
    }
}
