//! Rules and deviations that are named in messages and profiles exist.

use nommu_model::rules;
use nommu_oracle::specs::specs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    if folder.is_file() {
        found.push(folder.to_owned());
        return;
    }
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        sources(&entry.expect("it can be read").path(), found);
    }
}

/// Words joined by `-` in quotation marks.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('"').skip(1).step_by(2);
    quoted.filter(|name| {
        let words: Vec<&str> = name.split('-').collect();
        let is_word =
            |word: &&str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
        words.len() > 1 && words.iter().all(is_word)
    })
}

#[test]
fn what_is_named_exists() {
    let deviations = specs().deviations.iter();
    let deviations: Vec<&str> = deviations
        .flat_map(|target| &target.deviations)
        .map(|deviation| deviation.id.as_str())
        .collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    let named = [
        "model/src/step",
        "model/src/world/compare.rs",
        "oracle/src/lockstep",
    ];
    for place in named {
        sources(&root.join(place), &mut files);
    }
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let mut unknown = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("it can be read");
        for name in names(&text) {
            if rules::find(name).is_none() && !deviations.contains(&name) {
                unknown.push(format!("{}: {name}", file.display()));
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "neither rules nor deviations: {unknown:#?}"
    );
}
