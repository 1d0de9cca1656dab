//! The readers of `specs/`.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::Specs.run(input));
