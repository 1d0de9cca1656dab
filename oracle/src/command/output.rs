//! Words on a terminal.

use anstream::eprintln;
use clap::builder::styling::{AnsiColor, Style};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// Says on standard error what went wrong.
pub fn error(message: &dyn std::fmt::Display) {
    eprintln!("{ERROR}error{ERROR:#}: {message}");
}

/// Something that is as it should be.
pub fn good(text: &str) -> String {
    format!("{GOOD}{text}{GOOD:#}")
}

/// Something that is not.
pub fn bad(text: &str) -> String {
    format!("{BAD}{text}{BAD:#}")
}

/// Something to go on with.
pub fn hint(text: &str) -> String {
    format!("{HINT}{text}{HINT:#}")
}
