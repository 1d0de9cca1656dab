//! `explain`: what a rule, gap or deviation says.

use super::{Failure, Format, Verdict, input, output};
use nommu_oracle::explain::{explain, ids};
use nommu_oracle::specs::{Case, Kind, Source, specs};
use serde::Serialize;
use std::io::Write;
use std::path::PathBuf;

/// Explain a rule, gap or deviation: its wording, its lines, what it judges, which traces
/// exercise it.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nommu-oracle explain                        every id, by section
  nommu-oracle explain private-read-reuse     one rule
  nommu-oracle explain address-hint-ignored   one deviation
  nommu-oracle explain 41-43                  what the document's lines 41 to 43 became")]
pub struct Arguments {
    /// Ids, or lines of the document such as `41-43`; without any, all ids are listed
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Where the conformance traces are
    #[arg(long, value_name = "FOLDER", default_value = "corpus/conformance")]
    corpus: PathBuf,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// A sentence of the document, or a hole in it.
#[derive(Serialize)]
struct Sentence {
    lines: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    is: String,
    words: String,
}

pub fn run(arguments: &Arguments) -> Result<Verdict, Failure> {
    let mut out = anstream::stdout().lock();
    if arguments.ids.is_empty() {
        list(&mut out, arguments.format)?;
        return Ok(Verdict::Agrees);
    }
    let traces = input::names(&arguments.corpus);
    let mut values = Vec::new();
    for (index, id) in arguments.ids.iter().enumerate() {
        if index > 0 && arguments.format == Format::Text {
            writeln!(out)?;
        }
        if let Some(lines) = range(id) {
            let sentences = sentences(lines.0, lines.1);
            match arguments.format {
                Format::Json => values.push(serde_json::to_value(sentences)),
                Format::Text => write_sentences(&mut out, id, &sentences)?,
            }
        } else if let Some(explanation) = explain(id, &traces) {
            match arguments.format {
                Format::Json => values.push(serde_json::to_value(explanation)),
                Format::Text => write!(out, "{explanation}")?,
            }
        } else {
            return Err(unknown(id));
        }
    }
    if arguments.format == Format::Json {
        let values: Result<Vec<_>, _> = values.into_iter().collect();
        let values = values.expect("it is plain data");
        let json = serde_json::to_string_pretty(&values).expect("it is plain data");
        writeln!(out, "{json}")?;
    }
    Ok(Verdict::Agrees)
}

/// Every id by section, with its lines.
fn list(out: &mut impl Write, format: Format) -> Result<(), Failure> {
    if format == Format::Json {
        let json = serde_json::to_string_pretty(&ids()).expect("it is plain data");
        writeln!(out, "{json}")?;
        return Ok(());
    }
    let rules: Vec<_> = specs().rules().collect();
    for section in rules.chunk_by(|a, b| a.section == b.section) {
        writeln!(out, "{}", output::hint(section[0].section))?;
        for rule in section {
            writeln!(out, "  {:<30} {}", rule.id, rule.lines)?;
        }
    }
    for known in &specs().deviations {
        writeln!(
            out,
            "{}",
            output::hint(&format!("deviations of {}", known.target))
        )?;
        for deviation in &known.deviations {
            writeln!(out, "  {:<30} {}", deviation.id, deviation.lines)?;
        }
    }
    Ok(())
}

/// Reads `41` or `41-43`.
fn range(text: &str) -> Option<(u32, u32)> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    Some((from.parse().ok()?, to.parse().ok()?))
}

/// What became of lines of the document.
fn sentences(from: u32, to: u32) -> Vec<Sentence> {
    let concerns = |source: &Source| source.lines().any(|line| (from..=to).contains(&line));
    let entries = (specs().sections.iter())
        .flat_map(|section| &section.entries)
        .filter(|entry| concerns(&entry.lines))
        .map(|entry| {
            let kind = match entry.kind {
                Kind::Rule => "rule",
                Kind::Definition => "definition",
                Kind::Rationale => "rationale",
                Kind::Advice => "advice",
            };
            let case = match entry.case {
                Case::Mmu => ", MMU case",
                _ => "",
            };
            Sentence {
                lines: entry.lines.to_string(),
                id: entry.id.clone(),
                is: format!("{kind}{case}"),
                words: entry.words.clone(),
            }
        });
    let gaps = (specs().gaps.iter())
        .filter(|gap| concerns(&gap.lines))
        .map(|gap| Sentence {
            lines: gap.lines.to_string(),
            id: Some(gap.id.clone()),
            is: "gap".into(),
            words: format!("{} {}", gap.open, gap.required),
        });
    entries.chain(gaps).collect()
}

fn write_sentences(
    out: &mut impl Write,
    lines: &str,
    sentences: &[Sentence],
) -> Result<(), Failure> {
    if sentences.is_empty() {
        writeln!(
            out,
            "{lines}: a heading, a blank line, or none of {}",
            specs().document.name
        )?;
    }
    for sentence in sentences {
        let name = sentence.id.as_deref().unwrap_or("-");
        writeln!(
            out,
            "{:<9} {} ({})\n          {}",
            sentence.lines, name, sentence.is, sentence.words
        )?;
    }
    Ok(())
}

/// That there is no such id, with the most alike.
fn unknown(id: &str) -> Failure {
    let mut near: Vec<(f64, &str)> = (ids().into_iter())
        .map(|known| (strsim::jaro_winkler(known, id), known))
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let near: Vec<String> = (near.iter().take(3))
        .filter(|(likeness, _)| *likeness > 0.7)
        .map(|(_, known)| format!("`{known}`"))
        .collect();
    let help = match near.as_slice() {
        [] => "`nommu-oracle explain` lists all".into(),
        near => format!("there is {}", near.join(", ")),
    };
    Failure::Misuse(format!(
        "error: found `{id}`, expected the id of a rule, gap or deviation, or lines such as `41-43`\nhelp: {help}"
    ))
}
