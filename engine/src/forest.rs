//! Search trees of intervals, many in one arena.
//!
//! Each tree is ordered by start, then end, then age, and each node knows the greatest end
//! below it: finding an interval by its bounds, one that covers a range, or the one that
//! reaches furthest costs the depth of the tree, which is logarithmic (a treap whose
//! priorities are a hash of the node's place, so that trees are the same on every run).

use crate::error::{Errno, Result};
use alloc::vec::Vec;

/// A node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(u32);

impl Handle {
    const NONE: Handle = Handle(u32::MAX);

    fn some(self) -> Option<Handle> {
        (self != Self::NONE).then_some(self)
    }
}

/// A tree.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Root(Handle);

impl Root {
    /// A tree without nodes.
    pub const EMPTY: Root = Root(Handle::NONE);
}

#[derive(Clone, Debug)]
struct Node<T> {
    start: u64,
    end: u64,
    /// The greatest end of this node and those below it.
    reach: u64,
    left: Handle,
    right: Handle,
    parent: Handle,
    value: T,
}

/// The arena.
#[derive(Clone, Debug)]
pub(crate) struct Forest<T> {
    nodes: Vec<Node<T>>,
    /// The first unused node; they are linked by `left`.
    unused: Handle,
    unused_count: u32,
}

impl<T: Copy> Forest<T> {
    pub fn new() -> Self {
        Self {
            nodes: Vec::new(),
            unused: Handle::NONE,
            unused_count: 0,
        }
    }

    /// Makes sure that so many insertions cannot fail.
    pub fn reserve(&mut self, count: u32) -> Result<()> {
        if self.unused_count >= count {
            return Ok(());
        }
        self.nodes
            .try_reserve((count - self.unused_count) as usize)
            .map_err(|_| Errno::ENOMEM)
    }

    /// Adds an interval, after all that are equal to it. Reserve first.
    pub fn insert(&mut self, root: &mut Root, start: u64, end: u64, value: T) -> Handle {
        let node = Node {
            start,
            end,
            reach: end,
            left: Handle::NONE,
            right: Handle::NONE,
            parent: Handle::NONE,
            value,
        };
        let handle = match self.unused.some() {
            Some(handle) => {
                self.unused = self.node(handle).left;
                self.unused_count -= 1;
                *self.node_mut(handle) = node;
                handle
            }
            None => {
                self.nodes.push(node);
                Handle(self.nodes.len() as u32 - 1)
            }
        };
        self.attach(root, handle);
        handle
    }

    /// Takes an interval away.
    pub fn remove(&mut self, root: &mut Root, handle: Handle) -> T {
        self.detach(root, handle);
        let unused = self.unused;
        let node = self.node_mut(handle);
        node.left = unused;
        let value = node.value;
        self.unused = handle;
        self.unused_count += 1;
        value
    }

    /// Gives an interval other bounds.
    pub fn change(&mut self, root: &mut Root, handle: Handle, start: u64, end: u64) {
        self.detach(root, handle);
        let node = self.node_mut(handle);
        node.start = start;
        node.end = end;
        self.attach(root, handle);
    }

    pub fn start(&self, handle: Handle) -> u64 {
        self.node(handle).start
    }

    pub fn end(&self, handle: Handle) -> u64 {
        self.node(handle).end
    }

    pub fn get(&self, handle: Handle) -> &T {
        &self.node(handle).value
    }

    pub fn get_mut(&mut self, handle: Handle) -> &mut T {
        &mut self.node_mut(handle).value
    }

    /// The greatest end in a tree; 0 when it is empty.
    pub fn reach(&self, root: Root) -> u64 {
        self.reach_of(root.0)
    }

    /// The oldest interval with exactly these bounds.
    pub fn find(&self, root: Root, start: u64, end: u64) -> Option<Handle> {
        let found = self.at_or_after(root, start, end)?;
        let node = self.node(found);
        (node.start == start && node.end == end).then_some(found)
    }

    /// The first interval, in order, that covers all of a range.
    pub fn covering(&self, root: Root, start: u64, end: u64) -> Option<Handle> {
        let mut at = root.0;
        loop {
            let node = self.node(at.some()?);
            if node.start > start {
                at = node.left;
            } else if self.reach_of(node.left) >= end {
                // What lies left begins no later: one of them covers it.
                at = node.left;
            } else if node.end >= end {
                return Some(at);
            } else {
                at = node.right;
            }
        }
    }

    /// Of the intervals that cover all of a range and are wanted, the one that reaches
    /// furthest.
    pub fn furthest(
        &self,
        root: Root,
        start: u64,
        end: u64,
        wanted: &impl Fn(&T) -> bool,
    ) -> Option<Handle> {
        let mut best = None;
        self.furthest_below(root.0, start, end, wanted, &mut best);
        best.map(|(_, handle)| handle)
    }

    fn furthest_below(
        &self,
        mut at: Handle,
        start: u64,
        end: u64,
        wanted: &impl Fn(&T) -> bool,
        best: &mut Option<(u64, Handle)>,
    ) {
        while let Some(handle) = at.some() {
            let node = self.node(handle);
            if node.reach < end || best.is_some_and(|(reached, _)| node.reach <= reached) {
                return;
            }
            self.furthest_below(node.left, start, end, wanted, best);
            if node.start > start {
                return;
            }
            let further = best.is_none_or(|(reached, _)| node.end > reached);
            if node.end >= end && further && wanted(&node.value) {
                *best = Some((node.end, handle));
            }
            at = node.right;
        }
    }

    /// The first interval that does not come before these bounds.
    pub fn at_or_after(&self, root: Root, start: u64, end: u64) -> Option<Handle> {
        let mut found = None;
        let mut at = root.0;
        while let Some(handle) = at.some() {
            let node = self.node(handle);
            if (node.start, node.end) < (start, end) {
                at = node.right;
            } else {
                found = Some(handle);
                at = node.left;
            }
        }
        found
    }

    /// The first interval.
    pub fn first(&self, root: Root) -> Option<Handle> {
        self.leftmost(root.0.some()?)
    }

    fn leftmost(&self, mut handle: Handle) -> Option<Handle> {
        while let Some(left) = self.node(handle).left.some() {
            handle = left;
        }
        Some(handle)
    }

    /// The interval after one.
    pub fn next(&self, handle: Handle) -> Option<Handle> {
        if let Some(right) = self.node(handle).right.some() {
            return self.leftmost(right);
        }
        let mut below = handle;
        while let Some(above) = self.node(below).parent.some() {
            if self.node(above).left == below {
                return Some(above);
            }
            below = above;
        }
        None
    }

    /// All intervals of a tree, in order.
    pub fn iter(&self, root: Root) -> impl Iterator<Item = Handle> + '_ {
        core::iter::successors(self.first(root), |&handle| self.next(handle))
    }

    /// Nodes in use, in all trees.
    pub fn count(&self) -> u32 {
        self.nodes.len() as u32 - self.unused_count
    }

    fn node(&self, handle: Handle) -> &Node<T> {
        &self.nodes[handle.0 as usize]
    }

    fn node_mut(&mut self, handle: Handle) -> &mut Node<T> {
        &mut self.nodes[handle.0 as usize]
    }

    fn reach_of(&self, handle: Handle) -> u64 {
        match handle.some() {
            Some(handle) => self.node(handle).reach,
            None => 0,
        }
    }

    fn attach(&mut self, root: &mut Root, handle: Handle) {
        let Node { start, end, .. } = *self.node(handle);
        let mut parent = Handle::NONE;
        let mut at = root.0;
        let mut goes_left = false;
        while let Some(above) = at.some() {
            let node = self.node_mut(above);
            node.reach = node.reach.max(end);
            parent = above;
            goes_left = (start, end) < (node.start, node.end);
            at = if goes_left { node.left } else { node.right };
        }
        let node = self.node_mut(handle);
        node.left = Handle::NONE;
        node.right = Handle::NONE;
        node.reach = end;
        node.parent = parent;
        match parent.some() {
            None => root.0 = handle,
            Some(parent) if goes_left => self.node_mut(parent).left = handle,
            Some(parent) => self.node_mut(parent).right = handle,
        }
        let own = priority(handle);
        while let Some(parent) = self.node(handle).parent.some() {
            if priority(parent) >= own {
                break;
            }
            self.rotate_up(root, handle, parent);
        }
    }

    fn detach(&mut self, root: &mut Root, handle: Handle) {
        loop {
            let Node { left, right, .. } = *self.node(handle);
            let (Some(one), Some(other)) = (left.some(), right.some()) else {
                break;
            };
            let child = if priority(one) > priority(other) {
                one
            } else {
                other
            };
            self.rotate_up(root, child, handle);
        }
        let Node {
            left,
            right,
            parent,
            ..
        } = *self.node(handle);
        let child = left.some().or(right.some()).unwrap_or(Handle::NONE);
        if let Some(child) = child.some() {
            self.node_mut(child).parent = parent;
        }
        self.replace_child(root, parent, handle, child);
        let mut above = parent;
        while let Some(handle) = above.some() {
            let reach = self.computed_reach(handle);
            let node = self.node_mut(handle);
            if node.reach == reach {
                break;
            }
            node.reach = reach;
            above = node.parent;
        }
    }

    fn computed_reach(&self, handle: Handle) -> u64 {
        let node = self.node(handle);
        let below = self.reach_of(node.left).max(self.reach_of(node.right));
        node.end.max(below)
    }

    /// Puts a node where its parent is, and the parent below it.
    fn rotate_up(&mut self, root: &mut Root, handle: Handle, parent: Handle) {
        let Node {
            reach,
            left,
            parent: above,
            ..
        } = *self.node(parent);
        let inner = if left == handle {
            let inner = self.node(handle).right;
            self.node_mut(handle).right = parent;
            self.node_mut(parent).left = inner;
            inner
        } else {
            let inner = self.node(handle).left;
            self.node_mut(handle).left = parent;
            self.node_mut(parent).right = inner;
            inner
        };
        if let Some(inner) = inner.some() {
            self.node_mut(inner).parent = parent;
        }
        self.node_mut(parent).parent = handle;
        let node = self.node_mut(handle);
        node.parent = above;
        node.reach = reach;
        let lowered = self.computed_reach(parent);
        self.node_mut(parent).reach = lowered;
        self.replace_child(root, above, parent, handle);
    }

    fn replace_child(&mut self, root: &mut Root, above: Handle, old: Handle, new: Handle) {
        match above.some() {
            None => root.0 = new,
            Some(above) => {
                let node = self.node_mut(above);
                if node.left == old {
                    node.left = new;
                } else {
                    node.right = new;
                }
            }
        }
    }

    /// The first contradiction in a tree, and how many nodes it has.
    pub fn check(&self, root: Root) -> core::result::Result<u32, &'static str> {
        let mut count = 0;
        let mut last = None;
        for handle in self.iter(root) {
            let node = self.node(handle);
            if last.is_some_and(|last| last > (node.start, node.end)) {
                return Err("a tree of intervals is out of order");
            }
            if node.reach != self.computed_reach(handle) {
                return Err("a tree of intervals has a wrong reach");
            }
            let above = node.parent.some();
            if above.is_some_and(|above| priority(above) < priority(handle)) {
                return Err("a tree of intervals is not a heap");
            }
            last = Some((node.start, node.end));
            count += 1;
        }
        Ok(count)
    }
}

/// No two nodes have the same: every step can be undone.
fn priority(handle: Handle) -> u32 {
    let mut mixed = handle.0;
    mixed ^= mixed >> 16;
    mixed = mixed.wrapping_mul(0x85eb_ca6b);
    mixed ^= mixed >> 13;
    mixed = mixed.wrapping_mul(0xc2b2_ae35);
    mixed ^ mixed >> 16
}
