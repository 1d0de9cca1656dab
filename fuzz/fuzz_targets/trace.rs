//! No bytes make the reader of traces panic, and what it reads it reads again.
#![no_main]

use nommu_oracle::trace::Trace;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Ok(trace) = Trace::parse("input", input) {
        let printed = trace.to_string();
        let again = Trace::parse("printed", printed.as_bytes());
        assert_eq!(again.as_ref(), Ok(&trace), "{printed}");
    }
});
