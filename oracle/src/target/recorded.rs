//! What a target once answered, from its record: `corpus/transcripts/`.
//!
//! A record is a conversation as `specs/protocol.md` writes it, with the handshake or without. It
//! answers the same questions with the same answers, and to any other it is an error.

use super::protocol::{Broken, Client, VERSION, Wire};
use super::{Target, TargetError, Touched};
use nommu_model::observation::{Contents, Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::Outcome;
use nommu_model::world::config::Config;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A target that only remembers. Contents are not in a record.
#[derive(Debug)]
pub struct Recorded {
    name: String,
    record: String,
    /// What it keeps to itself.
    hidden: Sight,
    client: Option<Client<Lines>>,
}

/// What is left of a record.
#[derive(Debug)]
struct Lines {
    lines: VecDeque<String>,
    /// What was asked otherwise than it was recorded.
    problem: Option<String>,
}

impl Recorded {
    /// A record of a target of this name.
    pub fn new(name: &str, record: &str) -> Self {
        Self {
            name: name.to_string(),
            record: record.to_string(),
            hidden: Sight::CONTENTS,
            client: None,
        }
    }

    /// The same, as if the target showed no more than this.
    pub fn showing(mut self, shown: Sight) -> Self {
        self.hidden = !shown | Sight::CONTENTS;
        self
    }

    fn error(&self, problem: String) -> TargetError {
        TargetError {
            target: self.name.clone(),
            problem: format!("the record: {problem}"),
        }
    }
}

impl Contents for Recorded {
    fn memory(&self, _: u64, _: &mut [u8]) -> bool {
        false
    }

    fn file(&self, _: u16, _: u64, _: &mut [u8]) -> bool {
        false
    }
}

impl Target for Recorded {
    fn name(&self) -> &str {
        &self.name
    }

    fn sight(&self) -> Sight {
        (self.client.as_ref()).map_or(Sight::empty(), Client::sight) - self.hidden
    }

    fn offered(&self, mut config: Config) -> Config {
        let reset = self
            .record
            .lines()
            .find(|line| line.starts_with("-> reset "));
        if !reset.is_some_and(|reset| reset.contains(" pages=")) {
            config.window = None;
        }
        config
    }

    fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        let handshake = format!("-> nommu-protocol {VERSION}");
        let mut lines: VecDeque<String> = self.record.lines().map(String::from).collect();
        if lines.front() != Some(&handshake) {
            lines.push_front(format!(
                "<- nommu-protocol {VERSION} {} mappings|regions|copied|files|file-pages|segments|drivers|records",
                self.name
            ));
            lines.push_front(handshake);
        }
        let wire = Lines {
            lines,
            problem: None,
        };
        let mut client = Client::connect(wire, Duration::from_secs(1))
            .map_err(|error| self.error(error.problem))?;
        client
            .reset(config)
            .map_err(|error| self.error(error.problem))?;
        self.client = Some(client);
        Ok(())
    }

    fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        let Some(client) = &mut self.client else {
            return Err(self.error("it was asked before it was started".into()));
        };
        let outcome = client.perform(operation)?;
        match client.wire().problem.clone() {
            Some(problem) => Err(self.error(problem)),
            None => Ok(outcome),
        }
    }

    fn observe(&mut self, observation: &mut Observation) -> Result<(), TargetError> {
        if let Some(client) = &self.client {
            observation.clone_from(client.observation());
        }
        Ok(())
    }

    fn touched(&mut self) -> Touched<'_> {
        Touched::Pages(&[])
    }

    fn fail_allocation(&mut self, n: u64) -> bool {
        (self.client.as_mut()).is_some_and(|client| client.fail_allocation(n))
    }

    fn injected_failure(&self) -> bool {
        (self.client.as_ref()).is_some_and(Client::injected_failure)
    }
}

impl Wire for Lines {
    fn send(&mut self, text: &str) -> Result<(), Broken> {
        for asked in text.lines() {
            let found = self.lines.pop_front();
            if found.as_deref().and_then(|line| line.strip_prefix("-> ")) != Some(asked) {
                let found = found.map_or("its end".into(), |line| format!("`{line}`"));
                let problem = format!("found {found}, expected `{asked}`");
                self.problem = Some(problem.clone());
                return Err(Broken::Garbage(problem));
            }
        }
        Ok(())
    }

    fn receive(&mut self, line: &mut String, _: Instant) -> Result<(), Broken> {
        match self.lines.front().and_then(|next| next.strip_prefix("<- ")) {
            Some(answer) => {
                line.clear();
                line.push_str(answer);
                self.lines.pop_front();
                Ok(())
            }
            None => Err(Broken::Gone("the record has no more of the answer".into())),
        }
    }
}
