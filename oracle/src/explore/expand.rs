//! The first phase: from parents to the fingerprints of everything that follows them.

use super::fingerprint::{Fingerprint, SHARD_BITS};
use super::frontier::Frontier;
use super::links::LevelLinks;
use super::renew::NoSuchStep;
use super::system::{Moved, Notes, System};
use super::trail::Mark;
use super::walk::Walker;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A step within a chunk: the parent's number in the chunk above, the action's below. Ordered
/// as the search goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Step(pub u64);

impl Step {
    #[inline]
    pub fn new(parent: usize, action: usize) -> Self {
        let parent = u32::try_from(parent).expect("a chunk has fewer than 2^32 parents");
        let action = u32::try_from(action).expect("a state has fewer than 2^32 actions");
        Self(u64::from(parent) << 32 | u64::from(action))
    }

    pub fn parent(self) -> usize {
        (self.0 >> 32) as usize
    }

    pub fn action(self) -> u32 {
        self.0 as u32
    }
}

/// A successor that may be new.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub key: u64,
    pub step: Step,
}

/// Candidates of one shard, in ascending order of steps.
#[derive(Clone, Default)]
pub(super) struct Bucket {
    slots: Vec<Candidate>,
    len: usize,
}

impl Bucket {
    pub fn candidates(&self) -> &[Candidate] {
        &self.slots[..self.len]
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    /// Adds a candidate if it is wanted. Nothing foretells whether it is: so it is written in any
    /// case, and no branch is taken in vain.
    #[inline]
    fn offer(&mut self, candidate: Candidate, wanted: bool) {
        if self.len == self.slots.len() {
            self.grow();
        }
        self.slots[self.len] = candidate;
        self.len += usize::from(wanted);
    }

    #[cold]
    fn grow(&mut self) {
        let none = Candidate {
            key: 0,
            step: Step(0),
        };
        self.slots.resize((self.len * 2).max(8), none);
    }
}

/// The level whose states are parents.
pub(super) struct Level<'a, P> {
    /// Links to this level and to those before it.
    pub links: &'a [LevelLinks],
    /// Parents that are done.
    pub done: u64,
    /// The others, where states are kept.
    pub waiting: &'a Frontier<P>,
}

impl<P> Level<'_, P> {
    /// Steps that lead here.
    pub fn number(&self) -> usize {
        self.links.len()
    }

    /// The number in the level of one that is not done.
    pub fn place(&self, parent: usize) -> u64 {
        self.done + parent as u64
    }
}

/// What one thread works with. Aligned so that no two threads write to one cache line.
#[repr(align(128))]
pub(super) struct Worker<S: System> {
    pub base: S::State,
    pub next: S::State,
    /// Where states are made again.
    pub walker: Walker<S>,
    pub actions: Vec<S::Action>,
    pub bytes: Vec<u8>,
    /// Candidates by shard.
    pub buckets: Vec<Bucket>,
    /// Keys that this worker put into a bucket lately, in a place that says the shard and the
    /// key's last bits. The same again is a later step to the same state: it is left out.
    recent: Box<[u64]>,
    pub found: Discoveries<S::Violation>,
    /// Where this worker says what it is at. Only where states are made again is the way there
    /// known.
    pub mark: Option<Arc<Mark>>,
}

/// What a chunk showed besides states.
pub(super) struct Discoveries<V> {
    pub transitions: u64,
    /// The first step of each violation.
    pub violations: BTreeMap<V, Step>,
    /// By note: how often, and the first step.
    pub notes: Vec<(u64, Option<Step>)>,
}

/// Bits of a key that say its place among the recent ones of its shard.
const RECENT_BITS: u32 = 6;

impl<S: System> Worker<S> {
    pub fn new(system: &S) -> Self {
        let initial = system.initial();
        Self {
            base: initial.clone(),
            next: initial,
            walker: Walker::new(system),
            actions: Vec::with_capacity(128),
            bytes: Vec::with_capacity(1024),
            buckets: vec![Bucket::default(); 1 << SHARD_BITS],
            recent: vec![0; 1 << (SHARD_BITS + RECENT_BITS)].into(),
            found: Discoveries::new(system.notes()),
            mark: None,
        }
    }

    /// Forgets the last chunk.
    pub fn clear(&mut self) {
        for bucket in &mut self.buckets {
            bucket.clear();
        }
        self.found.clear();
    }

    /// Expands some parents, and says whether it came to the end of them. Ranges come in
    /// ascending order.
    pub fn expand(
        &mut self,
        system: &S,
        level: &Level<'_, S::Packed>,
        parents: Range<usize>,
        interrupt: Option<&AtomicBool>,
    ) -> bool {
        for parent in parents {
            if interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
                return false;
            }
            let mark = self.mark.as_deref().filter(|_| S::REBUILDS);
            let (base, actions) = if S::REBUILDS {
                let found =
                    self.walker
                        .seek(system, level.links, level.number(), level.place(parent));
                let (way, base, actions) = found
                    .unwrap_or_else(|NoSuchStep| panic!("the same step twice has the same result"));
                if let Some(mark) = mark {
                    mark.expands(way.iter().map(|&(_, action)| action));
                }
                (base, actions)
            } else {
                system.unpack(level.waiting.get(parent), &mut self.base);
                self.actions.clear();
                system.actions(&self.base, &mut self.actions);
                (&self.base, self.actions.as_slice())
            };
            self.found.transitions += actions.len() as u64;
            // Whether `next` is what the parent is.
            let mut copied = false;
            for (number, action) in actions.iter().enumerate() {
                let step = Step::new(parent, number);
                let mut notes = StepNotes {
                    notes: &mut self.found.notes,
                    step,
                };
                if let Some(mark) = mark {
                    mark.performs(number);
                }
                if !copied {
                    system.copy(base, &mut self.next);
                }
                let moved = system.advance(base, action, &mut self.next, &mut notes);
                copied = matches!(moved, Ok(Moved::Nowhere));
                match moved {
                    // The parent is known.
                    Ok(Moved::Nowhere) => {}
                    Ok(Moved::Somewhere) => {
                        self.bytes.clear();
                        system.canonical(&self.next, &mut self.bytes);
                        let Fingerprint { key, shard } = Fingerprint::of(&self.bytes);
                        let place = (usize::from(shard) << RECENT_BITS)
                            | (key as usize % (1 << RECENT_BITS));
                        let wanted = std::mem::replace(&mut self.recent[place], key) != key;
                        self.buckets[usize::from(shard)].offer(Candidate { key, step }, wanted);
                    }
                    Err(violation) => {
                        self.found.violations.entry(violation).or_insert(step);
                    }
                }
            }
        }
        true
    }
}

impl<V> Discoveries<V> {
    pub fn new(notes: usize) -> Self {
        Self {
            transitions: 0,
            violations: BTreeMap::new(),
            notes: vec![(0, None); notes],
        }
    }

    fn clear(&mut self) {
        self.transitions = 0;
        self.violations.clear();
        self.notes.fill((0, None));
    }
}

/// Takes notes of one step.
struct StepNotes<'a> {
    notes: &'a mut [(u64, Option<Step>)],
    step: Step,
}

impl Notes for StepNotes<'_> {
    #[inline]
    fn note(&mut self, note: usize) {
        let (count, first) = &mut self.notes[note];
        *count += 1;
        first.get_or_insert(self.step);
    }
}
