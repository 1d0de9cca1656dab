//! The corpus that tests read.

use nommu_oracle::trace::Trace;
use std::path::{Path, PathBuf};

/// A folder of the corpus.
pub fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(name)
}

/// Every trace below a folder, sorted.
pub fn traces(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            found.extend(traces(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "trace")
        {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Reads a trace that has to be one.
#[track_caller]
pub fn read(path: &Path) -> Trace {
    let text = std::fs::read(path).expect("it can be read");
    match Trace::parse(&path.display().to_string(), &text) {
        Ok(trace) => trace,
        Err(problem) => panic!("{}", problem.report(false)),
    }
}
