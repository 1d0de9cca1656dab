//! Inputs to begin with, made of what is in the repository.
//!
//! They are a function of it, so none is kept in it:
//!
//! | harness | seeds |
//! |---|---|
//! | `lockstep`, `lockstep_tiny`, `sweep` | of each conformance trace, the bytes of a near relative (`relative`) |
//! | `trace` | the conformance traces |
//! | `protocol` | what kernels answered to them, from `corpus/transcripts/`, behind a greeting |
//! | `specs` | the files of `specs/` |
//! | `scope` | the scopes of `specs/scopes/` |

use super::relative::{Relative, relative};
use super::{Harness, lockstep};
use crate::target::protocol::VERSION;
use crate::trace::Trace;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// An input to begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The file that it is made of, below the workspace.
    pub origin: PathBuf,
    /// The input.
    pub bytes: Vec<u8>,
    /// How near it comes to the trace that it is made of, where it is made by the generator.
    pub near: Option<Near>,
}

/// How near a seed comes to its trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Near {
    /// Operations of the trace.
    pub operations: usize,
    /// Those that it makes in some way.
    pub made: usize,
    /// Those that it makes exactly so.
    pub exact: usize,
}

/// A file that no seed could be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", file.display())]
pub struct SeedError {
    /// The file or folder.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// The seeds of a harness, by the names of their files.
///
/// # Errors
///
/// The first file below `workspace` that cannot be read or is not what it should be.
pub fn seeds(harness: Harness, workspace: &Path) -> Result<Vec<Seed>, SeedError> {
    let (folder, extension) = match harness {
        Harness::Lockstep | Harness::LockstepTiny | Harness::Sweep | Harness::Trace => {
            ("corpus/conformance", "trace")
        }
        Harness::Protocol => ("corpus/transcripts", "transcript"),
        Harness::Specs => ("specs", "toml"),
        Harness::Scope => ("specs/scopes", "toml"),
    };
    let mut files = Vec::new();
    find(workspace, Path::new(folder), extension, &mut files)?;
    // In parallel, and in the order of the files.
    (files.into_par_iter())
        .map(|file| seed(harness, workspace, file))
        .collect()
}

fn seed(harness: Harness, workspace: &Path, origin: PathBuf) -> Result<Seed, SeedError> {
    let text = std::fs::read(workspace.join(&origin)).map_err(|error| SeedError {
        file: origin.clone(),
        problem: error.to_string(),
    })?;
    let mut near = None;
    let bytes = match lockstep::options(harness) {
        Some(options) => {
            let name = origin.display().to_string();
            let trace = Trace::parse(&name, &text).map_err(|problem| SeedError {
                file: origin.clone(),
                problem: problem.to_string(),
            })?;
            let Relative { bytes, made, exact } = relative(&trace, &options);
            near = Some(Near {
                operations: trace.lines.len(),
                made,
                exact,
            });
            // The byte in front says which allocation fails.
            let failure = lockstep::first_byte(trace.header.failure);
            std::iter::once(failure).chain(bytes).collect()
        }
        None if harness == Harness::Protocol => answers(&text),
        None => text,
    };
    Ok(Seed {
        origin,
        bytes,
        near,
    })
}

/// What a target said in a conversation.
fn answers(transcript: &[u8]) -> Vec<u8> {
    let greeting = format!(
        "nommu-protocol {VERSION} seed mappings|regions|copied|files|file-pages|segments|drivers|records\n"
    );
    let mut said = greeting.into_bytes();
    for line in transcript.split(|&byte| byte == b'\n') {
        if let Some(answer) = line.strip_prefix(b"<- ") {
            said.extend_from_slice(answer);
            said.push(b'\n');
        }
    }
    said
}

/// All files with an extension below a folder, by name.
fn find(
    workspace: &Path,
    folder: &Path,
    extension: &str,
    files: &mut Vec<PathBuf>,
) -> Result<(), SeedError> {
    let cannot = |error: std::io::Error| SeedError {
        file: folder.to_owned(),
        problem: error.to_string(),
    };
    let mut names = std::fs::read_dir(workspace.join(folder))
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.file_name()))
                .collect::<std::io::Result<Vec<_>>>()
        })
        .map_err(cannot)?;
    names.sort();
    for name in names {
        let path = folder.join(name);
        if workspace.join(&path).is_dir() {
            find(workspace, &path, extension, files)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(())
}
