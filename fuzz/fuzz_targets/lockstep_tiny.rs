//! The engine in lockstep with the model, where memory runs out at once.
#![no_main]

use nommu_oracle::generate::Options;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let options = Options {
        pages: Some(4),
        page_size: Some(16),
        ..nommu_fuzz::short()
    };
    nommu_fuzz::judge(input, &options);
});
