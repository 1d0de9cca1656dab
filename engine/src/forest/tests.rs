use super::*;
use alloc::vec::Vec;
use quickcheck::{Gen, QuickCheck};

/// What is done: a start, a length, and which interval it is about.
type Step = (u8, u8, u8);

/// The same as a forest with one tree, in a sorted vector.
#[derive(Default)]
struct Naive(Vec<Interval>);

impl Naive {
    fn insert(&mut self, interval: Interval) {
        self.0.push(interval);
        self.0.sort_unstable();
    }

    fn covers(&self, start: u64, end: u64) -> impl Iterator<Item = &Interval> {
        let covers = move |item: &&Interval| item.start <= start && item.end >= end;
        self.0.iter().filter(covers)
    }
}

fn compare(forest: &Forest, root: Root, naive: &Naive, start: u64, end: u64) {
    assert_eq!(forest.check(root), Ok(naive.0.len() as u32));
    assert!(forest.iter(root).eq(naive.0.iter().copied()));
    let later = naive
        .0
        .iter()
        .filter(|item| (item.start, item.end) >= (start, end));
    assert!(forest.iter_from(root, start, end).eq(later.copied()));
    let same = |item: &&Interval| (item.start, item.end) == (start, end);
    assert_eq!(
        forest.find(root, start, end),
        naive.0.iter().find(same).copied()
    );
    let covering = forest.covering(root, start, end);
    assert_eq!(
        covering.is_some(),
        naive.covers(start, end).next().is_some()
    );
    assert!(covering.is_none_or(|item| item.start <= start && item.end >= end));
    let even = |id: u64| id.is_multiple_of(2);
    let furthest = forest.furthest(root, start, end, &even);
    let ends = naive
        .covers(start, end)
        .filter(|item| even(item.id))
        .map(|item| item.end);
    assert_eq!(furthest.map(|item| item.end), ends.max());
    assert_eq!(
        forest.reach(root),
        naive.0.iter().map(|item| item.end).max().unwrap_or(0)
    );
}

fn law(steps: Vec<Step>) {
    let mut forest = Forest::new();
    let mut root = Root::EMPTY;
    // A second tree, so that nodes of one come after those of the other.
    let mut other = Root::EMPTY;
    let mut naive = Naive::default();
    for (number, &(start, length, which)) in steps.iter().enumerate() {
        let start = u64::from(start);
        let end = start + u64::from(length % 16);
        forest.reserve(2).unwrap();
        let interval = Interval {
            start,
            end,
            id: number as u64,
        };
        let victim = naive.0.get(usize::from(which)).copied();
        match victim {
            Some(victim) if which % 3 == 0 => {
                forest.remove(&mut root, victim);
                naive.0.remove(usize::from(which));
            }
            Some(victim) if which % 3 == 1 => {
                let taken = forest.take(&mut root, victim.start, victim.end).unwrap();
                naive.0.retain(|item| *item != taken);
                forest.insert(&mut other, interval);
            }
            _ => {
                forest.insert(&mut root, interval);
                naive.insert(interval);
            }
        }
        compare(&forest, root, &naive, start, end);
    }
    while let Some(last) = naive.0.pop() {
        forest.remove(&mut root, last);
    }
    assert_eq!(forest.check(root), Ok(0));
}

#[test]
fn answers_as_a_sorted_vector_does() {
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(100, 0))
        .quickcheck(law as fn(Vec<Step>));
}

#[test]
fn a_tree_of_many_levels_answers_as_a_sorted_vector_does() {
    let mut number = 1u32;
    let steps = (0..3000).map(|_| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [_, start, length, which] = number.to_le_bytes();
        (start, length, which)
    });
    law(steps.collect());
}

#[test]
fn intervals_in_order_go_in_and_out() {
    let mut forest = Forest::new();
    let mut root = Root::EMPTY;
    let interval = |id: u64| Interval {
        start: id * 10,
        end: id * 10 + 10,
        id,
    };
    for id in 0..5000 {
        forest.reserve(1).unwrap();
        forest.insert(&mut root, interval(id));
    }
    assert_eq!(forest.check(root), Ok(5000));
    for id in (0..5000).rev() {
        assert_eq!(
            forest.covering(root, id * 10 + 1, id * 10 + 3),
            Some(interval(id))
        );
        forest.remove(&mut root, interval(id));
    }
    assert_eq!(forest.check(root), Ok(0));
    let mut unused = 0;
    let mut node = forest.unused;
    while node != NONE {
        unused += 1;
        node = forest.node(node).children[0];
    }
    assert_eq!(forest.nodes.len(), unused);
}

#[test]
fn a_change_keeps_the_place() {
    let mut forest = Forest::new();
    let mut root = Root::EMPTY;
    for id in 0..100 {
        forest.reserve(1).unwrap();
        let start = id * 10;
        forest.insert(
            &mut root,
            Interval {
                start,
                end: start + 8,
                id,
            },
        );
    }
    let old = Interval {
        start: 320,
        end: 328,
        id: 32,
    };
    let new = Interval {
        start: 324,
        end: 326,
        id: 32,
    };
    forest.change(root, old, new);
    assert_eq!(forest.check(root), Ok(100));
    assert_eq!(forest.find(root, 324, 326), Some(new));
    assert_eq!(forest.covering(root, 326, 327), None);
}
