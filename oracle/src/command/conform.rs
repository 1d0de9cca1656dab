//! `conform`: the conformance corpus, and a verdict on every rule.

use super::input::Named;
use super::progress::TraceProgress;
use super::{Failure, Format, ProfileArguments, TargetArguments, contract, input, output};
use nommu_model::observation::Sight;
use nommu_oracle::findings;
use nommu_oracle::known;
use nommu_oracle::lockstep::{Divergence, Lockstep, Tally};
use nommu_oracle::replay::{Replayed, hangs, replay, replay_failures};
use nommu_oracle::report::conformance::{Broken, Conformance, TraceVerdict, Verdict};
use nommu_oracle::shape;
use nommu_oracle::specs::is_observable;
use nommu_oracle::target::Target;
use nommu_oracle::target::factory::{AnyTarget, TargetName};
use nommu_oracle::target::pulse::LIMIT;
use nommu_oracle::target::recorded::Recorded;
use nommu_oracle::trace::Trace;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

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
  nommu-oracle conform --target linux-6.12 --records corpus/transcripts/linux-6.12
                                                                  what it once answered
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
    /// Judge what the target once answered, which is on record in this folder, and do not ask it
    #[arg(long, value_name = "FOLDER", conflicts_with = "failures")]
    records: Option<PathBuf>,
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
    let (report, _) = match &arguments.records {
        None => judge(target, &traces, profile, arguments.failures)?,
        Some(records) => {
            let places = (&*arguments.corpus, &**records);
            judge_records(&target.to_string(), &traces, profile, places)?
        }
    };
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
    let mut judging = Judging::new(&target.to_string());
    let progress = TraceProgress::new(traces.len(), failures);
    for named in traces {
        let config = contract::config(&named.trace.header, profile);
        if hangs(target, &named.trace, &config, failures) {
            let mut apart = Lockstep::new(target.make_apart(LIMIT));
            judging.trace(&mut apart, named, profile, failures)?;
        } else {
            judging.trace(&mut lockstep, named, profile, failures)?;
        }
        progress.step();
    }
    progress.end();
    Ok(judging.settle(lockstep.target().sight()))
}

/// Judges what a target once answered to traces of a corpus: there is a folder with a record for
/// each that was asked, of the trace's name below the corpus. Traces without one are left out.
///
/// # Errors
///
/// When a record cannot be read, or is of another trace than the corpus has.
pub fn judge_records(
    target: &str,
    traces: &[Named],
    profile: Option<&str>,
    (corpus, records): (&Path, &Path),
) -> Result<(Conformance, Tally), Failure> {
    let mut judging = Judging::new(target);
    let mut sight = Sight::empty();
    for named in traces {
        let name = Path::new(&named.name);
        let name = name.strip_prefix(corpus).unwrap_or(name);
        let path = records.join(name.with_extension("transcript"));
        let record = match std::fs::read_to_string(&path) {
            Ok(record) => record,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                let problem = format!("error: cannot read {}: {error}", path.display());
                return Err(Failure::Misuse(problem));
            }
        };
        let target: AnyTarget = Box::new(Recorded::new(target, &record));
        let mut lockstep = Lockstep::new(target);
        judging.trace(&mut lockstep, named, profile, false)?;
        sight |= lockstep.target().sight();
    }
    Ok(judging.settle(sight))
}

/// Verdicts in the making.
struct Judging {
    tally: Tally,
    report: Conformance,
}

impl Judging {
    fn new(target: &str) -> Self {
        Self {
            tally: Tally::default(),
            report: Conformance {
                target: target.to_owned(),
                rules: contract::rules(),
                traces: Vec::new(),
            },
        }
    }

    /// Replays one trace, and notes what it says of the rules.
    fn trace(
        &mut self,
        lockstep: &mut Lockstep<AnyTarget>,
        named: &Named,
        profile: Option<&str>,
        failures: bool,
    ) -> Result<(), Failure> {
        let mut trace = named.trace.clone();
        let config = contract::config(&trace.header, profile);
        let mut replayed = replay(lockstep, &trace, &config, |_, _, _| {})?;
        let mut allocations = None;
        if failures && replayed.divergence.is_none() {
            let (count, failing) = replay_failures(lockstep, &mut trace, &config)?;
            allocations = Some(count);
            replayed.performed += failing.performed;
            replayed.tally.merge(&failing.tally);
            replayed.divergence = failing.divergence;
        }
        let report = &mut self.report;
        // Both are in the order of the table.
        for (rule, tally) in report.rules.iter_mut().zip(&replayed.tally.rules) {
            rule.applied += tally.held + tally.broken;
        }
        self.tally.merge(&replayed.tally);
        let mut diverged = None;
        let mut next = replayed.divergence;
        while let Some(divergence) = next {
            let target = report.target.clone();
            let known = known(lockstep, &target, &trace, &divergence, diverged.is_some())?;
            let explanation = explain(&trace, &divergence);
            for rule in &mut report.rules {
                if divergence.rules.iter().any(|broken| broken.id == rule.id) {
                    rule.broken.push(Broken {
                        trace: named.name.clone(),
                        explanation: explanation.clone(),
                        known: known.ids.clone(),
                    });
                }
            }
            diverged
                .get_or_insert_with(String::new)
                .push_str(&explanation);
            next = known.later;
        }
        report.traces.push(TraceVerdict {
            trace: named.name.clone(),
            operations: replayed.performed,
            allocations,
            diverged,
        });
        Ok(())
    }

    /// The verdicts, for a target that shows so much.
    fn settle(mut self, sight: Sight) -> (Conformance, Tally) {
        for rule in &mut self.report.rules {
            rule.observable = is_observable(&rule.id, sight);
        }
        self.report.settle();
        (self.report, self.tally)
    }
}

/// A divergence, below the header with which the trace shows it if that is not the trace's own.
fn explain(trace: &Trace, divergence: &Divergence) -> String {
    match trace.header.failure {
        0 => divergence.to_string(),
        _ => format!("with {}\n{divergence}", trace.header),
    }
}

/// What is known of a divergence.
struct Known {
    /// The deviations that it is known as.
    ids: Vec<String>,
    /// What the trace comes to further on, where the model can accept the first.
    later: Option<Divergence>,
}

/// What is known of a divergence of a trace: with deviations of the target accepted the model agrees
/// at this step, or the target is known to answer so. One that came `later` is what the model does
/// not accept even so.
fn known(
    lockstep: &mut Lockstep<AnyTarget>,
    target: &str,
    trace: &Trace,
    divergence: &Divergence,
    later: bool,
) -> Result<Known, Failure> {
    let operation = (divergence.step).and_then(|step| trace.operations().nth(step));
    let shape = operation.map(|operation| shape::of(lockstep.world_before(), operation));
    let mut ids = known::concerned(target, divergence);
    if !later && !ids.is_empty() {
        let all = contract::config(&trace.header, Some(target)).deviations;
        if let Some(later) = accepted(lockstep, trace, divergence, all)? {
            // Those that it takes.
            for place in (0..ids.len()).rev() {
                let mut fewer = ids.clone();
                fewer.remove(place);
                if !fewer.is_empty()
                    && accepted(lockstep, trace, divergence, fewer.clone())?.is_some()
                {
                    ids = fewer;
                }
            }
            return Ok(Known {
                ids,
                later: later.divergence,
            });
        }
    }
    let ids = shape.map_or_else(Vec::new, |shape| {
        known::by_answer(target, divergence, &shape)
    });
    Ok(Known { ids, later: None })
}

/// What a trace comes to if the model agrees at a divergence of it with some deviations accepted.
fn accepted(
    lockstep: &mut Lockstep<AnyTarget>,
    trace: &Trace,
    divergence: &Divergence,
    deviations: Vec<String>,
) -> Result<Option<Replayed>, Failure> {
    let config = trace.header.config(deviations);
    let replayed = replay(lockstep, trace, &config, |_, _, _| {})?;
    let is_later = |found: &Divergence| found.step > divergence.step || found.step.is_none();
    Ok((replayed.divergence.as_ref())
        .is_none_or(is_later)
        .then_some(replayed))
}
