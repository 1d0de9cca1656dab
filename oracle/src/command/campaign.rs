//! `campaign`: random lockstep from a seed.

use super::progress::Progress;
use super::{Failure, Format, TargetArguments, Verdict, contract, output, survey};
use clap::builder::PossibleValuesParser;
use nommu_oracle::campaign::{self, Failures, Hangs, Plan, Report, Shard};
use nommu_oracle::finding;
use nommu_oracle::generate::Options;
use nommu_oracle::lockstep::Tally;
use nommu_oracle::minimise::Proof;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::target::factory::TargetName;
use nommu_oracle::target::pulse::LIMIT;
use nommu_oracle::trace::{Header, PROFILES};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Judge a target by random operations, until one diverges or there were enough.
///
/// The same seed performs the same operations and finds the same, whatever the number of jobs.
/// A divergence is explained, minimised, and kept as a trace.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle campaign                              a million operations on the engine
  nommu-oracle campaign --seed 7 --time 60           a minute of them, from another seed
  nommu-oracle campaign --pages 8 --trim 0           in a small world, where memory runs out
  nommu-oracle campaign --failures --traces 1000     each allocation of each trace fails once
  nommu-oracle campaign --target exec:./my-mmap      against your own implementation

On several machines (nommu-oracle coverage --merge 0.json 1.json ... adds up what they say):
  nommu-oracle campaign --traces 1000000 --shard 0/4 --format json > 0.json")]
pub struct Arguments {
    #[command(flatten)]
    pub(super) target: TargetArguments,
    /// Where all choices come from
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// How many operations to perform
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    operations: u64,
    /// How many of the seed's traces to run, in place of a number of operations; a shard runs
    /// its part of them
    #[arg(long, value_name = "COUNT", conflicts_with = "operations")]
    traces: Option<u64>,
    /// How many seconds to go on for, in place of a number of operations
    #[arg(long, value_name = "SECONDS", conflicts_with = "operations")]
    time: Option<u64>,
    /// How many threads; as many as there are processors unless said otherwise
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Which part of the seed's traces, such as `0/4`: the first of four that have nothing in
    /// common
    #[arg(long, value_name = "PART/PARTS", default_value = "0/1", value_parser = shard)]
    shard: Shard,
    /// Make every allocation of each trace fail, one at a time, in place of one in every other
    /// trace; for a target that can be told to
    #[arg(long)]
    failures: bool,
    /// Which folder a finding is kept in: corpus/regressions for the engine, else
    /// corpus/findings/TARGET
    #[arg(long, value_name = "FOLDER")]
    pub(super) findings: Option<PathBuf>,
    /// End at the first divergence, as with the engine. Other targets are judged to the end: what
    /// diverges is taken out of its trace, and all that was found is listed in classes
    #[arg(long)]
    first: bool,
    /// Also say how long it took
    #[arg(long)]
    pub(super) timing: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
    #[command(flatten)]
    world: WorldArguments,
}

/// The system that traces start from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "World (what is not given varies from trace to trace)")]
struct WorldArguments {
    /// Operations of a trace at most
    #[arg(long, value_name = "COUNT", default_value_t = Options::default().length)]
    length: usize,
    /// Pages that mappings are made from
    #[arg(long, value_name = "COUNT")]
    pages: Option<u64>,
    /// Bytes of a page, a power of two from 16 to 65536
    #[arg(long, value_name = "BYTES")]
    page_size: Option<u64>,
    /// vm.nr_trim_pages at the start
    #[arg(long, value_name = "PAGES")]
    trim: Option<u64>,
    /// Whether MAP_UNINITIALIZED is configured
    #[arg(long, value_name = "BOOL")]
    uninitialized: Option<bool>,
    /// Which reading of the contract
    #[arg(long, value_name = "PROFILE", default_value = PROFILES[0], value_parser = PossibleValuesParser::new(PROFILES))]
    profile: String,
}

/// What a campaign came to, for programs.
#[derive(Serialize)]
struct Shown {
    target: String,
    seed: u64,
    shard: String,
    profile: String,
    traces: u64,
    operations: u64,
    /// Allocations that were made to fail one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    allocations: Option<u64>,
    /// By operation, then by how it ended.
    outcomes: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// How often each rule held, by its id.
    rules: BTreeMap<&'static str, u64>,
    /// How often each rule was broken that was.
    violated: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finding: Option<finding::Finding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let plan = plan(arguments)?;
    let name = &arguments.target.target;
    let stop = stop_on_interrupt();
    if *name != TargetName::Engine && !arguments.first {
        return survey::run(arguments, &plan, &stop);
    }
    let mut progress = Progress::new(plan.operations, contract::rule_ids().len());
    let started = Instant::now();
    let mut told = |so_far: campaign::Progress<'_>| {
        progress.tell(
            so_far.tally.performed,
            rules_seen(so_far.tally),
            so_far.traces,
            0,
        );
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let report = match name {
        // Without a table of calls between the two: this is where speed counts.
        TargetName::Engine => {
            let hangs = Hangs {
                limit: LIMIT,
                apart: &|| name.make_apart(LIMIT),
            };
            campaign::run_to_the_end(&plan, Some(hangs), EngineTarget::new, &mut told)
        }
        _ => {
            let name = name.clone();
            campaign::run(&plan, move || name.make(), &mut told)
        }
    };
    progress.end();
    let report = report?;
    let seconds = arguments.timing.then(|| started.elapsed().as_secs_f64());
    let was_stopped = stop.load(Ordering::Relaxed);
    conclude(arguments, &plan, &report, seconds, was_stopped)
}

fn plan(arguments: &Arguments) -> Result<Plan, Failure> {
    let world = &arguments.world;
    let defaults = Header::default();
    let header = Header {
        page_size: world.page_size.unwrap_or(defaults.page_size),
        pages: world.pages.unwrap_or(defaults.pages),
        ..defaults
    };
    if let Some(problem) = header.problem() {
        return Err(Failure::Misuse(format!("error: {problem}")));
    }
    let is_engine = arguments.target.target == TargetName::Engine;
    let jobs = match arguments.jobs {
        Some(jobs) => NonZeroUsize::new(jobs.into()).unwrap_or(NonZeroUsize::MIN),
        None => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
    };
    Ok(Plan {
        seed: arguments.seed,
        shard: arguments.shard,
        jobs,
        operations: (arguments.time.is_none() && arguments.traces.is_none())
            .then_some(arguments.operations),
        traces: arguments.traces,
        time: arguments.time.map(Duration::from_secs),
        generator: Options {
            length: world.length,
            page_size: world.page_size.or(arguments.target.target.page_size()),
            pages: world.pages,
            trim: world.trim,
            uninitialized: world.uninitialized,
            profile: world.profile.clone(),
            careful: !is_engine,
        },
        deviations: contract::deviations(&world.profile),
        failures: match (arguments.failures, is_engine) {
            (true, _) => Failures::Every,
            (false, true) => Failures::Some,
            (false, false) => Failures::None,
        },
    })
}

/// Reads `0/4`.
fn shard(text: &str) -> Result<Shard, String> {
    let wrong = || format!("found `{text}`, expected a part and how many there are, such as `0/4`");
    let (index, count) = text.split_once('/').ok_or_else(wrong)?;
    let index: u64 = index.parse().map_err(|_| wrong())?;
    let count: NonZeroU64 = count.parse().map_err(|_| wrong())?;
    if index < count.get() {
        Ok(Shard { index, count })
    } else {
        Err(format!(
            "found part {index} of {count}, expected one below {count}"
        ))
    }
}

/// Is set by the first Ctrl-C; the second ends the program at once.
fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    // Without a handler Ctrl-C ends the program, and what was found is still kept.
    let _ = ctrlc::set_handler(move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    stop
}

fn rules_seen(tally: &Tally) -> usize {
    (tally.rules.iter()).filter(|rule| rule.held > 0).count()
}

/// Says what was found, minimises it and keeps it.
fn conclude(
    arguments: &Arguments,
    plan: &Plan,
    report: &Report,
    seconds: Option<f64>,
    was_stopped: bool,
) -> Result<Verdict, Failure> {
    let mut out = anstream::stdout().lock();
    let ids = contract::rule_ids();
    let tally = &report.tally;
    let is_text = arguments.format == Format::Text;
    if is_text {
        writeln!(
            out,
            "{}, seed {}, profile {}: {} operations in {} traces",
            arguments.target.target,
            plan.seed,
            plan.generator.profile,
            tally.performed,
            report.traces
        )?;
        if !ids.is_empty() {
            writeln!(
                out,
                "{} of {} rules had a say",
                rules_seen(tally),
                ids.len()
            )?;
        }
        if arguments.failures {
            writeln!(
                out,
                "{} allocations failed, one at a time",
                report.allocations
            )?;
        }
        if let Some(seconds) = seconds {
            let rate = tally.performed as f64 / seconds;
            writeln!(out, "{seconds:.2} seconds, {rate:.0} operations a second")?;
        }
    }
    let mut shown = Shown {
        target: arguments.target.target.to_string(),
        seed: plan.seed,
        shard: format!("{}/{}", plan.shard.index, plan.shard.count),
        profile: plan.generator.profile.clone(),
        traces: report.traces,
        operations: tally.performed,
        allocations: arguments.failures.then_some(report.allocations),
        outcomes: outcomes(tally),
        rules: (ids.iter().copied())
            .zip(tally.rules.iter().map(|rule| rule.held))
            .collect(),
        violated: (ids.iter().copied())
            .zip(tally.rules.iter().map(|rule| rule.broken))
            .filter(|(_, broken)| *broken > 0)
            .collect(),
        finding: None,
        seconds,
    };
    let Some(found) = &report.found else {
        match arguments.format {
            Format::Text if was_stopped => {
                writeln!(
                    out,
                    "{}",
                    output::good("no divergence before it was stopped")
                )?;
            }
            Format::Text => writeln!(out, "{}", output::good("no divergence"))?,
            Format::Json => write_json(&mut out, &shown)?,
        }
        return Ok(Verdict::Agrees);
    };
    if is_text {
        writeln!(out, "{}", output::bad(&found.divergence.to_string()))?;
        out.flush()?;
    }
    let mut trace = found.trace.clone();
    trace.header.failure = found.failure;
    let origin = format!("a campaign, seed {}, trace {}", plan.seed, found.number);
    let target = &arguments.target.target;
    let hangs = found.divergence.hangs();
    let minimised = finding::minimise(target, &trace, &plan.deviations, &origin, hangs)?;
    let mut finding = minimised.unwrap_or_else(|| {
        // It does not diverge again: what was seen is all there is.
        let length = Proof::Unknown;
        finding::Finding::new(target, trace, found.divergence.clone(), length, &origin)
    });
    if is_text {
        writeln!(
            out,
            "minimised from {} to {} operations, {}:\n\n{}",
            found.trace.lines.len(),
            finding.operations,
            finding.length,
            finding.trace
        )?;
        out.flush()?;
    }
    let folder = arguments
        .findings
        .clone()
        .unwrap_or_else(|| finding::folder(target));
    let kept = finding.keep(&folder);
    match arguments.format {
        Format::Text => {
            if let Ok(words) = &kept {
                writeln!(out, "{words}")?;
            }
        }
        Format::Json => {
            shown.finding = Some(finding);
            write_json(&mut out, &shown)?;
        }
    }
    if let Err(error) = kept {
        output::error(&error);
    }
    Ok(Verdict::Diverges)
}

fn outcomes(tally: &Tally) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
    let mut outcomes: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for (kind, class, count) in tally.outcomes() {
        let by_class = outcomes.entry(kind.name()).or_default();
        by_class.insert(class.to_string(), count);
    }
    outcomes
}

fn write_json(out: &mut impl Write, shown: &Shown) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(shown).expect("it is plain data");
    writeln!(out, "{json}")?;
    Ok(())
}
