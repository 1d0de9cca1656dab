//! `coverage`: which sentences of the document are checked.

use super::{Failure, Verdict, conform, input, output};
use nommu_oracle::campaign::{self, Plan};
use nommu_oracle::coverage::Coverage;
use nommu_oracle::lockstep::Tally;
use nommu_oracle::report::shards::Shards;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::target::factory::TargetName;
use std::io::Write;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Report which sentences of the document are checked, by what, and how often.
///
/// Counts are those of the conformance corpus on the engine, and of a campaign if one is asked
/// for or if there are reports of some.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle coverage
  nommu-oracle coverage --operations 1000000          with a campaign's counts
  nommu-oracle coverage --merge 0.json 1.json         with those of a campaign's shards
  nommu-oracle coverage --also linux-6.12             with a column for a real kernel
  nommu-oracle coverage --format markdown > coverage.md")]
pub struct Arguments {
    /// Where the conformance traces are
    #[arg(long, value_name = "FOLDER", default_value = "corpus/conformance")]
    corpus: PathBuf,
    /// How many random operations to count besides
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    operations: u64,
    /// Reports of campaigns on the engine, which `campaign --format json` wrote: shards of one,
    /// or campaigns from different seeds
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "operations")]
    merge: Vec<PathBuf>,
    /// A target whose verdicts get a column of their own; may be given several times
    #[arg(long, value_name = "TARGET")]
    also: Vec<TargetName>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people, on a terminal.
    #[default]
    Text,
    /// For people, elsewhere.
    Markdown,
    /// For programs.
    Json,
}

pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let traces = input::traces(std::slice::from_ref(&arguments.corpus))?;
    let names = input::names(&arguments.corpus);
    let (_, mut tally) = conform::judge(&TargetName::Engine, &traces, None, false)?;
    if arguments.operations > 0 {
        let plan = Plan {
            operations: Some(arguments.operations),
            jobs: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            ..Plan::default()
        };
        let report = campaign::run(&plan, EngineTarget::new, |_| ControlFlow::Continue(()))?;
        tally.merge(&report.tally);
    }
    tally.merge(&merged(&arguments.merge)?);
    let mut coverage = Coverage::new(&tally, &names);
    for target in &arguments.also {
        let (report, _) = conform::judge(target, &traces, None, false)?;
        coverage.add_target(&target.to_string(), |id| {
            let rule = report.rules.iter().find(|rule| rule.id == id)?;
            Some(rule.verdict.words().replace(' ', "-"))
        });
    }
    let text = match arguments.format {
        Format::Text => coverage.text(),
        Format::Markdown => coverage.markdown(),
        Format::Json => serde_json::to_string_pretty(&coverage).expect("it is plain data") + "\n",
    };
    anstream::stdout().lock().write_all(text.as_bytes())?;
    let is_broken = coverage.rules.iter().any(|rule| rule.violated > 0);
    Ok(if is_broken {
        Verdict::Diverges
    } else {
        Verdict::Agrees
    })
}

/// What the campaigns counted whose reports these are.
fn merged(files: &[PathBuf]) -> Result<Tally, Failure> {
    let mut shards = Shards::default();
    for path in files {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::Misuse(format!("error: cannot read {name}: {error}")))?;
        let added = shards.add(&name, &text);
        added.map_err(|error| Failure::Misuse(format!("error: {error}")))?;
    }
    let missing = shards.missing();
    if !missing.is_empty() {
        let words = format!("not among the reports: {}", missing.join(", "));
        anstream::eprintln!("{}", output::hint(&words));
    }
    Ok(shards.tally)
}
