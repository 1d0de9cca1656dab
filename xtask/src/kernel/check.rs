//! Records what a kernel answers to the conformance corpus and to what was found of it, and
//! compares it with what it answered before.

use super::Edition;
use super::build::repository;
use nommu_model::outcome::Outcome;
use nommu_oracle::target::Target;
use nommu_oracle::target::linux::Linux;
use nommu_oracle::trace::Trace;
use std::fs;
use std::path::{Path, PathBuf};

/// Compares the records of a kernel with what it answers now to the conformance corpus and to what
/// was found of it, or writes them anew. Of traces those whose names contain one of the words that
/// are wanted, or all if there is none.
///
/// # Errors
///
/// With the traces that are answered otherwise.
pub fn run(edition: Edition, renew: bool, wanted: &[String]) -> Result<(), String> {
    let corpus = repository()?.join("corpus");
    let name = format!("linux-{edition}");
    let records = corpus.join("transcripts").join(&name);
    let mut traces = traces_below(&corpus.join("conformance"), &records)?;
    let findings = corpus.join("findings").join(&name);
    if findings.is_dir() {
        traces.extend(traces_below(&findings, &records.join("findings"))?);
    }
    traces.retain(|(path, _)| {
        let name = path.display().to_string();
        wanted.is_empty() || wanted.iter().any(|word| name.contains(word))
    });
    traces.sort();
    let mut different = Vec::new();
    let mut linux = Linux::new(&edition.to_string());
    for (path, file) in &traces {
        let record = record(&mut linux, path)?;
        let before = fs::read_to_string(file).unwrap_or_default();
        if without_places(&before) == without_places(&record) {
            continue;
        }
        if renew {
            if let Some(folder) = file.parent() {
                fs::create_dir_all(folder).map_err(|error| error_at(folder, &error))?;
            }
            fs::write(file, &record).map_err(|error| error_at(file, &error))?;
        }
        let name = path.strip_prefix(&corpus).unwrap_or(path);
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

/// The traces below a folder, each with its record below another.
fn traces_below(folder: &Path, records: &Path) -> Result<Vec<(PathBuf, PathBuf)>, String> {
    let mut found = Vec::new();
    find(folder, &mut found)?;
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(folder).unwrap_or(&path);
        let record = records.join(name.with_extension("transcript"));
        (path, record)
    });
    Ok(named.collect())
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

/// A record without what depends on where a kernel happens to find memory, and on what lay there
/// before: addresses, the order of lists, what was read of memory that nobody cleared or mapped,
/// and what is said of registers. All else is the same in every boot.
fn without_places(record: &str) -> String {
    let is_uncleared = record.contains("uninitialized)") || record.contains("|uninitialized");
    let mut lines: Vec<String> = Vec::new();
    let mut question = "";
    // Where the list begins whose items are being read.
    let mut list = None;
    for line in record.lines() {
        if let Some(asked) = line.strip_prefix("-> ") {
            question = asked;
        }
        if line.starts_with("<- - ") {
            let from = *list.get_or_insert(lines.len());
            lines.push(without_addresses(line));
            lines[from..].sort_unstable();
            continue;
        }
        list = None;
        if line.starts_with("<- log ") {
            continue;
        }
        let is_garbage = line.starts_with("<- = bytes ") && is_uncleared
            || line.starts_with("<- = error 11") && question.contains("futex_wait(");
        if is_garbage {
            lines.push("<- = whatever lay there".to_string());
        } else if let Some(words) = line.strip_prefix("<- = crash ") {
            let word = words.split_whitespace().next().unwrap_or_default();
            lines.push(format!("<- = crash {word}"));
        } else {
            lines.push(without_addresses(line));
        }
    }
    lines.join("\n")
}

/// A line of an answer with `@` for every address.
fn without_addresses(line: &str) -> String {
    /// No number of a trace is as large but by chance.
    const PLACES: u64 = 0x8000_0000;
    if !line.starts_with("<- ") {
        return line.to_string();
    }
    let mut words: Vec<&str> = line
        .split(' ')
        .map(|word| {
            let digits = word.strip_prefix("0x");
            let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
            match number {
                Some(PLACES..) => "@",
                _ => word,
            }
        })
        .collect();
    // What ends at a place begins at one, or at whatever lies in a record that is free.
    if let [_, "-", start, "@", ..] = &mut words[..]
        && start.starts_with("0x")
    {
        *start = "@";
    }
    words.join(" ")
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
    fn where_memory_is_does_not_matter_but_how_much_does() {
        let one = "-> a 0x90000000\n<- regions 2\n<- - 0x80001000 0x2\n<- - 0x80002000 0x1\n";
        let other = "-> a 0x90000000\n<- regions 2\n<- - 0x80005000 0x1\n<- - 0x80009000 0x2\n";
        assert_eq!(without_places(one), without_places(other));
        for wrong in [
            other.replace("0x90000000", "0x90001000"),
            other.replace("0x2\n", "0x3\n"),
            other.replace("regions 2", "regions 3"),
            other.replace("0x80005000", "0x5000"),
        ] {
            assert_ne!(without_places(one), without_places(&wrong), "{wrong}");
        }
    }

    #[test]
    fn where_a_freed_record_says_that_memory_begins_does_not_matter() {
        let one = "-> a\n<- mappings p0 1\n<- - 0x7b40060 0x806ed000 rw-p anonymous 0x0\n";
        let other = one.replace("0x7b40060", "0x4dc00b0");
        assert_eq!(without_places(one), without_places(&other));
        let wrong = one.replace("0x806ed000", "0x7b41000");
        assert_ne!(without_places(one), without_places(&wrong));
    }

    #[test]
    fn what_lay_in_memory_before_does_not_matter_where_nobody_cleared_it() {
        let load = |flags: &str, byte: &str| {
            format!("-> p0  m0 = mmap({flags})\n-> p0  load(m0, 0x1)\n<- = bytes {byte}\n")
        };
        let same =
            |flags: &str| without_places(&load(flags, "00")) == without_places(&load(flags, "41"));
        assert!(same("flags=private|uninitialized"));
        assert!(!same("flags=private"));
    }
}
