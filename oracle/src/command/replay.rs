//! `replay`: one trace or many, against any target.

use super::input::Named;
use super::{Failure, Format, ProfileArguments, TargetArguments, Verdict, contract, input, output};
use nommu_model::world::World;
use nommu_oracle::lockstep::{Divergence, Lockstep};
use nommu_oracle::replay::{hangs, replay, replay_failures};
use nommu_oracle::target::factory::AnyTarget;
use nommu_oracle::target::pulse::LIMIT;
use nommu_oracle::trace::Text;
use nommu_oracle::transcript::{Answered, Entry, Places};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};
use std::io::Write;
use std::path::PathBuf;

/// Replay traces against a target and judge every step.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle replay corpus/regressions            every recorded trace, against the engine
  nommu-oracle replay --step a.trace                each step: the answer, the rules, what changed
  nommu-oracle replay --failures a.trace            each of its allocations fails once
  nommu-oracle replay --target linux-6.12 a.trace   the same trace on a real kernel
  nommu-oracle minimise a.trace | nommu-oracle replay -")]
pub struct Arguments {
    /// Trace files, folders of them, or `-` for standard input
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    #[command(flatten)]
    target: TargetArguments,
    #[command(flatten)]
    profile: ProfileArguments,
    /// Show each step: the answer, the rules that held, and what changed
    #[arg(long)]
    step: bool,
    /// Also run each trace with every allocation failing, one at a time; for a target that can be
    /// told to
    #[arg(long)]
    failures: bool,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What became of the traces.
#[derive(Serialize)]
struct Report {
    target: String,
    traces: Vec<TraceReport>,
}

#[derive(Serialize)]
struct TraceReport {
    trace: String,
    verdict: &'static str,
    operations: u64,
    /// How many allocations were made to fail one at a time, where they were.
    #[serde(skip_serializing_if = "Option::is_none")]
    allocations: Option<u64>,
    /// Which one has to fail for it to diverge; 0 for none.
    #[serde(skip_serializing_if = "is_none")]
    failure: u64,
    /// The line of the trace where it diverges.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    divergence: Option<Divergence>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<Shown>,
}

/// Whether no allocation has to fail.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_none(failure: &u64) -> bool {
    *failure == 0
}

/// A step as `--step` shows it.
#[derive(Serialize)]
struct Shown {
    operation: String,
    outcome: String,
    held: Vec<&'static str>,
    changes: Vec<String>,
}

pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let traces = input::traces(&arguments.traces)?;
    let mut lockstep = Lockstep::new(arguments.target.target.make());
    let mut out = anstream::stdout().lock();
    let mut report = Report {
        target: arguments.target.target.to_string(),
        traces: Vec::new(),
    };
    for named in &traces {
        let trace = one(arguments, named, &mut lockstep)?;
        if arguments.format == Format::Text {
            write(&mut out, &trace)?;
        }
        report.traces.push(trace);
    }
    let diverged = (report.traces.iter())
        .filter(|trace| trace.divergence.is_some())
        .count();
    match arguments.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&report).expect("it is plain data");
            writeln!(out, "{json}")?;
        }
        Format::Text if traces.len() > 1 => {
            let operations: u64 = report.traces.iter().map(|trace| trace.operations).sum();
            let target = &report.target;
            writeln!(
                out,
                "{target}: {} traces, {operations} operations, {diverged} diverge",
                traces.len()
            )?;
        }
        Format::Text => {}
    }
    Ok(if diverged == 0 {
        Verdict::Agrees
    } else {
        Verdict::Diverges
    })
}

fn one(
    arguments: &Arguments,
    named: &Named,
    lockstep: &mut Lockstep<AnyTarget>,
) -> Result<TraceReport, Failure> {
    let mut trace = named.trace.clone();
    let config = contract::config(&trace.header, arguments.profile.profile.as_deref());
    let target = &arguments.target.target;
    let mut apart;
    let lockstep = match hangs(target, &trace, &config, arguments.failures) {
        false => lockstep,
        true => {
            apart = Lockstep::new(target.make_apart(LIMIT));
            &mut apart
        }
    };
    let mut places = Places::new(&config);
    let mut steps = Vec::new();
    let mut replayed = replay(lockstep, &trace, &config, |entry, before, after| {
        if arguments.step {
            steps.push(show(&mut places, entry, before, after));
        }
    })?;
    let mut allocations = None;
    if arguments.failures && replayed.divergence.is_none() {
        let (count, failing) = replay_failures(lockstep, &mut trace, &config)?;
        allocations = Some(count);
        replayed.performed += failing.performed;
        replayed.divergence = failing.divergence;
    }
    let line = (replayed.divergence.as_ref())
        .and_then(|divergence| trace.lines.get(divergence.step?)?.place)
        .map(|place| place.line);
    Ok(TraceReport {
        trace: named.name.clone(),
        verdict: match replayed.divergence {
            None => "agrees",
            Some(_) => "diverges",
        },
        operations: replayed.performed,
        allocations,
        failure: match replayed.divergence {
            None => 0,
            Some(_) => trace.header.failure,
        },
        line,
        divergence: replayed.divergence,
        steps,
    })
}

fn show(places: &mut Places, entry: &Entry<'_>, before: &World, after: &World) -> Shown {
    let outcome = match &entry.answer {
        Answered::Skipped(reason) => format!("skipped: {reason}"),
        Answered::Outcome(outcome) => {
            let shown = places.outcome(entry.operation, outcome);
            places.after(entry.operation, outcome, entry.after);
            shown
        }
    };
    Shown {
        operation: Text(entry.operation).to_string(),
        outcome,
        held: entry.held.clone(),
        changes: changes(before, after),
    }
}

/// The facts that a step took away and added, each a line; pages that change alike are one.
fn changes(before: &World, after: &World) -> Vec<String> {
    let (before, after) = (before.render(), after.render());
    let mut changes: Vec<String> = Vec::new();
    let mut last: Option<PageChange> = None;
    for change in TextDiff::from_lines(&before, &after).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Equal => continue,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        let line = format!("{sign} {}", change.value().trim_end());
        let page = PageChange::read(&line);
        match (&mut last, page) {
            (Some(last), Some(page)) if last.continues_with(&page) => {
                last.to = page.to;
                changes.pop();
                changes.push(last.to_string());
            }
            (last, page) => {
                *last = page;
                changes.push(line);
            }
        }
    }
    changes
}

/// `+ region w+0x0 page 3 holds 00*4096`, or the same of several pages.
struct PageChange {
    owner: String,
    from: u64,
    to: u64,
    contents: String,
}

impl PageChange {
    fn read(line: &str) -> Option<Self> {
        let (owner, rest) = line.split_once(" page ")?;
        let (page, contents) = rest.split_once(' ')?;
        let page = page.parse().ok()?;
        Some(Self {
            owner: owner.into(),
            from: page,
            to: page,
            contents: contents.into(),
        })
    }

    fn continues_with(&self, next: &Self) -> bool {
        self.owner == next.owner && self.contents == next.contents && self.to + 1 == next.from
    }
}

impl std::fmt::Display for PageChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            owner,
            from,
            to,
            contents,
        } = self;
        write!(formatter, "{owner} pages {from} to {to}: {contents}")
    }
}

fn write(out: &mut impl Write, trace: &TraceReport) -> Result<(), Failure> {
    for step in &trace.steps {
        writeln!(out, "{}", step.operation)?;
        writeln!(out, "    {}", step.outcome)?;
        if !step.held.is_empty() {
            writeln!(out, "    held: {}", step.held.join(", "))?;
        }
        for change in &step.changes {
            let shown = match change.starts_with('+') {
                true => output::good(change),
                false => output::bad(change),
            };
            writeln!(out, "    {shown}")?;
        }
    }
    let verdict = match trace.divergence {
        None => output::good("agrees  "),
        Some(_) => output::bad("diverges"),
    };
    let line = trace.line.map_or(String::new(), |line| format!(":{line}"));
    let failed = match (trace.allocations, trace.failure) {
        (None, _) => String::new(),
        (Some(count), 0) => format!(", {count} allocations failed"),
        (Some(_), failure) => format!(", failure={failure}"),
    };
    writeln!(
        out,
        "{verdict}  {}{line}  {} operations{failed}",
        trace.trace, trace.operations
    )?;
    if let Some(divergence) = &trace.divergence {
        for line in divergence.to_string().lines() {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}
