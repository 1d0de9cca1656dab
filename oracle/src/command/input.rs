//! Traces from files, folders and standard input.

use super::Failure;
use nommu_oracle::trace::{FILE_LIMIT, Trace};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A trace and how messages name it.
pub struct Named {
    /// The path as it was given or found.
    pub name: String,
    /// What was read.
    pub trace: Trace,
}

/// Reads every trace that paths name: a file, all of a folder by name, or `-` for standard
/// input. Every unreadable one is reported, not only the first.
pub fn traces(paths: &[PathBuf]) -> Result<Vec<Named>, Failure> {
    let mut traces = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        let mut files = Vec::new();
        if path.is_dir() {
            find(path, &mut files)?;
            if files.is_empty() {
                problems.push(format!(
                    "error: found no trace in {}, expected files named *.trace",
                    path.display()
                ));
            }
        } else {
            files.push(path.clone());
        }
        for file in files {
            match trace(&file) {
                Ok(named) => traces.push(named),
                Err(problem) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() {
        Ok(traces)
    } else {
        Err(Failure::Misuse(problems.join("\n\n")))
    }
}

fn trace(path: &Path) -> Result<Named, String> {
    let is_input = path.as_os_str() == "-";
    let (name, text) = if is_input {
        ("standard input".to_string(), read(std::io::stdin().lock()))
    } else {
        let text = std::fs::File::open(path).and_then(read);
        (path.display().to_string(), text)
    };
    let text = text.map_err(|error| format!("error: cannot read {name}: {error}"))?;
    match Trace::parse(&name, &text) {
        Ok(trace) => Ok(Named { name, trace }),
        Err(problem) => Err(problem.report(true)),
    }
}

/// The names of the traces below a folder, such as `futexes/futex-supported.trace`; none where
/// it cannot be read.
pub fn names(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    if find(folder, &mut files).is_err() {
        return Vec::new();
    }
    (files.iter())
        .filter_map(|file| file.strip_prefix(folder).ok())
        .map(|name| name.display().to_string())
        .collect()
}

/// Reads up to what a trace may have, and a byte more so that more is noticed.
fn read(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(FILE_LIMIT as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// All traces below a folder, by name.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| {
        Failure::Misuse(format!("error: cannot read {}: {error}", folder.display()))
    };
    let mut entries = std::fs::read_dir(folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<Vec<_>, _>>()
        })
        .map_err(cannot)?;
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            find(&entry, files)?;
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "trace")
        {
            files.push(entry);
        }
    }
    Ok(())
}
