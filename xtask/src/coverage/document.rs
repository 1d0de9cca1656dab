//! Holding another edition of the document against the entries made from ours.

use nommu_oracle::specs::{self, Source, checksum};
use similar::{DiffOp, capture_diff_slices};
use std::path::Path;
use toml_edit::{Array, DocumentMut, Item, Value};

/// An entry of `specs/` that another edition touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// The file of `specs/`.
    pub file: String,
    /// The entry: its id, or what it says.
    pub entry: String,
    /// Its lines in our edition.
    pub lines: String,
}

/// What another edition changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Lines of ours that are changed or gone.
    pub changed: Vec<u32>,
    /// Lines of theirs that are changed or new, and not empty.
    pub new: Vec<u32>,
    /// Entries made from lines of ours that are changed, or between which there are new ones.
    pub touched: Vec<Touched>,
}

/// Holds an edition against ours.
pub fn compare(text: &str) -> Comparison {
    let theirs: Vec<&str> = text.lines().collect();
    let sums: Vec<String> = theirs.iter().map(|line| checksum([*line])).collect();
    let ours = &specs::specs().document.checksums;
    let mut comparison = Comparison::default();
    let empty = checksum([""]);
    for operation in capture_diff_slices(similar::Algorithm::Myers, ours, &sums) {
        let (old, new) = match operation {
            DiffOp::Equal { .. } => continue,
            _ => (operation.old_range(), operation.new_range()),
        };
        // What is only inserted touches the line before it.
        let old = if old.is_empty() {
            old.start.saturating_sub(1)..old.start.max(1)
        } else {
            old
        };
        comparison.changed.extend(
            old.filter(|&line| ours[line] != empty)
                .map(|line| line as u32 + 1),
        );
        comparison.new.extend(
            new.filter(|&line| sums[line] != empty)
                .map(|line| line as u32 + 1),
        );
    }
    let is_touched = |lines: &Source| {
        lines
            .lines()
            .any(|line| comparison.changed.binary_search(&line).is_ok())
    };
    for section in &specs::specs().sections {
        for entry in section
            .entries
            .iter()
            .filter(|entry| is_touched(&entry.lines))
        {
            comparison.touched.push(Touched {
                file: format!("{}.toml", section.section),
                entry: entry.id.clone().unwrap_or_else(|| entry.words.clone()),
                lines: entry.lines.to_string(),
            });
        }
    }
    for gap in specs::specs()
        .gaps
        .iter()
        .filter(|gap| is_touched(&gap.lines))
    {
        comparison.touched.push(Touched {
            file: "gaps.toml".to_owned(),
            entry: gap.id.clone(),
            lines: gap.lines.to_string(),
        });
    }
    comparison
}

/// Takes an edition as ours: writes the checksums of its lines into `specs/`. Whoever does
/// that has read every entry that it touches.
///
/// # Errors
///
/// When a file cannot be read, written or understood.
pub fn accept(folder: &Path, text: &str) -> Result<(), String> {
    let lines: Vec<&str> = text.lines().collect();
    for name in specs::file_names().filter(|name| !name.starts_with("deviations/")) {
        let path = folder.join(name);
        let problem = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let old = std::fs::read_to_string(&path).map_err(|error| problem(&error))?;
        let mut document: DocumentMut = old.parse().map_err(|error| problem(&error))?;
        if name == "document.toml" {
            let sums: Array = lines.iter().map(|line| checksum([*line])).collect();
            document["checksums"] = Item::Value(Value::Array(in_columns(sums)));
            let blank = (1..).zip(&lines).filter(|(_, line)| line.trim().is_empty());
            let blank: Vec<String> = blank
                .map(|(number, _): (u32, _)| number.to_string())
                .collect();
            document["blank"] = toml_edit::value(blank.join(", "));
        }
        for key in ["entry", "gap"] {
            let Some(entries) = document.get_mut(key).and_then(Item::as_array_of_tables_mut) else {
                continue;
            };
            for entry in entries.iter_mut() {
                let source = entry
                    .get("lines")
                    .and_then(Item::as_str)
                    .unwrap_or_default();
                let source =
                    Source::try_from(source.to_owned()).map_err(|error| problem(&error))?;
                let text: Option<Vec<&str>> = source
                    .lines()
                    .map(|line| lines.get(line as usize - 1).copied())
                    .collect();
                let text = text.ok_or_else(|| {
                    problem(&format!(
                        "the lines {source} are not in a document of {}",
                        lines.len()
                    ))
                })?;
                entry["checksum"] = toml_edit::value(checksum(text));
            }
        }
        std::fs::write(&path, document.to_string()).map_err(|error| problem(&error))?;
    }
    Ok(())
}

/// Four to a line.
fn in_columns(mut sums: Array) -> Array {
    for (index, sum) in sums.iter_mut().enumerate() {
        sum.decor_mut()
            .set_prefix(if index % 4 == 0 { "\n  " } else { " " });
    }
    sums.set_trailing("\n");
    sums.set_trailing_comma(true);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text whose lines are all unlike ours.
    #[test]
    fn another_text_touches_every_entry() {
        let comparison = compare("nothing of it\nis there\n");
        let entries: usize = specs::specs()
            .sections
            .iter()
            .map(|section| section.entries.len())
            .sum();
        assert_eq!(
            comparison.touched.len(),
            entries + specs::specs().gaps.len()
        );
        assert_eq!(comparison.new, [1, 2]);
    }
}
