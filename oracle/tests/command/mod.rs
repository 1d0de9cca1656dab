//! The command, run.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// What running the command came to.
pub struct Ran {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Ran {
    /// All of it, as a snapshot has it.
    pub fn text(&self) -> String {
        let mut text = format!("exit status {}\n", self.status);
        for (name, part) in [("output", &self.output), ("errors", &self.errors)] {
            if !part.is_empty() {
                text.push_str(&format!("--- {name}\n{part}"));
            }
        }
        text
    }
}

/// Runs the command in a folder.
#[track_caller]
pub fn run_in(folder: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nommu-oracle"))
        .args(arguments)
        .current_dir(folder)
        .env("COLUMNS", "100")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("RUST_BACKTRACE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = child.stdin.take().expect("it is a pipe");
    // It may have ended without reading.
    let _ = pipe.write_all(input);
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it writes text");
    Ran {
        status: output.status.code().expect("it is not killed"),
        output: text(output.stdout),
        errors: text(output.stderr),
    }
}

/// Runs the command at the top of the repository.
#[allow(dead_code, reason = "not every test file has a use for it")]
#[track_caller]
pub fn run(arguments: &[&str]) -> Ran {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    run_in(&top, arguments, b"")
}
