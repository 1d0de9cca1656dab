//! The `nommu-oracle` command: reads its arguments, calls the library, says what came of it.
//!
//! Exit status: 0 agrees, 1 diverges, 2 misuse or unreadable input, 3 the target could not be
//! run.

mod command;

fn main() -> std::process::ExitCode {
    command::run()
}
