//! The engine in lockstep with the model, in systems of every size.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| nommu_fuzz::judge(input, &nommu_fuzz::short()));
