//! The engine in lockstep with the model, in systems of every size.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::Lockstep.run(input));
