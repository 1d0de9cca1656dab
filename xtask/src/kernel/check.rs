//! Records what a kernel answers to the conformance corpus, and compares it with what it
//! answered before.

use super::Edition;
use super::build::repository;
use nommu_model::outcome::Outcome;
use nommu_oracle::target::Target;
use nommu_oracle::target::linux::Linux;
use nommu_oracle::trace::Trace;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Compares the records of a kernel with what it answers now, or writes them anew.
///
/// # Errors
///
/// With the traces that are answered otherwise.
pub fn run(edition: Edition, renew: bool) -> Result<(), String> {
    let repository = repository()?;
    let corpus = repository.join("corpus/conformance");
    let records = repository.join(format!("corpus/transcripts/linux-{edition}"));
    let mut traces = Vec::new();
    find(&corpus, &mut traces)?;
    traces.sort();
    let mut different = Vec::new();
    let mut linux = Linux::new(&edition.to_string());
    for path in &traces {
        let name = path.strip_prefix(&corpus).unwrap_or(path);
        let record = record(&mut linux, path)?;
        let file = records.join(name.with_extension("transcript"));
        let before = fs::read_to_string(&file).unwrap_or_default();
        if without_places(&before) == without_places(&record) {
            continue;
        }
        if renew {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).map_err(|error| error_at(folder, &error))?;
            }
            fs::write(&file, &record).map_err(|error| error_at(&file, &error))?;
        }
        different.push(name.display().to_string());
    }
    println!(
        "linux {edition}: {} traces, {} answered otherwise than recorded",
        traces.len(),
        different.len()
    );
    match renew || different.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "answered otherwise than recorded: {}\nhelp: cargo xtask kernel check {edition} --renew",
            different.join(", ")
        )),
    }
}

/// What a kernel answers to a trace from a fresh boot.
fn record(linux: &mut Linux, path: &Path) -> Result<String, String> {
    let text = fs::read(path).map_err(|error| error_at(path, &error))?;
    let trace = Trace::parse(&path.display().to_string(), &text)
        .map_err(|problem| problem.report(false))?;
    linux.shut_down();
    let config = linux.offered(trace.header.config(Vec::new()));
    linux.reset(&config).map_err(|error| error.to_string())?;
    linux.record();
    // The start again, this time on the record.
    linux.reset(&config).map_err(|error| error.to_string())?;
    for operation in trace.operations() {
        // An operation that cannot be performed is not, and not recorded.
        if let Ok(Outcome::Crash(_)) = linux.perform(operation) {
            break;
        }
    }
    Ok(linux.take_record())
}

/// A record with every address replaced by the order in which it came: where a kernel has its
/// memory is not compared, nor what it says of registers.
fn without_places(record: &str) -> String {
    /// No number of a trace is as large but by chance.
    const PLACES: u64 = 0x8000_0000;
    let mut known = BTreeMap::new();
    let mut text = String::new();
    for line in record.lines().filter(|line| !line.starts_with("<- log ")) {
        if let Some(words) = line.strip_prefix("<- = crash ") {
            let word = words.split_whitespace().next().unwrap_or_default();
            let _ = writeln!(text, "crash {word}");
            continue;
        }
        for word in line.split(' ') {
            let place = (word.strip_prefix("0x"))
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .filter(|place| *place >= PLACES && line.starts_with("<- "));
            match place {
                Some(place) => {
                    let next = known.len();
                    let _ = write!(text, " @{}", known.entry(place).or_insert(next));
                }
                None => {
                    let _ = write!(text, " {word}");
                }
            }
        }
        text.push('\n');
    }
    text
}

fn find(folder: &Path, traces: &mut Vec<PathBuf>) -> Result<(), String> {
    let entries = fs::read_dir(folder).map_err(|error| error_at(folder, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| error_at(folder, &error))?.path();
        if path.is_dir() {
            find(&path, traces)?;
        } else if path
            .extension()
            .is_some_and(|extension| extension == "trace")
        {
            traces.push(path);
        }
    }
    Ok(())
}

fn error_at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::without_places;

    #[test]
    fn where_memory_is_does_not_matter_but_what_is_the_same_does() {
        let one = "-> a 0x90000000\n<- 0x80001000 0x80002000 0x80001000\n";
        let other = "-> a 0x90000000\n<- 0x80005000 0x80009000 0x80005000\n";
        let third = "-> a 0x90000000\n<- 0x80005000 0x80009000 0x80009000\n";
        assert_eq!(without_places(one), without_places(other));
        assert_ne!(without_places(one), without_places(third));
    }
}
