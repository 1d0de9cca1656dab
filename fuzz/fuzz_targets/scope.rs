//! No text makes the reader of scopes panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(text) = std::str::from_utf8(input) {
        let _ = nommu_oracle::explore::scope::read("input", text);
    }
});
