//! A run as text: what was asked, what was answered, which rules had a say, and what is mapped
//! afterwards.
//!
//! Addresses are written as the trace writes them, relative to what a call returned, so that
//! a transcript says the same of every implementation that does the same.

mod places;

#[cfg(test)]
mod tests;

pub use places::Places;

use crate::trace::Text;
use nommu_model::observation::{MappingView, Object, Observation, RegionView};
use nommu_model::op::{Operation, Protection};
use nommu_model::outcome::{Outcome, Value};
use nommu_model::world::config::Config;
use std::collections::BTreeSet;
use std::fmt::Write;

/// Bytes of a load that are shown as they are; of more, what they are made of is shown.
const SHOWN_BYTES: usize = 16;
/// Characters of a line of rules.
const WIDTH: usize = 100;

/// One step of a run.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// What was asked.
    pub operation: &'a Operation,
    /// What came of it.
    pub answer: Answered,
    /// Rules that had a say and held, by their ids.
    pub held: Vec<&'static str>,
    /// What is to be seen afterwards.
    pub after: &'a Observation,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It was performed.
    Outcome(Outcome),
    /// It was left out, and why.
    Skipped(String),
}

/// Writes a run, a step at a time. Rules that held at every step that was performed are listed
/// once, at the end; mappings, and what drivers were asked, are listed after a step that
/// changed them.
pub struct Transcript {
    places: Places,
    steps: Vec<Written>,
    /// Mappings, as they were listed last.
    mappings: String,
    /// Drivers, as they were listed last.
    drivers: String,
}

/// One step.
struct Written {
    /// The operation and its outcome.
    begin: String,
    /// The rules that held; none where it was left out.
    held: Option<Vec<&'static str>>,
    /// What it changed.
    end: String,
}

impl Transcript {
    /// Nothing happened yet.
    pub fn new(config: &Config) -> Self {
        Self {
            places: Places::new(config),
            steps: Vec::new(),
            mappings: String::new(),
            drivers: String::new(),
        }
    }

    /// Takes in a step.
    pub fn step(&mut self, entry: &Entry<'_>) {
        let operation = Text(entry.operation);
        let outcome = match &entry.answer {
            Answered::Skipped(reason) => {
                self.steps.push(Written {
                    begin: format!("{operation}\n    skipped: {reason}\n"),
                    held: None,
                    end: String::new(),
                });
                return;
            }
            Answered::Outcome(outcome) => outcome,
        };
        let shown = self.places.outcome(entry.operation, outcome);
        self.places.after(entry.operation, outcome, entry.after);
        let mut end = String::new();
        let mappings = list(&self.places, entry.after);
        if mappings != self.mappings {
            end.push_str(match mappings.as_str() {
                "" => "    nothing is mapped\n",
                listed => listed,
            });
            self.mappings = mappings;
        }
        let drivers = list_drivers(&self.places, entry.after);
        if drivers != self.drivers {
            end.push_str(&drivers);
            self.drivers = drivers;
        }
        self.steps.push(Written {
            begin: format!("{operation}\n    {shown}\n"),
            held: Some(entry.held.clone()),
            end,
        });
    }

    /// The whole text.
    pub fn finish(&self) -> String {
        let always = self.held_always();
        let mut text = String::new();
        for step in &self.steps {
            text.push_str(&step.begin);
            let held: Vec<&str> = (step.held.iter().flatten().copied())
                .filter(|rule| !always.contains(rule))
                .collect();
            if !held.is_empty() {
                write_wrapped(&mut text, "    held: ", &held);
            }
            text.push_str(&step.end);
        }
        if !always.is_empty() {
            let always: Vec<&str> = always.into_iter().collect();
            write_wrapped(&mut text, "at every step: ", &always);
        }
        text
    }

    /// Rules that held at every step that was performed.
    fn held_always(&self) -> BTreeSet<&'static str> {
        let mut performed = (self.steps.iter())
            .filter_map(|step| step.held.as_ref())
            .map(|held| held.iter().copied().collect::<BTreeSet<_>>());
        // What holds at the only step says more there.
        match (performed.next(), performed.next()) {
            (Some(first), Some(second)) => {
                performed.fold(&first & &second, |held, more| &held & &more)
            }
            _ => BTreeSet::new(),
        }
    }
}

/// Words after a beginning, as many to a line as fit, further lines indented below the first word.
fn write_wrapped(text: &mut String, beginning: &str, words: &[&str]) {
    let indent = " ".repeat(beginning.len());
    let mut line = String::from(beginning);
    for (index, word) in words.iter().enumerate() {
        let comma = if index + 1 < words.len() { "," } else { "" };
        if line.trim_start().len() > 1
            && line != beginning
            && line.len() + 1 + word.len() + comma.len() > WIDTH
        {
            text.push_str(line.trim_end());
            text.push('\n');
            line.clone_from(&indent);
        }
        let _ = write!(line, "{word}{comma} ");
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

/// The mappings of every process that has some, a line each.
fn list(places: &Places, seen: &Observation) -> String {
    let mut text = String::new();
    for process in &seen.processes {
        for mapping in &process.mappings {
            let shown = places.mapping(mapping);
            let how = how(seen, mapping);
            let _ = writeln!(text, "    p{}: {shown}{how}", process.process.0);
        }
    }
    text
}

/// What the region behind a mapping is, where that is seen: whether it is a copy of the object
/// or the object itself, and what it keeps beyond its end.
fn how(seen: &Observation, mapping: &MappingView) -> String {
    let region = seen.regions.iter().find(|region| {
        region.object == mapping.object
            && region.start <= mapping.start
            && mapping.end <= region.end
    });
    let Some(region) = region else {
        return String::new();
    };
    let mut text = match (mapping.object, region.copy) {
        (None, _) => String::new(),
        (Some(_), true) => ", copied".into(),
        (Some(_), false) => ", direct".into(),
    };
    if region.top > region.end {
        let _ = write!(text, ", keeps {:#x}", region.top - region.end);
    }
    text
}

/// What drivers were asked so far, a line for each that was.
fn list_drivers(places: &Places, seen: &Observation) -> String {
    let mut text = String::new();
    for driver in &seen.drivers {
        let (area, mmap, close) = (driver.area_calls, driver.mmap_calls, driver.close_calls);
        if area + mmap + close > 0 {
            let device = places.object(Object::File(driver.number));
            let _ = writeln!(
                text,
                "    {device}: get_unmapped_area {area}, mmap {mmap}, close {close}"
            );
        }
    }
    text
}

impl Places {
    /// An outcome as it is shown under its operation.
    pub fn outcome(&self, operation: &Operation, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Error(errno) => format!("= {errno}"),
            Outcome::Crash(words) => format!("= crash: {}", words.escape_debug()),
            Outcome::Unsupported => "= not supported by the target".into(),
            Outcome::Ok(value) => self.value(operation, value),
        }
    }

    fn value(&self, operation: &Operation, value: &Value) -> String {
        match value {
            Value::Done => "= done".into(),
            Value::Address(address) => format!("= {}", self.returned(operation, *address)),
            Value::Count(count) => format!("= {count}"),
            Value::Bytes(bytes) => format!("= {}", show_bytes(bytes)),
            Value::Segment { size, attached } => format!("= size {size:#x}, {attached} attached"),
            Value::Mappings(mappings) => {
                let lines = mappings.iter().map(|mapping| self.mapping(mapping));
                listing("mappings", lines)
            }
            Value::Regions(regions) => {
                let lines = regions.iter().map(|region| self.region(region));
                listing("regions", lines)
            }
        }
    }

    /// What is mapped, and from where.
    fn backing(&self, object: Option<Object>, offset: u64) -> String {
        match object {
            None => "anonymous".into(),
            Some(object) => format!("{} at {offset:#x}", self.object(object)),
        }
    }

    /// One line of `/proc/<pid>/maps`.
    pub fn mapping(&self, mapping: &MappingView) -> String {
        let sharing = if mapping.shared { 's' } else { 'p' };
        format!(
            "{} +{:#x} {}{sharing} {}",
            self.name(mapping.start),
            mapping.end.wrapping_sub(mapping.start),
            letters(mapping.protection),
            self.backing(mapping.object, mapping.offset)
        )
    }

    /// One line of `/proc/maps`.
    fn region(&self, region: &RegionView) -> String {
        format!(
            "{} +{:#x} {} {}",
            self.name(region.start),
            region.end.wrapping_sub(region.start),
            letters(region.protection),
            self.backing(region.object, region.offset)
        )
    }
}

fn listing(what: &str, lines: impl ExactSizeIterator<Item = String>) -> String {
    if lines.len() == 0 {
        return format!("= no {what}");
    }
    let mut text = format!("= {what}:");
    for line in lines {
        let _ = write!(text, "\n        {line}");
    }
    text
}

fn letters(protection: Protection) -> String {
    let letters = [
        (Protection::READ, 'r'),
        (Protection::WRITE, 'w'),
        (Protection::EXEC, 'x'),
    ];
    (letters.iter())
        .map(|(bit, letter)| {
            if protection.contains(*bit) {
                *letter
            } else {
                '-'
            }
        })
        .collect()
}

/// Bytes: a few as they are, more as the runs of equal bytes that they are made of, and what
/// is not made of few runs by its length and checksum.
fn show_bytes(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "no bytes".into();
    }
    let runs: Vec<(u8, usize)> = (bytes.chunk_by(|a, b| a == b))
        .map(|run| (run[0], run.len()))
        .collect();
    if runs.len() <= 4 {
        let shown: Vec<String> = (runs.iter())
            .map(|(byte, count)| {
                Text(nommu_model::op::Fill {
                    byte: *byte,
                    count: *count as u64,
                })
                .to_string()
            })
            .collect();
        return shown.join(" ");
    }
    let hex = |bytes: &[u8]| -> String {
        let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        shown.join(" ")
    };
    if bytes.len() <= SHOWN_BYTES {
        return hex(bytes);
    }
    format!(
        "{:#x} bytes, {} ... {}, fnv1a {:016x}",
        bytes.len(),
        hex(&bytes[..4]),
        hex(&bytes[bytes.len() - 4..]),
        fnv1a(bytes)
    )
}

/// A checksum that tells contents apart in a transcript.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
