//! Laws: reading inverts writing, and nothing panics.

use crate::trace::Trace;
use quickcheck::{Gen, QuickCheck, Testable};

/// Asks quickcheck, which is to find the same each time.
fn holds(law: impl Testable) {
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(100, 0))
        .quickcheck(law);
}

#[test]
fn reading_inverts_writing() {
    fn law(trace: Trace) -> bool {
        let text = trace.to_string();
        match Trace::parse("law.trace", text.as_bytes()) {
            Ok(read) => read == trace,
            Err(problem) => panic!("{}", problem.report(false)),
        }
    }
    holds(law as fn(Trace) -> bool);
}

#[test]
fn any_bytes_are_read_or_refused() {
    fn law(bytes: Vec<u8>) -> bool {
        is_read_or_refused(&bytes)
    }
    holds(law as fn(Vec<u8>) -> bool);
}

/// A few bytes of a trace become others: closer to what is read than any bytes are.
#[test]
fn damage_is_read_or_refused() {
    fn law(trace: Trace, damage: Vec<(usize, u8)>) -> bool {
        let mut bytes = trace.to_string().into_bytes();
        let length = bytes.len();
        for (at, byte) in damage.into_iter().take(3) {
            bytes[at % length] = byte;
        }
        is_read_or_refused(&bytes)
    }
    holds(law as fn(Trace, Vec<(usize, u8)>) -> bool);
}

#[test]
fn a_beginning_is_read_or_refused() {
    fn law(trace: Trace, length: usize) -> bool {
        let bytes = trace.to_string().into_bytes();
        is_read_or_refused(&bytes[..length % (bytes.len() + 1)])
    }
    holds(law as fn(Trace, usize) -> bool);
}

/// Either bytes are a trace, whose canonical form stays as it is, or there is a report of a
/// place in them.
fn is_read_or_refused(bytes: &[u8]) -> bool {
    match Trace::parse("law.trace", bytes) {
        Ok(trace) => {
            let text = trace.to_string();
            let again = Trace::parse("law.trace", text.as_bytes());
            again.is_ok_and(|again| again == trace && again.to_string() == text)
        }
        Err(problem) => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            !problem.report(true).is_empty()
                && (1..=lines).contains(&problem.line)
                && problem.source.get(problem.span.clone()).is_some()
        }
    }
}
