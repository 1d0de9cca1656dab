//! Seeded faults: the files of `corpus/faults/`.

use std::path::{Path, PathBuf};

/// The fault that must be caught, or the scoring itself is broken.
pub const CANARY: &str = "canary";
/// The change without effect that must not be caught, or the judge cries wolf.
pub const CONTROL: &str = "control";

/// One seeded fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Names it; also the name of its file.
    pub id: String,
    /// Where the bug is known from.
    pub origin: String,
    /// What goes wrong.
    pub wrong: String,
    /// The rule that is expected to fire.
    pub rule: String,
    /// The file.
    pub file: PathBuf,
}

impl Fault {
    /// Reads a patch's header: `key: value` lines up to the first empty one.
    fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let mut fault = Self {
            id: String::new(),
            origin: String::new(),
            wrong: String::new(),
            rule: String::new(),
            file: file.to_owned(),
        };
        for (index, line) in text.lines().enumerate() {
            if line.is_empty() {
                break;
            }
            let place = format!("{}:{}", file.display(), index + 1);
            let (key, value) = line
                .split_once(": ")
                .ok_or_else(|| format!("{place}: found `{line}`, expected `key: value`"))?;
            let field = match key {
                "id" => &mut fault.id,
                "origin" => &mut fault.origin,
                "wrong" => &mut fault.wrong,
                "rule" => &mut fault.rule,
                _ => {
                    return Err(format!(
                        "{place}: found the key `{key}`, expected id, origin, wrong or rule"
                    ));
                }
            };
            value.clone_into(field);
        }
        for (key, value) in [
            ("id", &fault.id),
            ("origin", &fault.origin),
            ("wrong", &fault.wrong),
            ("rule", &fault.rule),
        ] {
            if value.is_empty() {
                return Err(format!(
                    "{}: the header has no `{key}: ...`",
                    file.display()
                ));
            }
        }
        if file
            .file_stem()
            .is_none_or(|stem| stem != fault.id.as_str())
        {
            return Err(format!(
                "{}: its id is `{}`, expected its file's name",
                file.display(),
                fault.id
            ));
        }
        Ok(fault)
    }
}

/// Reads all faults of a folder, by name.
///
/// # Errors
///
/// The first file that is no fault.
pub fn read(folder: &Path) -> Result<Vec<Fault>, String> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "patch")
        })
        .collect();
    files.sort();
    files.iter().map(|file| Fault::read(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_of_the_corpus_has_a_header() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/faults");
        let faults = read(&folder).expect("every patch is a fault");
        assert!(faults.iter().any(|fault| fault.id == CANARY));
        assert!(faults.iter().any(|fault| fault.id == CONTROL));
    }
}
