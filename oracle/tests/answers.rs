//! What the engine answers to some traces of a campaign is as it is on record
//! (`corpus/transcripts/engine/`), by which `refused.rs` judges the model and the rules.

mod corpus;

use nommu_oracle::lockstep::{Lockstep, Step};
use nommu_oracle::target::Target;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::target::protocol::{VERSION, reset_question, serve};
use nommu_oracle::trace::{Text, Trace};
use std::fmt::Write;

/// What is asked: of each operation that can be performed.
fn questions(trace: &Trace, name: &str) -> String {
    let config = trace.header.config(Vec::new());
    let mut text = format!("nommu-protocol {VERSION}\n{}", reset_question(&config));
    let mut lockstep = Lockstep::new(EngineTarget::new());
    lockstep
        .reset(&config)
        .expect("it begins as the model does");
    if trace.header.failure > 0 {
        lockstep.target_mut().fail_allocation(trace.header.failure);
        let _ = writeln!(text, "fail {}", trace.header.failure);
    }
    for operation in trace.operations() {
        match lockstep.step(operation) {
            Ok(Step::Performed(_)) => {
                let _ = writeln!(text, "{}", Text(operation));
            }
            Ok(Step::Skipped(_)) => {}
            Err(stop) => panic!("{name}: {stop}"),
        }
    }
    text
}

/// The whole conversation.
fn record(questions: &str) -> String {
    let mut answers = Vec::new();
    serve(&mut EngineTarget::new(), questions.as_bytes(), &mut answers).expect("it is heard");
    let answers = String::from_utf8(answers).expect("it is text");
    let mut answers = answers.lines();
    let mut text = String::new();
    for (place, question) in questions.lines().enumerate() {
        let _ = writeln!(text, "-> {question}");
        for answer in answers.by_ref() {
            let _ = writeln!(text, "<- {answer}");
            // The answer to the handshake is one line.
            if answer == "." || place == 0 {
                break;
            }
        }
    }
    text
}

/// Renewed with `RENEW=1 cargo test --test answers`.
#[test]
fn the_engine_answers_as_it_is_on_record() {
    let traces = corpus::traces(&corpus::folder("campaign"));
    assert!(!traces.is_empty());
    for path in traces {
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        let file = corpus::folder("transcripts/engine").join(format!("{name}.transcript"));
        let now = record(&questions(&corpus::read(&path), &name));
        if std::env::var_os("RENEW").is_some() {
            std::fs::write(&file, &now).expect("it can be written");
        }
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(now == before, "{name} is answered otherwise than recorded");
    }
}
