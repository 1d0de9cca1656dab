//! What a panic said, and where.

use crate::target::pulse;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::Once;

thread_local! {
    static WATCHED: Cell<bool> = const { Cell::new(false) };
    static WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs something that may panic. What it would have printed is returned instead, in one
/// line: `engine/src/buddy.rs: index out of bounds...`. There is no line number, so that the
/// words are those of the fault and not of the edition.
///
/// # Errors
///
/// The words of the panic.
pub fn watch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if WATCHED.get() {
                WORDS.with_borrow_mut(|words| *words = describe(info));
            } else {
                next(info);
            }
        }));
    });
    // Whoever watches from further out goes on watching.
    let before = WATCHED.replace(true);
    let run = || catch_unwind(AssertUnwindSafe(run));
    let result = match before {
        // The pulse beats for the outermost.
        true => run(),
        false => pulse::during(run),
    };
    WATCHED.set(before);
    result.map_err(|_| WORDS.with_borrow_mut(std::mem::take))
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let words = info.payload_as_str().unwrap_or("no words");
    let file = info.location().map_or("", |location| location.file());
    // Wherever it was built, and by whomever.
    let file = file.find("engine/src").map_or(file, |at| &file[at..]);
    let words: Vec<&str> = words.split_ascii_whitespace().collect();
    format!("panicked in {file}: {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_words() {
        let words = watch(|| panic!("two\nlines")).expect_err("it panics");
        assert!(words.ends_with("panics.rs: two lines"), "{words}");
        assert_eq!(watch(|| 3), Ok(3));
    }

    #[test]
    fn goes_on_watching_after_an_inner_one() {
        let words = watch(|| {
            assert_eq!(watch(|| 3), Ok(3));
            panic!("outer")
        });
        let words = words.expect_err("it panics");
        assert!(words.ends_with("panics.rs: outer"), "{words}");
    }
}
