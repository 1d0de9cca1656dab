//! `coverage`: which sentences of the document are checked.

use super::{Failure, Verdict, conform, input, output};
use nommu_oracle::campaign::{self, Plan};
use nommu_oracle::coverage::Coverage;
use nommu_oracle::lockstep::Tally;
use nommu_oracle::report::shards::Shards;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::target::factory::TargetName;
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Report which sentences of the document are checked, by what, and how often.
///
/// Counts are those of the conformance corpus on the engine, and of a campaign if one is asked
/// for or if there are reports of some. Each target whose answers to the corpus are on record gets
/// a column: whether the rule holds there, is violated as is known or as nobody knew, cannot be
/// observed, or is not exercised.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle coverage
  nommu-oracle coverage --operations 1000000          with a campaign's counts
  nommu-oracle coverage --merge 0.json 1.json         with those of a campaign's shards
  nommu-oracle coverage --also linux-6.12             with a column for a kernel asked now
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
    /// Where answers of targets are on record: a folder with one for each target
    #[arg(long, value_name = "FOLDER", default_value = "corpus/transcripts")]
    records: PathBuf,
    /// A target to ask now, whose verdicts get a column of their own in place of those on record;
    /// may be given several times
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
        coverage.add_target(&report);
    }
    for name in recorded(&arguments.records)? {
        if arguments.also.iter().any(|also| also.to_string() == name) {
            continue;
        }
        let records = arguments.records.join(&name);
        let places = (&*arguments.corpus, &*records);
        let (report, _) = conform::judge_records(&name, &traces, None, places)?;
        coverage.add_target(&report);
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

/// The targets that have a folder of records, by name; none where there are no records.
fn recorded(records: &Path) -> Result<Vec<String>, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::Misuse(format!("error: cannot read {}: {error}", records.display()))
    };
    let entries = match std::fs::read_dir(records) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(cannot)?;
        if entry.path().is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    // The latest first.
    names.sort_by_key(|name| {
        let numbers = name.split(|letter: char| !letter.is_ascii_digit());
        let numbers = numbers.filter_map(|digits| digits.parse::<u32>().ok());
        std::cmp::Reverse((numbers.collect::<Vec<_>>(), name.clone()))
    });
    Ok(names)
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
