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
         truncate_paths, unlink, processes, segments, trim, driver, maps, unsupported",
    );
    refused(
        "about = \" \"\n",
        "a.toml:1:9: found nothing, expected what the scope is for",
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

/// What is wrong with a scope that says more than the small one.
#[track_caller]
fn contradicts(more: &str, expected: &str) {
    refused(
        &format!("{SMALL}{more}"),
        &format!("a.toml:{expected}").replacen(": ", ": found a contradiction: ", 1),
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    contradicts(
        "paths = [\"/ram/a\"]\n",
        "2:1: \"/ram/a\" is mapped, and never opened",
    );
    contradicts(
        "[access]\nload = true\n",
        "6:1: memory is used, and `at` says nowhere",
    );
    contradicts(
        "[processes]\nvfork = true\n",
        "6:1: processes are made, and `processes` leaves no room for one",
    );
    contradicts(
        "[processes]\nexit = true\n",
        "6:1: processes exit, and there is one, which stays",
    );
    contradicts(
        "[processes]\nfork = true\nstack_pages = [1]\n",
        "6:1: stacks are given, and nothing is executed",
    );
    contradicts(
        "[mremap]\nflags = [\"none\"]\n",
        "6:1: a length or flags are missing, and nothing is resized",
    );
    contradicts(
        "[segments]\nkeys = []\npages = [1]\nflags = [\"create\"]\n",
        "6:1: a key, a size or flags are missing, and no segment is made",
    );
    contradicts(
        "[[driver]]\npath = \"/dev/chr0\"\n",
        "6:1: the driver is told nothing",
    );
    contradicts(
        "[files]\ntruncate_paths = [\"/disk/a\"]\n",
        "6:1: files are truncated, and no size says to what",
    );
    contradicts(
        "[files]\nunnamed = true\nwrite_bytes = [8]\n",
        "6:1: `write_bytes` says how much is written, and `write` nothing",
    );
    contradicts(
        "[files]\nunnamed = true\noffset_bytes = [8]\n",
        "6:1: offsets are given, and nothing is read or written there",
    );
}

#[test]
fn it_is_the_table_that_is_wrong_which_is_pointed_at() {
    let second =
        "[[mmap]]\nforeign = true\npages = [1]\nprotection = [\"r\"]\nflags = [\"none\"]\n";
    contradicts(
        second,
        "6:1: descriptors of other processes are mapped, and there is one process",
    );
    let inline =
        "about = \"x\"\nmmap = [\n  { pages = [1], protection = [\"r\"], flags = [] },\n]\n";
    refused(
        inline,
        "a.toml:3:3: found a contradiction: `protection` or `flags` is empty, and nothing is mapped",
    );
}

#[test]
fn what_two_tables_offer_is_refused() {
    let again = |more: &str, expected: &str| refused(&format!("{SMALL}{more}"), expected);
    again(
        "[[mmap]]\npages = [2, 1]\nprotection = [\"r\", \"rw\"]\nflags = [\"private\"]\n",
        "a.toml:6:1: found mmap(len=0x10, prot=rw, flags=private, off=0x0) of anonymous memory again, \
         expected it in one table",
    );
    again(
        "[[open]]\npaths = [\"/ram/a\", \"/ram/b\"]\nflags = [\"r\"]\n\
         [[open]]\npaths = [\"/ram/b\"]\nflags = [\"rw\", \"r\"]\n",
        "a.toml:9:1: found open(\"/ram/b\", r) again, expected it in one table",
    );
    again(
        "[[driver]]\npath = \"/dev/chr0\"\nbusy = [true, false]\nread = [false]\n\
         [[driver]]\npath = \"/dev/chr0\"\nread = [true]\nbusy = [false]\n",
        "a.toml:10:1: found driver \"/dev/chr0\" busy=no again, expected it in one table",
    );
    // What differs in one thing only is not the same.
    let other = SMALL
        .replace("about = \"x\"\n", "")
        .replace("private", "shared");
    assert!(read("a.toml", &format!("{SMALL}{other}")).is_ok());
}

#[test]
fn what_nobody_can_be_asked_to_perform_is_refused() {
    let open = |path: &str, flags: &str, expected: &str| {
        refused(
            &format!("about = \"x\"\n[[open]]\npaths = [\"{path}\"]\nflags = [\"{flags}\"]\n"),
            expected,
        );
    };
    for path in [
        "/tmp/a",
        "/ram/../a",
        "/ram/",
        "/disk//a",
        "/rom/a/b",
        "/dev",
        "/ram/a b",
        "ram",
    ] {
        open(
            path,
            "r",
            &format!(
                "a.toml:3:10: found \"{path}\", expected /ram, /disk or /rom, or a path such as \
                 /ram/a in one of them or in /dev"
            ),
        );
    }
    open(
        "/ram/a",
        "create",
        "a.toml:4:10: found \"create\", expected r, w or rw among them",
    );
    open(
        "/ram/a",
        "r|truncate",
        "a.toml:4:10: found \"r|truncate\", expected truncate with w or rw only",
    );
}

#[test]
fn what_can_happen_is_not_refused() {
    // Of two processes one exits, and then there is room; tracing needs no memory.
    for text in [
        "[system]\nprocesses = 2\n[processes]\nclone = true\nexit = true\n",
        "[system]\nprocesses = 2\n[processes]\nptrace = true\n",
        "[files]\nunlink = [\"/disk/a\"]\n",
        "[files]\ntruncate_pages = [1]\ntruncate_paths = [\"/disk/a\"]\n",
    ] {
        let text = format!("about = \"x\"\n{text}");
        if let Err(error) = read("a.toml", &text) {
            panic!("{error}");
        }
    }
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
