//! Each family of operations, with small answers made by hand: those that are accepted, and
//! those that are refused in exact words.

pub(crate) mod bench;

mod access;
mod anonymous;
mod devices;
mod files;
mod memory_files;
mod mremap;
mod munmap;
mod private_files;
mod processes;
mod segments;
mod wild;
