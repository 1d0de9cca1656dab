//! `conform`: the conformance corpus, and a verdict on every rule.

use super::input::Named;
use super::progress::TraceProgress;
use super::{Failure, Format, ProfileArguments, TargetArguments, contract, input, output};
use nommu_oracle::findings;
use nommu_oracle::lockstep::{Divergence, Lockstep, Tally};
use nommu_oracle::replay::{replay, replay_failures};
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
  nommu-oracle conform --failures                                 and where memory runs out
  nommu-oracle conform --junit conformance.xml                    for a CI system")]
pub struct Arguments {
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    profile: ProfileArguments,
    /// The corpus: a folder, with a folder for each section
    #[arg(long, value_name = "FOLDER", default_value = "corpus/conformance")]
    corpus: PathBuf,
    /// Also run each trace with every allocation failing, one at a time; for a target that can be
    /// told to
    #[arg(long)]
    failures: bool,
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
    let profile = arguments.profile.profile.as_deref();
    let (report, _) = judge(target, &traces, profile, arguments.failures)?;
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

/// Replays traces against a target, with every allocation failing too if `failures`: a verdict on
/// every rule, and what was counted.
pub fn judge(
    target: &TargetName,
    traces: &[Named],
    profile: Option<&str>,
    failures: bool,
) -> Result<(Conformance, Tally), Failure> {
    let mut lockstep = Lockstep::new(target.make());
    let mut all = Tally::default();
    let mut report = Conformance {
        target: target.to_string(),
        rules: contract::rules(),
        traces: Vec::new(),
    };
    let progress = TraceProgress::new(traces.len(), failures);
    for named in traces {
        let mut trace = named.trace.clone();
        let config = contract::config(&trace.header, profile);
        let mut replayed = replay(&mut lockstep, &trace, &config, |_, _, _| {})?;
        let mut allocations = None;
        if failures && replayed.divergence.is_none() {
            let (count, failing) = replay_failures(&mut lockstep, &mut trace, &config)?;
            allocations = Some(count);
            replayed.performed += failing.performed;
            replayed.tally.merge(&failing.tally);
            replayed.divergence = failing.divergence;
        }
        // Both are in the order of the table.
        for (rule, tally) in report.rules.iter_mut().zip(&replayed.tally.rules) {
            rule.applied += tally.held + tally.broken;
        }
        all.merge(&replayed.tally);
        let mut diverged = None;
        if let Some(divergence) = &replayed.divergence {
            let ids: Vec<&str> = (divergence.rules.iter())
                .map(|rule| rule.id.as_str())
                .collect();
            let known = known(&mut lockstep, target, &trace, &ids)?;
            let explanation = explain(&trace, divergence);
            for rule in &mut report.rules {
                if ids.contains(&rule.id.as_str()) {
                    rule.broken.push(Broken {
                        trace: named.name.clone(),
                        explanation: explanation.clone(),
                        known: known.clone(),
                    });
                }
            }
            diverged = Some(explanation);
        }
        report.traces.push(TraceVerdict {
            trace: named.name.clone(),
            operations: replayed.performed,
            allocations,
            diverged,
        });
        progress.step();
    }
    progress.end();
    let sight = lockstep.target().sight();
    for rule in &mut report.rules {
        rule.observable = contract::is_observable(&rule.id, sight);
    }
    report.settle();
    Ok((report, all))
}

/// A divergence, below the header with which the trace shows it if that is not the trace's own.
fn explain(trace: &Trace, divergence: &Divergence) -> String {
    match trace.header.failure {
        0 => divergence.to_string(),
        _ => format!("with {}\n{divergence}", trace.header),
    }
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
