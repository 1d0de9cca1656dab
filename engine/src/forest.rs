//! Search trees of intervals, many in one arena.
//!
//! Each tree is ordered by start, then end, then what the interval is of. It is a B+ tree
//! whose inner nodes know the greatest end below each child, so that finding an interval by
//! its bounds, one that covers a range, or the one that reaches furthest visits as many nodes
//! as the tree is high: at most six for a million intervals, each of a few cache lines.

use crate::copy::clone_in_place;
use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// No node.
const NONE: u32 = u32::MAX;
/// Items of a node.
const CAPACITY: usize = 16;
/// A node with fewer joins a neighbour, where both have room for each other and some more.
const FEW: usize = 4;
const JOINED: usize = 12;
/// Higher than any tree of 2^32 intervals, since neighbours have more than [`JOINED`] items.
const HIGHEST: usize = 12;

/// An interval of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interval {
    pub start: u64,
    pub end: u64,
    /// What it is of; the tree does not ask what that means. Of equal bounds, the least is
    /// first.
    pub id: u64,
}

/// A tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    node: u32,
    /// How many nodes are above each leaf.
    height: u8,
}

impl Root {
    /// A tree of nothing.
    pub const EMPTY: Root = Root {
        node: NONE,
        height: 0,
    };

    pub fn is_empty(self) -> bool {
        self.node == NONE
    }
}

/// What a node has: in a leaf an interval, elsewhere a child and the least interval in it.
#[derive(Clone, Copy, Debug)]
struct Item {
    least: Interval,
    child: u32,
    /// The greatest end in the child; in a leaf, the interval's.
    reach: u64,
}

/// Items, each part of them in a row: a search reads the starts and little else.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Node {
    length: u32,
    /// The nodes beside it, of the same height, whoever their parents are.
    previous: u32,
    next: u32,
    starts: [u64; CAPACITY],
    ends: [u64; CAPACITY],
    reaches: [u64; CAPACITY],
    ids: [u64; CAPACITY],
    children: [u32; CAPACITY],
}

impl Node {
    const EMPTY: Node = Node {
        length: 0,
        previous: NONE,
        next: NONE,
        starts: [0; CAPACITY],
        ends: [0; CAPACITY],
        reaches: [0; CAPACITY],
        ids: [0; CAPACITY],
        children: [0; CAPACITY],
    };

    fn length(&self) -> usize {
        (self.length as usize).min(CAPACITY)
    }

    #[inline]
    fn interval(&self, index: usize) -> Interval {
        Interval {
            start: self.starts[index],
            end: self.ends[index],
            id: self.ids[index],
        }
    }

    fn set(&mut self, index: usize, item: Item) {
        self.starts[index] = item.least.start;
        self.ends[index] = item.least.end;
        self.ids[index] = item.least.id;
        self.children[index] = item.child;
        self.reaches[index] = item.reach;
    }

    // The searches go through half a node from its beginning: that reads few cache lines, and
    // the processor guesses well where they stop when the same place is wanted again.

    /// How many items are less than an interval.
    #[inline]
    fn less(&self, key: &Interval) -> usize {
        let starts = &self.starts[..self.length()];
        let mut count = self.skipped(key.start);
        while count < starts.len()
            && starts[count] <= key.start
            && (starts[count] < key.start || self.interval(count) < *key)
        {
            count += 1;
        }
        count
    }

    /// The item below which an interval belongs.
    #[inline]
    fn place(&self, key: &Interval) -> usize {
        let starts = &self.starts[..self.length()];
        let mut count = self.skipped(key.start);
        while count < starts.len()
            && starts[count] <= key.start
            && (starts[count] < key.start || self.interval(count) <= *key)
        {
            count += 1;
        }
        count.saturating_sub(1)
    }

    /// Items that need not be looked at, since they start before an address.
    #[inline]
    fn skipped(&self, start: u64) -> usize {
        let half = CAPACITY / 2;
        if self.length() > half && self.starts[half] < start {
            half
        } else {
            0
        }
    }

    /// How many items start no later than an address.
    #[inline]
    fn started(&self, start: u64) -> usize {
        let starts = &self.starts[..self.length()];
        let mut count = self.skipped(start);
        while count < starts.len() && starts[count] <= start {
            count += 1;
        }
        count
    }

    fn insert(&mut self, index: usize, item: Item) {
        let length = self.length();
        self.starts.copy_within(index..length, index + 1);
        self.ends.copy_within(index..length, index + 1);
        self.reaches.copy_within(index..length, index + 1);
        self.ids.copy_within(index..length, index + 1);
        self.children.copy_within(index..length, index + 1);
        self.set(index, item);
        self.length += 1;
    }

    fn remove(&mut self, index: usize) {
        let length = self.length();
        self.starts.copy_within(index + 1..length, index);
        self.ends.copy_within(index + 1..length, index);
        self.reaches.copy_within(index + 1..length, index);
        self.ids.copy_within(index + 1..length, index);
        self.children.copy_within(index + 1..length, index);
        self.length -= 1;
    }

    /// Adds the items of another from an index on, which come after all of these.
    fn extend(&mut self, other: &Node, from: usize) {
        let length = self.length();
        let source = from..other.length();
        let count = source.len();
        self.starts[length..length + count].copy_from_slice(&other.starts[source.clone()]);
        self.ends[length..length + count].copy_from_slice(&other.ends[source.clone()]);
        self.reaches[length..length + count].copy_from_slice(&other.reaches[source.clone()]);
        self.ids[length..length + count].copy_from_slice(&other.ids[source.clone()]);
        self.children[length..length + count].copy_from_slice(&other.children[source]);
        self.length += count as u32;
    }

    /// The greatest reach of its items.
    #[inline]
    fn reach(&self) -> u64 {
        // In four lanes, none of which waits for another.
        let mut lanes = [0; 4];
        let (fours, rest) = self.reaches[..self.length()].as_chunks::<4>();
        for four in fours {
            for (lane, &reach) in lanes.iter_mut().zip(four) {
                *lane = reach.max(*lane);
            }
        }
        for (lane, &reach) in lanes.iter_mut().zip(rest) {
            *lane = reach.max(*lane);
        }
        lanes[0].max(lanes[1]).max(lanes[2].max(lanes[3]))
    }

    /// What a parent keeps of it.
    fn summary(&self, child: u32) -> Item {
        Item {
            least: self.interval(0),
            child,
            reach: self.reach(),
        }
    }
}

/// The nodes on the way to a leaf, and the item taken in each.
type Path = [(u32, u32); HIGHEST];

/// The arena.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Forest {
    nodes: Vec<Node>,
    /// The first unused node; they are linked by the child of their first item.
    unused: u32,
}

clone_in_place!(Forest { nodes, unused });

impl Forest {
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            unused: NONE,
        }
    }

    /// Makes sure that so many insertions cannot fail.
    pub fn reserve(&mut self, count: usize) -> Result<()> {
        let nodes = count * HIGHEST;
        self.nodes.try_reserve(nodes).map_err(|_| Errno::ENOMEM)
    }

    /// Adds an interval. Reserve first.
    pub fn insert(&mut self, root: &mut Root, key: Interval) {
        let mut item = Item {
            least: key,
            child: 0,
            reach: key.end,
        };
        if root.is_empty() {
            root.node = self.make_node();
            self.node_mut(root.node).insert(0, item);
            return;
        }
        let mut path = [(0, 0); HIGHEST];
        let mut node = root.node;
        for step in &mut path[..usize::from(root.height)] {
            let here = self.node_mut(node);
            let index = here.place(&key);
            *step = (node, index as u32);
            node = here.children[index];
            here.reaches[index] = here.reaches[index].max(key.end);
            if key < here.interval(index) {
                let reach = here.reaches[index];
                here.set(
                    index,
                    Item {
                        least: key,
                        child: node,
                        reach,
                    },
                );
            }
        }
        let mut index = self.node(node).less(&key);
        for &(parent, place) in path[..usize::from(root.height)].iter().rev() {
            let Some(right) = self.insert_or_split(node, index, item) else {
                return;
            };
            let left = self.node(node).summary(node);
            let place = place as usize;
            self.node_mut(parent).set(place, left);
            item = self.node(right).summary(right);
            node = parent;
            index = place + 1;
        }
        let Some(right) = self.insert_or_split(node, index, item) else {
            return;
        };
        let above = self.make_node();
        let left = self.node(node).summary(node);
        let right = self.node(right).summary(right);
        self.node_mut(above).insert(0, left);
        self.node_mut(above).insert(1, right);
        root.node = above;
        root.height += 1;
    }

    /// Inserts into a node. When it is full, its upper part becomes a node of its own: half of
    /// it, or less where the item comes last, since intervals often come in order; but not so
    /// few that the next removal would undo it.
    fn insert_or_split(&mut self, node: u32, index: usize, item: Item) -> Option<u32> {
        let here = self.node_mut(node);
        if here.length() < CAPACITY {
            here.insert(index, item);
            return None;
        }
        let kept = if index == CAPACITY {
            CAPACITY - FEW
        } else {
            CAPACITY / 2
        };
        let mut upper = Node::EMPTY;
        upper.extend(here, kept);
        here.length = kept as u32;
        if index <= kept {
            here.insert(index, item);
        } else {
            upper.insert(index - kept, item);
        }
        let right = self.make_node();
        let next = core::mem::replace(&mut self.node_mut(node).next, right);
        upper.previous = node;
        upper.next = next;
        *self.node_mut(right) = upper;
        if next != NONE {
            self.node_mut(next).previous = right;
        }
        Some(right)
    }

    /// Takes an interval away that is there.
    pub fn remove(&mut self, root: &mut Root, key: Interval) {
        if root.is_empty() {
            return;
        }
        let (path, leaf) = self.descend(*root, &key);
        let here = self.node(leaf);
        let index = here.less(&key);
        debug_assert!(index < here.length() && here.interval(index) == key);
        self.remove_at(root, &path, leaf, index);
    }

    /// Takes away the first interval with exactly these bounds, if there is one.
    pub fn take(&mut self, root: &mut Root, start: u64, end: u64) -> Option<Interval> {
        if root.is_empty() {
            return None;
        }
        let key = Interval { start, end, id: 0 };
        let (path, leaf) = self.descend(*root, &key);
        let here = self.node(leaf);
        let index = here.less(&key);
        if index < here.length() {
            let found = here.interval(index);
            if (found.start, found.end) != (start, end) {
                return None;
            }
            self.remove_at(root, &path, leaf, index);
            return Some(found);
        }
        let found = self.find(*root, start, end)?;
        self.remove(root, found);
        Some(found)
    }

    fn remove_at(&mut self, root: &mut Root, path: &Path, leaf: u32, index: usize) {
        let mut node = leaf;
        let here = self.node_mut(node);
        let end = here.ends[index];
        here.remove(index);
        for &(parent, place) in path[..usize::from(root.height)].iter().rev() {
            let place = place as usize;
            let here = self.node(node);
            let above = self.node(parent);
            if here.length() >= FEW
                && end < above.reaches[place]
                && here.interval(0) == above.interval(place)
            {
                return;
            }
            if here.length() == 0 {
                self.node_mut(parent).remove(place);
                self.discard(node);
            } else {
                let summary = here.summary(node);
                self.node_mut(parent).set(place, summary);
                if self.node(node).length() < FEW {
                    self.join_neighbour(parent, place);
                }
            }
            node = parent;
        }
        if self.node(node).length == 0 {
            self.discard(node);
            *root = Root::EMPTY;
        }
        while root.height > 0 && self.node(root.node).length == 1 {
            let only = self.node(root.node).children[0];
            self.discard(root.node);
            root.node = only;
            root.height -= 1;
        }
    }

    /// Gives an interval other bounds, between which and the old ones no other begins: it
    /// keeps its place, so this cannot fail.
    pub fn change(&mut self, root: Root, old: Interval, new: Interval) {
        if root.is_empty() {
            return;
        }
        let (path, node) = self.descend(root, &old);
        let here = self.node_mut(node);
        let index = here.less(&old);
        let item = Item {
            least: new,
            child: 0,
            reach: new.end,
        };
        here.set(index, item);
        let mut node = node;
        for &(parent, place) in path[..usize::from(root.height)].iter().rev() {
            let summary = self.node(node).summary(node);
            self.node_mut(parent).set(place as usize, summary);
            node = parent;
        }
    }

    /// The way to the leaf where an interval belongs, and that leaf.
    fn descend(&self, root: Root, key: &Interval) -> (Path, u32) {
        let mut path: Path = [(0, 0); HIGHEST];
        let mut node = root.node;
        for step in &mut path[..usize::from(root.height)] {
            let here = self.node(node);
            let index = here.place(key);
            *step = (node, index as u32);
            node = here.children[index];
        }
        (path, node)
    }

    /// Makes one node of a child and the one beside it, if they fit.
    fn join_neighbour(&mut self, parent: u32, place: usize) {
        let here = self.node(parent);
        let left = place.saturating_sub(1);
        if left + 1 >= here.length() {
            return;
        }
        let (one, other) = (here.children[left], here.children[left + 1]);
        if self.node(one).length() + self.node(other).length() > JOINED {
            return;
        }
        let moved = self.node(other).clone();
        let joined = self.node_mut(one);
        joined.extend(&moved, 0);
        let summary = joined.summary(one);
        self.discard(other);
        let here = self.node_mut(parent);
        here.set(left, summary);
        here.remove(left + 1);
    }

    /// The greatest end in a tree; 0 when it is empty.
    pub fn reach(&self, root: Root) -> u64 {
        if root.is_empty() {
            return 0;
        }
        self.node(root.node).reach()
    }

    /// The first interval with exactly these bounds.
    pub fn find(&self, root: Root, start: u64, end: u64) -> Option<Interval> {
        let found = self.iter_from(root, start, end).next();
        found.filter(|found| (found.start, found.end) == (start, end))
    }

    /// An interval that covers all of a range.
    pub fn covering(&self, root: Root, start: u64, end: u64) -> Option<Interval> {
        if root.is_empty() {
            return None;
        }
        // Mostly nothing overlaps, and the one that starts last before it is the only one.
        let mut node = root.node;
        for _ in 0..root.height {
            let here = self.node(node);
            node = here.children[here.started(start).checked_sub(1)?];
        }
        let here = self.node(node);
        let last = here.started(start).checked_sub(1)?;
        if here.ends[last] >= end {
            return Some(here.interval(last));
        }
        self.covering_overlapped(root, start, end)
    }

    fn covering_overlapped(&self, root: Root, start: u64, end: u64) -> Option<Interval> {
        let mut node = root.node;
        for _ in 0..root.height {
            let here = self.node(node);
            let last = here.started(start).checked_sub(1)?;
            // All that is in a child before the last started in time.
            let before = here.reaches[..last].iter();
            let surely = before.clone().position(|&reach| reach >= end);
            node = here.children[surely.unwrap_or(last)];
        }
        let here = self.node(node);
        let started = &here.ends[..here.started(start)];
        let found = started.iter().position(|&reach| reach >= end)?;
        Some(here.interval(found))
    }

    /// Of the intervals that cover all of a range and are wanted, one that reaches furthest.
    pub fn furthest(
        &self,
        root: Root,
        start: u64,
        end: u64,
        wanted: &impl Fn(u64) -> bool,
    ) -> Option<Interval> {
        let mut best = None;
        if !root.is_empty() {
            self.furthest_below(root, start, end, wanted, &mut best);
        }
        best
    }

    fn furthest_below(
        &self,
        root: Root,
        start: u64,
        end: u64,
        wanted: &impl Fn(u64) -> bool,
        best: &mut Option<Interval>,
    ) {
        let here = self.node(root.node);
        for index in (0..here.started(start)).rev() {
            let reach = here.reaches[index];
            if reach < end || best.is_some_and(|best| reach <= best.end) {
                continue;
            }
            if root.height > 0 {
                let child = Root {
                    node: here.children[index],
                    height: root.height - 1,
                };
                self.furthest_below(child, start, end, wanted, best);
            } else if wanted(here.ids[index]) {
                *best = Some(here.interval(index));
            }
        }
    }

    /// The intervals of a tree, in order.
    pub fn iter(&self, root: Root) -> Iter<'_> {
        let mut leaf = &Node::EMPTY;
        if !root.is_empty() {
            leaf = self.node(root.node);
            for _ in 0..root.height {
                leaf = self.node(leaf.children[0]);
            }
        }
        Iter {
            forest: self,
            leaf,
            index: 0,
        }
    }

    /// Those that do not come before these bounds, in order.
    pub fn iter_from(&self, root: Root, start: u64, end: u64) -> Iter<'_> {
        let mut iter = Iter {
            forest: self,
            leaf: &Node::EMPTY,
            index: 0,
        };
        if !root.is_empty() {
            let key = Interval { start, end, id: 0 };
            let mut node = root.node;
            for _ in 0..root.height {
                let here = self.node(node);
                node = here.children[here.place(&key)];
            }
            iter.leaf = self.node(node);
            iter.index = iter.leaf.less(&key);
        }
        iter
    }

    /// The first contradiction in a tree, and how many intervals it has.
    pub fn check(&self, root: Root) -> core::result::Result<u32, &'static str> {
        if root.is_empty() {
            return Ok(0);
        }
        self.check_node(root)?;
        let mut count = 0;
        let mut last = None;
        for interval in self.iter(root) {
            if last >= Some(interval) {
                return Err("a tree of intervals is out of order");
            }
            last = Some(interval);
            count += 1;
        }
        Ok(count)
    }

    fn check_node(&self, root: Root) -> core::result::Result<(), &'static str> {
        let here = self.node(root.node);
        if here.length == 0 {
            return Err("a tree of intervals has an empty node");
        }
        if root.height == 0 {
            return Ok(());
        }
        for index in 0..here.length() {
            let child = Root {
                node: here.children[index],
                height: root.height - 1,
            };
            let summary = self.node(child.node).summary(child.node);
            if summary.least != here.interval(index) || summary.reach != here.reaches[index] {
                return Err("a tree of intervals has a wrong summary");
            }
            self.check_node(child)?;
        }
        Ok(())
    }

    fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    fn node_mut(&mut self, node: u32) -> &mut Node {
        &mut self.nodes[node as usize]
    }

    fn make_node(&mut self) -> u32 {
        if self.unused == NONE {
            self.nodes.push(Node::EMPTY);
            return self.nodes.len() as u32 - 1;
        }
        let node = self.unused;
        self.unused = self.node(node).children[0];
        *self.node_mut(node) = Node::EMPTY;
        node
    }

    fn discard(&mut self, node: u32) {
        let Node { previous, next, .. } = *self.node(node);
        if previous != NONE {
            self.node_mut(previous).next = next;
        }
        if next != NONE {
            self.node_mut(next).previous = previous;
        }
        let unused = self.unused;
        self.node_mut(node).children[0] = unused;
        self.unused = node;
    }
}

/// The intervals of a tree, in order.
pub(crate) struct Iter<'a> {
    forest: &'a Forest,
    leaf: &'a Node,
    index: usize,
}

impl Iterator for Iter<'_> {
    type Item = Interval;

    #[inline]
    fn next(&mut self) -> Option<Interval> {
        if self.index >= self.leaf.length() {
            if self.leaf.next == NONE {
                return None;
            }
            self.leaf = self.forest.node(self.leaf.next);
            self.index = 0;
        }
        self.index += 1;
        Some(self.leaf.interval(self.index - 1))
    }
}

#[cfg(test)]
mod tests;
