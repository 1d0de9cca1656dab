//! A scratch copy of the workspace that faults are put into.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A copy of what git tracks, with a build folder of its own. Files that did not change are
/// left alone, so that a build takes up where the last one ended.
pub struct Tree {
    root: PathBuf,
    build: PathBuf,
}

impl Tree {
    /// Makes the copy, or brings it up to date.
    ///
    /// # Errors
    ///
    /// When a file cannot be copied or git does not answer.
    pub fn new(workspace: &Path, number: usize) -> Result<Self, String> {
        let folder = workspace.join("target/faults").join(number.to_string());
        let tree = Self {
            root: folder.join("tree"),
            build: folder.join("build"),
        };
        tree.refresh(workspace)?;
        Ok(tree)
    }

    fn refresh(&self, workspace: &Path) -> Result<(), String> {
        let output = Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(workspace)
            .output()
            .map_err(|error| format!("git ls-files: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "git ls-files: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        for name in output
            .stdout
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
        {
            let name = std::str::from_utf8(name)
                .map_err(|_| "git ls-files: a file's name is not UTF-8".to_owned())?;
            self.copy(workspace, name)?;
        }
        Ok(())
    }

    fn copy(&self, workspace: &Path, name: &str) -> Result<(), String> {
        let problem = |error| format!("copying {name}: {error}");
        // A tracked file that was deleted is not there to copy.
        let Ok(wanted) = std::fs::read(workspace.join(name)) else {
            return Ok(());
        };
        let place = self.root.join(name);
        if std::fs::read(&place).is_ok_and(|there| there == wanted) {
            return Ok(());
        }
        if let Some(folder) = place.parent() {
            std::fs::create_dir_all(folder).map_err(problem)?;
        }
        std::fs::write(place, wanted).map_err(problem)
    }

    /// Puts a fault in, builds, and takes the fault out again. Returns the program, which nothing
    /// else writes to.
    ///
    /// # Errors
    ///
    /// When the patch does not apply, or what it makes does not build.
    pub fn program(&self, patch: &Path, name: &str) -> Result<PathBuf, String> {
        self.apply(patch)?;
        let kept = self.build().and_then(|program| {
            let folder = self.build.join("programs");
            let kept = folder.join(name);
            std::fs::create_dir_all(&folder)
                .and_then(|()| std::fs::copy(program, &kept))
                .map_err(|error| format!("{}: {error}", kept.display()))?;
            Ok(kept)
        });
        self.revert(patch)?;
        kept
    }

    /// Where the copy is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Puts a fault in.
    ///
    /// # Errors
    ///
    /// When the patch does not apply.
    pub fn apply(&self, patch: &Path) -> Result<(), String> {
        self.git_apply(patch, &[])
    }

    /// Takes a fault out again.
    ///
    /// # Errors
    ///
    /// When the patch does not apply backwards.
    pub fn revert(&self, patch: &Path) -> Result<(), String> {
        self.git_apply(patch, &["--reverse"])
    }

    fn git_apply(&self, patch: &Path, options: &[&str]) -> Result<(), String> {
        // The copy lies inside the workspace's repository: without the ceiling git would apply
        // the patch there.
        let ceiling = self.root.parent().unwrap_or(&self.root);
        let output = Command::new("git")
            .arg("apply")
            .args(options)
            .arg(patch)
            .current_dir(&self.root)
            .env("GIT_CEILING_DIRECTORIES", ceiling)
            .output()
            .map_err(|error| format!("git apply: {error}"))?;
        if output.status.success() {
            Ok(())
        } else {
            Err(format!(
                "does not apply: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ))
        }
    }

    /// Builds the command. Returns where it is.
    fn build(&self) -> Result<PathBuf, String> {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--profile", "faults"])
            .args(["--package", "nommu-oracle", "--bin", "nommu-oracle"])
            .env("CARGO_TARGET_DIR", &self.build)
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cargo build: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "does not build: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ));
        }
        Ok(self.build.join("faults/nommu-oracle"))
    }
}
