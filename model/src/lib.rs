//! The pure reference model of no-MMU memory mapping.
#![forbid(unsafe_code)]
