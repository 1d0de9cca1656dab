//! What a judgement is written as, for people and for programs.

pub mod conformance;
pub mod shards;
