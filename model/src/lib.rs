//! The contract of memory mapping without an MMU, as a pure reference model.
//!
//! Linux's document *No-MMU memory mapping support* is stated here twice: as an operational
//! [`step`] that accepts or refuses what an implementation answered, and as declarative
//! [`rules`] over one step. They share only the vocabulary ([`op`], [`outcome`],
//! [`observation`]) and the shape of a [`world`].
//!
//! **Invariant:** nothing here knows an implementation, performs I/O, or depends on time,
//! randomness, environment, addresses of the host or hash order. Line numbers in this crate
//! are those of the document as shipped with Linux 6.12.
//!
//! Start reading at [`op`], then [`world`], then the step of an operation you know.
#![forbid(unsafe_code)]

pub mod observation;
pub mod op;
pub mod outcome;
pub mod rules;
pub mod step;
pub mod world;
