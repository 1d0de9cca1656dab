//! Lockstep between the model and implementations of no-MMU memory mapping.

pub mod campaign;
pub mod coverage;
pub mod explain;
pub mod explore;
pub mod finding;
pub mod findings;
pub mod fuzz;
pub mod generate;
pub mod known;
pub mod lockstep;
pub mod minimise;
pub mod replay;
pub mod report;
pub mod shape;
pub mod specs;
pub mod survey;
pub mod sweep;
pub mod target;
pub mod trace;
pub mod transcript;
