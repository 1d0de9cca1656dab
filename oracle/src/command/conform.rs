//! `conform`: the conformance corpus, and a verdict on every rule.

use super::input::Named;
use super::{Failure, Format, ProfileArguments, TargetArguments, contract, input, output};
use nommu_oracle::findings;
use nommu_oracle::lockstep::{Lockstep, Tally};
use nommu_oracle::replay::replay;
use nommu_oracle::report::conformance::{Broken, Conformance, TraceVerdict, Verdict};
use nommu_oracle::target::Target;
use nommu_oracle::target::factory::{AnyTarget, TargetName};
use nommu_oracle::trace::Trace;
use std::io::Write;
use std::path::PathBuf;

/// Replay the conformance corpus against a target: a verdict on every rule.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Verdicts: `holds`; `violated`; `known`, where specs/deviations/ says that the target differs;
`not observed`, where the target does not show what it takes to tell; `not exercised`, where no trace
made the rule apply.

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
    let target = &arguments.target.target;
    let (report, _) = judge(target, &traces, arguments.profile.profile.as_deref())?;
    if let Some(path) = &arguments.junit {
        findings::replace(path, &report.junit())?;
    }
    let text = match arguments.format {
        Format::Json => report.json(),
        Format::Text => report.text(|verdict, words| match verdict {
            Verdict::Holds => output::good(words),
            Verdict::Violated => output::bad(words),
            Verdict::Known | Verdict::NotObserved | Verdict::NotExercised => output::hint(words),
        }),
    };
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(if report.agrees() {
        super::Verdict::Agrees
    } else {
        super::Verdict::Diverges
    })
}

/// Replays traces against a target: a verdict on every rule, and what was counted.
pub fn judge(
    target: &TargetName,
    traces: &[Named],
    profile: Option<&str>,
) -> Result<(Conformance, Tally), Failure> {
    let mut lockstep = Lockstep::new(target.make());
    let mut all = Tally::default();
    let mut report = Conformance {
        target: target.to_string(),
        rules: contract::rules(),
        traces: Vec::new(),
    };
    for named in traces {
        let trace = &named.trace;
        let config = contract::config(&trace.header, profile);
        let replayed = replay(&mut lockstep, trace, &config, |_, _, _| {})?;
        // Both are in the order of the table.
        for (rule, tally) in report.rules.iter_mut().zip(&replayed.tally.rules) {
            rule.applied += tally.held + tally.broken;
        }
        all.merge(&replayed.tally);
        if let Some(divergence) = &replayed.divergence {
            let ids: Vec<&str> = (divergence.rules.iter())
                .map(|rule| rule.id.as_str())
                .collect();
            let known = known(&mut lockstep, target, trace, &ids)?;
            for rule in &mut report.rules {
                if ids.contains(&rule.id.as_str()) {
                    rule.broken.push(Broken {
                        trace: named.name.clone(),
                        explanation: divergence.to_string(),
                        known: known.clone(),
                    });
                }
            }
        }
        report.traces.push(TraceVerdict {
            trace: named.name.clone(),
            operations: replayed.performed,
            diverged: (replayed.divergence).map(|divergence| divergence.to_string()),
        });
    }
    let sight = lockstep.target().sight();
    for rule in &mut report.rules {
        rule.observable = contract::is_observable(&rule.id, sight);
    }
    report.settle();
    Ok((report, all))
}

/// The deviations that a divergence is known as: those of the target that concern the rules it
/// breaks, where the trace agrees once the target's deviations are accepted.
fn known(
    lockstep: &mut Lockstep<AnyTarget>,
    target: &TargetName,
    trace: &Trace,
    broken: &[&str],
) -> Result<Vec<String>, Failure> {
    let name = target.to_string();
    let known = contract::known_deviations(&name, broken);
    if known.is_empty() {
        return Ok(known);
    }
    let config = contract::config(&trace.header, Some(&name));
    let replayed = replay(lockstep, trace, &config, |_, _, _| {})?;
    Ok(match replayed.divergence {
        None => known,
        Some(_) => Vec::new(),
    })
}
