//! `specs/protocol.md`: how any implementation is asked and answers.
//!
//! [`Client`] asks, over a [`Wire`], which moves lines and knows nothing of what they mean.
//! Whatever the other side does (nonsense, half a line, silence, dying), the client ends in a
//! sentence that says what was found and what was expected, within a time limit. [`serve()`]
//! answers, for any target that there is.

mod answer;
mod serve;
mod show;
#[cfg(test)]
mod tests;

use super::TargetError;
use crate::trace::Text;
pub use serve::{Ended, serve};

use answer::{Answer, Reader};
use nommu_model::observation::{Observation, Sight};
use nommu_model::op::Operation;
use nommu_model::outcome::{Outcome, Value};
use nommu_model::world::config::Config;
use std::fmt::Write;
use std::io::{BufRead, Read};
use std::time::{Duration, Instant};

/// The version that is spoken.
pub const VERSION: u32 = 1;
/// Bytes of a line at most.
pub const LINE_LIMIT: usize = 1 << 20;
/// Lines of an answer at most.
const ANSWER_LIMIT: usize = 1 << 17;

/// What a target says it can show, by the words of the handshake.
const SIGHTS: &[(&str, Sight)] = &[
    ("mappings", Sight::MAPPINGS),
    ("regions", Sight::REGIONS),
    ("free", Sight::FREE_BLOCKS),
    ("copied", Sight::COPIED_PAGES),
    ("files", Sight::FILES),
    ("file-pages", Sight::FILE_PAGES),
    ("segments", Sight::SEGMENTS),
    ("drivers", Sight::DRIVERS),
    ("contents", Sight::CONTENTS),
    ("records", Sight::REGION_RECORDS),
];

/// What a target says whose allocations can be made to fail.
const FAILURES: &str = "failures";

/// Reads one line, without its line feed: none where there is no more, a sentence where it is no
/// line of text.
pub fn read_line(input: &mut impl BufRead) -> Option<Result<String, String>> {
    let mut line = Vec::new();
    let limit = LINE_LIMIT as u64 + 1;
    let found = match input.take(limit).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => return None,
        Ok(_) if line.last() == Some(&b'\n') => {
            line.pop();
            String::from_utf8(line)
                .map_err(|_| "found bytes that are no UTF-8, expected a line of text".into())
        }
        Ok(count) if count > LINE_LIMIT => Err(format!(
            "found a line of more than {LINE_LIMIT} bytes, expected its end"
        )),
        Ok(_) => Err(format!(
            "found `{}` and nothing behind it, expected a whole line",
            shorten(&String::from_utf8_lossy(&line))
        )),
    };
    Some(found)
}

/// Moves lines to and from an implementation.
pub trait Wire {
    /// Sends text that ends in a line feed.
    ///
    /// # Errors
    ///
    /// When the other side is gone.
    fn send(&mut self, text: &str) -> Result<(), Broken>;

    /// Receives one line, without its line feed, into `line`.
    ///
    /// # Errors
    ///
    /// When there is none in time, or the other side is gone.
    fn receive(&mut self, line: &mut String, deadline: Instant) -> Result<(), Broken>;
}

/// Why nothing more is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// There was no line in time.
    Silent,
    /// The other side is gone: its last words.
    Gone(String),
    /// What came is no line of text.
    Garbage(String),
}

impl Broken {
    fn sentence(&self, limit: Duration) -> String {
        match self {
            Broken::Silent => format!(
                "found silence for {} ms, expected an answer",
                limit.as_millis()
            ),
            Broken::Gone(words) if words.is_empty() => "it ended, expected an answer".into(),
            Broken::Gone(words) => format!("it ended, expected an answer: {words}"),
            Broken::Garbage(found) => found.clone(),
        }
    }
}

/// Bytes that a target shows on request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The bytes.
    Bytes(Vec<u8>),
    /// Where in the target's memory they lie until the next question, for those who can look.
    At(u64),
}

/// Speaks the protocol.
#[derive(Debug)]
pub struct Client<W> {
    wire: W,
    /// How the target names itself.
    name: String,
    sight: Sight,
    /// Whether allocations can be made to fail.
    can_fail: bool,
    /// Whether one was during the last operation.
    failed: bool,
    limit: Duration,
    line: String,
    observation: Observation,
    /// Why nothing more can be asked before the next start.
    dead: Option<String>,
    /// Why, where that was while it showed something, and no operation has told yet.
    untold: Option<String>,
    /// What was left over of the last trace, in the target's words.
    leaks: Vec<String>,
    /// What was asked and answered, as far as it is kept.
    record: Option<String>,
}

impl<W: Wire> Client<W> {
    /// Says hello. Nothing takes longer than `limit`.
    ///
    /// # Errors
    ///
    /// When the other side is not there, or speaks something else.
    pub fn connect(mut wire: W, limit: Duration) -> Result<Self, TargetError> {
        let error = |problem: String| TargetError {
            target: "protocol".into(),
            problem,
        };
        let mut line = String::new();
        wire.send(&format!("nommu-protocol {VERSION}\n"))
            .and_then(|()| wire.receive(&mut line, Instant::now() + limit))
            .map_err(|broken| error(format!("handshake: {}", broken.sentence(limit))))?;
        let (name, sight, can_fail) = handshake(&line).map_err(error)?;
        Ok(Self {
            wire,
            name,
            sight,
            can_fail,
            failed: false,
            limit,
            line,
            observation: Observation::default(),
            dead: None,
            untold: None,
            leaks: Vec::new(),
            record: None,
        })
    }

    /// Keeps what is asked and answered from now on: questions behind `-> `, lines of answers
    /// behind `<- `. What is only looked at is not kept.
    pub fn record(&mut self) {
        self.record = Some(String::new());
    }

    /// What was kept; nothing more is.
    pub fn take_record(&mut self) -> String {
        self.record.take().unwrap_or_default()
    }

    /// How the target names itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it can show.
    pub fn sight(&self) -> Sight {
        self.sight
    }

    /// What it showed last.
    pub fn observation(&self) -> &Observation {
        &self.observation
    }

    /// What moves the lines.
    pub fn wire(&self) -> &W {
        &self.wire
    }

    /// The same, when nothing more is asked by this.
    pub fn into_wire(self) -> W {
        self.wire
    }

    /// Why it cannot be asked any more.
    pub fn dead(&self) -> Option<&str> {
        self.dead.as_deref()
    }

    /// What the last start found left over of the trace before, and forgets it.
    pub fn take_leaks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.leaks)
    }

    /// Makes a fresh system.
    ///
    /// # Errors
    ///
    /// When it cannot, in its words, or does not keep to the protocol.
    pub fn reset(&mut self, config: &Config) -> Result<(), TargetError> {
        self.observation = Observation::default();
        self.failed = false;
        self.leaks.clear();
        let answer = match self.exchange(&reset_question(config)) {
            Ok(answer) => answer,
            Err(problem) => {
                let problem = format!("reset: {problem}");
                self.dead = Some(problem.clone());
                return Err(self.error(problem));
            }
        };
        self.leaks = answer.leaks;
        match answer.outcome {
            Ok(_) if answer.complaints.is_empty() => Ok(()),
            Ok(_) => Err(self.error(answer.complaints.join("; "))),
            Err(words) => Err(self.error(words)),
        }
    }

    /// Performs one operation. What breaks on the way is the implementation's doing, and so an
    /// outcome: nothing more can be asked then before a new start.
    ///
    /// # Errors
    ///
    /// When it was asked after it broke, or says that it was asked wrongly.
    pub fn perform(&mut self, operation: &Operation) -> Result<Outcome, TargetError> {
        if let Some(problem) = self.untold.take() {
            return Ok(Outcome::Crash(problem));
        }
        self.alive()?;
        let text = format!("{}\n", Text(operation));
        let kept = self.record.as_ref().map(String::len);
        let answer = match self.exchange(&text).and_then(only_shown) {
            Ok(answer) => answer,
            Err(problem) => {
                if let Some(record) = &mut self.record {
                    let words = problem.lines().next().unwrap_or_default();
                    let _ = write!(record, "<- = crash {words}\n<- .\n");
                }
                self.dead = Some(problem.clone());
                return Ok(Outcome::Crash(problem));
            }
        };
        self.failed = answer.failed;
        match answer.outcome {
            Err(words) => {
                // What made no sense was not performed, and is not kept.
                if let (Some(record), Some(kept)) = (&mut self.record, kept) {
                    record.truncate(kept);
                }
                Err(self.error(words))
            }
            Ok(_) if !answer.complaints.is_empty() => {
                Ok(Outcome::Crash(answer.complaints.join("; ")))
            }
            Ok(outcome) => Ok(outcome),
        }
    }

    /// Bytes that the target shows on request; none where it does not show them.
    pub fn show(&mut self, what: &str, length: usize) -> Option<Shown> {
        self.alive().ok()?;
        let record = self.record.take();
        let shown = self.exchange(&format!("show {what}\n"));
        self.record = record;
        match shown {
            Ok(Answer {
                place: Some(place), ..
            }) => Some(Shown::At(place)),
            Ok(Answer {
                outcome: Ok(Outcome::Ok(Value::Bytes(bytes))),
                ..
            }) if bytes.len() == length => Some(Shown::Bytes(bytes)),
            Ok(_) => None,
            Err(problem) => {
                self.untold = Some(problem.clone());
                self.dead = Some(problem);
                None
            }
        }
    }

    /// Why it broke when it was only looked at, once.
    pub fn broke(&mut self) -> Option<String> {
        self.untold.take()
    }

    /// Whether allocations can be made to fail.
    pub fn can_fail_allocations(&self) -> bool {
        self.can_fail
    }

    /// Makes the n-th allocation from now fail. False where that cannot be done.
    pub fn fail_allocation(&mut self, n: u64) -> bool {
        if !self.can_fail || self.dead.is_some() {
            return false;
        }
        match self.exchange(&format!("fail {n}\n")) {
            Ok(answer) => matches!(answer.outcome, Ok(Outcome::Ok(Value::Done))),
            Err(problem) => {
                self.dead = Some(problem);
                false
            }
        }
    }

    /// Whether an allocation was made to fail during the last operation.
    pub fn injected_failure(&self) -> bool {
        self.failed
    }

    /// Sends many operations at once and hears their outcomes, for those who need no
    /// observation in between.
    ///
    /// # Errors
    ///
    /// When one of them breaks the target.
    pub fn perform_all(&mut self, operations: &[Operation]) -> Result<Vec<Outcome>, TargetError> {
        self.alive()?;
        let mut outcomes = Vec::with_capacity(operations.len());
        for some in operations.chunks(512) {
            if let Err(problem) = self.perform_some(some, &mut outcomes) {
                // Answers to what was asked are still to come: nobody awaits them.
                self.dead = Some(problem.clone());
                return Err(self.error(problem));
            }
        }
        Ok(outcomes)
    }

    fn perform_some(
        &mut self,
        operations: &[Operation],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), String> {
        let mut text = String::new();
        for operation in operations {
            let _ = writeln!(text, "{}", Text(operation));
        }
        (self.wire.send(&text)).map_err(|broken| broken.sentence(self.limit))?;
        for _ in operations {
            let answer = self.answer().and_then(only_shown)?;
            outcomes.push(answer.outcome?);
        }
        Ok(())
    }

    fn alive(&self) -> Result<(), TargetError> {
        match &self.dead {
            None => Ok(()),
            Some(problem) => Err(self.error(format!("it was asked after it broke: {problem}"))),
        }
    }

    fn error(&self, problem: String) -> TargetError {
        TargetError {
            target: self.name.clone(),
            problem,
        }
    }

    fn exchange(&mut self, text: &str) -> Result<Answer, String> {
        if let Some(record) = &mut self.record {
            let _ = write!(record, "-> {text}");
        }
        if let Err(broken) = self.wire.send(text) {
            return Err(broken.sentence(self.limit));
        }
        self.answer()
    }

    /// One answer, up to its closing line.
    fn answer(&mut self) -> Result<Answer, String> {
        let deadline = Instant::now() + self.limit;
        let mut reader = Reader::new(&mut self.observation);
        for _ in 0..ANSWER_LIMIT {
            if let Err(broken) = self.wire.receive(&mut self.line, deadline) {
                return Err(broken.sentence(self.limit));
            }
            if let Some(record) = &mut self.record {
                let _ = writeln!(record, "<- {}", self.line);
            }
            if let Some(answer) = reader.line(&self.line)? {
                return Ok(answer);
            }
        }
        Err(format!(
            "found an answer of {ANSWER_LIMIT} lines that goes on, expected its end"
        ))
    }
}

/// What asks for a fresh system, a line.
pub fn reset_question(config: &Config) -> String {
    let mut text = format!("reset page={}", config.page_size);
    if let Some(window) = config.window {
        let _ = write!(text, " pages={} start={:#x}", window.pages, window.start);
    }
    let uninitialized = if config.uninitialized { "yes" } else { "no" };
    let _ = writeln!(
        text,
        " trim={} uninitialized={uninitialized} processes={}",
        config.trim, config.processes
    );
    text
}

/// An operation's bytes are its answer: they do not lie somewhere.
fn only_shown(answer: Answer) -> Result<Answer, String> {
    match answer.place {
        None => Ok(answer),
        Some(place) => Err(format!(
            "found `= at {place:#x}`, expected it of `show` alone"
        )),
    }
}

/// `nommu-protocol 1 NAME mappings|regions|...`: the name, what can be seen, and whether
/// allocations can be made to fail.
fn handshake(line: &str) -> Result<(String, Sight, bool), String> {
    let expected = format!("expected `nommu-protocol {VERSION}`, a name and what can be seen");
    let mut words = line.split(' ');
    if words.next() != Some("nommu-protocol") {
        return Err(format!("handshake: found `{}`, {expected}", shorten(line)));
    }
    let version = words.next().unwrap_or_default();
    if version != VERSION.to_string() {
        return Err(format!(
            "handshake: found version `{}`, expected {VERSION}",
            shorten(version)
        ));
    }
    let (Some(name), Some(sights), None) = (words.next(), words.next(), words.next()) else {
        return Err(format!("handshake: found `{}`, {expected}", shorten(line)));
    };
    let mut sight = Sight::empty();
    let mut can_fail = false;
    for word in sights.split('|').filter(|word| *word != "none") {
        if word == FAILURES {
            can_fail = true;
            continue;
        }
        match SIGHTS.iter().find(|(known, _)| *known == word) {
            Some((_, part)) => sight |= *part,
            None => {
                let mut known: Vec<&str> = SIGHTS.iter().map(|(known, _)| *known).collect();
                known.push(FAILURES);
                return Err(format!(
                    "handshake: found `{}`, expected `none` or some of {}",
                    shorten(word),
                    known.join(", ")
                ));
            }
        }
    }
    Ok((name.to_string(), sight, can_fail))
}

/// The beginning of what was found, fit to be shown.
fn shorten(found: &str) -> String {
    const SHOWN: usize = 80;
    let mut shown: String = found.chars().take(SHOWN).collect();
    if shown.len() < found.len() {
        shown.push_str("...");
    }
    shown.escape_debug().to_string()
}
