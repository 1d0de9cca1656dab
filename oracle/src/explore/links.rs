//! How each state was first reached: its parent and which of the parent's actions it was.
//!
//! States of one level are numbered in the order in which they are found, and they are found
//! parent by parent. So the parents of a level never descend, and a level's links need no
//! parent numbers: for every parent in turn, how many children were new, then which of its
//! actions led to them, as differences. That is about two bytes for a state, instead of the
//! state. They are only read again, in order, to derive a path and to resume.

use serde::{Deserialize, Serialize};

/// The links from one level to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LevelLinks {
    /// LEB128 numbers.
    pub bytes: Vec<u8>,
    /// Parents that are done.
    pub parents: u64,
    /// Children that they have.
    pub children: u64,
    #[serde(skip)]
    marks: Marks,
}

/// Places to begin reading at, ascending. Which there are depends on who made the links, and
/// nothing else does on them: any two lists are as good as each other.
#[derive(Clone, Default)]
struct Marks(Vec<Cursor>);

impl PartialEq for Marks {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Marks {}

impl std::fmt::Debug for Marks {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("marks")
    }
}

/// Children between two marks at least.
const MARKED: u64 = 512;

impl LevelLinks {
    /// Adds the next parent with the ascending numbers of the actions that led to new states.
    pub fn push(&mut self, actions: impl ExactSizeIterator<Item = u32>) {
        self.parents += 1;
        self.children += actions.len() as u64;
        put(&mut self.bytes, actions.len() as u64);
        let mut next = 0;
        for action in actions {
            let difference = action.checked_sub(next).expect("actions ascend");
            put(&mut self.bytes, u64::from(difference));
            next = action + 1;
        }
    }

    /// Adds what another has for the parents that follow.
    pub fn append(&mut self, other: &LevelLinks) {
        let marked = self.marks.0.last().map_or(0, |mark| mark.children);
        if self.children >= marked + MARKED {
            self.marks.0.push(Cursor {
                at: self.bytes.len(),
                parents: self.parents,
                children: self.children,
                ..Cursor::default()
            });
        }
        self.bytes.extend_from_slice(&other.bytes);
        self.parents += other.parents;
        self.children += other.children;
    }

    /// Bytes that it takes, at most.
    pub fn bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.children / MARKED * size_of::<Cursor>() as u64
    }

    /// A child's parent and action. It is quick to ask for children in ascending order.
    pub fn child(&self, cursor: &mut Cursor, index: u64) -> Option<(u64, u32)> {
        if cursor.children == index + 1 {
            return cursor.last;
        }
        let next = self.marks.0.partition_point(|mark| mark.children <= index);
        let mark = next
            .checked_sub(1)
            .map_or(Cursor::default(), |mark| self.marks.0[mark]);
        if cursor.children > index || cursor.children < mark.children {
            *cursor = mark;
        }
        let mut children = Children {
            bytes: self.bytes.get(cursor.at..)?,
            parents: cursor.parents,
            left: cursor.left,
            next: cursor.next,
        };
        while cursor.children <= index {
            cursor.last = Some(children.next()?);
            cursor.children += 1;
        }
        cursor.at = self.bytes.len() - children.bytes.len();
        cursor.parents = children.parents;
        cursor.left = children.left;
        cursor.next = children.next;
        cursor.last
    }

    /// Every child in order, as its parent's number and the action's.
    pub fn iter(&self) -> Children<'_> {
        Children {
            bytes: &self.bytes,
            parents: 0,
            left: 0,
            next: 0,
        }
    }

    /// Whether the bytes say what the counts say.
    pub fn is_sound(&self) -> bool {
        let mut children = self.iter();
        let mut count = 0;
        for (parent, _) in children.by_ref() {
            if parent >= self.parents {
                return false;
            }
            count += 1;
        }
        count == self.children && children.left == 0 && children.parents == self.parents
    }
}

/// A place in links, between two children.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cursor {
    /// Bytes before it.
    at: usize,
    /// As [`Children`] has them.
    parents: u64,
    left: u64,
    next: u32,
    /// Children before it.
    children: u64,
    /// The last of them, once it was read.
    last: Option<(u64, u32)>,
}

/// Reads links.
#[derive(Clone, Debug)]
pub(super) struct Children<'a> {
    bytes: &'a [u8],
    /// Parents begun.
    parents: u64,
    /// Children still to come of the last one.
    left: u64,
    /// Its least action that can come next.
    next: u32,
}

impl Iterator for Children<'_> {
    type Item = (u64, u32);

    /// Ends early on bytes that are no links; [`LevelLinks::is_sound`] finds that out.
    fn next(&mut self) -> Option<(u64, u32)> {
        while self.left == 0 {
            self.left = take(&mut self.bytes)?;
            self.parents += 1;
            self.next = 0;
        }
        let difference = u32::try_from(take(&mut self.bytes)?).ok()?;
        let action = self.next.checked_add(difference)?;
        self.left -= 1;
        self.next = action.checked_add(1)?;
        Some((self.parents - 1, action))
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A step that the search took: from which level, from which state of that level, and which
/// of that state's actions. Ordered as the search goes, which is also the order of the paths
/// that lead there: by length, then by the first action that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Origin {
    /// Steps before this one.
    pub level: u32,
    /// The state's number in its level.
    pub state: u64,
    /// The action's number, as [`super::System::actions`] lists them.
    pub action: u32,
}

/// The numbers of the actions on the path that ends with a step, if the links have it.
pub(super) fn path(levels: &[LevelLinks], last: Origin) -> Option<Vec<u32>> {
    let mut path = vec![last.action];
    let mut state = last.state;
    for links in levels.get(..last.level as usize)?.iter().rev() {
        let (parent, action) = links.iter().nth(usize::try_from(state).ok()?)?;
        path.push(action);
        state = parent;
    }
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #![proptest_config(crate::explore::tests::seeded())]

        #[test]
        fn reads_what_was_put(
            parents in proptest::collection::vec(
                proptest::collection::btree_set(prop_oneof![0..300u32, 0..u32::MAX], 0..5),
                0..50,
            )
        ) {
            let mut links = LevelLinks::default();
            for actions in &parents {
                links.push(actions.iter().copied());
            }
            let expected: Vec<(u64, u32)> = (0..)
                .zip(&parents)
                .flat_map(|(parent, actions): (u64, &BTreeSet<u32>)| {
                    actions.iter().map(move |&action| (parent, action))
                })
                .collect();
            prop_assert_eq!(links.iter().collect::<Vec<_>>(), expected);
            prop_assert!(links.is_sound());
        }

        #[test]
        fn finds_every_child_from_anywhere(
            pieces in proptest::collection::vec(
                proptest::collection::vec(proptest::collection::btree_set(0..99u32, 0..60), 0..9),
                0..20,
            ),
            wanted in proptest::collection::vec(0..6_000usize, 0..40),
        ) {
            let mut links = LevelLinks::default();
            for piece in &pieces {
                let mut own = LevelLinks::default();
                for actions in piece {
                    own.push(actions.iter().copied());
                }
                links.append(&own);
            }
            let all: Vec<(u64, u32)> = links.iter().collect();
            let mut cursor = Cursor::default();
            for index in wanted {
                prop_assert_eq!(links.child(&mut cursor, index as u64), all.get(index).copied());
                if index >= all.len() {
                    cursor = Cursor::default();
                }
            }
        }

        #[test]
        fn survives_any_bytes(bytes: Vec<u8>, parents in 0..5u64, children in 0..5u64) {
            let links = LevelLinks { bytes, parents, children, ..LevelLinks::default() };
            links.is_sound();
        }
    }
}
