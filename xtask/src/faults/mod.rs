//! `cargo xtask faults`: whether the oracle catches bugs, as a figure.
//!
//! Each fault of `corpus/faults/` is put into a scratch copy of the engine, built, and judged
//! by a campaign, by exploring the scopes and by the conformance corpus, as any implementation
//! would be. So is a patch from anywhere else.

mod foreign;
mod judge;
mod patch;
mod queue;
mod scores;
#[cfg(test)]
mod tests;
pub(crate) mod tree;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use judge::{Score, Scored, words};
use patch::{CANARY, CONTROL, Fault};
use scores::Scores;
use std::path::{Path, PathBuf};

/// Put seeded faults into the engine, and count what catches them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo xtask faults                        all of corpus/faults
  cargo xtask faults trim-fencepost         one of them
  cargo xtask faults --sample 40            40 of them, always the same
  cargo xtask faults ../some.patch          a patch from elsewhere: what catches it, how fast,
                                            by which rule, and the trace that shows it
  cargo xtask faults --update NAME...       keep the scores of some

The canary and the control are judged in every run. Exit status 1: one of them went the wrong way,
a patch does not apply or build, or a fault that is on record as caught was not.")]
pub struct Arguments {
    /// Only these: names of faults, or patches from elsewhere, which need no header
    #[arg(value_name = "FAULT|PATCH")]
    only: Vec<String>,
    /// Only so many of the faults, spread over all of them: the same each time
    #[arg(long, value_name = "COUNT", conflicts_with = "only", value_parser = clap::value_parser!(u16).range(1..))]
    sample: Option<u16>,
    /// Seconds that a campaign may take for one fault
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Operations of the sequences of each scope that are explored for one fault; 0 for none
    #[arg(long, value_name = "OPERATIONS", default_value_t = 5)]
    depth: u32,
    /// The seed of the campaigns
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,
    /// Faults judged at once, each on a core of its own; as many as there are cores unless said
    /// otherwise
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Keep the scores in corpus/faults/scores.json, each as soon as it is known; those of other
    /// faults there stay
    #[arg(long)]
    update: bool,
    /// Also write the scores, times and traces among them, as JSON, each as soon as it is known
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Scores the faults.
///
/// # Errors
///
/// A patch that does not apply or build; a canary that lives, a control that is caught; a fault
/// that was caught before; what could not be read or written.
pub fn run(workspace: &Path, arguments: &Arguments) -> Result<(), String> {
    let all = patch::read(&workspace.join("corpus/faults"))?;
    let faults = chosen(&all, arguments)?;
    let file = Scores::file(workspace);
    let on_record = Scores::read(&file)?;
    let kept = |scores: &[Scored]| {
        let mut kept = match arguments.update {
            true => on_record.clone(),
            false => Scores::default(),
        };
        let ours = scores.iter().filter(|scored| !scored.foreign);
        kept.update(&all, &ours.cloned().collect::<Vec<_>>());
        kept
    };
    // After each fault: a run takes an hour, and may be interrupted.
    let keep = |scores: &[Scored]| {
        if arguments.update {
            kept(scores).write(&file)?;
        }
        match &arguments.json {
            Some(file) => write_json(file, scores),
            None => Ok(()),
        }
    };
    let scores = queue::score_all(workspace, arguments, &faults, &keep)?;
    let foreign: Vec<Scored> = scores.iter().filter(|one| one.foreign).cloned().collect();
    print_table(&scores);
    let kept = kept(&scores);
    for scored in &foreign {
        println!("\n{}", foreign::report(scored));
    }
    if !foreign.is_empty() {
        println!("\n{}", foreign::summary(&foreign));
    }
    if kept.faults.iter().any(scores::Kept::counts) {
        println!("\n{}", kept.summarise());
    }
    // A part of the faults says nothing of what the rules catch.
    if kept.faults.len() == all.len() {
        let silent = kept.silent_rules();
        if !silent.is_empty() {
            println!("rules that caught nothing: {}", silent.join(", "));
        }
    } else if arguments.update {
        println!(
            "{} of {} patches have a score",
            kept.faults.len(),
            all.len()
        );
    }
    verdict(&scores, &on_record)
}

fn write_json(file: &Path, scores: &[Scored]) -> Result<(), String> {
    let json = serde_json::to_string_pretty(scores).map_err(|error| error.to_string())?;
    std::fs::write(file, json + "\n").map_err(|error| format!("{}: {error}", file.display()))
}

/// The faults that are asked for, the canary and the control first.
fn chosen(all: &[Fault], arguments: &Arguments) -> Result<Vec<Fault>, String> {
    let is_check = |fault: &&Fault| [CANARY, CONTROL].contains(&fault.id.as_str());
    let checks = all.iter().filter(is_check).cloned();
    let others: Vec<&Fault> = all.iter().filter(|fault| !is_check(fault)).collect();
    let mut faults: Vec<Fault> = checks.collect();
    if let Some(count) = arguments.sample {
        faults.extend(spread(&others, count.into()).cloned());
        return Ok(faults);
    }
    if arguments.only.is_empty() {
        faults.extend(others.into_iter().cloned());
        return Ok(faults);
    }
    for name in &arguments.only {
        if patch::is_path(name) {
            if arguments.update {
                return Err(format!(
                    "{name}: found a patch from elsewhere, expected a fault of corpus/faults: only their scores are kept"
                ));
            }
            faults.push(Fault::foreign(Path::new(name))?);
        } else if let Some(fault) = others.iter().find(|fault| fault.id == *name) {
            faults.push((*fault).clone());
        } else if ![CANARY, CONTROL].contains(&name.as_str()) {
            return Err(format!(
                "corpus/faults/{name}.patch: there is no such fault"
            ));
        }
    }
    Ok(faults)
}

/// So many of the faults, evenly spread.
fn spread<'a>(faults: &'a [&'a Fault], count: usize) -> impl Iterator<Item = &'a Fault> {
    let count = count.min(faults.len());
    (0..count).map(move |place| faults[place * faults.len() / count])
}

fn print_table(scores: &[Scored]) {
    let mut table = Table::new();
    let heads = [
        "fault",
        "expected rule",
        "caught by",
        "rule",
        "operations",
        "seconds",
        "trace",
    ];
    table.load_style(NOTHING).set_header(heads);
    for scored in scores {
        let expected = scored.expected.clone();
        let row = match &scored.score {
            Score::Caught(caught) => [
                scored.fault.clone(),
                expected,
                words(&caught.by),
                caught.rules.first().cloned().unwrap_or_default(),
                caught.operations.to_string(),
                format!("{:.1}", caught.seconds),
                caught.trace.to_string(),
            ],
            Score::Missed => missing(scored, "not caught"),
            Score::Unusable(problem) => missing(scored, problem.lines().next().unwrap_or_default()),
        };
        table.add_row(row);
    }
    println!("{table}");
}

fn missing(scored: &Scored, why: &str) -> [String; 7] {
    let mut row: [String; 7] = Default::default();
    row[0].clone_from(&scored.fault);
    row[1].clone_from(&scored.expected);
    why.clone_into(&mut row[2]);
    row
}

fn verdict(scores: &[Scored], on_record: &Scores) -> Result<(), String> {
    let unusable: Vec<&str> = scores
        .iter()
        .filter(|scored| matches!(scored.score, Score::Unusable(_)))
        .map(|scored| scored.fault.as_str())
        .collect();
    if !unusable.is_empty() {
        return Err(format!(
            "these patches do not apply, build or run: {}",
            unusable.join(", ")
        ));
    }
    let caught = |id: &str| {
        scores
            .iter()
            .find(|scored| scored.fault == id)
            .map(|scored| scored.caught().is_some())
    };
    match (caught(CANARY), caught(CONTROL)) {
        (Some(true), Some(false)) => {}
        (Some(false), _) => {
            return Err("the canary lives: a fault that cannot be missed was".to_owned());
        }
        (_, Some(true)) => {
            return Err("the control was caught: a change without effect".to_owned());
        }
        _ => return Err("corpus/faults has no canary or no control".to_owned()),
    }
    let was_caught = |scored: &&Scored| !scored.foreign && on_record.caught(&scored.fault);
    let lost: Vec<&str> = scores
        .iter()
        .filter(was_caught)
        .filter(|scored| matches!(scored.score, Score::Missed))
        .map(|scored| scored.fault.as_str())
        .collect();
    if lost.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "caught before and not any more: {}",
            lost.join(", ")
        ))
    }
}
