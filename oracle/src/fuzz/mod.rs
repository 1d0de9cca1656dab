//! What fuzzers do with an input, apart from any fuzzer.
//!
//! A [`Harness`] turns bytes into something to judge: into a trace by the one generator, or into
//! a text for one of the readers. `fuzz/` feeds it from libFuzzer, the tests replay what was
//! found once, and [`keep()`] makes a regression of what crashes.

mod keep;
mod lockstep;
mod readers;
mod relative;
mod seeds;
mod shrink;
#[cfg(test)]
mod tests;

pub use keep::{Kept, NotKept, keep, keep_bytes};
pub use seeds::{Near, Seed, SeedError, seeds};

use crate::lockstep::Divergence;
use crate::target::engine::panics;
use crate::trace::Trace;

/// One way to judge an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harness {
    /// The engine in lockstep with the model, in systems of every size.
    Lockstep,
    /// The same where memory runs out at once: four pages of 16 bytes.
    LockstepTiny,
    /// The same in short traces, of which every allocation is made to fail once.
    Sweep,
    /// The reader of traces, and their printer.
    Trace,
    /// The host's side of the protocol, which hears anything.
    Protocol,
    /// The readers of `specs/`.
    Specs,
    /// The reader of scopes.
    Scope,
}

/// What is wrong with an input.
#[derive(Clone, Debug)]
pub enum Crash {
    /// The engine diverges on the trace that the input makes, at its end.
    Diverged(Box<Trace>, Box<Divergence>),
    /// Something panicked, or broke a law: in which words, and on which trace if there is one.
    Broke(String, Option<Box<Trace>>),
}

impl std::fmt::Display for Crash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Crash::Diverged(trace, divergence) => write!(formatter, "{divergence}\n{trace}"),
            Crash::Broke(words, Some(trace)) => write!(formatter, "{words}\n{trace}"),
            Crash::Broke(words, None) => formatter.write_str(words),
        }
    }
}

impl std::str::FromStr for Harness {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|harness| harness.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("found `{name}`, expected one of {names}")
        })
    }
}

impl std::fmt::Display for Harness {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Harness {
    /// Every harness.
    pub const ALL: [Harness; 7] = [
        Harness::Lockstep,
        Harness::LockstepTiny,
        Harness::Sweep,
        Harness::Trace,
        Harness::Protocol,
        Harness::Specs,
        Harness::Scope,
    ];

    /// What its fuzz target is called.
    pub fn name(self) -> &'static str {
        match self {
            Harness::Lockstep => "lockstep",
            Harness::LockstepTiny => "lockstep_tiny",
            Harness::Sweep => "sweep",
            Harness::Trace => "trace",
            Harness::Protocol => "protocol",
            Harness::Specs => "specs",
            Harness::Scope => "scope",
        }
    }

    /// The dictionary in `fuzz/` whose words its inputs are made of; none for inputs that are
    /// no text.
    pub fn dictionary(self) -> Option<&'static str> {
        match self {
            Harness::Lockstep | Harness::LockstepTiny | Harness::Sweep => None,
            Harness::Trace => Some("trace.dict"),
            Harness::Protocol => Some("protocol.dict"),
            Harness::Specs | Harness::Scope => Some("toml.dict"),
        }
    }

    /// Bytes that an input needs at most: more would not be looked at, or only take longer.
    pub fn longest(self) -> usize {
        match lockstep::options(self) {
            Some(options) => 1 + options.bytes(),
            None => 4096,
        }
    }

    /// Judges an input. A panic of what is judged goes through.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn judge(self, input: &[u8]) -> Result<(), Crash> {
        match self {
            Harness::Lockstep | Harness::LockstepTiny | Harness::Sweep => {
                lockstep::judge(self, input)
            }
            Harness::Trace => readers::trace(input),
            Harness::Protocol => readers::protocol(input),
            Harness::Specs => readers::specs(input),
            Harness::Scope => readers::scope(input),
        }
    }

    /// Judges an input as a fuzzer wants it.
    ///
    /// # Panics
    ///
    /// Where [`Harness::judge`] has an error, in its words.
    pub fn run(self, input: &[u8]) {
        if let Err(crash) = self.judge(input) {
            panic!("{crash}");
        }
    }

    /// As [`Harness::judge`], where a panic is an error too.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn try_judge(self, input: &[u8]) -> Result<(), Crash> {
        match panics::watch(|| self.judge(input)) {
            Ok(judged) => judged,
            Err(words) => Err(Crash::Broke(
                words,
                lockstep::interrupted(self, input).map(Box::new),
            )),
        }
    }
}
