//! Keeping traces that show something: whole or not at all, and never over another.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// How many findings of one name a folder may hold.
const SAME_NAME_LIMIT: u32 = 9999;

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filed {
    /// It was written there.
    New(PathBuf),
    /// The same text was there already.
    Known(PathBuf),
}

impl Filed {
    /// The path of the file.
    pub fn path(&self) -> &Path {
        match self {
            Filed::New(path) | Filed::Known(path) => path,
        }
    }

    /// The path, if the file was written.
    pub fn written(self) -> Option<PathBuf> {
        match self {
            Filed::New(path) => Some(path),
            Filed::Known(_) => None,
        }
    }
}

impl std::fmt::Display for Filed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Filed::New(path) => write!(formatter, "kept as {}", path.display()),
            Filed::Known(path) => write!(formatter, "known already as {}", path.display()),
        }
    }
}

/// A finding that could not be kept.
#[derive(Debug)]
pub struct NotFiled {
    /// The file or folder that it was about.
    pub path: PathBuf,
    /// What was being done.
    doing: &'static str,
    error: std::io::Error,
}

impl std::fmt::Display for NotFiled {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "cannot {} {}: {}",
            self.doing,
            self.path.display(),
            self.error
        )
    }
}

impl std::error::Error for NotFiled {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// Writes a text as `stem.trace` into a folder, which is made if it is not there; as
/// `stem-2.trace` and so on while other texts have the name. A text that is there already, but
/// for its comments, is left as it is.
///
/// # Errors
///
/// With the path, when the folder or the file cannot be written.
pub fn file(folder: &Path, stem: &str, text: &str) -> Result<Filed, NotFiled> {
    std::fs::create_dir_all(folder).map_err(failed(folder, "make the folder"))?;
    let mut whole = temporary(folder, text.as_bytes())?;
    for number in 1..=SAME_NAME_LIMIT {
        let path = folder.join(match number {
            1 => format!("{stem}.trace"),
            _ => format!("{stem}-{number}.trace"),
        });
        match whole.persist_noclobber(&path) {
            Ok(_) => return Ok(Filed::New(path)),
            Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read(&path).is_ok_and(|there| asks_the_same(&there, text)) {
                    return Ok(Filed::Known(path));
                }
                whole = refused.file;
            }
            Err(refused) => return Err(failed(&path, "write")(refused.error)),
        }
    }
    let full = std::io::Error::new(ErrorKind::AlreadyExists, "too many findings have its name");
    Err(failed(&folder.join(format!("{stem}.trace")), "write")(full))
}

/// Writes an input as `stem.input` into a folder, which is made if it is not there. The stem
/// says what the input is: one of that name is the same.
///
/// # Errors
///
/// With the path, when the folder or the file cannot be written.
pub fn file_bytes(folder: &Path, stem: &str, input: &[u8]) -> Result<Filed, NotFiled> {
    std::fs::create_dir_all(folder).map_err(failed(folder, "make the folder"))?;
    let path = folder.join(format!("{stem}.input"));
    match temporary(folder, input)?.persist_noclobber(&path) {
        Ok(_) => Ok(Filed::New(path)),
        Err(refused) if refused.error.kind() == ErrorKind::AlreadyExists => Ok(Filed::Known(path)),
        Err(refused) => Err(failed(&path, "write")(refused.error)),
    }
}

/// Writes a file that must not be there yet.
///
/// # Errors
///
/// With the path, when it is there or cannot be written.
pub fn write_new(path: &Path, text: &str) -> Result<(), NotFiled> {
    let whole = temporary(folder_of(path), text.as_bytes())?;
    match whole.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(refused) => Err(failed(path, "write")(refused.error)),
    }
}

/// Writes a file in place of one of that name, if there is one.
///
/// # Errors
///
/// With the path, when it cannot be written.
pub fn replace(path: &Path, text: &str) -> Result<(), NotFiled> {
    let whole = temporary(folder_of(path), text.as_bytes())?;
    match whole.persist(path) {
        Ok(_) => Ok(()),
        Err(refused) => Err(failed(path, "write")(refused.error)),
    }
}

/// Whether two texts differ at most in lines that are comments.
fn asks_the_same(there: &[u8], text: &str) -> bool {
    fn asked(text: &[u8]) -> impl Iterator<Item = &[u8]> {
        (text.split(|byte| *byte == b'\n')).filter(|line| !line.starts_with(b"# "))
    }
    asked(there).eq(asked(text.as_bytes()))
}

/// The folder that a path is in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A file without its name yet, with everything in it.
fn temporary(folder: &Path, contents: &[u8]) -> Result<tempfile::NamedTempFile, NotFiled> {
    let mut file = tempfile::Builder::new()
        .permissions(readable_by_all())
        .tempfile_in(folder)
        .map_err(failed(folder, "write into"))?;
    file.write_all(contents)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed(folder, "write into"))?;
    Ok(file)
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> NotFiled {
    let path = path.to_owned();
    move |error| NotFiled { path, doing, error }
}

/// As any new file has them; the process's mask applies.
fn readable_by_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(test)]
mod tests {
    use super::{Filed, file};
    use std::fs;

    #[test]
    fn findings_do_not_replace_each_other() {
        let folder = tempfile::tempdir().expect("there is room");
        let into = folder.path().join("deep/er");
        let mut names = Vec::new();
        for text in ["# 1\na\n", "b\n", "a\n", "b\n# 2\n", "c\n"] {
            let filed = file(&into, "rule", text).expect("it can be written");
            let is_new = matches!(filed, Filed::New(_));
            let name = filed.path().file_name().expect("it has a name");
            names.push((name.to_string_lossy().into_owned(), is_new));
            if is_new {
                let there = fs::read_to_string(filed.path()).expect("it is there");
                assert_eq!(there, text);
            }
        }
        let expected = [
            ("rule.trace", true),
            ("rule-2.trace", true),
            ("rule.trace", false),
            ("rule-2.trace", false),
            ("rule-3.trace", true),
        ];
        assert_eq!(
            names,
            expected.map(|(name, is_new)| (name.to_string(), is_new))
        );
        let left = fs::read_dir(&into).expect("it is there").count();
        assert_eq!(left, 3, "nothing temporary is left");
    }

    #[test]
    fn an_error_names_the_folder() {
        let folder = tempfile::tempdir().expect("there is room");
        let blocked = folder.path().join("file");
        fs::write(&blocked, "").expect("it can be written");
        let error = file(&blocked, "rule", "a\n").expect_err("a file is no folder");
        let message = error.to_string();
        assert!(message.contains(&*blocked.to_string_lossy()), "{message}");
    }
}
