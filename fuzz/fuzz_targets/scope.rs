//! The reader of scopes.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::Scope.run(input));
