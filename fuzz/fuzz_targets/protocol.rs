//! The host's side of the protocol, which hears anything.
#![no_main]

use nommu_oracle::fuzz::Harness;

libfuzzer_sys::fuzz_target!(|input: &[u8]| Harness::Protocol.run(input));
