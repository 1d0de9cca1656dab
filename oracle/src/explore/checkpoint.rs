//! A search kept in a file.
//!
//! Only links are kept: every state, fingerprint and violation follows from them by taking the
//! steps again, which costs one step for each state instead of one for each transition, and
//! notices when the system is no longer what it was.
//!
//! The file is a line that names the format and its version, the payload (postcard), and at
//! the end the payload's length and hash.

use super::links::{LevelLinks, Origin};
use super::system::System;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// A search between two chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub transitions: u64,
    pub memory_bytes: u64,
    /// Of all fingerprints.
    pub digest: u64,
    pub notes: Vec<u64>,
    pub witnesses: Vec<Option<Origin>>,
    pub violations: Vec<Origin>,
    pub links: Vec<LevelLinks>,
}

/// What stands before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Header {
    name: String,
    /// As bytes, so that the length says nothing of it.
    identity: [u8; 16],
}

/// A checkpoint that cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system said no.
    #[error("checkpoint {path}: cannot {attempt}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        attempt: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// Something else.
    #[error("checkpoint {path}: this is no checkpoint: expected it to begin with {MAGIC:?}")]
    NotACheckpoint {
        /// Which file.
        path: PathBuf,
    },
    /// Of an older or newer program.
    #[error("checkpoint {path}: version {found} was found, expected version {VERSION}")]
    Version {
        /// Which file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// Part of it is missing, or is not what was written.
    #[error("checkpoint {path}: torn: {problem}")]
    Torn {
        /// Which file.
        path: PathBuf,
        /// What was found, and what was expected.
        problem: String,
    },
    /// Of another system.
    #[error(
        "checkpoint {path}: it was made of {found} ({found_identity:032x}), \
         expected {expected} ({expected_identity:032x})"
    )]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// Of what it was made.
        found: String,
        /// The hash of that.
        found_identity: u128,
        /// What is being searched.
        expected: String,
        /// The hash of that.
        expected_identity: u128,
    },
    /// The program behaves otherwise than when it was written.
    #[error(
        "checkpoint {path}: {name} no longer takes the steps that it was made of: \
         search again from the start"
    )]
    Changed {
        /// Which file.
        path: PathBuf,
        /// What is being searched.
        name: String,
    },
}

/// How every checkpoint begins, before its version.
const MAGIC: &str = "nommu-oracle checkpoint ";
/// The version that is written and read.
const VERSION: &str = "2";
/// Bytes that a version has at most, with the end of its line.
const VERSION_LIMIT: usize = 16;
/// Bytes after the payload: its length and hash.
const TRAILER: usize = size_of::<u64>() + size_of::<u128>();

/// Whether checkpoints can be written there at all, which is better known before a long search
/// than after it.
pub(super) fn can_be_written(path: &Path) -> Result<(), CheckpointError> {
    make(path).map(|_| ())
}

/// A file beside the one that it is to replace.
fn make(path: &Path) -> Result<tempfile::NamedTempFile, CheckpointError> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    tempfile::NamedTempFile::new_in(folder).map_err(|error| CheckpointError::File {
        path: path.to_owned(),
        attempt: "make it",
        // What it says besides is an accidental name.
        source: error.kind().into(),
    })
}

/// Replaces a file by a checkpoint, or leaves it as it was.
pub(super) fn write<S: System>(
    path: &Path,
    system: &S,
    saved: &Saved,
) -> Result<(), CheckpointError> {
    let failed = |attempt| {
        move |source| CheckpointError::File {
            path: path.to_owned(),
            attempt,
            source,
        }
    };
    let header = Header {
        name: system.name(),
        identity: identity(system).to_le_bytes(),
    };
    let payload = postcard::to_stdvec(&(header, saved)).expect("plain data is serialized");
    let mut file = make(path)?;
    let line = format!("{MAGIC}{VERSION}\n");
    let length = payload.len() as u64;
    let hash = xxh3_128(&payload);
    for bytes in [
        line.as_bytes(),
        &payload,
        &length.to_le_bytes(),
        &hash.to_le_bytes(),
    ] {
        file.write_all(bytes).map_err(failed("write it"))?;
    }
    file.as_file().sync_all().map_err(failed("write it"))?;
    file.persist(path)
        .map_err(|error| failed("replace it")(error.error))?;
    Ok(())
}

/// Reads a checkpoint of this system.
pub(super) fn read<S: System>(path: &Path, system: &S) -> Result<Saved, CheckpointError> {
    let bytes = std::fs::read(path).map_err(|source| CheckpointError::File {
        path: path.to_owned(),
        attempt: "read it",
        source,
    })?;
    parse(path, system, &bytes)
}

pub(super) fn parse<S: System>(
    path: &Path,
    system: &S,
    bytes: &[u8],
) -> Result<Saved, CheckpointError> {
    let torn = |problem: String| CheckpointError::Torn {
        path: path.to_owned(),
        problem,
    };
    let rest =
        bytes
            .strip_prefix(MAGIC.as_bytes())
            .ok_or_else(|| CheckpointError::NotACheckpoint {
                path: path.to_owned(),
            })?;
    let line = rest
        .iter()
        .take(VERSION_LIMIT)
        .position(|&byte| byte == b'\n')
        .ok_or_else(|| torn("its first line does not end with a version".to_owned()))?;
    let version = String::from_utf8_lossy(&rest[..line]);
    if version != VERSION {
        return Err(CheckpointError::Version {
            path: path.to_owned(),
            found: version.into_owned(),
        });
    }
    let rest = &rest[line + 1..];
    let length = rest
        .len()
        .checked_sub(TRAILER)
        .ok_or_else(|| torn("it ends before its payload".to_owned()))?;
    let (payload, trailer) = rest.split_at(length);
    let (stated, hash) = trailer.split_at(size_of::<u64>());
    let stated = u64::from_le_bytes(stated.try_into().expect("eight bytes"));
    if stated != length as u64 {
        return Err(torn(format!(
            "{length} bytes of payload were found, its end says otherwise"
        )));
    }
    if hash != xxh3_128(payload).to_le_bytes() {
        return Err(torn(
            "its payload does not have the hash at its end".to_owned(),
        ));
    }
    let (header, payload) = postcard::take_from_bytes::<Header>(payload)
        .map_err(|error| torn(format!("its payload cannot be read: {error}")))?;
    let found_identity = u128::from_le_bytes(header.identity);
    if found_identity != identity(system) {
        return Err(CheckpointError::Foreign {
            path: path.to_owned(),
            found: header.name,
            found_identity,
            expected: system.name(),
            expected_identity: identity(system),
        });
    }
    let saved = postcard::from_bytes::<Saved>(payload)
        .map_err(|error| torn(format!("its payload cannot be read: {error}")))?;
    let sound = !saved.links.is_empty()
        && saved.links.iter().all(LevelLinks::is_sound)
        && saved.notes.len() == system.notes()
        && saved.witnesses.len() == system.notes();
    if !sound {
        return Err(torn("its payload contradicts itself".to_owned()));
    }
    Ok(saved)
}

fn identity<S: System>(system: &S) -> u128 {
    xxh3_128(system.identity().as_bytes())
}
