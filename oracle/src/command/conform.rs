//! `conform`: the conformance corpus, and a verdict on every rule.

use super::{Failure, Format, ProfileArguments, TargetArguments, contract, input, output};
use nommu_oracle::findings;
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::replay::replay;
use nommu_oracle::report::conformance::{Broken, Conformance, TraceVerdict, Verdict};
use std::io::Write;
use std::path::PathBuf;

/// Replay the conformance corpus against a target: a verdict on every rule.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Verdicts: `holds`, `violated`, `not observed` (the target does not show what it takes to tell),
`not exercised` (no trace made the rule apply).

Examples:
  nommu-oracle conform                                            the engine
  nommu-oracle conform --target linux-6.12                        a real kernel, by the document
  nommu-oracle conform --target linux-6.12 --profile linux-6.12   with its known deviations
  nommu-oracle conform --junit conformance.xml                    for a CI system")]
pub struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    profile: ProfileArguments,
    /// The corpus: a folder, with a folder for each section
    #[arg(long, value_name = "FOLDER", default_value = "corpus/conformance")]
    corpus: PathBuf,
    /// Also write the verdicts as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(arguments: &Arguments) -> Result<super::Verdict, Failure> {
    let traces = input::traces(std::slice::from_ref(&arguments.corpus))?;
    let ids = contract::rule_ids();
    let mut lockstep = Lockstep::new(arguments.target.target.make());
    let mut report = Conformance {
        target: arguments.target.target.to_string(),
        rules: contract::rules(),
        traces: Vec::new(),
    };
    for named in &traces {
        let trace = &named.trace;
        let config = contract::config(&trace.header, arguments.profile.profile.as_deref());
        let replayed = replay(&mut lockstep, trace, &config, &ids, |_, _, _| {})?;
        for (rule, tally) in report.rules.iter_mut().zip(&replayed.tally.rules) {
            rule.applied += tally.held + tally.broken;
        }
        if let Some(divergence) = &replayed.divergence {
            for broken in &divergence.rules {
                let rule = report.rules.iter_mut().find(|rule| rule.id == broken.id);
                if let Some(rule) = rule {
                    rule.broken.push(Broken {
                        trace: named.name.clone(),
                        explanation: divergence.to_string(),
                    });
                }
            }
        }
        report.traces.push(TraceVerdict {
            trace: named.name.clone(),
            operations: replayed.performed,
            diverged: (replayed.divergence)
                .map(|divergence| divergence.rules.into_iter().map(|rule| rule.id).collect()),
        });
    }
    report.settle();
    if let Some(path) = &arguments.junit {
        findings::replace(path, &report.junit())?;
    }
    let text = match arguments.format {
        Format::Json => report.json(),
        Format::Text => report.text(|verdict, words| match verdict {
            Verdict::Holds => output::good(words),
            Verdict::Violated => output::bad(words),
            Verdict::NotObserved | Verdict::NotExercised => output::hint(words),
        }),
    };
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(if report.agrees() {
        super::Verdict::Agrees
    } else {
        super::Verdict::Diverges
    })
}
