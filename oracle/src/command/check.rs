//! `check`: explores scopes.

use super::{Failure, Format, Verdict, contract, output};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use nommu_oracle::explore::check::{Checked, check, given_up};
use nommu_oracle::explore::product::Product;
use nommu_oracle::explore::scope;
use nommu_oracle::explore::shipped::QUICK;
use nommu_oracle::explore::summary::Summary;
use nommu_oracle::explore::{Checkpoints, Progress, Search, Trail};
use nommu_oracle::finding::{self, Finding};
use nommu_oracle::lockstep::{Divergence, Lockstep, Stop};
use nommu_oracle::target::TargetError;
use nommu_oracle::target::factory::TargetName;
use nommu_oracle::target::pulse::{self, LIMIT};
use nommu_oracle::trace::Trace;
use serde::Serialize;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Explore every sequence of operations within a scope, the shortest first.
///
/// What is proved for the scope is that the model satisfies every rule, and that the engine does
/// what the model allows. A violation comes with a trace than which there is no shorter one.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle check --quick                                 every scope that comes with this
  nommu-oracle check --scope specs/scopes/anonymous.toml
  nommu-oracle check --scope specs/scopes/deep --memory-limit 8G       all of a folder
  nommu-oracle check --scope specs/scopes/drivers.toml --witnesses     a trace for each rule
  nommu-oracle check --scope big.toml --memory-limit 4G --checkpoint big.checkpoint
  nommu-oracle check --scope big.toml --checkpoint big.checkpoint --resume")]
pub struct Arguments {
    /// A scope (specs/scopes.md), or a folder of them; may be given more than once
    #[arg(long, value_name = "PATH", required_unless_present = "quick")]
    scope: Vec<PathBuf>,
    /// The scopes that come with this program, which take some minutes together
    #[arg(long)]
    quick: bool,
    /// Threads that share the work; as many as there are processors
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Operations of a sequence at most
    #[arg(long, value_name = "N")]
    depth: Option<u32>,
    /// End before the search takes more memory, such as 512M or 4G
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_limit: Option<u64>,
    /// Keep what a later search can go on from in this file
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Go on from what the file of --checkpoint holds
    #[arg(long, requires = "checkpoint")]
    resume: bool,
    /// Go on after a violation, to find the shortest trace for each set of rules
    #[arg(long)]
    all: bool,
    /// Print for each rule the shortest trace on which it applies
    #[arg(long)]
    witnesses: bool,
    /// Tell states apart that differ in names only
    #[arg(long)]
    no_reduction: bool,
    /// Which folder the traces of violations are kept in: corpus/regressions
    #[arg(long, value_name = "FOLDER")]
    findings: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A checkpoint is written at least this long after the last.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(60);

/// What was found in all scopes, for programs.
#[derive(Serialize)]
struct Shown<'a> {
    scopes: &'a [Checked],
    summary: Summary,
}

/// A scope that is not read yet.
struct Named {
    name: String,
    text: String,
}

pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let scopes = scopes(arguments)?;
    if arguments.checkpoint.is_some() && scopes.len() > 1 {
        let words = "error: found several scopes and one checkpoint, expected one scope";
        return Err(Failure::Misuse(words.to_owned()));
    }
    // All are read before anything runs: what is wrong with the last is said at once.
    let products: Result<Vec<(Product, Option<u32>)>, Failure> = scopes
        .iter()
        .map(|named| prepare(arguments, named))
        .collect();
    let interrupt = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupt);
    // Without a handler, an interrupt ends the program at once: no harm is done.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    let mut results = Vec::new();
    for (product, depth) in products? {
        let mut checked = one(arguments, product, depth, Arc::clone(&interrupt))?;
        keep(arguments, &mut checked);
        if arguments.format == Format::Text {
            print(&checked.to_string())?;
        }
        results.push(checked);
    }
    let summary = Summary::of(&results);
    match arguments.format {
        Format::Text if results.len() > 1 => print(&format!("\n{summary}"))?,
        Format::Text => {}
        Format::Json => {
            let shown = Shown {
                scopes: &results,
                summary,
            };
            let json = serde_json::to_string_pretty(&shown).expect("plain data is serialized");
            print(&(json + "\n"))?;
        }
    }
    match results.iter().all(|checked| checked.violations.is_empty()) {
        true => Ok(Verdict::Agrees),
        false => Ok(Verdict::Diverges),
    }
}

/// The scopes that are asked for: a folder's in the order of their names.
fn scopes(arguments: &Arguments) -> Result<Vec<Named>, Failure> {
    let mut scopes = Vec::new();
    if arguments.quick {
        scopes.extend(QUICK.iter().map(|(name, text)| Named {
            name: format!("{name}.toml"),
            text: (*text).to_owned(),
        }));
    }
    for path in &arguments.scope {
        if !path.is_dir() {
            scopes.push(read(path)?);
            continue;
        }
        let paths = listed(path).map_err(|error| cannot_read(path, &error))?;
        if paths.is_empty() {
            return Err(misuse(format!(
                "found no scope in {}, expected files that end in .toml",
                path.display()
            )));
        }
        for path in paths {
            scopes.push(read(&path)?);
        }
    }
    Ok(scopes)
}

fn listed(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder)?;
    let paths: std::io::Result<Vec<PathBuf>> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect();
    let mut paths = paths?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Named, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| cannot_read(path, &error))?;
    let name = path.display().to_string();
    Ok(Named { name, text })
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    misuse(format!("cannot read {}: {error}", path.display()))
}

fn misuse(words: String) -> Failure {
    Failure::Misuse(format!("error: {words}"))
}

/// What a scope says, and how deep to look. Says so where that is more than can be done.
fn prepare(arguments: &Arguments, named: &Named) -> Result<(Product, Option<u32>), Failure> {
    let mut scope =
        scope::read(&named.name, &named.text).map_err(|error| misuse(error.to_string()))?;
    scope.reduces = !arguments.no_reduction;
    let depth = [scope.depth, arguments.depth].into_iter().flatten().min();
    if depth.is_none()
        && let Some(warning) = scope.too_large_to_count()
    {
        anstream::eprintln!("warning: {}: {warning}", named.name);
    }
    let config = contract::config(&scope.header, None);
    let product = Product::new(scope, &config).map_err(|stop| match stop {
        Stop::Target(error) => Failure::Target(error),
        Stop::Diverged(divergence) => misuse(divergence.to_string()),
    })?;
    Ok((product, depth))
}

fn one(
    arguments: &Arguments,
    product: Product,
    depth: Option<u32>,
    interrupt: Arc<AtomicBool>,
) -> Result<Checked, Failure> {
    let name = product.scope().name.clone();
    let line = Line::new(&name);
    let bar = line.bar.clone();
    let arguments = arguments.clone();
    let witnesses = arguments.witnesses;
    let trail = Arc::new(Trail::default());
    let product = Arc::new(product);
    let (own, shared) = (Arc::clone(&trail), Arc::clone(&product));
    let checked = pulse::attend(LIMIT, move || {
        let threads = arguments
            .threads
            .or_else(|| std::thread::available_parallelism().ok());
        let mut show = |progress: &Progress| line.show(progress);
        let mut search = Search::new(threads.unwrap_or(NonZeroUsize::MIN));
        search.depth_limit = depth;
        search.memory_limit_bytes = arguments.memory_limit;
        search.past_violations = arguments.all;
        search.interrupt = Some(&interrupt);
        search.progress = Some(&mut show);
        search.trail = Some(&own);
        search.checkpoints = arguments.checkpoint.as_ref().map(|path| Checkpoints {
            path: path.clone(),
            every: CHECKPOINT_INTERVAL,
        });
        let resume = arguments.checkpoint.as_deref();
        let resume = resume.filter(|_| arguments.resume);
        check(&shared, search, resume, arguments.witnesses)
    });
    bar.finish_and_clear();
    match checked {
        Some(checked) => checked.map_err(|error| misuse(error.to_string())),
        None => {
            let path = trail.hangs(LIMIT);
            let checked =
                path.and_then(|path| given_up(&product, &trail, &path, witnesses, judge_apart));
            checked.ok_or_else(|| {
                Failure::Target(TargetError {
                    target: TargetName::Engine.to_string(),
                    problem: format!(
                        "found an operation that did not end while exploring the scope {name}, \
                         and that does when it is performed again, expected one or the other"
                    ),
                })
            })
        }
    }
}

/// What is wrong with a trace that ends with an operation that may not end.
fn judge_apart(trace: &Trace) -> Option<Divergence> {
    let config = contract::config(&trace.header, None);
    let mut lockstep = Lockstep::new(TargetName::Engine.make_apart(LIMIT));
    match lockstep.run(&config, trace.operations()) {
        Err(Stop::Diverged(divergence)) => Some(*divergence),
        Ok(_) | Err(Stop::Target(_)) => None,
    }
}

/// Files what was found as campaigns do.
fn keep(arguments: &Arguments, checked: &mut Checked) {
    let target = TargetName::Engine;
    let folder = arguments
        .findings
        .clone()
        .unwrap_or_else(|| finding::folder(&target));
    let origin = format!("exploring the scope {}", checked.scope);
    for violation in &mut checked.violations {
        let trace = Trace::parse("a violation", violation.trace.as_bytes());
        let (Ok(trace), Some(divergence)) = (trace, violation.divergence.clone()) else {
            continue;
        };
        let length = violation.length;
        let mut finding = Finding::new(&target, trace, divergence, length, &origin);
        match finding.keep(&folder) {
            Ok(_) => violation.kept = finding.kept,
            Err(error) => output::error(&error),
        }
    }
}

/// The live progress line, on a terminal.
struct Line {
    bar: ProgressBar,
    start: Instant,
}

impl Line {
    fn new(scope: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{prefix}  {msg}");
        bar.set_style(style.expect("a sound template"));
        bar.set_prefix(scope.to_owned());
        Self {
            bar,
            start: Instant::now(),
        }
    }

    fn show(&self, progress: &Progress) {
        let seconds = self.start.elapsed().as_secs_f64().max(1e-3);
        self.bar.set_message(format!(
            "depth {}  frontier {}  states {}  {}/s  {}",
            progress.depth,
            HumanCount(progress.frontier),
            HumanCount(progress.states),
            HumanCount((progress.states as f64 / seconds) as u64),
            HumanBytes(progress.memory_bytes),
        ));
        self.bar.tick();
    }
}

fn print(text: &str) -> std::io::Result<()> {
    anstream::stdout().lock().write_all(text.as_bytes())
}

/// A number of bytes, with a letter for its unit.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, shift) = match text.strip_suffix(['K', 'M', 'G', 'T']) {
        Some(number) => {
            let place = "KMGT".find(&text[number.len()..]).unwrap_or(0);
            (number, 10 * (place as u32 + 1))
        }
        None => (text, 0),
    };
    let expected = || format!("found {text:?}, expected a number of bytes such as 512M or 4G");
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).ok_or_else(expected)
}
