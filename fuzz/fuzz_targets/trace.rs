//! The reader of traces, and their printer.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::Trace.run(input));
