//! Building the targets, with whatever toolchain there is.

use nommu_oracle::fuzz::Harness;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Built targets.
pub struct Build {
    folder: PathBuf,
}

impl Build {
    /// Builds them by cargo-fuzz. Without a sanitizer any toolchain will do: what finds its way
    /// through the code is part of every compiler.
    ///
    /// # Errors
    ///
    /// Where cargo-fuzz is not installed, the toolchain has no sanitizers, or the targets do not
    /// build.
    pub fn new(workspace: &Path, sanitizer: &str, harnesses: &[Harness]) -> Result<Self, String> {
        let compiler = Compiler::new()?;
        match (compiler.is_nightly, sanitizer) {
            (true, "none") => {}
            (true, _) => eprintln!("fuzzing with the sanitizer `{sanitizer}`"),
            (false, "none") => eprintln!(
                "{} is no nightly toolchain: fuzzing without a sanitizer",
                compiler.version
            ),
            (false, _) => {
                return Err(format!(
                    "found {}, expected a nightly toolchain for the sanitizer `{sanitizer}`: \
                     `cargo +nightly xtask fuzz --sanitizer {sanitizer}`",
                    compiler.version
                ));
            }
        }
        has_cargo_fuzz()?;
        eprintln!("building the fuzz targets");
        let mut command = Command::new(env!("CARGO"));
        command
            .args(["fuzz", "build", "--release", "--sanitizer", sanitizer])
            // Watching comparisons takes a third of the time, and dictionaries do better.
            .arg("--no-trace-compares")
            .current_dir(workspace);
        // It builds one or all.
        if let [harness] = harnesses {
            command.arg(harness.name());
        }
        let status = command
            .status()
            .map_err(|error| format!("cargo fuzz build: {error}"))?;
        if !status.success() {
            return Err(format!("cargo fuzz build: {status}"));
        }
        let folder = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| workspace.join("fuzz/target"), PathBuf::from);
        Ok(Self {
            folder: folder.join(compiler.host).join("release"),
        })
    }

    /// The program of a target.
    pub fn program(&self, harness: Harness) -> PathBuf {
        self.folder.join(harness.name())
    }
}

fn has_cargo_fuzz() -> Result<(), String> {
    let output = Command::new(env!("CARGO"))
        .args(["fuzz", "--version"])
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err("cargo-fuzz is not installed: `cargo install cargo-fuzz --locked`".to_owned()),
    }
}

/// What compiles.
struct Compiler {
    /// Such as `rustc 1.95.0`.
    version: String,
    /// The machine that it compiles for.
    host: String,
    is_nightly: bool,
}

impl Compiler {
    fn new() -> Result<Self, String> {
        let output = Command::new("rustc")
            .arg("-vV")
            .output()
            .map_err(|error| format!("rustc -vV: {error}"))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let value = |key: &str| {
            let mut lines = said.lines();
            lines.find_map(|line| line.strip_prefix(key)).map(str::trim)
        };
        let (Some(host), Some(release)) = (value("host:"), value("release:")) else {
            return Err(format!(
                "rustc -vV: found `{}`, expected its host and release",
                said.trim()
            ));
        };
        Ok(Self {
            version: format!("rustc {release}"),
            host: host.to_owned(),
            is_nightly: release.contains("nightly") || release.contains("dev"),
        })
    }
}
