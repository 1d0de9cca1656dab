//! What is filed of real systems (`corpus/findings/`): every deviation has a trace that shows it, and
//! what the kernel once answered to it (`corpus/transcripts/`) shows it again.

mod corpus;

use nommu_oracle::lockstep::{Divergence, Lockstep};
use nommu_oracle::replay::replay;
use nommu_oracle::specs::{Deviation, Deviations, specs};
use nommu_oracle::target::recorded::Recorded;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

#[test]
fn every_deviation_has_traces_of_its_name() {
    for deviations in &specs().deviations {
        let target = &deviations.target;
        let below = format!("findings/{target}/");
        let mut named = BTreeSet::new();
        for deviation in &deviations.deviations {
            let id = &deviation.id;
            let plainest = format!("{below}{id}.trace");
            assert_eq!(deviation.traces.first(), Some(&plainest), "{target}: {id}");
            for trace in &deviation.traces {
                let name = trace.strip_prefix(&below);
                assert!(name.is_some_and(|name| name.starts_with(id)), "{trace}");
                assert!(
                    named.insert(corpus::folder(trace)),
                    "{trace} is named twice"
                );
            }
        }
        let filed: BTreeSet<PathBuf> = corpus::traces(&corpus::folder(&below))
            .into_iter()
            .collect();
        assert_eq!(filed, named, "what is filed of {target}, and what is named");
    }
}

/// How a trace of a deviation diverges by what the target once answered.
#[track_caller]
fn shown(target: &str, trace: &str) -> Divergence {
    let filed = corpus::read(&corpus::folder(trace));
    let name = trace.rsplit('/').next().unwrap_or_default();
    let record = corpus::folder(&format!("transcripts/{target}/findings"))
        .join(name)
        .with_extension("transcript");
    let record = std::fs::read_to_string(&record)
        .unwrap_or_else(|error| panic!("{}: {error}", record.display()));
    let accepted = specs().profile(&filed.header.profile).unwrap_or_default();
    let config = filed.header.config(accepted);
    let mut lockstep = Lockstep::new(Recorded::new(target, &record));
    let replayed = replay(&mut lockstep, &filed, &config, |_, _, _| {})
        .unwrap_or_else(|error| panic!("{trace}: {error}"));
    let divergence = replayed.divergence;
    let divergence = divergence.unwrap_or_else(|| panic!("{trace} does not diverge"));
    let last = filed.operations().count() - 1;
    assert_eq!(divergence.step, Some(last), "{trace}: {divergence}");
    divergence
}

/// The traces of a deviation, each with the rules that it breaks.
fn describe(target: &str, deviation: &Deviation, text: &mut String) {
    for trace in &deviation.traces {
        let divergence = shown(target, trace);
        let rules: Vec<&str> = (divergence.rules.iter())
            .map(|rule| rule.id.as_str())
            .collect();
        // Contents are not on record; by them, another rule may come first.
        assert!(
            (deviation.rules.iter()).any(|rule| rules.contains(&rule.as_str())),
            "{trace} breaks {rules:?}, expected one of {:?}",
            deviation.rules
        );
        let _ = writeln!(text, "{trace}\n    {}", rules.join(", "));
    }
}

#[test]
fn what_is_filed_shows_again_what_it_is_filed_for() {
    for Deviations { target, deviations } in &specs().deviations {
        let mut text = String::new();
        for deviation in deviations {
            describe(target, deviation, &mut text);
        }
        insta::assert_snapshot!(target.as_str(), text);
    }
}
