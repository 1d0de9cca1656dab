//! What the command line offers, a file for each subcommand.

pub mod check;
