//! Lockstep between the model and implementations of no-MMU memory mapping.

pub mod explore;
pub mod findings;
pub mod report;
pub mod generate;
pub mod lockstep;
pub mod target;
pub mod trace;
pub mod transcript;
