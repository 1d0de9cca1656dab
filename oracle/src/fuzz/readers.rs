//! Inputs that are texts: whatever they say, each reader ends in a value or in a sentence.

use super::Crash;
use crate::explore::scope;
use crate::specs::{self, Deviations, Document, Gaps, Section, SpecError};
use crate::target::protocol::{Broken, Client, Wire};
use crate::trace::{Header, Trace};
use nommu_model::op::{Call, Operation, Process};
use std::time::{Duration, Instant};

/// What a law that was broken says.
fn broke(words: String) -> Result<(), Crash> {
    Err(Crash::Broke(words, None))
}

/// What is read can be written, and reads back as the same; what is not can be explained.
pub fn trace(input: &[u8]) -> Result<(), Crash> {
    let trace = match Trace::parse("input", input) {
        Ok(trace) => trace,
        Err(problem) => {
            let report = problem.report(false);
            return match report.contains(&format!("input:{}", problem.line)) {
                true => Ok(()),
                false => broke(format!("a report that does not say where: {report}")),
            };
        }
    };
    let printed = trace.to_string();
    match Trace::parse("printed", printed.as_bytes()) {
        Ok(again) if again == trace && again.to_string() == printed => Ok(()),
        Ok(again) => broke(format!("read\n{printed}as\n{again}")),
        Err(problem) => broke(format!("{problem} in\n{printed}")),
    }
}

/// Whatever a target says, each question ends in an answer or a sentence.
pub fn protocol(input: &[u8]) -> Result<(), Crash> {
    let wire = Said { rest: input };
    // Nothing waits here: a limit that is never reached.
    let Ok(mut client) = Client::connect(wire, Duration::from_secs(60)) else {
        return Ok(());
    };
    if client.reset(&Header::default().config(Vec::new())).is_err() {
        return Ok(());
    }
    client.record();
    let operation = Operation::Call(Process(0), Call::SystemMaps { chunk: 0 });
    while client.dead().is_none() && !client.wire().rest.is_empty() {
        // A question in between shows bytes where an outcome of that kind comes next.
        let _ = client.show("memory 0x0 1", 1);
        if client.dead().is_none() && client.perform(&operation).is_err() {
            break;
        }
        let regions = &client.observation().regions;
        if client.dead().is_none() && !regions.is_sorted() {
            return broke(format!("regions out of order: {regions:?}"));
        }
    }
    let record = client.take_record();
    match record.lines().all(|line| line.starts_with(['-', '<'])) {
        true => Ok(()),
        false => broke(format!("a record with other lines in it:\n{record}")),
    }
}

/// Each kind of file is read or explained.
pub fn specs(input: &[u8]) -> Result<(), Crash> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(());
    };
    let place = |error: SpecError| (error.line, error.column);
    let errors = [
        specs::read::<Section>("input", text).err().map(place),
        specs::read::<Gaps>("input", text).err().map(place),
        specs::read::<Deviations>("input", text).err().map(place),
        specs::read::<Document>("input", text).err().map(place),
    ];
    errors.into_iter().flatten().try_for_each(|place| {
        if is_in(text, place) {
            Ok(())
        } else {
            broke(format!("a problem at {place:?}, which is not in the text"))
        }
    })
}

/// A scope is read or explained.
pub fn scope(input: &[u8]) -> Result<(), Crash> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(());
    };
    match scope::read("input.toml", text) {
        Ok(scope) if scope.text == text && scope.name == "input" => Ok(()),
        Ok(scope) => broke(format!("another text or name than was read: {scope:?}")),
        Err(error) if is_in(text, (error.line, error.column)) => Ok(()),
        Err(error) => broke(format!("a problem that is not in the text: {error}")),
    }
}

/// Whether a text has this line and column, each counted from 1; right behind a line counts.
fn is_in(text: &str, (line, column): (usize, usize)) -> bool {
    let lines = text.split('\n').nth(line.wrapping_sub(1));
    lines.is_some_and(|line| (1..=line.chars().count() + 1).contains(&column))
}

/// A target that says what an input holds, whatever it is asked.
struct Said<'a> {
    rest: &'a [u8],
}

impl Wire for Said<'_> {
    fn send(&mut self, _: &str) -> Result<(), Broken> {
        Ok(())
    }

    fn receive(&mut self, line: &mut String, _: Instant) -> Result<(), Broken> {
        let Some(end) = self.rest.iter().position(|&byte| byte == b'\n') else {
            self.rest = &[];
            return Err(Broken::Gone(String::new()));
        };
        let said = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        let Ok(said) = std::str::from_utf8(said) else {
            return Err(Broken::Garbage("found bytes that are no text".to_owned()));
        };
        line.clear();
        line.push_str(said);
        Ok(())
    }
}
