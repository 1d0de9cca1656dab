//! What a client makes of what it hears: sentences that say what was found and expected.

use super::{Broken, Client, Wire};
use crate::target::Target;
use crate::target::external::External;
use nommu_model::observation::{Contents, MappingView, Object, Sight};
use nommu_model::op::{Call, Operation, Process, Protection};
use nommu_model::outcome::{Errno, Outcome, Value};
use nommu_model::world::config::Config;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Says what it was told to say, whatever it is asked.
#[derive(Debug)]
struct Script(VecDeque<String>);

impl Wire for Script {
    fn send(&mut self, _: &str) -> Result<(), Broken> {
        Ok(())
    }

    fn receive(&mut self, line: &mut String, _: Instant) -> Result<(), Broken> {
        match self.0.pop_front() {
            Some(next) => {
                *line = next;
                Ok(())
            }
            None => Err(Broken::Silent),
        }
    }
}

const HELLO: &str = "nommu-protocol 1 test mappings|regions";

fn connect(lines: &str) -> Result<Client<Script>, String> {
    let script = Script(lines.lines().map(String::from).collect());
    Client::connect(script, Duration::from_millis(5)).map_err(|error| error.problem)
}

#[track_caller]
fn client(lines: &str) -> Client<Script> {
    connect(&format!("{HELLO}\n{lines}")).expect("it says hello")
}

fn operation() -> Operation {
    Operation::Call(Process(0), Call::Exit)
}

#[track_caller]
fn outcome(lines: &str) -> Outcome {
    (client(lines).perform(&operation())).expect("whatever is heard is an outcome")
}

/// What breaks the conversation.
#[track_caller]
fn crash(lines: &str) -> String {
    match outcome(lines) {
        Outcome::Crash(words) => words,
        other => panic!("found {other:?}, expected a crash"),
    }
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

#[test]
fn a_handshake_tells_what_can_be_seen() {
    let client = client("");
    assert_eq!(client.name(), "test");
    assert_eq!(client.sight(), Sight::MAPPINGS | Sight::REGIONS);
}

#[test]
fn other_handshakes_are_refused() {
    let problem = |line: &str| connect(line).expect_err("it is refused");
    assert_eq!(
        problem("hello"),
        "handshake: found `hello`, expected `nommu-protocol 1`, a name and what can be seen"
    );
    assert_eq!(
        problem("nommu-protocol 2 test none"),
        "handshake: found version `2`, expected 1"
    );
    assert_eq!(
        problem("nommu-protocol 1 test everything"),
        "handshake: found `everything`, expected `none` or some of mappings, regions, free, \
         copied, files, file-pages, segments, drivers, contents, records, failures"
    );
    assert_eq!(
        problem(""),
        "handshake: found silence for 5 ms, expected an answer"
    );
}

#[test]
fn outcomes_are_read() {
    assert_eq!(outcome("= done\n."), Outcome::Ok(Value::Done));
    assert_eq!(
        outcome("= address 0x1000\n."),
        Outcome::Ok(Value::Address(0x1000))
    );
    assert_eq!(
        outcome("= bytes 00ff41\n."),
        Outcome::Ok(Value::Bytes(vec![0, 255, 0x41]))
    );
    assert_eq!(outcome("= error EINVAL\n."), Outcome::Error(Errno::EINVAL));
    assert_eq!(outcome("= error 22\n."), Outcome::Error(Errno::EINVAL));
    assert_eq!(outcome("= unsupported\n."), Outcome::Unsupported);
    assert_eq!(
        outcome("= mappings 1\n- 0x1000 0x2000 r-xp file3 0x0\n."),
        Outcome::Ok(Value::Mappings(vec![MappingView {
            start: 0x1000,
            end: 0x2000,
            protection: Protection::READ | Protection::EXEC,
            shared: false,
            object: Some(Object::File(3)),
            offset: 0,
        }]))
    );
}

#[test]
fn a_part_that_is_not_shown_is_as_it_was() {
    let mut client = client(
        "= ready\nmappings p0 1\n- 0x1000 0x2000 rw-p anonymous 0x0\nregions 0\n.\n\
         = done\ncopied 3\n.\n= done\ngone p0\n.",
    );
    client.reset(&config()).expect("it is ready");
    assert_eq!(client.perform(&operation()), Ok(Outcome::Ok(Value::Done)));
    assert_eq!(client.observation().processes[0].mappings.len(), 1);
    assert_eq!(client.observation().copied_pages, 3);
    assert_eq!(client.perform(&operation()), Ok(Outcome::Ok(Value::Done)));
    assert_eq!(client.observation().processes, []);
}

#[test]
fn a_complaint_is_a_crash_of_the_step() {
    assert_eq!(crash("= done\nlog WARNING: here\n."), "WARNING: here");
}

#[test]
fn what_is_no_answer_breaks_the_conversation() {
    assert_eq!(
        crash("garbage"),
        "found `garbage`, expected a part such as `mappings p0 2`, `regions 1` or `files 3`, or `.`"
    );
    assert_eq!(
        crash("."),
        "found `.`, expected `= ` and an outcome before the end of an answer"
    );
    assert_eq!(
        crash("= done\n= done\n."),
        "found `= done`, expected one outcome"
    );
    assert_eq!(
        crash("= done\nmappings p0 2\n- 0x1000 0x2000 rw-p anonymous 0x0\n."),
        "found `.`, expected `- ` and an item, of which 1 are to come"
    );
    assert_eq!(
        crash("= done\nregions 1\n- 0x1000 0x2000 0x2000 rw- maybe anonymous 0x0 1\n."),
        "found `maybe`, expected `copy` or `direct`"
    );
    assert_eq!(
        crash("= bytes 0"),
        "found `0`, expected two hexadecimal digits for each byte"
    );
    assert_eq!(
        crash("= error 4000"),
        "found `4000`, expected an error's name or number that specs/protocol.md lists"
    );
    assert_eq!(
        crash("= done"),
        "found silence for 5 ms, expected an answer"
    );
}

#[test]
fn nothing_is_asked_after_it_broke() {
    let mut client = client("garbage");
    assert!(matches!(
        client.perform(&operation()),
        Ok(Outcome::Crash(_))
    ));
    let error = client.perform(&operation()).expect_err("it is broken");
    assert!(
        error
            .problem
            .starts_with("it was asked after it broke: found `garbage`"),
        "{error}"
    );
}

#[test]
fn a_question_that_made_no_sense_is_the_askers_fault() {
    let error = client("! what is that")
        .perform(&operation())
        .expect_err("it was asked wrongly");
    assert_eq!(error.to_string(), "target test: what is that");
}

/// A program that does what a shell script says.
fn program(script: &str) -> External {
    let words = ["sh", "-c", script].map(String::from);
    External::with_limit(&words, Duration::from_millis(300))
}

const READY: &str =
    "read x; echo nommu-protocol 1 test none; read x; echo = ready; echo .; read x;";

#[test]
fn programs_that_go_wrong_end_in_sentences() {
    let started = |script: &str| {
        let mut program = program(script);
        program.reset(&config()).map(|()| program)
    };
    let refused = |script: &str| started(script).expect_err("it is refused").problem;
    assert!(refused("sleep 60").contains("found silence for 300 ms"));
    assert!(refused("exit 3").contains("it ended, expected an answer: exit status: 3"));
    assert!(refused("printf half").contains("found `half` and nothing behind it"));
    assert!(refused("printf '\\377\\n'; sleep 60").contains("no UTF-8"));
    let crash = |script: &str| {
        let mut program = started(&format!("{READY} {script}")).expect("it is ready");
        match program.perform(&operation()) {
            Ok(Outcome::Crash(words)) => words,
            other => panic!("found {other:?}, expected a crash"),
        }
    };
    assert!(crash("sleep 60").contains("found silence"));
    assert!(crash("echo last words >&2; exit 1").contains("exit status: 1: last words"));
    assert!(crash("printf '= do'").contains("found `= do` and nothing behind it"));
}

#[test]
fn what_breaks_when_it_is_looked_at_is_told_of_once() {
    let shows = "contents";
    let ready = READY.replace("none", shows);
    let mut program = program(&format!("{ready} exit 1"));
    program.reset(&config()).expect("it is ready");
    assert!(!program.memory(0x1000, &mut [0; 8]));
    match program.perform(&operation()) {
        Ok(Outcome::Crash(words)) => assert!(words.contains("exit status: 1"), "{words}"),
        other => panic!("found {other:?}, expected a crash"),
    }
    assert_eq!(program.broke(), None);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let mut program = External::new(&["/nowhere/at-all".to_string()]);
    let error = program.reset(&config()).expect_err("there is none");
    assert!(
        error
            .problem
            .starts_with("`/nowhere/at-all` cannot be started:")
    );
}

#[test]
fn a_record_answers_as_the_target_did() {
    use crate::target::recorded::Recorded;
    let mut client =
        client("= ready\nmappings p0 0\n.\n= error EINVAL\ncopied 2\n.\n! no\n= done\n.");
    client.reset(&config()).expect("it is ready");
    client.record();
    assert_eq!(
        client.perform(&operation()),
        Ok(Outcome::Error(Errno::EINVAL))
    );
    assert!(client.perform(&operation()).is_err());
    assert_eq!(client.perform(&operation()), Ok(Outcome::Ok(Value::Done)));
    let record = client.take_record();
    assert_eq!(
        record,
        "-> p0  exit()\n<- = error EINVAL\n<- copied 2\n<- .\n-> p0  exit()\n<- = done\n<- .\n"
    );
    let beginning = "-> reset page=4096 trim=1 uninitialized=no processes=1\n<- = ready\n<- mappings p0 0\n<- .\n";
    let mut recorded = Recorded::new("test", &format!("{beginning}{record}"));
    recorded.reset(&config()).expect("it begins so");
    assert_eq!(
        recorded.perform(&operation()),
        Ok(Outcome::Error(Errno::EINVAL))
    );
    assert_eq!(recorded.perform(&operation()), Ok(Outcome::Ok(Value::Done)));
    let error = recorded.perform(&operation()).expect_err("it ends there");
    assert_eq!(
        error.problem,
        "the record: found its end, expected `p0  exit()`"
    );
}

#[test]
fn bytes_may_lie_somewhere_if_they_are_to_be_shown_and_only_then() {
    let mut client = client("= at 0x80001000\n.\n");
    let shown = client.show("file 3 0x0 16", 16);
    assert_eq!(shown, Some(super::Shown::At(0x8000_1000)));
    assert_eq!(
        crash("= at 0x80001000\n.\n"),
        "found `= at 0x80001000`, expected it of `show` alone"
    );
}

#[test]
fn an_answer_too_few_to_many_questions_is_an_error_and_ends_the_conversation() {
    let mut client = client("= done\n.\n");
    let error = (client.perform_all(&[operation(), operation()])).expect_err("one is missing");
    assert_eq!(error.problem, "found silence for 5 ms, expected an answer");
    assert!(client.dead().is_some());
}
