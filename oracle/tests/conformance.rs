//! The conformance corpus: traces written by hand, by section of the document.

use nommu_oracle::trace::Trace;
use std::path::{Path, PathBuf};

/// The corpus that tests read.
fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}

/// Every trace below a folder, sorted.
fn traces(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
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

#[test]
fn traces_are_in_canonical_form() {
    for path in traces(&corpus()) {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).expect("it can be read");
        match Trace::parse(&name, text.as_bytes()) {
            Ok(trace) => assert_eq!(trace.to_string(), text, "{name}"),
            Err(problem) => panic!("{}", problem.report(false)),
        }
    }
}
