//! What is wrong with a scope is said where it is.

use super::read;

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = read("a.toml", text).expect_err("not a scope");
    assert_eq!(error.to_string(), expected);
}

const SMALL: &str =
    "about = \"x\"\n[[mmap]]\npages = [1]\nprotection = [\"rw\"]\nflags = [\"private\"]\n";

#[test]
fn a_small_scope_is_read() {
    let scope = read("folder/small.toml", SMALL).expect("a scope");
    assert_eq!(scope.name, "small");
    assert_eq!(scope.mmap[0].lengths, [16]);
    assert_eq!(scope.mmap[0].offsets, [0]);
    assert_eq!(scope.most.processes, 1);
}

#[test]
fn what_is_empty_is_refused() {
    refused("", "a.toml:1:1: missing field `about`");
    refused(
        "about = \"x\"\n",
        "a.toml:1:1: found a scope without operations, expected at least one of mmap, open, \
         processes, segments, trim, driver, maps, unsupported",
    );
}

#[test]
fn what_is_malformed_is_refused_where_it_is() {
    refused(
        &format!("{SMALL}[system]\npages = \"many\"\n"),
        "a.toml:7:9: invalid type: string \"many\", expected u64",
    );
    refused(
        &format!("{SMALL}[system]\npages = 0\n"),
        "a.toml:7:9: found 0, expected 1 to 1024",
    );
    refused(
        &format!("depth = 0\n{SMALL}"),
        "a.toml:1:9: found 0, expected at least one operation",
    );
    refused(
        &format!("{SMALL}[system]\npage = 24\n"),
        "a.toml:7:8: found 24, expected a power of two",
    );
    refused(
        &SMALL.replace("\"rw\"", "\"rq\""),
        "a.toml:4:15: found \"rq\", expected none or letters of rwx",
    );
    refused(
        &SMALL.replace("private", "private|anon"),
        "a.toml:5:10: found \"anon\", expected one of none, shared, private, fixed, uninitialized",
    );
    refused(
        &SMALL.replace("pages = [1]", "pages = [1152921504606846976]"),
        "a.toml:3:10: found 1152921504606846976 pages, expected less than 2^64 bytes",
    );
    let error = read("a.toml", &format!("{SMALL}colour = 1\n")).expect_err("not a scope");
    assert_eq!((error.line, error.column), (6, 1));
}

#[test]
fn what_contradicts_itself_is_refused() {
    refused(
        &format!("{SMALL}paths = [\"/ram/a\"]\n"),
        "a.toml:2:1: found a contradiction: \"/ram/a\" is mapped, and never opened",
    );
    refused(
        &format!("{SMALL}[access]\nload = true\n"),
        "a.toml:6:1: found a contradiction: memory is used, and `at` says nowhere",
    );
    refused(
        &format!("{SMALL}[processes]\nvfork = true\n"),
        "a.toml:6:1: found a contradiction: processes are made, and `processes` leaves no room \
         for one",
    );
}

#[test]
fn what_cannot_be_counted_is_estimated() {
    let scope = read("a.toml", SMALL).expect("a scope");
    assert_eq!(scope.too_large_to_count(), None);
    let large = format!("{SMALL}[system]\npages = 64\n[most]\nmappings = 32\n");
    let scope = read("a.toml", &large).expect("a scope");
    assert_eq!(
        scope.too_large_to_count().as_deref(),
        Some(
            "about 2e19 states are more than can be visited; \
             `depth` or `--depth` and `--memory-limit` bound the search"
        )
    );
}
