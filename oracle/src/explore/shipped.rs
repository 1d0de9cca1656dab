//! The scopes that come with the program, so that the quick set can be checked anywhere.

macro_rules! scopes {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../specs/scopes/", $name, ".toml")))),*]
    };
}

/// The quick set: the name and text of each scope.
pub const QUICK: &[(&str, &str)] = scopes![
    "anonymous",
    "calls",
    "devices",
    "drivers",
    "files",
    "memory-files",
    "mremap",
    "processes",
    "segments",
    "sharing",
    "uninitialized",
];

#[cfg(test)]
mod tests {
    use super::QUICK;
    use std::collections::BTreeSet;

    #[test]
    fn every_scope_of_the_folder_is_in_the_quick_set() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../specs/scopes");
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .expect("the folder is there")
            .map(|entry| entry.expect("it can be listed").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .map(|path| {
                let stem = path.file_stem().expect("it has a name");
                stem.to_string_lossy().into_owned()
            })
            .collect();
        let known: BTreeSet<String> = QUICK.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(there, known);
    }
}
