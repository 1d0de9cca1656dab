//! `serve`: the engine, asked by the protocol.

use super::{Failure, Verdict};
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::target::protocol::{self, Ended};
use std::io::{stdin, stdout};

/// Answer for the engine what another program asks, by the protocol of specs/protocol.md.
///
/// Questions come on standard input, answers go to standard output. This is how a campaign runs
/// an engine that may hang, and a conversation to learn from for authors of targets.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle serve < questions                           what the engine answers to each
  nommu-oracle conform --target \"exec:nommu-oracle serve\"  the engine, judged through pipes")]
pub struct Arguments {}

pub fn run(Arguments {}: &Arguments) -> Result<Verdict, Failure> {
    match protocol::serve(&mut EngineTarget::new(), stdin().lock(), stdout().lock()) {
        Ok(()) => Ok(Verdict::Agrees),
        Err(Ended::Unheard(error)) => Err(Failure::Output(error)),
        Err(Ended::Asked(problem)) => Err(Failure::Misuse(format!("error: {problem}"))),
    }
}
