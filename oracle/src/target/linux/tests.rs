//! Machines that go wrong: each ends in a sentence, in time. A script stands in for QEMU, so
//! that this is tried where there is none.

use super::Linux;
use crate::target::Target;
use nommu_model::op::{Call, Operation, Process};
use nommu_model::outcome::{Outcome, Value};
use nommu_model::world::config::Config;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// Long enough for what is said at once.
const LIMIT: Duration = Duration::from_millis(1500);
const HELLO: &str = "nommu-protocol 1 linux none\n";
const READY: &str = "= ready\n.\n";

/// Where the channel says that nothing happens.
const IS_HELD: usize = 56;
/// Where the channel says what it says: behind a page of numbers and what it hears.
const OUTPUT: usize = 4096 + (1 << 17);

/// A directory with what is booted, and the script that boots it.
struct Fake {
    directory: TempDir,
}

impl Fake {
    /// A machine in whose memory a program has said this; then it does what `script` says.
    #[track_caller]
    fn new(said: &str, script: &str) -> Self {
        Self::with(memory(said), script)
    }

    /// The same, and nothing happens in it.
    #[track_caller]
    fn held(said: &str, script: &str) -> Self {
        let mut memory = memory(said);
        memory[IS_HELD] = 1;
        Self::with(memory, script)
    }

    #[track_caller]
    fn with(memory: Vec<u8>, script: &str) -> Self {
        let directory = tempfile::tempdir().expect("there is room");
        let write = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, bytes).expect("there is room");
            path
        };
        for name in ["Image-cleared", "Image-uninitialized", "initrd.cpio"] {
            write(name, b"");
        }
        let memory = write("said", &memory);
        let memory = memory.display();
        // What is said is there before the page by which it is found.
        let text = format!(
            "#!/bin/sh\n\
             for word; do case \"$word\" in *mem-path=*) to=${{word#*mem-path=}}; to=${{to%%,*}};; esac; done\n\
             say() {{ dd if={memory} of=\"$to\" bs=4096 skip=1 seek=1 conv=notrunc 2>/dev/null\n\
             dd if={memory} of=\"$to\" bs=4096 count=1 conv=notrunc 2>/dev/null; }}\n\
             {script}\n"
        );
        let program = write("machine", text.as_bytes());
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .expect("it is our own file");
        Self { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn linux(&self) -> Linux {
        Linux {
            program: self.path("machine"),
            boot_limit: LIMIT,
            limit: LIMIT,
            ..Linux::at("6.12", self.directory.path())
        }
    }

    /// Why it cannot be started.
    #[track_caller]
    fn problem(&self) -> String {
        let error = (self.linux().reset(&config())).expect_err("it does not start");
        error.problem
    }
}

/// A machine's memory with a channel at its beginning.
fn memory(said: &str) -> Vec<u8> {
    let magic = 0x314c_4e4e_4148_434e_u64;
    let numbers = [magic, 0, 0, said.len() as u64, 0, !magic];
    let mut bytes: Vec<u8> = numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    bytes.resize(OUTPUT, 0);
    bytes.extend_from_slice(said.as_bytes());
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    bytes
}

fn config() -> Config {
    Config {
        page_size: 4096,
        window: None,
        trim: 1,
        uninitialized: false,
        processes: 1,
        deviations: Vec::new(),
    }
}

fn operation() -> Operation {
    Operation::Call(Process(0), Call::Exit)
}

#[test]
fn a_machine_that_answers_is_used() {
    let said = format!("{HELLO}{READY}= count 3\n.\n");
    let fake = Fake::new(&said, "say; exec sleep 20");
    let mut linux = fake.linux();
    linux.reset(&config()).expect("it starts");
    let outcome = linux.perform(&operation()).expect("it is there");
    assert_eq!(outcome, Outcome::Ok(Value::Count(3)));
}

#[test]
fn a_program_that_is_not_there_is_named_with_its_package() {
    let fake = Fake::new("", "");
    fs::remove_file(fake.path("machine")).expect("it is there");
    let problem = fake.problem();
    assert!(problem.contains("machine cannot be run: "), "{problem}");
    assert!(
        problem.ends_with("help: apt-get install qemu-system-misc"),
        "{problem}"
    );
}

#[test]
fn an_image_that_is_not_there_is_named() {
    let fake = Fake::new("", "");
    fs::remove_file(fake.path("Image-cleared")).expect("it is there");
    let problem = fake.problem();
    assert!(problem.contains("Image-cleared: "), "{problem}");
    assert!(problem.ends_with(", expected a kernel"), "{problem}");
}

#[test]
fn a_machine_that_ends_while_it_starts_leaves_last_words() {
    let fake = Fake::new(
        "",
        "echo '[ 0.1] Kernel panic - not syncing: no init' >&2; exit 3",
    );
    assert_eq!(
        fake.problem(),
        "the machine ended while it started: exit status: 3\n\
         Kernel panic - not syncing: no init"
    );
}

#[test]
fn a_machine_that_never_starts_is_given_up() {
    // So it is with an image that is torn: nothing is heard.
    let fake = Fake::new("", "exec sleep 20");
    assert_eq!(
        fake.problem(),
        "found silence for 1500 ms, expected a start"
    );
}

#[test]
fn a_greeting_that_is_none_is_shown() {
    let fake = Fake::new("\x07hello\n", "say; exec sleep 20");
    let expected = "expected `nommu-protocol 1`, a name and what can be seen";
    assert_eq!(
        fake.problem(),
        format!("handshake: found `\\u{{7}}hello`, {expected}")
    );
    let fake = Fake::new("nommu-protocol 9 linux none\n", "say; exec sleep 20");
    assert_eq!(fake.problem(), "handshake: found version `9`, expected 1");
    let fake = Fake::new("nommu-proto", "say; exec sleep 20");
    assert_eq!(
        fake.problem(),
        "handshake: found silence for 1500 ms, expected an answer"
    );
}

/// What becomes of an operation, and how often a machine was started for the next trace.
#[track_caller]
fn crash(said: &str, script: &str) -> (String, u64) {
    let fake = Fake::new(&format!("{HELLO}{READY}{said}"), script);
    let mut linux = fake.linux();
    linux.reset(&config()).expect("it starts");
    let outcome = linux
        .perform(&operation())
        .expect("it is the machine's doing");
    let Outcome::Crash(words) = outcome else {
        panic!("found {outcome:?}, expected a crash");
    };
    linux.reset(&config()).expect("it starts again");
    (words, linux.effort().starts())
}

#[test]
fn a_machine_that_dies_during_an_operation_crashed() {
    let script =
        "say; echo '[ 1.2] Kernel panic - not syncing: Fatal exception' >&2; sleep 0.2; exit 1";
    let (words, boots) = crash("", script);
    assert_eq!(
        words,
        "it ended, expected an answer: the machine ended: exit status: 1\n\
         Kernel panic - not syncing: Fatal exception"
    );
    assert_eq!(boots, 2);
}

#[test]
fn a_machine_that_hangs_during_an_operation_crashed() {
    let (words, boots) = crash("= do", "say; exec sleep 20");
    assert_eq!(words, "found silence for 1500 ms, expected an answer");
    assert_eq!(boots, 2);
}

#[test]
fn a_machine_that_says_nonsense_during_an_operation_crashed() {
    let (words, _) = crash("= dnoe\n.\n", "say; exec sleep 20");
    assert!(
        words.starts_with("found `dnoe`, expected `done`, "),
        "{words}"
    );
    let complaint = "= done\nlog BUG at mm\n.\n";
    let (words, boots) = crash(complaint, "say; exec sleep 20");
    assert_eq!(words, "BUG at mm");
    assert_eq!(boots, 2);
}

#[test]
fn the_second_machine_that_is_wanted_is_kept_and_copied() {
    // The fake stands still whenever it is asked to, and keeps its state at once.
    let said = format!("{HELLO}{READY}= do");
    let script = "echo state > state; case \"$*\" in *-incoming*) ;; *) say;; esac; exec sleep 20";
    let fake = Fake::held(&said, script);
    let mut linux = fake.linux();
    for copies in [0, 1, 2] {
        linux.reset(&config()).expect("it starts");
        let outcome = linux
            .perform(&operation())
            .expect("it is the machine's doing");
        assert!(matches!(outcome, Outcome::Crash(_)), "{outcome:?}");
        assert_eq!(linux.effort().copies, copies);
    }
    assert_eq!(linux.effort().boots, 2);
}

#[test]
fn where_no_machine_can_be_kept_each_is_booted() {
    let fake = Fake::held(&format!("{HELLO}{READY}= do"), "say; sleep 0.2");
    let mut linux = fake.linux();
    for boots in [1, 3, 4] {
        linux.reset(&config()).expect("it starts");
        let outcome = linux
            .perform(&operation())
            .expect("it is the machine's doing");
        assert!(matches!(outcome, Outcome::Crash(_)), "{outcome:?}");
        assert_eq!(linux.effort().boots, boots);
    }
}
