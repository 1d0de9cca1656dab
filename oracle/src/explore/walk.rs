//! States made again from the way to them.
//!
//! A state of a large system takes kilobytes, and a link two bytes. So the states that wait for
//! their turn are not kept where [`System::REBUILDS`] says so: they are made again, in order,
//! from the links. Neighbours in a level have most of their way in common, and the walker keeps
//! one state of each level, so that little is done twice: in a level that is twice the one
//! before it, one step for each state on average, half a step for its parent, and so on.

use super::links::{Cursor, LevelLinks};
use super::renew::NoSuchStep;
use super::system::{System, Unnoted};

/// The way to a state, the state, and what can be done in it.
type Reached<'a, S> = (
    &'a [(u64, u32)],
    &'a <S as System>::State,
    &'a [<S as System>::Action],
);

/// Goes from state to state of a level.
pub(super) struct Walker<S: System> {
    /// By level; the first is that of the initial state.
    frames: Vec<Frame<S>>,
    /// By level: which state is wanted, and by which action it is reached.
    wanted: Vec<(u64, u32)>,
}

struct Frame<S: System> {
    state: S::State,
    /// Which state of the level it is; none before the first.
    index: Option<u64>,
    /// What can be done in it, once that was asked.
    actions: Vec<S::Action>,
    listed: bool,
    /// Where the links that lead to this level are being read.
    cursor: Cursor,
}

impl<S: System> Walker<S> {
    pub fn new(system: &S) -> Self {
        let mut first = Frame::new(system);
        first.index = Some(0);
        Self {
            frames: vec![first],
            wanted: Vec::new(),
        }
    }

    /// Goes to a state of a level, and returns the way there (which state of each level after the
    /// first, and by which action), the state and its actions. `links` lead to the levels
    /// after the first. It is quick to go to states in ascending order.
    pub fn seek(
        &mut self,
        system: &S,
        links: &[LevelLinks],
        level: usize,
        index: u64,
    ) -> Result<Reached<'_, S>, NoSuchStep> {
        while self.frames.len() <= level {
            self.frames.push(Frame::new(system));
        }
        self.wanted.resize(self.frames.len(), (0, 0));
        let mut known = level;
        let mut place = index;
        while self.frames[known].index != Some(place) {
            let cursor = &mut self.frames[known].cursor;
            let links = known.checked_sub(1).and_then(|above| links.get(above));
            let child = links.and_then(|links| links.child(cursor, place));
            let (parent, action) = child.ok_or(NoSuchStep)?;
            self.wanted[known] = (place, action);
            known -= 1;
            place = parent;
        }
        for level in known + 1..=level {
            let (above, below) = self.frames.split_at_mut(level);
            let (from, into) = (&mut above[level - 1], &mut below[0]);
            let (place, action) = self.wanted[level];
            from.list(system);
            let action = from.actions.get(action as usize).ok_or(NoSuchStep)?;
            // Should this fail, it is no state of the level.
            into.index = None;
            into.listed = false;
            system
                .successor(&from.state, action, &mut into.state, &mut Unnoted)
                .map_err(|_| NoSuchStep)?;
            into.index = Some(place);
        }
        let frame = &mut self.frames[level];
        frame.list(system);
        // What is known of a level is still what was wanted of it when it was made.
        Ok((&self.wanted[1..=level], &frame.state, &frame.actions))
    }
}

impl<S: System> Frame<S> {
    fn new(system: &S) -> Self {
        Self {
            state: system.initial(),
            index: None,
            actions: Vec::new(),
            listed: false,
            cursor: Cursor::default(),
        }
    }

    fn list(&mut self, system: &S) {
        if !self.listed {
            self.actions.clear();
            system.actions(&self.state, &mut self.actions);
            self.listed = true;
        }
    }
}
