//! The same in short traces, of which every allocation is made to fail once.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::Sweep.run(input));
