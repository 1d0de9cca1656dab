//! What each call does, by the sections of the document.

mod anonymous;
mod drivers;
mod files;
mod memory_files;
mod processes;
mod remap;
mod segments;
mod system;
mod unmap;
