//! The third phase, and resuming: states made once more from their links.

use super::expand::{Level, Step, Worker};
use super::fingerprint::Fingerprint;
use super::links::LevelLinks;
use super::system::{System, Unnoted};
use std::ops::Range;

/// New states, in order, with all that is kept of them.
pub(super) struct Renewed<P> {
    /// With the bytes that each has on the heap.
    pub states: Vec<(P, usize)>,
    pub links: LevelLinks,
    /// Only when asked for.
    pub fingerprints: Vec<Fingerprint>,
}

/// A step that the system does not have now.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoSuchStep;

impl<S: System> Worker<S> {
    /// Takes some steps, all from the given parents, in ascending order.
    pub fn renew(
        &mut self,
        system: &S,
        level: &Level<'_, S::Packed>,
        parents: Range<usize>,
        steps: &[Step],
        with_fingerprints: bool,
    ) -> Result<Renewed<S::Packed>, NoSuchStep> {
        let mut renewed = Renewed {
            states: Vec::with_capacity(steps.len()),
            links: LevelLinks::default(),
            fingerprints: Vec::new(),
        };
        let mut rest = steps;
        for parent in parents {
            let count = rest
                .iter()
                .take_while(|step| step.parent() == parent)
                .count();
            let (own, others) = rest.split_at(count);
            rest = others;
            renewed.links.push(own.iter().map(|step| step.action()));
            if own.is_empty() {
                continue;
            }
            if S::REBUILDS && !with_fingerprints {
                // The links are all that is kept.
                let none = own.iter().map(|_| (S::Packed::default(), 0));
                renewed.states.extend(none);
                continue;
            }
            let (base, actions) = if S::REBUILDS {
                let place = level.place(parent);
                let (_, base, actions) =
                    self.walker
                        .seek(system, level.links, level.number(), place)?;
                (base, actions)
            } else {
                system.unpack(level.waiting.get(parent), &mut self.base);
                self.actions.clear();
                system.actions(&self.base, &mut self.actions);
                (&self.base, self.actions.as_slice())
            };
            for step in own {
                let action = actions.get(step.action() as usize).ok_or(NoSuchStep)?;
                system
                    .successor(base, action, &mut self.next, &mut Unnoted)
                    .map_err(|_| NoSuchStep)?;
                let packed = system.pack(&self.next);
                let heap_bytes = system.heap_bytes(&packed);
                renewed.states.push((packed, heap_bytes));
                if with_fingerprints {
                    self.bytes.clear();
                    system.canonical(&self.next, &mut self.bytes);
                    renewed.fingerprints.push(Fingerprint::of(&self.bytes));
                }
            }
        }
        assert!(rest.is_empty(), "steps belong to the parents");
        Ok(renewed)
    }
}
