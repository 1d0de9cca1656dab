//! The inputs of a target: seeds, and what was found to lead somewhere new.

use super::build::Build;
use nommu_oracle::fuzz::{Harness, seeds};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folders of one target.
pub struct Corpus {
    /// Which target.
    pub harness: Harness,
    /// The workspace.
    pub workspace: PathBuf,
}

impl Corpus {
    /// The corpus of a target.
    pub fn new(workspace: &Path, harness: Harness) -> Self {
        Self {
            harness,
            workspace: workspace.to_owned(),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        (self.workspace.join("fuzz"))
            .join(name)
            .join(self.harness.name())
    }

    /// What fuzzing finds.
    pub fn found(&self) -> PathBuf {
        self.folder("corpus")
    }

    /// What it begins with.
    pub fn seeded(&self) -> PathBuf {
        self.folder("seeds")
    }

    /// What crashes.
    pub fn artifacts(&self) -> PathBuf {
        self.folder("artifacts")
    }

    /// How many inputs were found.
    pub fn inputs(&self) -> usize {
        count(&self.found())
    }

    /// How many seeds there are.
    pub fn seeds(&self) -> usize {
        count(&self.seeded())
    }

    /// Makes the seeds, where there are none or they are to be made afresh.
    ///
    /// # Errors
    ///
    /// What they are made of cannot be read, or they cannot be written.
    pub fn seed(&self, afresh: bool) -> Result<(), String> {
        let folder = self.seeded();
        if self.seeds() > 0 && !afresh {
            return Ok(());
        }
        let seeds = seeds(self.harness, &self.workspace).map_err(|error| error.to_string())?;
        let _ = std::fs::remove_dir_all(&folder);
        make(&folder)?;
        let (mut operations, mut made, mut exact) = (0, 0, 0);
        for seed in &seeds {
            // One folder, whatever folders the files are in.
            let name = seed.origin.display().to_string().replace('/', "-");
            let path = folder.join(name);
            std::fs::write(&path, &seed.bytes).map_err(|error| problem(&path, &error))?;
            if let Some(near) = seed.near {
                operations += near.operations;
                made += near.made;
                exact += near.exact;
            }
        }
        let near = match operations {
            0 => String::new(),
            _ => format!(": of {operations} operations {made} are made, {exact} exactly so"),
        };
        eprintln!("{}: {} seeds{near}", self.harness, seeds.len());
        Ok(())
    }

    /// Leaves only what is needed to get wherever any input gets.
    ///
    /// # Errors
    ///
    /// When the inputs cannot be run or written.
    pub fn minimise(&self, build: &Build) -> Result<(), String> {
        let least = self.folder("corpus.new");
        let _ = std::fs::remove_dir_all(&least);
        make(&least)?;
        let output = Command::new(build.program(self.harness))
            .args(["-merge=1", "-timeout=10"])
            .args([&least, &self.found(), &self.seeded()])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}", self.harness))?;
        if !output.status.success() || count(&least) == 0 {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or_default();
            return Err(format!(
                "minimising the corpus of {}: {}: {last}",
                self.harness, output.status
            ));
        }
        let found = self.found();
        std::fs::remove_dir_all(&found).map_err(|error| problem(&found, &error))?;
        std::fs::rename(&least, &found).map_err(|error| problem(&found, &error))
    }
}

/// Makes a folder, if it is not there.
pub fn make(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| problem(folder, &error))
}

/// Says what is wrong with a file.
pub fn problem(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}
