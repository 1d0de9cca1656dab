//! `cargo xtask mutants`: what a run of cargo-mutants came to, file by file, and whether every
//! mutant that lives is explained.

use clap::Args;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Sum up a run of cargo-mutants, and see that every mutant that lives is explained.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What the run left behind
    #[arg(value_name = "FOLDER", default_value = "mutants.out")]
    run: PathBuf,
}

/// Where survivors are explained: the name of each, as cargo-mutants gives it but without the
/// place in its file, stands there in backquotes. Where several of one function have the same
/// name, it stands there as often.
const EXPLAINED: &str = "corpus/mutants.md";

/// `outcomes.json`, as far as it matters here.
#[derive(Debug, Default, Deserialize)]
struct Outcomes {
    outcomes: Vec<Outcome>,
}

#[derive(Debug, Deserialize)]
struct Outcome {
    scenario: Scenario,
    summary: Summary,
}

#[derive(Debug, Deserialize)]
enum Scenario {
    Baseline,
    Mutant(Mutant),
}

#[derive(Debug, Deserialize)]
struct Mutant {
    /// `engine/src/budget.rs:17:9: replace Budget::fail with ()`
    name: String,
    file: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
enum Summary {
    Success,
    CaughtMutant,
    MissedMutant,
    Unviable,
    Failure,
    Timeout,
}

/// Mutants of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Those that compile.
    viable: u64,
    /// Those that were noticed, or did not end.
    caught: u64,
    /// Those that earlier runs, which this one resumes, caught or could not build: which of the
    /// two is not on record.
    earlier: u64,
}

impl Count {
    fn percent(self) -> String {
        match self.viable {
            0 => "-".to_owned(),
            viable => format!("{:.1}", self.caught as f64 * 100.0 / viable as f64),
        }
    }
}

/// Sums up.
///
/// # Errors
///
/// A survivor that is not explained; files that cannot be read.
pub fn run(workspace: &Path, arguments: &Arguments) -> Result<(), String> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let folder = workspace.join(&arguments.run);
    // A run that resumes others says what it leaves out, and nothing else where all is left out.
    let earlier = folder.join("previously_caught.txt");
    let earlier = match earlier.exists() {
        true => Some(read(&earlier)?),
        false => None,
    };
    let path = folder.join("outcomes.json");
    let outcomes: Outcomes = match earlier.is_some() && !path.exists() {
        true => Outcomes::default(),
        false => serde_json::from_str(&read(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?,
    };
    let explained = read(&workspace.join(EXPLAINED))?;
    let (counts, unexplained) = sum(&outcomes, &earlier.unwrap_or_default(), &explained);
    print(&counts);
    if unexplained.is_empty() {
        return Ok(());
    }
    Err(format!(
        "these live, and {EXPLAINED} does not say why:\n{}",
        unexplained.join("\n")
    ))
}

/// Mutants by file, and the survivors that a text does not name, or not as often.
fn sum(
    outcomes: &Outcomes,
    earlier: &str,
    explained: &str,
) -> (BTreeMap<String, Count>, Vec<String>) {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut unexplained = Vec::new();
    let mut lived: BTreeMap<String, usize> = BTreeMap::new();
    for name in earlier.lines() {
        let file = name.split(':').next().unwrap_or_default();
        counts.entry(file.to_owned()).or_default().earlier += 1;
    }
    for outcome in &outcomes.outcomes {
        let Scenario::Mutant(mutant) = &outcome.scenario else {
            continue;
        };
        let count = counts.entry(mutant.file.clone()).or_default();
        match outcome.summary {
            Summary::CaughtMutant | Summary::Timeout => {
                count.viable += 1;
                count.caught += 1;
            }
            Summary::MissedMutant => {
                count.viable += 1;
                let name = without_place(&mutant.name);
                let mentions = explained.matches(&format!("`{name}`")).count();
                let lived = lived.entry(name).or_default();
                *lived += 1;
                if *lived > mentions {
                    unexplained.push(mutant.name.clone());
                }
            }
            Summary::Unviable | Summary::Success | Summary::Failure => {}
        }
    }
    (counts, unexplained)
}

/// A mutant's name without line and column, which change with every edit above it.
fn without_place(name: &str) -> String {
    let mut parts = name.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => name.to_owned(),
    }
}

fn print(counts: &BTreeMap<String, Count>) {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_header(["file", "viable", "caught", "percent", "earlier"]);
    for (part, title) in [("engine/", "the engine"), ("model/", "the model")] {
        let files = counts.iter().filter(|(file, _)| file.starts_with(part));
        let mut all = Count::default();
        for (file, count) in files {
            all.viable += count.viable;
            all.caught += count.caught;
            all.earlier += count.earlier;
            table.add_row(row(file, *count));
        }
        if all != Count::default() {
            table.add_row(row(title, all));
        }
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
}

fn row(name: &str, count: Count) -> [String; 5] {
    [
        name.to_owned(),
        count.viable.to_string(),
        count.caught.to_string(),
        count.percent(),
        match count.earlier {
            0 => String::new(),
            earlier => earlier.to_string(),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::{Count, Outcomes, sum};

    #[test]
    fn survivors_have_to_be_explained() {
        let outcome = |name: &str, summary: &str| {
            format!(
                "{{\"scenario\": {{\"Mutant\": {{\"name\": \"{name}\", \"file\": \"engine/a.rs\"}}}}, \
                 \"summary\": \"{summary}\"}}"
            )
        };
        let text = format!(
            "{{\"outcomes\": [{{\"scenario\": \"Baseline\", \"summary\": \"Success\"}}, {}]}}",
            [
                outcome("engine/a.rs:1:2: replace a with ()", "CaughtMutant"),
                outcome("engine/a.rs:3:4: replace b with ()", "Timeout"),
                outcome("engine/a.rs:5:6: replace c::d with ()", "MissedMutant"),
                outcome("engine/a.rs:7:8: replace e with ()", "MissedMutant"),
                outcome("engine/a.rs:9:1: replace f with ()", "Unviable"),
                outcome("engine/a.rs:10:1: replace c::d with ()", "MissedMutant"),
            ]
            .join(", ")
        );
        let outcomes: Outcomes = serde_json::from_str(&text).expect("it is sound");
        let earlier = "engine/a.rs:11:2: replace g with ()\n";
        let explained = "`engine/a.rs: replace c::d with ()` is the same";
        let (counts, unexplained) = sum(&outcomes, earlier, explained);
        let count = Count {
            viable: 5,
            caught: 2,
            earlier: 1,
        };
        assert_eq!(
            counts.into_iter().collect::<Vec<_>>(),
            [("engine/a.rs".to_owned(), count)]
        );
        // One mention explains one of two that are named alike.
        assert_eq!(
            unexplained,
            [
                "engine/a.rs:7:8: replace e with ()",
                "engine/a.rs:10:1: replace c::d with ()"
            ]
        );
    }
}
