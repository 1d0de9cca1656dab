//! The conformance corpus against the engine: no trace diverges, and what happens in each is
//! as its transcript says.

mod corpus;

use nommu_model::rules;
use nommu_oracle::lockstep::Lockstep;
use nommu_oracle::replay::replay;
use nommu_oracle::specs::specs;
use nommu_oracle::target::engine::EngineTarget;
use nommu_oracle::trace::PROFILES;
use nommu_oracle::transcript::Transcript;

/// Replays a section's traces and holds each against its transcript.
#[track_caller]
fn check(section: &str) {
    let folder = corpus::folder("conformance").join(section);
    let paths = corpus::traces(&folder);
    assert!(!paths.is_empty(), "{section} has no traces");
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("snapshots/{section}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in paths {
        let trace = corpus::read(&path);
        let config = trace.header.config(Vec::new());
        let mut transcript = Transcript::new(&config);
        let replayed = replay(&mut lockstep, &trace, &config, |entry, _, _| {
            transcript.step(entry);
        })
        .expect("the engine runs");
        let name = path.file_stem().expect("it has a name").to_string_lossy();
        if let Some(divergence) = replayed.divergence {
            panic!("{section}/{name} {divergence}");
        }
        settings.bind(|| insta::assert_snapshot!(&*name, transcript.finish()));
    }
}

macro_rules! sections {
    ($($test:ident: $section:literal,)*) => {
        $(#[test] fn $test() { check($section); })*

        #[test]
        fn every_section_is_tested() {
            let tested = [$($section),*];
            let folder = corpus::folder("conformance");
            for entry in std::fs::read_dir(folder).expect("the corpus is there") {
                let name = entry.expect("it can be read").file_name();
                assert!(tested.contains(&&*name.to_string_lossy()), "{name:?}");
            }
        }
    };
}

sections! {
    no_mmu_memory_mapping_support: "no-mmu-memory-mapping-support",
    further_notes: "further-notes",
    interprocess_shared_memory: "interprocess-shared-memory",
    futexes: "futexes",
    no_mmu_mremap: "no-mmu-mremap",
    shareable_character_devices: "shareable-character-devices",
    shareable_memory_backed_files: "shareable-memory-backed-files",
    shareable_block_devices: "shareable-block-devices",
    page_trimming: "page-trimming",
    gaps: "gaps",
}

#[test]
fn traces_are_in_canonical_form() {
    for path in corpus::traces(&corpus::folder("conformance")) {
        let text = std::fs::read_to_string(&path).expect("it can be read");
        assert_eq!(corpus::read(&path).to_string(), text, "{}", path.display());
    }
}

#[test]
fn traces_say_what_they_are_for() {
    for path in corpus::traces(&corpus::folder("conformance")) {
        let trace = corpus::read(&path);
        let first = &trace.lines[0].above;
        let named = first.first().and_then(|comment| {
            let words = comment
                .strip_prefix("Rule ")
                .or(comment.strip_prefix("Gap "))?;
            words.split([',', ':']).next()
        });
        let stem = path.file_stem().expect("it has a name").to_string_lossy();
        let is_named = named.is_some_and(|rule| {
            stem.strip_prefix(rule)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        });
        assert!(is_named, "{}: {first:?}", path.display());
        let folder = path.parent().and_then(|folder| folder.file_name());
        let section = named
            .and_then(rules::find)
            .map(|rule| rule.section.as_ref());
        assert_eq!(section, folder, "{}", path.display());
    }
}

/// Evidence that a rule says anything: the trace of its name makes it apply, and it holds.
#[test]
fn every_rule_holds_somewhere() {
    let mut lockstep = Lockstep::new(EngineTarget::new());
    let mut missing = Vec::new();
    for rule in rules::all() {
        let path = corpus::folder("conformance")
            .join(rule.section)
            .join(format!("{}.trace", rule.id));
        if !path.exists() {
            missing.push(format!("{} has no trace", rule.id));
            continue;
        }
        let trace = corpus::read(&path);
        let config = trace.header.config(Vec::new());
        let mut holds = false;
        replay(&mut lockstep, &trace, &config, |entry, _, _| {
            holds |= entry.held.contains(&rule.id);
        })
        .expect("the engine runs");
        if !holds {
            missing.push(format!("{} does not hold in its trace", rule.id));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_profile_is_described() {
    for profile in PROFILES {
        assert!(specs().profile(profile).is_some(), "{profile}");
    }
    for deviations in &specs().deviations {
        let target = deviations.target.as_str();
        assert!(PROFILES.contains(&target), "{target}");
    }
}
