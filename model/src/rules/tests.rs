//! The table of rules, as a whole. What each rule says of real steps is tested where steps
//! are made: by the conformance corpus and the seeded faults.

use super::all;
use std::collections::BTreeSet;

#[test]
fn ids_are_words_and_different() {
    let mut seen = BTreeSet::new();
    for rule in all() {
        let words = rule
            .id
            .split('-')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
        assert!(words, "{}", rule.id);
        assert!(seen.insert(rule.id), "{} is there twice", rule.id);
    }
}

#[test]
fn every_rule_can_be_asked() {
    for rule in all() {
        assert!(!rule.kinds.is_empty(), "{}", rule.id);
    }
}
