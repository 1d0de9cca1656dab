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
    /// The rule that is expected to fire; nothing where nobody said.
    pub rule: String,
    /// The file.
    pub file: PathBuf,
    /// Whether it is from elsewhere, and not one of the corpus.
    pub foreign: bool,
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
            foreign: false,
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

    /// Reads a patch from elsewhere. Its header may say anything, or may not be there: what it
    /// says of a fault counts, and the file's name is the fault's.
    ///
    /// # Errors
    ///
    /// When it cannot be read or changes nothing.
    pub fn foreign(file: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let text = String::from_utf8_lossy(&bytes);
        let is_change = |line: &str| line.starts_with("+++ ");
        if !text.lines().any(is_change) {
            return Err(format!(
                "{}: found no line that begins with `+++ `, expected a patch",
                file.display()
            ));
        }
        let header = text.lines().take_while(|line| !is_change(line));
        let said = |key: &str| {
            let value = |line: &str| Some(line.strip_prefix(key)?.trim().to_owned());
            header.clone().find_map(value).unwrap_or_default()
        };
        // The patch is applied from elsewhere.
        let place = file
            .canonicalize()
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let name = file.file_stem().unwrap_or(file.as_os_str());
        Ok(Self {
            id: name.to_string_lossy().into_owned(),
            origin: said("origin: "),
            wrong: said("wrong: "),
            rule: said("rule: "),
            file: place,
            foreign: true,
        })
    }
}

/// Whether an argument names a file, rather than a fault of the corpus.
pub fn is_path(argument: &str) -> bool {
    argument.contains('/') || argument.ends_with(".patch") || argument.ends_with(".diff")
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

    #[test]
    fn a_patch_from_elsewhere_may_have_any_header_or_none() {
        let change = "--- a/engine/src/mmap.rs\n+++ b/engine/src/mmap.rs\n@@ -1 +1 @@\n-a\n+b\n";
        let folder = tempfile::tempdir().expect("there is a place for it");
        let file = folder.path().join("some.patch");
        let read = |text: String| {
            std::fs::write(&file, text).expect("it can be written");
            Fault::foreign(&file)
        };
        let bare = read(change.to_owned()).expect("it is a patch");
        assert_eq!((&*bare.id, &*bare.rule, bare.foreign), ("some", "", true));
        let mail = format!("From: somebody\nSubject: a fault\n\nrule: no-fixed\n---\n{change}");
        let mail = read(mail).expect("it is a patch");
        assert_eq!((&*mail.id, &*mail.rule), ("some", "no-fixed"));
        let problem = read("not a patch".to_owned()).expect_err("it is none");
        assert!(problem.ends_with("found no line that begins with `+++ `, expected a patch"));
        assert!(is_path("some.patch") && is_path("../some") && !is_path("canary"));
    }
}
