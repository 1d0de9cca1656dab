//! `cargo xtask coverage`: what of the document is checked, and what another edition of it
//! would change.

mod document;

use clap::Args;
use nommu_oracle::campaign::{self, Plan};
use nommu_oracle::coverage::Coverage;
use nommu_oracle::target::engine::EngineTarget;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Which sentences of the document are checked, by what, how often.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Hold an edition of the document against the entries of specs/: lists those that its
    /// changes touch
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    /// Take that edition as ours: renew the checksums in specs/. Read first what it touches
    #[arg(long, requires = "document")]
    accept: bool,
    /// Operations to count rules over
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    operations: u64,
    /// How it is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    /// For a terminal
    #[default]
    Text,
    /// A page
    Markdown,
    /// For programs
    Json,
}

/// Reports coverage, or compares an edition.
///
/// # Errors
///
/// What could not be read or written; an edition that touches entries; a rule that never
/// applied.
pub fn run(workspace: &Path, arguments: &Arguments) -> Result<(), String> {
    match &arguments.document {
        Some(file) => compare(workspace, file, arguments.accept),
        None => report(workspace, arguments),
    }
}

fn compare(workspace: &Path, file: &Path, accept: bool) -> Result<(), String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    if accept {
        document::accept(&workspace.join("specs"), &text)?;
        println!("specs/ has the checksums of {}", file.display());
        return Ok(());
    }
    let comparison = document::compare(&text);
    for touched in &comparison.touched {
        println!(
            "specs/{}: lines {}: {}",
            touched.file, touched.lines, touched.entry
        );
    }
    if comparison.changed.is_empty() && comparison.new.is_empty() {
        println!("this edition is the one that specs/ was made from");
        return Ok(());
    }
    Err(format!(
        "{} of our lines are changed or gone, {} of theirs are new: {} entries are touched",
        comparison.changed.len(),
        comparison.new.len(),
        comparison.touched.len()
    ))
}

fn report(workspace: &Path, arguments: &Arguments) -> Result<(), String> {
    let plan = Plan {
        operations: Some(arguments.operations),
        ..Plan::default()
    };
    let report = campaign::run(&plan, EngineTarget::new, |_| ControlFlow::Continue(()))
        .map_err(|error| error.to_string())?;
    let corpus = workspace.join("corpus/conformance");
    let traces = traces(&corpus).map_err(|error| format!("{}: {error}", corpus.display()))?;
    let coverage = Coverage::new(&report.tally, &traces);
    match arguments.format {
        Format::Text => print!("{}", coverage.text()),
        Format::Markdown => print!("{}", coverage.markdown()),
        Format::Json => {
            let json =
                serde_json::to_string_pretty(&coverage).map_err(|error| error.to_string())?;
            println!("{json}");
        }
    }
    let vacuous: Vec<&str> = coverage.vacuous().map(|rule| rule.id.as_str()).collect();
    if vacuous.is_empty() {
        Ok(())
    } else {
        Err(format!("these rules never applied: {}", vacuous.join(", ")))
    }
}

/// The conformance traces as `section/name.trace`, sorted.
fn traces(corpus: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for section in std::fs::read_dir(corpus)? {
        let section = section?;
        if !section.file_type()?.is_dir() {
            continue;
        }
        for trace in std::fs::read_dir(section.path())? {
            let name = trace?.file_name();
            let name = name.to_string_lossy();
            if name.ends_with(".trace") {
                names.push(format!("{}/{name}", section.file_name().to_string_lossy()));
            }
        }
    }
    names.sort();
    Ok(names)
}
