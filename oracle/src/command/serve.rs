//! `serve`: the engine, asked by the protocol.

use super::{Failure, Verdict};
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::target::protocol::{self, Ended};
use std::io::{stdin, stdout};
use std::time::Duration;

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

/// How often it is looked whether whoever asks is still there.
const LOOK: Duration = Duration::from_secs(1);
/// The exit status of one that nobody asks any more.
const NOBODY: i32 = 3;

pub fn run(Arguments {}: &Arguments) -> Result<Verdict, Failure> {
    end_with_who_asks();
    match protocol::serve(&mut EngineTarget::new(), stdin().lock(), stdout().lock()) {
        Ok(()) => Ok(Verdict::Agrees),
        Err(Ended::Unheard(error)) => Err(Failure::Output(error)),
        Err(Ended::Asked(problem)) => Err(Failure::Misuse(format!("error: {problem}"))),
    }
}

/// Ends with the process that started this one. An engine that hangs does not read, so it is not
/// told by the end of its input, and would go round for ever where who asked was killed.
fn end_with_who_asks() {
    #[cfg(unix)]
    std::thread::spawn(|| {
        let asks = std::os::unix::process::parent_id();
        while std::os::unix::process::parent_id() == asks {
            std::thread::sleep(LOOK);
        }
        std::process::exit(NOBODY);
    });
}
