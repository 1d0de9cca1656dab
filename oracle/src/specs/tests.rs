//! The document is accounted for, line by line and rule by rule.

use super::*;
use nommu_model::rules;
use std::collections::BTreeSet;

#[test]
fn every_line_belongs_to_an_entry() {
    let specs = specs();
    let mut covered: BTreeSet<u32> = specs.document.headings.lines().collect();
    covered.extend(specs.document.blank.lines());
    for entry in specs.sections.iter().flat_map(|section| &section.entries) {
        covered.extend(entry.lines.lines());
    }
    let last = specs.document.checksums.len() as u32;
    let missing: Vec<u32> = (1..=last).filter(|line| !covered.contains(line)).collect();
    assert_eq!(
        missing,
        Vec::<u32>::new(),
        "lines that no entry accounts for"
    );
    assert_eq!(
        covered.last(),
        Some(&last),
        "an entry goes beyond the document"
    );
}

#[test]
fn every_rule_has_a_check_and_every_check_a_rule() {
    let specified: Vec<(&str, &str)> = specs()
        .rules()
        .map(|rule| (rule.id, rule.section))
        .collect();
    let checked: Vec<(&str, &str)> = rules::all().map(|rule| (rule.id, rule.section)).collect();
    let only = |ours: &[(&'static str, &'static str)], theirs: &[(&str, &str)]| {
        ours.iter()
            .filter(|rule| !theirs.contains(rule))
            .copied()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        only(&specified, &checked),
        [],
        "rules of specs/ that nothing checks"
    );
    assert_eq!(
        only(&checked, &specified),
        [],
        "checks that specs/ knows nothing of"
    );
}

#[test]
fn rules_say_what_they_need() {
    for section in &specs().sections {
        for entry in &section.entries {
            let is_rule = entry.kind == Kind::Rule;
            let place = format!("{} lines {}", section.section, entry.lines);
            assert_eq!(
                entry.id.is_some(),
                is_rule,
                "{place}: rules, and only they, have an id"
            );
            assert_eq!(
                entry.level.is_some(),
                is_rule,
                "{place}: rules, and only they, have a level"
            );
            assert_eq!(
                !entry.needs.is_empty(),
                is_rule,
                "{place}: rules, and only they, need something"
            );
            assert!(entry.checksum.is_some(), "{place}: has no checksum");
        }
    }
}

#[test]
fn sections_are_in_the_order_of_the_document() {
    let mut last = 0;
    for (index, section) in specs().sections.iter().enumerate() {
        assert_eq!(section.order as usize, index + 1, "{}", section.section);
        for entry in &section.entries {
            let first = entry.lines.0[0].first;
            assert!(first >= last, "{} lines {}", section.section, entry.lines);
            last = first;
        }
    }
}

#[test]
fn deviations_are_of_rules_that_are_known() {
    for target in &specs().deviations {
        for deviation in &target.deviations {
            assert!(!deviation.rules.is_empty(), "{}", deviation.id);
            for rule in &deviation.rules {
                assert!(rules::find(rule).is_some(), "{}: {rule}", deviation.id);
            }
        }
    }
}

#[test]
fn a_file_that_cannot_be_read_says_where() {
    let check = |text: &str| read::<Section>("page.toml", text).unwrap_err().to_string();
    insta::assert_snapshot!(check("section = 3\n"));
    insta::assert_snapshot!(check(
        "section = \"a\"\ntitle = \"b\"\norder = 1\n[[entry]]\nlines = \"9-3\"\n"
    ));
    insta::assert_snapshot!(check(
        "section = \"a\"\ntitle = \"b\"\norder = 1\n[[entry]]\nlines = \"3\"\nkind = \"law\"\n"
    ));
    insta::assert_snapshot!(check(
        "section = \"a\"\ntitle = \"b\"\norder = 1\nshape = 4\n"
    ));
}
