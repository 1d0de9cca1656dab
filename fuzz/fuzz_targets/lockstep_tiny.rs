//! The engine in lockstep with the model, where memory runs out at once.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::LockstepTiny.run(input));
