//! The optimised implementation of no-MMU memory mapping that the model judges.
#![no_std]
