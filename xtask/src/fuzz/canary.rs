//! That a crash becomes a regression by itself: a fault that nothing can miss is put into a copy
//! of the workspace, and the copy is fuzzed as any workspace is.

use crate::faults::tree::Tree;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which copy: none that faults are scored in.
const COPY: usize = 1000;

/// Fuzzes the copy for at most so many seconds.
///
/// # Errors
///
/// When no crash is found there, or no minimised trace is kept of it.
pub fn run(workspace: &Path, seconds: u64) -> Result<(), String> {
    let tree = Tree::new(workspace, COPY)?;
    let patch = workspace.join("corpus/faults/canary.patch");
    let regressions = tree.root().join(super::REGRESSIONS);
    let tracked = traces(&workspace.join(super::REGRESSIONS))?;
    let before = traces(&regressions)?;
    // What an earlier run kept there.
    for name in before.difference(&tracked) {
        let path = regressions.join(name);
        std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    tree.apply(&patch)?;
    let status = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--package", "xtask", "--", "fuzz"])
        .args(["--time", &seconds.to_string(), "lockstep"])
        .current_dir(tree.root())
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .map_err(|error| format!("cargo run: {error}"));
    tree.revert(&patch)?;
    if status?.success() {
        return Err("the canary lives: fuzzing did not find a fault that is everywhere".to_owned());
    }
    let after = traces(&regressions)?;
    let Some(kept) = after.difference(&tracked).next() else {
        return Err("the canary was found, and no regression was made of it".to_owned());
    };
    let path = regressions.join(kept);
    let text =
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("a seeded fault became {}:\n\n{text}", kept.display());
    Ok(())
}

/// The names of the traces in a folder.
fn traces(folder: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let problem = |error| format!("{}: {error}", folder.display());
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).map_err(problem)? {
        let path = PathBuf::from(entry.map_err(problem)?.file_name());
        if path.extension().is_some_and(|found| found == "trace") {
            names.insert(path);
        }
    }
    Ok(names)
}
