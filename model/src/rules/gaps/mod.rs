//! What the document leaves open and is required all the same: `specs/gaps.toml` has the
//! reason for each.

mod arguments;
mod files;
pub(super) mod memory;
mod others;
mod processes;
mod unmapping;

pub(in crate::rules) use arguments::RULES as ARGUMENTS;
pub(in crate::rules) use files::RULES as FILES;
pub(in crate::rules) use memory::RULES as MEMORY;
pub(in crate::rules) use processes::RULES as PROCESSES;
pub(in crate::rules) use unmapping::RULES as UNMAPPING;
